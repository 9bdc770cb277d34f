// spelled_out.c - LayerNormalization and attention that are written in smaller operators.
#include <math.h>
#include <string.h>

#include "rewrite.h"

enum { C = TERM_COMMUTES, M = TERM_MORE };

/* A node of ONNX's own operator where the graph's opset has it, from `first` on, else of domain
 * roofline. */
static int add_newer(struct graph *graph, const char *type, int first, int before,
                     const int *inputs, int input_count, struct error *error)
{
    const bool is_there = graph_opset(graph, "") >= first;
    if (!is_there && graph_opset(graph, "roofline") == 0 &&
        graph_import(graph, "roofline", 1, error) != OK)
        return -1;
    return rewrite_add(graph, is_there ? "" : "roofline", type, before, inputs, input_count, error);
}

/* ---- LayerNormalization ---- */

enum {
    X = 1,
    MEAN,
    DIFFERENCE,
    SQUARE,
    TWO,
    VARIANCE,
    EPSILON,
    SHIFTED,
    DEVIATION,
    NORMALIZED,
    SCALE,
    SCALED,
    BIAS,
    Y
};

#define AFFINE                                                                                     \
    {"Add", {Y}, {SCALED, BIAS}, C, NULL}, {"Mul", {SCALED}, {NORMALIZED, SCALE}, C, NULL},        \
    {                                                                                              \
        "Div", {NORMALIZED}, {DIFFERENCE, DEVIATION}, 0, NULL                                      \
    }
#define BARE                                                                                       \
    {                                                                                              \
        "Div", {Y}, {DIFFERENCE, DEVIATION}, 0, NULL                                               \
    }
#define OF_SQUARE                                                                                  \
    {"Sqrt", {DEVIATION}, {SHIFTED}, 0, NULL}, {"Add", {SHIFTED}, {VARIANCE, EPSILON}, C, NULL},   \
    {                                                                                              \
        "ReduceMean", {VARIANCE}, {SQUARE}, M, NULL                                                \
    }
#define OF_X                                                                                       \
    {"Sub", {DIFFERENCE}, {X, MEAN}, 0, NULL},                                                     \
    {                                                                                              \
        "ReduceMean", {MEAN}, {X}, M, NULL                                                         \
    }

/* Terms of the two means, in front of which there are three terms or one. */
enum { OUTER_MEAN = 2, INNER_MEAN = 5 };
#define BY_POWER OF_SQUARE, {"Pow", {SQUARE}, {DIFFERENCE, TWO}, 0, NULL}, OF_X
#define BY_PRODUCT OF_SQUARE, {"Mul", {SQUARE}, {DIFFERENCE, DIFFERENCE}, 0, NULL}, OF_X
#define OF_LAYERNORM                                                                               \
    {                                                                                              \
        [TWO] = {OPERAND_VALUE, 2}, [EPSILON] = { OPERAND_SCALAR, 0 }                              \
    }

static const struct pattern by_power = {.term = {AFFINE, BY_POWER}, .operand = OF_LAYERNORM},
                            by_product = {.term = {AFFINE, BY_PRODUCT}, .operand = OF_LAYERNORM},
                            bare_by_power = {.term = {BARE, BY_POWER}, .operand = OF_LAYERNORM},
                            bare_by_product = {.term = {BARE, BY_PRODUCT}, .operand = OF_LAYERNORM};

/* The first of the axes, which are all up to the last dim; -1: they are not. */
static int first_axis(const struct graph *graph, const struct node *mean, int rank)
{
    int count;
    bool is_in[RANK_MAX] = {false};
    const long *given = node_integers(mean, "axes", &count);
    const int list = node_input(mean, 1);
    const struct tensor *tensor = list >= 0 ? graph->tensor[list] : NULL;
    if (tensor)
        count = tensor_is_known(tensor) ? (int)type_elements(&tensor->type) : 0;
    if (node_integer(mean, "keepdims", 1) == 0 || count < 1 || count > rank)
        return -1;
    for (int i = 0; i < count; i++) {
        long axis = tensor ? (long)element_whole(tensor->data, tensor->type.element, i) : given[i];
        axis += axis < 0 ? rank : 0;
        if (axis < rank - count || axis >= rank || is_in[axis])
            return -1;
        is_in[axis] = true;
    }
    return rank - count;
}

