// pool.h - template of the kernels that make one number of each window of an image.
//
// A kernel file says what is special about it and includes this at its end:
//   POOL            its name
//   SUMMARY         its formula for people
//   MEAN            1: the mean of a window, 0: its maximum
//   OWN_LETTERS(X)  letters that only it has
//   COUNT_PAD       expression: whether cells outside the image count in the mean
//   LOW, HIGH       range of the initial values
//   FLOPS, NOTE     its work model
//   TOLERANCE       of unit roundings, r and s
#include "image.h"
#include "window.h"

#define LETTERS(X)                                                                                 \
    X(n, 1, 0, "images")                                                                           \
    X(c, -1, 1, "channels")                                                                        \
    X(h, -1, 1, "input rows")                                                                      \
    X(w, -1, 1, "input columns")                                                                   \
    X(r, -1, 1, "window rows")                                                                     \
    X(s, -1, 1, "window columns")                                                                  \
    X(stride, 1, 1, "input rows and columns per output row and column")                            \
    X(pad, 0, 0, "rows and columns around the image")                                              \
    X(dilation, 1, 1, "input rows and columns per window row and column")                          \
    WINDOW_LETTERS(X)                                                                              \
    OWN_LETTERS(X)                                                                                 \
    X(layout, 0, 0, "order of the dimensions", layout_words)
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };

/* What follows from the letters; lengths in elements. */
struct plan {
    struct slide rows, columns;
    long p, q;         /* output rows and columns */
    struct part whole; /* columns of the output whose windows lie inside the image */
    struct planes planes;
    bool pixels; /* are whole lines of the caches, written where they belong, without a buffer */
    long pitch;  /* of the lines that windows are joined into, one per row of a segment */
    /* Of a member's workspace: segment_buffer(), the lines, or for whole pixels one, a factor for
     * each column of the output that is not whole and for each number of window rows. */
    long buffer, lines, factors;
};

/* A line that L2 keeps beside what is read. */
enum { LINE_BYTES_MOST = 1 << 17 };

static inline struct plan plan_of(const struct shape *shape, int element_bytes)
{
    LETTERS(KERNEL_LETTER_LONG)
    struct plan plan = {.rows = ROW_SLIDE(SHAPE_LETTER),
                        .columns = COLUMN_SLIDE(SHAPE_LETTER),
                        .planes = planes_of((enum layout)layout, n, c)};
    const struct slide *columns = &plan.columns;
    plan.p = slide_places(&plan.rows);
    plan.q = slide_places(columns);
    const long reach = (s - 1) * columns->dilation;
    const long fits = w + columns->before - reach; /* columns before these begin such windows */
    plan.whole.begin = smaller(ceil_divide(columns->before, columns->stride), plan.q);
    plan.whole.end =
        greater(plan.whole.begin, smaller(ceil_divide(greater(fits, 0), columns->stride), plan.q));
    const struct extent extent = segment_extent(plan.q, plan.planes.inner, element_bytes);
    plan.buffer = segment_buffer(plan.q, plan.planes.inner, element_bytes);
    plan.pitch = ((extent.columns - 1) * columns->stride + reach + 1) * plan.planes.inner;
    /* Vectors stick out, two of them where a stride of 2 takes every other element. */
    plan.lines =
        image_lines(extent.rows * plan.pitch, element_bytes) + 3 * IMAGE_LINE_BYTES / element_bytes;
    plan.pixels = plan.planes.inner * element_bytes % IMAGE_LINE_BYTES == 0 &&
                  w * plan.planes.inner * element_bytes <= LINE_BYTES_MOST;
    if (plan.pixels) {
        plan.buffer = 0;
        plan.lines = w * plan.planes.inner;
    }
    plan.factors = image_lines(plan.q - (plan.whole.end - plan.whole.begin) + r + 1, element_bytes);
    return plan;
}

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define STRING_(a) #a
#define STRING(a) STRING_(a)

#ifndef ISA
#include "onednn.h"

