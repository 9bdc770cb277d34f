// resize.c - images of another size, from the nearest pixel or bilinear.
//
// As ONNX Resize with coordinate_transformation_mode half_pixel and nearest_mode
// round_prefer_floor (https://onnx.ai/onnx/operators/onnx__Resize.html): pixels are squares, output
// pixel x has its middle at (x + 1/2) w / q in the input.
#include "image.h"
#include "resize_tap.h"

#define LETTERS(X)                                                                                 \
    X(n, 1, 0, "images")                                                                           \
    X(c, -1, 1, "channels")                                                                        \
    X(h, -1, 1, "input rows")                                                                      \
    X(w, -1, 1, "input columns")                                                                   \
    X(p, -1, 1, "output rows")                                                                     \
    X(q, -1, 1, "output columns")                                                                  \
    X(mode, 1, 0, "nearest pixel, or between four", mode_words)                                    \
    X(layout, 0, 0, "order of the dimensions", layout_words)
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };

/* Of a pixel, from which on it is made directly: four vectors of the widest ISA, which take longer
 * than to find its neighbours. */
enum { DIRECT_BYTES = 256 };

/* Beyond this the products that find_tap() compares could overflow. */
#define LINES_MAX (1L << 30)

/* What follows from the letters; lengths in elements. */
struct plan {
    struct planes planes;
    /* Pixels of many channels that are no whole lines are made of their four neighbours at once;
     * else rows are resized along their columns first, which a second row of the output can use,
     * but where images become so much lower that none would: there two rows are blended first. */
    bool direct, blends;
    /* Pixels of whole lines are written where they belong, without a buffer: nearest ones copied,
     * others made of a row that is blended of two, but where most of its columns would be unused.
     */
    bool whole;
    /* Single elements between neighbours: the neighbours of all columns are put side by side, which
     * vectors then take apart. */
    bool pairs;
    /* Of a member's workspace: segment_buffer(), or for whole pixels a blended row; two lines
     * (resized along their columns, or one of them blended), the taps of the columns, and for pairs
     * their places, elements and weights. */
    long buffer, line, taps, places, pair, weights;
};

/* All of these. */
static inline long plan_elements(const struct plan *plan)
{
    return plan->buffer + 2 * plan->line + plan->taps + plan->places + plan->pair + plan->weights;
}

static inline struct plan plan_of(const struct shape *shape, int element_bytes)
{
    LETTERS(KERNEL_LETTER_LONG)
    struct plan plan = {.planes = planes_of((enum layout)layout, n, c)};
    const long inner = plan.planes.inner, sticks_out = 2 * IMAGE_LINE_BYTES / element_bytes;
    plan.whole = inner * element_bytes % IMAGE_LINE_BYTES == 0;
    plan.direct = !plan.whole && mode == BILINEAR && inner * element_bytes >= DIRECT_BYTES;
    plan.blends = !plan.whole && !plan.direct && mode == BILINEAR && h >= 2 * p;
    plan.pairs = mode == BILINEAR && inner == 1 && w > 1;
    plan.buffer = plan.whole ? image_lines(w * inner, element_bytes)
                             : segment_buffer(q, inner, element_bytes);
    if (!plan.whole && !plan.direct)
        plan.line = image_lines((plan.blends && w > q ? w : q) * inner, element_bytes) + sticks_out;
    plan.taps = image_lines(q * (long)sizeof(struct tap), 1) / element_bytes;
    if (plan.pairs) {
        plan.places = image_lines(q * (long)sizeof(int32_t), 1) / element_bytes;
        plan.pair = image_lines(2 * q, element_bytes) + sticks_out;
        plan.weights = image_lines(q, element_bytes) + sticks_out;
    }
    return plan;
}

#ifndef ISA
#include "onednn.h"

static const char *const mode_words[] = {"nearest", "bilinear", NULL};

#define DERIVED                                                                                    \
    const double channels = (double)layout_channels((enum layout)layout, (long)c),                 \
                 h_most = mode == BILINEAR ? 2 * p : p, h_used = h < h_most ? h : h_most,          \
                 w_used = w < 2 * q ? w : 2 * q, columns_first = q * (h_used + p),                 \
                 rows_first = p * (w_used + q),                                                    \
                 fewer = columns_first < rows_first ? columns_first : rows_first;                  \
    (void)channels, (void)h_used, (void)fewer;

