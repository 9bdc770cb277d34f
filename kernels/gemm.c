// gemm.c - C = alpha * op(A) * op(B) + beta * C, row-major, and an epilogue.
#include <math.h>

#include "kernel.h"

#include "gemv.h"
#include "product.h"

#define LETTERS(X)                                                                                 \
    X(m, -1, 0, "rows of op(A) and C")                                                             \
    X(n, -1, 0, "columns of op(B) and C")                                                          \
    X(k, -1, 0, "columns of op(A), rows of op(B)")                                                 \
    X(transa, 0, 0, "how A is stored: m x k or transposed, k x m", transposed_words)               \
    X(transb, 0, 0, "how B is stored: k x n or transposed, n x k", transposed_words)               \
    X(alpha, 1, 0, "factor of the product")                                                        \
    X(beta, 0, 0, "factor of what C held; 0: C is not read")                                       \
    X(batch, 1, 0, "independent products, one behind the other")                                   \
    X(epilogue, 0, 0, "steps that follow; bias and scale by column of C, the addend is like C",    \
      epilogue_words)
#define DERIVED                                                                                    \
    const enum epilogue epilogue_kind = (enum epilogue)shape->value[LETTER_epilogue];              \
    const double steps = epilogue_flops(epilogue_kind),                                            \
                 operands = epilogue_elements(epilogue_kind, n, batch * m * n);                    \
    (void)steps, (void)operands;
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };

enum method {
    METHOD_NONE,     /* nothing to add up: C = beta * C */
    METHOD_FEW_ROWS, /* of C, or its only column where A is transposed: sums of rows of B (of A) */
    METHOD_DOTS,     /* a column or a row of C: dot products along stored rows */
    METHOD_TILES,
};

/* How one product is computed, and what of the workspace a member needs, in elements. */
struct plan {
    enum method method;
    bool alone; /* one member does the whole product */
    /* Else the members are a grid over C, each with a product of its own: what two of them read
     * both pack, which takes less than to meet. So many share the rows, so many the columns. */
    int by_rows, by_columns;
    bool pack_a;
    /* B: before it is multiplied; or by the first tile of each panel, for several blocks of A or,
     * unless all of it is in L1, for one. */
    bool pack_b, keep_b, near_b;
    bool fetch_b; /* the next block of B is asked for while one is multiplied */
    struct {
        long rows, columns, depth; /* multiples of the tile, but for the depth */
    } block;
    long packed_b, packed_a; /* the block of B, or its last panel and another; that of A */
};

/* Below 2^17 products per member, some 2 us, a second member costs more than it saves: lines of C
 * that change their owner, and what both pack. */
enum { PRODUCTS_MIN = 1 << 17 };

/* A last panel of B in place, which may be a wide one, has room for so many others. */
enum { LAST_PANELS = 2 };

/* Rows or columns of the largest part. */
static inline long largest_part(long total, int parts, long multiple)
{
    return (round_up(total, multiple) / multiple + parts - 1) / parts * multiple;
}

/* The grid whose largest part costs least: its products, and its elements of A and B, of which
 * packing one takes as long as some products. */
static inline void share_out(struct plan *plan, struct tile tile_size, long m, long n, int members)
{
    double least = 0;
    for (int by_rows = 1; by_rows <= members; by_rows++) {
        if (members % by_rows != 0)
            continue;
        const double rows = (double)largest_part(m, by_rows, tile_size.rows);
        const double columns =
            (double)smaller(n, largest_part(n, members / by_rows, tile_size.columns));
        const double cost = rows * columns + (double)tile_size.columns * (rows + columns);
        if (by_rows == 1 || cost < least) {
            least = cost;
            plan->by_rows = by_rows;
            plan->by_columns = members / by_rows;
        }
    }
}