#define DERIVED                                                                                    \
    const struct slide rows = ROW_SLIDE(SHAPE_LETTER), columns = COLUMN_SLIDE(SHAPE_LETTER);       \
    const double channels = (double)layout_channels((enum layout)layout, (long)c),                 \
                 p = (double)slide_places(&rows), q = (double)slide_places(&columns),              \
                 taps_h = slide_taps(&rows), taps_w = slide_taps(&columns),                        \
                 h_used = slide_used(&rows);                                                       \
    (void)channels, (void)p, (void)q, (void)taps_h, (void)taps_w, (void)h_used;
#define EXPANDED_MODEL(what, ...) MODEL(what, __VA_ARGS__)

EXPANDED_MODEL(flops, FLOPS)
MODEL(bytes, (h_used * w + p * q) * n * channels * element_bytes)

static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* After the stem of ResNet (doi:10.1109/CVPR.2016.90), in VGG (arXiv:1409.1556) and beside the
 * convolutions of Inception (arXiv:1409.4842). */
static const char *const shapes[] = {"n=@DRAM,c=64,h=112,w=112,r=3,s=3,stride=2,pad=1",
                                     "n=@DRAM,c=64,h=112,w=112,r=3,s=3,stride=2,pad=1,layout=nhwc",
                                     "n=@DRAM,c=64,h=112,w=112,r=3,s=3,stride=2,pad=1,layout=nchwc",
                                     "n=@DRAM,c=64,h=224,w=224,r=2,s=2,stride=2",
                                     "n=@DRAM,c=192,h=28,w=28,r=3,s=3,pad=1",
                                     "c=64,h=56,w=56,r=2,s=2,stride=2",
                                     "c=@L2,h=28,w=28,r=3,s=3,pad=1",
                                     "c=512,h=7,w=7,r=7,s=7",
                                     NULL};

static int check(const struct shape *shape, struct error *error)
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    const struct slide rows = ROW_SLIDE(SHAPE_LETTER), columns = COLUMN_SLIDE(SHAPE_LETTER);
    if (!slide_fits(&rows) || !slide_fits(&columns))
        return error_set(error, FAULT_USAGE,
                         STRING(POOL) ": the window of %.0f x %.0f with 'dilation' %ld and %ld "
                                      "does not fit the padded image of %.0f x %.0f; enlarge h, w "
                                      "or pad",
                         r, s, rows.dilation, columns.dilation,
                         h + (double)(rows.before + rows.after),
                         w + (double)(columns.before + columns.after));
    return OK;
}

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    DERIVED
    operand[0] = reals("output", ROLE_OUTPUT, n * channels * p * q, LOW, HIGH);
    operand[1] = reals("input", ROLE_INPUT, n * channels * h * w, LOW, HIGH);
    return 2;
}

static double tolerance(const struct shape *shape, double unit)
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    return TOLERANCE;
}

/* The number of the window at that position of the output. */
static double window_value(const struct call *call, const struct plan *plan, enum dtype dtype,
                           struct position position)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct slide *rows = &plan->rows, *columns = &plan->columns;
    const long y0 = position.y * rows->stride - rows->before;
    const long x0 = position.x * columns->stride - columns->before;
    const long inner = plan->planes.inner;
    double value = MEAN ? 0 : -INFINITY, count = 0;
    for (long i = 0; i < r; i++)
        for (long j = 0; j < s; j++) {
            long y = y0 + i * rows->dilation, x = x0 + j * columns->dilation;
            if (y < 0 || y >= h || x < 0 || x >= w)
                continue;
            double cell = real_at(call->operand[1], dtype,
                                  ((position.plane * h + y) * w + x) * inner + position.channel);
            count++;
            if (MEAN)
                value += cell;
            else if (cell > value || isnan(cell))
                value = cell;
        }
    return MEAN ? value / (COUNT_PAD ? (double)(r * s) : count) : value;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const struct plan plan = plan_of(call->shape, dtype_bytes(dtype));
    for (long element = begin; element < end; element++)
        out[element - begin] = window_value(
            call, &plan, dtype, position_of(element, plan.p, plan.q, plan.planes.inner));
}
REFERENCE_BODIES(plain)

