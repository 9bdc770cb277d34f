// executor_memory.c - where all values lie: lifetimes over the order of execution, what is computed
// in place, and the workspaces of kernels.
#include <stdlib.h>
#include <string.h>

#include "executor_parts.h"
#include "memory_plan.h"

struct planning {
    struct executor *executor;
    bool reuses;
    int *node_end; /* by node: the moment at which it has run */
    int *index;    /* by tensor: of `lifetimes`, -1: it has no memory of the plan */
    size_t *shift; /* by tensor: where its memory begins in what it took over in place */
    struct lifetime *lifetimes;
    int count;
    struct step **scratch; /* steps whose scratch follows behind the tensors' lifetimes */
    int scratch_count;
};

typedef void step_function(struct planning *planning, struct step *step);

/* All steps in order of their moments. */
static void each_step(struct planning *planning, int block, step_function *function)
{
    const struct graph *graph = planning->executor->graph;
    const struct sequence *sequence = &planning->executor->sequence[block];
    for (int i = 0; i < sequence->count; i++) {
        struct step *step = &sequence->steps[i];
        const struct node *node = graph->node[step->node];
        function(planning, step);
        for (int a = 0; a < node->attribute_count; a++)
            if (node->attributes[a].kind == ATTRIBUTE_BLOCK && step->kind == STEP_CONTROL)
                each_step(planning, node->attributes[a].block, function);
    }
}

/* ---- lifetimes ---- */

static void note_end(struct planning *planning, struct step *step)
{
    planning->node_end[step->node] = step->end;
}

/* When the use is over: of a use inside a subgraph when its owner has run, as loops come back. */
static int use_end(const struct planning *planning, const struct tensor *tensor, struct use use)
{
    const struct graph *graph = planning->executor->graph;
    if (use.node == -1) /* an output of block 0 */
        return planning->executor->moments;
    int node = use.node >= 0 ? use.node : graph->block[-1 - use.node]->owner;
    while (graph->node[node]->block != tensor->block &&
           graph->block[graph->node[node]->block]->owner >= 0)
        node = graph->block[graph->node[node]->block]->owner;
    return planning->node_end[node];
}

static void open_lifetime(struct planning *planning, int tensor, int first)
{
    const struct type *type = &planning->executor->value[tensor].type;
    planning->index[tensor] = planning->count;
    planning->lifetimes[planning->count++] =
        (struct lifetime){.bytes = (size_t)type_bytes(type), .first = first, .last = first};
}

static void open_outputs(struct planning *planning, struct step *step)
{
    const struct node *node = step->site.node;
    const int *root = planning->executor->root;
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] >= 0 && (step->kind == STEP_KERNELS || step->kind == STEP_PLAIN) &&
            planning->index[root[node->outputs[i]]] < 0)
            open_lifetime(planning, root[node->outputs[i]], step->begin);
    if (step->lowering.scratch_bytes > 0)
        planning->scratch[planning->scratch_count++] = step;
}

static void extend(struct planning *planning, int tensor)
{
    const struct executor *executor = planning->executor;
    const struct tensor *of = executor->graph->tensor[tensor];
    const int index = planning->index[executor->root[tensor]];
    for (int i = 0; i < of->use_count && index >= 0; i++) {
        const int end = use_end(planning, of, of->uses[i]);
        if (end > planning->lifetimes[index].last)
            planning->lifetimes[index].last = end;
    }
}

static void find_lifetimes(struct planning *planning)
{
    struct executor *executor = planning->executor;
    const struct block *block = executor->graph->block[0];
    const int tensors = executor->graph->tensor_count;
    planning->count = planning->scratch_count = 0;
    for (int i = 0; i < tensors; i++) {
        planning->index[i] = -1;
        planning->shift[i] = 0;
    }
    each_step(planning, 0, note_end);
    for (int i = 0; i < block->input_count; i++) {
        open_lifetime(planning, block->inputs[i], 0);
        planning->lifetimes[planning->count - 1].last = executor->moments;
    }
    each_step(planning, 0, open_outputs);
    for (int i = 0; i < tensors; i++)
        if (!executor->graph->tensor[i]->is_dead)
            extend(planning, i);
    for (int i = 0; i < planning->scratch_count; i++) {
        const struct step *step = planning->scratch[i];
        planning->lifetimes[planning->count + i] = (struct lifetime){
            .bytes = step->lowering.scratch_bytes, .first = step->begin, .last = step->begin};
    }
}

/* ---- in place ---- */

