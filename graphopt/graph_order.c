// graph_order.c - an order of execution, and subgraphs put in the place of their node.
#include <stdlib.h>

#include "graph_parts.h"

/* Nodes that wait for nothing any more, as a heap: the first in the present order on top. */
struct sorting {
    int *position; /* of each node in the present order of all blocks */
    int *waits;    /* for so many uses of results that are not made yet */
    int *ready;
    int ready_count;
};

static void swap(int *a, int *b)
{
    const int held = *a;
    *a = *b;
    *b = held;
}

static bool precedes(const struct sorting *sorting, int a, int b)
{
    return sorting->position[sorting->ready[a]] < sorting->position[sorting->ready[b]];
}

static void push(struct sorting *sorting, int node)
{
    int at = sorting->ready_count++;
    sorting->ready[at] = node;
    for (; at > 0 && precedes(sorting, at, (at - 1) / 2); at = (at - 1) / 2)
        swap(&sorting->ready[at], &sorting->ready[(at - 1) / 2]);
}

static int pop(struct sorting *sorting)
{
    const int top = sorting->ready[0];
    sorting->ready[0] = sorting->ready[--sorting->ready_count];
    for (int at = 0, child; (child = 2 * at + 1) < sorting->ready_count; at = child) {
        child += child + 1 < sorting->ready_count && precedes(sorting, child + 1, child);
        if (!precedes(sorting, child, at))
            break;
        swap(&sorting->ready[at], &sorting->ready[child]);
    }
    return top;
}

/* The node of `block` in which the use is, itself or in its subgraphs; -1: the use is outside. */
static int user_within(const struct graph *graph, struct use use, int block)
{
    int node = use.node >= 0 ? use.node : graph->block[-1 - use.node]->owner;
    while (node >= 0 && graph->node[node]->block != block)
        node = graph->block[graph->node[node]->block]->owner;
    return node;
}

/* For every use of the node's results: the user waits for one more, or for one less and is ready
 * when that was the last. */
static void tell_users(const struct graph *graph, const struct node *node, struct sorting *sorting,
                       int change)
{
    for (int i = 0; i < node->output_count; i++) {
        if (node->outputs[i] < 0)
            continue;
        const struct tensor *made = graph->tensor[node->outputs[i]];
        for (int j = 0; j < made->use_count; j++) {
            const int user = user_within(graph, made->uses[j], node->block);
            if (user < 0)
                continue;
            sorting->waits[user] += change;
            if (change < 0 && sorting->waits[user] == 0)
                push(sorting, user);
        }
    }
}

static int sort_all(struct graph *graph, struct sorting *sorting)
{
    int count = 0, sorted = 0;
    for (int b = 0; b < graph->block_count; b++)
        for (int id = graph->block[b]->first; id >= 0; id = graph->node[id]->next) {
            sorting->position[id] = count++;
            tell_users(graph, graph->node[id], sorting, 1);
        }
    for (int b = 0; b < graph->block_count; b++)
        for (int id = graph->block[b]->first; id >= 0; id = graph->node[id]->next)
            if (sorting->waits[id] == 0)
                push(sorting, id);
    for (; sorting->ready_count > 0; sorted++) {
        const int id = pop(sorting);
        graph_move_node(graph, id, -1);
        tell_users(graph, graph->node[id], sorting, -1);
    }
    return count - sorted;
}

int graph_sort(struct graph *graph, struct error *error)
{
    const size_t nodes = (size_t)graph->node_count + 1;
    int *numbers = calloc(3 * nodes, sizeof *numbers);
    if (!numbers)
        return graph_exhausted(graph, error), FAILED;
    struct sorting sorting = {numbers, numbers + nodes, numbers + 2 * nodes, 0};
    const int left = sort_all(graph, &sorting);
    int result = OK;
    for (int id = 0; left > 0 && id < graph->node_count && result == OK; id++)
        if (sorting.waits[id] > 0)
            result = error_set(error, FAULT_IO,
                               "graph '%s' has a cycle: %s is one of %d nodes that wait for each "
                               "other's results",
                               graph->name, node_label(graph, graph->node[id]).text, left);
    free(numbers);
    return result;
}