/* Whether the operand has the dims of x from `first` on. */
static bool is_row(const struct type *operand, const struct type *x, int first)
{
    if (operand->element != x->element || operand->rank != x->rank - first)
        return false;
    for (int i = 0; i < operand->rank; i++)
        if (operand->dims[i] < 0 || operand->dims[i] != x->dims[first + i])
            return false;
    return true;
}

/* Ones for each element of a row, where there is no scale; -1. */
static int add_ones(struct graph *graph, const struct type *x, int first, struct error *error)
{
    struct type type = {.element = x->element, .rank = x->rank - first};
    for (int i = first; i < x->rank; i++)
        type.dims[i - first] = x->dims[i];
    const long count = type_elements(&type);
    void *data = arena_take(&graph->arena, element_bytes(type.element, count) + 1);
    if (!data) {
        error_set(error, FAULT_ENVIRONMENT, "out of memory");
        return -1;
    }
    for (long i = 0; i < count; i++)
        element_put_real(data, type.element, i, 1);
    return graph_add_constant(graph, NULL, &type, data, error);
}

/* The first dim of the rows that both means are over; -1: they are not rows, or not the same. */
static int find_rows(const struct graph *graph, const struct match *match, int terms)
{
    const struct type *x = &graph->tensor[match->tensor[X]]->type;
    if (x->rank < 1 || !element_is_real(x->element))
        return -1;
    const int first = first_axis(graph, graph->node[match->node[terms + OUTER_MEAN]], x->rank);
    return first == first_axis(graph, graph->node[match->node[terms + INNER_MEAN]], x->rank) ? first
                                                                                             : -1;
}

static int put_layernorm(struct rewriting *rewriting, const struct match *match,
                         const int inputs[3], int first, struct error *error)
{
    struct graph *graph = rewriting->graph;
    double epsilon;
    if (!tensor_scalar(graph->tensor[match->tensor[EPSILON]], &epsilon))
        return SKIPPED;
    const int rank = graph->tensor[inputs[0]]->type.rank;
    const int node = add_newer(graph, "LayerNormalization", 17, match->node[0], inputs,
                               inputs[2] >= 0 ? 3 : 2, error);
    if (node < 0 || graph_set_integer(graph, node, "axis", first - rank, error) != OK ||
        graph_set_real(graph, node, "epsilon", epsilon, error) != OK)
        return FAILED;
    return rewrite_replace_by(graph, match->tensor[Y], node, error);
}

static int affine_layernorm(struct rewriting *rewriting, const struct match *match,
                            struct error *error)
{
    const struct graph *graph = rewriting->graph;
    const int inputs[] = {match->tensor[X], match->tensor[SCALE], match->tensor[BIAS]};
    const struct type *x = &graph->tensor[inputs[0]]->type;
    const int first = find_rows(graph, match, 3);
    if (first < 0 || !is_row(&graph->tensor[inputs[1]]->type, x, first) ||
        !is_row(&graph->tensor[inputs[2]]->type, x, first))
        return SKIPPED;
    return put_layernorm(rewriting, match, inputs, first, error);
}

/* Where no product follows, which would be the scale. */
static int bare_layernorm(struct rewriting *rewriting, const struct match *match,
                          struct error *error)
{
    struct graph *graph = rewriting->graph;
    const int user = tensor_only_user(graph->tensor[match->tensor[Y]]);
    const int first = find_rows(graph, match, 1);
    const struct type *x = &graph->tensor[match->tensor[X]]->type;
    if (first < 0 || type_product(x, first, x->rank) < 0 ||
        (user >= 0 && node_is(graph->node[user], "Mul")))
        return SKIPPED;
    const int ones = add_ones(graph, x, first, error);
    const int inputs[] = {match->tensor[X], ones, -1};
    return ones < 0 ? FAILED : put_layernorm(rewriting, match, inputs, first, error);
}

static const struct rule layernorm_rules[] = {{&by_power, affine_layernorm},
                                              {&by_product, affine_layernorm},
                                              {&bare_by_power, bare_layernorm},
                                              {&bare_by_product, bare_layernorm},
                                              {0}};

