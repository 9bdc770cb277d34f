// variadic.c - Sum, Max, Min and Mean of any number of arrays that broadcast to each other.
#include <math.h>

#include "fused_parts.h"
#include "moves.h"
#include "operands.h"
#include "wide.h"

enum kind { KIND_SUM, KIND_MEAN, KIND_MAX, KIND_MIN };

static enum kind kind_of(const struct site *site)
{
    return *(const enum kind *)site->node->op->detail;
}

static int infer(struct site *site, struct error *error)
{
    const struct type *first = &site->input[0].type;
    struct type *out = &site->output[0].type;
    *out = *first;
    if (site_needs_all(site, error) != OK)
        return FAILED;
    for (int i = 0; i < site->node->input_count; i++) {
        const struct type in = site_type(site, i), so_far = *out;
        if (in.element != ELEMENT_NONE && !element_is_real(in.element) &&
            !element_is_whole(in.element))
            return error_set(error, FAULT_IO, "there is no %s of elements '%s'", site->node->type,
                             element_name(in.element));
        if (in.element != ELEMENT_NONE && so_far.element != ELEMENT_NONE &&
            in.element != so_far.element)
            return error_set(error, FAULT_IO, "input %d has elements '%s', those before it '%s'", i,
                             element_name(in.element), element_name(so_far.element));
        if (i > 0 && type_broadcast(&so_far, &in, out, error) != OK)
            return FAILED;
        if (out->element == ELEMENT_NONE)
            out->element = in.element;
    }
    return OK;
}

/* A NaN stays, as in numpy. */
static double real_joined(enum kind kind, double y, double x)
{
    if (kind == KIND_MAX)
        return isnan(y) || y > x ? y : x;
    if (kind == KIND_MIN)
        return isnan(y) || y < x ? y : x;
    return y + x;
}

static wide whole_joined(enum kind kind, wide y, wide x)
{
    if (kind == KIND_MAX)
        return y > x ? y : x;
    if (kind == KIND_MIN)
        return y < x ? y : x;
    return y + x;
}

/* Offsets of an output's element in the inputs. */
struct places {
    int rank;
    long (*stride)[RANK_MAX];
};

static double real_of(const struct site *site, const struct places *places, const long *at)
{
    double y = 0;
    for (int k = 0; k < site->node->input_count; k++) {
        const struct array *in = &site->input[k];
        const double x = element_real(in->data, in->type.element,
                                      place_offset(places->rank, places->stride[k], at));
        y = k ? real_joined(kind_of(site), y, x) : x;
    }
    return kind_of(site) == KIND_MEAN ? y / site->node->input_count : y;
}

static wide whole_of(const struct site *site, const struct places *places, const long *at)
{
    wide y = 0;
    for (int k = 0; k < site->node->input_count; k++) {
        const struct array *in = &site->input[k];
        const wide x =
            wide_at(in->data, in->type.element, place_offset(places->rank, places->stride[k], at));
        y = k ? whole_joined(kind_of(site), y, x) : x;
    }
    return kind_of(site) == KIND_MEAN ? y / site->node->input_count : y;
}

static int evaluate(struct site *site, struct error *error)
{
    struct array *out = &site->output[0];
    const long count = type_elements(&out->type);
    long at[RANK_MAX] = {0};
    const struct places places = {
        out->type.rank,
        arena_take_array(site->arena, (size_t)site->node->input_count, sizeof *places.stride)};
    if (!places.stride)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (int k = 0; k < site->node->input_count; k++)
        broadcast_strides(&site->input[k].type, &out->type, places.stride[k]);
    for (long i = 0; i < count; i++) {
        if (element_is_real(out->type.element))
            element_put_real(out->data, out->type.element, i, real_of(site, &places, at));
        else
            wide_put(out->data, out->type.element, i, whole_of(site, &places, at));
        place_next(&out->type, at);
    }
    return OK;
}

