// graph_results.h - what the operators of a graph took, before and after its passes, as rows that
// can be plotted.
#ifndef ROOFLINE_GRAPH_RESULTS_H
#define ROOFLINE_GRAPH_RESULTS_H

#include "summary.h"

/* Reads machine.csv (where there is one) and graph.csv of a directory: one row for each operator
 * after the passes, and one for the whole graph, each the sum of its nodes; of several batch sizes
 * one row for each whole graph. What they took before is results->before. SKIPPED where there is no
 * graph.csv. results_free() is due in every case. */
int graph_results_read(struct results *results, const char *directory, struct error *error);

/* The same of rows in memory; `results` must be initialised and hold its machine. */
int graph_results_build(struct results *results, const struct table *rows, struct error *error);

#endif
