// product.h - the matrix product that gemm and convolutions share: packed panels, a register tile,
// blocks that fit the caches.
//
// C (rows x columns) = A (rows x depth) * B (depth x columns). A is packed into panels of TILE_ROWS
// rows, B into panels of TILE_COLUMNS columns, both with the depth outermost, so that the inner
// loop reads two streams; where packing would cost more than it saves, they are read in place. The
// scheme is the one of Goto and van de Geijn 2008, doi:10.1145/1356052.1356053.
#ifndef ROOFLINE_PRODUCT_H
#define ROOFLINE_PRODUCT_H

#include "epilogue.h"
#include "kernel.h"
#include "lengths.h"
#include "product_tile.h"

/* Tiles of A that are few: so many at most read a B in place rather than have it packed. */
enum { TILES_FEW = 16 };

/* Steps of depth per block, at most: reading and writing C once per block, and what a tile costs
 * beside its products, is little then. L1 need not hold a panel of B: of its lines a step takes
 * three at most from L2. */
enum { DEPTH_MOST = 384 };

#ifdef ISA

#include "fetch.h"
#include "product_pack.h"
#include "steps_apply.h"
#include "sweep.h"
#include "vec.h"

/* A as the tiles read it: packed panels, or in place. */
struct left {
    const real *at;
    long pitch; /* elements from row to row; 0: packed */
    long tile;  /* from tile to tile */
    long lower; /* so many tiles of a row less come first */
};

/* By pack_rows() where `lower` are lower_tiles(), else in panels that are full but for the last. */
static inline struct left left_packed(const real *packed, long depth, long lower)
{
    return (struct left){packed, 0, TILE_ROWS * depth, lower};
}

static inline struct left left_in_place(const real *a, long pitch, long rows)
{
    return (struct left){a, pitch, TILE_ROWS * pitch, lower_tiles(rows)};
}

/* B as the tiles read it: packed panels, or in place. Where a row does not end with a vector the
 * last panel of the latter is packed, because its vectors would read past the end. */
struct right {
    const real *at;
    long step;        /* elements from row to row; 0: packed */
    const real *last; /* NULL: B is packed or ends with a vector */
    const real *then; /* where what is multiplied next begins, in place as well; NULL: unknown */
};

static inline struct right right_packed(const real *packed)
{
    return (struct right){packed, 0, NULL, NULL};
}

static inline struct right right_in_place(const real *b, long pitch, const real *last)
{
    return (struct right){b, pitch, last, NULL};
}

/* What becomes of the products: C = alpha * products + beta * C, where beta 0 does not read it, and
 * then the steps, where there are any. */
struct finish {
    real alpha, beta;
    const struct step *steps;
    const real *addend; /* steps_addend(), filled in by multiply() */
};

/* The place of C that a tile computes, which may end within it; where it stands in the output. */
struct target {
    real *c;
    long pitch, rows, columns;
    struct step_place place;
};

/* What lies behind the first `rows` and `columns`. */
static inline struct target target_from(struct target target, long rows, long columns)
{
    const long distance = rows * target.pitch + columns;
    target.c += distance;
    target.rows -= rows;
    target.columns -= columns;
    target.place.row += rows;
    target.place.column += columns;
    target.place.element += distance;
    return target;
}

/* The steps, of all that is there. */
static inline void finish_steps(struct target target, struct finish finish)
{
    if (finish.steps)
        NAME(epilogue_apply)
    (finish.steps,
     (struct epilogue_block){target.c, target.pitch, target.rows, target.columns, target.place});
}

/* One step of depth; its elements of A are row[0][at], row[1][at] ... */
ALWAYS_INLINE void multiply_step(const int rows, const int vectors, const real *const *row, long at,
                                 const real *b, vec sum[TILE_ROWS][TILE_VECTORS])
{
    vec column[TILE_VECTORS];
    UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++) {
        column[j] = vec_load(b + j * VLEN);
        PIN(column[j]); /* else GCC folds the load into every use */
    }
    UNROLL(TILE_ROWS)
    for (int i = 0; i < rows; i++) {
        vec factor = vec_all(row[i][at]);
        UNROLL(TILE_VECTORS)
        for (int j = 0; j < vectors; j++)
            if (vectors > 1)
                vec_add_product(&sum[i][j], factor, column[j]);
            else /* with the load in it */
                sum[i][j] += factor * column[j];
    }
}

static inline void finish_one(real *c, real sum, struct finish finish)
{
    *c = finish.beta == 0 ? finish.alpha * sum : finish.alpha * sum + finish.beta * *c;
}

