// clock.c - the core clock: by chains of dependent instructions, which work without a PMU, and by
// counted cycles.
#include <math.h>
#include <stdlib.h>

#include "counters.h"
#include "probe.h"
#include "stats.h"

/* Cycles of a counted sample, 0.2 to 1 ms: long against a time stamp, short against a drift. */
enum { COUNTED_CYCLES = 1 << 20, COUNTED_SAMPLES = 15 };

/* A pace reads the clock beside its slices: here there is nothing else to do in them. */
static void do_nothing(void *context, struct member member)
{
    (void)context;
    (void)member;
}

static struct ceiling clock_key(const char *level)
{
    struct ceiling key = {.workers = 1};
    text_copy(key.level, sizeof key.level, level);
    text_copy(key.kind, sizeof key.kind, "capacity");
    text_copy(key.unit, sizeof key.unit, "Hz");
    return key;
}

static int add_gauge(struct probe_run *run, int workers, struct error *error)
{
    struct gauge *gauge = probe_add_gauge(run);
    if (!gauge)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the clock probe");
    gauge->row = clock_key("clock:chain");
    gauge->row.workers = workers;
    gauge->work = (struct work){NULL, do_nothing, NULL, workers};
    gauge->paced = true;
    text_copy(
        gauge->row.source, sizeof gauge->row.source,
        "chains of dependent integer adds, integer and floating-point multiplies, the fastest "
        "one; mean of the workers");
    return OK;
}

static int count_cycles(struct counters *counters, struct ceiling *row)
{
    double hertz[COUNTED_SAMPLES];
    size_t samples = 0;
    for (int i = 0; i < COUNTED_SAMPLES; i++) {
        counters_start(counters);
        double start = seconds_now();
        clock_chain(COUNTED_CYCLES);
        double seconds = seconds_now() - start;
        double cycles = counters_stop(counters).cycles;
        if (!isnan(cycles)) /* the counter was scheduled all the time */
            hertz[samples++] = cycles / seconds;
    }
    if (samples == 0)
        return SKIPPED;
    struct quartiles quartiles = quartiles_of(hertz, samples);
    row->value = row->clock_hertz = quartiles.median;
    row->samples = (double)samples;
    row->spread_rel = spread_rel(&quartiles);
    return OK;
}

/* Cycles that the PMU counts during the chain, over its time. */
static int add_counted_row(struct probe_run *run, struct error *error)
{
    struct ceiling key = clock_key("clock:pmu");
    struct counters *counters;
    struct error reason;
    int result = counters_open(&counters, &papi, NULL, &reason);
    if (result != OK)
        return probe_skip(run, &key, reason.text, error);
    result = count_cycles(counters, &key);
    counters_close(counters);
    if (result != OK)
        return probe_skip(run, &key,
                          "the cycle counter was never scheduled: another profiler holds the PMU; "
                          "stop it",
                          error);
    struct ceiling *row = table_append(run->machine);
    if (!row)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the clock probe");
    *row = key;
    text_copy(row->device, sizeof row->device, "cpu");
    text_copy(row->basis, sizeof row->basis, "measured");
    text_copy(row->status, sizeof row->status, "ok");
    text_copy(row->source, sizeof row->source, "PAPI_TOT_CYC during the chain / its time");
    return OK;
}

static int collect_clock(struct probe_run *run, struct error *error)
{
    int workers[PROBE_WORKER_COUNTS];
    int counts = probe_worker_counts(run, workers);
    for (int i = 0; i < counts; i++)
        if (add_gauge(run, workers[i], error) != OK)
            return FAILED;
    return add_counted_row(run, error);
}

extern const struct probe clock_probe;
const struct probe clock_probe = {
    .name = "clock",
    .summary = "core clock by chains of dependent instructions and by counted cycles",
    .collect = collect_clock,
};
