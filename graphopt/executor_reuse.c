// executor_reuse.c - how far back the last use of each operand lies, by the plan of memory.
#include "reuse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cost.h"
#include "executor_parts.h"

/* All that one run touches, launch by launch. */
struct listing {
    struct span *span;
    double *distance_bytes; /* by span */
    int count, capacity;
};

static int add_span(struct listing *listing, const void *begin, double bytes, struct error *error)
{
    if (listing->count == listing->capacity) {
        const size_t capacity = 2 * (size_t)listing->capacity + 64;
        struct span *span = realloc(listing->span, capacity * sizeof *span);
        if (!span)
            return error_set(error, FAULT_ENVIRONMENT,
                             "out of memory for the distances between uses");
        listing->span = span;
        listing->capacity = (int)capacity;
    }
    listing->span[listing->count++] = (struct span){begin, bytes};
    return OK;
}

/* ---- what a step touches ---- */

/* Memory of a call that is no operand: what it keeps of weights that are not packed before the run,
 * its workspace, and its code. */
enum { ROOMS = 3 };

/* Its operands, then its rooms. Of weights that were packed it is the packed ones. */
static int list_call(struct listing *listing, const struct executor *executor,
                     const struct step *step, const struct kernel_call *call, struct error *error)
{
    struct operand operand[KERNEL_OPERANDS_MAX];
    const struct launch *launch = call->launch;
    const int count = launch->kernel->operands(&launch->shape, operand);
    int result = OK;
    for (int i = 0; i < count && result == OK; i++) {
        const bool is_packed = call->is_packed && strcmp(operand[i].name, "weights") == 0;
        result =
            is_packed
                ? add_span(listing, call->kept, call->kept_bytes, error)
                : add_span(listing, step_operand(executor, step, &launch->operand[i]),
                           operand[i].elements * operand_element_bytes(&operand[i], launch->dtype),
                           error);
    }
    if (result == OK)
        result = add_span(listing, call->kept, call->is_packed ? 0 : call->kept_bytes, error);
    if (result == OK)
        result = add_span(listing, call->workspace, call->workspace_bytes, error);
    if (result == OK) /* the page of its entry stands for all of it */
        result = add_span(listing, (const void *)(uintptr_t)call->body, 1, error);
    return result;
}

static int list_value(struct listing *listing, const struct executor *executor, int tensor,
                      struct error *error)
{
    const struct array *value = tensor >= 0 ? &executor->value[tensor] : NULL;
    const long bytes = value && value->data ? type_bytes(&value->type) : 0;
    return add_span(listing, value ? value->data : NULL, bytes > 0 ? (double)bytes : 0, error);
}

static int list_values(struct listing *listing, const struct executor *executor,
                       const struct step *step, struct error *error)
{
    const struct node *node = step->site.node;
    int result = OK;
    for (int i = 0; i < node->output_count && result == OK; i++)
        result = list_value(listing, executor, node->outputs[i], error);
    for (int i = 0; i < node->input_count && result == OK; i++)
        result = list_value(listing, executor, node->inputs[i], error);
    return result;
}

static int list_step(struct listing *listing, const struct executor *executor,
                     const struct step *step, struct error *error)
{
    int result = OK;
    if (step->kind == STEP_PLAIN)
        return list_values(listing, executor, step, error);
    for (int i = 0; i < step->lowering.launch_count && result == OK; i++)
        result = list_call(listing, executor, step, &step->calls[i], error);
    return result;
}

/* ---- what follows from it ---- */

/* The result of a launch in place comes with the operand that it overwrites. */
static void note_call(struct operand_reuse *reuse, const struct kernel_call *call,
                      const struct span *span, const double *distance_bytes)
{
    for (int i = 0; i < call->operand_count; i++) {
        const bool is_target = i > 0 && span[i].begin == span[0].begin && span[i].bytes > 0;
        reuse[i] = (struct operand_reuse){distance_bytes[is_target ? 0 : i], is_target};
    }
}

/* The mean over the bytes of all values. */
static struct operand_reuse mean_of(const struct span *span, const double *distance_bytes,
                                    int count)
{
    double weighed = 0, bytes = 0;
    for (int i = 0; i < count; i++)
        if (span[i].bytes > 0) {
            weighed += span[i].bytes * distance_bytes[i];
            bytes += span[i].bytes;
        }
    return (struct operand_reuse){bytes > 0 ? weighed / bytes : 0, false};
}

/* Goes through the run once more; where `notes`, steps learn the distances. */
static void touch_all(struct executor *executor, const struct listing *listing, struct reuse *reuse,
                      bool notes)
{
    const struct sequence *sequence = &executor->sequence[0];
    int at = 0;
    for (int i = 0; i < sequence->count; i++) {
        struct step *step = &sequence->steps[i];
        const struct node *node = step->site.node;
        if (step->kind == STEP_PLAIN) {
            const int count = node->output_count + node->input_count;
            reuse_touch(reuse, &listing->span[at], count, &listing->distance_bytes[at]);
            if (notes)
                *step->reuse = mean_of(&listing->span[at], &listing->distance_bytes[at], count);
            at += count;
        }
        for (int k = 0; k < step->lowering.launch_count; k++) {
            const struct kernel_call *call = &step->calls[k];
            const int count = call->operand_count + ROOMS;
            reuse_touch(reuse, &listing->span[at], count, &listing->distance_bytes[at]);
            at += count;
            if (!notes)
                continue;
            note_call(&step->reuse[k * KERNEL_OPERANDS_MAX], call, &listing->span[at - count],
                      &listing->distance_bytes[at - count]);
            step->code_distance_bytes[k] = listing->distance_bytes[at - 1];
        }
    }
}

static int open_step(struct executor *executor, struct step *step, struct error *error)
{
    const size_t launches = (size_t)step->lowering.launch_count;
    const size_t count = step->kind == STEP_PLAIN ? 1 : launches * KERNEL_OPERANDS_MAX;
    if (count == 0 || step->reuse)
        return OK;
    step->reuse = arena_take_array(&executor->arena, count, sizeof *step->reuse);
    if (launches > 0)
        step->code_distance_bytes =
            arena_take_array(&executor->arena, launches, sizeof *step->code_distance_bytes);
    return step->reuse && (launches == 0 || step->code_distance_bytes)
               ? OK
               : error_set(error, FAULT_ENVIRONMENT,
                           "out of memory for the distances between uses");
}

int executor_find_reuse(struct executor *executor, struct error *error)
{
    const struct sequence *sequence = &executor->sequence[0];
    struct listing listing = {.span = NULL};
    struct reuse reuse = {.page_bytes = 0};
    int result = OK;
    for (int i = 0; i < sequence->count && result == OK; i++) {
        result = open_step(executor, &sequence->steps[i], error);
        if (result == OK)
            result = list_step(&listing, executor, &sequence->steps[i], error);
    }
    listing.distance_bytes = calloc((size_t)listing.count + 1, sizeof *listing.distance_bytes);
    if (result == OK && !listing.distance_bytes)
        result =
            error_set(error, FAULT_ENVIRONMENT, "out of memory for the distances between uses");
    if (result == OK)
        result = reuse_open(&reuse, listing.span, listing.count, 2, error);
    for (int run = 0; run < 2 && result == OK; run++)
        touch_all(executor, &listing, &reuse, run > 0);
    reuse_close(&reuse);
    free(listing.span);
    free(listing.distance_bytes);
    return result;
}