/* Where a tile is not whole: by way of a buffer. */
static void finish_edge(const real *edge, const struct target *target, struct finish finish)
{
    const vec alpha = vec_all(finish.alpha), beta = vec_all(finish.beta);
    for (long i = 0; i < target->rows; i++) {
        const real *from = edge + i * TILE_COLUMNS;
        real *c = target->c + i * target->pitch;
        long j = 0;
        for (; j + VLEN <= target->columns; j += VLEN) {
            vec sum = alpha * vec_load(from + j);
            if (finish.beta != 0)
                sum += beta * vec_load(c + j);
            vec_store(c + j, sum);
        }
        for (; j < target->columns; j++)
            finish_one(&c[j], from[j], finish);
    }
}

/* A tile that is not whole. */
static void finish_part(const real *edge, struct target target, struct finish finish)
{
    finish_edge(edge, &target, finish);
    finish_steps(target, finish);
}

ALWAYS_INLINE void finish_tile(const int rows, const int vectors, const struct target *target,
                               struct finish finish, vec sum[TILE_ROWS][TILE_VECTORS])
{
    if (target->rows < rows || target->columns < vectors * VLEN) {
        real edge[TILE_ROWS * TILE_COLUMNS];
        UNROLL(TILE_ROWS)
        for (int i = 0; i < rows; i++)
            UNROLL(TILE_VECTORS)
        for (int j = 0; j < vectors; j++)
            vec_store(edge + i * TILE_COLUMNS + j * VLEN, sum[i][j]);
        struct target part = *target;
        part.rows = smaller(part.rows, rows);
        part.columns = smaller(part.columns, vectors * VLEN);
        finish_part(edge, part, finish);
        return;
    }
    const vec alpha = vec_all(finish.alpha), beta = vec_all(finish.beta);
    const long pitch = target->pitch;
    if (finish.alpha != 1)
        UNROLL(TILE_ROWS)
    for (int i = 0; i < rows; i++)
        UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++)
        sum[i][j] *= alpha;
    real *c = target->c;
    if (finish.beta != 0)
        UNROLL(TILE_ROWS)
    for (int i = 0; i < rows; i++, c += pitch)
        UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++)
        sum[i][j] += beta * vec_load(c + j * VLEN);
    if (finish.steps)
        finish.steps = steps_apply_tile(finish.steps, sum[0], rows, vectors, TILE_VECTORS,
                                        target->place, pitch, VLEN);
    c = target->c;
    UNROLL(TILE_ROWS)
    for (int i = 0; i < rows; i++, c += pitch)
        UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++)
        vec_store(c + j * VLEN, sum[i][j]);
    if (!finish.steps || finish.steps->kind == STEP_END)
        return;
    struct target part = *target;
    part.rows = rows;
    part.columns = vectors * VLEN;
    finish_steps(part, finish);
}

/* What is asked for while products are summed, and how many lines of it with each row of a tile. */
struct ahead {
    struct fetch fetch;
    long lines;
};
enum { AHEADS = 2 };

/* Steps of depth that a tile does at a time: of 12 FMAs each, the loop's own instructions would be
 * one of six; of 24 they matter less. */
enum { STEPS = VEC_REGISTERS >= 32 ? 2 : 4 };

/* What a tile that reads B in place asks for into L2 of the next panel: so many lines each of so
 * many rows, none or up to STEPS, once in so many steps of its own. */
struct some_lines {
    const char *at;
    long lines, rows, steps;
};

/* What a row of a tile has of the addend. What leads there is read anew for each row: general
 * registers are few, and GCC would have the loop of products hold it. */
ALWAYS_INLINE void ask_for_addend(const struct target *target, const struct finish *finish,
                                  long row, long columns)
{
    __asm__ volatile("" : "+r"(target), "+r"(finish));
    const real *const at = finish->addend + target->place.element + row * target->pitch;
    for (long j = 0; j < columns; j += LINE)
        __builtin_prefetch(at + j);
}

/* The next rows of the next panel. */
ALWAYS_INLINE void ask_for_some(long columns, long pitch, struct some_lines *some)
{
    for (long row = 0; row < some->rows; row++, some->at += pitch * REAL_BYTES) {
        __builtin_prefetch(some->at, 0, 2);
        if (some->lines > 1)
            UNROLL(TILE_VECTORS)
        for (long j = LINE; j < columns; j += LINE)
            __builtin_prefetch(some->at + j * REAL_BYTES, 0, 2);
    }
}

/* One tile of `rows` x `vectors`, constants where this is inlined, as are whether A and B are
 * packed, so that steps and lines are constants where they may be: general registers are few. */
