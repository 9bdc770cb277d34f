// count.c - counts a run.
#include "count.h"

#include <math.h>
#include <stdlib.h>

#include "table.h"

struct counting counting_here(const struct pmu *pmu, const struct identity *cpu)
{
    struct counting counting = {0};
    struct counters *counters;
    struct error reason;
    if (counters_open(&counters, pmu, NULL, &reason) != OK)
        return counting;
    counters_close(counters);
    const char *table = events_table(cpu);
    counting.pmu = pmu;
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++)
        counting.flops[dtype] = counters_choose(pmu, table, "flops", (enum dtype)dtype);
    counting.bytes = counters_choose(pmu, table, "bytes", DTYPE_f64);
    return counting;
}

/* What the calls of each member counted. */
struct counted_work {
    struct work work;
    const struct pmu *pmu;
    const struct recipe *recipe;
    struct counts *counts;
};

static void count_member(void *context, struct member member)
{
    const struct counted_work *counted = context;
    struct counters *counters;
    struct error ignored; /* one that cannot be opened counts NAN */
    counters_open(&counters, counted->pmu, counted->recipe, &ignored);
    counters_start(counters);
    counted->work.run(counted->work.context, member);
    counted->counts[member.index] = counters_stop(counters);
    counters_close(counters);
}

/* Per call, summed over the members: one that could not count makes the sum unknown. */
static struct counts count_all(struct run *run, const struct pmu *pmu, const struct recipe *recipe)
{
    struct counts sum = {NAN, NAN, NAN};
    struct counted_work counted = {run_work(run, false), pmu, recipe,
                                   calloc((size_t)run->threads, sizeof *counted.counts)};
    if (!counted.counts || counted.work.threads != run->threads) {
        free(counted.counts); /* a library's threads are its own */
        return sum;
    }
    team_run(count_member, &counted, run->threads);
    sum = (struct counts){0, 0, 0};
    for (int i = 0; i < run->threads; i++) {
        sum.cycles += counted.counts[i].cycles / (double)run->repeats;
        sum.instructions += counted.counts[i].instructions / (double)run->repeats;
        sum.sum += counted.counts[i].sum / (double)run->repeats;
    }
    free(counted.counts);
    return sum;
}

static double count_recipe(struct run *run, const struct pmu *pmu, const struct recipe *recipe)
{
    return recipe->term_count > 0 ? count_all(run, pmu, recipe).sum : NAN;
}

struct counted run_count(struct run *run, const struct counting *counting)
{
    struct counted counted = {NAN, NAN, NAN, NAN, ""};
    if (!counting->pmu)
        return counted;
    const struct recipe *flops = &counting->flops[run->dtype];
    struct counts counts = count_all(run, counting->pmu, NULL);
    counted.cycles = counts.cycles;
    counted.instructions = counts.instructions;
    counted.flops = count_recipe(run, counting->pmu, flops);
    counted.bytes = count_recipe(run, counting->pmu, &counting->bytes);
    char flops_text[256] = "", bytes_text[256] = "";
    if (!isnan(counted.flops))
        recipe_format(flops, flops_text, sizeof flops_text);
    if (!isnan(counted.bytes))
        recipe_format(&counting->bytes, bytes_text, sizeof bytes_text);
    text_format(counted.by, sizeof counted.by, "%s%s%s%s%s", *flops_text ? "flops: " : "",
                flops_text, *flops_text && *bytes_text ? "; " : "", *bytes_text ? "bytes: " : "",
                bytes_text);
    return counted;
}