static double workspace(const struct shape *shape, enum isa isa, enum dtype dtype, int threads,
                        const struct cache_sizes *caches)
{
    (void)isa;
    (void)caches;
    const struct plan plan = plan_of(shape, dtype_bytes(dtype));
    return (double)threads * (double)(plan.buffer + plan.lines + plan.factors) * dtype_bytes(dtype);
}

BODIES_DECLARE(POOL)
static const struct variant variants[] = {
    {.name = "separable",
     .summary =
         "rows of a window into a line, then its columns; an image that is one window in one "
         "pass; streams beyond the last cache",
     .bodies = BODIES(POOL),
     .workspace = workspace},
    REFERENCE_VARIANT(plain),
    {.name = "onednn", .summary = "pooling", .routine = &PASTE(onednn_, POOL)},
    {0},
};

const struct kernel PASTE(POOL, _kernel) = {
    .name = STRING(POOL),
    .summary = SUMMARY,
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note = NOTE
    "; taps_h, taps_w: pairs of output and window line inside the image; h_used: "
    "input rows that are used; channels: with their filling",
    .check = check,
    .operands = operands,
    .tolerance = tolerance,
    .reference = plain,
    .variants = variants,
};

#else
#include "fetch.h"
#include "fold.h"
#include "interleave.h"

/* Larger of each pair; NaN where one is NaN, as the maximum of IEEE 754-2019 (9.6). */
ALWAYS_INLINE real larger(real a, real b)
{
    return a > b || a != a ? a : b;
}

ALWAYS_INLINE real join_one(real a, real b)
{
    return MEAN ? a + b : larger(a, b);
}

ALWAYS_INLINE vec join(vec a, vec b)
{
    if (MEAN)
        return a + b;
    return vec_larger(a, b);
}

#include "pool_threes.h"

/* What a sum or maximum becomes. */
ALWAYS_INLINE vec finish(vec value, real scale)
{
    if (MEAN)
        return value * vec_all(scale);
    return value;
}

struct job {
    const struct shape *shape;
    struct plan plan;
    const real *input, *input_end;
    real *lines, *factors, *scales;
    long ahead;         /* where to fetch from */
    bool asks_for_rows; /* whole pixels: the next row's input, while one is taken from its line */
};

static void fill_neutral(real *line, long count)
{
    for (long i = 0; i < count; i++)
        line[i] = MEAN ? 0 : -INFINITY;
}

#if VLEN > 1
/* Elements 0, 2, 4 ... from p on. */
ALWAYS_INLINE vec load_even(const real *p)
{
    return first_of_pairs(vec_load(p), vec_load(p + VLEN));
}
#else
#define load_even vec_load
#endif

/* The join of load(p), load(p + pitch) ... of `taps` of them. No loop where that is a small
 * constant. */
ALWAYS_INLINE vec join_taps(vec load(const real *), const int taps, const real *p, long pitch)
{
    vec value = load(p);
    if (taps >= 2)
        value = join(value, load(p + pitch));
    if (taps >= 3)
        value = join(value, load(p + 2 * pitch));
    for (int tap = 3; tap < taps; tap++)
        value = join(value, load(p + tap * pitch));
    return value;
}

/* line[i] = the join of from[i], from[i + pitch] ... of `taps` rows. May read up to `end` and write
 * a vector too much. */
ALWAYS_INLINE void join_rows(const int taps, const real *from, long pitch, const real *end,
                             long ahead, long count, real *line)
{
    const real *last = from + (taps - 1) * pitch, *before = taps > 1 ? last - pitch : last;
    const long whole = end - last - VLEN;
    long i = 0;
    for (; i < count && i <= whole; i += VLEN) {
        __builtin_prefetch(before + i + ahead, 0, 2);
        __builtin_prefetch(last + i + ahead, 0, 2);
        vec_store(line + i, join_taps(vec_load, taps, from + i, pitch));
    }
    for (; i < count; i++) {
        line[i] = from[i];
        for (int tap = 1; tap < taps; tap++)
            line[i] = join_one(line[i], from[i + tap * pitch]);
    }
}