/* Whether the kernel reads nothing of its first input behind what it has written. */
static bool goes_element_by_element(const struct step *step)
{
    const struct node *node = step->site.node;
    const struct launch *launch = step->lowering.launch;
    return step->kind == STEP_KERNELS && step->lowering.launch_count == 1 &&
           node->output_count == 1 && node->outputs[0] >= 0 && node->inputs[0] >= 0 &&
           (node->op->flags & (OP_UNARY | OP_BINARY)) &&
           launch->operand[0].source == SOURCE_OUTPUT && launch->operand[0].offset_bytes == 0 &&
           launch->operand[1].source == SOURCE_INPUT && launch->operand[1].index == 0 &&
           launch->operand[1].offset_bytes == 0;
}

static void share_memory(struct planning *planning, struct step *step)
{
    const struct executor *executor = planning->executor;
    const struct node *node = step->site.node;
    if (!goes_element_by_element(step))
        return;
    const int from = executor->root[node->inputs[0]], to = node->outputs[0];
    const int index = planning->index[from], own = planning->index[to];
    const struct type *in = &step->site.input[0].type, *out = &step->site.output[0].type;
    const bool is_input = executor->graph->tensor[from]->producer < 0;
    if (index < 0 || is_input || executor->root[to] != to ||
        planning->lifetimes[index].last != step->begin || in->rank != out->rank ||
        memcmp(in->dims, out->dims, (size_t)in->rank * sizeof *in->dims) ||
        type_bytes(in) != type_bytes(out))
        return;
    for (int i = 1; i < node->input_count; i++) /* another view of it may have other places */
        if (node->inputs[i] >= 0 && node->inputs[i] != node->inputs[0] &&
            planning->index[executor->root[node->inputs[i]]] == index)
            return;
    step->is_in_place = true;
    planning->lifetimes[index].last = planning->lifetimes[own].last;
    planning->lifetimes[own].bytes = 0; /* nobody's any more */
    planning->index[to] = index;
    planning->shift[to] = planning->shift[from] + executor->behind[node->inputs[0]];
}

/* ---- memory ---- */

static int place(struct planning *planning, size_t *bytes, struct error *error)
{
    find_lifetimes(planning);
    const int count = planning->count + planning->scratch_count;
    if (!planning->reuses) {
        memory_plan_apart(planning->lifetimes, count, bytes);
        return OK;
    }
    each_step(planning, 0, share_memory);
    return memory_plan(planning->lifetimes, count, bytes, error);
}

static void forget_sharing(struct planning *planning, struct step *step)
{
    (void)planning;
    step->is_in_place = false;
}

static int place_both_ways(struct planning *planning, size_t *bytes, struct error *error)
{
    struct executor *executor = planning->executor;
    const bool keeps = executor->setup.keeps_results;
    planning->reuses = keeps;
    if (place(planning, keeps ? &executor->bytes.peak_bytes : &executor->bytes.sum_bytes, error) !=
        OK)
        return FAILED;
    each_step(planning, 0, forget_sharing);
    planning->reuses = !keeps;
    if (place(planning, bytes, error) != OK)
        return FAILED;
    *(keeps ? &executor->bytes.sum_bytes : &executor->bytes.peak_bytes) = *bytes;
    return OK;
}

/* Kernels may read up to a vector behind an array, and arrays of nothing have an address too. */
static const size_t behind_bytes = 4096;

static int hand_out(struct planning *planning, struct error *error)
{
    struct executor *executor = planning->executor;
    const struct graph *graph = executor->graph;
    size_t bytes;
    if (place_both_ways(planning, &bytes, error) != OK ||
        memory_reserve(&executor->results, (double)bytes + (double)behind_bytes, graph->name,
                       executor->setup.host, error) != OK)
        return FAILED;
    char *base = executor->results.base;
    for (int i = 0; i < graph->tensor_count; i++) {
        const int root = executor->root[i], index = planning->index[root];
        if (graph->tensor[i]->is_dead)
            continue;
        if (index >= 0)
            executor->value[i].data = base + planning->lifetimes[index].offset +
                                      planning->shift[root] + executor->behind[i];
        else
            executor->value[i].data = (void *)(uintptr_t)graph->tensor[root]->data;
    }
    for (int i = 0; i < planning->scratch_count; i++)
        planning->scratch[i]->scratch = base + planning->lifetimes[planning->count + i].offset;
    return OK;
}

