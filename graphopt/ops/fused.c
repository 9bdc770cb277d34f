// fused.c - operators of domain roofline: a product, a convolution or nothing, followed by steps
// element by element.
#include "expand.h"
#include "fused_parts.h"

#include <string.h>

#include "in_layout.h"

/* ---- steps ---- */

static const struct {
    enum step_kind kind;
    const char *name;
} kinds[] = {
#define X(name, ...) {STEP_##name, #name},
    STEP_BINARY_LIST(X) STEP_FUNCTION_LIST(X)
#undef X
};
enum { KINDS = sizeof kinds / sizeof *kinds };

enum step_kind fused_kind(const char *name, size_t length)
{
    for (int i = 0; i < KINDS; i++)
        if (strlen(kinds[i].name) == length && memcmp(kinds[i].name, name, length) == 0)
            return kinds[i].kind;
    return STEP_END;
}

const char *fused_kind_name(enum step_kind kind)
{
    for (int i = 0; i < KINDS; i++)
        if (kinds[i].kind == kind)
            return kinds[i].name;
    return "";
}

/* An operand that no step takes would have any dims. */
static int check_last(const struct node *node, int end, struct error *error)
{
    for (int i = end; i < node->input_count; i++)
        if (node_input(node, i) >= 0)
            return error_set(error, FAULT_IO, "no step takes input %d", i);
    return OK;
}

int fused_read(const struct node *node, const struct fused *fused, struct fused_steps *steps,
               struct error *error)
{
    const struct attribute *attribute = node_attribute(node, "steps");
    int input = fused->base_inputs;
    steps->count = 0;
    if (!attribute || attribute->kind != ATTRIBUTE_TEXTS)
        return check_last(node, input, error); /* a base without any */
    if (attribute->count > FUSED_STEPS_MAX)
        return error_set(error, FAULT_IO, "it has %ld steps; there are at most %d",
                         attribute->count, FUSED_STEPS_MAX);
    for (int i = 0; i < attribute->count; i++) {
        const struct text *name = &attribute->texts[i];
        const enum step_kind kind = fused_kind(name->bytes, name->length);
        if (kind == STEP_END)
            return error_set(error, FAULT_IO, "there is no step '%s'", name->bytes);
        steps->step[i] = (struct fused_step){kind, step_is_binary(kind) ? input++ : -1};
        if (steps->step[i].input >= 0 && node_input(node, steps->step[i].input) < 0)
            return error_set(error, FAULT_IO, "step '%s' lacks input %d", name->bytes,
                             steps->step[i].input);
    }
    steps->count = (int)attribute->count;
    return check_last(node, input, error);
}

/* ---- inference ---- */

/* The site as the base sees it. */
static struct site base_of(const struct site *site, const struct fused *fused, struct node *node)
{
    struct site base = *site;
    *node = *site->node;
    node->op = fused->base;
    if (node->input_count > fused->base_inputs)
        node->input_count = fused->base_inputs;
    base.node = node;
    return base;
}

/* An operand may be broadcast, the output may not. */
static int check_operand(const struct site *site, int i, struct error *error)
{
    const struct type type = site_type(site, i), *out = &site->output[0].type;
    if (type.element != ELEMENT_NONE && out->element != ELEMENT_NONE &&
        type.element != out->element)
        return error_set(error, FAULT_IO, "input %d has elements '%s' and not '%s'", i,
                         element_name(type.element), element_name(out->element));
    if (type.rank < 0 || out->rank < 0)
        return OK;
    bool fits = type.rank <= out->rank;
    for (int k = 0; k < type.rank && fits; k++) {
        const long dim = type.dims[k], of_out = out->dims[out->rank - type.rank + k];
        fits = dim == 1 || dim < 0 || of_out < 0 || dim == of_out;
    }
    if (!fits)
        return error_set(error, FAULT_IO, "input %d, %s, does not broadcast to the output's %s", i,
                         type_format(site->graph, &type).text, type_format(site->graph, out).text);
    return OK;
}

static int infer(struct site *site, struct error *error)
{
    const struct fused *fused = site->node->op->detail;
    struct fused_steps steps;
    struct node node;
    if (fused_read(site->node, fused, &steps, error) != OK)
        return FAILED;
    if (fused->base) {
        struct site base = base_of(site, fused, &node);
        if (layout_infer(&base, error) != OK)
            return FAILED;
    } else {
        site->output[0].type = site_type(site, 0);
    }
    const enum element element = site->output[0].type.element;
    if (element != ELEMENT_NONE && !element_is_real(element))
        return error_set(error, FAULT_IO, "steps are for real numbers, not for '%s'",
                         element_name(element));
    for (int i = 0; i < steps.count; i++)
        if (steps.step[i].input >= 0 && check_operand(site, steps.step[i].input, error) != OK)
            return FAILED;
    return OK;
}

