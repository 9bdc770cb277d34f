// chain.c - a matrix through a chain of elementwise steps, such as follow a product or convolution:
// in one pass, or as a program without fusion does it, in one pass per step.
#include "kernel.h"
#include "steps.h"

/* Each binary step has an operand of its own, in the order of the steps. */
#define UNARY(name) .kind = STEP_##name, .a = -0.5, .b = 1.5
#define ELEMENT(name) .kind = STEP_##name, .span = SPAN_element
#define ROW(name) .kind = STEP_##name, .span = SPAN_row
#define COLUMN(name) .kind = STEP_##name, .span = SPAN_column
/* CHAIN(name, steps): what follows a layer, then each step by itself. */
#define BINARY_ALONE(name, ...) CHAIN(name, {ELEMENT(name)})
#define UNARY_ALONE(name, ...) CHAIN(name, {UNARY(name)})
#define CHAINS                                                                                     \
    CHAIN(bias_relu, {COLUMN(add)}, {UNARY(relu)})                                                 \
    CHAIN(bias_gelu, {COLUMN(add)}, {UNARY(gelu)})                                                 \
    CHAIN(scale_shift_relu, {COLUMN(mul)}, {COLUMN(add)}, {UNARY(relu)})                           \
    CHAIN(channel_scale_shift_relu, {ROW(mul)}, {ROW(add)}, {UNARY(relu)})                         \
    CHAIN(add_relu, {ELEMENT(add)}, {UNARY(relu)})                                                 \
    CHAIN(bias_add_relu, {COLUMN(add)}, {ELEMENT(add)}, {UNARY(relu)})                             \
    CHAIN(silu_mul, {UNARY(silu)}, {ELEMENT(mul)})                                                 \
    STEP_BINARY_LIST(BINARY_ALONE)                                                                 \
    STEP_UNARY_LIST(UNARY_ALONE)                                                                   \
    CHAIN(given, {.kind = STEP_END}) /* by the letters step1, step2, ... */

enum { STEPS_MAX = 7 }; /* with the end */
static const struct step chains[][STEPS_MAX] = {
#define CHAIN(name, ...) {__VA_ARGS__},
    CHAINS
#undef CHAIN
};
enum {
#define CHAIN(name, ...) CHAIN_##name,
    CHAINS
#undef CHAIN
};

/* What a letter step1, step2, ... can be. */
static const struct step givens[] = {{.kind = STEP_END},
#define X(name, ...) {ELEMENT(name)}, {ROW(name)}, {COLUMN(name)},
                                     STEP_BINARY_LIST(X)
#undef X
#define X(name, ...) {.kind = STEP_##name},
                                         STEP_FUNCTION_LIST(X)
#undef X
};

#define LETTERS(X)                                                                                 \
    X(rows, 1024, 0, "rows of the matrix")                                                         \
    X(columns, 1024, 0, "columns of the matrix, next to each other in memory")                     \
    X(chain, 0, 0, "steps, with an operand by element, row or column for each that needs one",     \
      chain_words)                                                                                 \
    X(channels, 0, 0,                                                                              \
      "operands by row have so many elements, for row i element i % channels; 0: "                 \
      "one for each row",                                                                          \
      .is_rare = true)                                                                             \
    X(period, 0, 0,                                                                                \
      "operands by column have so many elements for each of the `channels`, over and over along "  \
      "a row, as images in nchwc; 0: one for each column",                                         \
      .is_rare = true)                                                                             \
    X(step1, 0, 0, "of chain=given: the first step", step_words, true)                             \
    X(step2, 0, 0, "the second step", step_words, true)                                            \
    X(step3, 0, 0, "the third step", step_words, true)                                             \
    X(step4, 0, 0, "the fourth step", step_words, true)                                            \
    X(step5, 0, 0, "the fifth step", step_words, true)                                             \
    X(step6, 0, 0, "the last one; each binary one has an operand, in the order of the steps",      \
      step_words, true)
