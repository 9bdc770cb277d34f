// epilogue.c - what may follow a product or a convolution.
#include "epilogue.h"

#ifndef ISA

#include <math.h>

#define ONE_STEP(...)                                                                              \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define BIAS ONE_STEP(.kind = STEP_add, .span = SPAN_column)
#define FACTOR ONE_STEP(.kind = STEP_mul, .span = SPAN_column)
#define SLOPE ONE_STEP(.kind = STEP_prelu, .span = SPAN_column)
#define LOW ONE_STEP(.kind = STEP_max, .span = SPAN_column)
#define HIGH ONE_STEP(.kind = STEP_min, .span = SPAN_column)
#define ADDEND ONE_STEP(.kind = STEP_add, .span = SPAN_element)
#define GATE ONE_STEP(.kind = STEP_mul, .span = SPAN_element)
#define CLIP_TO(high) ONE_STEP(.kind = STEP_clip, .a = 0, .b = high)
#define LEAKY_RELU ONE_STEP(.kind = STEP_leaky_relu, .a = 0.01)
#define RELU ONE_STEP(.kind = STEP_relu)
#define HARDSWISH ONE_STEP(.kind = STEP_hardswish)
#define SILU ONE_STEP(.kind = STEP_silu)
#define GELU ONE_STEP(.kind = STEP_gelu)
#define GELU_TANH ONE_STEP(.kind = STEP_gelu_tanh)
#define SIGMOID ONE_STEP(.kind = STEP_sigmoid)
#define TANH ONE_STEP(.kind = STEP_tanh)
#define MISH ONE_STEP(.kind = STEP_mish)
static const struct step epilogues[][EPILOGUE_STEPS] = {
#define X(name, ...) {__VA_ARGS__},
    EPILOGUE_LIST(X)
#undef X
};

const char *const epilogue_words[] = {
#define X(name, ...) #name,
    EPILOGUE_LIST(X)
#undef X
        NULL};

void epilogue_steps(const struct call *call, enum epilogue epilogue, int first,
                    enum step_span channels, struct step step[EPILOGUE_STEPS])
{
    for (int i = 0; i < EPILOGUE_STEPS; i++) {
        step[i] = epilogues[epilogue][i];
        if (!step_is_binary(step[i].kind))
            continue;
        step[i].operand = call->operand[first++];
        if (step[i].span == SPAN_column)
            step[i].span = channels;
    }
}

const struct step *epilogue_pattern(enum epilogue epilogue)
{
    return epilogues[epilogue];
}

double epilogue_flops(enum epilogue epilogue)
{
    int count = 0;
    while (epilogues[epilogue][count].kind != STEP_END)
        count++;
    return count;
}

static double length_of(const struct step *step, double channels, double outputs)
{
    return !step_is_binary(step->kind) ? 0 : step->span == SPAN_element ? outputs : channels;
}

double epilogue_elements(enum epilogue epilogue, double channels, double outputs)
{
    double elements = 0;
    for (const struct step *s = epilogues[epilogue]; s->kind != STEP_END; s++)
        elements += length_of(s, channels, outputs);
    return elements;
}

int epilogue_operands(enum epilogue epilogue, double channels, double outputs, double depth,
                      struct operand *operand, int count)
{
    for (const struct step *s = epilogues[epilogue]; s->kind != STEP_END; s++) {
        const double elements = length_of(s, channels, outputs);
        if (s->kind == STEP_mul)
            operand[count++] =
                reals(s->span == SPAN_element ? "gate" : "factor", ROLE_INPUT, elements, 0.5, 1.5);
        else if (s->kind == STEP_prelu)
            operand[count++] = reals("slope", ROLE_INPUT, elements, -0.5, 0.5);
        else if (s->kind == STEP_max)
            operand[count++] = reals("low", ROLE_INPUT, elements, -depth / 4, 0);
        else if (s->kind == STEP_min)
            operand[count++] = reals("high", ROLE_INPUT, elements, depth / 8, depth / 4);
        else if (step_is_binary(s->kind) && s->span == SPAN_element)
            operand[count++] = reals("addend", ROLE_INPUT, elements, -depth / 2, depth / 2);
        else if (step_is_binary(s->kind))
            operand[count++] = reals("bias", ROLE_INPUT, elements, -1.5 * depth, depth / 2);
    }
    return count;
}