/* ---- plain loops ---- */

/* A step over the whole output. */
static void apply(struct site *site, const struct fused_step *fused_step)
{
    const struct array *out = &site->output[0], *y = NULL;
    const enum element element = out->type.element;
    const long count = type_elements(&out->type);
    long stride[RANK_MAX] = {0}, at[RANK_MAX] = {0};
    if (fused_step->input >= 0) {
        y = &site->input[fused_step->input];
        broadcast_strides(&y->type, &out->type, stride);
    }
    for (long i = 0; i < count; i++) {
        const double operand =
            y ? element_real(y->data, y->type.element, place_offset(out->type.rank, stride, at))
              : 0;
        const struct step step[] = {{.kind = fused_step->kind, .operand = &operand},
                                    {.kind = STEP_END}};
        const double x = element_real(out->data, element, i);
        element_put_real(out->data, element, i,
                         steps_value(step, DTYPE_f64, x, (struct step_place){0}));
        place_next(&out->type, at);
    }
}

static int evaluate(struct site *site, struct error *error)
{
    const struct fused *fused = site->node->op->detail;
    struct fused_steps steps;
    struct node node;
    if (fused_read(site->node, fused, &steps, error) != OK)
        return FAILED;
    if (fused->base) {
        struct site base = base_of(site, fused, &node);
        const int result = layout_evaluate(&base, error);
        if (result != OK)
            return result;
    } else {
        memcpy(site->output[0].data, site->input[0].data,
               (size_t)type_bytes(&site->output[0].type));
    }
    for (int i = 0; i < steps.count; i++)
        apply(site, &steps.step[i]);
    return OK;
}

static double flops(const struct site *site)
{
    const struct fused *fused = site->node->op->detail;
    struct fused_steps steps;
    struct error unused; /* inference has read them */
    struct node node;
    double sum = 0;
    if (fused->base && fused->base->flops) {
        const struct site base = base_of(site, fused, &node);
        sum = fused->base->flops(&base);
    }
    if (fused_read(site->node, fused, &steps, &unused) != OK)
        return sum;
    return sum + steps.count * (double)type_elements(&site->output[0].type);
}

/* ---- kernels ---- */

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct fused *fused = site->node->op->detail;
    const int rank = site->output[0].type.rank;
    struct fused_steps steps;
    struct node node;
    int done = 0;
    if (fused_read(site->node, fused, &steps, error) != OK)
        return FAILED;
    if (!fused->base)
        return fused_lower_chain(site, lowering, &steps, 0, of_input(0), error);
    const struct site base = base_of(site, fused, &node);
    const bool is_image = strncmp(fused->base->name, "Conv", 4) == 0;
    const enum layout layout = layout_of(site->node);
    const int axis = is_image && layout != LAYOUT_NHWC ? 1 : rank - 1; /* of channels */
    struct site steps_site = *site;
    int result = layout_lower(&base, lowering, error);
    if (result == OK && layout == LAYOUT_NCHWC)
        result = layout_unblock(site, fused->base_inputs, &steps_site, error);
    if (result == OK)
        result = fused_lower_epilogue(&steps_site, lowering, &steps, axis, &done, error);
    if (result == OK && done < steps.count)
        result = fused_lower_chain(site, lowering, &steps, done, of_output(0), error);
    else if (result == OK && site->output_pitch > 0)
        fused_lower_pitch(site, lowering);
    return result;
}

/* ---- in ONNX's own operators ---- */

struct expansion {
    const char *type; /* of a node; NULL: none */
    int operand;      /* which input of it the step's operand is; -1: it takes none */
};

static struct expansion expansion_of(enum step_kind kind)
{
    static const struct expansion table[] = {
        [STEP_add] = {"Add", 1},          [STEP_sub] = {"Sub", 1},     [STEP_mul] = {"Mul", 1},
        [STEP_div] = {"Div", 1},          [STEP_max] = {"Max", 1},     [STEP_min] = {"Min", 1},
        [STEP_larger] = {"Max", 1},       [STEP_smaller] = {"Min", 1}, [STEP_rsub] = {"Sub", 0},
        [STEP_rdiv] = {"Div", 0},         [STEP_prelu] = {"PRelu", 1}, [STEP_relu] = {"Relu", -1},
        [STEP_sigmoid] = {"Sigmoid", -1}, [STEP_tanh] = {"Tanh", -1},  [STEP_exp] = {"Exp", -1},
        [STEP_sqrt] = {"Sqrt", -1},       [STEP_abs] = {"Abs", -1},
    };
    return kind < (int)(sizeof table / sizeof *table) ? table[kind] : (struct expansion){NULL, -1};
}

