// attention_lower.c - Attention as calls of kernels: two products of all heads around a softmax.
#include <math.h>

#include "attention.h"
#include "epilogue.h"
#include "launches.h"

/* SKIPPED where the kernels do not do what the node wants. */
static int check(const struct site *site, struct error *error)
{
    const struct array *mask = site_input(site, ATTENTION_MASK);
    if (site_input(site, ATTENTION_PAST_KEY) || site_input(site, ATTENTION_LENGTHS))
        return error_skip(error, "keys of the past and lengths of items have no kernel");
    for (int i = ATTENTION_PRESENT_KEY; i < site->node->output_count; i++)
        if (node_output(site->node, i) >= 0)
            return error_skip(error, "output %d would have to be copied out of the kernels", i);
    if (node_real(site->node, "softcap", 0) > 0)
        return error_skip(error, "kernel 'gemm' has no epilogue for softcap");
    if (mask && !mask->data)
        return error_skip(error, "kernel 'softmax' makes NaN of a row that sees nothing, and the "
                                 "mask is not known before it runs");
    return OK;
}

/* What is added to all scores, as an array like them; SKIPPED where a query sees no key. */
static int make_bias(const struct site *site, const struct attention *sizes, enum dtype dtype,
                     struct launch_operand *operand, struct error *error)
{
    const struct bias bias = attention_bias(site, sizes);
    const long rows = sizes->batch * sizes->q_heads * sizes->queries;
    const int result = launches_fill(site, operand, rows * sizes->keys, 0, dtype, error);
    if (result != OK)
        return result;
    void *values = (void *)(uintptr_t)operand->constant; /* ours until now */
    for (long i = 0; i < rows; i++) {
        bool sees_any = false;
        for (long j = 0; j < sizes->keys; j++) {
            const double value =
                bias_at(&bias, i / sizes->queries / sizes->q_heads,
                        i / sizes->queries % sizes->q_heads, i % sizes->queries, j);
            real_put(values, dtype, i * sizes->keys + j, value);
            sees_any = sees_any || value != -INFINITY;
        }
        if (!sees_any)
            return error_skip(error, "kernel 'softmax' makes NaN of a row that sees nothing");
    }
    return OK;
}

/* Swaps length and heads of a flat operand, in the one or the other direction. */
static int add_transpose(const struct site *site, struct lowering *lowering, long batch, long first,
                         long second, long size, struct launch_operand from,
                         struct launch_operand to, enum dtype dtype, struct error *error)
{
    struct launch *launch = launches_add(site, lowering, "transpose", dtype, error);
    if (!launch)
        return FAILED;
    const long dims[4] = {batch, first, second, size};
    static const char *const letters[] = {"d0", "d1", "d2", "d3"};
    for (int i = 0; i < 4; i++)
        launch_letter(launch, letters[i], dims[i]);
    if (!launch_word(launch, "perm", "0213"))
        return error_skip(error, "kernel 'transpose' does not swap the dimensions in the middle");
    launch->operand[0] = to;
    launch->operand[1] = from;
    return OK;
}

/* An operand with its heads one behind the other. */
static int arrange(const struct site *site, struct lowering *lowering,
                   const struct attention *sizes, int input, long heads, long length, long size,
                   enum dtype dtype, struct launch_operand *operand, struct error *error)
{
    if (!sizes->is_flat)
        return OK;
    const struct launch_operand from = *operand;
    *operand = launches_scratch(lowering, type_elements(&site->input[input].type), dtype);
    return add_transpose(site, lowering, sizes->batch, length, heads, size, from, *operand, dtype,
                         error);
}

static struct launch *add_product(const struct site *site, struct lowering *lowering,
                                  const struct attention *sizes, long n, long k, bool transb,
                                  const struct launch_operand operand[3], enum dtype dtype,
                                  struct error *error)
{
    struct launch *launch = launches_add(site, lowering, "gemm", dtype, error);
    if (!launch)
        return NULL;
    /* Heads of queries that share one of keys are rows of one product. */
    launch_letter(launch, "m", sizes->q_heads / sizes->kv_heads * sizes->queries);
    launch_letter(launch, "n", n);
    launch_letter(launch, "k", k);
    launch_letter(launch, "transb", transb);
    launch_letter(launch, "batch", sizes->batch * sizes->kv_heads);
    for (int i = 0; i < 3; i++)
        launch->operand[i] = operand[i];
    return launch;
}

