// graph_ceilings.c - the ceilings that `roofline graph` judges by: first ones for passes to weigh
// by, then those that are sampled beside the graph.
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "bench_ceilings.h"
#include "file.h"
#include "graph_run.h"
#include "interrupt.h"
#include "model.h"
#include "stats.h"

static const char *const level_names[] = {"L1", "L2", "L3", "DRAM"};
enum { LEVELS = sizeof level_names / sizeof *level_names, BARRIER_TRIALS = 9 };

/* A launch of one thread has no barrier: two readings of the clock and a call through a pointer. */
static const double alone_seconds = 5e-8;

/* The fastest operation of a level that bounds kernels which update in place, or do not. */
static double level_rate(const struct table *machine, const char *level, int threads, bool updates)
{
    double rate = NAN;
    for (size_t i = 0; i < machine->count; i++) {
        const struct ceiling *row = table_ceiling(machine, i);
        if (strcmp(row->status, "ok") == 0 && strcmp(row->basis, "measured") == 0 &&
            strcmp(row->kind, "bandwidth") == 0 && strcmp(row->device, "cpu") == 0 &&
            row->workers == threads && level_is(row->level, level) &&
            bounds_memory(row->level, updates) && !(row->value <= rate))
            rate = row->value;
    }
    return rate;
}

static double barrier_of(const struct table *machine, int threads)
{
    for (size_t i = 0; i < machine->count; i++) {
        const struct ceiling *row = table_ceiling(machine, i);
        if (strcmp(row->level, "barrier") == 0 && strcmp(row->status, "ok") == 0 &&
            row->workers == threads)
            return row->value;
    }
    return NAN;
}

/* The fastest of a few: whatever disturbs only slows. */
static double sample_barrier(struct bench *bench, int threads)
{
    double best = NAN;
    const struct gauge *gauge = probe_find_gauge(&bench->probe, "barrier", "", "", threads);
    for (int i = 0; gauge && i < BARRIER_TRIALS; i++)
        best = fmin(best, gauge_sample(gauge).rate);
    return best;
}

/* Samples what the table lacks. */
static int sample_missing(struct graph_bench *bench, int threads, struct error *error)
{
    struct table *machine = &bench->bench.machine;
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        const struct gauge *gauge = bench_compute_gauge(&bench->bench, (enum dtype)dtype, threads);
        if (gauge && !ceiling_of_compute(machine, "cpu", dtype_name((enum dtype)dtype), threads) &&
            !bench_sample(&bench->bench, &gauge, 1))
            return error_set(error, FAULT_ENVIRONMENT, "out of memory for ceilings");
    }
    for (int i = 0; i < LEVELS; i++)
        if (isnan(level_rate(machine, level_names[i], threads, false)))
            bench_memory_gauge(&bench->bench, level_names[i], threads, false);
    return OK;
}

static void fill(struct graph_bench *bench, struct ceilings *ceilings, int threads)
{
    const struct table *machine = &bench->bench.machine;
    *ceilings = (struct ceilings){.threads = threads};
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        const struct ceiling *row =
            ceiling_of_compute(machine, "cpu", dtype_name((enum dtype)dtype), threads);
        ceilings->flops_per_second[dtype] = row ? row->value : NAN;
    }
    for (int i = 0; i < LEVELS; i++) {
        const bool outermost = i + 1 == LEVELS;
        const double rate = level_rate(machine, level_names[i], threads, false);
        if (isnan(rate) && !outermost) /* this machine has no such cache */
            continue;
        struct cost_level *level = &ceilings->level[ceilings->level_count++];
        text_copy(level->name, sizeof level->name, level_names[i]);
        level->bytes_per_second = rate;
        level->updates_per_second = level_rate(machine, level_names[i], threads, true);
        level->set_bytes =
            outermost ? INFINITY : level_capacity_bytes(&bench->bench.host, i + 1, threads);
    }
}

