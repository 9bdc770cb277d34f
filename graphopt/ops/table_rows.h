// table_rows.h - which elements the indices of Gather, Scatter and their kin name: rows of a table.
#ifndef ROOFLINE_TABLE_ROWS_H
#define ROOFLINE_TABLE_ROWS_H

#include "moves.h"

/* Row row[i] of the data, seen as rows of `columns` elements, belongs to row i of the other side.
 */
struct table_rows {
    long *row; /* of the arena; NULL: the indices have no data yet */
    long count, columns;
};

/* The functions below want complete types, and values where there are indices, and that their check
 * passed. FAULT_IO names an index that is out of range. */

/* Gather: all indices, for each place before the axis. */
int rows_of_axis(const struct site *site, const struct type *data, const struct array *indices,
                 int axis, struct table_rows *rows, struct error *error);

/* GatherElements, ScatterElements: each index stands for its own place along the axis. */
int rows_of_elements(const struct site *site, const struct type *data, const struct array *indices,
                     int axis, struct table_rows *rows, struct error *error);

/* FAULT_IO where ranks differ, or an index has a place that the data have not. */
int rows_check_elements(const struct type *data, const struct type *indices, int axis,
                        struct error *error);

/* GatherND, ScatterND: the last dim of the indices is a place in the data behind `batch` dims that
 * both have. */
int rows_of_tuples(const struct site *site, const struct type *data, const struct array *indices,
                   int batch, struct table_rows *rows, struct error *error);

/* FAULT_IO where places have more dims than the data, or the batch dims differ. */
int rows_check_tuples(const struct type *data, const struct type *indices, int batch,
                      struct error *error);

#endif
