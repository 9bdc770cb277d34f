// graph_verify.c - what holds of every graph between two passes.
#include <stdlib.h>
#include <string.h>

#include "graph_parts.h"
#include "op.h"

struct verification {
    const struct graph *graph;
    char *made;              /* of each tensor: it can be used at this place of the order */
    int *uses;               /* of each tensor: met so far */
    char *met;               /* of each node */
    char *entered;           /* of each block */
    struct arena site_arena; /* of one node after the other */
    struct error *error;
};

static int complain(struct verification *v, const struct node *node, const char *what,
                    const char *subject)
{
    return error_set(v->error, FAULT_IO, "graph '%s' does not verify: %s %s '%s'", v->graph->name,
                     node ? node_label(v->graph, node).text : "an output", what, subject);
}

static int complain_of(struct verification *v, const char *what, const char *name, const char *why)
{
    return error_set(v->error, FAULT_IO, "graph '%s' does not verify: %s '%s' %s", v->graph->name,
                     what, name, why);
}

static bool lists_use(const struct tensor *tensor, struct use use)
{
    for (int i = 0; i < tensor->use_count; i++)
        if (tensor->uses[i].node == use.node && tensor->uses[i].slot == use.slot)
            return true;
    return false;
}

/* One use, by a node or (node NULL) as an output of a block. */
static int verify_use(struct verification *v, const struct node *node, int id, struct use use)
{
    const struct graph *graph = v->graph;
    if (id < 0 || id >= graph->tensor_count)
        return complain(v, node, "uses a tensor", "that does not exist");
    const struct tensor *tensor = graph->tensor[id];
    if (tensor->is_dead)
        return complain(v, node, "uses what was removed,", tensor->name);
    if (!v->made[id])
        return complain(v, node, "uses before it is made, or outside of its subgraph,",
                        tensor->name);
    /* Long lists of uses are checked by their length alone, which verify_tensors() does. */
    if (tensor->use_count <= 64 && !lists_use(tensor, use))
        return complain(v, node, "is missing among the uses of", tensor->name);
    v->uses[id]++;
    return OK;
}

static int verify_outputs(struct verification *v, const struct node *node, int id)
{
    for (int i = 0; i < node->output_count; i++) {
        const int output = node->outputs[i];
        if (output < 0)
            continue;
        if (output >= v->graph->tensor_count)
            return complain(v, node, "makes a tensor", "that does not exist");
        const struct tensor *tensor = v->graph->tensor[output];
        if (tensor->is_dead || tensor->producer != id || tensor->slot != i ||
            tensor->block != node->block || v->made[output])
            return complain(v, node, "is not the only one that makes", tensor->name);
        v->made[output] = 1;
    }
    return OK;
}

/* Also that the node has what its operator expects: site_infer(). */
static int verify_types(struct verification *v, const struct node *node)
{
    struct site site;
    int result = site_open(&site, v->graph, node, &v->site_arena, v->error);
    if (result == OK)
        result = site_infer(&site, v->error);
    for (int i = 0; i < node->output_count && result == OK; i++) {
        if (node->outputs[i] < 0)
            continue;
        struct type type = v->graph->tensor[node->outputs[i]]->type;
        if (type_merge(&type, &site.output[i].type) != OK)
            result = error_set(v->error, FAULT_IO,
                               "graph '%s' does not verify: '%s' is %s, but %s makes %s",
                               v->graph->name, v->graph->tensor[node->outputs[i]]->name,
                               type_format(v->graph, &type).text, node_label(v->graph, node).text,
                               type_format(v->graph, &site.output[i].type).text);
    }
    arena_reset(&v->site_arena);
    return result;
}

/* ---- the walk ---- */

static int verify_block(struct verification *v, int id);

static int verify_node(struct verification *v, int id)
{
    const struct node *node = v->graph->node[id];
    v->met[id] = 1;
    int result = OK;
    for (int i = 0; i < node->input_count && result == OK; i++)
        if (node->inputs[i] >= 0)
            result = verify_use(v, node, node->inputs[i], (struct use){id, i});
    for (int i = 0; i < node->attribute_count && result == OK; i++) {
        const struct attribute *attribute = &node->attributes[i];
        if (attribute->kind != ATTRIBUTE_BLOCK)
            continue;
        if (attribute->block <= 0 || attribute->block >= v->graph->block_count ||
            v->graph->block[attribute->block]->owner != id)
            return complain(v, node, "does not own its subgraph", attribute->name);
        result = verify_block(v, attribute->block);
    }
    if (result == OK)
        result = verify_outputs(v, node, id);
    return result == OK && block_may_run(v->graph, node->block) ? verify_types(v, node) : result;
}

