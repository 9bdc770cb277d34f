// in_layout.c - operators of domain roofline that are one of ONNX's over images in another layout.
// Attribute `opset` is the version of ONNX's domain whose rules hold for it.
#include "in_layout.h"

#include <string.h>

#include "expand.h"
#include "launches.h"
#include "operands.h"

enum { IMAGE_RANK = 4, BLOCKED_RANK = 5 };

/* Dim i of an image with channels last is dim of_first[i] of one with channels first. */
static const int of_first[IMAGE_RANK] = {0, 2, 3, 1}, of_last[IMAGE_RANK] = {0, 3, 1, 2};

enum layout layout_of(const struct node *node)
{
    int layout;
    struct error unused; /* inference says that there is no such word */
    return word_read(node, "layout", layout_words, &layout, &unused) == OK ? (enum layout)layout
                                                                           : LAYOUT_NCHW;
}

enum layout layout_of_source(const struct node *node)
{
    return node_attribute(node, "source") ? LAYOUT_NCHW : layout_of(node);
}

enum layout layout_of_result(const struct node *node)
{
    return node_attribute(node, "result") ? LAYOUT_NCHW : layout_of(node);
}

int layout_rank(enum layout layout)
{
    return layout == LAYOUT_NCHWC ? BLOCKED_RANK : IMAGE_RANK;
}

/* ---- types ---- */

static struct type permuted(const struct type *type, const int *from)
{
    struct type out = *type;
    for (int i = 0; i < IMAGE_RANK; i++) {
        out.dims[i] = type->dims[from[i]];
        out.symbol[i] = type->symbol[from[i]];
    }
    return out;
}

/* So many channels; the name of such a dim says nothing of its blocks. */
static void set_channels(struct type *type, long channels)
{
    type->dims[1] = channels;
    type->symbol[1] = 0;
}

struct type type_in_layout(const struct type *type, enum layout layout)
{
    struct type out = *type;
    if (layout == LAYOUT_NCHW || type->rank != IMAGE_RANK)
        return out;
    if (layout == LAYOUT_NHWC)
        return permuted(type, of_first);
    set_channels(&out, type->dims[1] < 0 ? -1 : type->dims[1] / LAYOUT_BLOCK);
    out.dims[out.rank] = LAYOUT_BLOCK;
    out.symbol[out.rank++] = 0;
    return out;
}

struct type type_channels_first(const struct type *type, enum layout layout)
{
    struct type out = *type;
    if (layout == LAYOUT_NCHW || type->rank != layout_rank(layout))
        return out;
    if (layout == LAYOUT_NHWC)
        return permuted(type, of_last);
    out.rank = IMAGE_RANK;
    set_channels(&out, type->dims[1] < 0 ? -1 : type->dims[1] * LAYOUT_BLOCK);
    return out;
}

/* ---- the site as ONNX's operator sees it ---- */

/* Input 0 and output 0 have channels first; their data are those of the site, in its order. */
struct view {
    struct site site;
    struct array output;
};

/* A copy of the site's inputs; NULL when memory is out. */
static struct array *copy_inputs(const struct site *site, struct error *error)
{
    const int count = site->node->input_count;
    struct array *input = arena_take_array(site->arena, (size_t)count, sizeof *input);
    if (!input)
        error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (int i = 0; input && i < count; i++)
        input[i] = site->input[i];
    return input;
}

static int view_open(struct view *view, const struct site *site, struct error *error)
{
    struct array *input = copy_inputs(site, error);
    if (!input)
        return FAILED;
    input[0].type = type_channels_first(&site->input[0].type, layout_of_source(site->node));
    *view = (struct view){.site = *site, .output = site->output[0]};
    view->output.type = type_channels_first(&site->output[0].type, layout_of_result(site->node));
    view->site.input = input;
    view->site.output = &view->output;
    return OK;
}

/* An attribute that says "nchw", of one operator alone. */
static int check_first(const struct node *node, const char *name, const char *type,
                       struct error *error)
{
    static const char *const words[] = {"nchw", NULL};
    int unused;
    if (node_attribute(node, name) && strcmp(node->op->name, type) != 0)
        return error_set(error, FAULT_IO, "'%s' is for %s alone", name, type);
    return word_read(node, name, words, &unused, error);
}