MODEL(flops, (mode == BILINEAR ? 3 * fewer : 0) * n * channels)
MODEL(bytes, (h_used * w + p * q) * n * channels * element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* Up in the neck of a detector (arXiv:1612.03144), down to the input of a classifier. */
static const char *const shapes[] = {"n=@DRAM,c=64,h=56,w=56,p=112,q=112",
                                     "n=@DRAM,c=64,h=56,w=56,p=112,q=112,layout=nhwc",
                                     "n=@DRAM,c=64,h=56,w=56,p=112,q=112,layout=nchwc",
                                     "n=@DRAM,c=64,h=56,w=56,p=112,q=112,mode=nearest",
                                     "c=16,h=56,w=56,p=112,q=112",
                                     "c=3,h=480,w=640,p=224,q=224",
                                     NULL};

static int check(const struct shape *shape, struct error *error)
{
    LETTERS(KERNEL_LETTER_LONG)
    if (h > LINES_MAX || w > LINES_MAX || p > LINES_MAX || q > LINES_MAX)
        return error_set(error, FAULT_USAGE,
                         "resize: 'h', 'w', 'p' and 'q' may be %ld at most, of %ld x %ld to %ld x "
                         "%ld; choose smaller images",
                         LINES_MAX, h, w, p, q);
    return OK;
}

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    DERIVED
    operand[0] = reals("output", ROLE_OUTPUT, n * channels * p * q, 0.5, 1.5);
    operand[1] = reals("input", ROLE_INPUT, n * channels * h * w, 0.5, 1.5);
    return 2;
}

/* Of (1 - weight) a + weight b each of the weights, the products and the sum is rounded, along both
 * directions and in the reference; a copy is exact. */
static double tolerance(const struct shape *shape, double unit)
{
    return shape->value[LETTER_mode] == NEAREST ? 0 : 16 * unit;
}

static double between_two(double low, double high, double weight)
{
    return weight == 0 ? low : (1 - weight) * low + weight * high;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const void *input = call->operand[1];
    const long inner = planes_of((enum layout)layout, n, c).inner;
    for (long element = begin; element < end; element++) {
        const struct position position = position_of(element, p, q, inner);
        const struct tap y = find_tap(position.y, h, p, mode), x = find_tap(position.x, w, q, mode);
        const long low = (position.plane * h + y.low) * w, high = (position.plane * h + y.high) * w;
        const long left = x.low * inner + position.channel,
                   right = x.high * inner + position.channel;
        out[element - begin] =
            between_two(between_two(real_at(input, dtype, low * inner + left),
                                    real_at(input, dtype, low * inner + right), x.weight),
                        between_two(real_at(input, dtype, high * inner + left),
                                    real_at(input, dtype, high * inner + right), x.weight),
                        y.weight);
    }
}
REFERENCE_BODIES(plain)

static double workspace(const struct shape *shape, enum isa isa, enum dtype dtype, int threads,
                        const struct cache_sizes *caches)
{
    (void)isa;
    (void)caches;
    const struct plan plan = plan_of(shape, dtype_bytes(dtype));
    return (double)threads * (double)plan_elements(&plan) * dtype_bytes(dtype);
}

/* oneDNN has coordinates in float: a product, a quotient and a difference, each of up to h or w,
 * are rounded and shift the weight; neighbours differ by up to twice the largest output. */
static double onednn_tolerance(const struct shape *shape, double unit)
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    return tolerance(shape, unit) + (mode == NEAREST ? 0 : 2 * 3 * (h + w) * unit);
}

BODIES_DECLARE(resize)
static const struct variant variants[] = {
    {.name = "separable",
     .summary =
         "rows along their columns, each once, then between two rows, but the other way round to "
         "half the height or less and of pixels that are whole lines; of their four neighbours at "
         "once pixels of many channels and whole ones at half the width or less; "
         "streams beyond the last cache",
     .bodies = BODIES(resize),
     .workspace = workspace},
    REFERENCE_VARIANT(plain),
    {.name = "onednn",
     .summary = "resampling",
     .routine = &onednn_resize,
     .tolerance = onednn_tolerance},
    {0},
};

