// epilogue.c - what may follow a product or a convolution.
#include "epilogue.h"

#ifndef ISA

#define BIAS                                                                                       \
    {                                                                                              \
        .kind = STEP_add, .span = SPAN_column                                                      \
    }
#define FACTOR                                                                                     \
    {                                                                                              \
        .kind = STEP_mul, .span = SPAN_column                                                      \
    }
#define ADDEND                                                                                     \
    {                                                                                              \
        .kind = STEP_add, .span = SPAN_element                                                     \
    }
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
            operand[count++] = reals("factor", ROLE_INPUT, elements, 0.5, 1.5);
        else if (step_is_binary(s->kind) && s->span == SPAN_element)
            operand[count++] = reals("addend", ROLE_INPUT, elements, -depth / 2, depth / 2);
        else if (step_is_binary(s->kind))
            operand[count++] = reals("bias", ROLE_INPUT, elements, -1.5 * depth, depth / 2);
    }
    return count;
}

double epilogue_tolerance(enum epilogue epilogue, double depth)
{
    return epilogue == EPILOGUE_none         ? 1
           : epilogue == EPILOGUE_bias_relu6 ? 4 * (1 + depth / 6)
                                             : 4;
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

/* The operand's elements that meet those of the block at (row, column). */
ALWAYS_INLINE vec operand_at(const struct step *step, const struct epilogue_block *block, long row,
                             long column, long lanes)
{
    const struct step_place place = {block->place.row + row, block->place.column + column,
                                     block->place.element + row * block->pitch + column};
    vec operand;
    steps_load(step, &operand, 1, place, lanes);
    return operand;
}

/* Step by step over the whole block, which L1 holds, so that what a step is gets decided once. */
#define EACH_VECTOR(assignments, ...)                                                              \
    for (long row = 0; row < block.rows; row++)                                                    \
        for (long column = 0; column < block.columns; column += VLEN) {                            \
            real *at = (real *)block.out + row * block.pitch + column;                             \
            const long rest = block.columns - column, lanes = rest < VLEN ? rest : VLEN;           \
            const vec x = lanes == VLEN ? vec_load(at) : vec_load_first(at, lanes);                \
            assignments;                                                                           \
            if (lanes == VLEN)                                                                     \
                vec_store(at, __VA_ARGS__);                                                        \
            else                                                                                   \
                vec_store_first(at, __VA_ARGS__, lanes);                                           \
        }

void NAME(epilogue_apply)(const struct step *step, struct epilogue_block block)
{
    for (; step->kind != STEP_END; step++) {
        const vec a = vec_all((real)step->a), b = vec_all((real)step->b);
        (void)a;
        (void)b;
        switch (step->kind) {
#define X(name, ...)                                                                               \
    case STEP_##name:                                                                              \
        EACH_VECTOR(const vec y = operand_at(step, &block, row, column, lanes), __VA_ARGS__)       \
        break;
            STEP_BINARY_LIST(X)
#undef X
#define X(name, ...)                                                                               \
    case STEP_##name:                                                                              \
        EACH_VECTOR(, __VA_ARGS__)                                                                 \
        break;
            STEP_UNARY_LIST(X)
#undef X
        default:
            break;
        }
    }
}

#endif
