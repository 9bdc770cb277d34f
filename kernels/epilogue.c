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
#include "lengths.h"
#include "steps_apply.h"
#include "vec.h"

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

/* Whole vectors of rows that L1 holds, in place. */
static void apply_whole(const struct step *step, const struct epilogue_block *block, long row,
                        long rows, long column, long columns)
{
    const long first = row * block->pitch + column;
    const struct steps_block whole = {.at = (real *)block->out + first,
                                      .pitch = block->pitch,
                                      .rows = rows,
                                      .columns = columns,
                                      .place = {block->place.row + row,
                                                block->place.column + column,
                                                block->place.element + first}};
    for (; step->kind != STEP_END; step++)
        steps_apply_block(step, &whole);
}

void NAME(epilogue_apply)(const struct step *step, struct epilogue_block block)
{
    const long whole = block.columns / VLEN * VLEN;
    /* Rows that are apart may fall into the same sets of L1, which has eight ways at least. */
    const long wide = smaller(whole, STEPS_BLOCK), most = wide > 0 ? STEPS_BLOCK / wide : 0;
    const long high = block.pitch > block.columns ? smaller(most, 8) : most;
    for (long row = 0; high > 0 && row < block.rows; row += high)
        for (long column = 0; column < whole; column += wide)
            apply_whole(step, &block, row, smaller(high, block.rows - row), column,
                        smaller(wide, whole - column));
    for (long row = 0; row < block.rows && whole < block.columns; row++)
        apply_last(step, &block, row, whole);
}

#endif
