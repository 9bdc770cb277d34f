// fork_join.c - what working together costs: a team called and waited for, and a barrier in it. A
// kernel whose work takes about as long is not worth sharing.
#include <stdlib.h>

#include "probe.h"

/* Calls of one sample: some 0.1 ms where the threads spin, some 5 ms where they sleep. */
enum { CALLS = 100 };

struct fork_join_state {
    int workers;
};

static void do_nothing(void *context, struct member member)
{
    (void)context;
    (void)member;
}

/* Run by a team of one, which may call teams of its own. */
static void call_teams(void *context, struct member member)
{
    (void)member;
    const struct fork_join_state *state = context;
    for (int i = 0; i < CALLS; i++)
        team_run(do_nothing, NULL, state->workers);
}

static void meet(void *context, struct member member)
{
    (void)context;
    (void)member;
    for (int i = 0; i < CALLS; i++)
        team_barrier();
}

static void close_fork_join(struct gauge *gauge)
{
    free(gauge->state);
}

static int add_gauge(struct probe_run *run, const char *level, const char *source, int workers,
                     struct work work, struct error *error)
{
    struct gauge *gauge = probe_add_gauge(run);
    struct fork_join_state *state = malloc(sizeof *state);
    if (!gauge || !state) {
        free(state);
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the fork-join probe");
    }
    state->workers = workers;
    gauge->row.workers = workers;
    text_copy(gauge->row.level, sizeof gauge->row.level, level);
    text_copy(gauge->row.kind, sizeof gauge->row.kind, "latency");
    text_copy(gauge->row.unit, sizeof gauge->row.unit, "s");
    text_copy(gauge->row.source, sizeof gauge->row.source, source);
    gauge->state = state;
    gauge->close = close_fork_join;
    gauge->work = work;
    gauge->work.context = state;
    gauge->amount = CALLS;
    return OK;
}

static int collect_fork_join(struct probe_run *run, struct error *error)
{
    int workers[PROBE_WORKER_COUNTS];
    const int counts = probe_worker_counts(run, workers);
    for (int i = 0; i < counts; i++) {
        if (workers[i] == 1)
            continue;
        if (add_gauge(run, "fork-join", "an empty parallel region of OpenMP, from call to return",
                      workers[i], (struct work){NULL, call_teams, NULL, 1}, error) != OK ||
            add_gauge(run, "barrier", "an OpenMP barrier, all members at once", workers[i],
                      (struct work){NULL, meet, NULL, workers[i]}, error) != OK)
            return FAILED;
    }
    return OK;
}

extern const struct probe fork_join_probe;
const struct probe fork_join_probe = {
    .name = "fork_join",
    .summary = "what it takes to call a team of threads, and a barrier in it",
    .collect = collect_fork_join,
};
