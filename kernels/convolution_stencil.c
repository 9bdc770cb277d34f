// convolution_stencil.c - depthwise convolution in nchw with 3 x 3 taps and padding of 1, as in
// MobileNets: each row of the input is loaded once per band of output rows, its neighbouring
// columns are made of vectors in registers, and nothing is copied.
#include "convolution.h"

enum { TAPS = 3 };

#ifndef ISA

int convolution_stencil_supports(const struct convolution *conv, struct error *error)
{
    if (!convolution_is_stencil(conv))
        return error_skip(error, "it is for conv2d in nchw with groups = c = k, 3x3, pad=1, "
                                 "dilation=1 and a stride of 1 or 2; choose these");
    return OK;
}

/* A row of zeros, which lies above and below each image. */
double convolution_stencil_kept(const struct convolution *conv, enum isa isa, enum dtype dtype,
                                int threads, const struct cache_sizes *caches)
{
    (void)isa, (void)threads, (void)caches;
    return (double)conv->columns.in * dtype_bytes(dtype);
}

double convolution_stencil_workspace(const struct convolution *conv, enum isa isa, enum dtype dtype,
                                     int threads, const struct cache_sizes *caches)
{
    (void)conv, (void)isa, (void)dtype, (void)threads, (void)caches;
    return 0;
}

#else
#include <string.h>

#include "lanes.h"
#include "vec.h"

/* Output rows of a band: with 32 registers four sums, nine weights and what is kept of up to nine
 * input rows have room; with 16 two sums and what is kept, beside weights from L1. */
enum {
    BAND_ROWS = VEC_REGISTERS >= 32 ? 4 : 2,
    STRIDE_MOST = 2,
    INPUTS_MOST = (BAND_ROWS - 1) * STRIDE_MOST + TAPS
};

/* Of a vector of the input: all, the first elements, none. A constant where things are inlined:
 * each row has as many. */
enum extent { ALL, SOME, NONE };

/* 0 where there are none. */
ALWAYS_INLINE vec load_extent(const enum extent extent, const real *from, long count)
{
    return extent == ALL    ? vec_load(from)
           : extent == SOME ? vec_load_first(from, count)
                            : vec_all(0);
}

/* A vector of each of `rows` output rows from column x on, of input rows with `in` columns. `kept`
 * of each input row: the vector before the first column that is needed and, with a stride of 1,
 * that from it on. What is loaded: with a stride of 1 the vector behind it, of extent `one`; with a
 * stride of 2 two, of extents `one` and `two`. */
ALWAYS_INLINE void sum_columns(const int rows, const int stride, const enum extent one,
                               const enum extent two, const real *const input[INPUTS_MOST], long in,
                               long x, const vec weight[TAPS * TAPS], vec kept[INPUTS_MOST][2],
                               vec sum[BAND_ROWS])
{
    const long first = stride == 1 ? x + VLEN : 2 * x, second = first + VLEN;
    UNROLL(BAND_ROWS)
    for (int row = 0; row < rows; row++)
        sum[row] = vec_all(0);
    UNROLL(INPUTS_MOST)
    for (int i = 0; i < (rows - 1) * stride + TAPS; i++) {
        vec column[TAPS];
        const vec a = load_extent(one, input[i] + first, in - first);
        if (stride == 1) {
            column[0] = LANES_OF_TWO(kept[i][0], kept[i][1], VLEN - 1, 1);
            column[1] = kept[i][1];
            column[2] = LANES_OF_TWO(kept[i][1], a, 1, 1);
            kept[i][0] = kept[i][1];
            kept[i][1] = a;
        } else {
            const vec b = load_extent(two, input[i] + second, in - second);
            column[2] = LANES_OF_TWO(a, b, 1, 2);
            column[1] = LANES_OF_TWO(a, b, 0, 2);
            column[0] = LANES_OF_TWO(kept[i][0], column[2], VLEN - 1, 1);
            kept[i][0] = column[2];
        }
        UNROLL(BAND_ROWS)
        for (int row = 0; row < rows; row++) {
            const int tap = i - row * stride;
            UNROLL(TAPS)
            for (int j = 0; j < TAPS; j++)
                if (tap >= 0 && tap < TAPS)
                    sum[row] += column[j] * weight[tap * TAPS + j];
        }
    }
}