static inline struct plan plan_of(const struct shape *shape, struct tile tile_size,
                                  int element_bytes, const struct cache_sizes *caches, int members)
{
    LETTERS(KERNEL_LETTER_LONG)
    const double products = (double)m * (double)n * (double)k;
    struct plan plan = {.method = METHOD_TILES,
                        .alone = members == 1 || batch >= members ||
                                 products < (double)PRODUCTS_MIN * members};
    if (products == 0)
        plan.method = METHOD_NONE;
    else if ((m <= FEW_ROWS && !transb) || (n == 1 && transa))
        plan.method = METHOD_FEW_ROWS;
    else if (n == 1 || (m == 1 && transb))
        plan.method = METHOD_DOTS;
    if (plan.method != METHOD_TILES)
        return plan;
    share_out(&plan, tile_size, m, n, plan.alone ? 1 : members);
    const long rows = largest_part(m, plan.by_rows, tile_size.rows);
    const long columns = largest_part(n, plan.by_columns, tile_size.columns);
    /* A is worth packing where many panels of B read it: packing moves an element once more, a
     * product in place reads it from scattered lines, 3 % of 384^3 against nothing that shows. */
    const double fit = caches->l2_bytes / 4;
    plan.pack_a = transa || columns > PANELS_FEW * tile_size.columns;
    plan.pack_b = transb;
    /* A narrow B is as deep as a quarter of L2 allows; others where so many rows of A fit their
     * part of L2: C is read and written once less, 1 % of squares of 512 to 2048. */
    enum { DEPTH_DEEP = 512, DEEP_ROWS = 64 };
    const double narrow = fit / (double)(columns * element_bytes);
    const double most = fmax(DEPTH_MOST, fmin(DEPTH_DEEP, fit / 2 / (DEEP_ROWS * element_bytes)));
    plan.block.depth = equal_block(k, fmax(narrow, most), 8);
    const double line_bytes = (double)(plan.block.depth * element_bytes); /* a row, a column */
    /* Panels are kept where many tiles of A read them and B does not stay in L2. */
    const double b_bytes = (double)k * (double)columns * element_bytes;
    plan.keep_b = !transb && (double)rows * line_bytes > fit && rows > TILES_FEW * tile_size.rows &&
                  b_bytes >= 2 * fit;
    const bool is_packed = plan.pack_b || plan.keep_b;
    /* An eighth of L2 is for the block of A that is reused while the panels of B pass: 256 KiB of 2
     * MiB, what 64 to 96 entries of a first-level TLB reach, as the pages of a guest may be small
     * ones of its host; a quarter beside a B in place, of which L2 has two panels. */
    plan.block.rows = equal_block(rows, (is_packed ? fit / 2 : fit) / line_bytes, tile_size.rows);
    /* Half of the member's share of L3 is for a packed block of B that is reused while those of A
     * pass; a quarter of L2 for one that is read once, or in place by several blocks of A, as the
     * next one is fetched into L2 meanwhile. In place and once, B needs no blocks of columns. */
    const bool several = plan.block.rows < rows; /* blocks of A */
    double most_bytes = is_packed && several ? caches->l3_bytes / 2 : fit;
    if (!is_packed && !several)
        most_bytes = (double)columns * line_bytes;
    plan.block.columns = equal_block(columns, most_bytes / line_bytes, tile_size.columns);
    /* Larger blocks, but for the last panel, would drive out of L2 what is multiplied; during two
     * tiles, whose time is less than it takes, asking is in the way of the loads. */
    plan.fetch_b = rows > 2 * tile_size.rows &&
                   (double)(plan.block.columns - tile_size.columns) * line_bytes < fit;
    plan.near_b = b_bytes <= caches->l1_bytes;
    plan.packed_b =
        plan.block.depth * (is_packed ? plan.block.columns : (LAST_PANELS + 1) * tile_size.columns);
    plan.packed_a = plan.pack_a ? plan.block.depth * plan.block.rows : 0;
    return plan;
}