enum { LETTERS(KERNEL_LETTER_INDEX) LETTER_COUNT };

/* What a period divides: the least that is a block of columns below. */
enum { PERIOD_MOST = 32 };

/* Step i without its operand; STEP_END behind the last one. */
static inline struct step step_of(const struct shape *shape, int i)
{
    const long chain = shape->value[LETTER_chain];
    if (i == STEPS_MAX - 1)
        return (struct step){.kind = STEP_END};
    return chain == CHAIN_given ? givens[shape->value[LETTER_step1 + i]] : chains[chain][i];
}

/* The steps with their operands, ended by STEP_END. */
static inline void steps_of(const struct call *call, struct step step[STEPS_MAX])
{
    int operand = 2;
    for (int i = 0; i < STEPS_MAX; i++) {
        step[i] = step_of(call->shape, i);
        if (step_is_binary(step[i].kind))
            step[i].operand = call->operand[operand++];
    }
}

#ifndef ISA

static const char *const chain_words[] = {
#define CHAIN(name, ...) #name,
    CHAINS
#undef CHAIN
        NULL};
static const char *const step_words[] = {"none",
#define X(name, ...) #name "_element", #name "_row", #name "_column",
                                         STEP_BINARY_LIST(X)
#undef X
#define X(name, ...) #name,
                                             STEP_FUNCTION_LIST(X)
#undef X
                                                 NULL};
static const struct letter letters[] = {LETTERS(KERNEL_LETTER_ROW)};

/* Which element of an operand by row. */
static long channel_of(const struct shape *shape, long row)
{
    const long channels = shape->value[LETTER_channels];
    return channels > 0 ? row % channels : row;
}

/* Which of one by column. */
static long column_of(const struct shape *shape, long row, long column)
{
    const long period = shape->value[LETTER_period];
    return period > 0 ? channel_of(shape, row) * period + column % period : column;
}

static double length_of(const struct step *step, const struct shape *shape)
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    const double by_row = channels > 0 && channels < rows ? channels : rows;
    return !step_is_binary(step->kind) ? 0
           : step->span == SPAN_row    ? by_row
           : step->span == SPAN_column ? (period > 0 ? by_row * period : columns)
                                       : rows * columns;
}

static double step_count(const struct shape *shape)
{
    double count = 0;
    while (step_of(shape, (int)count).kind != STEP_END)
        count++;
    return count;
}

static double operand_elements(const struct shape *shape)
{
    double elements = 0;
    struct step step;
    for (int i = 0; (step = step_of(shape, i)).kind != STEP_END; i++)
        elements += length_of(&step, shape);
    return elements;
}

#define DERIVED                                                                                    \
    const double steps = step_count(shape), operands = operand_elements(shape);                    \
    (void)steps;                                                                                   \
    (void)operands;
MODEL(flops, 1 * steps * rows * columns)
MODEL(bytes, (2 * rows * columns + operands) * element_bytes)

static int check(const struct shape *shape, struct error *error)
{
    const long period = shape->value[LETTER_period];
    if (period > 0 && (PERIOD_MOST % period != 0 || shape->value[LETTER_columns] % period != 0))
        return error_set(error, FAULT_USAGE,
                         "chain: 'period' is %ld; choose one that divides %d and the %ld columns",
                         period, PERIOD_MOST, shape->value[LETTER_columns]);
    return OK;
}

static int chain_operands(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX])
{
    LETTERS(KERNEL_LETTER_DOUBLE)
    int count = 0;
    operand[count++] = reals("y", ROLE_OUTPUT, rows * columns, -2, 2);
    operand[count++] = reals("x", ROLE_INPUT, rows * columns, -2, 2);
    struct step step;
    for (int i = 0; (step = step_of(shape, i)).kind != STEP_END; i++)
        if (step_is_binary(step.kind)) {
            static const char *const names[] = {"element", "row", "column"};
            operand[count++] =
                reals(names[step.span], ROLE_INPUT, length_of(&step, shape), 0.5, 1.5);
        }
    return count;
}

