// onednn_rows.c - rows of a matrix, and one axis of an array, by oneDNN.
#include "onednn.h"
#include "onednn_plan.h"

#define LETTER(name) const int64_t name = kernel_letter(problem->kernel, problem->shape, #name)

static int prepare_rows(const struct problem *problem, const struct opened_library *opened,
                        struct onednn_work work, void **plan, struct error *error)
{
    LETTER(rows);
    LETTER(columns);
    onednn_append(&work, ONEDNN_DESTINATION, problem->operand[0], 2, (int64_t[]){rows, columns});
    onednn_append(&work, ONEDNN_SOURCE, problem->operand[1], 2, (int64_t[]){rows, columns});
    if (work.kind == ONEDNN_LAYERNORM) {
        onednn_append(&work, ONEDNN_SCALE, problem->operand[2], 1, &columns);
        onednn_append(&work, ONEDNN_SHIFT, problem->operand[3], 1, &columns);
        work.a = real_at(problem->operand[4], problem->dtype, 0);
    }
    return onednn_prepare(problem, opened, &work, plan, error);
}

static int prepare_softmax(const struct problem *problem, const struct opened_library *opened,
                           void **plan, struct error *error)
{
    return prepare_rows(problem, opened, (struct onednn_work){.kind = ONEDNN_SOFTMAX}, plan, error);
}

static int prepare_log_softmax(const struct problem *problem, const struct opened_library *opened,
                               void **plan, struct error *error)
{
    LETTER(columns);
    if (columns == 1) /* 1.4e-6 by 2.6.3 */
        return error_skip(error, "oneDNN's logarithm of a sum of 1 is not 0, which is all that a "
                                 "row of one element has");
    return prepare_rows(problem, opened, (struct onednn_work){.kind = ONEDNN_LOG_SOFTMAX}, plan,
                        error);
}

static int prepare_layernorm(const struct problem *problem, const struct opened_library *opened,
                             void **plan, struct error *error)
{
    return prepare_rows(problem, opened, (struct onednn_work){.kind = ONEDNN_LAYERNORM}, plan,
                        error);
}

static int prepare_reduce(const struct problem *problem, const struct opened_library *opened,
                          void **plan, struct error *error)
{
    /* In the order of the letter's words. */
    static const enum onednn_algorithm algorithms[] = {ONEDNN_REDUCTION_SUM, ONEDNN_REDUCTION_MEAN,
                                                       ONEDNN_REDUCTION_MAX, ONEDNN_REDUCTION_MIN,
                                                       ONEDNN_REDUCTION_NORM};
    LETTER(outer);
    LETTER(axis);
    LETTER(inner);
    LETTER(op);
    struct onednn_work work = {.kind = ONEDNN_REDUCTION, .algorithm = algorithms[op], .a = 2};
    onednn_append(&work, ONEDNN_DESTINATION, problem->operand[0], 3, (int64_t[]){outer, 1, inner});
    onednn_append(&work, ONEDNN_SOURCE, problem->operand[1], 3, (int64_t[]){outer, axis, inner});
    return onednn_prepare(problem, opened, &work, plan, error);
}

const struct routine onednn_softmax = ONEDNN_ROUTINE(prepare_softmax);
const struct routine onednn_log_softmax = ONEDNN_ROUTINE(prepare_log_softmax);
const struct routine onednn_layernorm = ONEDNN_ROUTINE(prepare_layernorm);
const struct routine onednn_reduce = ONEDNN_ROUTINE(prepare_reduce);