const struct pass layernorm_pass = {
    .name = "layernorm",
    .group = GROUP_FUSION,
    .summary = "x less its mean, divided by Sqrt of the mean square and epsilon, times scale plus "
               "bias, or without both: LayerNormalization",
    .refuses = "the means are over other axes, or not over the last ones; epsilon behind the root; "
               "scale or bias of other dims than the rows; inner results used elsewhere",
    .rules = layernorm_rules,
};

/* ---- attention ---- */

enum { Q = 1, K, V, TURNED, SCORES, MASK, MASKED, WEIGHTS, RESULT };

static bool is_row_softmax(const struct graph *graph, const struct node *node)
{
    const long axis = node_integer(node, "axis", node->opset < 13 ? 1 : -1);
    (void)graph;
    return axis == -1 || axis == 3;
}

static bool is_plain(const struct graph *graph, const struct node *node)
{
    (void)graph;
    return !node_integer(node, "transA", 0) && !node_integer(node, "transB", 0) &&
           !node_integer(node, "transBatchA", 0) && !node_integer(node, "transBatchB", 0);
}

static bool is_turned(const struct graph *graph, const struct node *node)
{
    (void)graph;
    return !node_integer(node, "transA", 0) && node_integer(node, "transB", 0) &&
           !node_integer(node, "transBatchA", 0) && !node_integer(node, "transBatchB", 0);
}

#define OF_WEIGHTS(scores)                                                                         \
    {"MatMul", {RESULT}, {WEIGHTS, V}, 0, NULL},                                                   \
    {                                                                                              \
        "Softmax", {WEIGHTS}, {scores}, 0, is_row_softmax                                          \
    }
#define ADDED_MASK                                                                                 \
    {                                                                                              \
        "Add", {MASKED}, {SCORES, MASK}, C, NULL                                                   \
    }
#define WITH_TURN                                                                                  \
    {                                                                                              \
        "com.microsoft::FusedMatMul", {SCORES}, {Q, K}, 0, is_turned                               \
    }
#define TURN_APART                                                                                 \
    {"MatMul|com.microsoft::FusedMatMul", {SCORES}, {Q, TURNED}, 0, is_plain},                     \
    {                                                                                              \
        "Transpose", {TURNED}, {K}, 0, NULL                                                        \
    }

static const struct pattern plain = {.term = {OF_WEIGHTS(SCORES), WITH_TURN}},
                            plain_apart = {.term = {OF_WEIGHTS(SCORES), TURN_APART}},
                            masked = {.term = {OF_WEIGHTS(MASKED), ADDED_MASK, WITH_TURN},
                                      .operand = {[MASK] = {OPERAND_KNOWN, 0}}},
                            masked_apart = {.term = {OF_WEIGHTS(MASKED), ADDED_MASK, TURN_APART},
                                            .operand = {[MASK] = {OPERAND_KNOWN, 0}}};

/* Constant, finite, and broadcast to the scores, but along the keys: Attention hides those that a
 * mask has no column for. */
static bool is_mask(const struct tensor *mask, const struct type *scores)
{
    const struct type *type = &mask->type;
    if (type->rank < 2 || type->rank > 4 || type->element != scores->element ||
        type->dims[type->rank - 1] != scores->dims[3])
        return false;
    for (int i = 0; i < type->rank; i++)
        if (type->dims[i] != 1 && type->dims[i] != scores->dims[4 - type->rank + i])
            return false;
    for (long i = 0; i < type_elements(type); i++)
        if (!isfinite(element_real(mask->data, type->element, i)))
            return false;
    return true;
}

/* Batch and heads of all three agree. */
static bool are_heads(const struct graph *graph, const struct match *match)
{
    const struct type *q = &graph->tensor[match->tensor[Q]]->type,
                      *v = &graph->tensor[match->tensor[V]]->type,
                      *scores = &graph->tensor[match->tensor[SCORES]]->type;
    if (!type_is_complete(q) || !type_is_complete(v) || !type_is_complete(scores) || q->rank != 4 ||
        v->rank != 4 || scores->rank != 4 ||
        (q->element != ELEMENT_f32 && q->element != ELEMENT_f64))
        return false;
    for (int i = 0; i < 2; i++)
        if (q->dims[i] != v->dims[i] || q->dims[i] != scores->dims[i])
            return false;
    return type_elements(scores) > 0;
}

