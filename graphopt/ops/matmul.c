// matmul.c - products of matrices of all ranks: MatMul and com.microsoft's FusedMatMul.
#include "matrices.h"

static int turns_of(const struct node *node, const char *last, const char *batch)
{
    return (node_integer(node, last, 0) ? TURN_LAST : 0) |
           (node_integer(node, batch, 0) ? TURN_BATCH : 0);
}

static int see(const struct site *site, struct sides *sides, struct error *error)
{
    const struct node *node = site->node;
    if (matrices_see(site, 0, turns_of(node, "transA", "transBatchA"), false, &sides->a, error) !=
        OK)
        return FAILED;
    return matrices_see(site, 1, turns_of(node, "transB", "transBatchB"), true, &sides->b, error);
}

static bool is_number(enum element element)
{
    return element == ELEMENT_NONE || element_is_real(element) || element_is_whole(element);
}

static int infer(struct site *site, struct error *error)
{
    const struct type a = site_type(site, 0), b = site_type(site, 1);
    struct type *out = &site->output[0].type;
    if (!is_number(a.element) || !is_number(b.element) ||
        (a.element != b.element && a.element != ELEMENT_NONE && b.element != ELEMENT_NONE))
        return error_set(error, FAULT_IO, "there is no product of elements '%s' and '%s'",
                         element_name(a.element), element_name(b.element));
    *out = UNKNOWN_TYPE;
    out->element = a.element != ELEMENT_NONE ? a.element : b.element;
    struct sides sides;
    if (see(site, &sides, error) != OK)
        return FAILED;
    if (a.rank < 0 || b.rank < 0)
        return OK;
    const enum element element = out->element;
    const int result = matrices_product(&sides.a, &sides.b, a.rank == 1, b.rank == 1, out, error);
    out->element = element;
    return result;
}

static int evaluate(struct site *site, struct error *error)
{
    struct sides sides;
    if (see(site, &sides, error) != OK)
        return FAILED;
    return matrices_evaluate(site, &sides.a, &sides.b, node_real(site->node, "alpha", 1),
                             &site->output[0], error);
}

/* The smaller side is scaled by what is not in the kernel's letters. */
static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    struct sides sides;
    enum dtype dtype;
    if (element_dtype(site->output[0].type.element, &dtype, error) != OK)
        return SKIPPED;
    if (see(site, &sides, error) != OK)
        return FAILED;
    const double alpha = node_real(site->node, "alpha", 1);
    struct launch_operand operand[2] = {of_input(0), of_input(1)};
    const bool first_is_smaller =
        type_elements(&site->input[0].type) <= type_elements(&site->input[1].type);
    const int scaled = site->input[0].data ? 0 : site->input[1].data ? 1 : first_is_smaller ? 0 : 1;
    const int result = launches_scaled(site, lowering, scaled, alpha, &operand[scaled], error);
    if (result != OK)
        return result;
    return matrices_lower(site, lowering, &sides.a, &sides.b, operand, dtype, error);
}

static double flops(const struct site *site)
{
    struct sides sides;
    struct error unused; /* inference has looked at them */
    if (see(site, &sides, &unused) != OK)
        return 0;
    return 2 * (double)matrices_sizes(&sides.a, &sides.b).k *
           (double)type_elements(&site->output[0].type);
}

const struct op onnx_MatMul_op = {
    .domain = "",
    .name = "MatMul",
    .summary = "y = a b, matrices in the last two dimensions",
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_min = 1,
    .outputs_max = 1,
    .infer = infer,
    .evaluate = evaluate,
    .lower = lower,
    .flops = flops,
};

static const struct attribute_rule fused_attributes[] = {
    {"alpha", ATTRIBUTE_REAL, false},      {"transA", ATTRIBUTE_INT, false},
    {"transB", ATTRIBUTE_INT, false},      {"transBatchA", ATTRIBUTE_INT, false},
    {"transBatchB", ATTRIBUTE_INT, false}, {0}};

const struct op microsoft_FusedMatMul_op = {
    .domain = "com.microsoft",
    .name = "FusedMatMul",
    .summary = "y = alpha op(a) op(b), matrices in the last two dimensions, transposed or not",
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = fused_attributes,
    .infer = infer,
    .evaluate = evaluate,
    .lower = lower,
    .flops = flops,
};
