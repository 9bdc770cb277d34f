// bench_row.c - one row of bench.csv.
#include "bench_row.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "interrupt.h"
#include "model.h"
#include "stats.h"

/* Samples per row: 10 at least, so that quartiles mean something. */
static const int rounds_of_budget[] = {
    [BUDGET_QUICK] = 11, [BUDGET_STANDARD] = 31, [BUDGET_FULL] = 101};
enum { ROUNDS_MAX = 101, TRIALS = 9, OPERATIONS_MAX = 16 };
/* Of the trials of one ceiling: interference only slows (docs/estimators.md). */
static const double trial_quantile = 0.9;

/* Of a sample: long against the start of a team (5 us) and reading its clock (16 us). */
static const double sample_seconds = 1e-3;

int bench_open(struct bench *bench, const struct options *options, struct error *error)
{
    static const char *const probes_needed[] = {"compute", "bandwidth", "latency", NULL};
    *bench = (struct bench){.options = options, .request = options->request};
    table_init(&bench->rows, &measurement_schema);
    table_init(&bench->machine, &ceiling_schema);
    if (bench->request.isa < 0)
        bench->request.isa = (int)isa_best();
    if (options->out && table_check_target(&bench->rows, options->out, error) != OK)
        return FAILED;
    bench->probe.host = &bench->host;
    bench->probe.request = &bench->request;
    bench->probe.machine = &bench->machine;
    if (host_read(&bench->host, NULL, error) != OK)
        return FAILED;
    if (options->request.threads > bench->host.threads)
        return error_set(error, FAULT_ENVIRONMENT,
                         "--threads %d: this process may use %d (affinity, cpuset); ask for no "
                         "more",
                         options->request.threads, bench->host.threads);
    struct identity cpu = identity_read();
    bench->counting = counting_here(&papi, &cpu);
    return probe_collect(&bench->probe, probes_needed, error);
}

void bench_close(struct bench *bench)
{
    probe_free(&bench->probe);
    table_free(&bench->machine);
    table_free(&bench->rows);
    host_free(&bench->host);
}

/* 1, 2, 3 for caches; beyond all of them for DRAM. */
static int level_rank(const char *level)
{
    return level[0] == 'L' ? level[1] - '0' : HOST_LEVELS_MAX + 1;
}

/* The most bytes that lie at that rank or further in, to a line; 0 for rank 0. */
static double capacity_bytes(const struct host *host, int rank, int threads)
{
    const double line_bytes = 64;
    double fits = 0, too_large = 0x1p50;
    while (too_large - fits > line_bytes) {
        double middle = (fits + too_large) / 2;
        if (level_rank(host_level(host, middle, threads)) <= rank)
            fits = middle;
        else
            too_large = middle;
    }
    return fits > line_bytes ? fits : 0;
}

/* As far from the next inner level as from the next outer one; NAN where the level holds nothing.
 */
static double middle_bytes(const struct host *host, int rank, int threads)
{
    double inner = capacity_bytes(host, rank - 1, threads);
    double own = capacity_bytes(host, rank, threads);
    return own > inner ? sqrt(inner * own) : NAN;
}

struct level_bytes bench_levels(const struct host *host, int threads)
{
    /* Beyond four times the last cache (STREAM's rule, www.cs.virginia.edu/stream/ref.html) nothing
     * of one call is left for the next; at least 96 MiB, for a cache may be larger than it is said
     * to be. Where it is large, twice it: the arrays and those of the bandwidth gauges then stay
     * below 1 GiB with 100 MiB of cache. */
    const double inner_part = 2. / 3, least_bytes = 96 << 20, plenty_bytes = 192 << 20;
    double last = 0;
    for (int i = 0; i < host->cache_count; i++) {
        int instances = host->cache[i].instances < threads ? host->cache[i].instances : threads;
        last = host->cache[i].size_bytes * instances;
    }
    double l1 = capacity_bytes(host, 1, threads);
    double dram = fmax(2 * last, fmin(fmax(4 * last, least_bytes), plenty_bytes));
    return (struct level_bytes){.l1 = l1 > 0 ? inner_part * l1 : NAN,
                                .l2 = middle_bytes(host, 2, threads),
                                .l3 = middle_bytes(host, 3, threads),
                                .dram = dram};
}

