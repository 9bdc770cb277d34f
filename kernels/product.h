// product.h - the matrix product that gemm and conv2d share: packed panels, a register tile, blocks
// that fit the caches.
//
// C (rows x columns) = A (rows x depth) * B (depth x columns). A is packed into panels of TILE_ROWS
// rows, B into panels of TILE_COLUMNS columns, both with the depth outermost, so that the inner
// loop reads two streams. The scheme is the one of Goto and van de Geijn 2008,
// doi:10.1145/1356052.1356053.
#ifndef ROOFLINE_PRODUCT_H
#define ROOFLINE_PRODUCT_H

#include "kernel.h"

/* Accumulators of the register tile: rows x vectors of them. They must be more than latency x pipes
 * (4 x 2 on current cores, so 8), leave registers for the vectors of B and one broadcast of A, and
 * need few loads per FMA: 6 x 2 + 2 + 1 of 16, 8 x 3 + 3 + 1 of 32. */
#define TILE_ROWS_OF(registers) ((registers) >= 32 ? 8 : 6)
#define TILE_VECTORS_OF(registers) ((registers) >= 32 ? 3 : 2)

/* Rows and columns of the register tile. */
struct tile {
    long rows, columns;
};

struct blocks {
    long rows, columns, depth; /* multiples of the tile, but for the depth */
};

static inline long round_up(long value, long multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

/* `total` in equal blocks of at most `largest`: a thin last block would waste the packing. */
static inline long equal_block(long total, double largest, long multiple)
{
    if ((double)total <= largest)
        return round_up(total, multiple);
    long limit = largest < (double)multiple ? multiple : (long)largest / multiple * multiple;
    long count = (total + limit - 1) / limit;
    return round_up((total + count - 1) / count, multiple);
}

/* Steps of depth per block: so many that reading and writing C once per block is little beside the
 * products, so few that a panel of B is about as large as L1. */
enum { BLOCK_DEPTH = 256 };

/* Blocks of A and B that take at most so many bytes each. */
static inline struct blocks blocks_of(struct tile tile, long rows, long columns, long depth,
                                      int element_bytes, double a_bytes, double b_bytes)
{
    struct blocks blocks;
    blocks.depth = equal_block(depth, BLOCK_DEPTH, 8);
    double line_bytes = (double)(blocks.depth * element_bytes); /* a row of A, a column of B */
    blocks.rows = equal_block(rows, a_bytes / line_bytes, tile.rows);
    blocks.columns = equal_block(columns, b_bytes / line_bytes, tile.columns);
    return blocks;
}

#ifndef ISA

/* The register tile of an ISA, for code outside its objects. */
static inline struct tile tile_of(enum isa isa, enum dtype dtype)
{
    static const int registers[ISA_COUNT] = {
#define X(name, vector_bytes, count) count,
        ISA_LIST(X)
#undef X
    };
    long lanes = isa_vector_bytes(isa, dtype) / dtype_bytes(dtype);
    return (struct tile){TILE_ROWS_OF(registers[isa]), TILE_VECTORS_OF(registers[isa]) * lanes};
}

#else

#include <stdbool.h>

#include "vec.h"

enum {
    TILE_ROWS = TILE_ROWS_OF(VEC_REGISTERS),
    TILE_VECTORS = TILE_VECTORS_OF(VEC_REGISTERS),
    TILE_COLUMNS = TILE_VECTORS * VLEN
};
static const struct tile tile = {TILE_ROWS, TILE_COLUMNS};

static inline long smaller(long a, long b)
{
    return a < b ? a : b;
}

/* Columns of the panel that starts at `column`, filled up to whole vectors. */
static inline long panel_width(long columns, long column)
{
    return smaller(round_up(columns - column, VLEN), TILE_COLUMNS);
}

#if VLEN > 1
/* Elements of 16 bytes, the vector that every ISA with vectors has. */
#define QUAD (16 / REAL_BYTES)
typedef real quad __attribute__((vector_size(16), aligned(REAL_BYTES), may_alias));
typedef real pair __attribute__((vector_size(2 * REAL_BYTES), aligned(REAL_BYTES), may_alias));

/* QUAD steps of depth of TILE_ROWS rows, two rows at a time: an element of each row goes into one
 * store, as single ones would take longer than their loads. */
ALWAYS_INLINE void pack_quad(const real *a, long pitch, real *packed)
{
    UNROLL(TILE_ROWS)
    for (long i = 0; i < TILE_ROWS; i += 2) {
        quad x = *(const quad *)(a + i * pitch), y = *(const quad *)(a + (i + 1) * pitch);
        *(pair *)(packed + i) = __builtin_shufflevector(x, y, 0, QUAD);
        *(pair *)(packed + TILE_ROWS + i) = __builtin_shufflevector(x, y, 1, QUAD + 1);
#if QUAD == 4
        *(pair *)(packed + 2 * TILE_ROWS + i) = __builtin_shufflevector(x, y, 2, QUAD + 2);
        *(pair *)(packed + 3 * TILE_ROWS + i) = __builtin_shufflevector(x, y, 3, QUAD + 3);
#endif
    }
}
#else
#define QUAD 1
ALWAYS_INLINE void pack_quad(const real *a, long pitch, real *packed)
{
    UNROLL(TILE_ROWS)
    for (long i = 0; i < TILE_ROWS; i++)
        packed[i] = a[i * pitch];
}
#endif

/* Rows x depth of a row-major A into panels; missing rows of the last one are 0. */
static void pack_rows(const real *a, long pitch, long rows, long depth, real *packed)
{
    for (; rows >= TILE_ROWS; rows -= TILE_ROWS, a += TILE_ROWS * pitch) {
        long k = 0;
        for (; k + QUAD <= depth; k += QUAD, packed += QUAD * TILE_ROWS)
            pack_quad(a + k, pitch, packed);
        for (; k < depth; k++, packed += TILE_ROWS)
            for (long i = 0; i < TILE_ROWS; i++)
                packed[i] = a[i * pitch + k];
    }
    if (rows > 0)
        for (long k = 0; k < depth; k++, packed += TILE_ROWS)
            for (long i = 0; i < TILE_ROWS; i++)
                packed[i] = i < rows ? a[i * pitch + k] : 0;
}

/* One step of depth. */
ALWAYS_INLINE void multiply_step(const int vectors, const real *a, const real *b,
                                 vec sum[TILE_ROWS][TILE_VECTORS])
{
    vec column[TILE_VECTORS];
    UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++) {
        column[j] = vec_load(b + j * VLEN);
        PIN(column[j]); /* else GCC folds the load into every use */
    }
    UNROLL(TILE_ROWS)
    for (int i = 0; i < TILE_ROWS; i++) {
        vec row = vec_all(a[i]);
        UNROLL(TILE_VECTORS)
        for (int j = 0; j < vectors; j++)
            sum[i][j] += row * column[j];
    }
}

