// padding.c - Pad goes into the convolution or pool behind it.
#include <math.h>
#include <string.h>

#include "rewrite.h"

enum { X = 1, PADDED, Y };

static const struct pattern before_conv = {.term = {{"Conv", {Y}, {PADDED}, TERM_MORE, NULL},
                                                    {"Pad", {PADDED}, {X}, TERM_MORE, NULL}}},
                            before_pool = {.term = {{"AveragePool|MaxPool", {Y}, {PADDED}, 0, NULL},
                                                    {"Pad", {PADDED}, {X}, TERM_MORE, NULL}}};

static bool pads_with(const struct graph *graph, const struct node *pad, double wanted)
{
    const int tensor = pad->opset < 11 ? -1 : node_input(pad, 2);
    double value = pad->opset < 11 ? node_real(pad, "value", 0) : 0;
    return strcmp(node_text(pad, "mode", "constant"), "constant") == 0 &&
           (tensor < 0 || tensor_scalar(graph->tensor[tensor], &value)) && value == wanted;
}

/* Lines before and behind along each dim of a tensor of that rank; false where they are not known,
 * some are negative, or batch and channels get some too. */
static bool read_pads(const struct graph *graph, const struct node *pad, int rank,
                      long pads[2 * RANK_MAX])
{
    int count;
    const long *given = node_integers(pad, "pads", &count);
    const int tensor = pad->opset < 11 ? -1 : node_input(pad, 1);
    if (node_input(pad, 3) >= 0 || (!given && tensor < 0))
        return false; /* along some axes only: as it stands */
    if (!given) {
        const struct tensor *from = graph->tensor[tensor];
        if (!tensor_is_known(from) || type_elements(&from->type) != 2 * rank)
            return false;
        for (int i = 0; i < 2 * rank; i++)
            pads[i] = (long)element_whole(from->data, from->type.element, i);
    } else {
        for (int i = 0; i < 2 * rank && count == 2 * rank; i++)
            pads[i] = given[i];
        if (count != 2 * rank)
            return false;
    }
    for (int i = 0; i < 2 * rank; i++)
        if (pads[i] < 0 || (pads[i] > 0 && i % rank < 2))
            return false;
    return true;
}

/* The pads of the window with those of the node `pad` added, where that pads with `value`; false
 * where that cannot be. */
static bool add_pads(const struct graph *graph, const struct node *pad, const struct node *window,
                     double value, int rank, long sums[2 * RANK_MAX])
{
    long pads[2 * RANK_MAX];
    int count;
    const long *given = node_integers(window, "pads", &count);
    const char *automatic = node_text(window, "auto_pad", "NOTSET");
    const bool is_valid = strcmp(automatic, "VALID") == 0; /* whatever `pads` says */
    if (!pads_with(graph, pad, value) || rank < 3 || rank > RANK_MAX ||
        !read_pads(graph, pad, rank, pads) || (strcmp(automatic, "NOTSET") != 0 && !is_valid) ||
        (given && count != 2 * (rank - 2)))
        return false;
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < rank - 2; i++) {
            const int at = side * (rank - 2) + i;
            sums[at] = pads[side * rank + 2 + i] + (given && !is_valid ? given[at] : 0);
        }
    return true;
}

/* Whether the kernels take the node. */
static int is_lowered(const struct graph *graph, int node, bool *answer, struct error *error)
{
    struct arena arena = {0};
    struct lowering lowering;
    struct site site;
    int result = site_open(&site, graph, graph->node[node], &arena, error);
    if (result == OK)
        result = site_lower(&site, &lowering, error);
    *answer = result == OK;
    arena_free(&arena);
    return result == FAILED ? FAILED : OK;
}

