// join.c - rows of up to seven arrays side by side: what Concat, Split and Slice do along an inner
// axis. With one array, rows are copied from one distance to another.
#include "kernel.h"
#include "moved.h"

#define LETTERS(X)                                                                                 \
    X(rows, -1, 0, "rows of the output and of every array")                                        \
    X(n1, -1, 0, "elements of a row of the first array")                                           \
    X(n2, 0, 0, "the same of the second; 0: there is none, and none behind it")                    \
    X(n3, 0, 0, "of the third")                                                                    \
    X(n4, 0, 0, "of the fourth")                                                                   \
    X(n5, 0, 0, "of the fifth")                                                                    \
    X(n6, 0, 0, "of the sixth")                                                                    \
    X(n7, 0, 0, "of the seventh")                                                                  \
    X(from, 0, 0, "elements between the rows of one array; 0: n1")                                 \
    X(to, 0, 0, "elements between the rows of the output; 0: those of the arrays together")
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };

/* Operands but the output. */
enum { PARTS_MAX = KERNEL_OPERANDS_MAX - 1 };

/* How many arrays there are, and the elements of a row of all together. */
static inline int count_parts(const struct shape *shape)
{
    int parts = 1;
    while (parts < PARTS_MAX && shape->value[LETTER_n1 + parts] > 0)
        parts++;
    return parts;
}

static inline long row_length(const struct shape *shape)
{
    long length = 0;
    for (int i = 0; i < count_parts(shape); i++)
        length += shape->value[LETTER_n1 + i];
    return length;
}

static inline long or_dense(long distance, long length)
{
    return distance > 0 ? distance : length;
}

#ifndef ISA
#define DERIVED
MODEL(flops, 0)
MODEL(bytes, (2 * rows * (n1 + n2 + n3 + n4 + n5 + n6 + n7)) * element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* Branches of networks with the channels last, thin ones too; a part of the channels; planes. */
static const char *const shapes[] = {
    "rows=3025,n1=64,n2=64",          "rows=4800,n1=4,n2=8,n3=4",
    "rows=784,n1=58,from=116",        "rows=@DRAM,n1=64,n2=128,n3=32,n4=32",
    "rows=@DRAM,n1=12544,from=25088", NULL};

static int check(const struct shape *shape, struct error *error)
{
    LETTERS(KERNEL_LETTER_LONG)
    const int parts = count_parts(shape);
    const long length = row_length(shape);
    for (int i = parts; i < PARTS_MAX; i++)
        if (shape->value[LETTER_n1 + i] > 0)
            return error_set(error, FAULT_USAGE,
                             "join: n%d is %ld, but there is no array before it; set n%d", i + 1,
                             shape->value[LETTER_n1 + i], i);
    if (from > 0 && (parts > 1 || from < n1))
        return error_set(error, FAULT_USAGE,
                         "join: 'from' is for one array, and at least n1; drop it or raise it");
    if (to > 0 && to < length)
        return error_set(error, FAULT_USAGE, "join: 'to' is %ld, less than the %ld of a row", to,
                         length);
    return OK;
}

/* Up to the end of the last row. */
static double spanned(double rows, double distance, double length)
{
    return rows > 0 ? (rows - 1) * distance + length : 0;
}

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    static const char *const names[] = {"x1", "x2", "x3", "x4", "x5", "x6", "x7"};
    LETTERS(KERNEL_LETTER_LONG)
    const int parts = count_parts(shape);
    const long length = row_length(shape), distance = or_dense(to, length);
    /* What lies between the rows stays. */
    operand[0] = reals("y", distance > length ? ROLE_UPDATE : ROLE_OUTPUT,
                       spanned((double)rows, (double)distance, (double)length), 0.5, 1.5);
    for (int i = 0; i < parts; i++) {
        const long n = shape->value[LETTER_n1 + i];
        operand[1 + i] = reals(
            names[i], ROLE_INPUT,
            spanned((double)rows, (double)(i == 0 ? or_dense(from, n) : n), (double)n), 0.5, 1.5);
    }
    return 1 + parts;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long length = row_length(shape), distance = or_dense(to, length);
    for (long element = begin; element < end; element++) {
        const long row = element / distance;
        long at = element % distance;
        int i = 0;
        if (at >= length)
            continue;
        while (at >= shape->value[LETTER_n1 + i])
            at -= shape->value[LETTER_n1 + i++];
        const long n = shape->value[LETTER_n1 + i];
        out[element - begin] =
            real_at(call->operand[1 + i], dtype, row * (i == 0 ? or_dense(from, n) : n) + at);
    }
}
REFERENCE_BODIES(plain)

