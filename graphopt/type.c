// type.c - elements, ranks and dims: what is known of a tensor without its values.
#include <stdio.h>
#include <string.h>

#include "graph.h"

long type_product(const struct type *type, int from, int to)
{
    long product = 1;
    for (int i = from; i < to; i++) {
        if (type->rank < 0 || type->dims[i] < 0)
            return -1;
        product *= type->dims[i];
    }
    return product;
}

long type_elements(const struct type *type)
{
    return type->rank < 0 ? -1 : type_product(type, 0, type->rank);
}

long type_bytes(const struct type *type)
{
    const long elements = type_elements(type);
    if (elements < 0 || type->element == ELEMENT_NONE)
        return -1;
    return (long)element_bytes(type->element, elements);
}

int type_check(const struct type *type, const char *name, struct error *error)
{
    long product = 1;
    if (type->rank > RANK_MAX)
        return error_set(error, FAULT_IO, "'%s' has %d dimensions; at most %d can be handled", name,
                         type->rank, RANK_MAX);
    for (int i = 0; i < type->rank; i++) {
        const long dim = type->dims[i];
        if (dim < -1)
            return error_set(error, FAULT_IO, "dimension %d of '%s' is negative: %ld", i, name,
                             dim);
        /* Also beside a dim of 0 or an unknown one, so that products of any of them are numbers. */
        if (dim > 0 && (dim > ELEMENTS_MAX || product > ELEMENTS_MAX / dim))
            return error_set(error, FAULT_IO,
                             "'%s' is too large: dimension %d of %ld makes more than %ld elements",
                             name, i, dim, ELEMENTS_MAX);
        product *= dim > 0 ? dim : 1;
    }
    return OK;
}

bool type_equal(const struct type *a, const struct type *b)
{
    if (a->element != b->element || a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i] || a->symbol[i] != b->symbol[i])
            return false;
    return true;
}

bool type_is_complete(const struct type *type)
{
    return type->element != ELEMENT_NONE && type_elements(type) >= 0;
}

int type_merge(struct type *type, const struct type *other)
{
    if (type->element == ELEMENT_NONE)
        type->element = other->element;
    else if (other->element != ELEMENT_NONE && other->element != type->element)
        return FAILED;
    if (other->rank < 0)
        return OK;
    if (type->rank < 0) {
        const enum element element = type->element;
        *type = *other;
        type->element = element;
        return OK;
    }
    if (type->rank != other->rank)
        return FAILED;
    for (int i = 0; i < type->rank; i++) {
        if (type->dims[i] >= 0 && other->dims[i] >= 0 && type->dims[i] != other->dims[i])
            return FAILED;
        if (type->dims[i] < 0) {
            type->dims[i] = other->dims[i];
            if (!type->symbol[i])
                type->symbol[i] = other->symbol[i];
        }
        if (type->dims[i] >= 0)
            type->symbol[i] = 0;
    }
    return OK;
}

struct type_text type_format(const struct graph *graph, const struct type *type)
{
    struct type_text text;
    const size_t capacity = sizeof text.text;
    size_t used = (size_t)snprintf(text.text, capacity, "%s", element_name(type->element));
    if (type->rank < 0)
        return text;
    for (int i = 0; i < type->rank && used < capacity; i++) {
        const char *comma = i ? "," : "[";
        if (type->dims[i] >= 0)
            used +=
                (size_t)snprintf(text.text + used, capacity - used, "%s%ld", comma, type->dims[i]);
        else
            used += (size_t)snprintf(
                text.text + used, capacity - used, "%s%.16s", comma,
                graph && type->symbol[i] ? graph->symbol[type->symbol[i] - 1].name : "?");
    }
    if (used < capacity)
        snprintf(text.text + used, capacity - used, type->rank ? "]" : "[]");
    return text;
}
