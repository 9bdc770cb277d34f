// in_layout.c - operators of domain roofline that are one of ONNX's over images whose channels are
// last. Attribute `opset` is the version of ONNX's domain whose rules hold for it.
#include "in_layout.h"

#include <string.h>

#include "expand.h"
#include "launches.h"
#include "operands.h"

enum { IMAGE_RANK = 4 };

/* Dim i of an image with channels last is dim of_first[i] of one with channels first. */
static const int of_first[IMAGE_RANK] = {0, 2, 3, 1}, of_last[IMAGE_RANK] = {0, 3, 1, 2};

bool layout_is_last(const struct node *node)
{
    return strcmp(node_text(node, "layout", "nchw"), "nhwc") == 0;
}

static struct type permuted(const struct type *type, const int *from)
{
    struct type out = *type;
    for (int i = 0; i < IMAGE_RANK && type->rank == IMAGE_RANK; i++) {
        out.dims[i] = type->dims[from[i]];
        out.symbol[i] = type->symbol[from[i]];
    }
    return out;
}

struct type type_channels_last(const struct type *type)
{
    return permuted(type, of_first);
}

struct type type_channels_first(const struct type *type)
{
    return permuted(type, of_last);
}

/* ---- the site as ONNX's operator sees it ---- */

/* Input 0 and output 0 have channels first; their data are those of the site, in its order. */
struct view {
    struct site site;
    struct array output;
};

static int view_open(struct view *view, const struct site *site, struct error *error)
{
    const int count = site->node->input_count;
    struct array *input = arena_take_array(site->arena, (size_t)count, sizeof *input);
    if (!input)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (int i = 0; i < count; i++)
        input[i] = site->input[i];
    input[0].type = type_channels_first(&site->input[0].type);
    *view = (struct view){.site = *site, .output = site->output[0]};
    view->output.type = type_channels_first(&site->output[0].type);
    view->site.input = input;
    view->site.output = &view->output;
    return OK;
}

static int check_layout(const struct site *site, struct error *error)
{
    static const char *const words[] = {"nchw", "nhwc", NULL};
    const struct type x = site_type(site, 0);
    int which;
    if (word_read(site->node, "layout", words, &which, error) != OK)
        return FAILED;
    if (layout_is_last(site->node) && x.rank >= 0 && x.rank != IMAGE_RANK)
        return error_set(error, FAULT_IO, "the input is %s; in layout nhwc it needs 4 dimensions",
                         type_format(site->graph, &x).text);
    return OK;
}

int layout_infer(struct site *site, struct error *error)
{
    struct view view;
    if (check_layout(site, error) != OK)
        return FAILED;
    if (!layout_is_last(site->node))
        return site->node->op->infer(site, error);
    if (view_open(&view, site, error) != OK || view.site.node->op->infer(&view.site, error) != OK)
        return FAILED;
    site->output[0].type = type_channels_last(&view.output.type);
    return OK;
}

/* ---- plain loops ---- */

/* `out` has the elements of `in` with its dims in another order. */
static void permute(const struct array *out, const struct array *in, const int *from)
{
    const size_t bytes = element_bytes(in->type.element, 1);
    const long count = type_elements(&out->type);
    long stride[IMAGE_RANK], at[RANK_MAX] = {0};
    for (int i = 0; i < IMAGE_RANK; i++)
        stride[i] = type_product(&in->type, from[i] + 1, IMAGE_RANK);
    for (long i = 0; i < count; i++) {
        memcpy((char *)out->data + (size_t)i * bytes,
               (const char *)in->data + (size_t)place_offset(IMAGE_RANK, stride, at) * bytes,
               bytes);
        place_next(&out->type, at);
    }
}

int layout_evaluate(struct site *site, struct error *error)
{
    struct view view;
    if (!layout_is_last(site->node))
        return site->node->op->evaluate(site, error);
    if (element_bits(site->input[0].type.element) < 8)
        return error_skip(error, "elements of less than a byte are not kept with channels last");
    if (view_open(&view, site, error) != OK)
        return FAILED;
    struct array *x = (struct array *)(uintptr_t)&view.site.input[0];
    x->data = arena_take(site->arena, (size_t)type_bytes(&x->type));
    view.output.data = arena_take(site->arena, (size_t)type_bytes(&view.output.type));
    if (!x->data || !view.output.data)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    permute(x, &site->input[0], of_last);
    const int result = view.site.node->op->evaluate(&view.site, error);
    if (result == OK)
        permute(&site->output[0], &view.output, of_first);
    return result;
}

/* ---- kernels ---- */

int layout_lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    struct view view;
    if (!layout_is_last(site->node))
        return site->node->op->lower(site, lowering, error);
    if (view_open(&view, site, error) != OK)
        return FAILED;
    const int result = view.site.node->op->lower(&view.site, lowering, error);
    for (int i = 0; i < lowering->launch_count && result == OK; i++)
        if (!launch_word(&lowering->launch[i], "layout", "nhwc"))
            return error_skip(error, "kernel '%s' has images with channels first only",
                              lowering->launch[i].kernel->name);
    return result;
}

/* ---- in ONNX's own operators ---- */

