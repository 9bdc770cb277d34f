// node_measurement.c - the columns of graph.csv: those of bench.csv, and where in a graph.
#include "node_measurement.h"

#include <assert.h>

#define FIELD(name, type, size, meaning)                                                           \
    {#name, type, offsetof(struct node_measurement, name), size, meaning},
#define TEXT(name, capacity, meaning)                                                              \
    {#name, FIELD_TEXT, offsetof(struct node_measurement, measured.name), capacity, meaning},
#define REAL(name, unit, meaning)                                                                  \
    {#name, FIELD_REAL, offsetof(struct node_measurement, measured.name), sizeof(double),          \
     unit ": " meaning},
static const struct field fields[] = {
#include "measurement.def"
#undef TEXT
#undef REAL
#define TEXT(name, capacity, meaning) FIELD(name, FIELD_TEXT, capacity, meaning)
#define REAL(name, unit, meaning) FIELD(name, FIELD_REAL, sizeof(double), unit ": " meaning)
#include "placement.def"
#undef TEXT
#undef REAL
};

const struct schema node_measurement_schema = {
    .name = "graph",
    .version = 1,
    .fields = fields,
    .field_count = sizeof fields / sizeof *fields,
    .row_bytes = sizeof(struct node_measurement),
};

struct node_measurement *table_node_measurement(const struct table *table, size_t i)
{
    assert(table->schema == &node_measurement_schema);
    return table_row(table, i);
}