/* What is there already, of a run of the probe before. */
static int read_machine(struct graph_bench *bench, struct error *error)
{
    char path[1024];
    const char *out = bench->request->options.out;
    if (!out)
        return OK;
    if (path_join(path, sizeof path, out, "machine.csv", error) != OK)
        return FAILED;
    return access(path, F_OK) == 0 ? table_read(&bench->bench.machine, out, error) : OK;
}

/* ---- beside the graph ---- */

static void add_companion(struct graph_bench *bench, const struct gauge *gauge, double *value)
{
    if (gauge)
        bench->companion[bench->companion_count++] =
            (struct companion){.gauge = gauge, .value = value};
}

/* What bounded in the first samples is sampled again: other operations of a level are slower. */
static void add_companions(struct graph_bench *bench, struct ceilings *ceilings)
{
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++)
        add_companion(bench,
                      bench_compute_gauge(&bench->bench, (enum dtype)dtype, ceilings->threads),
                      &ceilings->flops_per_second[dtype]);
    for (int i = 0; i < ceilings->level_count; i++) {
        struct cost_level *level = &ceilings->level[i];
        const struct gauge *by_update[2];
        for (int updates = 0; updates < 2; updates++)
            by_update[updates] =
                bench_memory_gauge(&bench->bench, level->name, ceilings->threads, updates);
        add_companion(bench, by_update[0], &level->bytes_per_second);
        if (by_update[1] == by_update[0])
            level->updates_per_second = 0;
        else
            add_companion(bench, by_update[1], &level->updates_per_second);
    }
}

void graph_ceilings_sample(struct graph_bench *bench, int round)
{
    for (int i = 0; i < bench->companion_count && !interrupted(); i++) {
        struct companion *companion = &bench->companion[i];
        companion->sample[round] = gauge_sample(companion->gauge).rate;
        companion->count = round + 1;
    }
}

void graph_ceilings_settle(struct graph_bench *bench)
{
    for (int i = 0; i < bench->companion_count; i++) {
        struct companion *companion = &bench->companion[i];
        if (companion->count == 0)
            continue;
        const struct quartiles rates = quartiles_of(companion->sample, (size_t)companion->count);
        const bool is_barrier = companion->value == &bench->ceilings[1].launch_seconds;
        *companion->value = is_barrier ? rates.min : rates.median;
    }
}

/* ---- the command's ---- */

static double first_launch(struct graph_bench *bench, int threads)
{
    if (threads == 1)
        return alone_seconds;
    const double barrier = barrier_of(&bench->bench.machine, threads);
    return isnan(barrier) && !bench->request->no_times ? sample_barrier(&bench->bench, threads)
                                                       : barrier;
}

int graph_ceilings(struct graph_bench *bench, struct error *error)
{
    const struct request *request = &bench->request->options.request;
    const bool timed = !bench->request->no_times;
    bench->threads = request->threads ? request->threads : bench->bench.host.quota_threads;
    bench->isa = request->isa >= 0 ? (enum isa)request->isa : isa_best();
    if (read_machine(bench, error) != OK)
        return FAILED;
    const int threads[] = {1, bench->threads};
    for (int i = 0; i < 2; i++) {
        if (timed && sample_missing(bench, threads[i], error) != OK)
            return FAILED;
        fill(bench, &bench->ceilings[i], threads[i]);
        bench->ceilings[i].launch_seconds = first_launch(bench, threads[i]);
        if (timed && (i == 0 || bench->threads > 1))
            add_companions(bench, &bench->ceilings[i]);
    }
    if (timed && bench->threads > 1)
        add_companion(bench,
                      probe_find_gauge(&bench->bench.probe, "barrier", "", "", bench->threads),
                      &bench->ceilings[1].launch_seconds);
    const int result = graph_rates_read(bench, error);
    bench->weighed = bench->ceilings[1];
    return result;
}