/* Max or Min of both. Before opset 8 these do not broadcast: zeros of x's dims lead the operand. */
static int expand_bound(struct graph *own, const char *type, int x, int operand,
                        struct error *error)
{
    if (graph_opset(own, "") < 8) {
        const int zeros = expand_node(own, "Clip", x, -1, error);
        const int clip = zeros < 0 ? -1 : own->tensor[zeros]->producer;
        if (clip < 0 || graph_set_real(own, clip, "min", 0, error) != OK ||
            graph_set_real(own, clip, "max", 0, error) != OK)
            return -1;
        operand = expand_node(own, "Add", zeros, operand, error);
    }
    return operand < 0 ? -1 : expand_node(own, type, x, operand, error);
}

static int expand_scalar_bound(struct graph *own, const char *type, int x, enum element element,
                               double bound, struct error *error)
{
    const int operand = graph_add_real(own, NULL, element, bound, error);
    return x < 0 || operand < 0 ? -1 : expand_bound(own, type, x, operand, error);
}

/* x / 2 (1 + erf(x / sqrt(2))), and by tanh. */
static int expand_gelu(struct graph *own, bool is_tanh, int x, enum element element,
                       struct error *error)
{
    int inner = x;
    if (is_tanh) {
        inner = expand_node(own, "Mul", x, x, error);
        inner = expand_real(own, "Mul", inner, element, 0.044715, error);
        inner = expand_real(own, "Add", inner, element, 1, error);
        inner = expand_node(own, "Mul", inner, x, error);
        inner = expand_real(own, "Mul", inner, element, 0.7978845608028654, error);
    } else {
        inner = expand_real(own, "Mul", x, element, 0.7071067811865476, error);
    }
    inner = expand_node(own, is_tanh ? "Tanh" : "Erf", inner, -1, error);
    inner = expand_real(own, "Add", inner, element, 1, error);
    inner = expand_real(own, "Mul", inner, element, 0.5, error);
    return expand_node(own, "Mul", inner, x, error);
}

/* The gates that x is multiplied with: of silu, hardswish and mish. */
static int expand_gate(struct graph *own, enum step_kind kind, int x, enum element element,
                       struct error *error)
{
    int gate = -1;
    if (kind == STEP_silu) {
        gate = expand_node(own, "Sigmoid", x, -1, error);
    } else if (kind == STEP_hardswish) {
        gate = expand_real(own, "Mul", x, element, 1.0 / 6, error);
        gate = expand_real(own, "Add", gate, element, 0.5, error);
        gate = expand_scalar_bound(own, "Max", gate, element, 0, error);
        gate = expand_scalar_bound(own, "Min", gate, element, 1, error);
    } else if (kind == STEP_mish) {
        gate = expand_node(own, "Softplus", x, -1, error);
        gate = expand_node(own, "Tanh", gate, -1, error);
    }
    return expand_node(own, "Mul", x, gate, error);
}

/* Slopes are an operand, where Elu has one as its attribute: relu(x) + slope elu(min(x, 0)). */
static int expand_elu(struct graph *own, int x, int slope, enum element element,
                      struct error *error)
{
    int low = expand_scalar_bound(own, "Min", x, element, 0, error);
    low = expand_node(own, "Elu", low, -1, error);
    low = expand_node(own, "Mul", low, slope, error);
    return expand_node(own, "Add", expand_node(own, "Relu", x, -1, error), low, error);
}

static int expand_step(struct graph *own, enum step_kind kind, int x, int operand,
                       enum element element, struct error *error)
{
    const struct expansion expansion = expansion_of(kind);
    if (kind == STEP_max || kind == STEP_min || kind == STEP_larger || kind == STEP_smaller)
        return expand_bound(own, expansion.type, x, operand, error);
    if (expansion.type && expansion.operand == 0)
        return operand < 0 ? -1 : expand_node(own, expansion.type, operand, x, error);
    if (expansion.type)
        return expand_node(own, expansion.type, x, expansion.operand == 1 ? operand : -1, error);
    if (kind == STEP_elu)
        return expand_elu(own, x, operand, element, error);
    if (kind == STEP_gelu || kind == STEP_gelu_tanh)
        return expand_gelu(own, kind == STEP_gelu_tanh, x, element, error);
    return expand_gate(own, kind, x, element, error);
}