/* Three steps round by 1/2 to 2.5 ulp of what is at most a few times the largest result. */
static double tolerance(const struct shape *shape, double unit)
{
    (void)shape;
    return 16 * unit;
}

static void plain(const struct call *call, enum dtype dtype, long begin, long end, double *out)
{
    const struct shape *shape = call->shape;
    LETTERS(KERNEL_LETTER_LONG)
    struct step step[STEPS_MAX];
    steps_of(call, step);
    for (long i = begin; i < end; i++)
        out[i - begin] =
            steps_value(step, dtype, real_at(call->operand[1], dtype, i),
                        (struct step_place){.row = channel_of(shape, i / columns),
                                            .column = column_of(shape, i / columns, i % columns),
                                            .element = i});
}
REFERENCE_BODIES(plain)

static const char *const shapes[] = {"rows=@L1,columns=64,chain=bias_relu",
                                     "rows=@L2,columns=512,chain=bias_relu",
                                     "rows=@DRAM,columns=1024,chain=bias_relu",
                                     "rows=@DRAM,columns=1024,chain=bias_gelu",
                                     "rows=@DRAM,columns=1024,chain=scale_shift_relu",
                                     "rows=@DRAM,columns=1024,chain=bias_add_relu",
                                     "rows=@DRAM,columns=1024,chain=silu_mul",
                                     NULL};

BODIES_DECLARE(chain)
BODIES_DECLARE(chain_unfused)
static const struct variant variants[] = {
    {.name = "fused",
     .summary = "one pass: all steps while the elements are in registers",
     .bodies = BODIES(chain)},
    {.name = "unfused",
     .summary = "one pass per step, the later ones in place",
     .bodies = BODIES(chain_unfused)},
    REFERENCE_VARIANT(plain),
    {0},
};

const struct kernel chain_kernel = {
    .name = "chain",
    .summary = "y[i][j] = x[i][j] through the steps of the chain",
    .letters = letters,
    .letter_count = LETTER_COUNT,
    .shapes = shapes,
    .flops = flops_model,
    .flops_formula = flops_formula,
    .bytes = bytes_model,
    .bytes_formula = bytes_formula,
    .model_note = "each step counts as 1 FLOP per element, functions too; bytes as of one pass",
    .check = check,
    .operands = chain_operands,
    .tolerance = tolerance,
    .reference = plain,
    .variants = variants,
};

#else
#include "steps_apply.h"
#include "sweep.h"
#include "vec.h"

/* A block is a turn of one lane: at least four lines. So many vectors go through the steps at a
 * time: more where these need few registers, as deciding which step it is takes as long as some
 * additions. */
enum {
    COUNT = VEC_REGISTERS / 4,
    COUNT_SIMPLE = 8,
    LINES = 4 * SWEEP_LINE_BYTES / REAL_BYTES,
    BLOCK = COUNT_SIMPLE * VLEN > LINES ? COUNT_SIMPLE *VLEN : LINES,
    FEW_ROWS = 4 /* per member: below, members share columns */
};

/* A member's columns of a matrix. `stream`: y is not read again and the matrix lies beyond the
 * caches. */
struct pass {
    const struct step *step;
    real *y;
    const real *x;
    long pitch, first, columns, channels, period;
    bool stream, simple; /* `simple`: all steps are */
};

/* Which of the channels a row is. */
static inline long pass_channel(const struct pass *pass, long row)
{
    return pass->channels > 0 ? row % pass->channels : row;
}

static inline struct step_place place_of(const struct pass *pass, long row, long column)
{
    return (struct step_place){pass_channel(pass, row),
                               pass->period > 0 ? column % BLOCK : pass->first + column,
                               row * pass->pitch + pass->first + column};
}

