// table_rows.c - indices as rows of a table.
#include "table_rows.h"

/* Where the indices are known with room for the rows. */
static int take_rows(const struct site *site, const struct array *indices, long count, long columns,
                     struct table_rows *rows, struct error *error)
{
    *rows = (struct table_rows){.count = count, .columns = columns};
    if (!indices->data && type_elements(&indices->type) > 0)
        return OK;
    rows->row = arena_take_array(site->arena, (size_t)count, sizeof *rows->row);
    return rows->row ? OK : error_set(error, FAULT_ENVIRONMENT, "out of memory");
}

int rows_of_axis(const struct site *site, const struct type *data, const struct array *indices,
                 int axis, struct table_rows *rows, struct error *error)
{
    const long outer = type_product(data, 0, axis), count = type_elements(&indices->type);
    const long columns = type_product(data, axis + 1, data->rank), lines = data->dims[axis];
    if (take_rows(site, indices, outer * count, columns, rows, error) != OK)
        return FAILED;
    for (long i = 0; rows->row && i < outer * count; i++) {
        long line;
        if (index_read(indices, i % count, lines, &line, error) != OK)
            return FAILED;
        rows->row[i] = i / count * lines + line;
    }
    return OK;
}

static void find_strides(const struct type *type, long strides[RANK_MAX])
{
    for (int i = 0; i < type->rank; i++)
        strides[i] = type_product(type, i + 1, type->rank);
}

int rows_of_elements(const struct site *site, const struct type *data, const struct array *indices,
                     int axis, struct table_rows *rows, struct error *error)
{
    const long count = type_elements(&indices->type);
    long strides[RANK_MAX], at[RANK_MAX] = {0}, line;
    if (take_rows(site, indices, count, 1, rows, error) != OK)
        return FAILED;
    find_strides(data, strides);
    for (long i = 0; rows->row && i < count; i++) {
        if (index_read(indices, i, data->dims[axis], &line, error) != OK)
            return FAILED;
        rows->row[i] = place_offset(data->rank, strides, at) + (line - at[axis]) * strides[axis];
        place_next(&indices->type, at);
    }
    return OK;
}

int rows_check_elements(const struct type *data, const struct type *indices, int axis,
                        struct error *error)
{
    if (data->rank < 0 || indices->rank < 0)
        return OK;
    if (data->rank != indices->rank)
        return error_set(error, FAULT_IO,
                         "data and indices have %d and %d dimensions; they need the same number",
                         data->rank, indices->rank);
    for (int i = 0; i < data->rank; i++)
        if (i != axis && data->dims[i] >= 0 && indices->dims[i] > data->dims[i])
            return error_set(error, FAULT_IO,
                             "dimension %d of the indices is %ld, more than the %ld of the data", i,
                             indices->dims[i], data->dims[i]);
    return OK;
}

int rows_of_tuples(const struct site *site, const struct type *data, const struct array *indices,
                   int batch, struct table_rows *rows, struct error *error)
{
    const struct type *type = &indices->type;
    const int length = (int)type->dims[type->rank - 1];
    const long count = type_product(type, 0, type->rank - 1);
    const long each = type_product(type, batch, type->rank - 1); /* tuples of a batch */
    if (take_rows(site, indices, count, type_product(data, batch + length, data->rank), rows,
                  error) != OK)
        return FAILED;
    for (long i = 0; rows->row && i < count; i++) {
        long row = i / each;
        for (int k = 0; k < length; k++) {
            long line;
            if (index_read(indices, i * length + k, data->dims[batch + k], &line, error) != OK)
                return FAILED;
            row = row * data->dims[batch + k] + line;
        }
        rows->row[i] = row;
    }
    return OK;
}

int rows_check_tuples(const struct type *data, const struct type *indices, int batch,
                      struct error *error)
{
    if (indices->rank == 0 || data->rank == 0)
        return error_set(error, FAULT_IO, "data and indices need at least one dimension");
    if (batch < 0 || (indices->rank > 0 && batch >= indices->rank) ||
        (data->rank > 0 && batch >= data->rank))
        return error_set(error, FAULT_IO,
                         "'batch_dims' is %d; data and indices need more dimensions than that",
                         batch);
    if (data->rank < 0 || indices->rank < 0)
        return OK;
    const long length = indices->dims[indices->rank - 1];
    if (length > data->rank - batch)
        return error_set(error, FAULT_IO,
                         "the indices name places of %ld dimensions in data that have %d", length,
                         data->rank - batch);
    for (int i = 0; i < batch; i++)
        if (data->dims[i] >= 0 && indices->dims[i] >= 0 && data->dims[i] != indices->dims[i])
            return error_set(error, FAULT_IO,
                             "dimension %d is %ld in the data and %ld in the "
                             "indices, but it is of the batch",
                             i, data->dims[i], indices->dims[i]);
    return OK;
}
