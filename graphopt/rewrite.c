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
    if (output < 0 ||
        (domain && graph_opset(graph, domain) == 0 && graph_import(graph, domain, 1, error) != OK))
        return -1;
    return graph_add_node(graph, &spec, error);
}

int rewrite_copy_attributes(struct graph *graph, int to, int from, struct error *error)
{
    const struct node *node = graph->node[from];
    for (int i = 0; i < node->attribute_count; i++)
        if (node->attributes[i].kind != ATTRIBUTE_BLOCK &&
            graph_set_attribute(graph, to, &node->attributes[i], error) != OK)
            return FAILED;
    return OK;
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
    const int made = graph->node[node]->outputs[0];
    int result = graph->node[node]->op ? graph_infer_node(graph, node, error) : SKIPPED;
    if (result == OK)
        result = rewrite_replace(graph, old, made, error);
    if (result == SKIPPED)
        graph_remove_node(graph, node);
    /* The name of an output is the new one's already. */
    return result == OK && !tensor_is_output(graph->tensor[made])
               ? graph_pass_name(graph, old, made, error)
               : result;
}

/* ---- what rules ask ---- */

bool types_surely_equal(const struct type *a, const struct type *b)
{
    if (a->element != b->element || a->element == ELEMENT_NONE || a->rank < 0 || a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i] ||
            (a->dims[i] < 0 && (a->symbol[i] == 0 || a->symbol[i] != b->symbol[i])))
            return false;
    return true;
}

int rewrite_type(const struct graph *graph, int node, struct type *type, struct error *error)
{
    struct arena arena = {0};
    struct site site;
    int result = site_open(&site, graph, graph->node[node], &arena, error);
    if (result == OK)
        result = site_infer(&site, error);
    *type = result == OK ? site.output[0].type : UNKNOWN_TYPE;
    arena_free(&arena);
    return result;
}

bool tensor_integers(const struct tensor *tensor, long values[RANK_MAX], int *count)
{
    if (!tensor_is_known(tensor) || !element_is_whole(tensor->type.element) ||
        tensor->type.rank != 1 || tensor->type.dims[0] > RANK_MAX)
        return false;
    *count = (int)tensor->type.dims[0];
    for (int i = 0; i < *count; i++)
        values[i] = element_whole(tensor->data, tensor->type.element, i);
    return true;
}

bool node_list(const struct graph *graph, const struct node *node, const char *attribute, int slot,
               long values[RANK_MAX], int *count)
{
    const long *list = attribute ? node_integers(node, attribute, count) : NULL;
    const int tensor = node_input(node, slot);
    if (!list)
        return tensor >= 0 && tensor_integers(graph->tensor[tensor], values, count);
    for (int i = 0; i < *count && i < RANK_MAX; i++)
        values[i] = list[i];
    return *count <= RANK_MAX;
}

/* ---- rules of several passes ---- */

int rewrite_drop(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    return rewrite_replace(rewriting->graph, match->tensor[DROP_Y], match->tensor[DROP_X], error);
}

int rewrite_drop_same(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    const struct graph *graph = rewriting->graph;
    struct type type;
    if (rewrite_type(graph, match->node[0], &type, error) != OK)
        return FAILED;
    if (!types_surely_equal(&type, &graph->tensor[match->tensor[DROP_X]]->type))
        return SKIPPED;
    return rewrite_drop(rewriting, match, error);
}

/* The operand of a Reshape from one type to the other; false where there is none. */
static bool find_shape(const struct type *from, const struct type *to, long shape[RANK_MAX])
{
    int open = 0;
    for (int i = 0; i < to->rank; i++) {
        shape[i] = to->dims[i];
        if (shape[i] == 0)
            return false;
        if (shape[i] > 0)
            continue;
        const bool is_copy =
            to->symbol[i] != 0 && i < from->rank && from->symbol[i] == to->symbol[i];
        shape[i] = is_copy ? 0 : -1;
        open += !is_copy;
    }
    return to->rank >= 0 && open <= 1;
}

int rewrite_add_reshape(struct graph *graph, int input, const struct type *type, int before,
                        int *node, struct error *error)
{
    long shape[RANK_MAX];
    if (!op_find("", "Reshape", graph_opset(graph, "")) ||
        !find_shape(&graph->tensor[input]->type, type, shape))
        return SKIPPED;
    const int list = graph_add_integers(graph, NULL, shape, type->rank, error);
    if (list < 0)
        return FAILED;
    *node = rewrite_add(graph, NULL, "Reshape", before, (const int[]){input, list}, 2, error);
    return *node < 0 ? FAILED : OK;
}

int rewrite_gemm_addend(struct graph *graph, int like, int *addend, struct error *error)
{
    *addend = -1;
    if (graph_opset(graph, "") >= 11)
        return OK;
    *addend = graph_add_real(graph, "zero", graph->tensor[like]->type.element, 0, error);
    return *addend < 0 ? FAILED : OK;
}
