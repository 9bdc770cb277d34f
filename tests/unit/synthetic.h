// synthetic.h - made-up results for the tests of roofline/: a machine of round numbers and any
// number of kernels.
#ifndef ROOFLINE_TEST_SYNTHETIC_H
#define ROOFLINE_TEST_SYNTHETIC_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "summary.h"

/* One core at 2 GHz: 100 GFLOP/s by FMA, L1 200, L2 100, L3 50 GB/s, DRAM 10 GB/s read, 12 GB/s
 * copied past the caches. */
static inline struct ceiling *add_ceiling(struct table *machine, const char *kind, const char *isa,
                                          const char *level, double value)
{
    struct ceiling *row = table_append(machine);
    text_copy(row->device, sizeof row->device, "cpu");
    text_copy(row->kind, sizeof row->kind, kind);
    text_copy(row->isa, sizeof row->isa, isa);
    text_copy(row->level, sizeof row->level, level);
    text_copy(row->basis, sizeof row->basis, "measured");
    text_copy(row->status, sizeof row->status, "ok");
    text_copy(row->unit, sizeof row->unit, strcmp(kind, "compute") == 0 ? "flop/s" : "byte/s");
    if (strcmp(kind, "compute") == 0)
        text_copy(row->dtype, sizeof row->dtype, "f32");
    row->workers = 1;
    row->value = value;
    row->samples = 15;
    row->spread_rel = 0.01;
    row->clock_hertz = 2e9;
    return row;
}

static inline struct measurement *add_measurement(struct table *bench, const char *kernel,
                                                  const char *shape, const char *level,
                                                  double flops, double bytes, double seconds)
{
    struct measurement *row = table_append(bench);
    text_copy(row->device, sizeof row->device, "cpu");
    text_copy(row->kernel, sizeof row->kernel, kernel);
    text_copy(row->variant, sizeof row->variant, "plain");
    text_copy(row->isa, sizeof row->isa, "avx2");
    text_copy(row->dtype, sizeof row->dtype, "f32");
    text_copy(row->shape, sizeof row->shape, shape);
    text_copy(row->level, sizeof row->level, level);
    text_copy(row->status, sizeof row->status, "ok");
    row->threads = 1;
    row->flops = flops;
    row->bytes_min = bytes;
    row->samples = 30;
    row->seconds_min = 0.98 * seconds;
    row->seconds_q1 = 0.99 * seconds;
    row->seconds_median = seconds;
    row->seconds_q3 = 1.01 * seconds;
    row->seconds_max = 1.2 * seconds;
    row->clock_hertz = 2e9;
    return row;
}

static inline void add_machine(struct table *machine)
{
    static const struct {
        const char *kind, *isa, *level;
        double value;
    } rows[] = {
        {"compute", "avx2", "fma", 100e9},       {"compute", "avx", "mul+add", 98e9},
        {"compute", "avx2", "mul+add", 99e9},    {"compute", "avx2", "add", 50e9},
        {"compute", "avx2", "fma+add", 137e9},   {"compute", "sse2", "mul+add", 50e9},
        {"compute", "scalar", "fma", 12e9},      {"bandwidth", "", "L1:read", 200e9},
        {"bandwidth", "", "L2:read", 100e9},     {"bandwidth", "", "L3:read", 50e9},
        {"bandwidth", "", "DRAM:read", 10e9},    {"bandwidth", "", "DRAM:copy", 30e9},
        {"bandwidth", "", "DRAM:copy_nt", 12e9},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        add_ceiling(machine, rows[i].kind, rows[i].isa, rows[i].level, rows[i].value);
}

/* `count` kernels at 60 to 95 % of their roofs; many share an intensity, every seventh one its
 * whole place. */
static inline void add_kernels(struct table *bench, int count)
{
    static const char *const levels[] = {"L1", "L2", "L3", "DRAM"};
    static const double bandwidth[] = {200e9, 100e9, 50e9, 12e9};
    static const double intensities[] = {1.0 / 12, 1.0 / 8, 1.0 / 6, 0.25, 4, 20, 43, 171};
    for (int i = 0; i < count; i++) {
        int like = i % 7 == 6 ? i - 6 : i;
        double intensity = intensities[like % 8], bytes = 1e6;
        double roof = fmin(100e9, intensity * bandwidth[like % 4]);
        double rate = roof * (0.6 + 0.05 * (like % 8));
        char shape[32];
        text_format(shape, sizeof shape, "m=%d,n=%d,k=7", 100 + i, 100 + i);
        add_measurement(bench, i % 2 ? "gemm" : "conv2d", shape, levels[like % 4],
                        intensity * bytes, bytes, intensity * bytes / rate);
    }
}

/* `kernels` of three shapes each, as large suites have them; every eleventh computes nothing. */
static inline void add_suite(struct table *bench, int kernels)
{
    static const double sizes[] = {1e3, 1e5, 1e7};
    static const char *const levels[] = {"L1", "L3", "DRAM"};
    static const double bandwidth[] = {200e9, 50e9, 12e9};
    for (int i = 0; i < 3 * kernels; i++) {
        int kernel = i / 3, at = i % 3;
        double intensity = kernel % 11 == 10 ? 0 : 0.05 * exp2(kernel % 9), bytes = sizes[at];
        double seconds = bytes / bandwidth[at] / (0.5 + 0.04 * (kernel % 12));
        char name[32], shape[96];
        seconds = fmax(seconds, intensity * bytes / 90e9);
        text_format(name, sizeof name, "operator%d", kernel);
        text_format(shape, sizeof shape, "n=%d,c=%d,h=%d,w=%d,k=%d,stride=2,groups=%d,layout=nchwc",
                    at + 1, 64 << at, 56 >> at, 56 >> at, 256 << at, 64 << at);
        add_measurement(bench, name, shape, levels[at], intensity * bytes, bytes, seconds);
    }
}

static inline int synthetic_results(struct results *results, int kernels, struct error *error)
{
    results_init(results);
    add_machine(&results->machine);
    add_kernels(&results->bench, kernels);
    if (table_note(&results->bench, "cpu", "Synthetic CPU", error) != OK)
        return FAILED;
    return summary_build(&results->summary, &results->machine, &results->bench, error);
}

#endif