/* The same, of columns `tap` elements apart: to[i] = the join of line[i], line[i + tap] ... */
ALWAYS_INLINE void join_columns(const int taps, const real *line, long tap, long count, real scale,
                                real *to, const real *limit)
{
    for (long i = 0; i < count; i += VLEN)
        store_until(to + i, finish(join_taps(vec_load, taps, line + i, tap), scale), limit);
}

/* As join_columns() where every other element of the line begins a window. */
ALWAYS_INLINE void join_even(const int taps, const real *line, long tap, long count, real scale,
                             real *to, const real *limit)
{
    for (long i = 0; i < count; i += VLEN)
        store_until(to + i, finish(join_taps(load_even, taps, line + 2 * i, tap), scale), limit);
}

/* As join_columns(), pixel by pixel of `inner` elements, windows `step` elements apart. */
ALWAYS_INLINE void join_pixels(const int taps, const real *line, long step, long tap, long inner,
                               long count, real scale, real *to, const real *limit)
{
    for (long i = 0; i < count; i++)
        join_columns(taps, line + i * step, tap, inner, scale, to + i * inner, limit);
}

/* Calls function(taps, ...) with the numbers of taps that networks have as constants. */
#define WITH_TAPS(taps, function, ...)                                                             \
    do {                                                                                           \
        if ((taps) == 2)                                                                           \
            function(2, __VA_ARGS__);                                                              \
        else if ((taps) == 3)                                                                      \
            function(3, __VA_ARGS__);                                                              \
        else                                                                                       \
            function((int)(taps), __VA_ARGS__);                                                    \
    } while (0)

/* Input row of the first line of an output row's window. */
static long first_row(const struct plan *plan, long y)
{
    return y * plan->rows.stride - plan->rows.before;
}

/* Input rows of the window whose first is y0. */
static struct part rows_inside(const struct plan *plan, long y0)
{
    return taps_in_image(y0, plan->rows.taps, plan->rows.dilation, plan->rows.in);
}

/* The rows `taps` of windows joined: line[i] from column `left` of the padded image on. */
static void join_line(const struct job *job, long plane, long y0, struct part taps, long left,
                      long columns, real *line)
{
    const struct slide *rows = &job->plan.rows;
    const long inner = job->plan.planes.inner, h = rows->in, w = job->plan.columns.in;
    const long begin = smaller(greater(left, 0), left + columns);
    const long end = greater(smaller(left + columns, w), begin);
    if (taps.begin == taps.end || begin >= w) {
        fill_neutral(line, columns * inner);
        return;
    }
    fill_neutral(line, (begin - left) * inner);
    const real *from =
        job->input + ((plane * h + y0 + taps.begin * rows->dilation) * w + begin) * inner;
    WITH_TAPS(taps.end - taps.begin, join_rows, from, rows->dilation * w * inner, job->input_end,
              job->ahead, (end - begin) * inner, line + (begin - left) * inner);
    fill_neutral(line + (end - left) * inner, (left + columns - end) * inner);
}

/* Whether windows at the left and right border have another divisor. */
static bool has_border(const struct job *job)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    return MEAN && !(COUNT_PAD) && job->plan.columns.before + job->plan.columns.after > 0;
}

/* The scale of means over so many window rows. Where cells outside the image do not count, windows
 * at the border are means of fewer columns than the others. */
static void find_factors(const struct job *job)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct slide *columns = &job->plan.columns;
    const struct part whole = job->plan.whole;
    for (long rows = 0; rows <= r; rows++)
        job->scales[rows] = MEAN ? 1 / (real)(rows * s) : 1;
    for (long x = 0, i = 0; x < job->plan.q && has_border(job); x++) {
        if (x >= whole.begin && x < whole.end)
            continue;
        const struct part inside =
            taps_in_image(x * columns->stride - columns->before, s, columns->dilation, w);
        job->factors[i++] = (real)s / (real)(inside.end - inside.begin);
    }
}

