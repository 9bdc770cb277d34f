// peers_onnxruntime.h - ONNX Runtime as somebody who runs whole models, beside our executor.
#ifndef ROOFLINE_PEERS_ONNXRUNTIME_H
#define ROOFLINE_PEERS_ONNXRUNTIME_H

#include "graph.h"
#include "library.h"

struct onnxruntime; /* a model ready to run */

/* Loads the library: the file that the environment variable ONNXRUNTIME names, else as the linker
 * finds it. SKIPPED with the reason where there is none. */
int onnxruntime_find(struct opened_library *opened, struct error *error);

/* Reads the model with all of the library's optimisations on; its pool has `threads` threads, with
 * the caller. To be called where the caller may use all units (team_spread()). onnxruntime_close().
 * SKIPPED with the library's words where it refuses the model. */
int onnxruntime_open(const struct opened_library *opened, const char *path, int threads,
                     struct onnxruntime **session, struct error *error);
void onnxruntime_close(struct onnxruntime *session); /* NULL: nothing */

/* What run() reads and writes: dense f32 arrays by the names of the model's inputs and outputs.
 * Names and inputs are borrowed until onnxruntime_close(). */
int onnxruntime_bind(struct onnxruntime *session, const char *const *input_names,
                     const struct array *inputs, int input_count, const char *const *output_names,
                     int output_count, struct error *error);

/* One run. */
int onnxruntime_run(struct onnxruntime *session, struct error *error);

/* Output i of the last run; borrowed until the next one. */
int onnxruntime_output(struct onnxruntime *session, int i, const float **values,
                       struct error *error);

#endif