/* One tile of C (+)= a panel of A * a panel of B that has `vectors` vectors, a constant where this
 * is inlined. */
ALWAYS_INLINE void multiply_tile(const int vectors, long depth, const real *a, const real *b,
                                 real *c, long pitch, long rows, long columns, bool accumulate)
{
    vec sum[TILE_ROWS][TILE_VECTORS];
    UNROLL(TILE_ROWS)
    for (int i = 0; i < TILE_ROWS; i++)
        UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++)
        sum[i][j] = vec_all(0);
    /* C comes from memory while the products run, a row at a time: all at once would take every
     * line fill buffer, and the loads of A and B would wait behind them. */
    for (long i = 0, k = 0; i < TILE_ROWS; i++) {
        if (i < rows)
            for (long j = 0; j < vectors * VLEN; j += 64 / REAL_BYTES)
                __builtin_prefetch(c + i * pitch + j, 1);
        for (const long end = depth * (i + 1) / TILE_ROWS; k < end; k++)
            multiply_step(vectors, a + k * TILE_ROWS, b + k * vectors * VLEN, sum);
    }
    real edge[TILE_ROWS * TILE_COLUMNS];
    bool whole = rows >= TILE_ROWS && columns >= vectors * VLEN;
    real *out = whole ? c : edge;
    long out_pitch = whole ? pitch : TILE_COLUMNS;
    UNROLL(TILE_ROWS)
    for (int i = 0; i < TILE_ROWS; i++)
        UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++) {
        real *p = out + i * out_pitch + j * VLEN;
        if (whole && accumulate)
            sum[i][j] += vec_load(p);
        vec_store(p, sum[i][j]);
    }
    if (!whole)
        for (long i = 0; i < smaller(rows, TILE_ROWS); i++)
            for (long j = 0; j < smaller(columns, vectors * VLEN); j++)
                c[i * pitch + j] = edge[i * TILE_COLUMNS + j] + (accumulate ? c[i * pitch + j] : 0);
}

/* All panels of A against one panel of B, a function for each width. */
#define MULTIPLY_PANEL(vectors)                                                                    \
    __attribute__((noinline)) static void multiply_panel_##vectors(                                \
        long depth, const real *a, const real *b, real *c, long pitch, long rows, long columns,    \
        bool accumulate)                                                                           \
    {                                                                                              \
        for (long i = 0; i < rows; i += TILE_ROWS)                                                 \
            multiply_tile(vectors, depth, a + i * depth, b, c + i * pitch, pitch, rows - i,        \
                          columns, accumulate);                                                    \
    }
MULTIPLY_PANEL(1)
MULTIPLY_PANEL(2)
#if TILE_VECTORS_OF(VEC_REGISTERS) == 3
MULTIPLY_PANEL(3)
#else
#define multiply_panel_3 multiply_panel_2
#endif

/* C (+)= packed A * packed B. */
static void multiply_packed(long rows, long columns, long depth, const real *a, const real *b,
                            real *c, long pitch, bool accumulate)
{
    for (long j = 0; j < columns; j += TILE_COLUMNS) {
        long width = panel_width(columns, j);
        (width == VLEN       ? multiply_panel_1
         : width == 2 * VLEN ? multiply_panel_2
                             : multiply_panel_3)(depth, a, b + j * depth, c + j, pitch, rows,
                                                 columns - j, accumulate);
    }
}

#endif
#endif
