// stepwise.h - nodes that work element by element, seen as steps over one of their inputs.
#ifndef ROOFLINE_STEPWISE_H
#define ROOFLINE_STEPWISE_H

#include "fused.h"
#include "graph.h"

/* The second value of a step. */
struct stepwise_operand {
    int tensor; /* -1: a constant that is new, of `type` and `value` */
    struct type type;
    const double *value; /* all elements, where they are known and few; else NULL */
};

struct stepwise {
    int x; /* tensor that the steps are applied to, which has the result's type */
    int count;
    struct {
        enum step_kind kind;
        struct stepwise_operand operand; /* of those that take two values */
    } step[FUSED_STEPS_MAX];
};

/* The node as steps over input `x` (a tensor; used once by the node). Values are of the arena. OK,
 * SKIPPED where it is no such node, or FAILED. Types have to be known. */
int stepwise_read(const struct graph *graph, int node, int x, struct arena *arena,
                  struct stepwise *steps, struct error *error);

/* Appends the steps of a fused operator, whose operands are the inputs from `first` on. */
int stepwise_read_fused(const struct graph *graph, int node, int first, struct arena *arena,
                        struct stepwise *steps, struct error *error);

/* Appends those of `more`; false where they are too many. */
bool stepwise_append(struct stepwise *steps, const struct stepwise *more);

/* Products and sums with constants that follow each other become one of each, in double. */
int stepwise_merge(struct stepwise *steps, struct arena *arena, struct error *error);

/* Whether step `i` is a product (or sum) with a known value; its operand then holds the factor (or
 * the addend): of div and sub too. */
int stepwise_factor(struct stepwise *steps, int i, struct arena *arena, struct error *error);
int stepwise_addend(struct stepwise *steps, int i, struct arena *arena, struct error *error);

/* x * factor + addend, by place along an axis. */
struct stepwise_affine {
    double *factor, *addend; /* of the arena */
    bool has_factor, has_addend;
};

/* Takes from the beginning of the list the products (where `may_scale`) and sums (`may_add`) with
 * constants of one value, or one per place along the axis of x. What is infinite stays: it would
 * make NaN of weights that are 0. */
int stepwise_take_affine(struct stepwise *steps, const struct type *x, int axis, bool may_scale,
                         bool may_add, struct stepwise_affine *affine, struct arena *arena,
                         struct error *error);

/* The operand as a tensor, made where it is new, with elements of that kind; -1. */
int stepwise_tensor(struct graph *graph, const struct stepwise_operand *operand,
                    enum element element, struct error *error);

#endif