ALWAYS_INLINE void multiply_tile(const int rows, const int vectors, const bool a_packed,
                                 const bool b_packed, long depth, struct left a, const real *b,
                                 long b_step, const struct target *target, struct finish finish,
                                 struct ahead *ahead, struct some_lines some)
{
    const long a_step = a_packed ? TILE_ROWS : 1, width = b_packed ? vectors * VLEN : b_step;
    vec sum[TILE_ROWS][TILE_VECTORS];
    const real *row[TILE_ROWS];
    UNROLL(TILE_ROWS)
    for (int i = 0; i < rows; i++) {
        /* A row that is missing is read as the last one. */
        row[i] = a_packed ? a.at + i : a.at + smaller(i, target->rows - 1) * a.pitch;
        UNROLL(TILE_VECTORS)
        for (int j = 0; j < vectors; j++)
            sum[i][j] = vec_all(0);
    }
    /* C and what is asked for ahead come from memory while the products run, some lines at a time:
     * all at once would take every line fill buffer, and the loads of A and B would wait behind
     * them. Where that leaves few steps for each, the loops would cost more than that. */
    const bool is_short = depth < 12 * rows;
    long wait = 0;
    for (long i = 0, k = 0; i < rows; i++) {
        if (i < target->rows) {
            for (long j = 0; j < vectors * VLEN; j += LINE)
                __builtin_prefetch(target->c + i * target->pitch + j, 1);
            if (finish.addend)
                ask_for_addend(target, &finish, i, vectors * VLEN);
        }
        for (int j = 0; j < AHEADS && ahead; j++)
            fetch_more(&ahead[j].fetch, ahead[j].lines);
        if (i < rows - 1 && is_short)
            continue;
        const long end = i < rows - 1 ? k + depth / rows / STEPS * STEPS : depth;
        for (; k + STEPS <= end; k += STEPS) {
            if (!b_packed && some.rows > 0 && (wait -= STEPS) < 0) {
                ask_for_some(vectors * VLEN, width, &some);
                wait += some.steps;
            }
            UNROLL(STEPS)
            for (long step = k; step < k + STEPS; step++)
                multiply_step(rows, vectors, row, step * a_step, b + step * width, sum);
        }
        for (; k < end; k++)
            multiply_step(rows, vectors, row, k * a_step, b + k * width, sum);
    }
    finish_tile(rows, vectors, target, finish, sum);
}

/* Tiles of a product of so many rows and columns. */
static inline long tiles_of(long rows, long columns)
{
    return (rows + TILE_ROWS - 1) / TILE_ROWS * ((columns + TILE_COLUMNS - 1) / TILE_COLUMNS);
}

/* What the tile with that index asks for of the panel that follows. Lines from afar take long, and
 * those that wait for one are few: the more tiles there are, the more steps a tile does for each
 * line; where there are fewer than lines the first one asks for all. */
static inline struct some_lines next_lines(const real *next, long width, long pitch, long depth,
                                           long tiles, long index)
{
    const long lines = ceil_divide(width, LINE);
    if (tiles < lines)
        return (struct some_lines){(const char *)next, lines, next && index == 0 ? STEPS : 0,
                                   STEPS};
    /* Steps for a line, and so many tiles for those of all rows. */
    const long share = tiles / lines;
    const long steps = share < STEPS ? STEPS / ceil_divide(STEPS, share) : share;
    const long line = index / steps;
    next += index % steps * depth / steps * pitch;
    return (struct some_lines){(const char *)next + line * SWEEP_LINE_BYTES, 1,
                               next && line < lines ? greater(STEPS / steps, 1) : 0,
                               greater(steps, STEPS)};
}

/* All tiles of A against one panel of B, a function for each width. A last tile of at most half the
 * rows takes half a tile. `next`: the panel that follows in a B in place, or NULL. */
#define MULTIPLY_PANEL(name, vectors, a_packed, b_packed)                                          \
    __attribute__((noinline)) static void name##_##vectors(                                        \
        long depth, struct left a, const real *b, long step, struct target target,                 \
        struct finish finish, struct ahead *ahead, const real *next)                               \
    {                                                                                              \
        const long tiles = a.lower + tiles_of(target.rows, 1);                                     \
        long i = a.lower;                                                                          \
        for (; target.rows > TILE_ROWS / 2; target = target_from(target, TILE_ROWS, 0)) {          \
            multiply_tile(TILE_ROWS, vectors, a_packed, b_packed, depth, a, b, step, &target,      \
                          finish, ahead,                                                           \
                          next_lines(next, (vectors)*VLEN, step, depth, tiles, i++));              \
            a.at += a.tile;                                                                        \
        }                                                                                          \
        if (target.rows > 0)                                                                       \
            multiply_tile(TILE_ROWS / 2, vectors, a_packed, b_packed, depth, a, b, step, &target,  \
                          finish, ahead, next_lines(next, (vectors)*VLEN, step, depth, tiles, i)); \
    }                                                                                              \
    /* The lower ones: in a function of their own, as registers are few. */                        \
    __attribute__((noinline)) static void name##_lower_##vectors(                                  \
        long depth, struct left a, const real *b, long step, struct target target,                 \
        struct finish finish, struct ahead *ahead, const real *next)                               \
    {                                                                                              \
        const long tiles = tiles_of(target.rows, 1);                                               \
        for (long i = 0; i < a.lower; target = target_from(target, TILE_ROWS - 1, 0)) {            \
            multiply_tile(TILE_ROWS - 1, vectors, a_packed, b_packed, depth, a, b, step, &target,  \
                          finish, ahead,                                                           \
                          next_lines(next, (vectors)*VLEN, step, depth, tiles, i++));              \
            a.at += a_packed ? a.tile : (TILE_ROWS - 1) * a.pitch;                                 \
        }                                                                                          \
    }