const struct kernel resize_kernel = {
    .name = "resize",
    .summary = "output[n,c,y,x] = input at ((y + 1/2) h / p - 1/2, (x + 1/2) w / q - 1/2)",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note =
        "bilinear: two products and a sum per column of each input row that is used, "
        "and per output pixel, or the same by rows of each input column, whichever is fewer: "
        "q (h_used + p) or p (w_used + q); channels: with their filling",
    .check = check,
    .operands = operands,
    .tolerance = tolerance,
    .reference = plain,
    .variants = variants,
};

#else
#include <string.h>

#include "interleave.h"
#include "resize_whole.h"
#include "vec_math.h"

struct job {
    const struct shape *shape;
    struct plan plan;
    const real *input, *input_end;
    /* Of this member: input rows that are resized along their columns, one of an even and one of an
     * odd number, and which they are, counted through all planes; or a blended row and, in the
     * second, what output row became of it. -1: none. */
    real *line[2];
    long *line_row;
    const struct tap *taps;
    const int32_t
        *place; /* of the left neighbour, or where there is no right one of the one before */
    real *pair, *weight;
    long ahead;
};

/* Columns [begin, end) of a row, by their taps; vectors are loaded up to `until`. */
static void resize_columns(const struct job *job, const real *from, const real *until, long begin,
                           long end, real *to)
{
    const long inner = job->plan.planes.inner;
    const bool nearest = job->shape->value[LETTER_mode] == NEAREST;
    for (long x = begin; x < end; x++) {
        const struct tap tap = job->taps[x];
        const real *low = from + tap.low * inner, *high = from + tap.high * inner;
        if (inner == 1)
            to[x] = nearest || tap.weight == 0
                        ? *low
                        : (real)(1 - tap.weight) * *low + (real)tap.weight * *high;
        else if (nearest)
            for (long i = 0; i < inner; i += VLEN)
                vec_store(to + x * inner + i, load_until(low + i, until));
        else
            for (long i = 0; i < inner; i += VLEN) {
                const vec a = load_until(low + i, until);
                const vec b = load_until(high + i, until);
                __builtin_prefetch(high + i + job->ahead, 0, 2);
                vec_store(to + x * inner + i, between(a, b, tap.weight));
            }
    }
}

#if VLEN > 1
/* Twice as many columns, where it is a vector's work: each with its neighbours. */
static void double_columns(const struct job *job, const real *from, long columns, real *to)
{
    const bool nearest = job->shape->value[LETTER_mode] == NEAREST;
    const long last = columns - 1 - VLEN;
    for (long x = 1; x < columns - 1; x = x < last && x + VLEN > last ? last : x + VLEN) {
        const vec here = vec_load(from + x), before = vec_load(from + x - 1),
                  after = vec_load(from + x + 1);
        __builtin_prefetch(from + x + job->ahead, 0, 2);
        if (nearest)
            interleave_two(here, here, to + 2 * x);
        else
            interleave_two(vec_all((real)0.25) * before + vec_all((real)0.75) * here,
                           vec_all((real)0.75) * here + vec_all((real)0.25) * after, to + 2 * x);
    }
    resize_columns(job, from, from + columns, 0, 2, to);
    resize_columns(job, from, from + columns, 2 * columns - 2, 2 * columns, to);
}

/* All columns of a row of single elements: the neighbours of each side by side, then vectors of
 * them. Those with one neighbour, at both ends, are made anew: the last have the one before
 * beside them, which is not theirs. */
