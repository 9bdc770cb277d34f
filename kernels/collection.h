// collection.h - shapes that belong together, such as the layers of a network:
// kernels/shapes/*.txt.
#ifndef ROOFLINE_COLLECTION_H
#define ROOFLINE_COLLECTION_H

#include <stdbool.h>

#include "embedded.h"
#include "error.h"

enum { COLLECTION_SHAPES_MAX = 192, COLLECTION_SOURCES_MAX = 4, COLLECTION_TEXT_MAX = 160 };

/* A line of a collection. */
struct collected {
    char kernel[32];
    char shape[COLLECTION_TEXT_MAX]; /* as `--shape` takes it */
    char name[48];                   /* of the layer; no blank in it */
    long count;                      /* how often it occurs */
};

/* Self-contained: nothing to free. */
struct collection {
    char name[64]; /* file name without .txt */
    char title[160];
    char source[COLLECTION_SOURCES_MAX][200];
    int source_count;
    struct collected shape[COLLECTION_SHAPES_MAX];
    int shape_count;
};

/* Reads `# title:` and `# source:` lines and lines "kernel shape name count". FAULT_USAGE with name
 * and line for a missing title or source, an unknown kernel, a shape that it does not take, a name
 * or shape given twice, a count below 1. */
int collection_parse(struct collection *collection, const char *name, const char *text,
                     struct error *error);

/* Reads what an argument "@name" or "@name,letter=value,..." names. An unknown name is FAULT_USAGE
 * and the message lists the known ones. */
int collection_read(struct collection *collection, const char *argument, struct error *error);

/* The shape with the letters that the argument gives instead of its own: "@name,n=16" is a batch of
 * 16. FAULT_USAGE when it becomes too long. */
int collection_shape(const struct collected *collected, const char *argument,
                     char text[COLLECTION_TEXT_MAX], struct error *error);

/* Whether the collection has a shape of that kernel. */
bool collection_has(const struct collection *collection, const char *kernel);

#endif