/* What was made in a block is not seen outside of it. */
static void leave_block(struct verification *v, int id)
{
    const struct block *block = v->graph->block[id];
    for (int i = 0; i < block->input_count; i++)
        v->made[block->inputs[i]] = 0;
    for (int n = block->first; n >= 0; n = v->graph->node[n]->next)
        for (int i = 0; i < v->graph->node[n]->output_count; i++)
            if (v->graph->node[n]->outputs[i] >= 0)
                v->made[v->graph->node[n]->outputs[i]] = 0;
}

static int verify_block(struct verification *v, int id)
{
    const struct graph *graph = v->graph;
    const struct block *block = graph->block[id];
    int result = OK, previous = -1;
    if (block->is_dead || v->entered[id]++)
        return complain_of(v, "subgraph", block->name, "belongs to two nodes, or to none");
    for (int i = 0; i < block->input_count; i++) {
        const struct tensor *input = graph->tensor[block->inputs[i]];
        if (input->is_dead || !input->is_input || input->producer >= 0 || input->slot != i)
            return complain_of(v, "input", input->name,
                               "is not what its subgraph says, or a node makes it");
        v->made[block->inputs[i]] = 1;
    }
    for (int n = block->first; n >= 0 && result == OK; n = graph->node[n]->next) {
        const struct node *node = graph->node[n];
        if (node->is_dead || node->block != id || node->previous != previous || v->met[n])
            return complain(v, node, "is out of order in", block->name);
        result = verify_node(v, n);
        previous = n;
    }
    for (int i = 0; i < block->output_count && result == OK; i++)
        result = verify_use(v, NULL, block->outputs[i], (struct use){-1 - id, i});
    if (result == OK && id > 0)
        leave_block(v, id);
    return result;
}

static int verify_tensors(struct verification *v)
{
    const struct graph *graph = v->graph;
    for (int id = 0; id < graph->tensor_count; id++) {
        const struct tensor *tensor = graph->tensor[id];
        if (tensor->is_dead)
            continue;
        if (graph_find(graph, tensor->name) != id)
            return complain_of(v, "tensor", tensor->name, "shares its name with another");
        if (tensor->use_count != v->uses[id])
            return complain_of(v, "tensor", tensor->name, "lists uses that are not there");
        if (type_check(&tensor->type, tensor->name, v->error) != OK)
            return FAILED;
    }
    for (int id = 0; id < graph->node_count; id++)
        if (!graph->node[id]->is_dead && !v->met[id])
            return complain(v, graph->node[id], "is in no order of execution of",
                            graph->block[graph->node[id]->block]->name);
    return OK;
}

int graph_verify(const struct graph *graph, struct error *error)
{
    const size_t tensors = (size_t)graph->tensor_count + 1, nodes = (size_t)graph->node_count + 1;
    struct arena arena = {0};
    struct verification v = {
        .graph = graph,
        .made = arena_take(&arena, tensors),
        .uses = arena_take_array(&arena, tensors, sizeof *v.uses),
        .met = arena_take(&arena, nodes),
        .entered = arena_take(&arena, (size_t)graph->block_count),
        .error = error,
    };
    int result = FAILED;
    if (!v.made || !v.uses || !v.met || !v.entered)
        graph_exhausted(graph, error);
    else if (graph->block[0]->output_count == 0)
        result =
            error_set(error, FAULT_IO, "graph '%s' does not verify: it has no output", graph->name);
    else {
        for (int id = 0; id < graph->tensor_count; id++) /* constants are there from the start */
            v.made[id] = graph->tensor[id]->producer < 0 && graph->tensor[id]->data;
        result = verify_block(&v, 0);
        if (result == OK)
            result = verify_tensors(&v);
    }
    arena_free(&v.site_arena);
    arena_free(&arena);
    return result;
}
