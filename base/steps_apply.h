// steps_apply.h - lists of steps applied to vectors in registers and to blocks in L1. For ISA
// bodies.
//
// A register tile takes the simple steps that its list begins with before it is stored:
// steps_apply_tile(). What is left goes over blocks that L1 holds, step by step,
// steps_apply_block(). What only passes by: load `count` vectors of a row, steps_apply(), store
// them; the last lanes of a row, fewer than a vector, by steps_apply_first(). What a step is gets
// decided once per call, for all its vectors, so count is best as large as the registers allow: 4
// with 16, 8 with 32 or where all steps are simple.
#ifndef ROOFLINE_STEPS_APPLY_H
#define ROOFLINE_STEPS_APPLY_H

#include "steps.h"
#include "vec.h"
#include "vec_math.h"

/* The operand of the simple steps at the beginning that has an element for each of the output, or
 * NULL: what is worth asking for ahead of time. */
static inline const real *steps_addend(const struct step *step)
{
    for (; step && step_is_simple(step->kind); step++)
        if (step_is_binary(step->kind) && step->span == SPAN_element)
            return step->operand;
    return NULL;
}

/* A binary step of `count` vectors at `place`; of the last lanes only `lanes`. */
ALWAYS_INLINE void steps_apply_binary(const struct step *step, vec *v, const int count,
                                      struct step_place place, const long lanes)
{
    const bool by_row = step->span == SPAN_row, by_column = step->span == SPAN_column;
    const real *from = (const real *)step->operand + (by_row      ? place.row
                                                      : by_column ? place.column
                                                                  : place.element);
    vec operand[16];
    UNROLL(16)
    for (int j = 0; j < count; j++)
        operand[j] = by_row          ? vec_all(*from)
                     : lanes == VLEN ? vec_load(from + j * VLEN)
                                     : vec_load_first(from, lanes);
    switch (step->kind) {
#define X(name, ...)                                                                               \
    case STEP_##name:                                                                              \
        UNROLL(16)                                                                                 \
        for (int j = 0; j < count; j++) {                                                          \
            const vec x = v[j], y = operand[j];                                                    \
            v[j] = __VA_ARGS__;                                                                    \
        }                                                                                          \
        break;
        STEP_BINARY_LIST(X)
#undef X
    default:
        break;
    }
}

ALWAYS_INLINE void steps_apply_unary(const struct step *step, vec *v, const int count)
{
    const vec a = vec_all((real)step->a), b = vec_all((real)step->b);
    switch (step->kind) {
#define X(name, ...)                                                                               \
    case STEP_##name:                                                                              \
        UNROLL(16)                                                                                 \
        for (int j = 0; j < count; j++) {                                                          \
            const vec x = v[j];                                                                    \
            v[j] = __VA_ARGS__;                                                                    \
        }                                                                                          \
        break;
        STEP_UNARY_LIST(X)
#undef X
    default:
        break;
    }
}

/* The first of `count` (a constant, at most 16) vectors of one row stands at `place`. */
ALWAYS_INLINE void steps_apply(const struct step *step, vec *v, const int count,
                               struct step_place place)
{
    for (; step->kind != STEP_END; step++)
        if (step_is_binary(step->kind))
            steps_apply_binary(step, v, count, place, VLEN);
        else
            steps_apply_unary(step, v, count);
}

/* The first `lanes` < VLEN of a vector: no operand is read beyond them. */
ALWAYS_INLINE vec steps_apply_first(const struct step *step, vec v, struct step_place place,
                                    long lanes)
{
    for (; step->kind != STEP_END; step++)
        if (step_is_binary(step->kind))
            steps_apply_binary(step, &v, 1, place, lanes);
        else
            steps_apply_unary(step, &v, 1);
    return v;
}

/* Rows of whole vectors, in place, `pitch` apart as are those of operands by element. The first
 * element stands at `place`. */
struct steps_block {
    real *at;
    long pitch, rows, columns;
    struct step_place place;
};

/* Elements of a block: a step finds in L1 what the one before left there. */
enum { STEPS_BLOCK = 8192 / REAL_BYTES };

/* x, and y of the operand, if any, are vector `column` of `row`. */
#define STEPS_VECTOR(row, column, operand, ...)                                                    \
    {                                                                                              \
        const long r = (row), c = (column);                                                        \
        const vec x = vec_load(at + r * pitch + c), y = operand;                                   \
        (void)y;                                                                                   \
        vec_store(at + r * pitch + c, __VA_ARGS__);                                                \
    }
