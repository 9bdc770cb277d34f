// convolution_stencil.c - depthwise convolution in nchw with 3 x 3 taps and padding of 1, as in
// MobileNets. Nothing is copied. Rows of some vectors are summed in strips of a vector of columns,
// from row to row; with vectors of 512 bits long ones in bands of rows, from column to column.
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

/* A row of zeros, which lies above and below each image where there are bands. */
double convolution_stencil_kept(const struct convolution *conv, enum isa isa, enum dtype dtype,
                                int threads, const struct cache_sizes *caches)
{
    (void)threads, (void)caches;
    return isa_vector_bytes(isa, dtype) == 64 ? (double)conv->columns.in * dtype_bytes(dtype) : 0;
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

#if VEC_BYTES == 64
/* ---- bands of rows ---- */

/* Each row of the input is loaded once per band of output rows, and its neighbouring columns are
 * made of vectors in registers: a vector reaches into the next line wherever it is no multiple of
 * one away. Four sums, nine weights and what is kept of up to nine input rows have room. */
enum { BAND_ROWS = 4, STRIDE_MOST = 2, INPUTS_MOST = (BAND_ROWS - 1) * STRIDE_MOST + TAPS };

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
#endif

/* ---- strips of columns ---- */

/* Some rows of planes that follow each other, in strips of a vector of columns: each input row is
 * loaded once, as its three columns, and goes into the sums of all output rows that see it. The
 * last strip ends where rows do. */
struct strips {
    const real *in, *weights; /* of the first output row, in the first plane */
    real *out;
    long planes, in_plane, out_plane; /* elements from one to the next */
    long ahead;                       /* and to what is fetched meanwhile; 0: nothing */
    long columns_in, columns;         /* of the input, and of the output */
    long rows;                        /* of the output */
    bool has_above, has_below;        /* input rows that the first and the last one see */
    const real *out_end;              /* what the member does not write begins there */
};

/* The last column of a strip: is inside, ends its row, or lies behind it. */
enum end { END_inside, END_edge, END_behind };

/* With 256 bits, shuffles stay within halves, so that sums of every second column have theirs in
 * this order until they are stored. PAIRED_BEFORE: each lane from the column before, the first one
 * from the last lane of `last`. */
#if VEC_BYTES == 32 && VLEN == 8
#define PAIRED(a, b, at)                                                                           \
    __builtin_shufflevector(a, b, (at), (at) + 2, (at) + 8, (at) + 10, (at) + 4, (at) + 6,         \
                            (at) + 12, (at) + 14)
#define PAIRED_BEFORE(last, v) __builtin_shufflevector(last, v, 7, 8, 13, 10, 9, 12, 11, 14)
#define ORDERED(v) __builtin_shufflevector(v, v, 0, 1, 4, 5, 2, 3, 6, 7)
#elif VEC_BYTES == 32
#define PAIRED(a, b, at) __builtin_shufflevector(a, b, (at), (at) + 4, (at) + 2, (at) + 6)
#define PAIRED_BEFORE(last, v) __builtin_shufflevector(last, v, 3, 6, 4, 5)
#define ORDERED(v) __builtin_shufflevector(v, v, 0, 2, 1, 3)
#else
#define PAIRED(a, b, at) LANES_OF_TWO(a, b, at, 2)
#define PAIRED_BEFORE(last, v) LANES_OF_TWO(last, v, VLEN - 1, 1)
#define ORDERED(v) (v)
#endif

/* The columns that the taps of an output row see of an input row. What is behind it, and before it,
 * is 0: so is the last lane where the row ends before it, which then is the one before the first,
 * as a shuffle of one vector may be one instruction where one of two takes two. */
ALWAYS_INLINE void see_row(const int stride, const bool first, const enum end end, long rest,
                           const real *from, vec column[TAPS])
{
    const vec zero = vec_all(0);
    const bool behind = end == END_behind;
    vec a, b;
    if (behind)
        a = vec_load_first(from, smaller(rest, VLEN));
    else
        a = vec_load(from);
    if (stride == 1) {
        column[1] = a;
        if (first)
            column[0] = LANES_OF_TWO(behind ? a : zero, a, VLEN - 1, 1);
        else
            column[0] = vec_load(from - 1);
        if (end == END_inside)
            column[2] = vec_load(from + 1);
        else
            column[2] = LANES_OF_TWO(a, behind ? a : zero, 1, 1);
        return;
    }
    /* Nothing is asked for at an address of which no lane is inside. */
    if (behind)
        b = vec_load_first(from + (rest > VLEN ? VLEN : 0), smaller(greater(rest - VLEN, 0), VLEN));
    else
        b = vec_load(from + VLEN);
    column[1] = PAIRED(a, b, 0);
    column[2] = PAIRED(a, b, 1);
    if (first) {
        column[0] = PAIRED_BEFORE(behind ? column[2] : zero, column[2]);
    } else {
        a = vec_load(from - 1);
        b = vec_load(from + VLEN - 1);
        column[0] = PAIRED(a, b, 0);
    }
}

/* A row of taps. */
ALWAYS_INLINE vec taps_of(const vec column[TAPS], const vec weight[TAPS])
{
    vec sum = column[0] * weight[0];
    UNROLL(TAPS - 1)
    for (int j = 1; j < TAPS; j++)
        sum += column[j] * weight[j];
    return sum;
}

/* Behind the sum so far. */
ALWAYS_INLINE vec add_taps(vec sum, const vec column[TAPS], const vec weight[TAPS])
{
    UNROLL(TAPS)
    for (int j = 0; j < TAPS; j++)
        sum += column[j] * weight[j];
    return sum;
}

/* A row of a strip. One that is shorter is stored with what is behind it, which the next row then
 * overwrites, as far as there is one. */
ALWAYS_INLINE void store_row(const int stride, const bool shorter, const struct strips *strips,
                             real *out, vec sum)
{
    if (stride == 2)
        sum = ORDERED(sum);
    if (shorter && out + VLEN > strips->out_end)
        vec_store_first(out, sum, smaller(strips->columns, VLEN));
    else
        vec_store(out, sum);
}

/* The strip from column x of the output on, of one plane; at least one row. */
ALWAYS_INLINE void sum_strip(const int stride, const bool first, const enum end end,
                             const struct strips *strips, long x, const real *in, real *out,
                             const vec weight[TAPS * TAPS])
{
    const bool shorter = first && end == END_behind;
    const vec *const above = weight, *const level = weight + TAPS;
    vec last[TAPS] = {weight[2 * TAPS], weight[2 * TAPS + 1], weight[2 * TAPS + 2]};
    const vec *below = last;
    const long in_pitch = strips->columns_in, out_pitch = strips->columns;
    const long rest = in_pitch - x * stride;
    vec column[TAPS], sum = vec_all(0), next;
    in += x * stride;
    out += x;
    if (strips->has_above) {
        see_row(stride, first, end, rest, in - in_pitch, column);
        sum = taps_of(column, above);
    }
    see_row(stride, first, end, rest, in, column);
    sum = add_taps(sum, column, level);
    for (long left = strips->rows - 1; left > 0; left--) {
        __builtin_prefetch(in + strips->ahead, 0, 3);
        if (stride == 2)
            __builtin_prefetch(in + strips->ahead + in_pitch, 0, 3);
        if (stride == 1)
            next = taps_of(column, above);
        in += in_pitch;
        see_row(stride, first, end, rest, in, column);
        /* Operands in memory: with the mask and the shuffles' indices there are too few registers.
         */
        if (VEC_REGISTERS < 32 && end == END_behind)
            PIN_WORD(below);
        sum = add_taps(sum, column, below);
        store_row(stride, shorter, strips, out, sum);
        out += out_pitch;
        if (stride == 2) {
            next = taps_of(column, above);
            in += in_pitch;
            see_row(stride, first, end, rest, in, column);
        }
        sum = add_taps(next, column, level);
    }
    if (strips->has_below) {
        see_row(stride, first, end, rest, in + in_pitch, column);
        sum = add_taps(sum, column, below);
    }
    store_row(stride, shorter, strips, out, sum);
}

/* All strips; `single`: there is one. `end` is that of the last one. */
ALWAYS_INLINE void sum_strips_of(const int stride, const bool single, const enum end end,
                                 const struct strips *strips)
{
    const real *in = strips->in, *weights = strips->weights;
    real *out = strips->out;
    for (long left = strips->planes; left > 0; left--) {
        vec weight[TAPS * TAPS];
        UNROLL(TAPS * TAPS)
        for (int i = 0; i < TAPS * TAPS; i++)
            weight[i] = vec_all(weights[i]);
        if (single) {
            sum_strip(stride, true, end, strips, 0, in, out, weight);
        } else {
            const long last = strips->columns - VLEN;
            sum_strip(stride, true, END_inside, strips, 0, in, out, weight);
            for (long x = VLEN; x < last; x += VLEN)
                sum_strip(stride, false, END_inside, strips, x, in, out, weight);
            sum_strip(stride, false, end, strips, last, in, out, weight);
        }
        in += strips->in_plane;
        out += strips->out_plane;
        weights += TAPS * TAPS;
    }
}

/* A function for each case. With a stride of 2 the last column of all taps is inside, or behind. */
#define SUM_STRIPS(stride, single, end)                                                            \
    static void sum_strips_##stride##_##single##_##end(const struct strips *strips)                \
    {                                                                                              \
        sum_strips_of(stride, single, END_##end, strips);                                          \
    }
SUM_STRIPS(1, 0, edge)
SUM_STRIPS(1, 1, edge)
SUM_STRIPS(1, 1, behind)
SUM_STRIPS(2, 0, inside)
SUM_STRIPS(2, 0, behind)
SUM_STRIPS(2, 1, inside)
SUM_STRIPS(2, 1, behind)
typedef void strips_function(const struct strips *strips);

static strips_function *strips_function_for(const struct convolution *conv)
{
    const long columns = conv->columns.out, stride = conv->columns.stride;
    const bool single = columns <= VLEN;
    const bool behind = columns < VLEN || conv->columns.in < stride * columns;
    if (stride == 1)
        return !single ? sum_strips_1_0_edge : behind ? sum_strips_1_1_behind : sum_strips_1_1_edge;
    if (single)
        return behind ? sum_strips_2_1_behind : sum_strips_2_1_inside;
    return behind ? sum_strips_2_0_behind : sum_strips_2_0_inside;
}

/* One call as one member sees it. */
struct job {
    const struct convolution *conv;
    struct step step[EPILOGUE_STEPS];
    const real *input, *weights, *zeros;
    real *output;
    const real *out_end; /* what this member does not write begins there */
    bool fetches;        /* L1 has room for the next plane of the input, too */
};

/* Output rows [part.begin, part.end) of planes of one image that follow each other, in strips. */
static void sum_planes(const struct job *job, long plane, long planes, struct part part)
{
    const struct convolution *conv = job->conv;
    const long in = conv->columns.in, columns = conv->columns.out, channel = plane % conv->c;
    const long stride = conv->rows.stride, in_plane = conv->rows.in * in;
    real *const plane_out = job->output + plane * conv->pixels;
    const struct strips strips = {
        .in = job->input + plane * in_plane + part.begin * stride * in,
        .weights = job->weights + channel * TAPS * TAPS,
        .out = plane_out + part.begin * columns,
        .planes = planes,
        .in_plane = in_plane,
        .out_plane = conv->pixels,
        .ahead = job->fetches ? in_plane : 0,
        .columns_in = in,
        .columns = columns,
        .rows = part.end - part.begin,
        .has_above = part.begin > 0,
        .has_below = (part.end - 1) * stride + 1 < conv->rows.in,
        .out_end = job->out_end,
    };
    strips_function_for(conv)(&strips);
    if (conv->epilogue != EPILOGUE_none)
        convolution_follow(conv, job->step, job->output,
                           (struct piece){plane_out - channel * conv->pixels, channel, 1,
                                          part.begin * columns, strips.rows * columns});
}

#if VEC_BYTES == 64
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

/* A function for each stride. */
#define SUM_BANDS(stride)                                                                          \
    __attribute__((noinline)) static void sum_bands_##stride(const struct job *job, long plane,    \
                                                             struct part part)                     \
    {                                                                                              \
        if (part.end - part.begin >= BAND_ROWS)                                                    \
            sum_rows(BAND_ROWS, stride, job, plane, part);                                         \
        else                                                                                       \
            sum_rows(1, stride, job, plane, part);                                                 \
    }
SUM_BANDS(1)
SUM_BANDS(2)
#endif

void NAME(convolution_stencil_prepare)(const struct convolution *conv, const struct call *call)
{
#if VEC_BYTES == 64
    if (call->member.index == 0)
        memset(call->kept, 0, (size_t)conv->columns.in * REAL_BYTES);
#else
    (void)conv, (void)call;
#endif
}

#if VEC_BYTES == 64
convolution_body HALF_NAME(convolution_stencil);
#endif

void NAME(convolution_stencil)(const struct convolution *conv, const struct call *call)
{
#if VEC_BYTES == 64
    /* Masks and shuffles of whole vectors take longer than what half of the lanes save. Every CPU
     * with the one has the other, and strips read nothing of what is kept. */
    if (2 * conv->columns.out <= VLEN) {
        HALF_NAME(convolution_stencil)(conv, call);
        return;
    }
#endif
    struct job job = {.conv = conv,
                      .input = call->operand[1],
                      .weights = call->operand[2],
                      .zeros = call->kept,
                      .output = call->operand[0]};
    const long all = conv->rows.out, columns = conv->columns.out;
    const struct part part = member_part(call->member, conv->n * conv->c * all, 1);
    const double planes_bytes =
        (double)(2 * conv->rows.in * conv->columns.in + conv->pixels) * REAL_BYTES;
    /* An epilogue wants each plane while L1 has it; bands, of longer rows, take planes one by one.
     */
    const bool together = columns <= VLEN && conv->epilogue == EPILOGUE_none;
    convolution_steps(conv, call, job.step);
    job.out_end = job.output + part.end * columns;
    job.fetches = planes_bytes <= call->caches.l1_bytes * 2 / 3;
    for (long row = part.begin, next; row < part.end; row = next) {
        const long plane = row / all, first = row - plane * all;
        long planes = 1;
        if (together && first == 0)
            planes = greater(1, smaller((part.end - row) / all, conv->c - plane % conv->c));
        next = smaller((plane + planes) * all, part.end);
        const struct part rows = {first, smaller(all, first + next - row)};
#if VEC_BYTES == 64
        if (columns > 2 * VLEN) {
            (conv->rows.stride == 1 ? sum_bands_1 : sum_bands_2)(&job, plane, rows);
            continue;
        }
#endif
        sum_planes(&job, plane, planes, rows);
    }
}

#endif