#ifndef ISA
#include "cblas.h"
#include "onednn.h"

static const char *const transposed_words[] = {"n", "t", NULL};
static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* Small, in L2, the usual yardstick, and a few rows against a large B: bound by the memory of B. */
static const char *const shapes[] = {"m=64,n=64,k=64", "m=256,n=256,k=256", "m=1024,n=1024,k=1024",
                                     "m=16,n=1760,k=1760", NULL};

MODEL(flops, (2 * m * n * k + (beta ? 2 : 0) * m * n + steps * m * n) * batch)
MODEL(bytes, ((m * k + k * n + (beta ? 2 : 1) * m * n) * batch + operands) * element_bytes)

static int operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    operand[0] = reals("C", beta ? ROLE_UPDATE : ROLE_OUTPUT, batch * m * n, 0.5, 1.5);
    operand[1] = reals("A", ROLE_INPUT, batch * m * k, 0.5, 1.5);
    operand[2] = reals("B", ROLE_INPUT, batch * k * n, 0.5, 1.5);
    return epilogue_operands((enum epilogue)epilogue, n, batch * m * n, k, operand, 3);
}

/* A sum of k products rounds at most 2 k times and cancels nothing, as the operands are positive
 * (Higham 2002, doi:10.1137/1.9780898718027, section 3.1); the reference, for f64, as often. Two
 * more for alpha, beta and their sum. */
static double tolerance(const struct shape *shape, double unit)
{
    const double k = (double)shape->value[LETTER_k];
    return 4 * (k + 3) * unit * epilogue_tolerance((enum epilogue)shape->value[LETTER_epilogue], k);
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    struct step step[EPILOGUE_STEPS];
    epilogue_steps(call, (enum epilogue)epilogue, 3, SPAN_column, step);
    for (long element = begin; element < end; element++) {
        long item = element / (m * n), i = element / n % m, j = element % n;
        double sum = 0;
        for (long l = 0; l < k; l++)
            sum +=
                real_at(call->operand[1], dtype, item * m * k + (transa ? l * m + i : i * k + l)) *
                real_at(call->operand[2], dtype, item * k * n + (transb ? j * k + l : l * n + j));
        double *c = &out[element - begin];
        *c = (double)alpha * sum + (beta ? (double)beta * *c : 0);
        *c = steps_value(step, dtype, *c,
                         (struct step_place){.row = i, .column = j, .element = element});
    }
}
REFERENCE_BODIES(plain)

static double workspace(const struct shape *shape, enum isa isa, enum dtype dtype, int threads,
                        const struct cache_sizes *caches)
{
    struct plan plan = plan_of(shape, tile_of(isa, dtype), dtype_bytes(dtype), caches, threads);
    return (double)dtype_bytes(dtype) * threads * (double)(plan.packed_b + plan.packed_a);
}

static int has_no_epilogue(const struct shape *shape, struct error *error)
{
    return epilogue_none(shape->value[LETTER_epilogue], error);
}

BODIES_DECLARE(gemm_blocked)
static const struct variant variants[] = {
    {.name = "blocked",
     .summary =
         "register tile, panels packed for the caches where that pays; a grid of C split over "
         "threads; a few rows or a column by streaming",
     .bodies = BODIES(gemm_blocked),
     .workspace = workspace},
    REFERENCE_VARIANT(plain),
    {.name = "onednn_matmul",
     .summary = "matmul of one product or a batch, epilogues as bias and post-ops",
     .routine = &onednn_matmul},
#define LIBRARY(variant, functions, implementation)                                                \
    {.name = variant,                                                                              \
     .summary = functions,                                                                         \
     .routine = &implementation,                                                                   \
     .supports = has_no_epilogue},
    LIBRARY("openblas", "cblas_sgemm, cblas_dgemm", openblas_gemm)
        LIBRARY("blis", "cblas_sgemm, cblas_dgemm", blis_gemm)
            LIBRARY("mkl", "cblas_sgemm, cblas_dgemm", mkl_gemm)
                LIBRARY("onednn", "dnnl_sgemm", onednn_gemm){0},
};

