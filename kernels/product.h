// product.h - the matrix product that gemm and convolutions share: packed panels, a register tile,
// blocks that fit the caches.
//
// C (rows x columns) = A (rows x depth) * B (depth x columns). A is packed into panels of TILE_ROWS
// rows, B into panels of TILE_COLUMNS columns, both with the depth outermost, so that the inner
// loop reads two streams, B by the first tile of A that reads it in place; where packing would cost
// more than it saves, they are read in place. The scheme is the one of Goto and van de Geijn 2008,
// doi:10.1145/1356052.1356053.
#ifndef ROOFLINE_PRODUCT_H
#define ROOFLINE_PRODUCT_H

#include "epilogue.h"
#include "kernel.h"
#include "lengths.h"
#include "product_tile.h"

/* Panels of B that are few: for more of them A is packed. Tiles of A that are: for more of them
 * panels of B may be kept, or packed before. */
enum { PANELS_FEW = 48, TILES_FEW = 16 };

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

/* From a lower tile of A to the next one. */
static inline long lower_tile(struct left a)
{
    return a.pitch ? (TILE_ROWS - 1) * a.pitch : a.tile;
}

/* B as the tiles read it: packed panels, or in place. Where a row does not end with a vector the
 * last panel of the latter is packed, because its vectors would read past the end. */
struct right {
    const real *at;
    long step;        /* elements from row to row; 0: packed */
    const real *last; /* NULL: B is packed or ends with a vector */
    bool asks;        /* of a B in place for each panel while the one before is multiplied, */
    const real *then; /* behind the last one for what comes next, in place as well, or NULL */
    /* Where the first tile packs a panel in place for the others while it reads it, or NULL: all of
     * them one after the other, as right_packed() has them, or each in the place of the one before.
     */
    real *panels;
    bool keep;
};

static inline struct right right_packed(const real *packed)
{
    return (struct right){.at = packed};
}

