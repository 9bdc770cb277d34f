// moves.h - operators that only move data, as strides: which element of the input stands at each
// place of the output. One description evaluates them and finds their kernels.
#ifndef ROOFLINE_MOVES_H
#define ROOFLINE_MOVES_H

#include "launches.h"
#include "operands.h"

/* Tile sees a dimension as two: how often, and how long. */
enum { MOVE_DIMS_MAX = 2 * RANK_MAX };

/* An output under `dims`, in row-major order, whose element at a place is element
 * base + sum(step * place) of the input. {0} is a single element. */
struct move {
    int rank;
    long dims[MOVE_DIMS_MAX], steps[MOVE_DIMS_MAX];
    long base;
};

/* Appends a dim inside of those that there are. */
void move_dim(struct move *move, long dim, long step);

/* The output is the input from its first element on, so many of them. */
struct move move_whole(long elements);

/* The output is the input as often as ONNX's broadcasting has it. */
struct move move_broadcast(const struct type *from, const struct type *to);

/* All elements of the output from the input; neither is touched where the output has none. */
void move_evaluate(const struct move *move, struct array *out, const struct array *in);

/* Appends the launches of one output to the lowering, on kernels copy, join, tile, transpose or
 * gather; or none, where it is a part of the input in one piece (lowering->output_at). SKIPPED
 * where no kernel moves these elements, or the indices for it would be too many. */
int move_lower(const struct site *site, struct lowering *lowering, const struct move *move,
               int input, int output, struct error *error);

/* An operator that is one move of input 0 to output 0, which `find` says. */
typedef int move_find(const struct site *site, struct move *move, struct error *error);
int found_evaluate(struct site *site, move_find *find, struct error *error);
int found_lower(const struct site *site, struct lowering *lowering, move_find *find,
                struct error *error);

/* The greatest common divisor, of magnitudes; that of 0 and b is b. */
long common_divisor(long a, long b);

/* Elements [j, j + count) of `in` to [i, i + count) of `out`; of less than a byte, too. */
void elements_copy(void *out, long i, const void *in, long j, long count, enum element element);

/* Element i of `out` becomes 0 bits, a text the empty one. */
void element_clear(void *out, long i, enum element element);

/* Element 0 of `value` to the first `count` of `out`. */
void elements_fill(void *out, long count, const void *value, enum element element);

/* ---- views: the elements of input 0 in their order ---- */

int view_evaluate(struct site *site, struct error *error);
int view_lower(const struct site *site, struct lowering *lowering, struct error *error);

/* ---- kernels ---- */

/* Of one gather: 16 MiB beside the weights. */
enum { MOVE_INDICES_MAX = 1 << 22 };

/* A kernel that only moves data takes all elements of 4 and 8 bytes as f32 and f64: bits arrive as
 * they are. SKIPPED for others. */
int element_moved_dtype(enum element element, enum dtype *dtype, struct error *error);

#endif