ALWAYS_INLINE void pass_vectors(const struct pass *pass, struct step_place place, const int count)
{
    vec v[COUNT_SIMPLE];
    UNROLL(16)
    for (int j = 0; j < count; j++)
        v[j] = vec_load(pass->x + place.element + j * VLEN);
    steps_apply(pass->step, v, count, place);
    real *y = pass->y + place.element;
    UNROLL(16)
    for (int j = 0; j < count; j++)
        if (pass->stream)
            vec_stream(y + j * VLEN, v[j]);
        else
            vec_store(y + j * VLEN, v[j]);
}

/* Fewer than a vector. */
static void pass_lanes(const struct pass *pass, struct step_place place, long lanes)
{
    vec v = vec_load_first(pass->x + place.element, lanes);
    vec_store_first(pass->y + place.element, steps_apply_first(pass->step, v, place, lanes), lanes);
}

static void pass_block(const struct pass *pass, long row, long column)
{
    const long element = place_of(pass, row, column).element;
    for (const struct step *s = pass->step; pass->stream && s->kind != STEP_END; s++)
        if (step_is_binary(s->kind) && s->span == SPAN_element)
            for (int j = 0; j < BLOCK; j += SWEEP_LINE_BYTES / REAL_BYTES)
                sweep_fetch_far((const real *)s->operand + element, j);
    for (int j = 0; j < BLOCK; j += SWEEP_LINE_BYTES / REAL_BYTES)
        if (pass->stream)
            sweep_fetch_far(pass->x + element, j);
    if (COUNT == COUNT_SIMPLE || pass->simple)
        for (int j = 0; j < BLOCK; j += COUNT_SIMPLE * VLEN)
            pass_vectors(pass, place_of(pass, row, column + j), COUNT_SIMPLE);
    else
        for (int j = 0; j < BLOCK; j += COUNT * VLEN)
            pass_vectors(pass, place_of(pass, row, column + j), COUNT);
}

/* Up to the vector boundary that streams need; how many elements these were. */
static long pass_head(const struct pass *pass, long row)
{
    const real *y = pass->y + place_of(pass, row, 0).element;
    long lanes = pass->stream ? (long)(-(uintptr_t)y % sizeof(vec) / REAL_BYTES) : 0;
    if (lanes > pass->columns)
        lanes = pass->columns;
    if (lanes > 0)
        pass_lanes(pass, place_of(pass, row, 0), lanes);
    return lanes;
}

static void pass_rest(const struct pass *pass, long row, long column)
{
    for (; column + VLEN <= pass->columns; column += VLEN)
        pass_vectors(pass, place_of(pass, row, column), 1);
    if (column < pass->columns)
        pass_lanes(pass, place_of(pass, row, column), pass->columns - column);
}

/* `lanes` rows that lie `distance` apart, side by side. */
ALWAYS_INLINE void pass_rows(const struct pass *pass, long row, long distance, const int lanes)
{
    long head[SWEEP_LANES], least = pass->columns - (pass->stream ? VLEN - 1 : 0);
    for (int k = 0; k < lanes; k++)
        head[k] = pass_head(pass, row + k * distance);
    long at = 0;
    for (; at + BLOCK <= least; at += BLOCK)
        for (int k = 0; k < lanes; k++)
            pass_block(pass, row + k * distance, head[k] + at);
    for (int k = 0; k < lanes; k++)
        pass_rest(pass, row + k * distance, head[k] + at);
}

/* A block of an operand that repeats; periods are powers of two, as what they divide is one. */
static void lay_block(real block[BLOCK], const real *operand, long period)
{
    _Static_assert((BLOCK & (BLOCK - 1)) == 0 && (PERIOD_MOST & (PERIOD_MOST - 1)) == 0 &&
                       BLOCK % PERIOD_MOST == 0,
                   "blocks are whole periods");
    const long within = period - 1;
    for (long k = 0; period >= VLEN && k < BLOCK; k += VLEN)
        vec_store(block + k, vec_load(operand + (k & within)));
    for (long k = 0; period < VLEN && k < BLOCK; k++)
        block[k] = operand[k & within];
}

/* The same of operands by column that repeat: each is a block for the row, from a period's begin
 * on.
 */
