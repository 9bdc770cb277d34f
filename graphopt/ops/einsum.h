// einsum.h - an equation of Einsum: which label each dimension of each operand has.
#ifndef ROOFLINE_EINSUM_H
#define ROOFLINE_EINSUM_H

#include "op.h"

/* Labels are letters, upper case first, then the dims of the ellipsis counted from the right. */
enum { EINSUM_LETTERS = 52, EINSUM_LABELS = EINSUM_LETTERS + RANK_MAX };

struct term {
    int rank; /* -1: it has an ellipsis for an operand of unknown rank */
    int label[RANK_MAX];
};

struct equation {
    int operand_count;
    struct term *operand; /* of the site's arena */
    struct term result;
    long size[EINSUM_LABELS]; /* -1: unknown, or no such label */
    int symbol[EINSUM_LABELS];
    bool is_used[EINSUM_LABELS];
};

/* FAULT_IO names what is wrong with the equation, or where operands contradict it. */
int equation_read(const struct site *site, struct equation *equation, struct error *error);

/* How far apart neighbours along each label are in an operand; 0 where it does not have the label,
 * or only one element along it. Complete types only. */
void equation_strides(const struct site *site, const struct equation *equation, int operand,
                      long stride[EINSUM_LABELS]);

#endif