struct operands {
    struct launch_operand q, k, v, y, scores, weights;
};

/* Scores, with what is added to them. */
static int add_scores(const struct site *site, struct lowering *lowering,
                      const struct attention *sizes, const struct operands *of, enum dtype dtype,
                      struct error *error)
{
    const struct node *node = site->node;
    const bool is_biased = site_input(site, ATTENTION_MASK) || node_integer(node, "is_causal", 0) ||
                           node_integer(node, "left_window_size", -1) >= 0 ||
                           node_integer(node, "right_window_size", -1) >= 0;
    const struct launch_operand operand[3] = {of->scores, of->q, of->k};
    struct launch_operand zeros, bias;
    int result = OK;
    if (is_biased)
        result = make_bias(site, sizes, dtype, &bias, error);
    if (is_biased && result == OK)
        result = launches_fill(site, &zeros, sizes->keys, 0, dtype, error);
    if (result != OK)
        return result;
    struct launch *launch =
        add_product(site, lowering, sizes, sizes->keys, sizes->size, true, operand, dtype, error);
    if (launch && is_biased) {
        launch_letter(launch, "epilogue", EPILOGUE_bias_add);
        launch->operand[3] = zeros;
        launch->operand[4] = bias;
    }
    return launch ? OK : FAILED;
}

static int add_softmax(const struct site *site, struct lowering *lowering,
                       const struct attention *sizes, const struct operands *of, enum dtype dtype,
                       struct error *error)
{
    struct launch *launch = launches_add(site, lowering, "softmax", dtype, error);
    if (!launch)
        return FAILED;
    launch_letter(launch, "rows", sizes->batch * sizes->q_heads * sizes->queries);
    launch_letter(launch, "columns", sizes->keys);
    launch->operand[0] = of->weights;
    launch->operand[1] = of->scores;
    return OK;
}

int attention_lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    struct attention sizes;
    struct operands of = {.k = of_input(ATTENTION_K), .v = of_input(ATTENTION_V)};
    enum dtype dtype;
    if (element_dtype(site->output[ATTENTION_Y].type.element, &dtype, error) != OK ||
        check(site, error) != OK)
        return SKIPPED;
    if (site->input[ATTENTION_V].type.element != site->output[ATTENTION_Y].type.element)
        return error_skip(error, "kernels have operands of one element");
    if (attention_read(site, &sizes, error) != OK)
        return FAILED;
    const long scores = sizes.batch * sizes.q_heads * sizes.queries * sizes.keys;
    const long results = type_elements(&site->output[ATTENTION_Y].type);
    if (scores == 0)
        return error_skip(error, "there are no scores");
    int result =
        launches_scaled(site, lowering, ATTENTION_Q, attention_scale(site, &sizes), &of.q, error);
    if (result == OK)
        result = arrange(site, lowering, &sizes, ATTENTION_Q, sizes.q_heads, sizes.queries,
                         sizes.size, dtype, &of.q, error);
    if (result == OK)
        result = arrange(site, lowering, &sizes, ATTENTION_K, sizes.kv_heads, sizes.keys,
                         sizes.size, dtype, &of.k, error);
    if (result == OK)
        result = arrange(site, lowering, &sizes, ATTENTION_V, sizes.kv_heads, sizes.keys,
                         sizes.value_size, dtype, &of.v, error);
    of.scores = launches_scratch(lowering, scores, dtype);
    of.weights = launches_scratch(lowering, scores, dtype);
    of.y = sizes.is_flat ? launches_scratch(lowering, results, dtype) : of_output(ATTENTION_Y);
    if (result == OK)
        result = add_scores(site, lowering, &sizes, &of, dtype, error);
    if (result == OK)
        result = add_softmax(site, lowering, &sizes, &of, dtype, error);
    if (result != OK)
        return result;
    const struct launch_operand operand[3] = {of.y, of.weights, of.v};
    if (!add_product(site, lowering, &sizes, sizes.value_size, sizes.keys, false, operand, dtype,
                     error))
        return FAILED;
    if (!sizes.is_flat)
        return OK;
    return add_transpose(site, lowering, sizes.batch, sizes.q_heads, sizes.queries,
                         sizes.value_size, of.y, of_output(ATTENTION_Y), dtype, error);
}