const struct kernel gemm_kernel = {
    .name = "gemm",
    .summary = "C = alpha * op(A) * op(B) + beta * C, row-major; op: as it is or transposed; then "
               "the epilogue",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .quick = true,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note =
        "a multiply and an add per product, fused or not; each matrix once, C twice where "
        "beta is not 0; packing not counted, nor alpha; each step of the epilogue counts as 1 FLOP "
        "per element of C, functions too",
    .operands = operands,
    .tolerance = tolerance,
    .reference = plain,
    .variants = variants,
};

#else
#include "vec.h"

/* One product as one member sees it. */
struct job {
    const struct plan *plan;
    long m, n, k;
    struct operand_at a, b; /* their lines are rows of op(A), columns of op(B) */
    real *c;
    long element; /* of the output, where C begins */
    real *packed_b, *packed_a;
    struct finish finish;
    bool is_far;          /* the larger operand is beyond the caches */
    struct member member; /* among those who share this product */
};

/* All of C. */
static struct target target_of(const struct job *job)
{
    return (struct target){job->c, job->n, job->m, job->n, {0, 0, job->element}};
}

/* The steps of some rows, or of all rows of some columns. */
static void finish_rows(const struct job *job, struct part part)
{
    struct target target = target_from(target_of(job), part.begin, 0);
    target.rows = part.end - part.begin;
    finish_steps(target, job->finish);
}

static void finish_columns(const struct job *job, struct part part)
{
    struct target target = target_from(target_of(job), 0, part.begin);
    target.columns = part.end - part.begin;
    finish_steps(target, job->finish);
}

static void scale_c(const struct job *job)
{
    struct part part = member_part(job->member, job->m, SWEEP_LINE_BYTES / REAL_BYTES);
    for (long i = part.begin * job->n; i < part.end * job->n; i++)
        finish_one(&job->c[i], 0, job->finish);
    finish_rows(job, part);
}

/* A column of C where A is transposed is a row of C^T = B^T A^T. */
static void multiply_streaming(const struct job *job)
{
    const bool swap = job->m > FEW_ROWS || job->b.line != 1;
    const struct operand_at few = swap ? job->b : job->a, many = swap ? job->a : job->b;
    const struct part part =
        member_part(job->member, swap ? job->m : job->n, SWEEP_LINE_BYTES / REAL_BYTES);
    multiply_few_rows(few, many.at + part.begin, many.step, job->is_far, job->k,
                      (struct target){.c = job->c + part.begin,
                                      .pitch = job->n,
                                      .rows = swap ? 1 : job->m,
                                      .columns = part.end - part.begin},
                      job->finish);
    if (swap)
        finish_rows(job, part);
    else
        finish_columns(job, part);
}

/* The column of C along rows of A, or the row of C along rows of a transposed B. */
static void multiply_dots(const struct job *job)
{
    const bool column = job->n == 1;
    const struct operand_at many = column ? job->a : job->b, one = column ? job->b : job->a;
    const struct part part =
        member_part(job->member, column ? job->m : job->n, SWEEP_LINE_BYTES / REAL_BYTES);
    multiply_one_column(many.at + part.begin * many.line, many.line, one.at, job->k,
                        part.end - part.begin, job->c + part.begin, job->finish);
    if (column)
        finish_rows(job, part);
    else
        finish_columns(job, part);
}

/* A block of op(B): `depth` steps from `l` on, columns [begin, end). */
struct block_of_b {
    long l, depth;
    struct part columns;
};

/* As the first tiles read it: packed, or in place but for the columns behind the last whole panel.
 */