static int check_layout(const struct site *site, struct error *error)
{
    const struct node *node = site->node;
    const struct type x = site_type(site, 0);
    int layout;
    if (word_read(node, "layout", layout_words, &layout, error) != OK ||
        check_first(node, "source", "Conv", error) != OK ||
        check_first(node, "result", "GlobalAveragePool", error) != OK)
        return FAILED;
    if (layout == LAYOUT_NCHW || x.rank < 0)
        return OK;
    const enum layout source = layout_of_source(node);
    const int rank = layout_rank(source);
    if (x.rank != rank)
        return error_set(error, FAULT_IO, "the input is %s; in layout %s it needs %d dimensions",
                         type_format(site->graph, &x).text, layout_words[source], rank);
    if (source == LAYOUT_NCHWC && x.dims[rank - 1] >= 0 && x.dims[rank - 1] != LAYOUT_BLOCK)
        return error_set(error, FAULT_IO,
                         "the input is %s; blocks of layout nchwc have %d channels",
                         type_format(site->graph, &x).text, LAYOUT_BLOCK);
    return OK;
}

int layout_infer(struct site *site, struct error *error)
{
    const enum layout layout = layout_of(site->node);
    struct view view;
    if (check_layout(site, error) != OK)
        return FAILED;
    if (layout == LAYOUT_NCHW)
        return site->node->op->infer(site, error);
    if (view_open(&view, site, error) != OK || view.site.node->op->infer(&view.site, error) != OK)
        return FAILED;
    const struct type *out = &view.output.type;
    if (layout == LAYOUT_NCHWC && out->rank == IMAGE_RANK && out->dims[1] % LAYOUT_BLOCK > 0)
        return error_set(error, FAULT_IO, "%ld output channels are no blocks of %d", out->dims[1],
                         LAYOUT_BLOCK);
    site->output[0].type = type_in_layout(out, layout_of_result(site->node));
    return OK;
}

/* ---- plain loops ---- */

/* The elements of `in` in another layout; `first` is the image's type with channels first. */
static void reorder(void *out, enum layout to, const void *in, enum layout from,
                    const struct type *first)
{
    const size_t bytes = element_bytes(first->element, 1);
    const long channels = first->dims[1], pixels = type_product(first, 2, IMAGE_RANK);
    for (long image = 0; image < first->dims[0]; image++)
        for (long channel = 0; channel < channels; channel++)
            for (long pixel = 0; pixel < pixels; pixel++) {
                const long begin = image * channels * pixels;
                const long put = layout_index(to, channels, pixels, channel, pixel);
                const long get = layout_index(from, channels, pixels, channel, pixel);
                memcpy((char *)out + (size_t)(begin + put) * bytes,
                       (const char *)in + (size_t)(begin + get) * bytes, bytes);
            }
}

int layout_evaluate(struct site *site, struct error *error)
{
    const enum layout layout = layout_of(site->node);
    struct view view;
    if (layout == LAYOUT_NCHW)
        return site->node->op->evaluate(site, error);
    if (element_bits(site->input[0].type.element) < 8)
        return error_skip(error, "elements of less than a byte are kept with channels first only");
    if (view_open(&view, site, error) != OK)
        return FAILED;
    struct array *x = (struct array *)(uintptr_t)&view.site.input[0];
    x->data = arena_take(site->arena, (size_t)type_bytes(&x->type));
    view.output.data = arena_take(site->arena, (size_t)type_bytes(&view.output.type));
    if (!x->data || !view.output.data)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    reorder(x->data, LAYOUT_NCHW, site->input[0].data, layout_of_source(site->node), &x->type);
    const int result = view.site.node->op->evaluate(&view.site, error);
    if (result == OK)
        reorder(site->output[0].data, layout_of_result(site->node), view.output.data, LAYOUT_NCHW,
                &view.output.type);
    return result;
}

/* ---- kernels ---- */

int layout_lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const enum layout layout = layout_of(site->node);
    struct view view;
    if (layout == LAYOUT_NCHW)
        return site->node->op->lower(site, lowering, error);
    if (view_open(&view, site, error) != OK)
        return FAILED;
    if (layout_of_result(site->node) != layout &&
        type_product(&view.output.type, 2, IMAGE_RANK) != 1)
        return error_skip(error, "its kernels have several pixels of a result in `layout` only");
    const int result = view.site.node->op->lower(&view.site, lowering, error);
    for (int i = 0; i < lowering->launch_count && result == OK; i++)
        if (!launch_word(&lowering->launch[i], "layout", layout_words[layout]))
            return error_skip(error, "kernel '%s' has images with channels first only",
                              lowering->launch[i].kernel->name);
    if (result == OK && layout_of_source(site->node) != layout &&
        (lowering->launch_count != 1 || !launch_word(lowering->launch, "source", "nchw")))
        return error_skip(error, "its kernels have input and output in one layout");
    return result;
}

