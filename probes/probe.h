// probe.h - probes fill a machine with ceilings: by formula at once, by gauges that are sampled in
// turn.
#ifndef ROOFLINE_PROBE_H
#define ROOFLINE_PROBE_H

#include <stdbool.h>

#include "host.h"
#include "isa.h"
#include "measure.h"
#include "memory.h"
#include "table.h"

/* What one sample says. */
struct reading {
    double rate; /* amount per second; for latency seconds per load */
    double clock_hertz;
};

/* A ceiling that can be sampled: one sample does `amount` FLOP or bytes (or loads, for latency)
 * over all workers. */
struct gauge {
    struct ceiling row; /* key and source; value, spread and clock come from the samples */
    struct work work;
    double amount;
    bool paced;  /* stays within a core: measured by slices, one call of work.run being one */
    void *state; /* owned by the gauge; what work.context points into */
    void (*close)(struct gauge *gauge); /* frees state; may be NULL */
    const int *units; /* borrowed: the host's units that the threads sit on; NULL: 0, 1, ... */
    struct reading *readings; /* owned by the run: one per sample */
    int reading_count;
};

/* What the user asked for. */
enum budget { BUDGET_QUICK, BUDGET_STANDARD, BUDGET_FULL };
struct request {
    enum budget budget;
    int threads; /* upper bound of workers; 0: all that may be used */
    int isa;     /* enum isa, or -1: all */
    int dtype;   /* enum dtype, or -1: all */
};

/* How often a set is read before it counts as being in a cache. Once is not enough for the L3 of
 * Zen: lines that L2 gave up move in, and those that never came back are the first to go. */
enum { PROBE_FILL_PASSES = 4 };

/* Samples below which quartiles mean little. */
enum { PROBE_ROUNDS_MIN = 10 };

/* What a probe works on. */
struct probe_run {
    struct host *host; /* borrowed; the latency probe drops a cache that loads do not find */
    const struct request *request;
    struct table *machine; /* ceilings; a probe may append rows that need no samples */
    struct gauge *gauges;  /* owned by the run */
    int gauge_count, gauge_capacity;
    struct memory *memory; /* owned by the run: what gauges work on, shared between them */
    int memory_count;
    double deadline_seconds; /* by seconds_now(): rounds beyond PROBE_ROUNDS_MIN are to end before;
                                0: none */
};

struct probe {
    const char *name;
    const char *summary;
    /* Appends ceilings and gauges. SKIPPED is for a whole probe that cannot run here. */
    int (*collect)(struct probe_run *run, struct error *error);
};

/* All probes, NULL-ended, in the order of probes/probes.def. */
extern const struct probe *const probes[];

/* Appends an empty gauge with device cpu, basis measured and unknown numbers; NULL when memory is
 * out. */
struct gauge *probe_add_gauge(struct probe_run *run);

/* The counts of workers that ceilings are measured with, ascending and without repeats: 1, one per
 * physical core, all threads; no more than the request, the affinity mask and the cgroup's quota
 * allow. Returns how many. */
enum { PROBE_WORKER_COUNTS = 3 };
int probe_worker_counts(const struct probe_run *run, int workers[PROBE_WORKER_COUNTS]);

/* Appends a skipped ceiling of that key with the reason. */
int probe_skip(struct probe_run *run, const struct ceiling *key, const char *why,
               struct error *error);

/* Collects from all probes (or only those named; NULL: all). */
int probe_collect(struct probe_run *run, const char *const *names, struct error *error);

/* Takes one sample; the team must be pinned. */
struct reading gauge_sample(const struct gauge *gauge);

/* The same on the gauge's own units, after which the team is pinned as before. */
int gauge_sample_pinned(const struct host *host, const struct gauge *gauge, struct reading *reading,
                        struct error *error);

/* Reserves untouched memory that lives as long as the run; NULL on failure. */
void *probe_reserve(struct probe_run *run, double bytes, const char *purpose, struct error *error);

/* Samples every gauge once per round for `rounds` rounds, fewer on an interrupt or at the deadline,
 * then appends one measured row each to run->machine. `progress` (may be NULL) is told the round.
 * Estimators: docs/estimators.md. */
int probe_measure(struct probe_run *run, int rounds, void (*progress)(int round, int rounds),
                  struct error *error);

/* The gauge of a key, NULL where there is none: level "fma" or "DRAM:read". */
struct gauge *probe_find_gauge(struct probe_run *run, const char *level, const char *dtype,
                               const char *isa, int workers);

void probe_free(struct probe_run *run);

#endif
