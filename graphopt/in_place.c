// in_place.c - inputs of a Concat that need no memory beside it.
#include "in_place.h"

#include "match.h"
#include "op.h"

/* Of a Concat whose rows are written in place: with so many it still runs by kernels. */
enum { INPUTS_MAX = 1 << 12 };

/* The node that the tensor is a view by; NULL. */
static const struct node *view_of(const struct graph *graph, int tensor)
{
    const int producer = graph->tensor[tensor]->producer;
    const struct node *node = producer >= 0 ? graph->node[producer] : NULL;
    return node && node->op && node->op->flags & OP_VIEW && node->inputs[0] >= 0 ? node : NULL;
}

/* What the tensor is a view of; -1 where a view has other users, which count on its place. */
static int behind_views(const struct graph *graph, int tensor)
{
    const struct node *view;
    while ((view = view_of(graph, tensor))) {
        const int input = view->inputs[0];
        if (tensor_only_user(graph->tensor[tensor]) < 0 ||
            tensor_only_user(graph->tensor[input]) < 0)
            return -1;
        tensor = input;
    }
    return tensor;
}

/* A Concat of a lower id, or an earlier input of this one, may have it. */
static bool is_first_use(const struct graph *graph, const struct tensor *tensor, int concat,
                         int slot)
{
    for (int i = 0; i < tensor->use_count; i++) {
        const struct use use = tensor->uses[i];
        if (use.node >= 0 && node_is(graph->node[use.node], "Concat") &&
            (use.node < concat || (use.node == concat && use.slot < slot)))
            return false;
    }
    return true;
}

/* Parts of an array are where the array is. */
static bool makes_memory(const struct node *node)
{
    return node->op && !(node->op->flags & (OP_VIEW | OP_CONTROL)) &&
           !node_is_one_of(node, "Split|Slice|Gather");
}

bool in_place_input(const struct graph *graph, const struct node *concat, int slot)
{
    const int input = node_input(concat, slot), output = node_output(concat, 0);
    const int tensor = input < 0 || output < 0 ? -1 : behind_views(graph, input);
    const struct tensor *made = tensor < 0 ? NULL : graph->tensor[tensor];
    if (!made || made->producer < 0 || made->data || made->block != concat->block ||
        !type_is_complete(&made->type) || !makes_memory(graph->node[made->producer]))
        return false;
    return is_first_use(graph, made, graph->tensor[output]->producer, slot);
}

/* Whether the Concat joins more than one row along the last dim, of elements that kernels have. */
static bool joins_rows(const struct graph *graph, const struct node *concat)
{
    const int output = node_output(concat, 0);
    const struct type *out = output < 0 ? NULL : &graph->tensor[output]->type;
    if (!out || !type_is_complete(out) || out->rank < 2 ||
        (out->element != ELEMENT_f32 && out->element != ELEMENT_f64) ||
        concat->input_count > INPUTS_MAX)
        return false;
    const long axis = node_integer(concat, "axis", 0);
    return (axis == -1 || axis == out->rank - 1) && type_product(out, 0, out->rank - 1) > 1;
}

bool in_place_rows(const struct graph *graph, int tensor, struct in_place_rows *rows)
{
    const struct tensor *of = graph->tensor[tensor];
    const int user = tensor_only_user(of);
    const struct node *concat = user < 0 ? NULL : graph->node[user];
    if (!concat || !node_is(concat, "Concat") || concat->block != of->block ||
        !joins_rows(graph, concat))
        return false;
    *rows = (struct in_place_rows){.output = concat->outputs[0]};
    for (int i = 0; i < concat->input_count; i++) {
        const int input = node_input(concat, i);
        const struct type *type = input < 0 ? NULL : &graph->tensor[input]->type;
        if (!type || !type_is_complete(type) || type->rank < 2)
            return false;
        const long run = type->dims[type->rank - 1];
        rows->begin += i < of->uses[0].slot ? run : 0;
        rows->pitch += run;
    }
    return true;
}
