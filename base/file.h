// file.h - files that are there whole or not at all, and folders for them.
#ifndef ROOFLINE_FILE_H
#define ROOFLINE_FILE_H

#include <stdio.h>

#include "error.h"

/* A file being written beside its final name. */
struct atomic_file {
    FILE *stream;         /* write here; owned by this struct */
    char path[1024];      /* the final name */
    char temporary[1056]; /* the name until then */
};

/* Opens a temporary file in the folder of `path`. */
int atomic_open(struct atomic_file *file, const char *path, struct error *error);

/* Flushes, fsyncs, renames and fsyncs the folder; on any failure the temporary is removed and the
 * old file stays. */
int atomic_commit(struct atomic_file *file, struct error *error);

/* Removes the temporary; the old file stays. */
void atomic_abandon(struct atomic_file *file);

/* mkdir -p. */
int directory_create(const char *path, struct error *error);

/* directory + "/" + name into path; FAULT_USAGE when it does not fit. */
int path_join(char *path, size_t capacity, const char *directory, const char *name,
              struct error *error);

/* Flushes stdout and reports what a full disk or a closed pipe swallowed. */
int stdout_commit(struct error *error);

#endif