/* The row of a gauge that was sampled; NULL before. */
static struct ceiling *ceiling_of(struct bench *bench, const struct gauge *gauge)
{
    for (size_t i = 0; i < bench->machine.count; i++) {
        struct ceiling *row = table_ceiling(&bench->machine, i);
        if (strcmp(row->basis, "measured") == 0 && strcmp(row->status, "ok") == 0 &&
            strcmp(row->level, gauge->row.level) == 0 &&
            strcmp(row->dtype, gauge->row.dtype) == 0 && row->workers == gauge->row.workers)
            return row;
    }
    return NULL;
}

/* Makes rows of gauges where there are none. They take turns, so that a slow moment does not choose
 * between them. False when memory is out. */
static bool sample_ceilings(struct bench *bench, const struct gauge *const *gauges, int count)
{
    double rates[OPERATIONS_MAX][TRIALS];
    if (count == 0 || ceiling_of(bench, gauges[0]))
        return true;
    for (int trial = 0; trial < TRIALS && !interrupted(); trial++)
        for (int i = 0; i < count; i++)
            rates[i][trial] = gauge_sample(gauges[i]).rate;
    for (int i = 0; i < count && !interrupted(); i++) {
        struct ceiling *row = table_append(&bench->machine);
        if (!row)
            return false;
        *row = gauges[i]->row;
        quartiles_of(rates[i], TRIALS); /* sorts them */
        row->value = quantile(rates[i], TRIALS, trial_quantile);
        row->samples = TRIALS;
        text_copy(row->device, sizeof row->device, "cpu");
        text_copy(row->basis, sizeof row->basis, "measured");
        text_copy(row->status, sizeof row->status, "ok");
    }
    return true;
}

/* FMA, or where code of this ISA has none, multiply and add; NULL where it was not collected. */
static const struct gauge *compute_gauge(struct bench *bench, const struct run *run)
{
    enum isa isa = (enum isa)bench->request.isa;
    return probe_find_gauge(&bench->probe, isa_fuses(isa) ? "fma" : "mul+add",
                            dtype_name(run->dtype), isa_name(isa), run->threads);
}

/* The fastest operation at a level that is a memory roof of kernels that update, or do not. */
static const struct gauge *memory_gauge(struct bench *bench, const char *level, int threads,
                                        bool updates)
{
    const struct gauge *gauges[OPERATIONS_MAX], *fastest = NULL;
    int count = 0;
    for (int i = 0; i < bench->probe.gauge_count && count < OPERATIONS_MAX; i++) {
        const struct gauge *gauge = &bench->probe.gauges[i];
        if (strcmp(gauge->row.kind, "bandwidth") == 0 && gauge->row.workers == threads &&
            !gauge->units && level_is(gauge->row.level, level) &&
            moves_what_it_counts(gauge->row.level))
            gauges[count++] = gauge;
    }
    double fastest_rate = 0;
    for (int i = 0; i < count && sample_ceilings(bench, gauges, count); i++) {
        const struct ceiling *row = ceiling_of(bench, gauges[i]);
        if (row && row->value > fastest_rate && bounds_memory(row->level, updates)) {
            fastest = gauges[i];
            fastest_rate = row->value;
        }
    }
    return fastest;
}

/* The gauge of the ceiling that the roofline model says bounds this call; NULL where one of the two
 * is missing. */
static const struct gauge *bounding_gauge(struct bench *bench, const struct run *run, double flops,
                                          const char *level)
{
    const struct gauge *compute = compute_gauge(bench, run);
    const struct gauge *memory =
        memory_gauge(bench, level, run->threads, run->operand[0].role == ROLE_UPDATE);
    if (!compute || !memory || !sample_ceilings(bench, &compute, 1))
        return NULL;
    const struct ceiling *arithmetic = ceiling_of(bench, compute);
    if (!arithmetic)
        return NULL;
    enum bound bound =
        bound_of_intensity(flops / run->bytes, arithmetic->value, ceiling_of(bench, memory)->value);
    return bound == BOUND_COMPUTE ? compute : memory;
}

static struct measurement *append_row(struct bench *bench, const struct run *run, const char *shape,
                                      struct error *error)
{
    struct measurement *row = table_append(&bench->rows);
    if (!row) {
        error_set(error, FAULT_ENVIRONMENT, "out of memory for the row of '%s'", run->kernel->name);
        return NULL;
    }
    text_copy(row->device, sizeof row->device, "cpu");
    text_copy(row->kernel, sizeof row->kernel, run->kernel->name);
    text_copy(row->variant, sizeof row->variant, run->variant->name);
    if (!run->variant->routine) /* a library chooses for itself */
        text_copy(row->isa, sizeof row->isa, isa_name(run->isa));
    text_copy(row->dtype, sizeof row->dtype, dtype_name(run->dtype));
    text_copy(row->shape, sizeof row->shape, shape);
    text_copy(row->status, sizeof row->status, "ok");
    row->threads = run->threads;
    return row;
}

