// fused_parts.h - what the files of fused operators share.
#ifndef ROOFLINE_FUSED_PARTS_H
#define ROOFLINE_FUSED_PARTS_H

#include "fused.h"
#include "launches.h"

struct fused_step {
    enum step_kind kind;
    int input; /* of the node; -1: it takes one value */
};

/* What a fused operator is made of. */
struct fused {
    const struct op *base; /* NULL: the steps are applied to input 0 */
    int base_inputs;       /* of the base, absent ones too; the steps' operands follow */
};

struct fused_steps {
    int count;
    struct fused_step step[FUSED_STEPS_MAX];
};

/* The node's steps. FAULT_IO where one is unknown, has no operand, or there are too many. */
int fused_read(const struct node *node, const struct fused *fused, struct fused_steps *steps,
               struct error *error);

/* Steps from `first` on as the kernel `chain`, from `from` into output 0; what comes before has
 * been launched. */
int fused_lower_chain(const struct site *site, struct lowering *lowering,
                      const struct fused_steps *steps, int first, struct launch_operand from,
                      struct error *error);

/* As many of the steps as its kernel has an epilogue for go into the last launch; how many through
 * *done. `axis` is the output's dim whose places are the epilogue's channels. */
int fused_lower_epilogue(const struct site *site, struct lowering *lowering,
                         const struct fused_steps *steps, int axis, int *done, struct error *error);

/* Leaves room between the pixels of output 0 for the other inputs of a Concat, where the kernel
 * can: lowering->is_pitched. */
void fused_lower_pitch(const struct site *site, struct lowering *lowering);

/* The operand's values as an array of the output's dtype: of the constant input `i`, spread over
 * dims [from, to) of the output. SKIPPED where it is no constant or too large. */
int fused_spread(const struct site *site, int i, int from, int to, struct launch_operand *operand,
                 struct error *error);

#endif
