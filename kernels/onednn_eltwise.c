// onednn_eltwise.c - arrays element by element by oneDNN.
#include <string.h>

#include "onednn.h"
#include "onednn_plan.h"

static int prepare(const struct problem *problem, const struct opened_library *opened,
                   struct onednn_work work, void **plan, struct error *error)
{
    const char *name = problem->kernel->name;
    const int64_t n = kernel_letter(problem->kernel, problem->shape, "n");
    work.function = name;
    if (strcmp(name, "leaky_relu") == 0)
        work.a = 0.01;
    if (strcmp(name, "clip") == 0)
        work.b = 6;
    onednn_append(&work, ONEDNN_DESTINATION, problem->operand[0], 1, &n);
    onednn_append(&work, ONEDNN_SOURCE, problem->operand[1], 1, &n);
    if (work.kind == ONEDNN_BINARY)
        onednn_append(&work, ONEDNN_SOURCE_1, problem->operand[2], 1, &n);
    return onednn_prepare(problem, opened, &work, plan, error);
}

static int prepare_eltwise(const struct problem *problem, const struct opened_library *opened,
                           void **plan, struct error *error)
{
    return prepare(problem, opened, (struct onednn_work){.kind = ONEDNN_ELTWISE}, plan, error);
}

static int prepare_binary(const struct problem *problem, const struct opened_library *opened,
                          void **plan, struct error *error)
{
    return prepare(problem, opened, (struct onednn_work){.kind = ONEDNN_BINARY}, plan, error);
}

const struct routine onednn_eltwise = ONEDNN_ROUTINE(prepare_eltwise);
const struct routine onednn_binary = ONEDNN_ROUTINE(prepare_binary);