/* The window's node anew, on X and with these pads. */
static int put_window(struct rewriting *rewriting, const struct match *match, const long *pads,
                      int count, bool counts_padding, struct error *error)
{
    struct graph *graph = rewriting->graph;
    const struct node *old = graph->node[match->node[0]];
    int inputs[] = {match->tensor[X], node_input(old, 1), node_input(old, 2)};
    bool was = false, is = false;
    int result = is_lowered(graph, match->node[0], &was, error);
    const int node = result != OK ? -1
                                  : rewrite_add(graph, old->domain, old->type, match->node[0],
                                                inputs, old->input_count, error);
    if (node < 0)
        return FAILED;
    for (int i = 0; i < old->attribute_count && result == OK; i++)
        result = graph_set_attribute(graph, node, &old->attributes[i], error);
    graph_remove_attribute(graph, node, "auto_pad");
    if (result == OK)
        result = graph_set_integers(graph, node, "pads", pads, count, error);
    if (result == OK && counts_padding)
        result = graph_set_integer(graph, node, "count_include_pad", 1, error);
    if (result == OK)
        result = graph_infer_node(graph, node, error);
    if (result == OK)
        result = is_lowered(graph, node, &is, error);
    if (result == OK && was && !is) { /* the padded image was one of few dims, this is not */
        graph_remove_node(graph, node);
        return SKIPPED;
    }
    return result == OK ? rewrite_replace_by(graph, match->tensor[Y], node, error) : result;
}

static int into_conv(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    const struct graph *graph = rewriting->graph;
    const int rank = graph->tensor[match->tensor[PADDED]]->type.rank;
    long pads[2 * RANK_MAX];
    if (!type_is_complete(&graph->tensor[match->tensor[PADDED]]->type) ||
        !add_pads(graph, graph->node[match->node[1]], graph->node[match->node[0]], 0, rank, pads))
        return SKIPPED;
    return put_window(rewriting, match, pads, 2 * (rank - 2), false, error);
}

/* Whether some window would lie in the padding alone, which runtimes refuse. */
static bool is_wider_than_window(const struct node *pool, const long *pads, int count)
{
    int dims;
    const long *window = node_integers(pool, "kernel_shape", &dims);
    for (int i = 0; i < count; i++)
        if (pads[i] >= window[i % dims])
            return true;
    return false;
}

/* Zeros count in the average: so they have to as padding. Those of MaxPool count as -inf. */
static int into_pool(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    const struct graph *graph = rewriting->graph;
    const struct node *pool = graph->node[match->node[0]];
    const int rank = graph->tensor[match->tensor[PADDED]]->type.rank;
    const bool is_average = node_is(pool, "AveragePool");
    long pads[2 * RANK_MAX];
    int count;
    const long *given = node_integers(pool, "pads", &count);
    bool is_padded = false;
    for (int i = 0; i < count; i++)
        is_padded = is_padded || given[i] != 0;
    if (!type_is_complete(&graph->tensor[match->tensor[PADDED]]->type) ||
        node_integer(pool, "ceil_mode", 0) != 0 ||
        (is_average && is_padded && node_integer(pool, "count_include_pad", 0) == 0) ||
        !add_pads(graph, graph->node[match->node[1]], pool, is_average ? 0 : -INFINITY, rank,
                  pads) ||
        is_wider_than_window(pool, pads, 2 * (rank - 2)))
        return SKIPPED;
    return put_window(rewriting, match, pads, 2 * (rank - 2), is_average, error);
}

static const struct rule rules[] = {{&before_conv, into_conv}, {&before_pool, into_pool}, {0}};

const struct pass pad_pass = {
    .name = "pad",
    .group = GROUP_FUSION,
    .summary = "Pad with zeros, then Conv or AveragePool, or with -inf, then MaxPool: padding of "
               "these",
    .refuses = "other values or modes; pads of batch or channels; negative pads; auto_pad SAME_*; "
               "zeros before MaxPool, whose padding is -inf; AveragePool that does not count its "
               "own padding; pools with ceil_mode, or whose window is not larger than their "
               "padding; padded data used elsewhere; pads that the kernel has not",
    .rules = rules,
};
