// transpose_chain.c - permutations composed, and those that move nothing removed.
#include "permutation.h"
#include "rewrite.h"

enum { X = 1, MIDDLE, Y };

/* ---- two in a row ---- */

static const struct pattern pair = {
    .term = {{"Transpose", {Y}, {MIDDLE}, 0, NULL}, {"Transpose", {MIDDLE}, {X}, 0, NULL}},
    .operand = {[MIDDLE] = {OPERAND_SHARED, 0}},
};

static int compose(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    struct graph *graph = rewriting->graph;
    long outer[RANK_MAX], inner[RANK_MAX], both[RANK_MAX];
    const int rank = permutation_read(graph, match->node[0], outer);
    if (rank < 0 || permutation_read(graph, match->node[1], inner) != rank)
        return SKIPPED;
    for (int i = 0; i < rank; i++)
        both[i] = inner[outer[i]];
    const int node =
        rewrite_add(graph, NULL, "Transpose", match->node[0], &match->tensor[X], 1, error);
    if (node < 0 || graph_set_integers(graph, node, "perm", both, rank, error) != OK)
        return FAILED;
    return rewrite_replace_by(graph, match->tensor[Y], node, error);
}

/* ---- one that moves nothing, or dims of 1 alone ---- */

static const struct pattern alone = {.term = {{"Transpose", {Y}, {X}, 0, NULL}}};

static bool is_identity(const long *perm, int rank)
{
    for (int i = 0; i < rank; i++)
        if (perm[i] != i)
            return false;
    return rank >= 0;
}

static int remove_identity(struct rewriting *rewriting, const struct match *match,
                           struct error *error)
{
    long perm[RANK_MAX];
    const int rank = permutation_read(rewriting->graph, match->node[0], perm);
    if (!is_identity(perm, rank))
        return SKIPPED;
    return rewrite_replace(rewriting->graph, match->tensor[Y], match->tensor[X], error);
}

/* Whether dims that are not 1 keep their order; a dim that is not known is not 1. */
static bool keeps_order(const struct type *in, const long *perm)
{
    long last = -1;
    for (int i = 0; i < in->rank; i++) {
        if (in->dims[perm[i]] == 1)
            continue;
        if (perm[i] < last)
            return false;
        last = perm[i];
    }
    return true;
}

static int reshape_instead(struct rewriting *rewriting, const struct match *match,
                           struct error *error)
{
    struct graph *graph = rewriting->graph;
    const struct type *in = &graph->tensor[match->tensor[X]]->type;
    struct type type;
    long perm[RANK_MAX];
    int node;
    const int rank = permutation_read(graph, match->node[0], perm);
    if (rank < 0 || in->rank != rank || !keeps_order(in, perm) || is_identity(perm, rank))
        return SKIPPED;
    if (rewrite_type(graph, match->node[0], &type, error) != OK)
        return FAILED;
    const int result =
        rewrite_add_reshape(graph, match->tensor[X], &type, match->node[0], &node, error);
    return result == OK ? rewrite_replace_by(graph, match->tensor[Y], node, error) : result;
}

static const struct rule rules[] = {
    {&pair, compose}, {&alone, remove_identity}, {&alone, reshape_instead}, {0}};

const struct pass transpose_chain_pass = {
    .name = "transpose-chain",
    .group = GROUP_ELIMINATION,
    .summary = "Transpose behind Transpose: one, by the permutation of both; one that moves "
               "nothing: its input; one that only moves dims of 1: Reshape",
    .refuses = "the rank is not known, so that the default order is not; a dim that is moved is "
               "not known to be 1",
    .rules = rules,
};
