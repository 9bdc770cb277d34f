// graph_rates.c - what of its roof each kernel reaches on this machine: from bench.csv, else
// measured on a few of the graph's launches, each by itself.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "graph_run.h"
#include "interrupt.h"
#include "summary.h"

enum { ROWS_MOST = 256, TRIED_MOST = 5, SAMPLES = 5 };

/* Of a sample: long against reading the clock. */
static const double sample_seconds = 5e-4;

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

/* ---- from bench.csv ---- */

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

/* ---- measured ---- */

/* A launch of the graph that may be tried. */
struct trial {
    const struct executor_node *node;
    int launch;
    double roof_seconds;
    enum cost_bound bound;
};

static bool has_rate(const struct ceilings *ceilings, const struct launch *launch,
                     const char *variant)
{
    for (int i = 0; i < ceilings->rate_count; i++)
        if (ceilings->rate[i].dtype == launch->dtype &&
            strcmp(ceilings->rate[i].variant, variant) == 0 &&
            strcmp(ceilings->rate[i].layout, cost_layout(launch)) == 0 &&
            strcmp(ceilings->rate[i].kernel, launch->kernel->name) == 0)
            return true;
    return false;
}

/* The launch by itself, with its operands where they fit. */
static struct trial trial_of(const struct graph_bench *bench, const struct executor_node *node,
                             int i)
{
    struct lowering one = {.launch = &node->lowering->launch[i], .launch_count = 1};
    struct ceilings ceilings = bench->ceilings[node->threads > 1];
    ceilings.rate_count = 0;
    ceilings.launch_seconds = 0;
    const struct cost cost = cost_of_site(node->site, &one, &node->variants[i], &ceilings);
    return (struct trial){node, i, cost.roof_seconds, cost.bound};
}

/* Keeps the longest ones of different shapes, longest first. */
static void keep(struct trial *kept, int *count, const struct trial *trial)
{
    const struct launch *launch = &trial->node->lowering->launch[trial->launch];
    for (int i = 0; i < *count; i++) {
        const struct launch *other = &kept[i].node->lowering->launch[kept[i].launch];
        if (memcmp(&other->shape, &launch->shape, sizeof launch->shape) == 0)
            return;
    }
    int at = *count < TRIED_MOST ? (*count)++ : TRIED_MOST;
    for (; at > 0 && kept[at - 1].roof_seconds < trial->roof_seconds; at--)
        if (at < TRIED_MOST)
            kept[at] = kept[at - 1];
    if (at < TRIED_MOST)
        kept[at] = *trial;
}

/* What of its roof it reaches; NAN where it cannot be run by itself. */
static double try_launch(const struct graph_bench *bench, const struct trial *trial)
{
    const struct launch *launch = &trial->node->lowering->launch[trial->launch];
    const char *variant = trial->node->variants[trial->launch];
    double seconds[SAMPLES];
    struct error error;
    struct run run = {.host = &bench->bench.host,
                      .kernel = launch->kernel,
                      .variant = variant_find(launch->kernel, variant),
                      .isa = bench->isa,
                      .dtype = launch->dtype,
                      .shape = launch->shape,
                      .threads = trial->node->threads};
    while (run.isa > 0 && !run.variant->bodies[run.isa][run.dtype])
        run.isa--;
    if (run_open(&run, &error) != OK)
        return NAN;
    const struct work work = run_work(&run, true);
    measure_calibrate(&work, &run.repeats, sample_seconds);
    for (int i = 0; i < SAMPLES; i++)
        seconds[i] = measure_sample(&work).seconds / (double)run.repeats;
    run_close(&run);
    return trial->roof_seconds / quartiles_of(seconds, SAMPLES).median;
}

/* All launches like that one: of its kernel, variant, format and layout with as many threads. */
static int find_trials(const struct graph_bench *bench, const struct executor_node *nodes,
                       int count, const struct executor_node *like, int at, struct trial *trials)
{
    const struct launch *launch = &like->lowering->launch[at];
    int kept = 0;
    for (int i = 0; i < count; i++)
        for (int k = 0; nodes[i].lowering && k < nodes[i].lowering->launch_count; k++) {
            const struct launch *each = &nodes[i].lowering->launch[k];
            if (each->kernel != launch->kernel || each->dtype != launch->dtype ||
                strcmp(cost_layout(each), cost_layout(launch)) != 0 ||
                strcmp(nodes[i].variants[k], like->variants[at]) != 0 ||
                (nodes[i].threads > 1) != (like->threads > 1))
                continue;
            const struct trial trial = trial_of(bench, &nodes[i], k);
            if (trial.bound != COST_UNKNOWN)
                keep(trials, &kept, &trial);
        }
    return kept;
}

static void measure_rate(struct graph_bench *bench, const struct executor_node *nodes, int count,
                         const struct executor_node *node, int k)
{
    const struct launch *launch = &node->lowering->launch[k];
    struct trial trials[TRIED_MOST];
    double by[2][TRIED_MOST];
    size_t found[2] = {0, 0};
    const int at = node->threads > 1;
    const int kept = find_trials(bench, nodes, count, node, k, trials);
    for (int i = 0; i < kept && !interrupted(); i++) {
        const double fraction = try_launch(bench, &trials[i]);
        const int of_memory = trials[i].bound == COST_MEMORY;
        if (fraction > 0)
            by[of_memory][found[of_memory]++] = fraction;
    }
    struct cost_rate rate =
        rate_of(launch->kernel->name, node->variants[k], cost_layout(launch), launch->dtype);
    rate.of_compute = quartiles_of(by[0], found[0]).median;
    rate.of_memory = quartiles_of(by[1], found[1]).median;
    add_rate(&bench->ceilings[at], bench->rate[at], &rate);
}

int graph_rates_measure(struct graph_bench *bench, struct error *error)
{
    int count = 0;
    const int most = bench->stage[0].node_count + bench->stage[1].node_count;
    struct executor_node *nodes = calloc((size_t)most + 1, sizeof *nodes);
    if (!nodes)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for %d nodes", most);
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < bench->stage[s].node_count; i++)
            nodes[count++] = executor_node(bench->stage[s].executor, i);
    for (int i = 0; i < count; i++)
        for (int k = 0; nodes[i].lowering && k < nodes[i].lowering->launch_count; k++) {
            const struct launch *launch = &nodes[i].lowering->launch[k];
            if (!has_rate(&bench->ceilings[nodes[i].threads > 1], launch, nodes[i].variants[k]))
                measure_rate(bench, nodes, count, &nodes[i], k);
        }
    free(nodes);
    return OK;
}