#define MULTIPLY_PANELS(vectors)                                                                   \
    MULTIPLY_PANEL(multiply_packed, vectors, true, true)                                           \
    MULTIPLY_PANEL(multiply_b_in_place, vectors, true, false)                                      \
    MULTIPLY_PANEL(multiply_in_place, vectors, false, false)
MULTIPLY_PANELS(1)
MULTIPLY_PANELS(2)
#if TILE_VECTORS_OF(VEC_REGISTERS) == 3
MULTIPLY_PANELS(3)
#define EACH_WIDTH(name)                                                                           \
    {                                                                                              \
        name##_1, name##_2, name##_3                                                               \
    }
#else
#define EACH_WIDTH(name)                                                                           \
    {                                                                                              \
        name##_1, name##_2                                                                         \
    }
#endif

typedef void panel_function(long depth, struct left a, const real *b, long step,
                            struct target target, struct finish finish, struct ahead *ahead,
                            const real *next);

/* Columns of the panel of a B in place that begins before `columns` more. Four vectors make two
 * panels of two rather than one of three and one of one, which would wait for the loads of A. */
static inline long in_place_width(long columns)
{
    const long vectors = (columns + VLEN - 1) / VLEN;
    if (vectors == TILE_VECTORS + 1 && TILE_VECTORS > 2)
        return (TILE_VECTORS - 1) * VLEN;
    return smaller(vectors, TILE_VECTORS) * VLEN;
}

/* Where the last panel of a B in place begins. */
static inline long in_place_last(long columns)
{
    long last = 0;
    while (columns - last > in_place_width(columns - last))
        last += in_place_width(columns - last);
    return last;
}

/* C = alpha * A * B + beta * C, and the steps; meanwhile what is `ahead`, AHEADS blocks, is fetched
 * into L2; NULL: nothing. Of a B in place the next panel is, behind the last whole one b.then. */
static void multiply(long depth, struct left a, struct right b, struct target target,
                     struct finish finish, struct ahead *ahead)
{
    static panel_function *const functions[][TILE_VECTORS] = {EACH_WIDTH(multiply_in_place),
                                                              EACH_WIDTH(multiply_b_in_place),
                                                              EACH_WIDTH(multiply_packed)};
    static panel_function *const lower[][TILE_VECTORS] = {EACH_WIDTH(multiply_in_place_lower),
                                                          EACH_WIDTH(multiply_b_in_place_lower),
                                                          EACH_WIDTH(multiply_packed_lower)};
    const long lower_rows = a.lower * (TILE_ROWS - 1);
    struct left rest_of_a = a;
    rest_of_a.at += a.pitch ? lower_rows * a.pitch : a.lower * a.tile;
    const long columns = target.columns;
    finish.addend = steps_addend(finish.steps);
    for (long j = 0, width; j < columns; j += width) {
        width = b.step ? in_place_width(columns - j) : panel_width(columns, j);
        const bool last = b.last && columns - j < width;
        const long step = b.step && !last ? b.step : width;
        const int kind = a.pitch ? 0 : step == width ? 2 : 1;
        const long rest = columns - j - width;
        const bool next_in_place = b.step && rest > 0 && !(b.last && rest < in_place_width(rest));
        const real *const at = last ? b.last : b.at + j * (b.step ? 1 : depth);
        const real *next = next_in_place ? b.at + j + width : rest > 0 || last ? NULL : b.then;
        const struct target panel = target_from(target, 0, j);
        if (a.lower > 0)
            lower[kind][width / VLEN - 1](depth, a, at, step, panel, finish, ahead, next);
        if (target.rows > lower_rows)
            functions[kind][width / VLEN - 1](
                depth, rest_of_a, at, step, target_from(panel, lower_rows, 0), finish, ahead, next);
    }
}

#endif
#endif
