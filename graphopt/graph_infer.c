// graph_infer.c - types of all tensors, and small values that are known before the graph runs.
#include <string.h>

#include "graph_parts.h"
#include "op.h"

/* Values are kept for what shapes and indices are made of; folding larger ones is a pass. */
enum { KNOWN_ELEMENTS_MAX = 1024 };
#define KNOWN_FLOPS_MAX 1e7

static int contradiction(const struct graph *graph, const struct node *node, int tensor,
                         const struct type *inferred, struct error *error)
{
    const struct tensor *of = graph->tensor[tensor];
    return error_set(error, FAULT_IO, "%s: '%s' is said to be %s, but the operator makes %s",
                     node_label(graph, node).text, of->name, type_format(graph, &of->type).text,
                     type_format(graph, inferred).text);
}

static bool is_foldable(const struct graph *graph, const struct node *node)
{
    if (!node->op || !node->op->evaluate || (node->op->flags & OP_RANDOM))
        return false;
    for (int i = 0; i < node->input_count; i++) {
        const struct tensor *tensor = node->inputs[i] >= 0 ? graph->tensor[node->inputs[i]] : NULL;
        if (tensor && !tensor_is_known(tensor) &&
            !((node->op->flags & OP_TYPES) && type_is_complete(&tensor->type)))
            return false;
    }
    for (int i = 0; i < node->output_count; i++) {
        const struct tensor *tensor =
            node->outputs[i] >= 0 ? graph->tensor[node->outputs[i]] : NULL;
        if (tensor && (!type_is_complete(&tensor->type) ||
                       type_elements(&tensor->type) > KNOWN_ELEMENTS_MAX ||
                       tensor->type.element == ELEMENT_text))
            return false;
    }
    return true;
}

/* Computes the node's outputs where everything it needs is known. */
static int know_values(struct graph *graph, const struct node *node, struct site *site,
                       struct error *error)
{
    if (!is_foldable(graph, node) ||
        (node->op->flops && !(node->op->flops(site) <= KNOWN_FLOPS_MAX)))
        return OK;
    const int result = site_evaluate(site, KNOWN_ELEMENTS_MAX * sizeof(double) * 2, error);
    if (result != OK)
        return result == SKIPPED ? OK : result;
    for (int i = 0; i < node->output_count; i++) {
        const struct array *output = &site->output[i];
        if (node->outputs[i] < 0 || !output->data)
            continue;
        void *data = arena_copy(&graph->arena, output->data, (size_t)type_bytes(&output->type));
        if (!data)
            return graph_exhausted(graph, error), FAILED;
        graph->tensor[node->outputs[i]]->data = data;
    }
    return OK;
}

static int infer_node(struct graph *graph, struct node *node, struct arena *arena,
                      struct error *error)
{
    struct site site;
    if (site_open(&site, graph, node, arena, error) != OK || site_infer(&site, error) != OK)
        return FAILED;
    for (int i = 0; i < node->output_count; i++) {
        if (node->outputs[i] < 0)
            continue;
        struct tensor *tensor = graph->tensor[node->outputs[i]];
        const struct type *inferred = &site.output[i].type;
        struct type merged = tensor->type;
        if (type_merge(&merged, inferred) != OK) {
            merged = *inferred;
            if (inferred->element != tensor->type.element && inferred->element != ELEMENT_NONE)
                return contradiction(graph, node, node->outputs[i], inferred, error);
            merged.element = tensor->type.element;
        }
        tensor->type = merged;
    }
    return know_values(graph, node, &site, error);
}

/* `arena` is for one node after the other, so that memory does not grow with the graph. */
static int infer_block(struct graph *graph, int block, struct arena *arena, struct error *error)
{
    int result = OK;
    for (int id = graph->block[block]->first; id >= 0 && result == OK; id = graph->node[id]->next) {
        struct node *node = graph->node[id];
        for (int i = 0; i < node->attribute_count && result == OK; i++)
            if (node->attributes[i].kind == ATTRIBUTE_BLOCK)
                result = infer_block(graph, node->attributes[i].block, arena, error);
        if (result == OK)
            result = infer_node(graph, node, arena, error);
        arena_reset(arena);
    }
    return result;
}

int graph_infer(struct graph *graph, struct error *error)
{
    struct arena arena = {0};
    const int result = infer_block(graph, 0, &arena, error);
    arena_free(&arena);
    return result;
}

int graph_infer_node(struct graph *graph, int node, struct error *error)
{
    struct arena arena = {0};
    const int result = infer_node(graph, graph->node[node], &arena, error);
    arena_free(&arena);
    return result;
}
