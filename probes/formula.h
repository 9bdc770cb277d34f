// formula.h - a product of labelled factors: its value and its printed text come from the same
// numbers.
#ifndef ROOFLINE_FORMULA_H
#define ROOFLINE_FORMULA_H

#include <stdbool.h>
#include <stddef.h>

enum { FORMULA_FACTORS_MAX = 12 };

/* One factor as people write it, `number label`, worth number * scale. */
struct factor {
    double number;
    double scale; /* of the label's unit: 1e9 for GHz */
    char label[96];
    bool divides;
};

struct formula {
    struct factor factor[FORMULA_FACTORS_MAX];
    int count;
};

/* Appends "x number label". `label` is a printf format; "" prints the bare number. */
void formula_times(struct formula *formula, double number, double scale, const char *label, ...)
    __attribute__((format(printf, 4, 5)));

/* Appends "x number noun" with an s behind the noun unless the number is 1. */
void formula_count(struct formula *formula, double number, const char *noun);

/* Appends "/ number label". */
void formula_over(struct formula *formula, double number, const char *label);

/* The product in SI base units; NAN for no factors. */
double formula_value(const struct formula *formula);

/* "a x b / c = 1036.8 GFLOP/s": the result divided by `scale`, one decimal at most, then `unit`. */
void formula_text(const struct formula *formula, double scale, const char *unit, char *text,
                  size_t capacity);

#endif
