// product_pack.h - operands of a matrix product into panels: lines of A or columns of B, a step of
// depth after the other.
#ifndef ROOFLINE_PRODUCT_PACK_H
#define ROOFLINE_PRODUCT_PACK_H

#include "lengths.h"
#include "product_tile.h"
#include "sweep.h"
#include "transposed.h"
#include "vec.h"

/* Columns of the panel that starts at `column`, filled up to whole vectors. */
static inline long panel_width(long columns, long column)
{
    return smaller(round_up(columns - column, VLEN), TILE_COLUMNS);
}

/* Element (i, k) of an operand: its i-th row of A or column of B at depth k. */
struct operand_at {
    const real *at;
    long line, step; /* at[i * line + k * step]; one of the two is 1 */
};

static inline struct operand_at operand_from(struct operand_at from, long line, long step)
{
    from.at += line * from.line + step * from.step;
    return from;
}

#if VLEN > 1
typedef real pair __attribute__((vector_size(2 * REAL_BYTES), aligned(REAL_BYTES), may_alias));

/* Steps of depth that are packed at once, of `lines` lines. */
#define STEPS_AT_ONCE(lines) ((lines)*2 == VLEN ? VLEN / 2 : QUARTER)

/* So many steps: a transposed block where vectors hold the lines, or half of one. Else two lines at
 * a time: an element of each goes into one store, as single ones would take longer than their
 * loads. */
ALWAYS_INLINE void pack_steps(const int lines, const real *from, long line, real *packed)
{
#if VEC_BYTES == 64 && REAL_BYTES == 4
    if (lines * 2 == VLEN) {
        transpose_halves(packed, from, line);
        return;
    }
#endif
    if (lines % VLEN == 0) {
        for (long i = 0; i < lines; i += VLEN)
            transpose_strip(packed + i, lines, from + i * line, line);
        return;
    }
    UNROLL(8)
    for (long i = 0; i < lines; i += 2) {
        quarter x = *(const quarter *)(from + i * line);
        quarter y = *(const quarter *)(from + (i + 1) * line);
        *(pair *)(packed + i) = __builtin_shufflevector(x, y, 0, QUARTER);
        *(pair *)(packed + lines + i) = __builtin_shufflevector(x, y, 1, QUARTER + 1);
#if REAL_BYTES == 4
        *(pair *)(packed + 2 * lines + i) = __builtin_shufflevector(x, y, 2, QUARTER + 2);
        *(pair *)(packed + 3 * lines + i) = __builtin_shufflevector(x, y, 3, QUARTER + 3);
#endif
    }
}
#else
#define STEPS_AT_ONCE(lines) 1
ALWAYS_INLINE void pack_steps(const int lines, const real *from, long line, real *packed)
{
    for (long i = 0; i < lines; i++)
        packed[i] = from[i * line];
}
#endif

/* One panel of `lines` lines, a constant where this is inlined, of which `present` are there; the
 * missing ones are 0. */
ALWAYS_INLINE void pack_panel(const int lines, struct operand_at from, long present, long depth,
                              real *packed)
{
    long k = 0;
    if (present >= lines && from.step == 1 && lines % 2 == 0)
        for (; k + STEPS_AT_ONCE(lines) <= depth;
             k += STEPS_AT_ONCE(lines), packed += STEPS_AT_ONCE(lines) * lines)
            pack_steps(lines, from.at + k, from.line, packed);
    else if (present >= lines && from.line == 1 && lines % VLEN == 0)
        for (; k < depth; k++, packed += lines)
            UNROLL(TILE_VECTORS)
    for (long v = 0; v < lines; v += VLEN)
        vec_store(packed + v, vec_load(from.at + k * from.step + v));
    for (; k < depth; k++, packed += lines)
        for (long i = 0; i < lines; i++)
            packed[i] = i < present ? from.at[i * from.line + k * from.step] : 0;
}

/* How many tiles of A have one row less, so that all are whole; 0 where that takes more tiles: 49
 * rows are seven tiles of 7. */
static inline long lower_tiles(long rows)
{
    const long tiles = ceil_divide(rows, TILE_ROWS), missing = tiles * TILE_ROWS - rows;
    return missing <= tiles ? missing : 0;
}

/* Rows x depth of A into panels; the lower ones come first. */
static inline void pack_rows(struct operand_at a, long rows, long depth, real *packed)
{
    for (long lower = lower_tiles(rows); rows > 0; lower--, packed += TILE_ROWS * depth) {
        const long own = lower > 0 ? TILE_ROWS - 1 : smaller(rows, TILE_ROWS);
        pack_panel(TILE_ROWS, a, own, depth, packed);
        a = operand_from(a, own, 0);
        rows -= own;
    }
}

/* Some columns of a row of B, filled up to whole vectors with 0; returns what is behind them. */
static inline real *pack_row(const real *b, long columns, real *to)
{
    for (long j = 0; j < columns; j += VLEN, to += VLEN)
        vec_store(to, columns - j >= VLEN ? vec_load(b + j) : vec_load_first(b + j, columns - j));
    return to;
}

/* Depth x columns of a row-major B into panels, row by row: memory is read in its order, the next
 * row ahead of time, for a prefetcher would begin anew in each. */
static inline void pack_columns_in_order(const real *b, long pitch, long columns, long depth,
                                         real *packed)
{
    const long whole = columns / TILE_COLUMNS * TILE_COLUMNS, width = panel_width(columns, whole);
    for (long k = 0; k < depth; k++, b += pitch) {
        real *to = packed + k * TILE_COLUMNS;
        for (long j = 0; j < whole; j += TILE_COLUMNS, to += depth * TILE_COLUMNS)
            UNROLL(TILE_VECTORS)
        for (long v = 0; v < TILE_COLUMNS; v += VLEN) {
            if (v * REAL_BYTES % SWEEP_LINE_BYTES == 0)
                __builtin_prefetch(b + pitch + j + v);
            vec_store(to + v, vec_load(b + j + v));
        }
        pack_row(b + whole, columns - whole, packed + whole * depth + k * width);
    }
}

/* Depth x columns of a row-major B into one panel, which may be a wide one. */
static inline void pack_last(const real *b, long pitch, long columns, long depth, real *packed)
{
    for (long k = 0; k < depth; k++, b += pitch)
        packed = pack_row(b, columns, packed);
}

/* Depth x columns of B into panels; the last one has as many vectors as it needs, filled up with 0.
 */
static inline void pack_columns(struct operand_at b, long columns, long depth, real *packed)
{
    if (b.line == 1) {
        pack_columns_in_order(b.at, b.step, columns, depth, packed);
        return;
    }
    for (; columns >= TILE_COLUMNS; columns -= TILE_COLUMNS, packed += TILE_COLUMNS * depth) {
        pack_panel(TILE_COLUMNS, b, columns, depth, packed);
        b = operand_from(b, TILE_COLUMNS, 0);
    }
    const long width = round_up(columns, VLEN);
    for (long k = 0; k < depth; k++, packed += width)
        for (long j = 0; j < width; j++)
            packed[j] = j < columns ? b.at[j * b.line + k * b.step] : 0;
}

#endif
