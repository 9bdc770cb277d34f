// pad.c - images with a border of zeros or another value, of their mirror image or of their
// outermost pixels.
//
// As ONNX Pad with modes constant, reflect and edge
// (https://onnx.ai/onnx/operators/onnx__Pad.html).
#include "image.h"

#define LETTERS(X)                                                                                 \
    X(n, 1, 0, "images")                                                                           \
    X(c, -1, 1, "channels")                                                                        \
    X(h, -1, 1, "input rows")                                                                      \
    X(w, -1, 1, "input columns")                                                                   \
    X(top, 0, 0, "rows above the image")                                                           \
    X(left, 0, 0, "columns before it")                                                             \
    X(bottom, 0, 0, "rows below it")                                                               \
    X(right, 0, 0, "columns behind it")                                                            \
    X(mode, 0, 0, "what stands there", mode_words)                                                 \
    X(layout, 0, 0, "order of the dimensions", layout_words)
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };
enum { CONSTANT, REFLECT, EDGE, VALUE };

/* The input line that line i of the padded image, counted from the first inside, shows; -1: none.
 */
static inline long shown_line(long i, long lines, long mode)
{
    if (i >= 0 && i < lines)
        return i;
    switch (mode) {
    case REFLECT:
        return i < 0 ? -i : 2 * (lines - 1) - i;
    case EDGE:
        return i < 0 ? 0 : lines - 1;
    default:
        return -1;
    }
}

#ifndef ISA

static const char *const mode_words[] = {"constant", "reflect", "edge", "value", NULL};

#define DERIVED                                                                                    \
    const double channels = (double)layout_channels((enum layout)layout, (long)c),                 \
                 p = top + h + bottom, q = left + w + right, values = mode == VALUE;               \
    (void)channels, (void)p, (void)q, (void)values;

MODEL(flops, 0)
MODEL(bytes, ((h * w + p * q) * n * channels + values) * element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* Before a 3x3 and before a strided convolution, and the mirrored border of image-to-image networks
 * (arXiv:1603.08155). */
static const char *const shapes[] = {
    "n=@DRAM,c=64,h=56,w=56,top=1,left=1,bottom=1,right=1",
    "n=@DRAM,c=64,h=56,w=56,top=1,left=1,bottom=1,right=1,layout=nhwc",
    "n=@DRAM,c=64,h=112,w=112,bottom=1,right=1",
    "n=@DRAM,c=3,h=256,w=256,top=4,left=4,bottom=4,right=4,mode=reflect",
    "c=64,h=28,w=28,top=1,left=1,bottom=1,right=1",
    NULL};

static int check(const struct shape *shape, struct error *error)
{
    LETTERS(KERNEL_LETTER_LONG)
    if (mode == REFLECT && (top >= h || bottom >= h || left >= w || right >= w))
        return error_set(error, FAULT_USAGE,
                         "pad: a mirrored border is narrower than the image of %ld x %ld; reduce "
                         "top, left, bottom or right",
                         h, w);
    return OK;
}

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    DERIVED
    operand[0] = reals("output", ROLE_OUTPUT, n * channels * p * q, 0.5, 1.5);
    operand[1] = reals("input", ROLE_INPUT, n * channels * h * w, 0.5, 1.5);
    operand[2] = reals("value", ROLE_INPUT, 1, 0.5, 1.5);
    return mode == VALUE ? 3 : 2;
}

/* A copy is exact. */
static double tolerance(const struct shape *shape, double unit)
{
    (void)shape;
    return 0 * unit;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long inner = planes_of((enum layout)layout, n, c).inner;
    const double value = mode == VALUE ? real_at(call->operand[2], dtype, 0) : 0;
    for (long element = begin; element < end; element++) {
        const struct position position =
            position_of(element, top + h + bottom, left + w + right, inner);
        const long y = shown_line(position.y - top, h, mode),
                   x = shown_line(position.x - left, w, mode);
        const long from = ((position.plane * h + y) * w + x) * inner + position.channel;
        out[element - begin] = y < 0 || x < 0 ? value : real_at(call->operand[1], dtype, from);
    }
}
REFERENCE_BODIES(plain)