/* Keys as [batch, heads, keys, size]: by the transpose that is there, its last two swapped back. */
static int turn_keys(struct graph *graph, const struct match *match, int transpose,
                     struct error *error)
{
    long order[4];
    int count;
    const int k = match->tensor[K];
    const long *given = node_integers(graph->node[transpose], "perm", &count);
    if (given && count != 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        const int from = i < 2 ? i : 5 - i;
        order[i] = given ? given[from] : 3 - from;
    }
    if (order[0] == 0 && order[1] == 1 && order[2] == 2)
        return k;
    const int node = rewrite_add(graph, "", "Transpose", match->node[0], &k, 1, error);
    if (node < 0 || graph_set_integers(graph, node, "perm", order, 4, error) != OK ||
        graph_infer_node(graph, node, error) != OK)
        return -1;
    return graph->node[node]->outputs[0];
}

/* `product` is the term of the scores; a transpose follows it where `is_apart`. */
static int to_attention(struct rewriting *rewriting, const struct match *match, int product,
                        bool is_apart, struct error *error)
{
    struct graph *graph = rewriting->graph;
    const int mask = match->tensor[MASK];
    const double scale = node_real(graph->node[match->node[product]], "alpha", 1);
    const int keys = match->tensor[K];
    if (!are_heads(graph, match) || graph->tensor[keys]->type.rank != 4 ||
        (!is_apart &&
         (graph->tensor[keys]->type.dims[0] != graph->tensor[match->tensor[Q]]->type.dims[0] ||
          graph->tensor[keys]->type.dims[1] != graph->tensor[match->tensor[Q]]->type.dims[1])) ||
        (mask >= 0 && !is_mask(graph->tensor[mask], &graph->tensor[match->tensor[SCORES]]->type)))
        return SKIPPED;
    if (is_apart) {
        const struct type *turned = &graph->tensor[match->tensor[TURNED]]->type;
        const struct type *q = &graph->tensor[match->tensor[Q]]->type;
        if (turned->rank != 4 || turned->dims[0] != q->dims[0] || turned->dims[1] != q->dims[1])
            return SKIPPED;
    }
    const int k = is_apart ? turn_keys(graph, match, match->node[product + 1], error) : keys;
    const int inputs[] = {match->tensor[Q], k, match->tensor[V], mask};
    const int node =
        k < 0 ? -1
              : add_newer(graph, "Attention", 23, match->node[0], inputs, mask >= 0 ? 4 : 3, error);
    if (node < 0 || graph_set_real(graph, node, "scale", scale, error) != OK)
        return FAILED;
    return rewrite_replace_by(graph, match->tensor[RESULT], node, error);
}

static int from_plain(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    return to_attention(rewriting, match, 2, false, error);
}

static int from_plain_apart(struct rewriting *rewriting, const struct match *match,
                            struct error *error)
{
    return to_attention(rewriting, match, 2, true, error);
}

static int from_masked(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    return to_attention(rewriting, match, 3, false, error);
}

static int from_masked_apart(struct rewriting *rewriting, const struct match *match,
                             struct error *error)
{
    return to_attention(rewriting, match, 3, true, error);
}

static const struct rule attention_rules[] = {{&plain, from_plain},
                                              {&plain_apart, from_plain_apart},
                                              {&masked, from_masked},
                                              {&masked_apart, from_masked_apart},
                                              {0}};

const struct pass attention_pass = {
    .name = "attention",
    .group = GROUP_FUSION,
    .summary = "MatMul of queries and transposed keys, a factor, a constant mask that is added, "
               "Softmax of rows, MatMul with values, of 4 dims: Attention",
    .refuses = "Softmax over another axis; heads or batches that are broadcast; a mask that is not "
               "constant or not finite, or is broadcast along the keys; inner results used "
               "elsewhere",
    .rules = attention_rules,
};
