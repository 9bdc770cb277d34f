// library.h - shared libraries that a machine may have: opened while running, nothing is linked.
#ifndef ROOFLINE_LIBRARY_H
#define ROOFLINE_LIBRARY_H

#include <stddef.h>

#include "error.h"

/* A function that is looked up, and where in a table of pointers its address goes. Rows end with a
 * NULL name. */
struct library_function {
    const char *name;
    size_t offset;
};

struct opened_library;

struct library {
    const char *name;         /* "OpenBLAS" */
    const char *const *files; /* NULL-ended; the first that can be loaded */
    const char *package;      /* that has it, of Debian */
    /* Looks at version and ABI before anything else is called; fills in the version. SKIPPED with
     * the reason where it is not what the callers were written for. */
    int (*check)(struct opened_library *opened, struct error *error);
};

/* It stays loaded: threads that it started may not lose their code. So there is nothing to close,
 * and opening it again is cheap. */
struct opened_library {
    const struct library *library;
    const char *file; /* which of the files; borrowed from the library */
    void *handle;
    char version[96]; /* "OpenBLAS 0.3.21, OpenMP, SkylakeX" */
};

/* Loads and checks it. SKIPPED with a reason where it is absent, broken or of another ABI. To be
 * called where the calling thread may use all units (team_spread()): libraries count them while
 * they are loaded, and the threads that they start stay where their creator was. */
int library_open(const struct library *library, struct opened_library *opened, struct error *error);

/* Fills a table of pointers to functions. SKIPPED naming the first that the library has not. */
int library_find(const struct opened_library *opened, const struct library_function *wanted,
                 void *table, struct error *error);

#endif