/* The first two of a sum. */
static int lower_sum(const struct site *site, struct lowering *lowering, enum dtype dtype,
                     struct error *error)
{
    struct launch *launch = launches_add(site, lowering, "add", dtype, error);
    if (!launch)
        return FAILED;
    launch_letter(launch, "n", type_elements(&site->output[0].type));
    for (int i = 0; i < 3; i++)
        launch->operand[i] = i ? of_input(i - 1) : of_output(0);
    return OK;
}

/* An input that has all elements goes through a step with each other one. Where there is none, the
 * first is written out as often as the result has it. */
static int lower_steps(const struct site *site, struct lowering *lowering, struct error *error)
{
    static const enum step_kind kinds[] = {[KIND_SUM] = STEP_add,
                                           [KIND_MEAN] = STEP_add,
                                           [KIND_MAX] = STEP_larger,
                                           [KIND_MIN] = STEP_smaller};
    const struct type *out = &site->output[0].type;
    struct fused_steps steps = {.count = 0};
    struct launch_operand from = of_output(0);
    int first = 0, result = OK;
    if (site->node->input_count > FUSED_STEPS_MAX + 1)
        return error_skip(error, "a chain of kernels has %d inputs at most", FUSED_STEPS_MAX + 1);
    while (first < site->node->input_count && !dims_equal(&site->input[first].type, out))
        first++;
    if (first < site->node->input_count) {
        from = of_input(first);
    } else {
        first = 0;
        const struct move move = move_broadcast(&site->input[0].type, out);
        result = move_lower(site, lowering, &move, 0, 0, error);
    }
    for (int i = 0; i < site->node->input_count; i++)
        if (i != first)
            steps.step[steps.count++] = (struct fused_step){kinds[kind_of(site)], i};
    return result == OK ? fused_lower_chain(site, lowering, &steps, 0, from, error) : result;
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct type *out = &site->output[0].type;
    const int count = site->node->input_count;
    enum dtype dtype;
    if (element_dtype(out->element, &dtype, error) != OK)
        return SKIPPED;
    if (count == 1)
        return view_lower(site, lowering, error);
    const bool is_pair = count == 2 && dims_equal(&site->input[0].type, out) &&
                         dims_equal(&site->input[1].type, out);
    const bool adds = kind_of(site) == KIND_SUM || kind_of(site) == KIND_MEAN;
    const int result = is_pair && adds ? lower_sum(site, lowering, dtype, error)
                                       : lower_steps(site, lowering, error);
    if (result != OK || kind_of(site) != KIND_MEAN)
        return result;
    return launches_multiply(site, lowering, type_elements(out), of_output(0), 1.0 / count,
                             of_output(0), dtype, error);
}

static double flops(const struct site *site)
{
    return (double)(site->node->input_count - 1 + (kind_of(site) == KIND_MEAN)) *
           (double)type_elements(&site->output[0].type);
}

#define VARIADIC(member, kind_value, formula)                                                      \
    static const enum kind member##_kind = kind_value;                                             \
    const struct op onnx_##member##_op = {                                                         \
        .domain = "",                                                                              \
        .name = #member,                                                                           \
        .summary = formula,                                                                        \
        .inputs_min = 1,                                                                           \
        .inputs_max = OP_VARIADIC,                                                                 \
        .outputs_min = 1,                                                                          \
        .outputs_max = 1,                                                                          \
        .infer = infer,                                                                            \
        .evaluate = evaluate,                                                                      \
        .lower = lower,                                                                            \
        .flops = flops,                                                                            \
        .detail = &member##_kind,                                                                  \
    };
VARIADIC(Sum, KIND_SUM, "y = x0 + x1 + ...")
VARIADIC(Mean, KIND_MEAN, "y = (x0 + x1 + ...) / their number")
VARIADIC(Max, KIND_MAX, "y = the largest of x0, x1, ...")
VARIADIC(Min, KIND_MIN, "y = the smallest of x0, x1, ...")
