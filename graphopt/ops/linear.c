// linear.c - Gemm: y = alpha op(a) op(b) + beta c.
#include "epilogue.h"
#include "matrices.h"

/* FAULT_IO where a or b is no matrix; where a rank is not known, the side's is not. */
static int see(const struct site *site, struct sides *sides, struct error *error)
{
    for (int i = 0; i < 2; i++) {
        const int rank = site_type(site, i).rank;
        if (rank >= 0 && rank != 2)
            return error_set(error, FAULT_IO,
                             "input %d has %d dimensions; Gemm takes matrices, of 2", i, rank);
    }
    const int turn_a = node_integer(site->node, "transA", 0) ? TURN_LAST : 0;
    const int turn_b = node_integer(site->node, "transB", 0) ? TURN_LAST : 0;
    if (matrices_see(site, 0, turn_a, false, &sides->a, error) != OK)
        return FAILED;
    return matrices_see(site, 1, turn_b, true, &sides->b, error);
}

/* c has to broadcast to the output and not the other way round. */
static int check_addend(const struct type *c, const struct type *out, struct error *error)
{
    if (c->rank > 2)
        return error_set(error, FAULT_IO, "c has %d dimensions, more than the product's 2",
                         c->rank);
    for (int i = 0; i < c->rank; i++) {
        const long of_c = c->dims[i], of_out = out->dims[i + 2 - c->rank];
        if (of_c >= 0 && of_out >= 0 && of_c != 1 && of_c != of_out)
            return error_set(error, FAULT_IO,
                             "c has %ld elements where the product has %ld; it has to be that many "
                             "or 1",
                             of_c, of_out);
    }
    return OK;
}

static enum element element_of(const struct site *site, struct error *error)
{
    enum element element = ELEMENT_NONE;
    for (int i = 0; i < site->node->input_count; i++) {
        const enum element of_input = site_type(site, i).element;
        if (of_input == ELEMENT_NONE)
            continue;
        if ((!element_is_real(of_input) && !element_is_whole(of_input)) ||
            (element != ELEMENT_NONE && element != of_input))
            return error_set(error, FAULT_IO,
                             "input %d has elements '%s'; all have to be of one kind of number", i,
                             element_name(of_input)),
                   ELEMENT_END;
        element = of_input;
    }
    return element;
}

static int infer(struct site *site, struct error *error)
{
    struct type *out = &site->output[0].type;
    struct sides sides;
    const enum element element = element_of(site, error);
    if (element == ELEMENT_END || see(site, &sides, error) != OK)
        return FAILED;
    *out = (struct type){.element = element, .rank = 2, .dims = {-1, -1}};
    if (sides.a.type.rank == 2) {
        out->dims[0] = sides.a.type.dims[0];
        out->symbol[0] = sides.a.type.symbol[0];
    }
    if (sides.b.type.rank == 2) {
        out->dims[1] = sides.b.type.dims[1];
        out->symbol[1] = sides.b.type.symbol[1];
    }
    struct type product;
    if (sides.a.type.rank == 2 && sides.b.type.rank == 2 &&
        matrices_product(&sides.a, &sides.b, false, false, &product, error) != OK)
        return FAILED;
    const struct type c = site_type(site, 2);
    return check_addend(&c, out, error);
}

/* A beta of 0 means that c is not read, as in BLAS. */
static double beta_of(const struct site *site)
{
    return site_input(site, 2) ? node_real(site->node, "beta", 1) : 0;
}

/* ---- plain loops ---- */

/* The product, in double or int64_t, with c into the output. */
static void finish(struct site *site, const struct array *product, double alpha, double beta)
{
    const struct array *out = &site->output[0], *c = &site->input[2];
    const enum element element = out->type.element;
    const long columns = out->type.dims[1], count = type_elements(&out->type);
    const bool is_exact = element_is_whole(element) && alpha == 1 && (beta == 0 || beta == 1);
    long stride[RANK_MAX] = {0};
    if (beta != 0)
        broadcast_strides(&c->type, &out->type, stride);
    for (long i = 0; i < count; i++) {
        const long from = i / columns * stride[0] + i % columns * stride[1];
        if (is_exact) {
            const uint64_t addend = beta ? (uint64_t)element_whole(c->data, element, from) : 0;
            element_put_whole(out->data, element, i,
                              (int64_t)(((const uint64_t *)product->data)[i] + addend));
        } else {
            const double addend = beta != 0 ? beta * element_real(c->data, element, from) : 0;
            element_put_real(out->data, element, i,
                             alpha * element_real(product->data, product->type.element, i) +
                                 addend);
        }
    }
}