int layout_transposed(struct graph *inner, int tensor, bool to_last, struct error *error)
{
    const long first[] = {0, 2, 3, 1}, last[] = {0, 3, 1, 2};
    return expand_transpose(inner, tensor, to_last ? first : last, IMAGE_RANK, error);
}

static int expand(const struct site *site, struct graph *inner, struct error *error)
{
    const struct op *base = site->node->op->detail;
    const int count = site->node->input_count;
    if (node_integer(site->node, "opset", 0) != graph_opset(inner, ""))
        return error_set(error, FAULT_USAGE, "it follows opset %ld, the graph opset %d",
                         node_integer(site->node, "opset", 0), graph_opset(inner, ""));
    int *inputs = arena_take_array(&inner->arena, (size_t)count, sizeof *inputs);
    if (!inputs)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (int i = 0; i < count; i++)
        inputs[i] = node_input(site->node, i) >= 0 ? inner->block[0]->inputs[i] : -1;
    const bool is_last = layout_is_last(site->node);
    if (is_last)
        inputs[0] = layout_transposed(inner, inputs[0], false, error);
    const int output = graph_add_tensor(inner, 0, NULL, &UNKNOWN_TYPE, error);
    const struct node_spec spec = {.type = base->name,
                                   .before = -1,
                                   .inputs = inputs,
                                   .input_count = count,
                                   .outputs = &output,
                                   .output_count = 1};
    const int made = inputs[0] < 0 || output < 0 ? -1 : graph_add_node(inner, &spec, error);
    if (made < 0)
        return FAILED;
    for (int i = 0; i < site->node->attribute_count; i++) {
        const struct attribute *attribute = &site->node->attributes[i];
        if (strcmp(attribute->name, "layout") != 0 && strcmp(attribute->name, "opset") != 0 &&
            graph_set_attribute(inner, made, attribute, error) != OK)
            return FAILED;
    }
    const int result = is_last ? layout_transposed(inner, output, true, error) : output;
    return result < 0 ? FAILED : graph_add_output(inner, 0, result, error);
}

/* ---- the operators ---- */

/* The site with ONNX's operator as its node's. */
static struct site base_of(const struct site *site, struct node *node)
{
    struct site base = *site;
    *node = *site->node;
    node->op = site->node->op->detail;
    node->domain = "";
    node->opset = (int)node_integer(site->node, "opset", 0);
    base.node = node;
    return base;
}

/* Attributes that ONNX's operator has are of its kinds. */
static int check_attributes(const struct node *node, struct error *error)
{
    if (node->opset < node->op->since)
        return error_set(error, FAULT_IO, "%s is known from opset %d on; 'opset' is %d", node->type,
                         node->op->since, node->opset);
    for (const struct attribute_rule *rule = node->op->attributes; rule && rule->name; rule++) {
        const struct attribute *attribute = node_attribute(node, rule->name);
        if (attribute ? attribute->kind != rule->kind : rule->is_required)
            return error_set(error, FAULT_IO, "the attribute '%s' is missing or of another type",
                             rule->name);
    }
    return OK;
}

static int infer(struct site *site, struct error *error)
{
    struct node node;
    struct site base = base_of(site, &node);
    return check_attributes(&node, error) == OK ? layout_infer(&base, error) : FAILED;
}

static int evaluate(struct site *site, struct error *error)
{
    struct node node;
    struct site base = base_of(site, &node);
    return layout_evaluate(&base, error);
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    struct node node;
    const struct site base = base_of(site, &node);
    return layout_lower(&base, lowering, error);
}

/* Operations do not depend on where the operands lie. */
static double flops(const struct site *site)
{
    struct node node;
    struct site base = base_of(site, &node);
    struct view view;
    struct error unused;
    if (!node.op->flops || view_open(&view, &base, &unused) != OK)
        return 0;
    return node.op->flops(layout_is_last(&node) ? &view.site : &base);
}

static const struct attribute_rule attributes[] = {
    {"layout", ATTRIBUTE_TEXT, true}, {"opset", ATTRIBUTE_INT, true}, {0}};

#define MEMBER(member, least, most)                                                                \
    extern const struct op onnx_##member##_op;                                                     \
    const struct op roofline_##member##_op = {                                                     \
        .domain = "roofline",                                                                      \
        .name = #member,                                                                           \
        .summary = #member " of ONNX over images with channels last",                              \
        .inputs_min = least,                                                                       \
        .inputs_max = most,                                                                        \
        .outputs_min = 1,                                                                          \
        .outputs_max = 1,                                                                          \
        .attributes = attributes,                                                                  \
        .infer = infer,                                                                            \
        .evaluate = evaluate,                                                                      \
        .lower = lower,                                                                            \
        .flops = flops,                                                                            \
        .expand = expand,                                                                          \
        .detail = &onnx_##member##_op,                                                             \
    };

MEMBER(MaxPool, 1, 1)
MEMBER(AveragePool, 1, 1)
MEMBER(GlobalAveragePool, 1, 1)
MEMBER(BatchNormalization, 5, 5)
MEMBER(Resize, 1, 4)
MEMBER(Upsample, 1, 2)
MEMBER(GridSample, 2, 2)
