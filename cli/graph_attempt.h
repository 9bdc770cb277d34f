// graph_attempt.h - a launch of a graph, or an operator's plain loops, by itself: on values of its
// own, which lie as far away as the graph's would.
#ifndef ROOFLINE_GRAPH_ATTEMPT_H
#define ROOFLINE_GRAPH_ATTEMPT_H

#include "executor.h"
#include "memory.h"

/* What attempts share. */
struct attempts {
    const struct host *host; /* borrowed */
    enum isa isa;            /* the best that kernels may use */
    struct memory elsewhere; /* what is touched between two uses, and where copies lie */
    double elsewhere_bytes;  /* farther than this nothing is, or nothing is left in any cache */
};

/* For uses that lie at most `farthest_bytes` apart. The host is borrowed until attempts_close(),
 * its team must be pinned. */
int attempts_open(struct attempts *attempts, const struct host *host, enum isa isa,
                  double farthest_bytes, struct error *error);
void attempts_close(struct attempts *attempts);

/* So many samples at most are taken at a time. */
enum { ATTEMPT_SAMPLES = 3 };

/* Seconds of single calls of that launch; how many, 0 where it cannot run by itself. */
int attempt_launch(const struct attempts *attempts, const struct executor_node *node, int launch,
                   double seconds[ATTEMPT_SAMPLES]);

/* The same of evaluations of a node that runs in plain loops. Operands that are not known are reals
 * in [-1, 1), or zeros. */
int attempt_loops(const struct executor_node *node, double seconds[ATTEMPT_SAMPLES]);

#endif
