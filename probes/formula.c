// formula.c - a product of labelled factors: its value and its printed text come from the same
// numbers.
#include "formula.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct factor *append(struct formula *formula, double number, double scale)
{
    assert(formula->count < FORMULA_FACTORS_MAX);
    struct factor *factor = &formula->factor[formula->count++];
    *factor = (struct factor){.number = number, .scale = scale};
    return factor;
}

void formula_times(struct formula *formula, double number, double scale, const char *label, ...)
{
    struct factor *factor = append(formula, number, scale);
    va_list arguments;
    va_start(arguments, label);
    vsnprintf(factor->label, sizeof factor->label, label, arguments);
    va_end(arguments);
}

void formula_count(struct formula *formula, double number, const char *noun)
{
    formula_times(formula, number, 1, "%s%s", noun, number == 1 ? "" : "s");
}

void formula_over(struct formula *formula, double number, const char *label)
{
    struct factor *factor = append(formula, number, 1);
    factor->divides = true;
    snprintf(factor->label, sizeof factor->label, "%s", label);
}

double formula_value(const struct formula *formula)
{
    double value = formula->count ? 1 : NAN;
    for (int i = 0; i < formula->count; i++) {
        const struct factor *factor = &formula->factor[i];
        double worth = factor->number * factor->scale;
        value = factor->divides ? value / worth : value * worth;
    }
    return value;
}

void formula_text(const struct formula *formula, double scale, const char *unit, char *text,
                  size_t capacity)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < formula->count && used < capacity; i++) {
        const struct factor *factor = &formula->factor[i];
        used += (size_t)snprintf(text + used, capacity - used, "%s%.10g%s%s",
                                 i == 0            ? ""
                                 : factor->divides ? " / "
                                                   : " x ",
                                 factor->number, factor->label[0] ? " " : "", factor->label);
    }
    char result[64];
    int length = snprintf(result, sizeof result, "%.1f", formula_value(formula) / scale);
    if (length > 2 && strcmp(result + length - 2, ".0") == 0)
        result[length - 2] = 0;
    if (used < capacity)
        snprintf(text + used, capacity - used, " = %s %s", result, unit);
}
