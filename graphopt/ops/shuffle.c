// shuffle.c - roofline::Shuffle: Reshape, Transpose, Reshape as one permutation, such as the
// channels of groups among each other.
#include "expand.h"
#include "moves.h"

/* The attributes: the input's elements under dims `view`, these in the order `perm`, the result
 * under dims `shape`. */
struct shuffle {
    long view[RANK_MAX], perm[RANK_MAX], shape[RANK_MAX];
    int rank, shape_rank;
};

static int read_list(const struct node *node, const char *name, long values[RANK_MAX], int *count,
                     struct error *error)
{
    const long *list = node_integers(node, name, count);
    if (*count > RANK_MAX)
        return error_set(error, FAULT_IO, "'%s' has %d numbers; at most %d can be handled", name,
                         *count, RANK_MAX);
    for (int i = 0; i < *count; i++)
        values[i] = list[i];
    return OK;
}

/* A dim of -1 becomes what makes `elements` (-1: not known) of all; FAULT_IO where that cannot
 * be. */
static int resolve(const char *name, long *dims, int rank, long elements, struct error *error)
{
    int open = -1;
    long known = 1;
    for (int i = 0; i < rank; i++) {
        if (dims[i] < -1 || dims[i] == 0 || (dims[i] == -1 && open >= 0) ||
            (dims[i] > 0 && known > ELEMENTS_MAX / dims[i]))
            return error_set(error, FAULT_IO,
                             "'%s' has to be dims above 0, one of them may be -1, of at most %ld "
                             "elements",
                             name, ELEMENTS_MAX);
        if (dims[i] == -1)
            open = i;
        else
            known *= dims[i];
    }
    if (elements < 0)
        return OK;
    if (open >= 0 ? elements % known != 0 : elements != known)
        return error_set(error, FAULT_IO, "'%s' does not hold the %ld elements of the input", name,
                         elements);
    if (open >= 0)
        dims[open] = elements / known;
    return OK;
}

static int read_shuffle(const struct site *site, struct shuffle *shuffle, struct error *error)
{
    const struct type in = site_type(site, 0);
    const long elements = in.rank >= 0 ? type_elements(&in) : -1;
    bool is_used[RANK_MAX] = {false};
    int perm_rank;
    if (read_list(site->node, "view", shuffle->view, &shuffle->rank, error) != OK ||
        read_list(site->node, "perm", shuffle->perm, &perm_rank, error) != OK ||
        read_list(site->node, "shape", shuffle->shape, &shuffle->shape_rank, error) != OK)
        return FAILED;
    for (int i = 0; i < perm_rank; i++) {
        const long from = shuffle->perm[i];
        if (perm_rank != shuffle->rank || from < 0 || from >= perm_rank || is_used[from])
            return error_set(error, FAULT_IO, "'perm' has to name each of the %d dims once",
                             shuffle->rank);
        is_used[from] = true;
    }
    if (perm_rank != shuffle->rank)
        return error_set(error, FAULT_IO, "'perm' has %d numbers for %d dims", perm_rank,
                         shuffle->rank);
    if (resolve("view", shuffle->view, shuffle->rank, elements, error) != OK)
        return FAILED;
    return resolve("shape", shuffle->shape, shuffle->shape_rank, elements, error);
}

/* The name of an open dim: the input's, where that is the only one not known and all others make as
 * many elements. */
static int symbol_of_open(const struct type *in, const struct type *out)
{
    long of_in = 1, of_out = 1;
    int open = -1;
    for (int i = 0; i < in->rank; i++) {
        if (in->dims[i] < 0 && open >= 0)
            return 0;
        if (in->dims[i] < 0)
            open = i;
        else
            of_in *= in->dims[i];
    }
    for (int i = 0; i < out->rank; i++)
        of_out *= out->dims[i] < 0 ? 1 : out->dims[i];
    return open >= 0 && of_in == of_out ? in->symbol[open] : 0;
}

static int infer(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    struct type *out = &site->output[0].type;
    struct shuffle shuffle;
    out->element = in.element;
    if (read_shuffle(site, &shuffle, error) != OK)
        return FAILED;
    out->rank = shuffle.shape_rank;
    for (int i = 0; i < out->rank; i++) {
        out->dims[i] = shuffle.shape[i];
        out->symbol[i] = 0;
    }
    for (int i = 0; i < out->rank; i++)
        if (out->dims[i] < 0 && in.rank >= 0)
            out->symbol[i] = symbol_of_open(&in, out);
    return OK;
}

static int find_move(const struct site *site, struct move *move, struct error *error)
{
    struct shuffle shuffle;
    *move = (struct move){0};
    if (read_shuffle(site, &shuffle, error) != OK)
        return FAILED;
    for (int i = 0; i < shuffle.rank; i++) {
        long step = 1;
        for (long k = shuffle.perm[i] + 1; k < shuffle.rank; k++)
            step *= shuffle.view[k];
        move_dim(move, shuffle.view[shuffle.perm[i]], step);
    }
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

/* ---- in ONNX's own ---- */

static int add_reshape(struct graph *spelled, int input, const long *dims, int rank,
                       struct error *error)
{
    const int shape = input < 0 ? -1 : graph_add_integers(spelled, "shape", dims, rank, error);
    return shape < 0 ? -1 : expand_node(spelled, "Reshape", input, shape, error);
}

static int expand(const struct site *site, struct graph *spelled, struct error *error)
{
    struct shuffle shuffle;
    if (read_shuffle(site, &shuffle, error) != OK)
        return FAILED;
    const int seen =
        add_reshape(spelled, spelled->block[0]->inputs[0], shuffle.view, shuffle.rank, error);
    const int moved = expand_transpose(spelled, seen, shuffle.perm, shuffle.rank, error);
    const int result = add_reshape(spelled, moved, shuffle.shape, shuffle.shape_rank, error);
    return result < 0 ? FAILED : graph_add_output(spelled, 0, result, error);
}

static const struct attribute_rule attributes[] = {{"view", ATTRIBUTE_INTS, true},
                                                   {"perm", ATTRIBUTE_INTS, true},
                                                   {"shape", ATTRIBUTE_INTS, true},
                                                   {0}};

const struct op roofline_Shuffle_op = {
    .domain = "roofline",
    .name = "Shuffle",
    .summary = "x under the dims `view`, these in the order `perm`, the result under `shape`",
    .flags = OP_MOVES,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer,
    .evaluate = evaluate,
    .lower = lower,
    .expand = expand,
};
