// graph_digest.h - the operators of a graph before its passes and after them, as text.
#ifndef ROOFLINE_GRAPH_DIGEST_H
#define ROOFLINE_GRAPH_DIGEST_H

#include <stdio.h>

#include "table.h"

/* The rows of graph.csv summed up by operator, longest first, in lines of at most `columns`; of
 * several batch sizes the whole graphs. Nothing without rows. */
int graph_digest_print(const struct table *rows, int columns, FILE *out, struct error *error);

#endif