static void correct_columns(const struct segment *segment, struct part columns, long inner,
                            const real *factors, real *to)
{
    const long begin = greater(columns.begin, segment->begin);
    for (long x = begin; x < smaller(columns.end, segment->end); x++)
        for (long i = 0; i < inner; i++)
            to[(x - segment->begin) * inner + i] *= factors[x - columns.begin];
}

static void correct_border(const struct job *job, const struct segment *segment, real *to)
{
    const struct plan *plan = &job->plan;
    const struct part left = {0, plan->whole.begin}, right = {plan->whole.end, plan->q};
    correct_columns(segment, left, plan->planes.inner, job->factors, to);
    correct_columns(segment, right, plan->planes.inner, job->factors + left.end, to);
}

/* A row of the segment from its joined line. */
static void pool_row(const struct job *job, const struct segment *segment, const real *line,
                     struct part taps, real *to)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct slide *columns = &job->plan.columns;
    const long inner = job->plan.planes.inner, count = segment->end - segment->begin;
    const long tap = columns->dilation * inner;
    const real scale = job->scales[COUNT_PAD ? r : taps.end - taps.begin];
    if (columns->stride == 1)
        WITH_TAPS(s, join_columns, line, tap, count * inner, scale, to, segment->limit);
    else if (columns->stride == 2 && inner == 1)
        WITH_TAPS(s, join_even, line, tap, count, scale, to, segment->limit);
    else
        WITH_TAPS(s, join_pixels, line, columns->stride * inner, tap, inner, count, scale, to,
                  segment->limit);
    if (has_border(job))
        correct_border(job, segment, to);
}

/* All lines first: a load that takes from two stores waits until both are in L1. */
static void pool_segment(const void *context, const struct segment *segment)
{
    const struct job *job = context;
    const struct plan *plan = &job->plan;
    const struct slide *slide = &plan->columns;
    const long begin = segment->begin * slide->stride - slide->before;
    const long count = segment->end - segment->begin;
    const long columns = (count - 1) * slide->stride + (slide->taps - 1) * slide->dilation + 1;
    const long first_plane = segment->row / plan->p, first_y = segment->row % plan->p;
    long plane = first_plane, y = first_y;
    for (long i = 0; i < segment->rows; i++, y = y + 1 == plan->p ? plane++, 0 : y + 1)
        join_line(job, plane, first_row(plan, y), rows_inside(plan, first_row(plan, y)), begin,
                  columns, job->lines + i * plan->pitch);
    y = first_y;
    for (long i = 0; i < segment->rows; i++, y = y + 1 == plan->p ? 0 : y + 1)
        pool_row(job, segment, job->lines + i * plan->pitch, rows_inside(plan, first_row(plan, y)),
                 segment->to + i * count * plan->planes.inner);
}

#include "pool_pixels.h"

/* Whether windows are 3 x 3 at every pixel of planes that pool_threes() takes: rows of a vector at
 * least, and at most those that segments have whole. */
static bool are_threes(const struct plan *plan)
{
    const struct slide *slides[] = {&plan->rows, &plan->columns};
    bool are = VLEN > 1 && plan->planes.inner == 1;
    for (int i = 0; i < 2; i++)
        are = are && slides[i]->taps == 3 && slides[i]->stride == 1 && slides[i]->dilation == 1 &&
              slides[i]->before == 1 && slides[i]->after == 1;
    return are && plan->columns.in >= VLEN && plan->columns.in * REAL_BYTES <= IMAGE_SEGMENT_BYTES;
}

static void pool_segment_of_threes(const void *context, const struct segment *segment)
{
    const struct job *job = context;
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const bool border = has_border(job);
    struct threes threes = {.h = h,
                            .w = w,
                            .neutral = vec_all(MEAN ? 0 : -INFINITY),
                            .scale = {job->scales[r], job->scales[!border ? r
                                                                  : h > 1 ? 2
                                                                          : 1]},
                            .border = border ? (real)1.5 : 1};
    real *to = segment->to;
    for (long row = segment->row, next; row < segment->row + segment->rows; row = next) {
        const long plane = row / h;
        next = smaller(segment->row + segment->rows, (plane + 1) * h);
        threes.plane = job->input + plane * h * w;
        pool_threes(&threes, (struct part){row - plane * h, next - plane * h}, to);
        to += (next - row) * w;
    }
}

