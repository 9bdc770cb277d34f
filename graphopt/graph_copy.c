// graph_copy.c - a second graph with the same ids.
#include "graph_parts.h"

/* A copy of an array that arena_room() may lengthen: as long as it would have made it. */
static void *copy_roomy(struct arena *arena, const void *items, int count, size_t bytes)
{
    size_t room = 8;
    while (room < (size_t)count)
        room *= 2;
    char *copy = count ? arena_take_array(arena, room, bytes) : NULL;
    if (copy)
        for (size_t i = 0; i < (size_t)count * bytes; i++)
            copy[i] = ((const char *)items)[i];
    return copy;
}

#define COPY_ROOMY(arena, items, count) copy_roomy(arena, items, count, sizeof *(items))

static struct tensor *copy_tensor(struct arena *arena, const struct tensor *from)
{
    struct tensor *tensor = arena_copy(arena, from, sizeof *from);
    if (!tensor)
        return NULL;
    tensor->name = arena_copy_text(arena, from->name);
    tensor->uses = arena_copy(arena, from->uses, (size_t)from->use_count * sizeof *from->uses);
    tensor->use_capacity = from->use_count;
    return tensor->name && tensor->uses ? tensor : NULL;
}

static struct node *copy_node(struct graph *graph, const struct node *from, struct error *error)
{
    struct arena *arena = &graph->arena;
    struct node *node = arena_copy(arena, from, sizeof *from);
    if (!node)
        return NULL;
    node->type = arena_copy_text(arena, from->type);
    node->domain = arena_copy_text(arena, from->domain);
    node->name = arena_copy_text(arena, from->name);
    node->inputs = arena_copy(arena, from->inputs, (size_t)from->input_count * sizeof(int));
    node->outputs = arena_copy(arena, from->outputs, (size_t)from->output_count * sizeof(int));
    node->attributes = COPY_ROOMY(arena, from->attributes, from->attribute_count);
    if (!node->type || !node->domain || !node->name || !node->inputs || !node->outputs ||
        (from->attribute_count && !node->attributes))
        return NULL;
    for (int i = 0; i < from->attribute_count; i++)
        if (attribute_copy(graph, &node->attributes[i], &from->attributes[i], error) != OK)
            return NULL;
    return node;
}

static struct block *copy_block(struct arena *arena, const struct block *from)
{
    struct block *block = arena_copy(arena, from, sizeof *from);
    if (!block)
        return NULL;
    block->name = arena_copy_text(arena, from->name);
    block->inputs = COPY_ROOMY(arena, from->inputs, from->input_count);
    block->outputs = COPY_ROOMY(arena, from->outputs, from->output_count);
    return block->name && (block->inputs || !from->input_count) &&
                   (block->outputs || !from->output_count)
               ? block
               : NULL;
}

/* The lists of texts; false when memory is out. */
static bool copy_words(struct graph *graph, const struct graph *from)
{
    struct arena *arena = &graph->arena;
    for (int i = 0; i < from->symbol_count; i++)
        if (!(graph->symbol[i].name = arena_copy_text(arena, from->symbol[i].name)))
            return false;
    for (int i = 0; i < from->opset_count; i++)
        if (!(graph->opset[i].domain = arena_copy_text(arena, from->opset[i].domain)))
            return false;
    return true;
}

static bool copy_items(struct graph *graph, const struct graph *from, struct error *error)
{
    struct arena *arena = &graph->arena;
    for (int i = 0; i < from->tensor_count; i++)
        if (!(graph->tensor[i] = copy_tensor(arena, from->tensor[i])) ||
            graph_enter_name(graph, i, error) != OK)
            return false;
    for (int i = 0; i < from->node_count; i++)
        if (!(graph->node[i] = copy_node(graph, from->node[i], error)))
            return false;
    for (int i = 0; i < from->block_count; i++)
        if (!(graph->block[i] = copy_block(arena, from->block[i])))
            return false;
    return true;
}

int graph_copy(struct graph *graph, const struct graph *from, struct error *error)
{
    *graph = (struct graph){.ir_version = from->ir_version};
    struct arena *arena = &graph->arena;
    graph->name = arena_copy_text(arena, from->name);
    graph->names = arena_take(arena, sizeof *graph->names);
    graph->opset = COPY_ROOMY(arena, from->opset, from->opset_count);
    graph->symbol = COPY_ROOMY(arena, from->symbol, from->symbol_count);
    graph->tensor = COPY_ROOMY(arena, from->tensor, from->tensor_count);
    graph->node = COPY_ROOMY(arena, from->node, from->node_count);
    graph->block = COPY_ROOMY(arena, from->block, from->block_count);
    if (!graph->name || !graph->names || (from->opset_count && !graph->opset) ||
        (from->symbol_count && !graph->symbol) || (from->tensor_count && !graph->tensor) ||
        (from->node_count && !graph->node) || !graph->block)
        return graph_exhausted(graph, error), FAILED;
    graph->opset_count = from->opset_count;
    graph->symbol_count = from->symbol_count;
    graph->tensor_count = from->tensor_count;
    graph->node_count = from->node_count;
    graph->block_count = from->block_count;
    if (!copy_words(graph, from) || !copy_items(graph, from, error))
        return graph_exhausted(graph, error), FAILED;
    return OK;
}
