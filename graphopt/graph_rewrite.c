// graph_rewrite.c - editing a graph: uses, order, replacing, removing.
#include <string.h>

#include "graph_parts.h"

/* ---- uses ---- */

int tensor_add_use(struct graph *graph, int tensor, struct use use, struct error *error)
{
    struct tensor *of = graph->tensor[tensor];
    if (of->use_count == of->use_capacity) {
        const int capacity = of->use_capacity ? 2 * of->use_capacity : 2;
        struct use *uses = arena_take_array(&graph->arena, (size_t)capacity, sizeof *uses);
        if (!uses)
            return graph_exhausted(graph, error), FAILED;
        if (of->use_count)
            memcpy(uses, of->uses, (size_t)of->use_count * sizeof *uses);
        of->uses = uses;
        of->use_capacity = capacity;
    }
    of->uses[of->use_count++] = use;
    return OK;
}

void tensor_drop_use(struct graph *graph, int tensor, struct use use)
{
    struct tensor *of = graph->tensor[tensor];
    int at = 0;
    while (of->uses[at].node != use.node || of->uses[at].slot != use.slot)
        at++;
    memmove(&of->uses[at], &of->uses[at + 1], (size_t)(of->use_count - at - 1) * sizeof *of->uses);
    of->use_count--;
}

/* ---- order ---- */

void order_unlink(struct graph *graph, struct node *node)
{
    struct block *block = graph->block[node->block];
    if (node->previous >= 0)
        graph->node[node->previous]->next = node->next;
    else
        block->first = node->next;
    if (node->next >= 0)
        graph->node[node->next]->previous = node->previous;
    else
        block->last = node->previous;
    node->previous = node->next = -1;
}

void order_link(struct graph *graph, int id, int before)
{
    struct node *node = graph->node[id];
    struct block *block = graph->block[node->block];
    node->next = before;
    node->previous = before >= 0 ? graph->node[before]->previous : block->last;
    if (node->previous >= 0)
        graph->node[node->previous]->next = id;
    else
        block->first = id;
    if (before >= 0)
        graph->node[before]->previous = id;
    else
        block->last = id;
}

void graph_move_node(struct graph *graph, int node, int before)
{
    if (node == before)
        return;
    order_unlink(graph, graph->node[node]);
    order_link(graph, node, before);
}

/* ---- inputs ---- */

int graph_set_input(struct graph *graph, int id, int slot, int tensor, struct error *error)
{
    struct node *node = graph->node[id];
    if (slot >= node->input_count) {
        int *inputs = arena_take_array(&graph->arena, (size_t)slot + 1, sizeof *inputs);
        if (!inputs)
            return graph_exhausted(graph, error), FAILED;
        for (int i = 0; i <= slot; i++)
            inputs[i] = node_input(node, i);
        node->inputs = inputs;
        node->input_count = slot + 1;
    }
    if (tensor >= 0 && tensor_add_use(graph, tensor, (struct use){id, slot}, error) != OK)
        return FAILED;
    if (node->inputs[slot] >= 0)
        tensor_drop_use(graph, node->inputs[slot], (struct use){id, slot});
    node->inputs[slot] = tensor;
    return OK;
}

void graph_cut_inputs(struct graph *graph, int id, int count)
{
    struct node *node = graph->node[id];
    for (int i = count; i < node->input_count; i++)
        if (node->inputs[i] >= 0)
            tensor_drop_use(graph, node->inputs[i], (struct use){id, i});
    if (count < node->input_count)
        node->input_count = count;
}

/* ---- replacing ---- */

int graph_pass_name(struct graph *graph, int old, int tensor, struct error *error)
{
    const char *name = graph->tensor[old]->name;
    const char *other = graph_fresh_name(graph, name);
    if (!other)
        return graph_exhausted(graph, error), FAILED;
    graph->tensor[old]->name = other;
    graph->tensor[tensor]->name = name;
    if (graph_enter_name(graph, old, error) != OK)
        return FAILED;
    return graph_enter_name(graph, tensor, error);
}

