// rewrite.c - steps that rules are made of.
#include "rewrite.h"

#include <stdlib.h>

int rewrite_add(struct graph *graph, const char *domain, const char *type, int before,
                const int *inputs, int input_count, struct error *error)
{
    const int block = graph->node[before]->block;
    const int output = graph_add_tensor(graph, block, NULL, &UNKNOWN_TYPE, error);
    const struct node_spec spec = {.type = type,
                                   .domain = domain,
                                   .name = graph->node[before]->name,
                                   .block = block,
                                   .before = before,
                                   .inputs = inputs,
                                   .input_count = input_count,
                                   .outputs = &output,
                                   .output_count = 1};
    return output < 0 ? -1 : graph_add_node(graph, &spec, error);
}

static bool is_unused(const struct graph *graph, const struct node *node)
{
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] >= 0 && graph->tensor[node->outputs[i]]->use_count > 0)
            return false;
    return true;
}

int rewrite_remove(struct graph *graph, int id, struct error *error)
{
    if (graph->node[id]->is_dead || !is_unused(graph, graph->node[id]))
        return OK;
    /* Nodes come in when their last use goes, so once. */
    int *waiting = malloc((size_t)graph->node_count * sizeof *waiting), count = 1;
    if (!waiting)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    waiting[0] = id;
    while (count > 0) {
        const int removed = waiting[--count];
        const struct node *node = graph->node[removed];
        for (int i = 0; i < node->input_count; i++) {
            const int tensor = node->inputs[i];
            if (tensor < 0)
                continue;
            graph_set_input(graph, removed, i, -1, error); /* of an input that is there: OK */
            const int producer = graph->tensor[tensor]->producer;
            if (producer >= 0 && is_unused(graph, graph->node[producer]))
                waiting[count++] = producer;
        }
        graph_remove_node(graph, removed);
    }
    free(waiting);
    return OK;
}

int rewrite_replace(struct graph *graph, int old, int tensor, struct error *error)
{
    const int producer = graph->tensor[old]->producer;
    struct type type = graph->tensor[tensor]->type;
    if (type_merge(&type, &graph->tensor[old]->type) != OK)
        return error_skip(error, "the types differ");
    const int result = graph_replace(graph, old, tensor, error);
    if (result != OK)
        return result;
    graph->tensor[tensor]->type = type;
    return producer >= 0 ? rewrite_remove(graph, producer, error) : OK;
}

int rewrite_replace_by(struct graph *graph, int old, int node, struct error *error)
{
    int result = graph_infer_node(graph, node, error);
    if (result == OK)
        result = rewrite_replace(graph, old, graph->node[node]->outputs[0], error);
    if (result == SKIPPED)
        graph_remove_node(graph, node);
    return result;
}
