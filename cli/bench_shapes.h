// bench_shapes.h - what `--shape` asks for: letters, or a collection by its name.
#ifndef ROOFLINE_BENCH_SHAPES_H
#define ROOFLINE_BENCH_SHAPES_H

#include "collection.h"
#include "kernel.h"

/* A shape that one kernel is to run. */
struct asked_shape {
    char text[COLLECTION_TEXT_MAX];
    bool alone; /* asked for by its letters: the user wants just this one */
};

/* The shapes of one kernel, in order. */
struct asked_shapes {
    struct asked_shape *shape; /* owned */
    int count, capacity;
};

/* `arguments`, NULL-ended, are those of `--shape`; without any, the kernel's own list. Those of
 * collections are taken where they are of this kernel; FAULT_USAGE when that leaves nothing, or
 * for an unknown collection. asked_shapes_free() is due in every case. */
int asked_shapes_of(struct asked_shapes *shapes, const struct kernel *kernel,
                    const char *const *arguments, struct error *error);
void asked_shapes_free(struct asked_shapes *shapes);

/* Whether the arguments name a collection, and with it kernels. */
bool asked_for_collection(const char *const *arguments);

/* Whether one of the collections that the arguments name has a shape of the kernel: *named. */
int asked_for_kernel(const struct kernel *kernel, const char *const *arguments, bool *named,
                     struct error *error);

#endif
