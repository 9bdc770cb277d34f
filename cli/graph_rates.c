// graph_rates.c - what of its roof each kernel reaches on this machine, by bench.csv.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "graph_run.h"
#include "summary.h"

enum { ROWS_MOST = 256 };

/* Words of the letter `layout`; none where the kernel has no such letter. */
static const char *const *layouts_of(const struct kernel *kernel)
{
    static const char *const none[] = {NULL};
    for (int i = 0; i < kernel->letter_count; i++)
        if (strcmp(kernel->letters[i].name, "layout") == 0)
            return kernel->letters[i].words;
    return none;
}

/* One of each variant, format and layout, and one of all layouts. */
static size_t rates_most(void)
{
    size_t most = 0;
    for (int i = 0; kernels[i]; i++) {
        size_t layouts = 1;
        for (const char *const *layout = layouts_of(kernels[i]); *layout; layout++)
            layouts++;
        for (const struct variant *v = kernels[i]->variants; v->name; v++)
            most += DTYPE_COUNT * layouts;
    }
    return most;
}

static struct cost_rate rate_of(const char *kernel, const char *variant, const char *layout,
                                enum dtype dtype)
{
    struct cost_rate rate = {.dtype = dtype};
    text_copy(rate.kernel, sizeof rate.kernel, kernel);
    text_copy(rate.variant, sizeof rate.variant, variant);
    text_copy(rate.layout, sizeof rate.layout, layout);
    return rate;
}

static void add_rate(struct ceilings *ceilings, struct cost_rate *rates,
                     const struct cost_rate *rate)
{
    if (rate->of_compute > 0 || rate->of_memory > 0)
        rates[ceilings->rate_count++] = *rate;
}

/* Whether the shape is one of images in the layout; "": in any. */
static bool has_layout(const char *shape, const char *layout)
{
    static const char letter[] = "layout=";
    const char *at = strstr(shape, letter);
    const size_t length = strlen(layout);
    if (length == 0)
        return true;
    return at && strncmp(at + sizeof letter - 1, layout, length) == 0 &&
           strchr(",", at[sizeof letter - 1 + length]) != NULL;
}

/* Median of the fractions of roof of all measured rows like the rate that have that bound. */
static double fraction_of(const struct table *machine, const struct table *rows,
                          const struct cost_rate *rate, const char *bound, int threads)
{
    double fraction[ROWS_MOST];
    size_t count = 0;
    for (size_t i = 0; i < rows->count && count < ROWS_MOST; i++) {
        const struct measurement *row = table_measurement(rows, i);
        struct summary summary;
        if (strcmp(row->kernel, rate->kernel) != 0 || strcmp(row->variant, rate->variant) != 0 ||
            strcmp(row->dtype, dtype_name(rate->dtype)) != 0 || row->threads != threads ||
            strcmp(row->status, "ok") != 0 || !has_layout(row->shape, rate->layout))
            continue;
        summary_of(&summary, machine, row);
        if (strcmp(summary.bound, bound) == 0 && summary.roof_fraction > 0)
            fraction[count++] = fmin(summary.roof_fraction, 1);
    }
    return quartiles_of(fraction, count).median;
}

static void take_rate(struct graph_bench *bench, int at, const struct table *rows,
                      const char *kernel, const char *variant, const char *layout)
{
    struct ceilings *ceilings = &bench->ceilings[at];
    const struct table *machine = &bench->bench.machine;
    for (int i = 0; i < DTYPE_COUNT; i++) {
        struct cost_rate rate = rate_of(kernel, variant, layout, (enum dtype)i);
        rate.of_compute = fraction_of(machine, rows, &rate, "compute", ceilings->threads);
        rate.of_memory = fraction_of(machine, rows, &rate, "memory", ceilings->threads);
        add_rate(ceilings, bench->rate[at], &rate);
    }
}

/* With each number of threads, of each layout and of all. */
static void take_rates(struct graph_bench *bench, const struct table *rows,
                       const struct kernel *kernel, const char *variant)
{
    for (int at = 0; at < 2; at++) {
        take_rate(bench, at, rows, kernel->name, variant, "");
        for (const char *const *layout = layouts_of(kernel); *layout; layout++)
            take_rate(bench, at, rows, kernel->name, variant, *layout);
    }
}

int graph_rates_read(struct graph_bench *bench, struct error *error)
{
    char path[1024];
    struct table rows;
    const char *out = bench->request->options.out;
    for (int i = 0; i < 2; i++) {
        bench->rate[i] = calloc(rates_most(), sizeof *bench->rate[i]);
        if (!bench->rate[i])
            return error_set(error, FAULT_ENVIRONMENT, "out of memory for the rates of kernels");
        bench->ceilings[i].rate = bench->rate[i];
    }
    if (!out)
        return OK;
    if (path_join(path, sizeof path, out, "bench.csv", error) != OK)
        return FAILED;
    if (access(path, F_OK) != 0)
        return OK;
    table_init(&rows, &measurement_schema);
    const int result = table_read(&rows, out, error);
    for (int i = 0; kernels[i] && result == OK; i++)
        for (const struct variant *v = kernels[i]->variants; v->name; v++)
            take_rates(bench, &rows, kernels[i], v->name);
    table_free(&rows);
    return result;
}
