// normalized_input.c - a normalisation in front of a convolution goes into its weights.
#include "rewrite.h"
#include "stepwise.h"

enum { NORMALIZED = 1, WEIGHTS, BIAS, Y };

static const struct pattern before_conv = {
    .term = {{"Conv", {Y}, {NORMALIZED, WEIGHTS, BIAS}, 0, NULL},
             {"BatchNormalization|Mul|Add|roofline::Chain",
              {NORMALIZED},
              {ANYTHING, ANYTHING},
              TERM_MORE,
              NULL}},
    .operand = {[WEIGHTS] = {OPERAND_KNOWN, 0}, [BIAS] = {OPERAND_KNOWN | OPERAND_OPTIONAL, 0}}};

static bool is_padded(const struct node *conv)
{
    int count;
    const long *pads = node_integers(conv, "pads", &count);
    const char *automatic = node_text(conv, "auto_pad", "NOTSET");
    for (int i = 0; i < count; i++)
        if (pads[i] != 0)
            return true;
    return automatic[0] == 'S'; /* SAME_*: may pad */
}

/* The weights times the factors, and the bias with what the addends come to. */
static int fold(struct graph *graph, const struct node *conv, const struct stepwise_affine *affine,
                int tensors[2], struct error *error)
{
    const struct tensor *weights = graph->tensor[conv->inputs[1]];
    const int old_bias = node_input(conv, 2);
    const struct type w = weights->type, b = {.element = w.element, .rank = 1, .dims = {w.dims[0]}};
    const long group = node_integer(conv, "group", 1), taps = type_product(&w, 2, w.rank);
    void *data = arena_take(&graph->arena, (size_t)type_bytes(&w) + 1);
    void *bias = arena_take(&graph->arena, (size_t)type_bytes(&b) + 1);
    if (!data || !bias)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (long k = 0, at = 0; k < w.dims[0]; k++) {
        double sum = old_bias < 0 ? 0 : element_real(graph->tensor[old_bias]->data, w.element, k);
        const long first = k / (w.dims[0] / group) * w.dims[1];
        for (long c = first; c < first + w.dims[1]; c++)
            for (long t = 0; t < taps; t++, at++) {
                const double value = element_real(weights->data, w.element, at);
                sum += value * affine->addend[c];
                element_put_real(data, w.element, at, value * affine->factor[c]);
            }
        element_put_real(bias, w.element, k, sum);
    }
    const bool has_bias = old_bias >= 0 || affine->has_addend;
    tensors[0] = graph_add_constant(graph, weights->name, &w, data, error);
    tensors[1] = has_bias ? graph_add_constant(graph, NULL, &b, bias, error) : -1;
    return tensors[0] < 0 || (has_bias && tensors[1] < 0) ? FAILED : OK;
}

static int put_conv(struct graph *graph, const struct match *match, int x,
                    const struct stepwise_affine *affine, struct error *error)
{
    const struct node *old = graph->node[match->node[0]];
    int folded[2] = {-1, -1};
    if (fold(graph, old, affine, folded, error) != OK)
        return FAILED;
    const int inputs[] = {x, folded[0], folded[1]};
    const int node =
        rewrite_add(graph, "", "Conv", match->node[0], inputs, folded[1] >= 0 ? 3 : 2, error);
    for (int i = 0; node >= 0 && i < old->attribute_count; i++)
        if (graph_set_attribute(graph, node, &old->attributes[i], error) != OK)
            return FAILED;
    return node < 0 ? FAILED : rewrite_replace_by(graph, match->tensor[Y], node, error);
}

static int apply(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    struct graph *graph = rewriting->graph;
    const struct node *conv = graph->node[match->node[0]], *before = graph->node[match->node[1]];
    const struct type *w = &graph->tensor[match->tensor[WEIGHTS]]->type;
    struct arena arena = {0};
    struct stepwise_affine affine;
    struct stepwise steps;
    int result = SKIPPED, x = -1;
    if (!element_is_real(w->element) || w->rank < 3 || w->dims[0] == 0 || is_padded(conv))
        return SKIPPED;
    for (int i = 0; i < before->input_count && result == SKIPPED; i++) {
        x = before->inputs[i];
        if (x >= 0 && !tensor_is_known(graph->tensor[x]))
            result = stepwise_read(graph, match->node[1], x, &arena, &steps, error);
    }
    if (result == OK && graph->tensor[x]->type.element != w->element)
        result = SKIPPED;
    if (result == OK)
        result = stepwise_take_affine(&steps, &graph->tensor[x]->type, 1, true, true, &affine,
                                      &arena, error);
    if (result == OK && steps.count > 0)
        result = SKIPPED;
    if (result == OK)
        result = put_conv(graph, match, x, &affine, error);
    arena_free(&arena);
    return result;
}

static const struct rule rules[] = {{&before_conv, apply}, {0}};

const struct pass batchnorm_conv_pass = {
    .name = "batchnorm-conv",
    .group = GROUP_FUSION,
    .summary = "BatchNormalization, or Mul and Add by constants of channels, then Conv: into the "
               "convolution's weights and bias, in double",
    .refuses = "the convolution pads, as zeros would have to be other values; weights, bias or "
               "statistics that are not constant; the normalised data are used elsewhere",
    .rules = rules,
};
