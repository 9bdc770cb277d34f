// bench_row.c - one row of bench.csv.
#include "bench_row.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench_ceilings.h"
#include "interrupt.h"
#include "model.h"
#include "stats.h"

/* Samples per row: 10 at least, so that quartiles mean something. */
static const int rounds_of_budget[] = {
    [BUDGET_QUICK] = 11, [BUDGET_STANDARD] = 31, [BUDGET_FULL] = 101};
enum { ROUNDS_MAX = 101 };

/* Of a sample: long against the start of a team (5 us) and reading its clock (16 us). */
static const double sample_seconds = 1e-3;

int bench_read_host(struct bench *bench, const struct options *options, struct error *error)
{
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
    return team_pin(&bench->host, bench->host.threads, error);
}

int bench_collect(struct bench *bench, struct error *error)
{
    static const char *const probes_needed[] = {"compute", "bandwidth", "latency", "fork_join",
                                                NULL};
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

/* The gauge of the ceiling that the roofline model says bounds this call; NULL where one of the two
 * is missing. */
static const struct gauge *bounding_gauge(struct bench *bench, const struct run *run, double flops,
                                          const char *level)
{
    const struct gauge *compute = bench_compute_gauge(bench, run->dtype, run->threads);
    const struct gauge *memory =
        bench_memory_gauge(bench, level, run->threads, run->operand[0].role == ROLE_UPDATE);
    if (!compute || !memory || !bench_sample(bench, &compute, 1))
        return NULL;
    const struct ceiling *arithmetic = bench_ceiling(bench, compute);
    if (!arithmetic)
        return NULL;
    enum bound bound = bound_of_intensity(flops / run->bytes, arithmetic->value,
                                          bench_ceiling(bench, memory)->value);
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
