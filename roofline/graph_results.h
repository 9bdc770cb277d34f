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

/* What all rows of graph.csv share. */
struct graph_extent {
    double threads; /* the most of any node */
    bool sweeps;    /* several batch sizes */
};
struct graph_extent graph_extent_of(const struct table *rows);

/* "whole graph", in a sweep "whole graph, batch 4". */
void graph_whole_format(const struct graph_extent *extent, double batch, char *text,
                        size_t capacity);

/* Without the domain: an operator that became a fused one stands in one row with it. */
const char *graph_plain_op(const char *op);

#endif