BODIES_DECLARE(join)
static const struct variant variants[] = {
    {.name = "simd",
     .summary = "some rows of one array after the other, short ones by their length; beyond the "
                "last cache the output in order, with non-temporal stores of whole lines",
     .bodies = BODIES(join)},
    REFERENCE_VARIANT(plain),
    {0},
};

const struct kernel join_kernel = {
    .name = "join",
    .summary = "y[row] = x1[row], x2[row], ... side by side, at a distance of their own",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note = "no arithmetic: rated by its bytes; what lies between rows is neither read nor "
                  "written",
    .check = check,
    .operands = operands,
    .tolerance = moved_tolerance,
    .reference = plain,
    .variants = variants,
};

#else
#include "lengths.h"
#include "runs.h"
#include "vec.h"

struct joint {
    real *out;
    struct run_part part[PARTS_MAX];
    int parts;
    long length, distance; /* of a row of the output, and to the next one */
};

/* Rows of one part. */
struct strip {
    real *to;
    const real *from;
    long rows, length;
    long to_step, from_step;
};

/* Of a length that is known when compiling. */
ALWAYS_INLINE void copy_short(const struct strip *strip, const long length)
{
    real *to = strip->to;
    const real *from = strip->from;
    for (long row = 0; row < strip->rows; row++) {
        memcpy(to, from, (size_t)length * sizeof *to);
        to += strip->to_step;
        from += strip->from_step;
    }
}

static void copy_long(const struct strip *strip)
{
    for (long row = 0; row < strip->rows; row++)
        run_copy(strip->to + row * strip->to_step, strip->from + row * strip->from_step,
                 strip->length);
}

/* Lengths up to that of two vectors of four are one or two moves, without a loop. */
static void copy_strip(const struct strip *strip)
{
    switch (strip->length) {
#define SHORT(n)                                                                                   \
    case n:                                                                                        \
        copy_short(strip, n);                                                                      \
        return;
        SHORT(1)
        SHORT(2)
        SHORT(3)
        SHORT(4)
        SHORT(5)
        SHORT(6)
        SHORT(7)
        SHORT(8)
#undef SHORT
    default:
        copy_long(strip);
    }
}

/* Columns [begin, end) of some rows. */
static void join_rows(const struct joint *joint, long row, long rows, long begin, long end)
{
    long column = 0; /* of the part */
    for (int i = 0; i < joint->parts; column += joint->part[i++].length) {
        const struct run_part *part = &joint->part[i];
        const long first = greater(begin, column), last = smaller(end, column + part->length);
        if (first >= last)
            continue;
        const struct strip strip = {.to = joint->out + row * joint->distance + first,
                                    .from = part->in + row * part->step + first - column,
                                    .rows = rows,
                                    .length = last - first,
                                    .to_step = joint->distance,
                                    .from_step = part->step};
        copy_strip(&strip);
    }
}

/* Rows whose output a quarter of L1 holds while one part after the other is written to it. */
static long block_rows(const struct joint *joint, const struct call *call)
{
    const double row_bytes = (double)(joint->distance * REAL_BYTES);
    return greater(1, (long)(call->caches.l1_bytes / 4 / row_bytes));
}

/* Elements [begin, end) of all rows without what lies between them. */
static void join_part(const struct joint *joint, long begin, long end, long block)
{
    const long length = joint->length;
    long row = begin / length;
    if (begin % length > 0) {
        join_rows(joint, row, 1, begin % length, smaller(end - row * length, length));
        row++;
    }
    for (const long last = end / length; row < last; row += block)
        join_rows(joint, row, smaller(block, last - row), 0, length);
    row = end / length;
    if (end % length > 0 && row * length >= begin)
        join_rows(joint, row, 1, 0, end % length);
}

body NAME(join);
void NAME(join)(const struct call *call)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    struct joint joint = {
        .out = call->operand[0], .parts = count_parts(shape), .length = row_length(shape)};
    joint.distance = or_dense(to, joint.length);
    for (int i = 0; i < joint.parts; i++) {
        const long n = shape->value[LETTER_n1 + i];
        joint.part[i] = (struct run_part){call->operand[1 + i], n, i == 0 ? or_dense(from, n) : n};
    }
    const long total = rows * joint.length;
    const struct part part = member_part(call->member, total, RUN_LINE);
    if (part.begin == part.end)
        return;
    if (joint.distance == joint.length && exceed_caches(call, 2. * (double)total * REAL_BYTES)) {
        const struct runs runs = {.in = joint.part[0].in,
                                  .length = joint.length / joint.parts,
                                  .part = joint.part,
                                  .parts = joint.parts,
                                  .count = rows * joint.parts};
        runs_move(&runs, call, 2. * (double)total * REAL_BYTES);
    } else {
        join_part(&joint, part.begin, part.end, block_rows(&joint, call));
    }
}

#endif