/* alpha op(a) op(b), where only the last two dims may be swapped. */
static int expand_matmul(const struct site *site, struct graph *own, struct error *error)
{
    const struct node *node = site->node;
    int side[2];
    if (node_integer(node, "transBatchA", 0) || node_integer(node, "transBatchB", 0)) {
        error_set(error, FAULT_USAGE, "ONNX has no product with the batch behind the rows");
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        const int rank = site_type(site, i).rank;
        side[i] = own->block[0]->inputs[i];
        if (node_integer(node, i ? "transB" : "transA", 0) && rank > 1)
            side[i] = expand_swap(own, side[i], rank, error);
    }
    const int product = side[1] < 0 ? -1 : expand_node(own, "MatMul", side[0], side[1], error);
    const double alpha = node_real(node, "alpha", 1);
    return alpha == 1
               ? product
               : expand_real(own, "Mul", product, site->output[0].type.element, alpha, error);
}

/* The base with all its attributes, over images with channels first; its result, in their layout.
 */
static int expand_base(const struct site *site, const struct fused *fused, struct graph *own,
                       struct error *error)
{
    const struct node *node = site->node;
    int inputs[RANK_MAX], count = 0;
    if (*fused->base->domain)
        return expand_matmul(site, own, error);
    const int output = graph_add_tensor(own, 0, NULL, &UNKNOWN_TYPE, error);
    for (int i = 0; i < fused->base_inputs; i++) {
        inputs[i] = node_input(node, i) >= 0 ? own->block[0]->inputs[i] : -1;
        if (inputs[i] >= 0)
            count = i + 1;
    }
    const enum layout layout = layout_of(node);
    inputs[0] = layout_expanded(own, inputs[0], layout_of_source(node), false, error);
    const struct node_spec spec = {.type = fused->base->name,
                                   .domain = fused->base->domain,
                                   .before = -1,
                                   .inputs = inputs,
                                   .input_count = count,
                                   .outputs = &output,
                                   .output_count = 1};
    const int made = output < 0 || inputs[0] < 0 ? -1 : graph_add_node(own, &spec, error);
    for (int i = 0; made >= 0 && i < node->attribute_count; i++)
        if (strcmp(node->attributes[i].name, "steps") != 0 &&
            strcmp(node->attributes[i].name, "layout") != 0 &&
            strcmp(node->attributes[i].name, "source") != 0 &&
            graph_set_attribute(own, made, &node->attributes[i], error) != OK)
            return -1;
    return made < 0 ? -1 : layout_expanded(own, output, layout, true, error);
}

static int expand(const struct site *site, struct graph *own, struct error *error)
{
    const struct fused *fused = site->node->op->detail;
    const enum element element = site->output[0].type.element;
    struct fused_steps steps;
    if (fused_read(site->node, fused, &steps, error) != OK)
        return FAILED;
    int x = fused->base ? expand_base(site, fused, own, error) : own->block[0]->inputs[0];
    for (int i = 0; i < steps.count && x >= 0; i++)
        x = expand_step(own, steps.step[i].kind, x,
                        steps.step[i].input < 0 ? -1 : own->block[0]->inputs[steps.step[i].input],
                        element, error);
    return x < 0 ? FAILED : graph_add_output(own, 0, x, error);
}

/* ---- the operators ---- */

extern const struct op onnx_Conv_op, onnx_ConvTranspose_op, onnx_Gemm_op, microsoft_FusedMatMul_op;

static const struct fused conv = {&onnx_Conv_op, 3}, conv_transpose = {&onnx_ConvTranspose_op, 3},
                          gemm = {&onnx_Gemm_op, 3}, matmul = {&microsoft_FusedMatMul_op, 2},
                          chain = {NULL, 1};

static const struct attribute_rule attributes[] = {{"steps", ATTRIBUTE_TEXTS, false},
                                                   {"layout", ATTRIBUTE_TEXT, false},
                                                   {"source", ATTRIBUTE_TEXT, false},
                                                   {0}};

/* As many operands as the steps may have. */
#define FUSED(Name, words, least, part)                                                            \
    const struct op roofline_##Name##_op = {                                                       \
        .domain = "roofline",                                                                      \
        .name = #Name,                                                                             \
        .summary = words,                                                                          \
        .inputs_min = least,                                                                       \
        .inputs_max = 3 + FUSED_STEPS_MAX,                                                         \
        .outputs_min = 1,                                                                          \
        .outputs_max = 1,                                                                          \
        .attributes = attributes,                                                                  \
        .infer = infer,                                                                            \
        .evaluate = evaluate,                                                                      \
        .lower = lower,                                                                            \
        .flops = flops,                                                                            \
        .expand = expand,                                                                          \
        .detail = &part,                                                                           \
    };

FUSED(Conv, "Conv, then steps element by element", 2, conv)
FUSED(ConvTranspose, "ConvTranspose, then steps element by element", 2, conv_transpose)
FUSED(Gemm, "Gemm, then steps element by element", 2, gemm)
FUSED(MatMul, "FusedMatMul, then steps element by element", 2, matmul)
FUSED(Chain, "steps element by element in one pass", 1, chain)
