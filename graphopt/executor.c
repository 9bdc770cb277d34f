// executor.c - opens and closes what runs a graph, takes its inputs and gives its outputs.
#include "executor.h"

#include <stdlib.h>
#include <string.h>

#include "executor_parts.h"

/* ---- inputs' types ---- */

static int shape_input(struct graph *graph, int tensor, const struct type *type,
                       struct error *error)
{
    struct tensor *input = graph->tensor[tensor];
    struct type merged = input->type;
    if (type_merge(&merged, type) != OK || !type_is_complete(&merged))
        return error_set(error, FAULT_USAGE, "input '%s' is %s, which cannot be %s", input->name,
                         type_format(graph, &input->type).text, type_format(graph, type).text);
    for (int i = 0; i < merged.rank && input->type.rank >= 0; i++) {
        const int symbol = input->type.symbol[i];
        if (input->type.dims[i] >= 0 || symbol == 0)
            continue;
        const long bound = graph->symbol[symbol - 1].value;
        if (bound >= 0 && bound != merged.dims[i])
            return error_set(error, FAULT_USAGE, "'%s' is %ld in one input, %ld in input '%s'",
                             graph->symbol[symbol - 1].name, bound, merged.dims[i], input->name);
        if (graph_bind(graph, graph->symbol[symbol - 1].name, merged.dims[i], error) != OK)
            return FAILED;
    }
    for (int i = 0; i < merged.rank; i++)
        merged.symbol[i] = 0;
    input->type = merged;
    return OK;
}

int executor_shape_inputs(struct graph *graph, const struct type *types, int count,
                          struct error *error)
{
    const struct block *block = graph->block[0];
    if (count != block->input_count)
        return error_set(error, FAULT_USAGE, "the graph has %d inputs, %d are given",
                         block->input_count, count);
    for (int i = 0; i < count; i++)
        if (shape_input(graph, block->inputs[i], &types[i], error) != OK)
            return FAILED;
    return graph_infer(graph, error);
}

/* ---- life ---- */

/* What is not complete cannot have memory. */
static int check_inputs(const struct graph *graph, struct error *error)
{
    const struct block *block = graph->block[0];
    for (int i = 0; i < block->input_count; i++) {
        const struct tensor *input = graph->tensor[block->inputs[i]];
        if (!type_is_complete(&input->type) || input->type.element == ELEMENT_NONE)
            return error_set(error, FAULT_USAGE,
                             "input '%s' is %s; give all its dimensions to run the graph",
                             input->name, type_format(graph, &input->type).text);
    }
    return OK;
}

static int open_lists(struct executor *executor, struct error *error)
{
    struct arena *arena = &executor->arena;
    const size_t tensors = (size_t)executor->graph->tensor_count + 1;
    const size_t blocks = (size_t)executor->graph->block_count;
    executor->sequence = arena_take_array(arena, blocks, sizeof *executor->sequence);
    executor->value = arena_take_array(arena, tensors, sizeof *executor->value);
    executor->is_planned = arena_take_array(arena, tensors, sizeof *executor->is_planned);
    executor->root = arena_take_array(arena, tensors, sizeof *executor->root);
    executor->behind = arena_take_array(arena, tensors, sizeof *executor->behind);
    executor->is_placed = arena_take_array(arena, tensors, sizeof *executor->is_placed);
    if (!executor->sequence || !executor->value || !executor->is_planned || !executor->root ||
        !executor->behind || !executor->is_placed)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory to run the graph");
    return OK;
}

static void pack_weights(void *context, struct member member)
{
    struct walker walker = {.executor = context, .member = member};
    walk_packing(&walker);
}

static void set_fallbacks(struct executor *executor)
{
    const struct graph *graph = executor->graph;
    const struct block *block = graph->block[0];
    for (int i = 0; i < block->input_count; i++) {
        const struct tensor *input = graph->tensor[block->inputs[i]];
        if (input->fallback)
            memcpy(executor->value[block->inputs[i]].data, input->fallback,
                   (size_t)type_bytes(&input->type));
    }
}

int executor_open(struct executor **executor, const struct graph *graph,
                  const struct executor_setup *setup, struct error *error)
{
    *executor = NULL;
    struct executor *opened = calloc(1, sizeof *opened);
    if (!opened)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory to run the graph");
    opened->graph = graph;
    opened->setup = *setup;
    if (check_inputs(graph, error) != OK || open_lists(opened, error) != OK ||
        steps_open(opened, error) != OK || results_open(opened, error) != OK) {
        executor_close(opened);
        return FAILED;
    }
    set_fallbacks(opened);
    team_run(pack_weights, opened, setup->threads);
    *executor = opened;
    return OK;
}

void executor_close(struct executor *executor)
{
    if (!executor)
        return;
    memory_release(&executor->results);
    memory_release(&executor->workspaces);
    arena_free(&executor->arena);
    arena_free(&executor->run);
    arena_free(&executor->again);
    arena_free(&executor->scratch);
    free(executor);
}

/* ---- values ---- */

int executor_set_input(struct executor *executor, int i, const struct array *value,
                       struct error *error)
{
    const struct graph *graph = executor->graph;
    const struct block *block = graph->block[0];
    if (i < 0 || i >= block->input_count)
        return error_set(error, FAULT_USAGE, "the graph has %d inputs, none of number %d",
                         block->input_count, i);
    const int tensor = block->inputs[i];
    const struct array *own = &executor->value[tensor];
    if (!type_equal(&own->type, &value->type))
        return error_set(error, FAULT_USAGE, "input '%s' is %s, not %s",
                         graph->tensor[tensor]->name, type_format(graph, &own->type).text,
                         type_format(graph, &value->type).text);
    if (type_bytes(&own->type))
        memcpy(own->data, value->data, (size_t)type_bytes(&own->type));
    return OK;
}

struct array executor_output(const struct executor *executor, int i)
{
    return executor->value[executor->graph->block[0]->outputs[i]];
}

struct array executor_value(const struct executor *executor, int tensor)
{
    return executor->value[tensor];
}

/* ---- what runs ---- */

int executor_node_count(const struct executor *executor)
{
    return executor->sequence[0].count;
}

struct executor_node executor_node(const struct executor *executor, int at)
{
    const struct step *step = &executor->sequence[0].steps[at];
    int threads = 1;
    for (int i = 0; i < step->lowering.launch_count; i++)
        if (step->calls[i].threads > threads)
            threads = step->calls[i].threads;
    return (struct executor_node){
        .node = step->node,
        .site = &step->site,
        .lowering = step->calls ? &step->lowering : NULL,
        .variants = step->variants,
        .reuse = step->reuse,
        .code_distance_bytes = step->code_distance_bytes,
        .threads = threads,
        .is_view = step->kind == STEP_NOTHING,
        .is_in_place = step->is_in_place,
        .reason = step->reason,
    };
}

int executor_launches(const struct executor *executor)
{
    int launches = 0;
    for (int b = 0; b < executor->graph->block_count; b++)
        for (int i = 0; i < executor->sequence[b].count; i++)
            launches += executor->sequence[b].steps[i].lowering.launch_count;
    return launches;
}

struct executor_memory executor_memory(const struct executor *executor)
{
    return executor->bytes;
}