/* Each vector of a block, four at a time along the rows or, of rows that have fewer, across. */
#define STEPS_EACH(operand, ...)                                                                   \
    if (columns < 4 * VLEN) {                                                                      \
        for (long j = 0; j < columns; j += VLEN) {                                                 \
            long i = 0;                                                                            \
            for (; i + 4 <= rows; i += 4)                                                          \
                UNROLL(4)                                                                          \
            for (int k = 0; k < 4; k++)                                                            \
                STEPS_VECTOR(i + k, j, operand, __VA_ARGS__)                                       \
            for (; i < rows; i++)                                                                  \
                STEPS_VECTOR(i, j, operand, __VA_ARGS__)                                           \
        }                                                                                          \
    } else {                                                                                       \
        for (long i = 0; i < rows; i++) {                                                          \
            long j = 0;                                                                            \
            for (; j + 4 * VLEN <= columns; j += 4 * VLEN)                                         \
                UNROLL(4)                                                                          \
            for (int k = 0; k < 4; k++)                                                            \
                STEPS_VECTOR(i, j + k * VLEN, operand, __VA_ARGS__)                                \
            for (; j < columns; j += VLEN)                                                         \
                STEPS_VECTOR(i, j, operand, __VA_ARGS__)                                           \
        }                                                                                          \
    }

/* One step. */
static inline void steps_apply_block(const struct step *step, const struct steps_block *block)
{
    const vec a = vec_all((real)step->a), b = vec_all((real)step->b);
    const bool by_row = step->span == SPAN_row, by_column = step->span == SPAN_column;
    const long pitch = block->pitch, rows = block->rows, columns = block->columns;
    const long next = by_column ? 0 : pitch;
    real *const at = block->at;
    const real *from = step->operand;
    if (step_is_binary(step->kind))
        from += by_row ? block->place.row : by_column ? block->place.column : block->place.element;
    switch (step->kind) {
#define X(name, ...)                                                                               \
    case STEP_##name:                                                                              \
        if (by_row) {                                                                              \
            STEPS_EACH(vec_all(from[r]), __VA_ARGS__)                                              \
        } else {                                                                                   \
            STEPS_EACH(vec_load(from + r * next + c), __VA_ARGS__)                                 \
        }                                                                                          \
        break;
        STEP_BINARY_LIST(X)
#undef X
#define X(name, ...)                                                                               \
    case STEP_##name:                                                                              \
        STEPS_EACH(a, __VA_ARGS__)                                                                 \
        break;
        STEP_UNARY_LIST(X)
#undef X
    default:
        break;
    }
}
#undef STEPS_VECTOR
#undef STEPS_EACH

/* A simple step of a register tile, rows x vectors of them, constants; vector j of row i is
 * v[i * pitch + j]. The first stands at `place`; in the output rows are `distance` elements apart,
 * vectors `apart`. False, and nothing is done, where the step is not simple. */
ALWAYS_INLINE bool steps_apply_simple(const struct step *step, vec *v, const int rows,
                                      const int vectors, const int pitch, struct step_place place,
                                      long distance, long apart)
{
    const bool by_row = step->span == SPAN_row, by_column = step->span == SPAN_column;
    const vec a = vec_all((real)step->a), b = vec_all((real)step->b);
    const real *operand = step->operand;
    if (step_is_binary(step->kind))
        operand += by_row ? place.row : by_column ? place.column : place.element;
    if (by_column) { /* operands of columns are neighbours */
        distance = 0;
        apart = VLEN;
    }
    switch (step->kind) {
#define EACH_VECTOR(other, ...)                                                                    \
    UNROLL(16)                                                                                     \
    for (int i = 0; i < rows; i++)                                                                 \
        UNROLL(16)                                                                                 \
    for (int j = 0; j < vectors; j++) {                                                            \
        const vec x = v[i * pitch + j], y = other;                                                 \
        (void)y;                                                                                   \
        v[i * pitch + j] = __VA_ARGS__;                                                            \
    }
#define X(name, ...)                                                                               \
    case STEP_##name:                                                                              \
        if (by_row) {                                                                              \
            EACH_VECTOR(vec_all(operand[i]), __VA_ARGS__)                                          \
        } else {                                                                                   \
            EACH_VECTOR(vec_load(operand + i * distance + j * apart), __VA_ARGS__)                 \
        }                                                                                          \
        return true;
        STEP_SIMPLE_BINARY_LIST(X)
#undef X
#define X(name, ...)                                                                               \
    case STEP_##name:                                                                              \
        EACH_VECTOR(a, __VA_ARGS__)                                                                \
        return true;
        STEP_SIMPLE_LIST(X)
#undef X
#undef EACH_VECTOR
    default:
        return false;
    }
}

/* The simple steps that a list begins with; the rest of the list. */
ALWAYS_INLINE const struct step *steps_apply_tile(const struct step *step, vec *v, const int rows,
                                                  const int vectors, const int pitch,
                                                  struct step_place place, long distance,
                                                  long apart)
{
    while (steps_apply_simple(step, v, rows, vectors, pitch, place, distance, apart))
        step++;
    return step;
}

#endif
