// folding.c - what follows from constants alone is computed before the graph runs.
#include "rewrite.h"

static bool has_known_inputs(const struct graph *graph, const struct node *node)
{
    for (int i = 0; i < node->input_count; i++) {
        const struct tensor *tensor = node->inputs[i] >= 0 ? graph->tensor[node->inputs[i]] : NULL;
        const bool is_enough = !tensor || tensor_is_known(tensor) ||
                               ((node->op->flags & OP_TYPES) && type_is_complete(&tensor->type));
        if (!is_enough)
            return false;
    }
    return true;
}

static bool is_used(const struct graph *graph, const struct node *node, int slot)
{
    return node->outputs[slot] >= 0 && graph->tensor[node->outputs[slot]]->use_count > 0;
}

/* Whether it is worth a look: its results are used and follow from what is known. */
static bool is_foldable(const struct graph *graph, const struct node *node)
{
    bool any_used = false;
    if (node->is_dead || !node->op || !node->op->evaluate ||
        (node->op->flags & (OP_RANDOM | OP_CONTROL)) || !has_known_inputs(graph, node))
        return false;
    for (int i = 0; i < node->output_count; i++) {
        any_used = any_used || is_used(graph, node, i);
        if (node->outputs[i] >= 0 &&
            graph->tensor[node->outputs[i]]->type.element == ELEMENT_text) /* bytes are borrowed */
            return false;
    }
    return any_used;
}

/* The values in memory of the graph, as constants in the place of the results. */
static int keep_values(struct graph *graph, int id, const struct site *site, struct error *error)
{
    const struct node *node = graph->node[id];
    for (int i = 0; i < node->output_count; i++) {
        const struct array *output = &site->output[i];
        if (!is_used(graph, node, i))
            continue;
        const void *data =
            arena_copy(&graph->arena, output->data, (size_t)type_bytes(&output->type));
        if (!data)
            return error_set(error, FAULT_ENVIRONMENT, "out of memory");
        graph->tensor[node->outputs[i]]->type = output->type;
        if (graph_make_constant(graph, node->outputs[i], data, error) != OK)
            return FAILED;
    }
    return rewrite_remove(graph, id, error);
}

static int fold(struct rewriting *rewriting, int id, struct arena *arena, struct error *error)
{
    struct graph *graph = rewriting->graph;
    const struct node *node = graph->node[id];
    struct site site;
    if (site_open(&site, graph, node, arena, error) != OK || site_infer(&site, error) != OK)
        return FAILED;
    bool is_complete = true;
    for (int i = 0; i < node->output_count; i++)
        is_complete =
            is_complete && (node->outputs[i] < 0 || type_is_complete(&site.output[i].type));
    if (is_complete && node->op->flops &&
        !(node->op->flops(&site) <= rewriting->settings->most_flops))
        return SKIPPED;
    const int result = site_evaluate(&site, rewriting->settings->most_bytes, error);
    return result == OK ? keep_values(graph, id, &site, error) : result;
}

static int run(struct rewriting *rewriting, int *count, struct error *error)
{
    const struct graph *graph = rewriting->graph;
    struct arena arena = {0};
    int result = OK;
    for (int block = 0; block < graph->block_count; block++)
        for (int id = graph->block[block]->first, next; id >= 0 && result != FAILED; id = next) {
            next = graph->node[id]->next;
            if (!is_foldable(graph, graph->node[id]) || !block_may_run(graph, block))
                continue;
            result = fold(rewriting, id, &arena, error);
            *count += result == OK;
            arena_reset(&arena);
        }
    arena_free(&arena);
    return result == FAILED ? FAILED : OK;
}

const struct pass folding_pass = {
    .name = "constant-folding",
    .group = GROUP_ELIMINATION,
    .summary = "an operator on constants, such as Unsqueeze, or one that asks for known dims alone "
               "(Shape): a constant",
    .refuses = "an input may be replaced by whoever runs the graph; results are random; the "
               "constant would take more than 64 MiB, or more than 100 MFLOP to compute",
    .run = run,
};