/* Columns of the output, `count` where they are less than a vector. */
ALWAYS_INLINE void store_columns(const int rows, real *out, long pitch, long count,
                                 const vec sum[BAND_ROWS])
{
    if (count >= VLEN) {
        UNROLL(BAND_ROWS)
        for (int row = 0; row < rows; row++)
            vec_store(out + row * pitch, sum[row]);
    } else {
        UNROLL(BAND_ROWS)
        for (int row = 0; row < rows; row++)
            vec_store_first(out + row * pitch, sum[row], count);
    }
}

/* `rows` output rows, a constant where this is inlined, as is the stride. */
ALWAYS_INLINE void sum_band(const int rows, const int stride, const real *const input[INPUTS_MOST],
                            const vec weight[TAPS * TAPS], const struct convolution *conv,
                            real *out)
{
    const long columns = conv->columns.out, in = conv->columns.in;
    vec kept[INPUTS_MOST][2], sum[BAND_ROWS];
    UNROLL(INPUTS_MOST)
    for (int i = 0; i < (rows - 1) * stride + TAPS; i++)
        kept[i][0] = kept[i][1] = vec_all(0);
    if (stride == 1)
        UNROLL(INPUTS_MOST)
    for (int i = 0; i < rows - 1 + TAPS; i++)
        kept[i][1] = vec_load(input[i]); /* narrower rows are not for bands */
    long x = 0;
#define SUM_COLUMNS(one, two)                                                                      \
    do {                                                                                           \
        sum_columns(rows, stride, one, two, input, in, x, weight, kept, sum);                      \
        store_columns(rows, out + x, columns, columns - x, sum);                                   \
        x += VLEN;                                                                                 \
    } while (0)
    while (in - x * stride >= 2 * VLEN)
        SUM_COLUMNS(ALL, ALL);
    /* Less than two vectors of the input are left: one or two of the output with a stride of 1,
     * else one or none. */
    const long rest = in - x * stride;
    if (stride == 1) {
        if (rest > VLEN)
            SUM_COLUMNS(SOME, NONE);
        if (rest > 0)
            SUM_COLUMNS(NONE, NONE);
    } else if (rest > VLEN) {
        SUM_COLUMNS(ALL, SOME);
    } else if (rest == VLEN) {
        SUM_COLUMNS(ALL, NONE);
    } else if (rest > 0) {
        SUM_COLUMNS(SOME, NONE);
    }
#undef SUM_COLUMNS
}

/* Rows that fit a vector, of one plane; or of two, each in half of the lanes, where at least one
 * lane is left between them, which holds 0. */
struct narrow {
    const real *in[2];
    real *out[2];
};

#if VLEN >= 8
#if VLEN == 8
#define HALVES(a, b) __builtin_shufflevector(a, b, LANES_4(0, 1), LANES_4(VLEN, 1))
#else
#define HALVES(a, b) __builtin_shufflevector(a, b, LANES_8(0, 1), LANES_8(VLEN, 1))
#endif
#else
#define HALVES(a, b) (a)
#endif

/* Rows of both planes, each in half of the lanes. */
ALWAYS_INLINE vec load_halves(const struct narrow *narrow, long at, long columns)
{
#if VEC_BYTES == 64
    return vec_load_halves(narrow->in[0] + at, narrow->in[1] + at, columns);
#else
    return HALVES(vec_load_first(narrow->in[0] + at, columns),
                  vec_load_first(narrow->in[1] + at, columns));
#endif
}

ALWAYS_INLINE void store_halves(const struct narrow *narrow, long at, long columns, vec sum)
{
#if VEC_BYTES == 64
    vec_store_halves(narrow->out[0] + at, narrow->out[1] + at, sum, columns);
#else
    vec_store_first(narrow->out[0] + at, sum, columns);
    vec_store_first(narrow->out[1] + at, LANES_OF_TWO(sum, sum, VLEN / 2, 1), columns);
#endif
}

static bool fits_half(const struct convolution *conv)
{
    const long columns = conv->columns.in;
    return VLEN >= 8 && columns < (conv->columns.stride == 1 ? VLEN / 2 : VLEN);
}

