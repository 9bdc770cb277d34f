// whole_input.c - a Conv whose results each read all of the input is a product of matrices, and
// the other way round.
#include <stdio.h>
#include <string.h>

#include "rewrite.h"
#include "weigh.h"

enum { X = 1, SEEN, W, BIAS, Y };

/* A product that can be said in two ways. */
struct dense {
    const char *type; /* what it becomes: "Gemm", "Conv" */
    int root;         /* the node that makes the result now */
    int x, weight, bias;
    struct type seen;   /* x as a matrix, or as an image */
    struct type joined; /* the weights for that */
    bool turns_weight;  /* rows and columns of their matrix change places */
};

/* ---- saying it the other way ---- */

/* The same numbers under other dims, or in the order of columns. */
static int add_weight(struct graph *graph, const struct dense *dense, struct error *error)
{
    const struct tensor *from = graph->tensor[dense->weight];
    const enum element element = from->type.element;
    const void *data = from->data;
    if (dense->turns_weight) {
        const long rows = from->type.dims[0], columns = from->type.dims[1];
        void *turned = arena_take(&graph->arena, (size_t)type_bytes(&from->type));
        if (!turned)
            return error_set(error, FAULT_ENVIRONMENT, "out of memory"), -1;
        for (long i = 0; i < rows; i++)
            for (long j = 0; j < columns; j++)
                element_put_real(turned, element, j * rows + i,
                                 element_real(from->data, element, i * columns + j));
        data = turned;
    }
    return graph_add_constant(graph, from->name, &dense->joined, data, error);
}

static int add_view(struct graph *graph, int tensor, const struct type *type, int before, int *view,
                    struct error *error)
{
    int node;
    const int result = rewrite_add_reshape(graph, tensor, type, before, &node, error);
    if (result != OK)
        return result;
    *view = graph->node[node]->outputs[0];
    return graph_infer_node(graph, node, error);
}

/* Reshape, the product, Reshape. */
static int say(struct graph *graph, const void *what, struct error *error)
{
    const struct dense *dense = what;
    const bool is_gemm = strcmp(dense->type, "Gemm") == 0;
    const int old = graph->node[dense->root]->outputs[0];
    const struct type result_type = graph->tensor[old]->type;
    int inputs[3] = {-1, -1, dense->bias}, last;
    int result = add_view(graph, dense->x, &dense->seen, dense->root, &inputs[0], error);
    if (result != OK)
        return result;
    inputs[1] = add_weight(graph, dense, error);
    if (inputs[1] < 0 || (is_gemm && inputs[2] < 0 &&
                          rewrite_gemm_addend(graph, inputs[0], &inputs[2], error) != OK))
        return FAILED;
    const int node =
        rewrite_add(graph, NULL, dense->type, dense->root, inputs, inputs[2] >= 0 ? 3 : 2, error);
    if (node < 0 || (is_gemm && graph_set_integer(graph, node, "transB", 1, error) != OK) ||
        graph_infer_node(graph, node, error) != OK ||
        rewrite_add_reshape(graph, graph->node[node]->outputs[0], &result_type, dense->root, &last,
                            error) != OK)
        return FAILED;
    return rewrite_replace_by(graph, old, last, error);
}

static int say_if_faster(struct rewriting *rewriting, const struct dense *dense,
                         struct error *error)
{
    const struct graph *graph = rewriting->graph;
    struct weighing weighing;
    char words[250];
    const int result = weigh_change(rewriting, say, dense, &weighing, error);
    if (result != OK)
        return result;
    snprintf(words, sizeof words, "%.150s as %s", node_label(graph, graph->node[dense->root]).text,
             dense->type);
    return weigh_choose(rewriting, &weighing, words) ? say(rewriting->graph, dense, error)
                                                     : SKIPPED;
}

/* Dims that are known and reals, which can be turned. */
static bool is_plain(const struct graph *graph, int tensor)
{
    const struct type *type = &graph->tensor[tensor]->type;
    return type_is_complete(type) && type_elements(type) > 0 && element_is_real(type->element) &&
           element_bits(type->element) >= 8;
}

static bool is_vector(const struct graph *graph, int tensor)
{
    return tensor < 0 || graph->tensor[tensor]->type.rank == 1;
}

/* ---- a Conv whose kernel is as large as its input ---- */

static bool are_all(const struct node *node, const char *name, long value)
{
    int count;
    const long *list = node_integers(node, name, &count);
    for (int i = 0; i < count; i++)
        if (list[i] != value)
            return false;
    return true;
}

static bool stays_inside(const struct graph *graph, const struct node *node)
{
    (void)graph;
    return node_integer(node, "group", 1) == 1 && are_all(node, "pads", 0) &&
           are_all(node, "dilations", 1) &&
           strncmp(node_text(node, "auto_pad", "NOTSET"), "SAME", 4) != 0;
}

static const struct pattern conv = {
    .term = {{"Conv", {Y}, {X, W, BIAS}, 0, stays_inside}},
    .operand = {[W] = {OPERAND_KNOWN, 0}, [BIAS] = {OPERAND_OPTIONAL, 0}},
};

