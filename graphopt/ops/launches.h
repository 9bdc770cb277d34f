// launches.h - lowerings of several kernel calls, with memory between them.
#ifndef ROOFLINE_LAUNCHES_H
#define ROOFLINE_LAUNCHES_H

#include "op.h"

/* More calls than this for one node take longer to start than plain loops would run. */
enum { LAUNCHES_MAX = 4096 };

/* Another call behind those that the lowering has, with the kernel's default letters; NULL when
 * memory is out. Earlier launches may move. */
struct launch *launches_add(const struct site *site, struct lowering *lowering, const char *kernel,
                            enum dtype dtype, struct error *error);

/* Scratch of so many elements, aligned to 64 bytes. */
struct launch_operand launches_scratch(struct lowering *lowering, long elements, enum dtype dtype);

/* What shares memory must begin on a line of the caches, as all other operands do. */
enum { LINE_BYTES = 64 };

/* A list for lowering->input_at or ->output_at: -1, so often; NULL when memory is out. */
long *lowering_places(const struct site *site, int count);

/* An array of so many equal values. SKIPPED where it would take more than a graph is worth. */
int launches_fill(const struct site *site, struct launch_operand *operand, long elements,
                  double value, enum dtype dtype, struct error *error);

/* Another call: so many elements of `from` times the factor into `to`, which may be the same. */
int launches_multiply(const struct site *site, struct lowering *lowering, long elements,
                      struct launch_operand from, double factor, struct launch_operand to,
                      enum dtype dtype, struct error *error);

/* Input `i` times `factor`: the input itself, a constant computed now where the input is one, else
 * the result of a launch that is added. SKIPPED as above. */
int launches_scaled(const struct site *site, struct lowering *lowering, int i, double factor,
                    struct launch_operand *operand, struct error *error);

/* Another call: an array of these dims with them in the order `perm`, such as "0213". */
int launches_transpose(const struct site *site, struct lowering *lowering, const long dims[4],
                       const char *perm, struct launch_operand from, struct launch_operand to,
                       enum dtype dtype, struct error *error);

/* A step of kernel chain with one number for all elements. */
struct number_step {
    const char *step; /* "max" */
    struct launch_operand number;
};

/* A lowering of one launch: output 0 is input 0 through the steps. */
int launches_steps(const struct site *site, struct lowering *lowering,
                   const struct number_step *steps, int count, enum dtype dtype,
                   struct error *error);

/* Sets a letter that has words; false where the kernel does not know this one. */
bool launch_word(struct launch *launch, const char *letter, const char *word);

static inline struct launch_operand of_input(int i)
{
    return (struct launch_operand){.source = SOURCE_INPUT, .index = i};
}

static inline struct launch_operand of_output(int i)
{
    return (struct launch_operand){.source = SOURCE_OUTPUT, .index = i};
}

static inline struct launch_operand of_constant(const void *data)
{
    return (struct launch_operand){.source = SOURCE_CONSTANT, .constant = data};
}

/* The same operand, so many elements further on. */
static inline struct launch_operand operand_behind(struct launch_operand operand, long elements,
                                                   enum dtype dtype)
{
    const size_t bytes = (size_t)elements * (size_t)dtype_bytes(dtype);
    if (operand.source == SOURCE_CONSTANT)
        operand.constant = (const char *)operand.constant + bytes;
    else
        operand.offset_bytes += bytes;
    return operand;
}

#endif