/* ---- If ---- */

/* What stands in the branch goes in front of the node that owns it. */
static void move_out(struct graph *graph, int branch, int owner)
{
    struct block *block = graph->block[branch];
    while (block->first >= 0) {
        const int id = block->first;
        struct node *node = graph->node[id];
        order_unlink(graph, node);
        node->block = graph->node[owner]->block;
        for (int i = 0; i < node->output_count; i++)
            if (node->outputs[i] >= 0)
                graph->tensor[node->outputs[i]]->block = node->block;
        order_link(graph, id, owner);
    }
}

/* `tensor` behind an Identity, so that it can have the name of an output. */
static int add_identity(struct graph *graph, int tensor, int before, struct error *error)
{
    const struct tensor *from = graph->tensor[tensor];
    const int block = graph->node[before]->block;
    const int copy = graph_add_tensor(graph, block, from->name, &from->type, error);
    const struct node_spec spec = {.type = "Identity",
                                   .block = block,
                                   .before = before,
                                   .inputs = &tensor,
                                   .input_count = 1,
                                   .outputs = &copy,
                                   .output_count = 1};
    return copy < 0 || graph_add_node(graph, &spec, error) < 0 ? -1 : copy;
}

static int inline_branch(struct graph *graph, int owner, int branch, struct error *error)
{
    const struct node *node = graph->node[owner];
    const struct block *block = graph->block[branch];
    if (block->output_count < node->output_count)
        return error_set(error, FAULT_IO, "%s: branch '%s' has %d outputs, the node %d",
                         node_label(graph, node).text, block->name, block->output_count,
                         node->output_count);
    move_out(graph, branch, owner);
    for (int i = 0; i < node->output_count; i++) {
        const int old = node->outputs[i];
        if (old < 0)
            continue;
        int result = graph_replace(graph, old, block->outputs[i], error);
        if (result == SKIPPED) {
            const int copy = add_identity(graph, block->outputs[i], owner, error);
            result = copy < 0 ? FAILED : graph_replace(graph, old, copy, error);
        }
        if (result != OK)
            return FAILED;
    }
    graph_remove_node(graph, owner);
    return OK;
}

/* The branch that will be taken; -1: that is not known. */
static int branch_taken(const struct graph *graph, const struct node *node)
{
    const int condition = node_input(node, 0);
    if (node->is_dead || !node_is(node, "If") || condition < 0 ||
        !tensor_is_known(graph->tensor[condition]) ||
        type_elements(&graph->tensor[condition]->type) != 1)
        return -1;
    const bool taken = element_whole(graph->tensor[condition]->data,
                                     graph->tensor[condition]->type.element, 0) != 0;
    const struct attribute *branch = node_attribute(node, taken ? "then_branch" : "else_branch");
    return branch && branch->kind == ATTRIBUTE_BLOCK ? branch->block : -1;
}

bool block_may_run(const struct graph *graph, int block)
{
    for (int owner; (owner = graph->block[block]->owner) >= 0; block = graph->node[owner]->block) {
        const int taken = branch_taken(graph, graph->node[owner]);
        if (taken >= 0 && taken != block)
            return false;
    }
    return true;
}

int graph_inline_ifs(struct graph *graph, int *count, struct error *error)
{
    int inlined = 0, result = OK;
    /* An If inside a branch is a node of the graph like any other. */
    for (int id = 0; id < graph->node_count && result == OK; id++) {
        const int branch = branch_taken(graph, graph->node[id]);
        if (branch < 0)
            continue;
        result = inline_branch(graph, id, branch, error);
        inlined++;
    }
    if (count)
        *count = inlined;
    return result;
}
