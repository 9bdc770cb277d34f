// graph_file.h - files of a model in memory, from which a graph's constants are borrowed.
#ifndef ROOFLINE_GRAPH_FILE_H
#define ROOFLINE_GRAPH_FILE_H

#include <stddef.h>

#include "graph.h"

/* What a graph releases when it is freed, besides its arena. */
struct graph_holding {
    struct graph_holding *next;
    void (*release)(struct graph_holding *holding);
    const char *path; /* of a file that is mapped, of the arena; else NULL */
    void *bytes;
    size_t length;
};

/* A file that is mapped, not read: what nobody looks at takes no memory. */
struct mapping {
    const unsigned char *bytes;
    size_t length;
};

/* FAULT_IO where it cannot be opened, is no regular file, or is empty. */
int mapping_open(struct mapping *mapping, const char *path, struct error *error);
void mapping_close(struct mapping *mapping);

/* The file's bytes, mapped until graph_free() and once however often it is asked for; borrowed. */
int graph_map(struct graph *graph, const char *path, struct mapping *mapping, struct error *error);

/* `release` is called with `bytes` when the graph is freed, or now where this fails. */
int graph_hold(struct graph *graph, void (*release)(struct graph_holding *), void *bytes,
               struct error *error);

#endif
