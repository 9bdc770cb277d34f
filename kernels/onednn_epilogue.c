// onednn_epilogue.c - epilogues as oneDNN has them: a bias of the primitive, then post-ops.
#include <string.h>

#include "epilogue.h"
#include "onednn_plan.h"

static const char *const names[] = {
#define X(name, ...) [STEP_##name] = #name,
    STEP_BINARY_LIST(X) STEP_UNARY_LIST(X)
#undef X
};

static const struct onednn_tensor *destination_of(const struct onednn_work *work)
{
    const struct onednn_tensor *tensor = work->tensor;
    while (tensor->argument != ONEDNN_DESTINATION)
        tensor++;
    return tensor;
}

/* One element per channel, with as many dimensions as the destination. */
static void append_channels(struct onednn_work *work, int argument, void *bytes, int channels)
{
    const struct onednn_tensor *destination = destination_of(work);
    onednn_sizes sizes;
    for (int i = 0; i < destination->rank; i++)
        sizes[i] = i == channels ? destination->sizes[i] : 1;
    onednn_append(work, argument, bytes, destination->rank, sizes)->constant = true;
}

static void append_operand(struct onednn_work *work, const struct step *step, void *bytes,
                           int channels)
{
    const int argument = ONEDNN_POST_OP * work->post_ops | ONEDNN_SOURCE_1;
    if (step->span != SPAN_element) {
        append_channels(work, argument, bytes, channels);
        return;
    }
    struct onednn_tensor *tensor = &work->tensor[work->tensors++];
    *tensor = *destination_of(work);
    tensor->argument = argument;
    tensor->bytes = bytes;
}

void onednn_append_epilogue(struct onednn_work *work, const struct problem *problem, int first,
                            int channels)
{
    struct call call = {.shape = problem->shape};
    struct step steps[EPILOGUE_STEPS];
    memcpy(call.operand, problem->operand, sizeof call.operand);
    epilogue_steps(&call, (enum epilogue)kernel_letter(problem->kernel, problem->shape, "epilogue"),
                   first, SPAN_column, steps);
    for (const struct step *step = steps; step->kind != STEP_END; step++) {
        const bool binary = step_is_binary(step->kind);
        void *bytes = binary ? problem->operand[first++] : NULL;
        if (step == steps && work->post_ops == 0 && step->kind == STEP_add &&
            step->span == SPAN_column) {
            if (work->kind == ONEDNN_CONVOLUTION)
                onednn_append(work, ONEDNN_BIAS, bytes, 1, &destination_of(work)->sizes[channels])
                    ->constant = true;
            else
                append_channels(work, ONEDNN_BIAS, bytes, channels);
            continue;
        }
        work->post_op[work->post_ops++] =
            (struct onednn_post_op){.kind = binary ? ONEDNN_WITH_TENSOR : ONEDNN_FUNCTION,
                                    .function = names[step->kind],
                                    .a = step->a,
                                    .b = step->b};
        if (binary)
            append_operand(work, step, bytes, channels);
    }
}
