// gather.c - rows of a table by index, as an embedding looks them up.
#include "kernel.h"
#include "moved.h"

#define LETTERS(X)                                                                                 \
    X(rows, -1, 1, "rows of the table")                                                            \
    X(columns, -1, 0, "elements of a row")                                                         \
    X(count, -1, 0, "rows that are looked up")
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };

#ifndef ISA
#include <math.h>

/* A row that is looked up again has to move once, from a cache of any size: the table bounds what
 * is read. */
#define DERIVED                                                                                    \
    const double index_bytes = sizeof(int32_t), rows_read = fmin(rows, count);                     \
    (void)index_bytes, (void)rows_read;
MODEL(flops, 0)
MODEL(bytes, (count + rows_read) * columns * element_bytes + count * index_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* In L2; rows of 256 bytes; rows of an embedding of words (BERT, arXiv:1810.04805: 768 wide). More
 * look-ups than rows, so that no cache which keeps the table makes it faster than the model. */
static const char *const shapes[] = {"rows=1000,columns=128,count=1000",
                                     "rows=100000,columns=64,count=@DRAM",
                                     "rows=10000,columns=768,count=@DRAM", NULL};

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    operand[0] = reals("y", ROLE_OUTPUT, count * columns, 0.5, 1.5);
    operand[1] = reals("table", ROLE_INPUT, rows * columns, 0.5, 1.5);
    operand[2] = indices("index", count, rows);
    return 3;
}

static int check(const struct shape *shape, struct error *error)
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    if (rows > INT32_MAX)
        return error_set(error, FAULT_USAGE,
                         "gather: a table of %.0f 'rows' has more than an index of 32 bits can "
                         "name; choose at most %d",
                         rows, INT32_MAX);
    return OK;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    for (long element = begin; element < end; element++) {
        long row = index_at(call->operand[2], element / columns);
        out[element - begin] = real_at(call->operand[1], dtype, row * columns + element % columns);
    }
}
REFERENCE_BODIES(plain)

BODIES_DECLARE(gather)
static const struct variant variants[] = {
    {.name = "simd",
     .summary = "beyond the last cache in lanes, rows fetched ahead by their index, with "
                "non-temporal stores of whole lines",
     .bodies = BODIES(gather)},
    REFERENCE_VARIANT(plain),
    {0},
};

const struct kernel gather_kernel = {
    .name = "gather",
    .summary = "y[i] = table[index[i]], rows of `columns` elements",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note =
        "no arithmetic: rated by its bytes; rows_read: as many rows of the table as there "
        "are, or as are looked up, whichever is less; indices have 4 bytes",
    .check = check,
    .operands = operands,
    .tolerance = moved_tolerance,
    .reference = plain,
    .variants = variants,
};

#else
#include "runs.h"
#include "vec.h"

body NAME(gather);
void NAME(gather)(const struct call *call)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct runs runs = {
        .in = call->operand[1], .length = columns, .index = call->operand[2], .count = count};
    runs_move(&runs, call, (double)(rows + count) * (double)columns * REAL_BYTES);
}

#endif