static void pass_periods(const struct pass *pass, struct part part)
{
    real table[STEPS_MAX][BLOCK];
    struct step step[STEPS_MAX];
    struct pass each = *pass;
    each.step = step;
    for (long row = part.begin; row < part.end; row++) {
        int i = 0;
        for (; pass->step[i].kind != STEP_END; i++) {
            const real *operand = pass->step[i].operand;
            step[i] = pass->step[i];
            if (!step_is_binary(step[i].kind) || step[i].span != SPAN_column)
                continue;
            lay_block(table[i], operand + pass_channel(pass, row) * pass->period, pass->period);
            step[i].operand = table[i];
        }
        step[i] = pass->step[i];
        pass_rows(&each, row, 0, 1);
    }
    vec_stream_fence();
}

/* Rows [begin, end). */
static void pass_run(const struct pass *pass, struct part part)
{
    if (pass->period > 0) {
        pass_periods(pass, part);
        return;
    }
    long distance = pass->stream ? (part.end - part.begin) / SWEEP_LANES : 0, row = part.begin;
    for (; row < part.begin + distance; row++)
        pass_rows(pass, row, distance, SWEEP_LANES);
    for (row += (SWEEP_LANES - 1) * distance; row < part.end; row++)
        pass_rows(pass, row, 0, 1);
    vec_stream_fence();
}

static int arrays_of(const struct shape *shape)
{
    int arrays = 2;
    struct step step;
    for (int i = 0; (step = step_of(shape, i)).kind != STEP_END; i++)
        arrays += step_is_binary(step.kind) && step.span == SPAN_element;
    return arrays;
}

/* Whether there are so few rows that members share the columns. */
static bool by_columns(const struct call *call)
{
    return call->shape->value[LETTER_rows] < FEW_ROWS * call->member.count;
}

static bool all_simple(const struct step *step)
{
    while (step_is_simple(step->kind))
        step++;
    return step->kind == STEP_END;
}

static struct pass pass_of(const struct call *call, const struct step *step)
{
    const long columns = call->shape->value[LETTER_columns];
    const long period = call->shape->value[LETTER_period];
    const long line = 64 / REAL_BYTES;
    const struct part split =
        by_columns(call) ? member_part(call->member, columns, period > line ? period : line)
                         : (struct part){0, columns};
    /* Of operands that repeat blocks have to be whole from the first column on. */
    const bool is_aligned =
        ((uintptr_t)call->operand[0] | (uintptr_t)columns * REAL_BYTES) % 64 == 0;
    double bytes = (double)call->outputs * arrays_of(call->shape) * REAL_BYTES;
    return (struct pass){.step = step,
                         .simple = all_simple(step),
                         .y = call->operand[0],
                         .x = call->operand[1],
                         .pitch = columns,
                         .first = split.begin,
                         .columns = split.end - split.begin,
                         .channels = call->shape->value[LETTER_channels],
                         .period = period,
                         .stream =
                             (period == 0 || is_aligned) && bytes > call->caches.last_level_bytes};
}

static struct part rows_of(const struct call *call)
{
    const long rows = call->shape->value[LETTER_rows];
    return by_columns(call) ? (struct part){0, rows} : member_part(call->member, rows, 1);
}

body NAME(chain), NAME(chain_unfused);

void NAME(chain)(const struct call *call)
{
    struct step step[STEPS_MAX];
    steps_of(call, step);
    struct pass pass = pass_of(call, step);
    pass_run(&pass, rows_of(call));
}

void NAME(chain_unfused)(const struct call *call)
{
    struct step step[STEPS_MAX];
    steps_of(call, step);
    int i = 0;
    do { /* one pass where there is no step */
        const struct step single[] = {step[i], {.kind = STEP_END}};
        struct pass pass = pass_of(call, single);
        if (i > 0) {
            pass.x = pass.y;
            pass.stream = false;
        }
        pass_run(&pass, rows_of(call));
    } while (step[i].kind != STEP_END && step[++i].kind != STEP_END);
}

#endif