/* An operand beside images in blocks of that type. */
static struct array unblocked(const struct array *operand, const struct type *out)
{
    const struct type *type = &operand->type;
    long dims[BLOCKED_RANK];
    struct array first = *operand;
    for (int i = 0; i < BLOCKED_RANK; i++) {
        const int own = i - (BLOCKED_RANK - type->rank);
        dims[i] = own < 0 ? 1 : type->dims[own];
    }
    const bool has_channels = dims[1] == out->dims[1] && dims[4] == LAYOUT_BLOCK;
    if (!has_channels && (dims[1] != 1 || dims[4] != 1))
        return (struct array){.type = {.element = ELEMENT_NONE, .rank = 0}};
    first.type = (struct type){.element = type->element, .rank = IMAGE_RANK};
    memcpy(first.type.dims, dims, IMAGE_RANK * sizeof *dims);
    if (has_channels)
        first.type.dims[1] = dims[1] * LAYOUT_BLOCK;
    return first;
}

int layout_unblock(const struct site *site, int first, struct site *with_channels_first,
                   struct error *error)
{
    struct array *input = copy_inputs(site, error);
    struct array *output = arena_take(site->arena, sizeof *output);
    if (!input || !output)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (int i = first; i < site->node->input_count; i++)
        if (input[i].type.rank >= 0)
            input[i] = unblocked(&input[i], &site->output[0].type);
    *output = site->output[0];
    output->type = type_channels_first(&output->type, LAYOUT_NCHWC);
    *with_channels_first = *site;
    with_channels_first->input = input;
    with_channels_first->output = output;
    return OK;
}

/* ---- in ONNX's own operators ---- */

/* The last dims of an image with channels last as blocks, or these as one dim. */
static int expanded_reshape(struct graph *inner, int tensor, bool to_blocks, struct error *error)
{
    static const long blocks[] = {0, 0, 0, -1, LAYOUT_BLOCK}, channels[] = {0, 0, 0, -1};
    const int shape = graph_add_integers(inner, "shape", to_blocks ? blocks : channels,
                                         to_blocks ? BLOCKED_RANK : IMAGE_RANK, error);
    return shape < 0 ? -1 : expand_node(inner, "Reshape", tensor, shape, error);
}

int layout_expanded(struct graph *inner, int tensor, enum layout layout, bool to_layout,
                    struct error *error)
{
    static const long first_to_last[] = {0, 2, 3, 1}, last_to_first[] = {0, 3, 1, 2},
                      blocks_outside[] = {0, 3, 1, 2, 4}, blocks_inside[] = {0, 2, 3, 1, 4};
    if (layout == LAYOUT_NCHW)
        return tensor;
    if (to_layout)
        tensor = expand_transpose(inner, tensor, first_to_last, IMAGE_RANK, error);
    if (layout == LAYOUT_NCHWC && to_layout)
        tensor = expanded_reshape(inner, tensor, true, error);
    if (layout == LAYOUT_NCHWC)
        tensor = expand_transpose(inner, tensor, to_layout ? blocks_outside : blocks_inside,
                                  BLOCKED_RANK, error);
    if (layout == LAYOUT_NCHWC && !to_layout)
        tensor = expanded_reshape(inner, tensor, false, error);
    return to_layout ? tensor : expand_transpose(inner, tensor, last_to_first, IMAGE_RANK, error);
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
    const enum layout layout = layout_of(site->node);
    inputs[0] = layout_expanded(inner, inputs[0], layout, false, error);
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
            strcmp(attribute->name, "result") != 0 &&
            graph_set_attribute(inner, made, attribute, error) != OK)
            return FAILED;
    }
    const int result = layout_expanded(inner, output, layout_of_result(site->node), true, error);
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
    return node.op->flops(&view.site);
}

static const struct attribute_rule attributes[] = {{"layout", ATTRIBUTE_TEXT, true},
                                                   {"opset", ATTRIBUTE_INT, true},
                                                   {"result", ATTRIBUTE_TEXT, false},
                                                   {0}};

#define MEMBER(member, least, most)                                                                \
    extern const struct op onnx_##member##_op;                                                     \
    const struct op roofline_##member##_op = {                                                     \
        .domain = "roofline",                                                                      \
        .name = #member,                                                                           \
        .summary = #member " of ONNX over images with channels last or in blocks",                 \
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