static struct right take_b(const struct job *job, struct block_of_b block)
{
    const struct plan *plan = job->plan;
    const long columns = block.columns.end - block.columns.begin;
    const struct operand_at from = operand_from(job->b, block.columns.begin, block.l);
    if (plan->pack_b) {
        pack_columns(from, columns, block.depth, job->packed_b);
        return right_packed(job->packed_b);
    }
    struct right b = right_in_place(from.at, job->b.step, NULL);
    b.keep = plan->keep_b;
    b.asks = !plan->near_b;
    if (b.keep || !plan->near_b)
        b.panels = job->packed_b + (b.keep ? 0 : LAST_PANELS * block.depth * TILE_COLUMNS);
    if (columns % VLEN != 0) {
        const long last =
            b.keep ? columns / TILE_COLUMNS * TILE_COLUMNS : in_place_last(columns, !plan->pack_a);
        real *const packed = job->packed_b + (b.keep ? last * block.depth : 0);
        pack_last(from.at + last, job->b.step, columns - last, block.depth, packed);
        b.last = packed;
    }
    return b;
}

/* The fetching of lines [line, line + lines) and steps [step, step + steps) of an operand during so
 * many tiles. */
static struct ahead ahead_of(struct operand_at from, struct part lines, struct part steps,
                             long tiles)
{
    const long count = lines.end - lines.begin, depth = steps.end - steps.begin;
    const real *at = operand_from(from, lines.begin, steps.begin).at;
    struct ahead ahead = {.fetch = from.step == 1 ? fetch_block(at, count, depth, from.line)
                                                  : fetch_block(at, depth, count, from.step)};
    ahead.lines = ahead.fetch.rows * ahead.fetch.row_lines / (tiles * TILE_ROWS) + 1;
    return ahead;
}

/* One block of A has all of the member's rows: it is packed once for all columns. */
static bool is_one_block(const struct job *job, struct part rows)
{
    return rows.end - rows.begin <= job->plan->block.rows;
}

/* The block that follows in the member's part; depth 0 behind the last one. Where there is one
 * block of A only, that stays while the columns pass, else the columns while the depth does. */
static struct block_of_b next_block(const struct job *job, struct part rows, struct part columns,
                                    struct block_of_b block)
{
    const struct plan *plan = job->plan;
    const bool stays = is_one_block(job, rows);
    const bool last_of_columns = block.columns.end == columns.end;
    const bool last_of_depth = block.l + block.depth == job->k;
    if (last_of_columns && last_of_depth)
        return (struct block_of_b){0};
    if (stays ? last_of_columns : !last_of_depth) {
        block.l += block.depth;
        if (stays)
            block.columns.begin = columns.begin;
    } else {
        block.columns.begin = block.columns.end;
        if (!stays)
            block.l = 0;
    }
    block.columns.end = smaller(block.columns.begin + plan->block.columns, columns.end);
    block.depth = smaller(job->k - block.l, plan->block.depth);
    return block;
}

/* These rows of C += A * a block of B, and what comes next is fetched: of A the next rows of
 * this depth, of B the next block while all of A passes. */
