// side_by_side.c - Convs or MatMuls that share their input as one, whose result is cut apart.
#include <stdio.h>
#include <string.h>

#include "rewrite.h"
#include "weigh.h"

enum { MEMBERS_MAX = 16 };

/* Nodes that may become one. Their weights differ in one dim alone, in which they are joined: of a
 * Conv the first, of a MatMul the last. */
struct members {
    int node[MEMBERS_MAX], count;
    int weight_axis, result_axis;
    bool has_bias;
    const struct op *then; /* what each result goes through alone; NULL: nothing in common */
};

/* ---- who may ---- */

static bool is_one_group(const struct node *node)
{
    return !node_is(node, "Conv") || node_integer(node, "group", 1) == 1;
}

static bool are_known_reals(const struct graph *graph, const struct node *node)
{
    for (int i = 1; i < node->input_count; i++) {
        const struct tensor *tensor = node->inputs[i] >= 0 ? graph->tensor[node->inputs[i]] : NULL;
        if (tensor && (!tensor_is_known(tensor) || !element_is_real(tensor->type.element) ||
                       element_bits(tensor->type.element) < 8))
            return false;
    }
    return true;
}

static bool may_join(const struct graph *graph, const struct node *node)
{
    const int weight = node_input(node, 1), result = node_output(node, 0);
    if (node->is_dead || (!node_is(node, "Conv") && !node_is(node, "MatMul")) || result < 0 ||
        weight < 0 || !are_known_reals(graph, node))
        return false;
    return is_one_group(node) && graph->tensor[weight]->type.rank >= 2 &&
           (node_is(node, "Conv") || graph->tensor[weight]->type.rank == 2) &&
           type_is_complete(&graph->tensor[result]->type) &&
           type_elements(&graph->tensor[result]->type) > 0;
}

static bool have_same_attributes(const struct node *a, const struct node *b)
{
    if (a->attribute_count != b->attribute_count)
        return false;
    for (int i = 0; i < a->attribute_count; i++)
        if (!attribute_equal(&a->attributes[i], node_attribute(b, a->attributes[i].name)))
            return false;
    return true;
}

