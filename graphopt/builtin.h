// builtin.h - graphs that need no file: blocks of networks that people know, at the sizes of the
// papers that describe them.
//
// Each is a text of graphs/ in the form of graph_text.h that travels inside the program, with named
// weights. How many items it takes at once is the dim 'batch', which whoever uses the graph binds.
#ifndef ROOFLINE_BUILTIN_H
#define ROOFLINE_BUILTIN_H

#include "graph.h"

/* What a builtin graph calls the number of its items. */
#define BUILTIN_BATCH "batch"

/* Name of builtin graph i, "resnet-block"; NULL behind the last one. */
const char *builtin_name(int i);

/* What it is and where its sizes come from: the first line of its text, borrowed from the program;
 * `length` without the line's end. NULL where there is none of that name. */
const char *builtin_summary(const char *name, int *length);

/* Initialises `graph` for `batch` items at once; 0 leaves that open. FAULT_USAGE with all names
 * where there is none of that name. graph_free() also after a failure. */
int builtin_graph(struct graph *graph, const char *name, long batch, struct error *error);

#endif
