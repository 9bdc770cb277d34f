// permute.c - Transpose: the dims in another order.
#include "moves.h"

/* Dim i of the output is dim perm[i] of the input: the attribute, or the reverse order. */
static int read_permutation(const struct node *node, int rank, int perm[RANK_MAX],
                            struct error *error)
{
    int count;
    const long *given = node_integers(node, "perm", &count);
    bool used[RANK_MAX] = {false};
    if (given && count != rank)
        return error_set(error, FAULT_IO, "'perm' has %d numbers for %d dimensions", count, rank);
    for (int i = 0; i < rank; i++) {
        const long from = given ? given[i] : rank - 1 - i;
        if (from < 0 || from >= rank || used[from])
            return error_set(error, FAULT_IO,
                             "'perm' has to name each of the %d dimensions once; %ld is wrong",
                             rank, from);
        used[from] = true;
        perm[i] = (int)from;
    }
    return OK;
}

static int infer(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    struct type *out = &site->output[0].type;
    int perm[RANK_MAX], count;
    out->element = in.element;
    const bool is_given = node_integers(site->node, "perm", &count) != NULL;
    if (in.rank < 0) {
        if (is_given && rank_check(count, error) != OK)
            return FAILED;
        if (is_given)
            dims_unknown(out, count);
        return OK;
    }
    if (read_permutation(site->node, in.rank, perm, error) != OK)
        return FAILED;
    out->rank = in.rank;
    for (int i = 0; i < in.rank; i++)
        dim_copy(out, i, &in, perm[i]);
    return OK;
}

static int find_move(const struct site *site, struct move *move, struct error *error)
{
    const struct type *in = &site->input[0].type;
    int perm[RANK_MAX];
    *move = (struct move){0};
    if (read_permutation(site->node, in->rank, perm, error) != OK)
        return FAILED;
    for (int i = 0; i < in->rank; i++)
        move_dim(move, in->dims[perm[i]], type_product(in, perm[i] + 1, in->rank));
    return OK;
}

static int evaluate(struct site *site, struct error *error)
{
    return found_evaluate(site, find_move, error);
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    return found_lower(site, lowering, find_move, error);
}

static const struct attribute_rule attributes[] = {{"perm", ATTRIBUTE_INTS, false}, {0}};

const struct op onnx_Transpose_op = {
    .domain = "",
    .name = "Transpose",
    .summary = "x with its dims in the order `perm`, else in reverse order",
    .flags = OP_MOVES,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer,
    .evaluate = evaluate,
    .lower = lower,
};
