// graph_values.h - a graph run in plain loops, for tests: its inputs follow from their names.
#ifndef ROOFLINE_GRAPH_VALUES_H
#define ROOFLINE_GRAPH_VALUES_H

#include <math.h>
#include <string.h>

#include "graph_helpers.h"

struct values {
    struct graph *graph;
    struct array *of; /* by tensor */
    struct arena arena;
};

/* Every dim of an input that is not known, and every symbol. */
enum { UNKNOWN_DIM = 3 };

static inline void values_bind(struct graph *graph)
{
    struct error error = {FAULT_NONE, ""};
    for (int i = 0; i < graph->symbol_count; i++)
        assert_int_equal(graph_bind(graph, graph->symbol[i].name, UNKNOWN_DIM, &error), OK);
    for (int i = 0; i < graph->block[0]->input_count; i++) {
        struct type *type = &graph->tensor[graph->block[0]->inputs[i]]->type;
        for (int d = 0; d < type->rank; d++)
            if (type->dims[d] < 0)
                type->dims[d] = UNKNOWN_DIM;
    }
    if (graph_infer(graph, &error) != OK)
        fail_msg("%s", error.text);
}

/* Reals in [-2, 2), whole numbers in [0, 4). */
static inline void values_fill(const char *name, struct array *array)
{
    const enum element element = array->type.element;
    uint64_t hash = 14695981039346656037U;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 1099511628211U;
    for (long i = 0; i < type_elements(&array->type); i++) {
        uint64_t z = hash + (uint64_t)(i + 1) * 0x9E3779B97F4A7C15U;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
        z ^= z >> 27;
        if (element_is_real(element))
            element_put_real(array->data, element, i, (double)(z >> 40) * 0x1p-22 - 2);
        else
            element_put_whole(array->data, element, i, (int64_t)(z >> 62));
    }
}

static inline void values_of_block(struct values *values, int block);

/* An If runs the branch that its condition takes. */
static inline void values_of_if(struct values *values, const struct node *node)
{
    const struct array *condition = &values->of[node->inputs[0]];
    const bool taken = element_whole(condition->data, condition->type.element, 0) != 0;
    const struct attribute *branch = node_attribute(node, taken ? "then_branch" : "else_branch");
    const struct block *block = values->graph->block[branch->block];
    values_of_block(values, branch->block);
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] >= 0)
            values->of[node->outputs[i]] = values->of[block->outputs[i]];
}

static inline void values_of_node(struct values *values, const struct node *node)
{
    struct site site;
    struct error error = {FAULT_NONE, ""};
    if (node_is(node, "If")) {
        values_of_if(values, node);
        return;
    }
    assert_int_equal(site_open(&site, values->graph, node, &values->arena, &error), OK);
    struct array *inputs = (struct array *)(uintptr_t)site.input;
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] >= 0)
            inputs[i] = values->of[node->inputs[i]];
    if (site_evaluate(&site, 1 << 30, &error) != OK)
        fail_msg("%s", error.text);
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] >= 0)
            values->of[node->outputs[i]] = site.output[i];
}

static inline void values_of_block(struct values *values, int block)
{
    const struct graph *graph = values->graph;
    for (int id = graph->block[block]->first; id >= 0; id = graph->node[id]->next)
        values_of_node(values, graph->node[id]);
}

/* Binds all dims, then computes all tensors. */
static inline void values_open(struct values *values, struct graph *graph)
{
    *values = (struct values){.graph = graph};
    values_bind(graph);
    values->of = arena_take_array(&values->arena, (size_t)graph->tensor_count, sizeof *values->of);
    for (int id = 0; id < graph->tensor_count; id++) {
        const struct tensor *tensor = graph->tensor[id];
        const void *data = tensor->data ? tensor->data : tensor->fallback;
        if (tensor->producer < 0 && !tensor->is_dead)
            values->of[id] = (struct array){tensor->type, (void *)(uintptr_t)data};
        if (tensor->producer < 0 && !tensor->is_dead && !data) {
            values->of[id].data = arena_take(&values->arena, (size_t)type_bytes(&tensor->type));
            values_fill(tensor->name, &values->of[id]);
        }
    }
    values_of_block(values, 0);
}

static inline void values_close(struct values *values)
{
    arena_free(&values->arena);
}

/* All outputs of both graphs: the same names and types, |d| <= 1e-5 + 1e-4 |value|. */
static inline void assert_same_values(const struct values *before, const struct values *after)
{
    const struct block *a = before->graph->block[0], *b = after->graph->block[0];
    assert_int_equal(a->output_count, b->output_count);
    for (int i = 0; i < a->output_count; i++) {
        const struct array *x = &before->of[a->outputs[i]], *y = &after->of[b->outputs[i]];
        const char *name = before->graph->tensor[a->outputs[i]]->name;
        assert_string_equal(name, after->graph->tensor[b->outputs[i]]->name);
        assert_string_equal(type_format(NULL, &x->type).text, type_format(NULL, &y->type).text);
        for (long k = 0; k < type_elements(&x->type); k++) {
            const double old = element_real(x->data, x->type.element, k);
            const double new = element_real(y->data, y->type.element, k);
            if (old != new && !(isnan(old) && isnan(new)) &&
                !(fabs(new - old) <= 1e-5 + 1e-4 * fabs(old)))
                fail_msg("element %ld of '%s' was %.9g and is %.9g", k, name, old, new);
        }
    }
}

#endif