static void multiply_block(const struct job *job, struct part rows, long first_column,
                           struct block_of_b block, struct block_of_b next)
{
    const struct plan *plan = job->plan;
    const long columns = block.columns.end - block.columns.begin, depth = block.depth;
    struct right b = take_b(job, block);
    if (!plan->pack_b && !plan->keep_b && !plan->fetch_b && next.depth > 0)
        b.then = operand_from(job->b, next.columns.begin, next.l).at;
    struct finish finish = job->finish;
    if (block.l > 0)
        finish.beta = 1;
    if (block.l + depth < job->k)
        finish.steps = NULL;
    struct ahead ahead[AHEADS] = {0};
    if (plan->fetch_b && next.depth > 0)
        ahead[0] = ahead_of(job->b, next.columns, (struct part){next.l, next.l + next.depth},
                            tiles_of(rows.end - rows.begin, columns));
    for (long i = rows.begin; i < rows.end; i += plan->block.rows) {
        const long end = smaller(rows.end, i + plan->block.rows);
        const struct operand_at from = operand_from(job->a, i, block.l);
        struct target target = target_from(target_of(job), i, block.columns.begin);
        target.rows = end - i;
        target.columns = columns;
        ahead[1] = (struct ahead){0};
        if (end < rows.end)
            ahead[1] =
                ahead_of(job->a, (struct part){end, smaller(rows.end, end + plan->block.rows)},
                         (struct part){block.l, block.l + depth}, tiles_of(target.rows, columns));
        if (plan->pack_a && !(is_one_block(job, rows) && block.columns.begin > first_column))
            pack_rows(from, target.rows, depth, job->packed_a);
        multiply(depth,
                 plan->pack_a ? left_packed(job->packed_a, depth, lower_tiles(target.rows))
                              : left_in_place(from.at, from.line, target.rows),
                 b, target, finish, ahead[0].lines > 0 || ahead[1].lines > 0 ? ahead : NULL);
        if (plan->keep_b)
            b = right_packed(job->packed_b);
    }
}

static void multiply_tiles(const struct job *job)
{
    const struct plan *plan = job->plan;
    const int index = job->member.index;
    const struct part rows =
        member_part((struct member){index / plan->by_columns, plan->by_rows}, job->m, TILE_ROWS);
    const struct part columns = member_part(
        (struct member){index % plan->by_columns, plan->by_columns}, job->n, TILE_COLUMNS);
    if (rows.begin == rows.end || columns.begin == columns.end)
        return;
    struct block_of_b block = {
        .depth = smaller(job->k, plan->block.depth),
        .columns = {columns.begin, smaller(columns.begin + plan->block.columns, columns.end)}};
    for (struct block_of_b next; block.depth > 0; block = next) {
        next = next_block(job, rows, columns, block);
        multiply_block(job, rows, columns.begin, block, next);
    }
}

static void multiply_one(const struct job *job)
{
    switch (job->plan->method) {
    case METHOD_NONE:
        scale_c(job);
        break;
    case METHOD_FEW_ROWS:
        multiply_streaming(job);
        break;
    case METHOD_DOTS:
        multiply_dots(job);
        break;
    case METHOD_TILES:
        multiply_tiles(job);
        break;
    }
}

body NAME(gemm_blocked);
void NAME(gemm_blocked)(const struct call *call)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct member member = call->member, first = {0, 1};
    const struct plan plan = plan_of(shape, tile, REAL_BYTES, &call->caches, member.count);
    const struct part items = member_part(plan.alone ? member : first, batch, 1);
    real *work = call->workspace;
    struct step step[EPILOGUE_STEPS];
    epilogue_steps(call, (enum epilogue)epilogue, 3, SPAN_column, step);
    struct job job = {
        .plan = &plan,
        .m = m,
        .n = n,
        .k = k,
        .finish = {.alpha = (real)alpha, .beta = (real)beta, .steps = epilogue ? step : NULL},
        .is_far = (double)batch * (double)(k * greater(m, n)) * REAL_BYTES >
                  call->caches.last_level_bytes,
        .member = plan.alone ? first : member};
    if (work) {
        job.packed_b = work + member.index * (plan.packed_b + plan.packed_a);
        job.packed_a = job.packed_b + plan.packed_b;
    }
    const long a_line = transa ? 1 : k, a_step = transa ? m : 1;
    const long b_line = transb ? k : 1, b_step = transb ? 1 : n;
    for (long i = items.begin; i < items.end; i++) {
        job.a = (struct operand_at){(const real *)call->operand[1] + i * m * k, a_line, a_step};
        job.b = (struct operand_at){(const real *)call->operand[2] + i * k * n, b_line, b_step};
        job.element = i * m * n;
        job.c = (real *)call->operand[0] + job.element;
        multiply_one(&job);
    }
}

#endif
