// channel_shuffle.c - Reshape, Transpose, Reshape as one permutation.
#include "permutation.h"
#include "rewrite.h"

#define VIEWS "Reshape|Flatten|Squeeze|Unsqueeze"

enum { X = 1, SEEN, MOVED, Y };

static const struct pattern seen_otherwise = {
    .term = {{VIEWS, {Y}, {MOVED}, TERM_MORE, NULL},
             {"Transpose", {MOVED}, {SEEN}, 0, NULL},
             {VIEWS, {SEEN}, {X}, TERM_MORE, NULL}},
};

/* The input under its own dims. */
static const struct pattern seen_as_it_is = {
    .term = {{VIEWS, {Y}, {MOVED}, TERM_MORE, NULL}, {"Transpose", {MOVED}, {X}, 0, NULL}},
};

/* Dims as an attribute says them: one may be open. */
static bool say_dims(const struct type *type, long dims[RANK_MAX])
{
    int open = 0;
    for (int i = 0; i < type->rank; i++) {
        dims[i] = type->dims[i] < 0 ? -1 : type->dims[i];
        open += type->dims[i] < 0;
        if (type->dims[i] == 0)
            return false;
    }
    return type->rank >= 0 && open <= 1;
}

/* X under the dims of `seen`, in the order of the Transpose. */
static int shuffle(struct rewriting *rewriting, const struct match *match, const struct type *seen,
                   struct error *error)
{
    struct graph *graph = rewriting->graph;
    struct type made;
    long view[RANK_MAX], perm[RANK_MAX], shape[RANK_MAX];
    if (rewrite_type(graph, match->node[0], &made, error) != OK)
        return FAILED;
    const int rank = permutation_read(graph, match->node[1], perm);
    if (rank != seen->rank || !say_dims(seen, view) || !say_dims(&made, shape))
        return SKIPPED;
    const int node =
        rewrite_add(graph, "roofline", "Shuffle", match->node[0], &match->tensor[X], 1, error);
    if (node < 0 || graph_set_integers(graph, node, "view", view, rank, error) != OK ||
        graph_set_integers(graph, node, "perm", perm, rank, error) != OK ||
        graph_set_integers(graph, node, "shape", shape, made.rank, error) != OK)
        return FAILED;
    return rewrite_replace_by(graph, match->tensor[Y], node, error);
}

static int shuffle_seen_otherwise(struct rewriting *rewriting, const struct match *match,
                                  struct error *error)
{
    struct type seen;
    if (rewrite_type(rewriting->graph, match->node[2], &seen, error) != OK)
        return FAILED;
    return shuffle(rewriting, match, &seen, error);
}

static int shuffle_as_it_is(struct rewriting *rewriting, const struct match *match,
                            struct error *error)
{
    const struct type seen = rewriting->graph->tensor[match->tensor[X]]->type;
    return shuffle(rewriting, match, &seen, error);
}

static const struct rule rules[] = {
    {&seen_otherwise, shuffle_seen_otherwise}, {&seen_as_it_is, shuffle_as_it_is}, {0}};

const struct pass channel_shuffle_pass = {
    .name = "shuffle",
    .group = GROUP_TRANSFORM,
    .summary =
        "Reshape, Transpose, Reshape, such as ShuffleChannel and DepthToSpace spelled out, or "
        "the latter two alone: one roofline::Shuffle, a single permutation kernel",
    .refuses = "what is between has other users or is an output; two dims of a shape are not "
               "known; a dim is 0",
    .rules = rules,
};
