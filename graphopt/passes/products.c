// products.c - MatMul and what is around it.
#include "rewrite.h"

enum { A = 1, B, ADDEND, PRODUCT, Y, FACTOR };

/* ---- MatMul + Add -> Gemm ---- */

static const struct pattern with_addend = {
    .term = {{"Add", {Y}, {PRODUCT, ADDEND}, TERM_COMMUTES, NULL},
             {"MatMul", {PRODUCT}, {A, B}, 0, NULL}}};

/* [N], [1, N], [M, N]; a constant also [M, 1] and of one element, which are spread once. */
static bool is_addend(const struct tensor *addend, const struct type *product)
{
    const struct type *type = &addend->type;
    if (type->rank < 0 || type->rank > 2 || type->element != product->element)
        return false;
    for (int i = 0; i < type->rank; i++) {
        const long dim = type->dims[i], of_product = product->dims[i + 2 - type->rank];
        if (dim < 0 || (dim != 1 && dim != of_product))
            return false;
    }
    return tensor_is_known(addend) ||
           (type->rank > 0 && type->dims[type->rank - 1] == product->dims[1]);
}

static int to_gemm(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    struct graph *graph = rewriting->graph;
    const int inputs[] = {match->tensor[A], match->tensor[B], match->tensor[ADDEND]};
    const struct type *product = &graph->tensor[match->tensor[PRODUCT]]->type;
    if (graph->node[match->node[0]]->opset < 7) /* c stood at an axis of the product */
        return SKIPPED;
    if (graph->tensor[inputs[0]]->type.rank != 2 || graph->tensor[inputs[1]]->type.rank != 2 ||
        !type_is_complete(product) || !element_is_real(product->element) ||
        inputs[2] == match->tensor[PRODUCT] || !is_addend(graph->tensor[inputs[2]], product))
        return SKIPPED;
    const int node = rewrite_add(graph, "", "Gemm", match->node[0], inputs, 3, error);
    return node < 0 ? FAILED : rewrite_replace_by(graph, match->tensor[Y], node, error);
}

static const struct rule add_rules[] = {{&with_addend, to_gemm}, {0}};

const struct pass matmul_add_pass = {
    .name = "matmul-add",
    .group = GROUP_FUSION,
    .summary = "MatMul of matrices, then Add: Gemm",
    .refuses = "a or b is no matrix; the addend has more dimensions or makes the product larger; "
               "the addend is the product itself; the product is used elsewhere; whole numbers",
    .rules = add_rules,
};

/* ---- MatMul x scale -> alpha ---- */

static const struct pattern
    scaled = {.term = {{"Mul", {Y}, {PRODUCT, FACTOR}, TERM_COMMUTES, NULL},
                       {"MatMul|com.microsoft::FusedMatMul", {PRODUCT}, {A, B}, 0, NULL}},
              .operand = {[FACTOR] = {OPERAND_SCALAR, 0}}},
    divided = {.term = {{"Div", {Y}, {PRODUCT, FACTOR}, 0, NULL},
                        {"MatMul|com.microsoft::FusedMatMul", {PRODUCT}, {A, B}, 0, NULL}},
               .operand = {[FACTOR] = {OPERAND_SCALAR, 0}}},
    a_scaled = {.term = {{"MatMul|com.microsoft::FusedMatMul", {Y}, {PRODUCT, B}, 0, NULL},
                         {"Mul", {PRODUCT}, {A, FACTOR}, TERM_COMMUTES, NULL}},
                .operand = {[FACTOR] = {OPERAND_SCALAR, 0}}},
    a_divided = {.term = {{"MatMul|com.microsoft::FusedMatMul", {Y}, {PRODUCT, B}, 0, NULL},
                          {"Div", {PRODUCT}, {A, FACTOR}, 0, NULL}},
                 .operand = {[FACTOR] = {OPERAND_SCALAR, 0}}},
    b_scaled = {.term = {{"MatMul|com.microsoft::FusedMatMul", {Y}, {A, PRODUCT}, 0, NULL},
                         {"Mul", {PRODUCT}, {B, FACTOR}, TERM_COMMUTES, NULL}},
                .operand = {[FACTOR] = {OPERAND_SCALAR, 0}}},
    b_divided = {.term = {{"MatMul|com.microsoft::FusedMatMul", {Y}, {A, PRODUCT}, 0, NULL},
                          {"Div", {PRODUCT}, {B, FACTOR}, 0, NULL}},
                 .operand = {[FACTOR] = {OPERAND_SCALAR, 0}}};

/* `matmul` is the term of the product. */
static int to_alpha(struct rewriting *rewriting, const struct match *match, int matmul,
                    bool is_divided, struct error *error)
{
    struct graph *graph = rewriting->graph;
    const struct node *old = graph->node[match->node[matmul]];
    const int inputs[] = {match->tensor[A], match->tensor[B]};
    const struct tensor *factor = graph->tensor[match->tensor[FACTOR]];
    const struct type *result = &graph->tensor[match->tensor[Y]]->type;
    double value;
    /* More dims than the other operand would add some. */
    const struct type *scaled_type = &graph->tensor[match->tensor[PRODUCT]]->type;
    if (!tensor_scalar(factor, &value) || !element_is_real(result->element) ||
        scaled_type->rank < 0 || factor->type.rank > scaled_type->rank)
        return SKIPPED;
    const double alpha = node_real(old, "alpha", 1) * (is_divided ? 1 / value : value);
    if (!real_fits_float(alpha)) /* which attributes are */
        return SKIPPED;
    if (graph_opset(graph, "com.microsoft") == 0 &&
        graph_import(graph, "com.microsoft", 1, error) != OK)
        return FAILED;
    const int node =
        rewrite_add(graph, "com.microsoft", "FusedMatMul", match->node[0], inputs, 2, error);
    for (int i = 0; node >= 0 && i < old->attribute_count; i++)
        if (graph_set_attribute(graph, node, &old->attributes[i], error) != OK)
            return FAILED;
    if (node < 0 || graph_set_real(graph, node, "alpha", alpha, error) != OK)
        return FAILED;
    return rewrite_replace_by(graph, match->tensor[Y], node, error);
}

static int result_scaled(struct rewriting *rewriting, const struct match *match,
                         struct error *error)
{
    return to_alpha(rewriting, match, 1, false, error);
}

static int result_divided(struct rewriting *rewriting, const struct match *match,
                          struct error *error)
{
    return to_alpha(rewriting, match, 1, true, error);
}

static int side_scaled(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    return to_alpha(rewriting, match, 0, false, error);
}

static int side_divided(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    return to_alpha(rewriting, match, 0, true, error);
}

static const struct rule scale_rules[] = {{&scaled, result_scaled},
                                          {&divided, result_divided},
                                          {&a_scaled, side_scaled},
                                          {&b_scaled, side_scaled},
                                          {&a_divided, side_divided},
                                          {&b_divided, side_divided},
                                          {0}};

const struct pass matmul_scale_pass = {
    .name = "matmul-scale",
    .group = GROUP_FUSION,
    .summary = "MatMul, and a constant that its result or one side is multiplied with or divided "
               "by: alpha of FusedMatMul",
    .refuses =
        "the constant is no single number, is not constant, or adds a dimension; the "
        "constant is divided by the product; the factor is beyond the range of floats; inner "
        "results used elsewhere; whole numbers",
    .rules = scale_rules,
};
