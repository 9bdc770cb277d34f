// probes.c - the registry of probes, and the runner that samples their gauges in turn.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "interrupt.h"
#include "probe.h"
#include "stats.h"

#define PROBE(name) extern const struct probe name##_probe;
#include "probes.def"
#undef PROBE

const struct probe *const probes[] = {
#define PROBE(name) &name##_probe,
#include "probes.def"
#undef PROBE
    NULL,
};

/* Interference by other work only ever slows a sample down, and neighbours of a shared host stay
 * for seconds. A sample of a paced gauge is itself a quantile of some 60 slices, so the second best
 * of them is no lucky reading (the best one may be: of 14000 one was 5 % above the limit of the
 * core). A plain sample is one interval: the ninth decile (docs/estimators.md). */
static double best_quantile(const struct gauge *gauge, size_t count)
{
    if (!gauge->paced)
        return 0.9;
    return count > 2 ? (double)(count - 2) / (double)(count - 1) : 1;
}

struct gauge *probe_add_gauge(struct probe_run *run)
{
    if (run->gauge_count == run->gauge_capacity) {
        int capacity = run->gauge_capacity ? 2 * run->gauge_capacity : 64;
        struct gauge *gauges = realloc(run->gauges, (size_t)capacity * sizeof *gauges);
        if (!gauges)
            return NULL;
        run->gauges = gauges;
        run->gauge_capacity = capacity;
    }
    struct gauge *gauge = &run->gauges[run->gauge_count++];
    memset(gauge, 0, sizeof *gauge);
    return gauge;
}

int probe_worker_counts(const struct probe_run *run, int workers[PROBE_WORKER_COUNTS])
{
    const struct host *host = run->host;
    int most = host->quota_threads;
    if (run->request->threads && run->request->threads < most)
        most = run->request->threads;
    int cores = host->cores < most ? host->cores : most;
    int count = 0;
    workers[count++] = 1;
    if (cores > 1)
        workers[count++] = cores;
    if (most > cores)
        workers[count++] = most;
    return count;
}

int probe_skip(struct probe_run *run, const struct ceiling *key, const char *why,
               struct error *error)
{
    struct ceiling *row = table_append(run->machine);
    if (!row)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the row of '%s'", key->level);
    *row = *key;
    row->value = row->samples = row->spread_rel = row->clock_hertz = NAN;
    text_copy(row->device, sizeof row->device, *key->device ? key->device : "cpu");
    text_copy(row->basis, sizeof row->basis, *key->basis ? key->basis : "measured");
    text_copy(row->status, sizeof row->status, "skipped");
    text_copy(row->why, sizeof row->why, why);
    return OK;
}

void *probe_reserve(struct probe_run *run, double bytes, const char *purpose, struct error *error)
{
    struct memory *memory =
        realloc(run->memory, (size_t)(run->memory_count + 1) * sizeof *run->memory);
    if (!memory) {
        error_set(error, FAULT_ENVIRONMENT, "out of memory for %s", purpose);
        return NULL;
    }
    run->memory = memory;
    memory += run->memory_count;
    if (memory_reserve(memory, bytes, purpose, run->host, error) != OK)
        return NULL;
    run->memory_count++;
    return memory->base;
}

