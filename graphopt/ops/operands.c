// operands.c - what attributes and operands of a node say.
#include "operands.h"

#include <stdio.h>
#include <string.h>

int word_read(const struct node *node, const char *name, const char *const *words, int *which,
              struct error *error)
{
    const char *text = node_text(node, name, words[0]);
    char list[256] = "";
    for (*which = 0; words[*which]; ++*which) {
        if (strcmp(words[*which], text) == 0)
            return OK;
        const size_t used = strlen(list);
        const bool is_last = !words[*which + 1];
        snprintf(list + used, sizeof list - used, "%s%s",
                 !used     ? ""
                 : is_last ? " or "
                           : ", ",
                 words[*which]);
    }
    return error_set(error, FAULT_IO, "'%s' is '%.40s'; it may be %s", name, text, list);
}

int integers_read(const struct site *site, const char *attribute, int i, struct integers *list,
                  struct error *error)
{
    static const long none;
    *list = (struct integers){.length = -1};
    if (attribute)
        list->values = node_integers(site->node, attribute, &list->count);
    if (attribute && node_attribute(site->node, attribute)) {
        list->is_given = true;
        list->length = list->count;
        list->values = list->values ? list->values : &none;
        return OK;
    }
    const struct type type = site_type(site, i);
    list->is_given = site_input(site, i) != NULL;
    if (site_integers(site, i, &list->values, &list->count, error) != OK)
        return FAILED;
    list->length = type_elements(&type);
    if (list->length == 0 && !list->values)
        list->values = &none;
    return OK;
}

int axes_mark(const long *axes, int count, int rank, bool marked[RANK_MAX], struct error *error)
{
    for (int i = 0; i < RANK_MAX; i++)
        marked[i] = false;
    for (int i = 0; i < count; i++) {
        int axis;
        if (axis_resolve(axes[i], rank, &axis, error) != OK)
            return FAILED;
        if (marked[axis])
            return error_set(error, FAULT_IO, "axis %d is given twice", axis);
        marked[axis] = true;
    }
    return OK;
}

int elements_agree(enum element a, enum element b, struct error *error)
{
    if (a != ELEMENT_NONE && b != ELEMENT_NONE && a != b)
        return error_set(error, FAULT_IO, "elements '%s' and '%s' differ; they have to be the same",
                         element_name(a), element_name(b));
    return OK;
}

int index_read(const struct array *indices, long element, long count, long *index,
               struct error *error)
{
    const long value = element_whole(indices->data, indices->type.element, element);
    if (value < -count || value >= count)
        return error_set(error, FAULT_IO,
                         "index %ld (element %ld of the indices) is not in [%ld, "
                         "%ld)",
                         value, element, -count, count);
    *index = value < 0 ? value + count : value;
    return OK;
}

int index_element_check(enum element element, struct error *error)
{
    if (element != ELEMENT_NONE && element != ELEMENT_i32 && element != ELEMENT_i64)
        return error_set(error, FAULT_IO, "the indices are '%s'; they have to be i32 or i64",
                         element_name(element));
    return OK;
}

bool dims_equal(const struct type *a, const struct type *b)
{
    bool are_equal = a->rank == b->rank;
    for (int i = 0; are_equal && i < a->rank; i++)
        are_equal = a->dims[i] == b->dims[i];
    return are_equal;
}

void dim_copy(struct type *out, int to, const struct type *in, int from)
{
    out->dims[to] = in->dims[from];
    out->symbol[to] = in->symbol[from];
}

void dims_unknown(struct type *out, int rank)
{
    out->rank = rank;
    for (int i = 0; i < rank; i++) {
        out->dims[i] = -1;
        out->symbol[i] = 0;
    }
}

int rank_check(long rank, struct error *error)
{
    if (rank > RANK_MAX)
        return error_set(error, FAULT_IO,
                         "the result would have %ld dimensions; at most %d can be handled", rank,
                         RANK_MAX);
    return OK;
}

int outputs_check(const struct site *site, struct error *error)
{
    for (int i = 0; i < site->node->output_count; i++)
        if (!site->output[i].data)
            return error_skip(error, "the dims of output %d do not follow from its inputs", i);
    return OK;
}