static int conv_as_gemm(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    const struct graph *graph = rewriting->graph;
    struct dense dense = {.type = "Gemm",
                          .root = match->node[0],
                          .x = match->tensor[X],
                          .weight = match->tensor[W],
                          .bias = match->tensor[BIAS]};
    const struct type *x = &graph->tensor[dense.x]->type,
                      *weight = &graph->tensor[dense.weight]->type;
    if (!is_plain(graph, dense.x) || !is_plain(graph, dense.weight) || x->rank != weight->rank)
        return SKIPPED;
    for (int i = 1; i < x->rank; i++)
        if (x->dims[i] != weight->dims[i])
            return SKIPPED;
    const long columns = type_product(x, 1, x->rank);
    dense.seen = (struct type){.element = x->element, .rank = 2, .dims = {x->dims[0], columns}};
    dense.joined = dense.seen;
    dense.joined.dims[0] = weight->dims[0];
    return say_if_faster(rewriting, &dense, error);
}

/* ---- a product with all of an image ---- */

static bool is_bare(const struct graph *graph, const struct node *node)
{
    (void)graph;
    return node_integer(node, "transA", 0) == 0 && node_real(node, "alpha", 1) == 1 &&
           node_real(node, "beta", 1) == 1;
}

static const struct pattern gemm = {
    .term = {{"Gemm", {Y}, {SEEN, W, BIAS}, 0, is_bare},
             {"Flatten|Reshape", {SEEN}, {X}, TERM_MORE, NULL}},
    .operand =
        {[W] = {OPERAND_KNOWN, 0}, [BIAS] = {OPERAND_OPTIONAL, 0}, [SEEN] = {OPERAND_SHARED, 0}},
};

static int gemm_as_conv(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    const struct graph *graph = rewriting->graph;
    const struct node *node = graph->node[match->node[0]];
    const bool is_turned = node_integer(node, "transB", 0) != 0;
    struct dense dense = {.type = "Conv",
                          .root = match->node[0],
                          .x = match->tensor[X],
                          .weight = match->tensor[W],
                          .bias = match->tensor[BIAS],
                          .turns_weight = !is_turned};
    const struct type *x = &graph->tensor[dense.x]->type,
                      *seen = &graph->tensor[match->tensor[SEEN]]->type,
                      *weight = &graph->tensor[dense.weight]->type;
    if (!is_plain(graph, dense.x) || !is_plain(graph, dense.weight) || x->rank != 4 ||
        seen->rank != 2 || seen->dims[0] != x->dims[0] || type_product(x, 2, 4) == 1 ||
        !is_vector(graph, dense.bias))
        return SKIPPED;
    dense.seen = dense.joined = *x;
    dense.joined.dims[0] = weight->dims[is_turned ? 0 : 1];
    if (dense.bias >= 0 && graph->tensor[dense.bias]->type.dims[0] != dense.joined.dims[0])
        return SKIPPED;
    return say_if_faster(rewriting, &dense, error);
}

/* ---- weights times a matrix ---- */

static const struct pattern matmul = {
    .term = {{"MatMul", {Y}, {W, X}, 0, NULL}},
    .operand = {[W] = {OPERAND_KNOWN, 0}},
};

/* Rows of X are channels, columns are places of an image one line high. */
static int matmul_as_conv(struct rewriting *rewriting, const struct match *match,
                          struct error *error)
{
    const struct graph *graph = rewriting->graph;
    struct dense dense = {.type = "Conv",
                          .root = match->node[0],
                          .x = match->tensor[X],
                          .weight = match->tensor[W],
                          .bias = -1};
    const struct type *x = &graph->tensor[dense.x]->type,
                      *weight = &graph->tensor[dense.weight]->type;
    if (!is_plain(graph, dense.x) || !is_plain(graph, dense.weight) || weight->rank != 2 ||
        x->rank < 2 || x->rank > 3)
        return SKIPPED;
    const long images = x->rank == 3 ? x->dims[0] : 1;
    const long *last = &x->dims[x->rank - 2];
    dense.seen =
        (struct type){.element = x->element, .rank = 4, .dims = {images, last[0], 1, last[1]}};
    dense.joined = (struct type){
        .element = weight->element, .rank = 4, .dims = {weight->dims[0], weight->dims[1], 1, 1}};
    return say_if_faster(rewriting, &dense, error);
}

static const struct rule rules[] = {
    {&conv, conv_as_gemm}, {&gemm, gemm_as_conv}, {&matmul, matmul_as_conv}, {0}};

const struct pass whole_input_pass = {
    .name = "product-conv",
    .group = GROUP_TRANSFORM,
    .summary =
        "Conv whose kernel is as large as its input: Gemm; Gemm of a flattened image: such a "
        "Conv; MatMul of weights with a matrix: Conv of 1 x 1; where that should take less "
        "time",
    .refuses = "pads, dilations, groups; Flatten that leaves more than the batch in front; alpha, "
               "beta, transA; a bias that is no vector; weights or dims that are not known",
    .rules = rules,
};