static void resize_pairs(const struct job *job, const real *from, const real *until, long columns,
                         real *to)
{
    for (long x = 0; x < columns; x++)
        memcpy(job->pair + 2 * x, from + job->place[x], 2 * sizeof(real));
    for (long x = 0; x < columns; x += VLEN) {
        const vec a = vec_load(job->pair + 2 * x), b = vec_load(job->pair + 2 * x + VLEN);
        const vec low = first_of_pairs(a, b), high = second_of_pairs(a, b);
        const vec weight = vec_load(job->weight + x);
        const vec value = (vec_all(1) - weight) * low + weight * high;
        vec_store(to + x, vec_select(vec_equal(weight, vec_all(0)), low, value));
    }
    long first = 0, last = columns;
    while (first < columns && job->taps[first].low == job->taps[first].high)
        first++;
    while (last > first && job->taps[last - 1].low == job->taps[last - 1].high)
        last--;
    resize_columns(job, from, until, 0, first, to);
    resize_columns(job, from, until, last, columns, to);
}
#endif

/* All columns of a row of `w` columns. */
static void resize_row(const struct job *job, const real *from, const real *until, real *to)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
#if VLEN > 1
    if (job->plan.planes.inner == 1 && q == 2 * w && w >= VLEN + 2) {
        double_columns(job, from, w, to);
        return;
    }
    if (job->plan.pairs) {
        resize_pairs(job, from, until, q, to);
        return;
    }
#endif
    resize_columns(job, from, until, 0, q, to);
}

/* An input row with the output's columns; found where it was left, as most are used twice. */
static const real *find_line(const struct job *job, long row)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long inner = job->plan.planes.inner;
    real *line = job->line[row % 2];
    if (job->line_row[row % 2] == row)
        return line;
    resize_row(job, job->input + row * w * inner, job->input_end, line);
    job->line_row[row % 2] = row;
    return line;
}

/* An output row, of two input rows blended before their columns are resized. */
static const real *find_blended(const struct job *job, long row)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long count = w * job->plan.planes.inner;
    real *blended = job->line[0], *line = job->line[1];
    if (job->line_row[1] == row)
        return line;
    const struct tap tap = find_tap(row % p, h, p, mode);
    const real *low = job->input + (row / p * h + tap.low) * count;
    const real *high = job->input + (row / p * h + tap.high) * count;
    if (tap.weight == 0)
        for (long i = 0; i < count; i += VLEN)
            vec_store(blended + i, load_until(low + i, job->input_end));
    else
        for (long i = 0; i < count; i += VLEN) {
            const vec a = load_until(low + i, job->input_end);
            const vec b = load_until(high + i, job->input_end);
            vec_store(blended + i, between(a, b, tap.weight));
        }
    resize_row(job, blended, blended + count, line);
    job->line_row[1] = row;
    return line;
}

/* A pixel's channels between those of its four neighbours. Where all may be read and written as
 * whole vectors, `inside` is a constant; else up to the end of the input and to `limit`. */
ALWAYS_INLINE void resize_pixel(const bool inside, const real *const corner[4], double across,
                                double down, long inner, long ahead, const real *end, real *to,
                                const real *limit)
{
    for (long i = 0; i < inner; i += VLEN) {
        vec x[4];
        __builtin_prefetch(corner[2] + i + ahead, 0, 2);
        UNROLL(4)
        for (int j = 0; j < 4; j++)
            x[j] = inside ? vec_load(corner[j] + i) : load_until(corner[j] + i, end);
        const vec value = between(between(x[0], x[1], across), between(x[2], x[3], across), down);
        if (inside)
            vec_store(to + i, value);
        else
            store_until(to + i, value, limit);
    }
}

/* Columns of an output row with its tap, of the plane that begins at `plane`. */
static void resize_pixels(const struct job *job, const real *plane, struct tap row, long begin,
                          long end, real *to, const real *limit)
{
    const long inner = job->plan.planes.inner, pitch = job->shape->value[LETTER_w] * inner;
    const long ahead = job->ahead, overhang = inner + VLEN;
    const real *const low = plane + row.low * pitch, *const high = plane + row.high * pitch;
    const real *const input_end = job->input_end;
    const struct tap *tap = job->taps + begin, *const last = job->taps + end;
    for (; tap < last; tap++, to += inner) {
        const long left = tap->low * inner, right = tap->high * inner;
        const real *const corner[4] = {low + left, low + right, high + left, high + right};
        if (input_end - corner[3] >= overhang && limit - to >= overhang)
            resize_pixel(true, corner, tap->weight, row.weight, inner, ahead, input_end, to, limit);
        else
            resize_pixel(false, corner, tap->weight, row.weight, inner, ahead, input_end, to,
                         limit);
    }
}

