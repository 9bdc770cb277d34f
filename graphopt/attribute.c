// attribute.c - typed attributes of nodes: copying, setting, removing.
#include <string.h>

#include "graph_parts.h"

static bool copy_text(struct arena *arena, struct text *text)
{
    char *copy = arena_take(arena, text->length + 1);
    if (copy && text->length)
        memcpy(copy, text->bytes, text->length);
    text->bytes = copy;
    return copy != NULL;
}

static bool copy_texts(struct arena *arena, struct attribute *attribute)
{
    struct text *texts =
        arena_copy(arena, attribute->texts, (size_t)attribute->count * sizeof *texts);
    attribute->texts = texts;
    for (long i = 0; texts && i < attribute->count; i++)
        if (!copy_text(arena, &texts[i]))
            return false;
    return texts != NULL;
}

static bool copy_reals(struct arena *arena, struct attribute *attribute)
{
    double *reals = arena_take_array(arena, (size_t)attribute->count, sizeof *reals);
    for (long i = 0; reals && i < attribute->count; i++)
        reals[i] = (float)attribute->reals[i];
    attribute->reals = reals;
    return reals != NULL;
}

int attribute_copy(struct graph *graph, struct attribute *to, const struct attribute *from,
                   struct error *error)
{
    struct arena *arena = &graph->arena;
    bool there = true;
    *to = *from;
    to->name = arena_copy_text(arena, from->name);
    switch (from->kind) {
    case ATTRIBUTE_REAL:
        to->real = (float)from->real;
        break;
    case ATTRIBUTE_INT:
    case ATTRIBUTE_BLOCK:
    case ATTRIBUTE_OTHER:
        break;
    case ATTRIBUTE_TEXT:
        there = copy_text(arena, &to->text);
        break;
    case ATTRIBUTE_TENSOR:
        to->tensor = arena_copy(arena, from->tensor, sizeof *from->tensor);
        there = to->tensor != NULL;
        break;
    case ATTRIBUTE_INTS:
        to->integers = arena_copy(arena, from->integers, (size_t)from->count * sizeof(long));
        there = to->integers != NULL;
        break;
    case ATTRIBUTE_REALS:
        there = copy_reals(arena, to);
        break;
    case ATTRIBUTE_TEXTS:
        there = copy_texts(arena, to);
        break;
    }
    return to->name && there ? OK : (graph_exhausted(graph, error), FAILED);
}

int graph_set_attribute(struct graph *graph, int node, const struct attribute *attribute,
                        struct error *error)
{
    struct node *of = graph->node[node];
    struct attribute copy;
    if (attribute_copy(graph, &copy, attribute, error) != OK)
        return FAILED;
    if (copy.kind == ATTRIBUTE_OTHER)
        of->op = NULL;
    for (int i = 0; i < of->attribute_count; i++)
        if (strcmp(of->attributes[i].name, copy.name) == 0) {
            of->attributes[i] = copy;
            return OK;
        }
    struct attribute *longer =
        arena_room(&graph->arena, of->attributes, of->attribute_count, sizeof *longer);
    if (!longer)
        return graph_exhausted(graph, error), FAILED;
    of->attributes = longer;
    of->attributes[of->attribute_count++] = copy;
    return OK;
}

int graph_set_integer(struct graph *graph, int node, const char *name, long value,
                      struct error *error)
{
    const struct attribute attribute = {.name = name, .kind = ATTRIBUTE_INT, .integer = value};
    return graph_set_attribute(graph, node, &attribute, error);
}

int graph_set_integers(struct graph *graph, int node, const char *name, const long *values,
                       int count, struct error *error)
{
    const struct attribute attribute = {
        .name = name, .kind = ATTRIBUTE_INTS, .count = count, .integers = values};
    return graph_set_attribute(graph, node, &attribute, error);
}

int graph_set_real(struct graph *graph, int node, const char *name, double value,
                   struct error *error)
{
    const struct attribute attribute = {.name = name, .kind = ATTRIBUTE_REAL, .real = value};
    return graph_set_attribute(graph, node, &attribute, error);
}

int graph_set_text(struct graph *graph, int node, const char *name, const char *value,
                   struct error *error)
{
    const struct attribute attribute = {
        .name = name, .kind = ATTRIBUTE_TEXT, .text = {value, strlen(value)}};
    return graph_set_attribute(graph, node, &attribute, error);
}

void graph_remove_attribute(struct graph *graph, int node, const char *name)
{
    struct node *of = graph->node[node];
    int kept = 0;
    for (int i = 0; i < of->attribute_count; i++)
        if (strcmp(of->attributes[i].name, name) != 0)
            of->attributes[kept++] = of->attributes[i];
    of->attribute_count = kept;
}

/* ---- comparing ---- */

static bool are_same_texts(const struct text *a, const struct text *b)
{
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

static bool are_same_tensors(const struct array *a, const struct array *b)
{
    return a->type.element != ELEMENT_text && type_equal(&a->type, &b->type) &&
           memcmp(a->data, b->data, (size_t)type_bytes(&a->type)) == 0;
}

bool attribute_equal(const struct attribute *a, const struct attribute *b)
{
    if (!b || a->kind != b->kind)
        return false;
    switch (a->kind) {
    case ATTRIBUTE_INT:
        return a->integer == b->integer;
    case ATTRIBUTE_REAL:
        return memcmp(&a->real, &b->real, sizeof a->real) == 0;
    case ATTRIBUTE_TEXT:
        return are_same_texts(&a->text, &b->text);
    case ATTRIBUTE_TENSOR:
        return are_same_tensors(a->tensor, b->tensor);
    case ATTRIBUTE_INTS:
        return a->count == b->count &&
               memcmp(a->integers, b->integers, (size_t)a->count * sizeof *a->integers) == 0;
    case ATTRIBUTE_REALS:
        return a->count == b->count &&
               memcmp(a->reals, b->reals, (size_t)a->count * sizeof *a->reals) == 0;
    case ATTRIBUTE_TEXTS:
        for (long i = 0; i < a->count && i < b->count; i++)
            if (!are_same_texts(&a->texts[i], &b->texts[i]))
                return false;
        return a->count == b->count;
    case ATTRIBUTE_BLOCK:
    case ATTRIBUTE_OTHER:
        return false;
    }
    return false;
}