static int plan_results(struct executor *executor, struct error *error)
{
    const size_t tensors = (size_t)executor->graph->tensor_count;
    const size_t nodes = (size_t)executor->graph->node_count;
    struct planning planning = {
        .executor = executor,
        .node_end = calloc(nodes + 1, sizeof *planning.node_end),
        .index = calloc(tensors + 1, sizeof *planning.index),
        .shift = calloc(tensors + 1, sizeof *planning.shift),
        .lifetimes = calloc(tensors + nodes + 1, sizeof *planning.lifetimes),
        .scratch = calloc(nodes + 1, sizeof(struct step *)),
    };
    const bool has_memory = planning.node_end && planning.index && planning.shift &&
                            planning.lifetimes && planning.scratch;
    const int result = has_memory
                           ? hand_out(&planning, error)
                           : error_set(error, FAULT_ENVIRONMENT, "out of memory to plan memory");
    free(planning.node_end);
    free(planning.index);
    free(planning.shift);
    free(planning.lifetimes);
    free(planning.scratch);
    return result;
}

/* ---- constants and workspaces ---- */

/* A constant that a kernel reads begins on a line: files have them anywhere. */
static int align_constants(struct executor *executor, struct step *step, struct error *error)
{
    const struct node *node = step->site.node;
    for (int i = 0; i < node->input_count && step->kind == STEP_KERNELS; i++) {
        struct array *value = node->inputs[i] >= 0 ? &executor->value[node->inputs[i]] : NULL;
        if (!value || !value->data || !step->site.input[i].data ||
            (uintptr_t)value->data % MEMORY_PLAN_ALIGNMENT == 0)
            continue;
        const size_t bytes = (size_t)type_bytes(&value->type);
        void *copy = arena_take(&executor->arena, bytes + MEMORY_PLAN_ALIGNMENT);
        if (!copy)
            return error_set(error, FAULT_ENVIRONMENT, "out of memory for the graph's constants");
        memcpy(copy, value->data, bytes);
        value->data = copy;
    }
    return OK;
}

static size_t lines(double bytes)
{
    return ((size_t)bytes + MEMORY_PLAN_ALIGNMENT - 1) / MEMORY_PLAN_ALIGNMENT *
           MEMORY_PLAN_ALIGNMENT;
}

/* What launches need while they run, which is in one place as they come one after the other, then
 * what they keep: packed weights one behind the other, those that are packed anew for each call in
 * one place, too. */
struct rooms {
    size_t workspace, repacked, packed;
};

static void place_call(struct kernel_call *call, struct rooms *rooms)
{
    const size_t kept = lines(call->kept_bytes), workspace = lines(call->workspace_bytes);
    rooms->workspace = workspace > rooms->workspace ? workspace : rooms->workspace;
    if (call->is_packed)
        rooms->packed += call->packed_by ? 0 : kept;
    else
        rooms->repacked = kept > rooms->repacked ? kept : rooms->repacked;
}

static void give_rooms(struct kernel_call *call, char *base, const struct rooms *rooms,
                       size_t *packed_at)
{
    char *const repacked = base + rooms->workspace, *const packed = repacked + rooms->repacked;
    call->workspace = base;
    call->kept = call->packed_by   ? call->packed_by->kept
                 : call->is_packed ? packed + *packed_at
                                   : repacked;
    if (call->is_packed && !call->packed_by)
        *packed_at += lines(call->kept_bytes);
}

/* Counts; or, where `base` is given, hands out. */
static void place_workspaces(struct executor *executor, struct rooms *rooms, char *base)
{
    size_t packed_at = 0;
    for (int b = 0; b < executor->graph->block_count; b++)
        for (int i = 0; i < executor->sequence[b].count; i++) {
            struct step *step = &executor->sequence[b].steps[i];
            for (int k = 0; k < step->lowering.launch_count; k++)
                if (base)
                    give_rooms(&step->calls[k], base, rooms, &packed_at);
                else
                    place_call(&step->calls[k], rooms);
        }
}

static int open_workspaces(struct executor *executor, struct error *error)
{
    struct rooms rooms = {0};
    place_workspaces(executor, &rooms, NULL);
    executor->bytes.workspace_bytes = rooms.workspace + rooms.repacked + rooms.packed;
    if (memory_reserve(&executor->workspaces,
                       (double)executor->bytes.workspace_bytes + (double)behind_bytes,
                       executor->graph->name, executor->setup.host, error) != OK)
        return FAILED;
    place_workspaces(executor, &rooms, executor->workspaces.base);
    return OK;
}

int results_open(struct executor *executor, struct error *error)
{
    if (plan_results(executor, error) != OK)
        return FAILED;
    for (int b = 0; b < executor->graph->block_count; b++)
        for (int i = 0; i < executor->sequence[b].count; i++)
            if (align_constants(executor, &executor->sequence[b].steps[i], error) != OK)
                return FAILED;
    return open_workspaces(executor, error);
}
