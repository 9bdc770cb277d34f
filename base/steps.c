// steps.c - the reference of steps: one double at a time.
#include "steps.h"

#include "kernel.h"
#include "plain_math.h"

double steps_value(const struct step *step, enum dtype dtype, double x, struct step_place place)
{
    for (; step->kind != STEP_END; step++) {
        const double a = step->a, b = step->b;
        const long index = step->span == SPAN_row      ? place.row
                           : step->span == SPAN_column ? place.column
                                                       : place.element;
        const double y = step_is_binary(step->kind) ? real_at(step->operand, dtype, index) : 0;
        switch (step->kind) {
#define X(name, ...)                                                                               \
    case STEP_##name:                                                                              \
        x = __VA_ARGS__;                                                                           \
        break;
            STEP_BINARY_LIST(X)
            STEP_UNARY_LIST(X)
#undef X
        default:
            break;
        }
    }
    return x;
}
