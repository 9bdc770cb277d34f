// node_measurement.h - a row of graph.csv: what one node of an operator graph took.
#ifndef ROOFLINE_NODE_MEASUREMENT_H
#define ROOFLINE_NODE_MEASUREMENT_H

#include "table.h"

#define TEXT(name, capacity, meaning) char name[capacity];
#define REAL(name, unit, meaning) double name;
struct node_measurement {
    struct measurement measured; /* of all launches of the node together */
#include "placement.def"
};
#undef TEXT
#undef REAL

extern const struct schema node_measurement_schema;

/* Row i of such a table, borrowed. */
struct node_measurement *table_node_measurement(const struct table *table, size_t i);

#endif
