// graph_file.h - files of a model in memory, from which a graph's constants are borrowed.
#ifndef ROOFLINE_GRAPH_FILE_H
#define ROOFLINE_GRAPH_FILE_H

#include <stddef.h>

#include "graph.h"

/* A file that is mapped, not read: what nobody looks at takes no memory. */
struct graph_file {
    struct graph_file *next;
    const char *path; /* of the graph's arena */
    const unsigned char *bytes;
    size_t length;
};

/* The file's bytes, mapped until graph_free() and once however often it is asked for; borrowed.
 * FAULT_IO where it cannot be opened, is no regular file, or is empty. */
int graph_map(struct graph *graph, const char *path, const struct graph_file **file,
              struct error *error);

#endif