static bool differ_in_one_dim(const struct type *a, const struct type *b, int axis)
{
    if (a->element != b->element || a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (i != axis && a->dims[i] != b->dims[i])
            return false;
    return true;
}

/* The element-wise operator that is the only one to use the node's result; NULL. */
static const struct node *activation_behind(const struct graph *graph, const struct node *node)
{
    const int user = tensor_only_user(graph->tensor[node->outputs[0]]);
    const struct node *behind = user >= 0 ? graph->node[user] : NULL;
    return behind && behind->op && (behind->op->flags & OP_UNARY) && behind->input_count == 1 &&
                   behind->block == node->block && behind->attribute_count == 0
               ? behind
               : NULL;
}

static bool go_together(const struct graph *graph, const struct node *a, const struct node *b)
{
    const struct node *after_a = activation_behind(graph, a),
                      *after_b = activation_behind(graph, b);
    const int axis = node_is(a, "Conv") ? 0 : 1;
    return a->op == b->op && a->block == b->block && a->opset == b->opset &&
           (node_input(a, 2) >= 0) == (node_input(b, 2) >= 0) && have_same_attributes(a, b) &&
           differ_in_one_dim(&graph->tensor[a->inputs[1]]->type, &graph->tensor[b->inputs[1]]->type,
                             axis) &&
           (after_a ? after_a->op : NULL) == (after_b ? after_b->op : NULL);
}

/* The nodes that go with `first`, which has the lowest id of them. */
static void find_members(const struct graph *graph, int first, struct members *members)
{
    const struct node *leader = graph->node[first];
    const struct tensor *input = graph->tensor[leader->inputs[0]];
    const struct node *after = activation_behind(graph, leader);
    *members = (struct members){.node = {first}, .count = 1};
    members->has_bias = node_input(leader, 2) >= 0;
    members->weight_axis = node_is(leader, "Conv") ? 0 : 1;
    members->result_axis =
        node_is(leader, "Conv") ? 1 : graph->tensor[leader->outputs[0]]->type.rank - 1;
    members->then = after ? after->op : NULL;
    for (int id = first + 1; members->count < MEMBERS_MAX; id++) {
        int next = -1; /* the next user by id, as uses are in no order */
        for (int i = 0; i < input->use_count; i++)
            if (input->uses[i].node >= id && input->uses[i].slot == 0 &&
                (next < 0 || input->uses[i].node < next))
                next = input->uses[i].node;
        if (next < 0)
            return;
        id = next;
        if (may_join(graph, graph->node[id]) && go_together(graph, leader, graph->node[id]))
            members->node[members->count++] = id;
    }
}

/* ---- joining ---- */

/* The constants that are input `slot` of the members, one behind the other along the axis. */
static int join_constants(struct graph *graph, const struct members *members, int slot, int axis,
                          struct error *error)
{
    const struct tensor *first = graph->tensor[graph->node[members->node[0]]->inputs[slot]];
    struct type type = first->type;
    const long rows = type_product(&type, 0, axis);
    const long unit = type_product(&type, axis + 1, type.rank);
    type.dims[axis] = 0;
    for (int i = 0; i < members->count; i++)
        type.dims[axis] +=
            graph->tensor[graph->node[members->node[i]]->inputs[slot]]->type.dims[axis];
    char *data = arena_take(&graph->arena, (size_t)type_bytes(&type));
    if (!data)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory"), -1;
    char *to = data;
    for (long row = 0; row < rows; row++)
        for (int i = 0; i < members->count; i++) {
            const struct tensor *from = graph->tensor[graph->node[members->node[i]]->inputs[slot]];
            const size_t run = element_bytes(type.element, from->type.dims[axis] * unit);
            memcpy(to, (const char *)from->data + (size_t)row * run, run);
            to += run;
        }
    return graph_add_constant(graph, first->name, &type, data, error);
}

/* What the first member does, by the weights of all; the result, behind the common activation. */
static int add_joined(struct graph *graph, const struct members *members, struct error *error)
{
    const int first = members->node[0];
    int inputs[3] = {graph->node[first]->inputs[0], -1, -1};
    inputs[1] = join_constants(graph, members, 1, members->weight_axis, error);
    if (inputs[1] >= 0 && members->has_bias)
        inputs[2] = join_constants(graph, members, 2, 0, error);
    if (inputs[1] < 0 || (members->has_bias && inputs[2] < 0))
        return -1;
    const int node = rewrite_add(graph, NULL, graph->node[first]->type, first, inputs,
                                 members->has_bias ? 3 : 2, error);
    if (node < 0 || rewrite_copy_attributes(graph, node, first, error) != OK ||
        graph_infer_node(graph, node, error) != OK)
        return -1;
    const int result = graph->node[node]->outputs[0];
    if (!members->then)
        return result;
    const int behind =
        rewrite_add(graph, members->then->domain, members->then->name, first, &result, 1, error);
    return behind < 0 || graph_infer_node(graph, behind, error) != OK
               ? -1
               : graph->node[behind]->outputs[0];
}

/* A Split of `joined` into as many parts as there are members, with their sizes. */
static int add_split(struct graph *graph, const struct members *members, int joined,
                     int parts[MEMBERS_MAX], struct error *error)
{
    const bool has_input = graph_opset(graph, "") >= 13;
    long sizes[MEMBERS_MAX];
    for (int i = 0; i < members->count; i++) {
        const int result = graph->node[members->node[i]]->outputs[0];
        sizes[i] = graph->tensor[result]->type.dims[members->result_axis];
        parts[i] = graph_add_tensor(graph, graph->node[members->node[0]]->block, NULL,
                                    &UNKNOWN_TYPE, error);
        if (parts[i] < 0)
            return FAILED;
    }
    const int list =
        has_input ? graph_add_integers(graph, "sizes", sizes, members->count, error) : -1;
    if (has_input && list < 0)
        return FAILED;
    const int inputs[2] = {joined, list};
    const struct node_spec spec = {.type = "Split",
                                   .block = graph->node[members->node[0]]->block,
                                   .before = members->node[0],
                                   .inputs = inputs,
                                   .input_count = has_input ? 2 : 1,
                                   .outputs = parts,
                                   .output_count = members->count};
    const int node = graph_add_node(graph, &spec, error);
    if (node < 0 || graph_set_integer(graph, node, "axis", members->result_axis, error) != OK ||
        (!has_input &&
         graph_set_integers(graph, node, "split", sizes, members->count, error) != OK))
        return FAILED;
    return graph_infer_node(graph, node, error);
}

/* The node whose result the part takes the place of. */
static int last_of(const struct graph *graph, const struct members *members, int i)
{
    const int node = members->node[i];
    return members->then ? tensor_only_user(graph->tensor[graph->node[node]->outputs[0]]) : node;
}

/* Leaves the order of nodes to graph_sort(). */
static int join(struct graph *graph, const void *what, struct error *error)
{
    const struct members *members = what;
    int parts[MEMBERS_MAX];
    const int joined = add_joined(graph, members, error);
    if (joined < 0 || add_split(graph, members, joined, parts, error) != OK)
        return FAILED;
    for (int i = 0; i < members->count; i++) {
        const int last = last_of(graph, members, i), old = graph->node[last]->outputs[0];
        const bool is_output = tensor_is_output(graph->tensor[old]);
        if (graph_replace(graph, old, parts[i], error) != OK ||
            (!is_output && graph_pass_name(graph, old, parts[i], error) != OK) ||
            rewrite_remove(graph, last, error) != OK)
            return FAILED;
    }
    return OK;
}

static int join_if_faster(struct rewriting *rewriting, const struct members *members, int *count,
                          struct error *error)
{
    struct graph *graph = rewriting->graph;
    const struct node *first = graph->node[members->node[0]];
    struct weighing weighing;
    char words[250];
    if (weigh_change(rewriting, join, members, &weighing, error) != OK)
        return FAILED;
    snprintf(words, sizeof words, "%d %ss that read '%.150s' as one that is cut apart",
             members->count, first->type, graph->tensor[first->inputs[0]]->name);
    if (!weigh_choose(rewriting, &weighing, words))
        return OK;
    ++*count;
    return join(graph, members, error);
}

static int run(struct rewriting *rewriting, int *count, struct error *error)
{
    struct graph *graph = rewriting->graph;
    int result = OK;
    if (!op_find("", "Split", graph_opset(graph, "")))
        return OK;
    for (int id = 0; id < graph->node_count && result == OK; id++) {
        struct members members;
        if (!may_join(graph, graph->node[id]))
            continue;
        find_members(graph, id, &members);
        if (members.count > 1)
            result = join_if_faster(rewriting, &members, count, error);
    }
    return result == OK && *count > 0 ? graph_sort(graph, error) : result;
}

const struct pass side_by_side_pass = {
    .name = "side-by-side",
    .group = GROUP_TRANSFORM,
    .summary = "Convs of one group, or MatMuls, with constant weights that share their input and "
               "differ in how many results they make, with the same activation behind all or none: "
               "one, by the weights of all, and a Split, where that should take less time",
    .refuses = "other strides, pads, dilations or kernel dims; weights that are not known; reading "
               "the input once saves less than cutting the result apart costs",
    .run = run,
};
