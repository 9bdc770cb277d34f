// matrices.h - stacks of matrices inside arrays, as MatMul and its relatives see their inputs.
#ifndef ROOFLINE_MATRICES_H
#define ROOFLINE_MATRICES_H

#include "launches.h"

/* Batch dims, rows, columns, in an order of dims that may differ from that of memory. */
struct matrices {
    struct type type;      /* of rank 2 at least */
    long stride[RANK_MAX]; /* elements between neighbours along each dim; of a known type only */
};

/* Both inputs of a product. */
struct sides {
    struct matrices a, b;
};

enum turn {
    TURN_LAST = 1,  /* rows and columns are swapped */
    TURN_BATCH = 2, /* the first dim is that of the rows, the batch dims follow */
};

/* How input `i` is seen. A vector is one row, or with `is_right` one column. FAULT_IO for a scalar;
 * where the rank is not known, that of `matrices` is not either. */
int matrices_see(const struct site *site, int i, int turns, bool is_right,
                 struct matrices *matrices, struct error *error);

/* Type of the product, without the dims that vectors do not have; the element is a's. FAULT_IO
 * where batch dims do not broadcast or the inner dims differ. */
int matrices_product(const struct matrices *a, const struct matrices *b, bool drop_rows,
                     bool drop_columns, struct type *out, struct error *error);

/* Rows, columns and inner dim of the product, and its batch dims as a type; all known. */
struct product_sizes {
    long m, n, k;
    struct type batch;
    long a[RANK_MAX], b[RANK_MAX]; /* strides along the batch dims, 0 where broadcast */
};
struct product_sizes matrices_sizes(const struct matrices *a, const struct matrices *b);

/* The product as launches of the kernel gemm: one where the batch dims allow it. SKIPPED where
 * matrices do not lie in memory as the kernel reads them. */
int matrices_lower(const struct site *site, struct lowering *lowering, const struct matrices *a,
                   const struct matrices *b, const struct launch_operand operand[2],
                   enum dtype dtype, struct error *error);

/* The product of inputs 0 and 1 by plain loops into `out`, of any element; reals times alpha, whole
 * numbers modulo their range. */
int matrices_evaluate(const struct site *site, const struct matrices *a, const struct matrices *b,
                      double alpha, struct array *out, struct error *error);

#endif