static int evaluate(struct site *site, struct error *error)
{
    struct sides sides;
    if (see(site, &sides, error) != OK)
        return FAILED;
    struct array product = {.type = site->output[0].type};
    product.type.element = element_is_whole(product.type.element) ? ELEMENT_i64 : ELEMENT_f64;
    product.data = arena_take_array(site->arena, (size_t)type_elements(&product.type), 8);
    if (!product.data)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    if (matrices_evaluate(site, &sides.a, &sides.b, 1, &product, error) != OK)
        return FAILED;
    finish(site, &product, node_real(site->node, "alpha", 1), beta_of(site));
    return OK;
}

/* ---- the kernel ---- */

/* A constant c repeated as far as the epilogue needs it: `rows` and columns of the output. */
static int spread_constant(const struct site *site, double beta, long rows, enum dtype dtype,
                           struct launch_operand *operand, struct error *error)
{
    const struct array *c = &site->input[2];
    const struct type *out = &site->output[0].type;
    long stride[RANK_MAX];
    const int result = launches_fill(site, operand, rows * out->dims[1], 0, dtype, error);
    if (result != OK)
        return result;
    void *values = (void *)(uintptr_t)operand->constant; /* ours until now */
    broadcast_strides(&c->type, out, stride);
    for (long i = 0; i < rows * out->dims[1]; i++)
        real_put(values, dtype, i,
                 beta * real_at(c->data, dtype,
                                i / out->dims[1] * stride[0] + i % out->dims[1] * stride[1]));
    return OK;
}

/* c as bias of columns, or as an addend of all elements. */
static int lower_addend(const struct site *site, struct lowering *lowering, double beta,
                        enum dtype dtype, enum epilogue *epilogue, struct launch_operand operand[2],
                        struct error *error)
{
    const struct array *c = &site->input[2];
    const struct type *out = &site->output[0].type;
    const long elements = type_elements(&c->type), columns = out->dims[1];
    const bool by_column = c->type.rank < 2 || c->type.dims[0] == 1 || out->dims[0] == 1;
    *epilogue = by_column ? EPILOGUE_bias : EPILOGUE_bias_add;
    int result = OK;
    if (!by_column)
        result = launches_fill(site, &operand[0], columns, 0, dtype, error);
    if (result != OK)
        return result;
    struct launch_operand *of_c = &operand[by_column ? 0 : 1];
    if (elements == (by_column ? 1 : out->dims[0]) * columns)
        return launches_scaled(site, lowering, 2, beta, of_c, error);
    if (!c->data)
        return error_skip(error, "kernel 'gemm' takes a bias by column; c is broadcast along the "
                                 "columns and not a constant");
    return spread_constant(site, beta, by_column ? 1 : out->dims[0], dtype, of_c, error);
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    struct sides sides;
    enum dtype dtype;
    enum epilogue epilogue = EPILOGUE_none;
    const double alpha = node_real(site->node, "alpha", 1), beta = beta_of(site);
    struct launch_operand side[2] = {of_input(0), of_input(1)}, addend[2];
    if (element_dtype(site->output[0].type.element, &dtype, error) != OK)
        return SKIPPED;
    if (see(site, &sides, error) != OK)
        return FAILED;
    const int scaled = site->input[1].data ? 1 : 0;
    int result = launches_scaled(site, lowering, scaled, alpha, &side[scaled], error);
    if (result == OK && beta != 0)
        result = lower_addend(site, lowering, beta, dtype, &epilogue, addend, error);
    if (result == OK)
        result = matrices_lower(site, lowering, &sides.a, &sides.b, side, dtype, error);
    if (result != OK || beta == 0)
        return result;
    struct launch *launch = &lowering->launch[lowering->launch_count - 1];
    launch_letter(launch, "epilogue", epilogue);
    launch->operand[3] = addend[0];
    if (epilogue == EPILOGUE_bias_add)
        launch->operand[4] = addend[1];
    return OK;
}

static double flops(const struct site *site)
{
    struct sides sides;
    struct error unused; /* inference has looked at them */
    if (see(site, &sides, &unused) != OK)
        return 0;
    const double each = 2 * (double)matrices_sizes(&sides.a, &sides.b).k + (beta_of(site) != 0);
    return each * (double)type_elements(&site->output[0].type);
}

static const struct attribute_rule attributes[] = {{"alpha", ATTRIBUTE_REAL, false},
                                                   {"beta", ATTRIBUTE_REAL, false},
                                                   {"transA", ATTRIBUTE_INT, false},
                                                   {"transB", ATTRIBUTE_INT, false},
                                                   {0}};

const struct op onnx_Gemm_op = {
    .domain = "",
    .name = "Gemm",
    .summary = "y = alpha op(a) op(b) + beta c",
    .inputs_min = 2,
    .inputs_max = 3,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer,
    .evaluate = evaluate,
    .lower = lower,
    .flops = flops,
};
