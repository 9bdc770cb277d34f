// peers.h - what the groups of `make perf-peers` share: rows of peers.csv, one group per file.
#ifndef ROOFLINE_PEERS_H
#define ROOFLINE_PEERS_H

#include <sys/types.h>

#include "cli.h"

/* Rows of peers.csv: TEXT(name, capacity, meaning) REAL(name, unit, meaning) */
#define PEER_COLUMNS                                                                               \
    TEXT(group, 16, "what ONLY= selects")                                                          \
    TEXT(work, 24, "kernel, unit mix, or level and operation")                                     \
    TEXT(shape, 160, "as in bench.csv, or bytes that all threads work on")                         \
    TEXT(dtype, 8, "as in bench.csv")                                                              \
    REAL(threads, "count", "that share the work")                                                  \
    TEXT(ours, 32, "our variant and its ISA")                                                      \
    REAL(ours_value, "unit", "median over the rounds")                                             \
    TEXT(peer, 48, "kernel of likwid-bench, variant that is a library's, or our copy or triad")    \
    REAL(peer_value, "unit", "median over the rounds")                                             \
    TEXT(unit, 8, "flop/s, byte/s")                                                                \
    REAL(ratio, "1", "ours / peer, median over the rounds; above 1: ours is better")               \
    REAL(rounds, "count", "rounds behind the ratio")                                               \
    REAL(spread_rel, "1", "interquartile range of the ratios / their median")                      \
    REAL(ours_of_peak, "1", "ours / FMAs in registers in the same rounds, median; or not sampled") \
    REAL(peer_of_peak, "1", "the peer / the same")

#define TEXT(name, capacity, meaning) char name[capacity];
#define REAL(name, unit, meaning) double name;
struct peer_row {
    PEER_COLUMNS
};
#undef TEXT
#undef REAL

/* A process that runs commands for us. It was forked before any thread was pinned, because CPU
 * affinity and memory policy are inherited: a peer would have to live on our first core. */
struct launcher {
    FILE *requests, *answers;
    pid_t child;
};

struct probe_run;
struct comparison {
    struct host host;
    enum isa isa; /* the widest that ours and libraries may use */
    struct launcher launcher;
    struct probe_run *peaks; /* of a group that is compared with them, else NULL */
    struct table rows;
};

/* Values of both sides, one pair per round, and what bounds them. */
enum { PEER_ROUNDS_MAX = 32 };
struct pairs {
    double ours[PEER_ROUNDS_MAX], peer[PEER_ROUNDS_MAX];
    double peak[PEER_ROUNDS_MAX]; /* of arithmetic */
    bool has_peak;
    int rounds;
};

/* Appends a row with the pairs' medians and ratio; the rest is copied from `key`. */
int peer_append(struct comparison *comparison, const struct peer_row *key,
                const struct pairs *pairs, struct error *error);

/* Appends the rows of a group. SKIPPED with the reason where there is no peer. An interrupt ends it
 * with the rows of what is finished. */
struct peer_group {
    const char *name;
    int (*compare)(struct comparison *comparison, struct error *error);
};
extern const struct peer_group ceilings_group, gemm_group;
extern const struct peer_group conv_nchw_group, conv_nhwc_group, conv_nchwc_group,
    conv_depthwise_group;
extern const struct peer_group epilogues_group, elementwise_group, rows_group, images_group,
    memory_group, fusion_group, graph_group;

/* What the launcher's process does until `requests` ends: runs each line as a command, answers with
 * what likwid-bench printed. */
void launcher_serve(FILE *requests, FILE *answers);

#endif
