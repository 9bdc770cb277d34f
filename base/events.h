// events.h - which hardware events make up FLOP and bytes on this CPU: base/events/*.txt.
#ifndef ROOFLINE_EVENTS_H
#define ROOFLINE_EVENTS_H

#include <stddef.h>

#include "error.h"
#include "identity.h"
#include "isa.h"

enum { RECIPE_TERMS_MAX = 6 };

/* A weighted sum of events that are counted together; none where nothing is known. */
struct recipe {
    struct event_term {
        char event[80]; /* as PAPI names it: a preset or a native one */
        double weight;
    } term[RECIPE_TERMS_MAX];
    int term_count;
};

/* The table of this CPU's family, NULL where there is none. */
const char *events_table(const struct identity *cpu);

/* The next line of the table for "flops" or "bytes" in that format; *table moves behind it. OK,
 * SKIPPED when there is none left, FAULT_USAGE for a line that is no recipe. */
int events_next(struct recipe *recipe, const char **table, const char *quantity, enum dtype dtype,
                struct error *error);

/* "EVENT" or "4 EVENT + 8 EVENT". */
void recipe_format(const struct recipe *recipe, char *text, size_t capacity);

/* Readings in the order of the terms. */
double recipe_sum(const struct recipe *recipe, const long long *readings);

#endif