static int *slot_of(const struct graph *graph, struct use use)
{
    return use.node >= 0 ? &graph->node[use.node]->inputs[use.slot]
                         : &graph->block[-1 - use.node]->outputs[use.slot];
}

int graph_replace(struct graph *graph, int old, int tensor, struct error *error)
{
    struct tensor *from = graph->tensor[old], *to = graph->tensor[tensor];
    if (tensor_is_output(from)) {
        if (to->producer < 0 || to->block != 0 || tensor_is_output(to))
            return error_skip(error, "'%s' cannot take the name of the output '%s'", to->name,
                              from->name);
        if (graph_pass_name(graph, old, tensor, error) != OK)
            return FAILED;
    }
    int kept = 0;
    for (int i = 0; i < from->use_count; i++) {
        const struct use use = from->uses[i];
        if (use.node >= 0 && use.node == to->producer) {
            from->uses[kept++] = use;
            continue;
        }
        if (tensor_add_use(graph, tensor, use, error) != OK)
            return FAILED;
        *slot_of(graph, use) = tensor;
    }
    from->use_count = kept;
    return OK;
}

int graph_make_constant(struct graph *graph, int id, const void *data, struct error *error)
{
    struct tensor *tensor = graph->tensor[id];
    if (tensor->is_input || !type_is_complete(&tensor->type))
        return error_set(error, FAULT_IO,
                         "'%s' cannot become a constant: it is an input, or its "
                         "dimensions are not known",
                         tensor->name);
    if (tensor->producer >= 0)
        graph->node[tensor->producer]->outputs[tensor->slot] = -1;
    tensor->producer = -1;
    tensor->block = 0;
    tensor->data = data;
    return OK;
}

/* ---- removing ---- */

static void remove_block(struct graph *graph, int id)
{
    struct block *block = graph->block[id];
    for (int i = 0; i < block->output_count; i++)
        tensor_drop_use(graph, block->outputs[i], (struct use){-1 - id, i});
    block->output_count = 0;
    while (block->last >= 0)
        graph_remove_node(graph, block->last);
    for (int i = 0; i < block->input_count; i++)
        graph->tensor[block->inputs[i]]->is_dead = true;
    block->is_dead = true;
}

void graph_remove_node(struct graph *graph, int id)
{
    struct node *node = graph->node[id];
    for (int i = 0; i < node->attribute_count; i++)
        if (node->attributes[i].kind == ATTRIBUTE_BLOCK)
            remove_block(graph, node->attributes[i].block);
    graph_cut_inputs(graph, id, 0);
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] >= 0)
            graph->tensor[node->outputs[i]]->is_dead = true;
    order_unlink(graph, node);
    node->is_dead = true;
}

static bool is_used(const struct graph *graph, const struct node *node)
{
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] >= 0 && graph->tensor[node->outputs[i]]->use_count > 0)
            return true;
    return false;
}

/* Backwards, and through a node's subgraphs before what stands in front of it: then one pass is
 * enough. */
static int sweep_block(struct graph *graph, int block)
{
    int removed = 0;
    for (int id = graph->block[block]->last, before; id >= 0; id = before) {
        struct node *node = graph->node[id];
        before = node->previous;
        if (!is_used(graph, node)) {
            graph_remove_node(graph, id);
            removed++;
            continue;
        }
        for (int i = 0; i < node->attribute_count; i++)
            if (node->attributes[i].kind == ATTRIBUTE_BLOCK)
                removed += sweep_block(graph, node->attributes[i].block);
    }
    return removed;
}

int graph_sweep(struct graph *graph)
{
    const int removed = sweep_block(graph, 0);
    for (int i = 0; i < graph->tensor_count; i++) {
        struct tensor *tensor = graph->tensor[i];
        if (tensor->producer < 0 && !tensor->is_input && tensor->use_count == 0)
            tensor->is_dead = true;
    }
    return removed;
}
