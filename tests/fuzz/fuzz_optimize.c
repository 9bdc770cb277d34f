// fuzz_optimize.c - a graph that verifies still verifies after any passes, and computes the same.
//
// The first four bytes say which passes run ("all " for all), the rest is the graph's text.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph_text.h"
#include "optimize.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition, const char *what, const struct error *error)
{
    if (!condition) {
        fprintf(stderr, "fuzz_optimize: %s: %s\n", what, error->text);
        abort();
    }
}

/* ---- running a graph in plain loops ---- */

enum { BYTES_MAX = 1 << 16 };

struct run {
    struct graph *graph;
    struct array *of; /* by tensor */
    struct arena arena;
};

/* Small whole numbers of all elements: sums of them are exact, so a difference is a mistake. */
static void fill(struct array *array, int seed)
{
    for (long i = 0; i < type_elements(&array->type); i++)
        if (element_is_real(array->type.element))
            element_put_real(array->data, array->type.element, i, (double)((seed + i) % 5 - 2));
        else
            element_put_whole(array->data, array->type.element, i, (seed + i) % 3);
}

static int run_node(struct run *run, const struct node *node)
{
    struct site site;
    struct error error;
    if (!node->op || !node->op->evaluate || (node->op->flags & (OP_RANDOM | OP_CONTROL)) ||
        site_open(&site, run->graph, node, &run->arena, &error) != OK)
        return SKIPPED;
    struct array *inputs = (struct array *)(uintptr_t)site.input;
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] >= 0)
            inputs[i] = run->of[node->inputs[i]];
    if (site_infer(&site, &error) != OK)
        return SKIPPED;
    if (node->op->flops && !(node->op->flops(&site) < 1e6))
        return SKIPPED;
    if (site_evaluate(&site, BYTES_MAX, &error) != OK)
        return SKIPPED;
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] >= 0)
            run->of[node->outputs[i]] = site.output[i];
    return OK;
}

/* SKIPPED where a type is open or large, or an operator cannot be computed. */
static int run_graph(struct run *run, struct graph *graph)
{
    *run = (struct run){.graph = graph};
    run->of = arena_take_array(&run->arena, (size_t)graph->tensor_count, sizeof *run->of);
    for (int id = 0; id < graph->tensor_count; id++) {
        const struct tensor *tensor = graph->tensor[id];
        const long bytes = type_bytes(&tensor->type);
        const void *value = tensor->data ? tensor->data : tensor->fallback;
        if (tensor->producer >= 0 || tensor->is_dead)
            continue;
        if (bytes < 0 || bytes > BYTES_MAX || tensor->type.element == ELEMENT_text)
            return SKIPPED;
        run->of[id] = (struct array){tensor->type, (void *)(uintptr_t)value};
        if (!value) {
            run->of[id].data = arena_take(&run->arena, (size_t)bytes);
            fill(&run->of[id], tensor->slot);
        }
    }
    int result = OK;
    for (int id = graph->block[0]->first; id >= 0 && result == OK; id = graph->node[id]->next)
        result = run_node(run, graph->node[id]);
    return result;
}

static int is_close(double old, double new)
{
    return old == new || isnan(old) || isnan(new) || isinf(old) || isinf(new) ||
           fabs(new - old) <= 1e-4 + 1e-3 * fabs(old);
}

static void compare(const struct run *before, const struct run *after)
{
    const struct block *a = before->graph->block[0], *b = after->graph->block[0];
    struct error error = {FAULT_NONE, ""};
    require(a->output_count == b->output_count, "outputs are missing", &error);
    for (int i = 0; i < a->output_count; i++) {
        const struct array *x = &before->of[a->outputs[i]], *y = &after->of[b->outputs[i]];
        snprintf(error.text, sizeof error.text, "'%s'", before->graph->tensor[a->outputs[i]]->name);
        require(strcmp(before->graph->tensor[a->outputs[i]]->name,
                       after->graph->tensor[b->outputs[i]]->name) == 0,
                "an output has another name", &error);
        require(type_equal(&x->type, &y->type), "an output has another type", &error);
        for (long k = 0; k < type_elements(&x->type); k++)
            require(is_close(element_real(x->data, x->type.element, k),
                             element_real(y->data, y->type.element, k)),
                    "an output has another value", &error);
    }
}

/* ---- passes ---- */

static void optimize(struct graph *graph, uint32_t chosen)
{
    static const struct pass_settings settings = {.most_bytes = BYTES_MAX, .most_flops = 1e5};
    struct error error = {FAULT_NONE, ""};
    struct optimization again;
    struct pass_set set = {.has = {0}};
    for (int i = 0; i < PASS_COUNT; i++)
        set.has[i] = memcmp(&chosen, "all ", 4) == 0 || ((chosen >> (i % 32)) & 1);
    require(graph_optimize(graph, &set, &settings, NULL, &error) == OK, "it is not optimised",
            &error);
    require(graph_verify(graph, &error) == OK, "it does not verify", &error);
    require(graph_optimize(graph, &set, &settings, &again, &error) == OK, "not a second time",
            &error);
    for (int i = 0; i < PASS_COUNT; i++) {
        snprintf(error.text, sizeof error.text, "%s", passes[i]->name);
        require(again.rewrites[i] == 0, "a second run rewrites", &error);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {FAULT_NONE, ""};
    struct graph before, after;
    struct run old, new;
    uint32_t chosen;
    if (size < sizeof chosen)
        return 0;
    memcpy(&chosen, data, sizeof chosen);
    size -= sizeof chosen;
    char *text = malloc(size + 1);
    require(text != NULL, "memory is out", &error);
    memcpy(text, data + sizeof chosen, size);
    text[size] = 0;
    if (graph_parse(&before, "input", text, BYTES_MAX, &error) == OK) {
        require(graph_copy(&after, &before, &error) == OK, "it is not copied", &error);
        optimize(&after, chosen);
        if (run_graph(&old, &before) == OK) {
            require(run_graph(&new, &after) == OK, "it does not run any more", &error);
            compare(&old, &new);
            arena_free(&new.arena);
        }
        arena_free(&old.arena);
        graph_free(&after);
    }
    graph_free(&before);
    free(text);
    return 0;
}