static double workspace(const struct shape *shape, enum isa isa, enum dtype dtype, int threads,
                        const struct cache_sizes *caches)
{
    LETTERS(KERNEL_LETTER_LONG)
    (void)isa;
    (void)caches;
    const long inner = planes_of((enum layout)layout, n, c).inner;
    return (double)threads * (double)segment_buffer(left + w + right, inner, dtype_bytes(dtype)) *
           dtype_bytes(dtype);
}

BODIES_DECLARE(pad)
static const struct variant variants[] = {
    {.name = "simd",
     .summary = "rows of vectors between their borders; streams beyond the last cache",
     .bodies = BODIES(pad),
     .workspace = workspace},
    REFERENCE_VARIANT(plain),
    {0},
};

const struct kernel pad_kernel = {
    .name = "pad",
    .summary =
        "output[n,c,y,x] = input[n,c,y-top,x-left]; outside 0, a value, mirrored or the nearest",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note = "p, q: output rows and columns; channels: with their filling; "
                  "values: 1 where the border has one of its own",
    .check = check,
    .operands = operands,
    .tolerance = tolerance,
    .reference = plain,
    .variants = variants,
};

#else

struct job {
    const struct shape *shape;
    const real *input, *input_end;
    real value;
    long inner, ahead;
};

/* `count` elements to `to`, whole vectors up to `limit`; of the value where `from` is NULL. */
ALWAYS_INLINE void copy_elements(const struct job *job, const real *from, long count, real *to,
                                 const real *limit)
{
    long i = 0;
    if (!from) {
        for (; i < count; i += VLEN)
            store_until(to + i, vec_all(job->value), limit);
        return;
    }
    for (const long whole = smaller(job->input_end - from, limit - to) - VLEN;
         i < count && i <= whole; i += VLEN) {
        __builtin_prefetch(from + i + job->ahead, 0, 2);
        vec_store(to + i, vec_load(from + i));
    }
    for (; i < count; i++)
        to[i] = from[i];
}

/* Columns [begin, end) of a row whose input row is `from`. */
static void pad_row(const struct job *job, const real *from, long begin, long end, real *to,
                    const real *limit)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long inner = job->inner;
    if (!from) {
        copy_elements(job, NULL, (end - begin) * inner, to, limit);
        return;
    }
    for (long x = begin; x < end;) {
        const long shown = shown_line(x - left, w, mode);
        const bool inside = x >= left && x < left + w;
        const long columns = inside ? smaller(end, left + w) - x : 1;
        copy_elements(job, shown < 0 ? NULL : from + shown * inner, columns * inner, to, limit);
        x += columns;
        to += columns * inner;
    }
}

static void pad_segment(const void *context, const struct segment *segment)
{
    const struct job *job = context;
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long p = top + h + bottom, length = (segment->end - segment->begin) * job->inner;
    for (long i = 0; i < segment->rows; i++) {
        const long row = segment->row + i, y = shown_line(row % p - top, h, mode);
        const real *from = y < 0 ? NULL : job->input + (row / p * h + y) * w * job->inner;
        pad_row(job, from, segment->begin, segment->end, segment->to + i * length, segment->limit);
    }
}

body NAME(pad);
void NAME(pad)(const struct call *call)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct planes planes = planes_of((enum layout)layout, n, c);
    const long inputs = planes.count * h * w * planes.inner;
    const bool stream = rows_are_streamed(call, (double)(call->outputs + inputs));
    const struct job job = {.shape = shape,
                            .input = call->operand[1],
                            .input_end = (const real *)call->operand[1] + inputs,
                            .value = mode == VALUE ? *(const real *)call->operand[2] : 0,
                            .inner = planes.inner,
                            .ahead = stream ? IMAGE_AHEAD : 0};
    const long room = segment_buffer(left + w + right, planes.inner, REAL_BYTES);
    const struct rows rows = {.out = call->operand[0],
                              .count = planes.count * (top + h + bottom),
                              .columns = left + w + right,
                              .inner = planes.inner,
                              .stream = stream,
                              .buffer = (real *)call->workspace + call->member.index * room};
    rows_write(call, &rows, pad_segment, &job);
}

#endif
