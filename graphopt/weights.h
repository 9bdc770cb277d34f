// weights.h - values for weights that a model only gives the shape of: they follow from the
// tensor's name, so that everybody computes with the same ones.
#ifndef ROOFLINE_WEIGHTS_H
#define ROOFLINE_WEIGHTS_H

#include "graph.h"

/* What a weight does, which decides how large it may be. */
enum weight_role {
    WEIGHT_PRODUCTS, /* two dims or more: (2u - 1) sqrt(6 / fan_in) gain */
    WEIGHT_FACTOR,   /* at most one, and scales something: 0.75 + 0.5 u */
    WEIGHT_OFFSET,   /* at most one, else: (2u - 1) 0.1 */
};

struct weight_rule {
    enum weight_role role;
    double fan_in; /* products that a result is the sum of */
    double gain;
};

/* By the nodes that use the tensor, whose type must be complete: B of a Gemm has another fan-in
 * when it is not transposed, and `gemm_gain`, which keeps a softmax behind it unsaturated; what is
 * scale or variance of a BatchNormalization, or an operand of a Mul (also through an Unsqueeze), is
 * a factor. */
struct weight_rule weight_rule_of(const struct graph *graph, int tensor, double gemm_gain);

/* Writes all elements of an array of reals. u is uniform in [0, 1): 24 bits of splitmix64's
 * finaliser (Steele, Lea, Flood 2014, doi:10.1145/2714064.2660195) over the 64-bit FNV-1a hash of
 * the name plus the element's number times its increment; in double, rounded once. */
void weight_fill(const char *name, const struct type *type, struct weight_rule rule, void *data);

/* Makes constants of all ConstantOfShape nodes of f32 whose shape is a constant, with such values
 * under the name of the node's output; how many through *count (may be NULL). */
int weights_name(struct graph *graph, double gemm_gain, int *count, struct error *error);

#endif
