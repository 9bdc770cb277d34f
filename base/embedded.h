// embedded.h - files of the source tree that travel inside the program.
#ifndef ROOFLINE_EMBEDDED_H
#define ROOFLINE_EMBEDDED_H

/* A text file of the source tree. scripts/embed.sh writes the arrays. */
struct embedded_file {
    const char *name; /* file name without folder and extension; NULL ends the array */
    const char *text; /* the whole file, 0-terminated */
};

extern const struct embedded_file embedded_specs[];              /* probes/specs */
extern const struct embedded_file embedded_microarchitectures[]; /* probes/microarchitectures */
extern const struct embedded_file embedded_shapes[];             /* kernels/shapes */
extern const struct embedded_file embedded_events[];             /* base/events */
extern const struct embedded_file embedded_graphs[];             /* graphopt/graphs */

#endif