static bool is_named(const char *const *names, const char *name)
{
    if (!names)
        return true;
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

int probe_collect(struct probe_run *run, const char *const *names, struct error *error)
{
    int workers[PROBE_WORKER_COUNTS];
    int counts = probe_worker_counts(run, workers);
    if (team_pin(run->host, workers[counts - 1], error) != OK)
        return FAILED;
    for (const struct probe *const *probe = probes; *probe && !interrupted(); probe++) {
        if (!is_named(names, (*probe)->name))
            continue;
        int result = (*probe)->collect(run, error);
        if (result == FAILED)
            return FAILED;
        struct ceiling key = {.workers = NAN};
        text_copy(key.level, sizeof key.level, (*probe)->name);
        text_copy(key.kind, sizeof key.kind, (*probe)->name);
        if (result == SKIPPED && probe_skip(run, &key, error->text, error) != OK)
            return FAILED;
    }
    return OK;
}

static bool is_latency(const struct gauge *gauge)
{
    return strcmp(gauge->row.kind, "latency") == 0;
}

/* Of one sample of a paced gauge: some 60 slices. */
static const double pace_seconds = 2e-3;

struct reading gauge_sample(const struct gauge *gauge)
{
    if (gauge->paced) {
        struct pace pace = measure_pace(&gauge->work, pace_seconds);
        if (strcmp(gauge->row.unit, "Hz") == 0)
            return (struct reading){pace.clock_hertz, pace.clock_hertz};
        double per_call = gauge->amount / gauge->work.threads;
        return (struct reading){pace.calls_per_second * per_call, pace.clock_hertz};
    }
    struct sample sample = measure_sample(&gauge->work);
    double rate =
        is_latency(gauge) ? sample.seconds / gauge->amount : gauge->amount / sample.seconds;
    return (struct reading){rate, sample.clock_hertz};
}

int gauge_sample_pinned(const struct host *host, const struct gauge *gauge, struct reading *reading,
                        struct error *error)
{
    if (gauge->units && team_pin_units(host, gauge->units, gauge->work.threads, error) != OK)
        return FAILED;
    *reading = gauge_sample(gauge);
    return gauge->units ? team_pin(host, gauge->work.threads, error) : OK;
}

/* Caches inside the core and its arithmetic run at the core's clock: their rate per cycle is what
 * repeats while the clock drifts. L3 and memory have clocks of their own. */
static bool follows_core_clock(const struct ceiling *row)
{
    return strcmp(row->kind, "compute") == 0 || strncmp(row->level, "L1", 2) == 0 ||
           strncmp(row->level, "L2", 2) == 0;
}

static void estimate(const struct gauge *gauge, struct ceiling *row, double *scratch)
{
    size_t count = (size_t)gauge->reading_count;
    for (size_t i = 0; i < count; i++)
        scratch[i] = gauge->readings[i].clock_hertz;
    double clock_hertz = quartiles_of(scratch, count).median;
    bool per_cycle = follows_core_clock(row), latency = is_latency(gauge);
    for (size_t i = 0; i < count; i++) {
        double clock = per_cycle ? gauge->readings[i].clock_hertz : 1;
        double rate = gauge->readings[i].rate;
        scratch[i] = latency ? rate * clock : rate / clock;
    }
    struct quartiles quartiles = quartiles_of(scratch, count);
    double best = best_quantile(gauge, count);
    double value = quantile(scratch, count, latency ? 1 - best : best);
    double clock = per_cycle ? clock_hertz : 1;
    row->value = latency ? value / clock : value * clock;
    row->samples = (double)count;
    row->spread_rel = spread_rel(&quartiles);
    row->clock_hertz = clock_hertz;
}

/* The row of a gauge with the same key that is there already; NULL where this is the first. */
static struct ceiling *find_row(const struct table *machine, const struct ceiling *key)
{
    for (size_t i = 0; i < machine->count; i++) {
        struct ceiling *row = table_ceiling(machine, i);
        if (strcmp(row->basis, "measured") == 0 && strcmp(row->status, "ok") == 0 &&
            strcmp(row->device, key->device) == 0 && strcmp(row->level, key->level) == 0 &&
            strcmp(row->kind, key->kind) == 0 && strcmp(row->dtype, key->dtype) == 0 &&
            strcmp(row->isa, key->isa) == 0 && row->workers == key->workers)
            return row;
    }
    return NULL;
}

/* Of several gauges with one key, which measure the same ceiling by different loops, the best
 * counts. */
static int append_row(struct probe_run *run, const struct gauge *gauge, double *scratch,
                      struct error *error)
{
    struct ceiling row = gauge->row;
    if (!*row.device)
        text_copy(row.device, sizeof row.device, "cpu");
    text_copy(row.basis, sizeof row.basis, "measured");
    text_copy(row.status, sizeof row.status, "ok");
    estimate(gauge, &row, scratch);
    struct ceiling *rival = find_row(run->machine, &row);
    if (!rival)
        rival = table_append(run->machine);
    else if (rival->value / rival->clock_hertz >= row.value / row.clock_hertz)
        return OK;
    if (!rival)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for measured rows");
    *rival = row;
    return OK;
}

static int append_rows(struct probe_run *run, struct error *error)
{
    for (int i = 0; i < run->gauge_count; i++) {
        const struct gauge *gauge = &run->gauges[i];
        if (!gauge->reading_count)
            continue; /* interrupted before its first sample */
        double *scratch = malloc((size_t)gauge->reading_count * sizeof *scratch);
        if (!scratch)
            return error_set(error, FAULT_ENVIRONMENT, "out of memory for measured rows");
        int result = append_row(run, gauge, scratch, error);
        free(scratch);
        if (result != OK)
            return result;
    }
    return OK;
}

static int sample_gauge(struct probe_run *run, struct gauge *gauge, int rounds, struct error *error)
{
    if (!gauge->readings) {
        gauge->readings = calloc((size_t)rounds, sizeof *gauge->readings);
        if (!gauge->readings)
            return error_set(error, FAULT_ENVIRONMENT, "out of memory for samples");
    }
    return gauge_sample_pinned(run->host, gauge, &gauge->readings[gauge->reading_count++], error);
}

/* Whether one more round, as long as the last one, would end behind the deadline. */
static bool out_of_time(const struct probe_run *run, int round, double round_start)
{
    double now = seconds_now();
    return run->deadline_seconds > 0 && round >= PROBE_ROUNDS_MIN &&
           now + (now - round_start) > run->deadline_seconds;
}

static int sample_rounds(struct probe_run *run, int rounds, void (*progress)(int round, int rounds),
                         struct error *error)
{
    double round_start = seconds_now();
    for (int round = 0; round < rounds && !interrupted(); round++) {
        if (out_of_time(run, round, round_start))
            break;
        round_start = seconds_now();
        if (progress)
            progress(round, rounds);
        for (int i = 0; i < run->gauge_count && !interrupted(); i++)
            if (sample_gauge(run, &run->gauges[i], rounds, error) != OK)
                return FAILED;
    }
    if (progress && !interrupted())
        progress(rounds, rounds);
    return OK;
}

int probe_measure(struct probe_run *run, int rounds, void (*progress)(int round, int rounds),
                  struct error *error)
{
    struct error second;
    int sampled = sample_rounds(run, rounds, progress, error);
    int appended = append_rows(run, sampled == OK ? error : &second);
    return sampled == OK ? appended : sampled;
}

struct gauge *probe_find_gauge(struct probe_run *run, const char *level, const char *dtype,
                               const char *isa, int workers)
{
    for (int i = 0; i < run->gauge_count; i++) {
        struct ceiling *row = &run->gauges[i].row;
        if (strcmp(row->level, level) == 0 && (!dtype || strcmp(row->dtype, dtype) == 0) &&
            (!isa || strcmp(row->isa, isa) == 0) && row->workers == workers && !*row->device)
            return &run->gauges[i];
    }
    return NULL;
}

void probe_free(struct probe_run *run)
{
    for (int i = 0; i < run->gauge_count; i++) {
        if (run->gauges[i].close)
            run->gauges[i].close(&run->gauges[i]);
        free(run->gauges[i].readings);
    }
    free(run->gauges);
    for (int i = 0; i < run->memory_count; i++)
        memory_release(&run->memory[i]);
    free(run->memory);
    memset(run, 0, sizeof *run);
}
