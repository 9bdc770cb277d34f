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

/* What a node is lowered from and to. */
struct plan {
    const struct site *site;
    struct lowering *lowering;
    struct attention sizes;
    enum dtype dtype;
    struct error *error;
};

static struct launch *start(const struct plan *plan, const char *kernel)
{
    return launches_add(plan->site, plan->lowering, kernel, plan->dtype, plan->error);
}

/* What is added to all scores, as an array like them; SKIPPED where a query sees no key. */
static int make_bias(const struct plan *plan, struct launch_operand *operand)
{
    const struct attention *sizes = &plan->sizes;
    const struct bias bias = attention_bias(plan->site, sizes);
    const long rows = sizes->batch * sizes->q_heads * sizes->queries;
    const int result =
        launches_fill(plan->site, operand, rows * sizes->keys, 0, plan->dtype, plan->error);
    if (result != OK)
        return result;
    void *values = (void *)(uintptr_t)operand->constant; /* ours until now */
    for (long i = 0; i < rows; i++) {
        bool sees_any = false;
        for (long j = 0; j < sizes->keys; j++) {
            const double value =
                bias_at(&bias, i / sizes->queries / sizes->q_heads,
                        i / sizes->queries % sizes->q_heads, i % sizes->queries, j);
            real_put(values, plan->dtype, i * sizes->keys + j, value);
            sees_any = sees_any || value != -INFINITY;
        }
        if (!sees_any)
            return error_skip(plan->error, "kernel 'softmax' makes NaN of a row that sees nothing");
    }
    return OK;
}

/* Swaps the two dims in the middle: length and heads of a flat operand, or back. */
static int add_transpose(const struct plan *plan, const long dims[4], struct launch_operand from,
                         struct launch_operand to)
{
    return launches_transpose(plan->site, plan->lowering, dims, "0213", from, to, plan->dtype,
                              plan->error);
}

/* Input `i`, whose dims are these where it is flat, with its heads one behind the other. */
static int arrange(const struct plan *plan, int i, const long dims[4],
                   struct launch_operand *operand)
{
    if (!plan->sizes.is_flat)
        return OK;
    const struct launch_operand from = *operand;
    *operand =
        launches_scratch(plan->lowering, type_elements(&plan->site->input[i].type), plan->dtype);
    return add_transpose(plan, dims, from, *operand);
}

struct operands {
    struct launch_operand q, k, v, y, scores, weights;
};

static int arrange_all(const struct plan *plan, struct operands *of)
{
    const struct attention *sizes = &plan->sizes;
    const long q[] = {sizes->batch, sizes->queries, sizes->q_heads, sizes->size};
    const long k[] = {sizes->batch, sizes->keys, sizes->kv_heads, sizes->size};
    const long v[] = {sizes->batch, sizes->keys, sizes->kv_heads, sizes->value_size};
    int result = arrange(plan, ATTENTION_Q, q, &of->q);
    if (result == OK)
        result = arrange(plan, ATTENTION_K, k, &of->k);
    return result == OK ? arrange(plan, ATTENTION_V, v, &of->v) : result;
}

/* operand[0] = operand[1] op(operand[2]), `n` columns as sums over `k`. */
static struct launch *add_product(const struct plan *plan, long n, long k, bool transb,
                                  const struct launch_operand operand[3])
{
    const struct attention *sizes = &plan->sizes;
    struct launch *launch = start(plan, "gemm");
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

/* Scores, with what is added to them. */
static int add_scores(const struct plan *plan, const struct operands *of)
{
    const struct node *node = plan->site->node;
    const bool is_biased = site_input(plan->site, ATTENTION_MASK) ||
                           node_integer(node, "is_causal", 0) ||
                           node_integer(node, "left_window_size", -1) >= 0 ||
                           node_integer(node, "right_window_size", -1) >= 0;
    const struct launch_operand operand[3] = {of->scores, of->q, of->k};
    struct launch_operand zeros, bias;
    int result = OK;
    if (is_biased)
        result = make_bias(plan, &bias);
    if (is_biased && result == OK)
        result = launches_fill(plan->site, &zeros, plan->sizes.keys, 0, plan->dtype, plan->error);
    if (result != OK)
        return result;
    struct launch *launch = add_product(plan, plan->sizes.keys, plan->sizes.size, true, operand);
    if (launch && is_biased) {
        launch_letter(launch, "epilogue", EPILOGUE_bias_add);
        launch->operand[3] = zeros;
        launch->operand[4] = bias;
    }
    return launch ? OK : FAILED;
}

static int add_softmax(const struct plan *plan, const struct operands *of)
{
    const struct attention *sizes = &plan->sizes;
    struct launch *launch = start(plan, "softmax");
    if (!launch)
        return FAILED;
    launch_letter(launch, "rows", sizes->batch * sizes->q_heads * sizes->queries);
    launch_letter(launch, "columns", sizes->keys);
    launch->operand[0] = of->weights;
    launch->operand[1] = of->scores;
    return OK;
}

/* Products with values, back in the order of a flat output. */
static int add_results(const struct plan *plan, const struct operands *of)
{
    const struct attention *sizes = &plan->sizes;
    const struct launch_operand operand[3] = {of->y, of->weights, of->v};
    const long dims[] = {sizes->batch, sizes->q_heads, sizes->queries, sizes->value_size};
    if (!add_product(plan, sizes->value_size, sizes->keys, false, operand))
        return FAILED;
    return sizes->is_flat ? add_transpose(plan, dims, of->y, of_output(ATTENTION_Y)) : OK;
}

int attention_lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    struct plan plan = {.site = site, .lowering = lowering, .error = error};
    struct operands of = {.k = of_input(ATTENTION_K), .v = of_input(ATTENTION_V)};
    const struct attention *sizes = &plan.sizes;
    if (element_dtype(site->output[ATTENTION_Y].type.element, &plan.dtype, error) != OK ||
        check(site, error) != OK)
        return SKIPPED;
    if (site->input[ATTENTION_V].type.element != site->output[ATTENTION_Y].type.element)
        return error_skip(error, "kernels have operands of one element");
    if (attention_read(site, &plan.sizes, error) != OK)
        return FAILED;
    const long scores = sizes->batch * sizes->q_heads * sizes->queries * sizes->keys;
    const long results = type_elements(&site->output[ATTENTION_Y].type);
    if (scores == 0)
        return error_skip(error, "there are no scores");
    int result =
        launches_scaled(site, lowering, ATTENTION_Q, attention_scale(site, sizes), &of.q, error);
    if (result == OK)
        result = arrange_all(&plan, &of);
    of.scores = launches_scratch(lowering, scores, plan.dtype);
    of.weights = launches_scratch(lowering, scores, plan.dtype);
    of.y =
        sizes->is_flat ? launches_scratch(lowering, results, plan.dtype) : of_output(ATTENTION_Y);
    if (result == OK)
        result = add_scores(&plan, &of);
    if (result == OK)
        result = add_softmax(&plan, &of);
    return result == OK ? add_results(&plan, &of) : result;
}
