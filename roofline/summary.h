// summary.h - what measurements mean: rates, intensity, bound and fraction of roof, one row each.
#ifndef ROOFLINE_SUMMARY_H
#define ROOFLINE_SUMMARY_H

#include "model.h"
#include "table.h"

/* Prefixes stand where people read: in the columns named g..., nowhere else. */
#define GIGA 1e9

/* A row of summary.csv. */
struct summary {
#define KEY_TEXT(name, capacity, meaning) char name[capacity];
#define KEY_REAL(name, unit, meaning) double name;
#define COLUMN_TEXT(name, capacity, formula, meaning) char name[capacity];
#define COLUMN_REAL(name, unit, formula, meaning) double name;
#include "columns.def"
#undef KEY_TEXT
#undef KEY_REAL
#undef COLUMN_TEXT
#undef COLUMN_REAL
};

extern const struct schema summary_schema;

/* The derived columns of one measurement; of one that is not ok only the keys. */
void summary_of(struct summary *summary, const struct table *machine,
                const struct measurement *row);

/* One row per measurement, in order, with the measurements' provenance. `summary` must be
 * initialised. */
int summary_build(struct table *summary, const struct table *machine, const struct table *bench,
                  struct error *error);

/* Row i of a summary table, borrowed. */
struct summary *table_summary(const struct table *table, size_t i);

/* The files of a results directory. */
struct results {
    struct table machine, bench, summary; /* owned */
    struct table nodes;                   /* owned: graph.csv; empty where there is none */
    struct table before; /* owned: a summary of what graphs took before their passes
                            (graph_results.h); empty where there are none */
};

/* Without rows. */
void results_init(struct results *results);

/* Reads machine.csv, bench.csv and graph.csv and derives the summary of bench.csv. Some of the
 * files may be absent (only probed, only benchmarked: no roofs), not all. FAULT_IO otherwise.
 * results_free is due in every case. */
int results_read(struct results *results, const char *directory, struct error *error);
void results_free(struct results *results);

/* The value of "# key: value" in a table's provenance, cut to capacity; "" and false when it is not
 * there. */
bool provenance_value(const struct table *table, const char *key, char *value, size_t capacity);

#endif
