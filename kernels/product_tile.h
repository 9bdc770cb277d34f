// product_tile.h - the register tile of the matrix product: how many sums it has, by ISA.
#ifndef ROOFLINE_PRODUCT_TILE_H
#define ROOFLINE_PRODUCT_TILE_H

#include "kernel.h"

/* Accumulators of the register tile: rows x vectors of them. They must be more than latency x pipes
 * (4 x 2 on current cores, so 8), leave registers for the vectors of B and one broadcast of A, and
 * need few loads per FMA: 6 x 2 + 2 + 1 of 16, 8 x 3 + 3 + 1 of 32. */
#define TILE_ROWS_OF(registers) ((registers) >= 32 ? 8 : 6)
#define TILE_VECTORS_OF(registers) ((registers) >= 32 ? 3 : 2)

/* A last panel of B may have a vector more than others with 16 registers: of few rows, 4 x 3, whose
 * third vector each product has within itself. */
enum { WIDE_ROWS = 4, WIDE_VECTORS = 3 };

/* Rows and columns of the register tile. */
struct tile {
    long rows, columns;
};

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

#include "vec.h"

enum {
    TILE_ROWS = TILE_ROWS_OF(VEC_REGISTERS),
    TILE_VECTORS = TILE_VECTORS_OF(VEC_REGISTERS),
    TILE_COLUMNS = TILE_VECTORS * VLEN
};
static const struct tile tile = {TILE_ROWS, TILE_COLUMNS};

#endif
#endif