int bench_skip(struct bench *bench, const struct run *run, const char *shape, const char *why,
               struct error *error)
{
    struct measurement *row = append_row(bench, run, shape, error);
    if (!row)
        return FAILED;
    text_copy(row->status, sizeof row->status, "skipped");
    text_copy(row->why, sizeof row->why, why);
    return OK;
}

/* A run of its own, beside the timed ones. */
static void count_row(struct measurement *row, struct run *run, const struct counting *counting)
{
    struct counted counted = run_count(run, counting);
    row->cycles = counted.cycles;
    row->instructions = counted.instructions;
    row->flops_counted = counted.flops;
    row->bytes_moved = counted.bytes;
    text_copy(row->counted_by, sizeof row->counted_by, counted.by);
}

/* Kernel and ceiling in turn, so that both see the same minute. False when an interrupt came. */
static bool time_row(struct measurement *row, struct run *run, const struct gauge *gauge,
                     int rounds)
{
    double seconds[ROUNDS_MAX], clocks[ROUNDS_MAX], ceilings[ROUNDS_MAX];
    struct work work = run_work(run, strcmp(row->level, "DRAM") != 0);
    measure_calibrate(&work, &run->repeats, sample_seconds);
    for (int i = 0; i < rounds; i++) {
        if (interrupted())
            return false;
        struct sample sample = measure_sample(&work);
        seconds[i] = sample.seconds / (double)run->repeats;
        clocks[i] = sample.clock_hertz;
        ceilings[i] = gauge ? gauge_sample(gauge).rate : NAN;
    }
    struct quartiles quartiles = quartiles_of(seconds, (size_t)rounds);
    row->samples = rounds;
    row->seconds_min = quartiles.min;
    row->seconds_q1 = quartiles.q1;
    row->seconds_median = quartiles.median;
    row->seconds_q3 = quartiles.q3;
    row->seconds_max = quartiles.max;
    row->clock_hertz = quartiles_of(clocks, (size_t)rounds).median;
    if (gauge) {
        row->ceiling_sample = quartiles_of(ceilings, (size_t)rounds).median;
        text_copy(row->ceiling, sizeof row->ceiling, gauge->row.level);
    }
    return true;
}

/* Verifies and times an open run into its row. */
static int fill_row(struct bench *bench, struct measurement *row, struct run *run,
                    struct error *error)
{
    row->flops = run->flops;
    row->bytes_min = run->bytes;
    text_copy(row->level, sizeof row->level,
              host_level(&bench->host, run->operand_bytes, run->threads));
    if (run_verify(run, &row->error_rel, error) != OK) {
        if (error->fault != FAULT_WRONG)
            return FAILED;
        bench->wrong = true;
        text_copy(row->status, sizeof row->status, "failed");
        text_copy(row->why, sizeof row->why, error->text);
        return OK;
    }
    if (run->variant->flops) {
        row->flops_done = run->variant->flops(&run->shape);
        text_format(row->why, sizeof row->why,
                    "flops and rates are those of the direct method; this one does %.2f of them",
                    row->flops_done / row->flops);
    }
    const struct gauge *gauge = bounding_gauge(bench, run, measurement_flops(row), row->level);
    const size_t said = strlen(row->why);
    if (!gauge)
        text_format(row->why + said, sizeof row->why - said,
                    "%sno ceiling was sampled beside it: none of its level, ISA and dtype",
                    said > 0 ? "; " : "");
    if (!time_row(row, run, gauge, rounds_of_budget[bench->options->request.budget])) {
        bench->rows.count--; /* an unfinished row says nothing */
        return OK;
    }
    count_row(row, run, &bench->counting);
    return OK;
}

int bench_row(struct bench *bench, struct run *run, bool asked, struct error *error)
{
    char shape[sizeof((struct measurement *)NULL)->shape];
    shape_format(&run->shape, run->kernel->letters, run->kernel->letter_count, shape, sizeof shape);
    int result = run_open(run, error);
    if (result == SKIPPED || (result == FAILED && error->fault == FAULT_ENVIRONMENT && !asked))
        return bench_skip(bench, run, shape, error->text, error);
    if (result != OK)
        return FAILED;
    struct measurement *row = append_row(bench, run, shape, error);
    result = row ? fill_row(bench, row, run, error) : FAILED;
    run_close(run);
    return result;
}