static inline struct right right_in_place(const real *b, long pitch, const real *last)
{
    return (struct right){.at = b, .step = pitch, .last = last, .asks = true};
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

/* One step of depth; its elements of A are row[0][at], row[1][at] ... That of B goes into `packed`
 * where that is not NULL. */
ALWAYS_INLINE void multiply_step(const int rows, const int vectors, const real *const *row, long at,
                                 const real *b, real *packed, vec sum[TILE_ROWS][WIDE_VECTORS])
{
    vec column[TILE_VECTORS];
    const int kept = vectors < TILE_VECTORS ? vectors : TILE_VECTORS;
    UNROLL(TILE_VECTORS)
    for (int j = 0; j < kept; j++) {
        column[j] = vec_load(b + j * VLEN);
        PIN(column[j]); /* else GCC folds the load into every use */
        if (packed)
            vec_store(packed + j * VLEN, column[j]);
    }
    UNROLL(TILE_ROWS)
    for (int i = 0; i < rows; i++) {
        vec factor = vec_all(row[i][at]);
        UNROLL(WIDE_VECTORS)
        for (int j = 0; j < vectors; j++)
            if (j >= kept)
                vec_add_product_of(&sum[i][j], factor, b + j * VLEN);
            else if (vectors > 1)
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
static void finish_edge(const real *edge, long width, const struct target *target,
                        struct finish finish)
{
    const vec alpha = vec_all(finish.alpha), beta = vec_all(finish.beta);
    for (long i = 0; i < target->rows; i++) {
        const real *from = edge + i * width;
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
static void finish_part(const real *edge, long width, struct target target, struct finish finish)
{
    finish_edge(edge, width, &target, finish);
    finish_steps(target, finish);
}

ALWAYS_INLINE void finish_tile(const int rows, const int vectors, const struct target *target,
                               struct finish finish, vec sum[TILE_ROWS][WIDE_VECTORS])
{
    if (target->rows < rows || target->columns < vectors * VLEN) {
        real edge[TILE_ROWS * WIDE_VECTORS * VLEN];
        UNROLL(TILE_ROWS)
        for (int i = 0; i < rows; i++)
            UNROLL(WIDE_VECTORS)
        for (int j = 0; j < vectors; j++)
            vec_store(edge + (i * vectors + j) * VLEN, sum[i][j]);
        struct target part = *target;
        part.rows = smaller(part.rows, rows);
        part.columns = smaller(part.columns, vectors * VLEN);
        finish_part(edge, vectors * VLEN, part, finish);
        return;
    }
    const vec alpha = vec_all(finish.alpha), beta = vec_all(finish.beta);
    const long pitch = target->pitch;
    if (finish.alpha != 1)
        UNROLL(TILE_ROWS)
    for (int i = 0; i < rows; i++)
        UNROLL(WIDE_VECTORS)
    for (int j = 0; j < vectors; j++)
        sum[i][j] *= alpha;
    real *c = target->c;
    if (finish.beta != 0)
        UNROLL(TILE_ROWS)
    for (int i = 0; i < rows; i++, c += pitch)
        UNROLL(WIDE_VECTORS)
    for (int j = 0; j < vectors; j++)
        sum[i][j] += beta * vec_load(c + j * VLEN);
    if (finish.steps)
        finish.steps = steps_apply_tile(finish.steps, sum[0], rows, vectors, WIDE_VECTORS,
                                        target->place, pitch, VLEN);
    c = target->c;
    UNROLL(TILE_ROWS)
    for (int i = 0; i < rows; i++, c += pitch)
        UNROLL(WIDE_VECTORS)
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
 * one of six. */
enum { STEPS = 4 };

/* What a tile asks for into L2 of the panel of B that follows in place: a line or all of them of so
 * many rows, none or up to STEPS, once in so many steps of its own. Then it is the next tile's
 * turn: `parts` of them share the rows, then the next line of each row comes. */
struct asking {
    const char *at;
    bool all_lines;
    long rows, steps, row_bytes;
    long parts, part, part_bytes, times;
};

/* A panel of B: `step` elements from row to row, `packed` where the first tile puts it or NULL, and
 * what its tiles ask for. */
struct panel {
    const real *at;
    long step;
    real *packed;
    struct asking ask;
};

/* Of a panel whose rows are `pitch` apart, NULL: nothing, by so many tiles. Lines from afar take
 * long, and those that wait for one are few: the more tiles there are, the more steps a tile does
 * for each line; where there are fewer than lines the first one asks for all. */
static inline struct asking asking_for(const real *next, long width, long pitch, long depth,
                                       long tiles)
{
    const long lines = ceil_divide(width, LINE), share = tiles / lines;
    struct asking ask = {.at = (const char *)next, .steps = STEPS, .row_bytes = pitch * REAL_BYTES};
    if (!next)
        return ask;
    ask.times = 1;
    ask.parts = 1;
    ask.all_lines = share == 0;
    ask.rows = STEPS;
    if (ask.all_lines)
        return ask;
    ask.parts = share < STEPS ? STEPS / ceil_divide(STEPS, share) : smaller(share, depth);
    ask.rows = greater(STEPS / ask.parts, 1);
    ask.steps = greater(ask.parts, STEPS);
    ask.part_bytes = ceil_divide(depth, ask.parts) * ask.row_bytes;
    ask.times = lines;
    return ask;
}

/* Of the next tile. */
static inline void ask_next(struct asking *ask)
{
    if (ask->rows == 0)
        return;
    ask->at += ask->part_bytes;
    if (++ask->part < ask->parts)
        return;
    ask->at += SWEEP_LINE_BYTES - ask->parts * ask->part_bytes;
    ask->part = 0;
    if (--ask->times == 0)
        ask->rows = 0;
}

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

/* The next rows, from `at` on; what follows them. */
ALWAYS_INLINE const char *ask_for_rows(const struct asking *ask, const char *at, long columns)
{
    for (long row = 0; row < ask->rows; row++, at += ask->row_bytes) {
        __builtin_prefetch(at, 0, 2);
        if (ask->all_lines)
            UNROLL(WIDE_VECTORS)
        for (long j = LINE; j < columns; j += LINE)
            __builtin_prefetch(at + j * REAL_BYTES, 0, 2);
    }
    return at;
}

/* How the tiles of a function read A and B: constants, so that steps and lines are constants where
 * they may be, as general registers are few. */
struct reading {
    bool a_packed, b_packed;
    bool packs; /* the panel of B, for the other tiles */
};

/* One tile of `rows` x `vectors`, constants where this is inlined, as is how it reads. */
ALWAYS_INLINE void multiply_tile(const int rows, const int vectors, const struct reading reading,
                                 long depth, struct left a, struct panel *b,
                                 const struct target *target, struct finish finish,
                                 struct ahead *ahead)
{
    const long a_step = reading.a_packed ? TILE_ROWS : 1;
    const long width = reading.b_packed ? vectors * VLEN : b->step;
    const real *const column = b->at;
    real *const packed = reading.packs ? b->packed : NULL;
    vec sum[TILE_ROWS][WIDE_VECTORS];
    const real *row[TILE_ROWS];
    UNROLL(TILE_ROWS)
    for (int i = 0; i < rows; i++) {
        /* A row that is missing is read as the last one. */
        row[i] = reading.a_packed ? a.at + i : a.at + smaller(i, target->rows - 1) * a.pitch;
        UNROLL(WIDE_VECTORS)
        for (int j = 0; j < vectors; j++)
            sum[i][j] = vec_all(0);
    }
    /* C and what is asked for ahead come from memory while the products run, some lines at a time:
     * all at once would take every line fill buffer, and the loads of A and B would wait behind
     * them. Where that leaves few steps for each, the loops would cost more than that. */
    const bool is_short = depth < 12 * rows;
    const char *next = b->ask.at;
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
            if (b->ask.rows > 0 && (wait -= STEPS) < 0) {
                next = ask_for_rows(&b->ask, next, vectors * VLEN);
                wait += b->ask.steps;
            }
            UNROLL(STEPS)
            for (int step = 0; step < STEPS; step++)
                multiply_step(rows, vectors, row, (k + step) * a_step, column + (k + step) * width,
                              packed ? packed + (k + step) * vectors * VLEN : NULL, sum);
        }
        for (; k < end; k++)
            multiply_step(rows, vectors, row, k * a_step, column + k * width,
                          packed ? packed + k * vectors * VLEN : NULL, sum);
    }
    ask_next(&b->ask);
    finish_tile(rows, vectors, target, finish, sum);
}

/* Tiles of a product of so many rows and columns. */
static inline long tiles_of(long rows, long columns)
{
    return (rows + TILE_ROWS - 1) / TILE_ROWS * ((columns + TILE_COLUMNS - 1) / TILE_COLUMNS);
}

typedef void panel_function(long depth, struct left a, struct panel *b, struct target target,
                            struct finish finish, struct ahead *ahead);

/* All tiles of A against one panel of B, a function for each width. A last tile of at most half the
 * rows takes half a tile. The lower ones have a function of their own, as registers are few. */
#define MULTIPLY_PANEL(name, vectors, packed_a, packed_b)                                          \
    __attribute__((noinline)) static void name##_##vectors(                                        \
        long depth, struct left a, struct panel *b, struct target target, struct finish finish,    \
        struct ahead *ahead)                                                                       \
    {                                                                                              \
        const struct reading reading = {.a_packed = packed_a, .b_packed = packed_b};               \
        for (; target.rows > TILE_ROWS / 2; target = target_from(target, TILE_ROWS, 0)) {          \
            multiply_tile(TILE_ROWS, vectors, reading, depth, a, b, &target, finish, ahead);       \
            a.at += a.tile;                                                                        \
        }                                                                                          \
        if (target.rows > 0)                                                                       \
            multiply_tile(TILE_ROWS / 2, vectors, reading, depth, a, b, &target, finish, ahead);   \
    }                                                                                              \
    __attribute__((noinline)) static void name##_lower_##vectors(                                  \
        long depth, struct left a, struct panel *b, struct target target, struct finish finish,    \
        struct ahead *ahead)                                                                       \
    {                                                                                              \
        const struct reading reading = {.a_packed = packed_a, .b_packed = packed_b};               \
        for (long i = 0; i < a.lower; i++) {                                                       \
            multiply_tile(TILE_ROWS - 1, vectors, reading, depth, a, b, &target, finish, ahead);   \
            target = target_from(target, TILE_ROWS - 1, 0);                                        \
            a.at += lower_tile(a);                                                                 \
        }                                                                                          \
    }
/* The first tile, which packs the panel. */
#define MULTIPLY_FIRST(name, vectors, rows, packed_a)                                              \
    __attribute__((noinline)) static void name##_##vectors(                                        \
        long depth, struct left a, struct panel *b, struct target target, struct finish finish,    \
        struct ahead *ahead)                                                                       \
    {                                                                                              \
        const struct reading reading = {.a_packed = packed_a, .packs = true};                      \
        multiply_tile(rows, vectors, reading, depth, a, b, &target, finish, ahead);                \
    }
#define MULTIPLY_PANELS(vectors)                                                                   \
    MULTIPLY_PANEL(multiply_in_place, vectors, false, false)                                       \
    MULTIPLY_PANEL(multiply_a_in_place, vectors, false, true)                                      \
    MULTIPLY_PANEL(multiply_b_in_place, vectors, true, false)                                      \
    MULTIPLY_PANEL(multiply_packed, vectors, true, true)                                           \
    MULTIPLY_FIRST(pack_in_place, vectors, TILE_ROWS, false)                                       \
    MULTIPLY_FIRST(pack_in_place_lower, vectors, TILE_ROWS - 1, false)                             \
    MULTIPLY_FIRST(pack_b_in_place, vectors, TILE_ROWS, true)                                      \
    MULTIPLY_FIRST(pack_b_in_place_lower, vectors, TILE_ROWS - 1, true)
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

/* All tiles of an A in place against a wide last panel of B, which lies packed or in place. */
#if TILE_VECTORS_OF(VEC_REGISTERS) < 3
#define MULTIPLY_WIDE(name, packed_b)                                                              \
    __attribute__((noinline)) static void name(long depth, struct left a, struct panel *b,         \
                                               struct target target, struct finish finish,         \
                                               struct ahead *ahead)                                \
    {                                                                                              \
        const struct reading reading = {.b_packed = packed_b};                                     \
        for (; target.rows > WIDE_ROWS / 2; target = target_from(target, WIDE_ROWS, 0)) {          \
            multiply_tile(WIDE_ROWS, WIDE_VECTORS, reading, depth, a, b, &target, finish, ahead);  \
            a.at += WIDE_ROWS * a.pitch;                                                           \
        }                                                                                          \
        if (target.rows > 0)                                                                       \
            multiply_tile(WIDE_ROWS / 2, WIDE_VECTORS, reading, depth, a, b, &target, finish,      \
                          ahead);                                                                  \
    }
MULTIPLY_WIDE(multiply_wide_in_place, false)
MULTIPLY_WIDE(multiply_wide, true)
static panel_function *const wide_panel[2] = {multiply_wide_in_place, multiply_wide};
#else
static panel_function *const wide_panel[2];
#endif

/* Columns of the panel of a B in place that begins before `columns` more. Of a vector more than a
 * panel has the tiles would wait for the loads of A: where A is in place, too, two and one make one
 * panel of three; three and one make two of two. */
static inline long in_place_width(long columns, bool a_in_place)
{
    const long vectors = (columns + VLEN - 1) / VLEN;
    if (vectors == TILE_VECTORS + 1 && TILE_VECTORS > 2)
        return (TILE_VECTORS - 1) * VLEN;
    if (vectors == WIDE_VECTORS && WIDE_VECTORS > (int)TILE_VECTORS && a_in_place)
        return WIDE_VECTORS * VLEN;
    return smaller(vectors, TILE_VECTORS) * VLEN;
}

/* Where the last panel of a B in place begins. */
static inline long in_place_last(long columns, bool a_in_place)
{
    long last = 0;
    while (columns - last > in_place_width(columns - last, a_in_place))
        last += in_place_width(columns - last, a_in_place);
    return last;
}

/* All rows of C of a panel; the first tile packs it where it has a place for that. */
static void multiply_panel(long depth, struct left a, struct panel b, long vectors,
                           struct target target, struct finish finish, struct ahead *ahead)
{
    static panel_function *const functions[2][2][TILE_VECTORS] = {
        {EACH_WIDTH(multiply_in_place), EACH_WIDTH(multiply_a_in_place)},
        {EACH_WIDTH(multiply_b_in_place), EACH_WIDTH(multiply_packed)}};
    static panel_function *const lower[2][2][TILE_VECTORS] = {
        {EACH_WIDTH(multiply_in_place_lower), EACH_WIDTH(multiply_a_in_place_lower)},
        {EACH_WIDTH(multiply_b_in_place_lower), EACH_WIDTH(multiply_packed_lower)}};
    static panel_function *const first[2][2][TILE_VECTORS] = {
        {EACH_WIDTH(pack_in_place), EACH_WIDTH(pack_in_place_lower)},
        {EACH_WIDTH(pack_b_in_place), EACH_WIDTH(pack_b_in_place_lower)}};
    const bool a_packed = a.pitch == 0;
    if (vectors > TILE_VECTORS) {
        wide_panel[b.step == vectors * VLEN](depth, a, &b, target, finish, ahead);
        return;
    }
    if (b.packed) {
        const bool is_lower = a.lower > 0;
        first[a_packed][is_lower][vectors - 1](depth, a, &b, target, finish, ahead);
        target = target_from(target, is_lower ? TILE_ROWS - 1 : TILE_ROWS, 0);
        a.at += is_lower ? lower_tile(a) : a.tile;
        a.lower -= is_lower;
        b.at = b.packed;
        b.step = vectors * VLEN;
    }
    const bool b_packed = b.step == vectors * VLEN;
    if (a.lower > 0)
        lower[a_packed][b_packed][vectors - 1](depth, a, &b, target, finish, ahead);
    a.at += a.lower * lower_tile(a);
    target = target_from(target, a.lower * (TILE_ROWS - 1), 0);
    if (target.rows > 0)
        functions[a_packed][b_packed][vectors - 1](depth, a, &b, target, finish, ahead);
}

/* From so many tiles on the first one packs its panel for the others: what it stores is little of
 * what these save, as the rows of a B in place may all want the same few lines of L1. */
enum { TILES_TO_PACK = 4 };

/* Columns of the panel of B that begins before `columns` more. */
static inline long next_width(const struct right *b, bool a_in_place, long columns)
{
    return b->step && !b->keep ? in_place_width(columns, a_in_place) : panel_width(columns, 0);
}

/* The panel of `width` columns from `column` on, which so many tiles will read. */
static struct panel panel_of(struct right b, bool a_in_place, long depth, long columns, long column,
                             long width, long tiles)
{
    const long rest = columns - column - width; /* behind it */
    const bool is_last = b.last && rest < 0;
    struct panel panel = {.at = b.at + column * depth, .step = width};
    const real *next = NULL;
    if (is_last)
        panel.at = b.last;
    else if (b.step) {
        panel.at = b.at + column;
        panel.step = b.step;
        if (b.panels && (b.keep || (b.step != width && width <= TILE_COLUMNS)))
            panel.packed = b.panels + (b.keep ? column * depth : 0);
        if (rest == 0)
            next = b.then;
        else if (b.asks && !(b.last && rest < next_width(&b, a_in_place, rest)))
            next = b.at + column + width;
    }
    const long asked = rest > 0 ? next_width(&b, a_in_place, rest) : width;
    panel.ask = asking_for(next, asked, b.step, depth, tiles);
    return panel;
}

/* C = alpha * A * B + beta * C, and the steps; meanwhile what is `ahead`, AHEADS blocks, is fetched
 * into L2; NULL: nothing. */
static void multiply(long depth, struct left a, struct right b, struct target target,
                     struct finish finish, struct ahead *ahead)
{
    const long columns = target.columns;
    const long tiles = a.lower + tiles_of(target.rows - a.lower * (TILE_ROWS - 1), 1);
    if (!b.keep && tiles < TILES_TO_PACK)
        b.panels = NULL;
    const bool a_in_place = a.pitch > 0;
    finish.addend = steps_addend(finish.steps);
    for (long j = 0, width; j < columns; j += width) {
        width = next_width(&b, a_in_place, columns - j);
        multiply_panel(depth, a, panel_of(b, a_in_place, depth, columns, j, width, tiles),
                       width / VLEN, target_from(target, 0, j), finish, ahead);
    }
}

#endif
#endif
