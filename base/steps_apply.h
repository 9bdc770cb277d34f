// steps_apply.h - lists of steps applied to vectors in registers. For ISA bodies.
//
// An epilogue: load or keep `count` vectors of one output row in an array, steps_apply(), store
// them; the last lanes of a row, fewer than a vector, by steps_apply_first(). What a step is gets
// decided once per call, for all its vectors, so count is best as large as the registers allow: 4
// with 16, 8 with 32.
#ifndef ROOFLINE_STEPS_APPLY_H
#define ROOFLINE_STEPS_APPLY_H

#include "steps.h"
#include "vec.h"
#include "vec_math.h"

/* The operand's elements that meet `count` vectors at `place`; of the last lanes only `lanes`. */
ALWAYS_INLINE void steps_load(const struct step *step, vec *y, const int count,
                              struct step_place place, const long lanes)
{
    const real *operand = step->operand;
    if (step->span == SPAN_row) {
        UNROLL(16)
        for (int j = 0; j < count; j++)
            y[j] = vec_all(operand[place.row]);
        return;
    }
    operand += step->span == SPAN_column ? place.column : place.element;
    UNROLL(16)
    for (int j = 0; j < count; j++)
        y[j] = lanes == VLEN ? vec_load(operand + j * VLEN) : vec_load_first(operand, lanes);
}

/* A binary step, whose operand's elements are in `operand`. */
ALWAYS_INLINE void steps_combine(const struct step *step, vec *v, const vec *operand,
                                 const int count)
{
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

ALWAYS_INLINE void steps_apply_binary(const struct step *step, vec *v, const int count,
                                      struct step_place place, const long lanes)
{
    vec operand[16];
    steps_load(step, operand, count, place, lanes);
    steps_combine(step, v, operand, count);
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

#endif
