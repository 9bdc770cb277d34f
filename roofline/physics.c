// physics.c - sanity of results: nothing beats theory, no dot stands above its roof.
#include "physics.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "node_measurement.h"

/* The clock beside a sample is read to about 2 % on a busy guest; quick samples of kernel and
 * ceiling stand up to a few milliseconds apart. */
static const double above_theory_rel = 0.03, above_roof_rel = 0.05;
enum { SAMPLES_MIN = 10 };

struct check {
    struct physics physics;
    FILE *out;
    const char *row; /* its name in messages */
};

static void expect(struct check *check, bool holds, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void expect(struct check *check, bool holds, const char *format, ...)
{
    check->physics.checks++;
    if (holds)
        return;
    check->physics.violations++;
    va_list arguments;
    va_start(arguments, format);
    fprintf(check->out, "%s: ", check->row);
    vfprintf(check->out, format, arguments);
    fputc('\n', check->out);
    va_end(arguments);
}

static void check_ceiling(struct check *check, const struct results *results, size_t i)
{
    const struct ceiling *row = table_ceiling(&results->machine, i);
    char name[160];
    text_format(name, sizeof name, "machine.csv: '%s %s %s %s' with %.0f worker(s), %s",
                row->device, row->level, row->dtype, row->isa, row->workers, row->basis);
    check->row = name;
    expect(check, row->device[0] && row->level[0] && row->kind[0] && row->unit[0] && row->basis[0],
           "device, level, kind, unit or basis is missing");
    expect(check, row->value > 0, "value %g is not positive", row->value);
    if (strcmp(row->basis, "measured") != 0)
        return;
    expect(check, row->samples >= SAMPLES_MIN, "%g samples, at least %d are due", row->samples,
           SAMPLES_MIN);
    expect(check, row->spread_rel >= 0, "no spread");
    expect(check, row->clock_hertz > 0, "no clock");
    const struct ceiling *theory = ceiling_of_theory(&results->machine, row);
    if (!theory || strcmp(row->kind, "latency") == 0)
        return;
    double limit = ceiling_at_clock(theory, row->clock_hertz);
    expect(check, row->value <= limit * (1 + above_theory_rel),
           "%.4g %s is %.1f %% above the theoretical %.4g at the measured %.3f GHz", row->value,
           row->unit, 100 * (row->value / limit - 1), limit, row->clock_hertz / GIGA);
}

/* Interference can only lower a measured ceiling. So the roof is the higher of the one sampled
 * beside the kernel and the one of machine.csv: a kernel above both has outrun the machine, a
 * kernel above one of them shows that this one was disturbed. */
static void check_roof(struct check *check, const struct table *machine,
                       const struct measurement *row, const struct summary *summary)
{
    struct roof sampled = roof_of(machine, row), before = roof_of_machine(machine, row);
    const double flops = measurement_flops(row);
    double least_seconds = fmin(roof_seconds(&sampled, flops, row->bytes_min),
                                roof_seconds(&before, flops, row->bytes_min));
    bool moves = row->flops == 0; /* data and does nothing else */
    double work = moves ? row->bytes_min : row->flops;
    if (!isnan(least_seconds))
        expect(check, least_seconds <= row->seconds_median * (1 + above_roof_rel),
               "%.4g %s is %.1f %% above its roof of %.4g (%s)", work / row->seconds_median / GIGA,
               moves ? "GB/s" : "GFLOP/s", 100 * (least_seconds / row->seconds_median - 1),
               work / least_seconds / GIGA, summary->roof_level);
}

static void check_times(struct check *check, const struct measurement *row)
{
    expect(check, row->samples >= SAMPLES_MIN, "%g samples, at least %d are due", row->samples,
           SAMPLES_MIN);
    expect(check, row->clock_hertz > 0, "no clock");
    expect(check,
           row->seconds_min > 0 && row->seconds_min <= row->seconds_q1 &&
               row->seconds_q1 <= row->seconds_median && row->seconds_median <= row->seconds_q3 &&
               row->seconds_q3 <= row->seconds_max,
           "times are not positive and in order: %g %g %g %g %g", row->seconds_min, row->seconds_q1,
           row->seconds_median, row->seconds_q3, row->seconds_max);
}

/* A node of a graph that ran and was timed. */
static void check_node(struct check *check, const struct node_measurement *row)
{
    char name[320];
    text_format(name, sizeof name, "graph.csv: '%s' (%s) of '%s' %s the passes", row->node, row->op,
                row->graph, row->stage);
    check->row = name;
    expect(check, row->measured.threads >= 1, "no threads");
    expect(check, row->measured.flops >= 0, "flops %g are negative or missing",
           row->measured.flops);
    expect(check, row->measured.bytes_min >= 0, "bytes_min %g are negative or missing",
           row->measured.bytes_min);
    check_times(check, &row->measured);
}

static void check_measurement(struct check *check, const struct results *results, size_t i)
{
    const struct measurement *row = table_measurement(&results->bench, i);
    const struct summary *summary = table_summary(&results->summary, i);
    char name[320];
    text_format(name, sizeof name, "bench.csv: '%s %s %s %s %s' with %.0f thread(s)", row->kernel,
                row->variant, row->isa, row->dtype, row->shape, row->threads);
    check->row = name;
    expect(check,
           row->device[0] && row->kernel[0] && row->dtype[0] && row->shape[0] && row->level[0],
           "device, kernel, dtype, shape or level is missing");
    expect(check, row->threads >= 1, "no threads");
    expect(check, row->flops >= 0, "flops %g are negative or missing", row->flops);
    expect(check, row->bytes_min > 0, "bytes_min %g are not positive", row->bytes_min);
    check_times(check, row);
    check_roof(check, &results->machine, row, summary);
}

struct physics physics_check(const struct results *results, FILE *out)
{
    struct check check = {.out = out};
    for (size_t i = 0; i < results->machine.count; i++)
        if (strcmp(table_ceiling(&results->machine, i)->status, "ok") == 0)
            check_ceiling(&check, results, i);
    for (size_t i = 0; i < results->bench.count; i++)
        if (strcmp(table_measurement(&results->bench, i)->status, "ok") == 0)
            check_measurement(&check, results, i);
    for (size_t i = 0; i < results->nodes.count; i++) {
        const struct node_measurement *row = table_node_measurement(&results->nodes, i);
        if (row->launches > 0 && row->measured.samples > 0)
            check_node(&check, row);
    }
    return check.physics;
}
