// absorb.h - a node that works element by element becomes part of the one that makes its input.
#ifndef ROOFLINE_ABSORB_H
#define ROOFLINE_ABSORB_H

#include "pass.h"

/* What can have something behind it: convolutions, and products. */
#define ABSORB_CONVOLUTIONS "Conv|ConvTranspose|roofline::Conv|roofline::ConvTranspose"
#define ABSORB_PRODUCTS "Gemm|MatMul|com.microsoft::FusedMatMul|roofline::Gemm|roofline::MatMul"

/* The node `follower` goes into one of `producers` that makes one of its inputs for it alone:
 * products and sums with constants into weights and bias, in double, the rest as steps that the
 * producer's kernel applies to its result. SKIPPED where the kernel has no such epilogue, so that
 * nothing would be gained. */
int absorb_follower(struct rewriting *rewriting, int follower, const char *producers,
                    struct error *error);

/* Two nodes in a row that work element by element become one chain. */
int absorb_into_chain(struct rewriting *rewriting, int follower, struct error *error);

/* The node alone as a chain. */
int absorb_as_chain(struct rewriting *rewriting, int node, struct error *error);

/* The same where no kernel takes the node as it stands, and takes the chain. */
int absorb_where_evaluated(struct rewriting *rewriting, int node, struct error *error);

#endif
