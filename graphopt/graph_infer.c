// graph_infer.c - types of all tensors, and small values that are known before the graph runs.
#include <string.h>

#include "graph_parts.h"
#include "op.h"

/* Values are kept for what shapes and indices are made of; folding larger ones is a pass. */
enum { KNOWN_ELEMENTS_MAX = 1024 };
/* FLOP and elements that all of them together may take: a few hundredths of a second. */
#define KNOWN_WORK_MAX 1e7

struct inference {
    struct arena
        arena; /* for one node after the other, so that memory does not grow with the graph */
    double work_left;
};

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

/* What the values of the node's outputs cost. */
static double work_of(const struct site *site)
{
    double work = site_flops(site, NULL);
    for (int i = 0; i < site->node->output_count; i++)
        if (site->node->outputs[i] >= 0)
            work += (double)type_elements(&site->output[i].type);
    return work;
}

/* Computes the node's outputs where everything it needs is known. */
static int know_values(struct inference *inference, struct graph *graph, const struct node *node,
                       struct site *site, struct error *error)
{
    if (!is_foldable(graph, node))
        return OK;
    const double work = work_of(site);
    if (!(work <= inference->work_left))
        return OK;
    inference->work_left -= work;
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

static int infer_node(struct inference *inference, struct graph *graph, struct node *node,
                      struct error *error)
{
    struct site site;
    if (site_open(&site, graph, node, &inference->arena, error) != OK ||
        site_infer(&site, error) != OK)
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
    return know_values(inference, graph, node, &site, error);
}

static int infer_block(struct inference *inference, struct graph *graph, int block,
                       struct error *error)
{
    int result = OK;
    for (int id = graph->block[block]->first; id >= 0 && result == OK; id = graph->node[id]->next) {
        struct node *node = graph->node[id];
        for (int i = 0; i < node->attribute_count && result == OK; i++)
            if (node->attributes[i].kind == ATTRIBUTE_BLOCK &&
                block_may_run(graph, node->attributes[i].block))
                result = infer_block(inference, graph, node->attributes[i].block, error);
        if (result == OK)
            result = infer_node(inference, graph, node, error);
        arena_reset(&inference->arena);
    }
    return result;
}

int graph_infer(struct graph *graph, struct error *error)
{
    struct inference inference = {.work_left = KNOWN_WORK_MAX};
    const int result = infer_block(&inference, graph, 0, error);
    arena_free(&inference.arena);
    return result;
}

int graph_infer_node(struct graph *graph, int node, struct error *error)
{
    struct inference inference = {.work_left = KNOWN_WORK_MAX};
    const int result = infer_node(&inference, graph, graph->node[node], error);
    arena_free(&inference.arena);
    return result;
}