/* The columns that the taps of an output row see of an input row, which begins at element `at`. */
ALWAYS_INLINE void split_row(const int planes, const int stride, const struct narrow *narrow,
                             long at, long in, vec column[TAPS])
{
    const vec zero = vec_all(0);
    const real *const from = narrow->in[0] + at;
    vec a, b = zero;
    if (planes == 2 && stride == 1)
        a = load_halves(narrow, at, in);
    else if (planes == 2 || in < VLEN)
        a = vec_load_first(from, in);
    else
        a = vec_load(from);
    if (planes == 2 && stride == 2)
        b = vec_load_first(narrow->in[1] + at, in);
    else if (planes == 1 && in > VLEN)
        b = in >= 2 * VLEN ? vec_load(from + VLEN) : vec_load_first(from + VLEN, in - VLEN);
    if (stride == 1) {
        column[0] = LANES_OF_TWO(zero, a, VLEN - 1, 1);
        column[1] = a;
        column[2] = LANES_OF_TWO(a, zero, 1, 1);
    } else {
        column[1] = LANES_OF_TWO(a, b, 0, 2);
        column[2] = LANES_OF_TWO(a, b, 1, 2);
        column[0] = LANES_OF_TWO(zero, column[2], VLEN - 1, 1);
    }
}

/* Behind the sum so far, a row of taps. */
ALWAYS_INLINE vec add_taps(vec sum, const vec column[TAPS], const vec weight[TAPS])
{
    UNROLL(TAPS)
    for (int j = 0; j < TAPS; j++)
        sum += column[j] * weight[j];
    return sum;
}

ALWAYS_INLINE void store_narrow(const int planes, const struct narrow *narrow, long at,
                                long columns, vec sum)
{
    if (planes == 2)
        store_halves(narrow, at, columns, sum);
    else if (columns >= VLEN)
        vec_store(narrow->out[0] + at, sum);
    else
        vec_store_first(narrow->out[0] + at, sum, columns);
}

/* Each input row is split once and goes into the sums of all output rows that see it. */
ALWAYS_INLINE void sum_narrow(const int planes, const int stride, const struct narrow *narrow,
                              const struct convolution *conv, const vec weight[TAPS * TAPS],
                              struct part part)
{
    const long columns = conv->columns.out, in = conv->columns.in, rows = conv->rows.in;
    const vec *const above = weight, *const level = weight + TAPS, *const below = weight + 2 * TAPS;
    const vec zero = vec_all(0);
    vec column[TAPS], sum = zero;
    if (part.begin > 0) {
        split_row(planes, stride, narrow, (part.begin * stride - 1) * in, in, column);
        sum = add_taps(zero, column, above);
    }
    split_row(planes, stride, narrow, part.begin * stride * in, in, column);
    for (long row = part.begin; row < part.end; row++) {
        const long next = row * stride + 1;
        sum = add_taps(sum, column, level);
        vec after = stride == 1 ? add_taps(zero, column, above) : zero;
        if (next < rows) {
            split_row(planes, stride, narrow, next * in, in, column);
            sum = add_taps(sum, column, below);
            if (stride == 2) {
                after = add_taps(zero, column, above);
                if (row + 1 < part.end)
                    split_row(planes, stride, narrow, (next + 1) * in, in, column);
            }
        }
        store_narrow(planes, narrow, row * columns, columns, sum);
        sum = after;
    }
}

/* One call as one member sees it. */
struct job {
    const struct convolution *conv;
    struct step step[EPILOGUE_STEPS];
    const real *input, *weights, *zeros;
    real *output;
};

/* Rows [part.begin, part.end) of a plane of the output, `band` of them at a time: the last ones
 * begin earlier, and some rows are made twice, where they would be less. */
