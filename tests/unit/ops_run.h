// ops_run.h - runs the kernel calls that a node was lowered to, on one thread.
#ifndef ROOFLINE_OPS_RUN_H
#define ROOFLINE_OPS_RUN_H

#include <stdlib.h>

#include "op.h"
#include "team.h"

/* A core of a server of these years; the sizes only choose blocks. */
static const struct cache_sizes ops_run_caches = {0x1p15, 0x1p20, 0x1p21, 0x1p25};

static void *ops_run_operand(const struct site *site, const struct launch_operand *operand,
                             char *scratch)
{
    switch (operand->source) {
    case SOURCE_INPUT:
        return (char *)site->input[operand->index].data + operand->offset_bytes;
    case SOURCE_OUTPUT:
        return (char *)site->output[operand->index].data + operand->offset_bytes;
    case SOURCE_SCRATCH:
        return scratch + operand->offset_bytes;
    default:
        return (void *)(uintptr_t)operand->constant;
    }
}

static void ops_run_body(void *context, struct member member)
{
    const struct launch *launch = ((void **)context)[0];
    struct call *call = ((void **)context)[1];
    const enum isa isa = isa_best();
    const struct variant *variant =
        launch->variant ? variant_find(launch->kernel, launch->variant) : launch->kernel->variants;
    call->member = member;
    if (variant->prepare[isa][launch->dtype])
        variant->prepare[isa][launch->dtype](call);
    variant->bodies[isa][launch->dtype](call);
}

/* What a variant needs of it, and a line more; NULL: memory is out. */
static void *ops_run_room(const struct launch *launch, room_function *room,
                          const struct cache_sizes *caches)
{
    const double bytes = room ? room(&launch->shape, isa_best(), launch->dtype, 1, caches) : 0;
    return aligned_alloc(64, ((size_t)bytes + 127) / 64 * 64);
}

/* One launch; false where memory is out. */
static bool run_launch(const struct site *site, const struct launch *launch, char *scratch)
{
    const struct variant *variant =
        launch->variant ? variant_find(launch->kernel, launch->variant) : launch->kernel->variants;
    struct operand operand[KERNEL_OPERANDS_MAX];
    struct call call = {.shape = &launch->shape, .caches = ops_run_caches};
    const int count = launch->kernel->operands(&launch->shape, operand);
    for (int i = 0; i < count; i++)
        call.operand[i] = ops_run_operand(site, &launch->operand[i], scratch);
    call.outputs = (long)operand[0].elements;
    call.kept = ops_run_room(launch, variant->kept, &call.caches);
    call.workspace = ops_run_room(launch, variant->workspace, &call.caches);
    const bool is_room = call.kept && call.workspace;
    void *context[] = {(void *)(uintptr_t)launch, &call};
    if (is_room)
        team_run(ops_run_body, context, 1);
    free(call.kept);
    free(call.workspace);
    return is_room;
}

/* All launches, into the outputs of the site, which have memory; false where memory is out. */
static inline bool run_lowering(const struct site *site, const struct lowering *lowering)
{
    char *scratch = aligned_alloc(64, (lowering->scratch_bytes + 127) / 64 * 64);
    struct site values = *site;
    struct error error;
    bool is_done = scratch != NULL;
    if (is_done && lowering->look_up)
        is_done = lowering->look_up(&values, scratch, &error) == OK;
    for (int i = 0; i < lowering->launch_count && is_done; i++)
        is_done = run_launch(site, &lowering->launch[i], scratch);
    free(scratch);
    return is_done;
}

#endif
