// operands.h - what attributes and operands of a node say: words, lists, axes, indices, dims.
#ifndef ROOFLINE_OPERANDS_H
#define ROOFLINE_OPERANDS_H

#include "op.h"

/* Which of the words (NULL-ended) the attribute is; the first where it is absent. FAULT_IO lists
 * them. */
int word_read(const struct node *node, const char *name, const char *const *words, int *which,
              struct error *error);

/* A list that is an attribute or an input. */
struct integers {
    bool is_given;
    const long *values; /* NULL: not given, or not known yet */
    int count;          /* of the values */
    long length;        /* as far as known without the values; -1 */
};

/* From the attribute (NULL: none) where the node has it, else from input i. */
int integers_read(const struct site *site, const char *attribute, int i, struct integers *list,
                  struct error *error);

/* Marks the axes, counted from the end where negative; FAULT_IO where one is none of `rank` dims or
 * comes twice. */
int axes_mark(const long *axes, int count, int rank, bool marked[RANK_MAX], struct error *error);

/* FAULT_IO where two elements that are known differ. */
int elements_agree(enum element a, enum element b, struct error *error);

/* The index of input i at `element`, counted from the end where negative; FAULT_IO where it is not
 * in [-count, count). */
int index_read(const struct array *indices, long element, long count, long *index,
               struct error *error);

/* FAULT_IO where the element is known and is neither i32 nor i64. */
int index_element_check(enum element element, struct error *error);

/* Whether both have the same dims, all of them known. */
bool dims_equal(const struct type *a, const struct type *b);

/* Copies dim `from` of `in`, with its symbol, to dim `to` of `out`. */
void dim_copy(struct type *out, int to, const struct type *in, int from);

/* An output of `rank` dims none of which is known. */
void dims_unknown(struct type *out, int rank);

/* FAULT_IO where there are more dims than can be handled. */
int rank_check(long rank, struct error *error);

/* SKIPPED where the type of an output that is wanted does not follow from what the inputs are. */
int outputs_check(const struct site *site, struct error *error);

#endif