double epilogue_tolerance(enum epilogue epilogue, double depth)
{
    double factor = epilogue == EPILOGUE_none ? 1 : 4;
    for (const struct step *s = epilogues[epilogue]; s->kind != STEP_END; s++)
        if (s->kind == STEP_sigmoid || s->kind == STEP_tanh)
            factor = fmax(factor, 4 * (1 + depth));
        else if (s->kind == STEP_clip)
            factor = fmax(factor, 4 * (1 + depth / s->b));
        else if (s->kind == STEP_min)
            factor = fmax(factor, 4 * 8);
    return factor;
}

int epilogue_none(long epilogue, struct error *error)
{
    if (epilogue != EPILOGUE_none)
        return error_skip(error, "it has no epilogues; choose epilogue=none");
    return OK;
}

#else
#include "steps_apply.h"
#include "vec.h"
#include "vec_math.h"

enum { TOGETHER = 4 };

/* `rows` x `vectors`, constants where this is inlined and at most TOGETHER, from (row, column) of
 * the block on: what a step is gets decided once for all of them. */
ALWAYS_INLINE void apply_together(const int rows, const int vectors, const struct step *step,
                                  const struct epilogue_block *block, long row, long column)
{
    const long pitch = block->pitch, first = row * pitch + column;
    real *at = (real *)block->out + first;
    vec v[TOGETHER], y[TOGETHER];
    UNROLL(TOGETHER)
    for (int i = 0; i < rows; i++)
        UNROLL(TOGETHER)
    for (int j = 0; j < vectors; j++)
        v[i * vectors + j] = vec_load(at + i * pitch + j * VLEN);
    for (; step->kind != STEP_END; step++) {
        if (!step_is_binary(step->kind)) {
            steps_apply_unary(step, v, rows * vectors);
            continue;
        }
        /* Rows of the operand are as far apart as those of the block, or the same one. */
        const struct step_place place = block->place;
        const bool element = step->span == SPAN_element, by_row = step->span == SPAN_row;
        const real *operand = (const real *)step->operand + (element  ? place.element + first
                                                             : by_row ? place.row + row
                                                                      : place.column + column);
        UNROLL(TOGETHER)
        for (int i = 0; i < rows; i++)
            UNROLL(TOGETHER)
        for (int j = 0; j < vectors; j++)
            y[i * vectors + j] = by_row ? vec_all(operand[i])
                                        : vec_load(operand + (element ? i * pitch : 0) + j * VLEN);
        steps_combine(step, v, y, rows * vectors);
    }
    UNROLL(TOGETHER)
    for (int i = 0; i < rows; i++)
        UNROLL(TOGETHER)
    for (int j = 0; j < vectors; j++)
        vec_store(at + i * pitch + j * VLEN, v[i * vectors + j]);
}

/* The last columns of a row, fewer than a vector. */
static void apply_last(const struct step *step, const struct epilogue_block *block, long row,
                       long column)
{
    const long lanes = block->columns - column, first = row * block->pitch + column;
    const struct step_place place = {block->place.row + row, block->place.column + column,
                                     block->place.element + first};
    real *at = (real *)block->out + first;
    vec_store_first(at, steps_apply_first(step, vec_load_first(at, lanes), place, lanes), lanes);
}

void NAME(epilogue_apply)(const struct step *step, struct epilogue_block block)
{
    const long whole = block.columns / VLEN * VLEN;
    long row = 0;
    for (; row + TOGETHER <= block.rows; row += TOGETHER)
        for (long column = 0; column < whole; column += VLEN)
            apply_together(TOGETHER, 1, step, &block, row, column);
    for (; row < block.rows; row++) {
        long column = 0;
        for (; column + TOGETHER * VLEN <= whole; column += TOGETHER * VLEN)
            apply_together(1, TOGETHER, step, &block, row, column);
        for (; column < whole; column += VLEN)
            apply_together(1, 1, step, &block, row, column);
    }
    for (row = 0; row < block.rows && whole < block.columns; row++)
        apply_last(step, &block, row, whole);
}

#endif
