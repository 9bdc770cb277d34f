// gemm.c - C = A * B, row-major.
#include "kernel.h"

#include "product.h"

#define LETTERS(X)                                                                                 \
    X(m, -1, 0, "rows of A and C")                                                                 \
    X(n, -1, 0, "columns of B and C")                                                              \
    X(k, -1, 0, "columns of A, rows of B")
#define DERIVED
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };

/* An eighth of L2 is for the block of A that is reused while the panels of B pass: 256 KiB of 2
 * MiB, what 64 to 96 entries of a first-level TLB reach, as the pages of a guest may be small ones
 * of its host. Half of L3 is for the block of B. */
static inline struct blocks gemm_blocks(const struct shape *shape, struct tile tile_size,
                                        int element_bytes, const struct cache_sizes *caches)
{
    LETTERS(KERNEL_LETTER_LONG)
    return blocks_of(tile_size, m, n, k, element_bytes, caches->l2_bytes / 8, caches->l3_bytes / 2);
}

#ifndef ISA
static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* Small, in L2, the usual yardstick, and a few rows against a large B: bound by the memory of B. */
static const char *const shapes[] = {"m=64,n=64,k=64", "m=256,n=256,k=256", "m=1024,n=1024,k=1024",
                                     "m=16,n=1760,k=1760", NULL};

MODEL(flops, 2 * m * n * k)
MODEL(bytes, (m * k + k * n + m * n) * element_bytes)

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    operand[0] = reals("C", ROLE_OUTPUT, m * n, 0.5, 1.5);
    operand[1] = reals("A", ROLE_INPUT, m * k, 0.5, 1.5);
    operand[2] = reals("B", ROLE_INPUT, k * n, 0.5, 1.5);
    return 3;
}

/* A sum of k products rounds at most 2 k times and cancels nothing, as the operands are positive
 * (Higham 2002, doi:10.1137/1.9780898718027, section 3.1); the reference, for f64, as often. */
static double tolerance(const struct shape *shape, double unit)
{
    return 4 * ((double)shape->value[LETTER_k] + 1) * unit;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const long n = call->shape->value[LETTER_n], k = call->shape->value[LETTER_k];
    for (long element = begin; element < end; element++) {
        long i = element / n, j = element % n;
        double sum = 0;
        for (long l = 0; l < k; l++)
            sum += real_at(call->operand[1], dtype, i * k + l) *
                   real_at(call->operand[2], dtype, l * n + j);
        out[element - begin] = sum;
    }
}
REFERENCE_BODIES(plain)

/* The block of B, then a block of A per member. */
static double workspace(const struct shape *shape, enum isa isa, enum dtype dtype, int threads,
                        const struct cache_sizes *caches)
{
    struct blocks block = gemm_blocks(shape, tile_of(isa, dtype), dtype_bytes(dtype), caches);
    return (double)dtype_bytes(dtype) * (double)block.depth *
           ((double)block.columns + (double)threads * (double)block.rows);
}

BODIES_DECLARE(gemm_packed)
static const struct variant variants[] = {
    {.name = "packed",
     .summary = "panels packed for the caches, register tile; rows or columns split over threads",
     .bodies = BODIES(gemm_packed),
     .workspace = workspace},
    REFERENCE_VARIANT(plain),
    {0},
};

const struct kernel gemm_kernel = {
    .name = "gemm",
    .summary = "C = A * B, row-major",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .quick = true,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note = "a multiply and an add per product, fused or not; each matrix once, packing not "
                  "counted",
    .operands = operands,
    .tolerance = tolerance,
    .reference = plain,
    .variants = variants,
};

#else
#include "vec.h"

/* Depth x columns of a row-major B into panels; the last one has as many vectors as it needs,
 * filled up with 0. */
static void pack_columns(const real *b, long pitch, long columns, long depth, real *packed)
{
    const long whole = columns / TILE_COLUMNS * TILE_COLUMNS, width = panel_width(columns, whole);
    /* Row by row: memory is read in its order, which a prefetcher follows. */
    for (long k = 0; k < depth; k++, b += pitch) {
        real *to = packed + k * TILE_COLUMNS;
        for (long j = 0; j < whole; j += TILE_COLUMNS, to += depth * TILE_COLUMNS)
            UNROLL(TILE_VECTORS)
        for (long v = 0; v < TILE_COLUMNS; v += VLEN)
            vec_store(to + v, vec_load(b + j + v));
        to = packed + whole * depth + k * width;
        for (long j = whole; j < columns; j += VLEN, to += VLEN)
            vec_store(to,
                      columns - j >= VLEN ? vec_load(b + j) : vec_load_first(b + j, columns - j));
    }
}

/* The part of the panels of a block of B that a member packs or multiplies. */
static struct part panel_part(struct member member, long columns)
{
    return member_part(member, columns, TILE_COLUMNS);
}

static void clear(const struct call *call, struct member member)
{
    real *c = call->operand[0];
    struct part part = member_part(member, call->outputs, 64 / REAL_BYTES);
    for (long i = part.begin; i < part.end; i++)
        c[i] = 0;
}

/* Who shares the work: below 2^19 products per member, some 10 us, meeting costs more than a second
 * member saves, and the first works alone. */
static struct member worker(const struct call *call)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    bool small = (double)m * (double)n * (double)k < (1 << 19) * (double)call->member.count;
    return small ? (struct member){call->member.index, 1} : call->member;
}

static void meet(struct member member)
{
    if (member.count > 1)
        team_barrier();
}

body NAME(gemm_packed);
void NAME(gemm_packed)(const struct call *call)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct member member = worker(call);
    if (member.index >= member.count)
        return;
    if (k == 0) {
        clear(call, member);
        return;
    }
    const real *a = call->operand[1], *b = call->operand[2];
    real *c = call->operand[0];
    struct blocks block = gemm_blocks(shape, tile, REAL_BYTES, &call->caches);
    real *packed_b = call->workspace;
    real *packed_a = packed_b + block.depth * (block.columns + member.index * block.rows);

    /* Where there are too few panels of A to keep the members equally busy, they share columns
     * instead and each packs all of A. */
    const bool by_columns = m < 4L * TILE_ROWS * member.count;
    const struct member alone = {0, 1};
    const struct part rows = member_part(by_columns ? alone : member, m, TILE_ROWS);
    for (long j = 0; j < n; j += block.columns) {
        long columns = smaller(n - j, block.columns);
        struct part packing = panel_part(member, columns);
        struct part using = panel_part(by_columns ? member : alone, columns);
        for (long l = 0; l < k; l += block.depth) {
            long depth = smaller(k - l, block.depth);
            meet(member); /* nobody reads the last block of B any more */
            pack_columns(b + l * n + j + packing.begin, n, packing.end - packing.begin, depth,
                         packed_b + packing.begin * depth);
            meet(member);
            for (long i = rows.begin; i < rows.end; i += block.rows) {
                long height = smaller(rows.end - i, block.rows);
                pack_rows(a + i * k + l, k, height, depth, packed_a);
                multiply_packed(height, using.end - using.begin, depth, packed_a,
                                packed_b + using.begin * depth, c + i * n + j + using.begin, n,
                                l > 0);
            }
        }
    }
}

#endif