ALWAYS_INLINE void sum_rows(const int band, const int stride, const struct job *job, long plane,
                            struct part part)
{
    const struct convolution *conv = job->conv;
    const long columns = conv->columns.out, in = conv->columns.in, channel = plane % conv->c;
    const real *image = job->input + plane * conv->rows.in * in;
    real *out = job->output + plane * conv->pixels;
    vec weight[TAPS * TAPS];
    UNROLL(TAPS * TAPS)
    for (int i = 0; i < TAPS * TAPS; i++)
        weight[i] = vec_all(job->weights[channel * TAPS * TAPS + i]);
    for (long next = part.begin; next < part.end; next += band) {
        const long row = smaller(next, part.end - band), y = row * stride - 1;
        const real *input[INPUTS_MOST];
        UNROLL(INPUTS_MOST)
        for (int i = 0; i < (band - 1) * stride + TAPS; i++)
            input[i] = y + i >= 0 && y + i < conv->rows.in ? image + (y + i) * in : job->zeros;
        sum_band(band, stride, input, weight, conv, out + row * columns);
        if (conv->epilogue != EPILOGUE_none)
            convolution_follow(conv, job->step, job->output,
                               (struct piece){out - channel * conv->pixels, channel, 1,
                                              row * columns, band * columns});
    }
}

/* The same of rows that fit a vector, of one plane or the whole of two. */
ALWAYS_INLINE void sum_planes(const int planes, const int stride, const struct job *job, long plane,
                              struct part part)
{
    const struct convolution *conv = job->conv;
    const long in = conv->rows.in * conv->columns.in, out = conv->pixels;
    const struct narrow narrow = {{job->input + plane * in, job->input + (plane + 1) * in},
                                  {job->output + plane * out, job->output + (plane + 1) * out}};
    const real *weights[2];
    UNROLL(2)
    for (int i = 0; i < planes; i++)
        weights[i] = job->weights + (plane + i) % conv->c * (TAPS * TAPS);
    vec weight[TAPS * TAPS];
    UNROLL(TAPS * TAPS)
    for (int i = 0; i < TAPS * TAPS; i++) {
        weight[i] = vec_all(weights[0][i]);
        if (planes == 2)
            weight[i] = HALVES(weight[i], vec_all(weights[1][i]));
    }
    sum_narrow(planes, stride, &narrow, conv, weight, part);
    for (int i = 0; i < planes && conv->epilogue != EPILOGUE_none; i++) {
        const long channel = (plane + i) % conv->c;
        convolution_follow(conv, job->step, job->output,
                           (struct piece){narrow.out[i] - channel * out, channel, 1,
                                          part.begin * conv->columns.out,
                                          (part.end - part.begin) * conv->columns.out});
    }
}

/* A function for each stride. */
#define SUM_PART(stride)                                                                           \
    __attribute__((noinline)) static void sum_part_##stride(const struct job *job, long planes,    \
                                                            long plane, struct part part)          \
    {                                                                                              \
        if (planes == 2)                                                                           \
            sum_planes(2, stride, job, plane, part);                                               \
        else if (job->conv->columns.out <= VLEN)                                                   \
            sum_planes(1, stride, job, plane, part);                                               \
        else if (part.end - part.begin >= BAND_ROWS)                                               \
            sum_rows(BAND_ROWS, stride, job, plane, part);                                         \
        else                                                                                       \
            sum_rows(1, stride, job, plane, part);                                                 \
    }
SUM_PART(1)
SUM_PART(2)

void NAME(convolution_stencil_prepare)(const struct convolution *conv, const struct call *call)
{
    real *zeros = call->kept;
    if (call->member.index == 0)
        memset(zeros, 0, (size_t)conv->columns.in * sizeof *zeros);
}

void NAME(convolution_stencil)(const struct convolution *conv, const struct call *call)
{
    struct job job = {.conv = conv,
                      .input = call->operand[1],
                      .weights = call->operand[2],
                      .zeros = call->kept,
                      .output = call->operand[0]};
    const long all = conv->rows.out;
    const struct part part = member_part(call->member, conv->n * conv->c * all, 1);
    convolution_steps(conv, call, job.step);
    const bool pairs = fits_half(conv);
    for (long row = part.begin, next; row < part.end; row = next) {
        const long plane = row / all, first = row - plane * all;
        const long planes = pairs && first == 0 && part.end - row >= 2 * all ? 2 : 1;
        next = smaller((plane + planes) * all, part.end);
        (conv->rows.stride == 1 ? sum_part_1 : sum_part_2)(
            &job, planes, plane, (struct part){first, first + (next - row) / planes});
    }
}

#endif