/* Whether the image is one window, of which each plane lies in a piece. */
static bool is_one_window(const struct plan *plan)
{
    return plan->planes.inner == 1 && plan->columns.before + plan->columns.after == 0 &&
           plan->rows.before + plan->rows.after == 0 && plan->rows.taps == plan->rows.in &&
           plan->columns.taps == plan->columns.in;
}

/* The join of `count` numbers, in chains that do not wait for its latency. */
static real join_plane(const real *p, long count)
{
    enum { CHAINS = 2 };
    const vec neutral = vec_all(MEAN ? 0 : -INFINITY);
    vec value[CHAINS] = {neutral, neutral};
    long i = 0;
    for (; i + CHAINS * VLEN <= count; i += CHAINS * VLEN) {
        __builtin_prefetch(p + i + IMAGE_AHEAD, 0, 2);
        UNROLL(CHAINS)
        for (int j = 0; j < CHAINS; j++)
            value[j] = join(value[j], vec_load(p + i + j * VLEN));
    }
    for (; i + VLEN <= count; i += VLEN)
        value[0] = join(value[0], vec_load(p + i));
    real all = vec_first(fold_lanes(join, join(value[0], value[1])));
    for (; i < count; i++)
        all = join_one(all, p[i]);
    return all;
}

static void pool_planes(const struct call *call, const real *input, long pixels)
{
    const struct part part = member_part(call->member, call->outputs, IMAGE_LINE);
    real *out = call->operand[0];
    for (long i = part.begin; i < part.end; i++)
        out[i] = join_plane(input + i * pixels, pixels) * (MEAN ? 1 / (real)pixels : 1);
}

body NAME(POOL);
void NAME(POOL)(const struct call *call)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    struct job job = {
        .shape = shape, .plan = plan_of(shape, REAL_BYTES), .input = call->operand[1]};
    const struct plan *plan = &job.plan;
    if (is_one_window(plan)) {
        pool_planes(call, job.input, h * w);
        return;
    }
    const long inputs = plan->planes.count * h * w * plan->planes.inner;
    job.input_end = job.input + inputs;
    const bool stream = rows_are_streamed(call, (double)(call->outputs + inputs));
    job.ahead = stream ? IMAGE_AHEAD : 0;
    real *buffer =
        (real *)call->workspace + call->member.index * (plan->buffer + plan->lines + plan->factors);
    job.lines = buffer + plan->buffer;
    job.factors = job.lines + plan->lines;
    job.scales = job.factors + plan->q - (plan->whole.end - plan->whole.begin);
    find_factors(&job);
    if (plan->pixels) {
        /* Long rows are asked for while they are joined, short ones with the row before. */
        const double due_bytes = (double)(stride * w * plan->planes.inner * REAL_BYTES);
        job.asks_for_rows = stream && due_bytes <= call->caches.l1_bytes / 2;
        if (job.asks_for_rows)
            job.ahead = 0;
        const struct part part = member_part(call->member, plan->planes.count * plan->p, 1);
        real *const to = (real *)call->operand[0] + part.begin * plan->q * plan->planes.inner;
        if (stream && (uintptr_t)to % sizeof(vec) == 0)
            pool_whole_rows(true, &job, part, to);
        else
            pool_whole_rows(false, &job, part, to);
        return;
    }
    const struct rows rows = {.out = call->operand[0],
                              .count = plan->planes.count * plan->p,
                              .columns = plan->q,
                              .inner = plan->planes.inner,
                              .stream = stream,
                              .buffer = buffer};
    rows_write(call, &rows, are_threes(plan) ? pool_segment_of_threes : pool_segment, &job);
}

#endif