static void resize_direct(const void *context, const struct segment *segment)
{
    const struct job *job = context;
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long inner = job->plan.planes.inner;
    real *to = segment->to;
    for (long row = segment->row; row < segment->row + segment->rows; row++) {
        resize_pixels(job, job->input + row / p * h * w * inner, find_tap(row % p, h, p, mode),
                      segment->begin, segment->end, to, segment->limit);
        to += (segment->end - segment->begin) * inner;
    }
}

static void resize_segment(const void *context, const struct segment *segment)
{
    const struct job *job = context;
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long inner = job->plan.planes.inner, offset = segment->begin * inner;
    const long count = (segment->end - segment->begin) * inner;
    real *to = segment->to;
    for (long row = segment->row; row < segment->row + segment->rows; row++, to += count) {
        const struct tap tap = find_tap(row % p, h, p, mode);
        const real *low = find_line(job, row / p * h + tap.low) + offset;
        const real *high = find_line(job, row / p * h + tap.high) + offset;
        if (tap.weight == 0)
            for (long i = 0; i < count; i += VLEN)
                store_until(to + i, vec_load(low + i), segment->limit);
        else
            for (long i = 0; i < count; i += VLEN) {
                const vec a = vec_load(low + i), b = vec_load(high + i);
                store_until(to + i, between(a, b, tap.weight), segment->limit);
            }
    }
}

static void blend_segment(const void *context, const struct segment *segment)
{
    const struct job *job = context;
    const long inner = job->plan.planes.inner, offset = segment->begin * inner;
    const long count = (segment->end - segment->begin) * inner;
    real *to = segment->to;
    for (long row = segment->row; row < segment->row + segment->rows; row++, to += count) {
        const real *from = find_blended(job, row) + offset;
        for (long i = 0; i < count; i += VLEN)
            store_until(to + i, vec_load(from + i), segment->limit);
    }
}

body NAME(resize);
void NAME(resize)(const struct call *call)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct plan plan = plan_of(shape, REAL_BYTES);
    const long inner = plan.planes.inner, inputs = plan.planes.count * h * w * inner;
    const bool stream = rows_are_streamed(call, (double)(call->outputs + inputs));
    real *buffer = (real *)call->workspace + call->member.index * plan_elements(&plan);
    real *lines = buffer + plan.buffer, *pair = lines + 2 * plan.line + plan.taps + plan.places;
    struct tap *taps = (struct tap *)(lines + 2 * plan.line);
    int32_t *place = (int32_t *)(lines + 2 * plan.line + plan.taps);
    for (long x = 0; x < q; x++) {
        taps[x] = find_tap(x, w, q, mode);
        if (plan.pairs) {
            place[x] = (int32_t)smaller(taps[x].low, w - 2);
            pair[plan.pair + x] = (real)taps[x].weight;
        }
    }
    const struct job job = {.shape = shape,
                            .plan = plan,
                            .input = call->operand[1],
                            .input_end = (const real *)call->operand[1] + inputs,
                            .line = {lines, lines + plan.line},
                            .line_row = (long[]){-1, -1},
                            .taps = taps,
                            .place = place,
                            .pair = pair,
                            .weight = pair + plan.pair,
                            .ahead = stream ? IMAGE_AHEAD / 4 : 0};
    const struct rows rows = {.out = call->operand[0],
                              .count = plan.planes.count * p,
                              .columns = q,
                              .inner = inner,
                              .stream = stream,
                              .buffer = buffer};
    if (plan.whole) {
        const struct whole whole = {.input = job.input,
                                    .columns = taps,
                                    .blended = buffer,
                                    .h = h,
                                    .w = w,
                                    .p = p,
                                    .q = q,
                                    .mode = mode,
                                    .inner = inner};
        resize_whole(&whole, member_part(call->member, rows.count, 1), stream, rows.out);
    } else if (plan.direct)
        rows_write(call, &rows, resize_direct, &job);
    else
        rows_write(call, &rows, plan.blends ? blend_segment : resize_segment, &job);
}

#endif
