// graph_measure.c - both graphs of `roofline graph` run in turn: nodes, whole runs, and what each
// pass gains.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph_run.h"
#include "interrupt.h"
#include "measure.h"
#include "run.h"

/* Samples per budget: 10 at least, so that quartiles mean something. */
static const int rounds_of_budget[] = {
    [BUDGET_QUICK] = 11, [BUDGET_STANDARD] = 31, [BUDGET_FULL] = GRAPH_ROUNDS_MAX};

/* What one more pass gains is known well enough from fewer where they would take longer than this,
 * but not from less than some. */
static const double gain_seconds = 0.5;
enum { GAIN_ROUNDS = 5 };

/* Others have had the caches, and it takes several runs until these are as after many: a last level
 * that gets what L2 drops does not keep all of it at once. So runs are not timed as long as each is
 * faster than the one before, at most so many, and for no longer than this: of long ones the first
 * does most of it. */
static const double settled_rel = 0.97, settling_seconds = 0.02;
enum { SETTLING_RUNS = 8 };

void stage_cost(struct stage *stage, const struct graph_bench *bench)
{
    stage->total = (struct cost_total){0};
    for (int i = 0; i < stage->node_count; i++) {
        const struct executor_node node = executor_node(stage->executor, i);
        stage->node[i].cost = cost_of_site(node.site, node.lowering, node.variants, node.reuse,
                                           &bench->ceilings[node.threads > 1]);
        cost_add(&stage->total, &stage->node[i].cost);
    }
}

int stage_open(struct stage *stage, const struct graph_bench *bench, struct error *error)
{
    const struct executor_setup setup = {
        .host = &bench->bench.host, .threads = bench->threads, .isa = bench->isa};
    stage->rounds = rounds_of_budget[bench->request->options.request.budget];
    if (executor_open(&stage->executor, &stage->graph, &setup, error) != OK ||
        graph_feed(bench, stage->executor, error) != OK ||
        executor_run(stage->executor, error) != OK ||
        executor_find_reuse(stage->executor, error) != OK)
        return FAILED;
    stage->node_count = executor_node_count(stage->executor);
    const size_t nodes = (size_t)stage->node_count + 1;
    stage->node = calloc(nodes, sizeof *stage->node);
    stage->sample = calloc(nodes * (size_t)stage->rounds, sizeof *stage->sample);
    if (!stage->node || !stage->sample)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the times of %d nodes",
                         stage->node_count);
    stage_cost(stage, bench);
    return OK;
}

void stage_close(struct stage *stage)
{
    executor_close(stage->executor);
    free(stage->node);
    free(stage->sample);
    stage->executor = NULL;
    stage->node = NULL;
    stage->sample = NULL;
}

/* One run with a clock reading per node. */
static int sample_nodes(struct stage *stage, int round, struct error *error)
{
    executor_clock(stage->executor, true);
    const int result = executor_run(stage->executor, error);
    for (int i = 0; i < stage->node_count && result == OK; i++)
        stage->sample[(size_t)i * (size_t)stage->rounds + (size_t)round] =
            executor_seconds(stage->executor, i);
    executor_clock(stage->executor, false);
    return result;
}

/* Whether a run may leave in the caches what the next one needs. Weights that are packed count
 * twice. */
static bool is_cached(const struct stage *stage, const struct graph_bench *bench)
{
    const struct cache_sizes caches = run_caches(&bench->bench.host, bench->threads);
    const struct executor_memory memory = executor_memory(stage->executor);
    double bytes = (double)memory.peak_bytes + (double)memory.workspace_bytes;
    for (int i = 0; i < stage->graph.tensor_count; i++)
        if (tensor_is_known(stage->graph.tensor[i]))
            bytes += (double)type_bytes(&stage->graph.tensor[i]->type);
    return bytes < 2 * caches.last_level_bytes;
}

/* A whole run in caches as its own runs leave them; `is_swept`: more than another graph has had
 * them since. */
static struct sample sample_run(const struct graph_bench *bench, struct stage *stage, bool is_swept)
{
    struct executor_job job = {stage->executor, -1, 1};
    const struct work work = executor_work(&job);
    const int settling_runs = is_cached(stage, bench) ? SETTLING_RUNS : 0;
    double last = INFINITY, spent = 0;
    for (int i = 0; i < settling_runs && spent < settling_seconds; i++) {
        const struct sample sample = measure_sample(&work);
        if (!is_swept && sample.seconds > settling_seconds)
            return sample;
        if (sample.seconds > settled_rel * last)
            break;
        last = sample.seconds;
        spent += sample.seconds;
    }
    return measure_sample(&work);
}

int stages_measure(struct graph_bench *bench, struct error *error)
{
    double seconds[2][GRAPH_ROUNDS_MAX], clocks[2][GRAPH_ROUNDS_MAX];
    const int rounds = bench->stage[0].rounds;
    for (int round = 0; round < rounds; round++) {
        for (int s = 0; s < 2; s++) {
            if (interrupted())
                return error_skip(error, "interrupted");
            const struct sample sample = sample_run(bench, &bench->stage[s], true);
            if (sample_nodes(&bench->stage[s], round, error) != OK)
                return FAILED;
            seconds[s][round] = sample.seconds;
            clocks[s][round] = sample.clock_hertz;
        }
        graph_ceilings_sample(bench, round);
        graph_trials_run(bench, round, rounds);
        progress("graph: round", round + 1, rounds);
    }
    graph_ceilings_settle(bench);
    for (int s = 0; s < 2; s++) {
        struct stage *stage = &bench->stage[s];
        stage->whole = quartiles_of(seconds[s], (size_t)rounds);
        stage->clock_hertz = quartiles_of(clocks[s], (size_t)rounds).median;
        for (int i = 0; i < stage->node_count; i++)
            stage->node[i].seconds =
                quartiles_of(&stage->sample[(size_t)i * (size_t)rounds], (size_t)rounds);
    }
    return OK;
}

/* ---- passes one after another ---- */

/* Runs in turn without the pass and with it, so that what the clock does between them is not taken
 * for a gain. */
static void compare_runs(const struct graph_bench *bench, struct stage *without, struct stage *with,
                         struct gain *gain)
{
    double seconds[GRAPH_ROUNDS_MAX], ratio[GRAPH_ROUNDS_MAX];
    int rounds = with->rounds;
    for (int i = 0; i < rounds; i++) {
        const double began = seconds_now();
        if (interrupted())
            return;
        const double before = sample_run(bench, without, false).seconds;
        seconds[i] = sample_run(bench, with, false).seconds;
        ratio[i] = before / seconds[i];
        const double round_seconds = seconds_now() - began;
        while (i == 0 && rounds > GAIN_ROUNDS && rounds * round_seconds > gain_seconds)
            rounds--;
    }
    gain->seconds = quartiles_of(seconds, (size_t)rounds).median;
    gain->ratio = quartiles_of(ratio, (size_t)rounds);
}

static void gain_of_total(struct gain *gain, const struct cost_total *total)
{
    gain->nodes = total->nodes;
    gain->launches = total->launches;
    gain->bytes = total->bytes;
    gain->seconds = NAN;
}

/* The graph with the passes of the set alone. */
static int open_set(struct stage *stage, const struct graph_bench *bench,
                    const struct pass_set *set, struct error *error)
{
    int result = graph_copy(&stage->graph, &bench->model, error);
    if (result == OK)
        result = graph_optimize(&stage->graph, set, &bench->settings, NULL, error);
    if (result != OK)
        return result;
    return bench->request->no_times
               ? cost_of_graph(&stage->total, &stage->graph, &bench->ceilings[1], error)
               : stage_open(stage, bench, error);
}

static void close_set(struct stage *stage)
{
    stage_close(stage);
    graph_free(&stage->graph);
    *stage = (struct stage){.name = ""};
}

/* The first pass is compared with the bench's first stage, with the last one it is the second that
 * is there already; `made` are for two graphs between. */
static int measure_passes(struct graph_bench *bench, struct stage *made, struct error *error)
{
    struct pass_set set = {.has = {false}};
    struct stage *without = &bench->stage[0];
    int last = -1;
    for (int i = 0; i < PASS_COUNT; i++)
        last = bench->optimization.rewrites[i] > 0 ? i : last;
    for (int i = 0; i <= last && !interrupted(); i++) {
        set.has[i] = bench->optimization.rewrites[i] > 0;
        if (!set.has[i])
            continue;
        struct stage *with = i == last ? &bench->stage[1] : without == made ? made + 1 : made;
        if (with != &bench->stage[1]) {
            close_set(with);
            if (open_set(with, bench, &set, error) != OK)
                return FAILED;
        }
        struct gain *gain = &bench->gain[bench->gain_count++];
        gain->pass = passes[i];
        gain->rewrites = bench->optimization.rewrites[i];
        gain_of_total(gain, &with->total);
        if (!bench->request->no_times)
            compare_runs(bench, without, with, gain);
        without = with;
    }
    return OK;
}

int gains_measure(struct graph_bench *bench, struct error *error)
{
    struct stage made[2] = {{.name = ""}, {.name = ""}};
    bench->gain = calloc((size_t)PASS_COUNT + 1, sizeof *bench->gain);
    if (!bench->gain)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the gains of passes");
    const struct stage *before = &bench->stage[0];
    gain_of_total(&bench->gain[bench->gain_count], &before->total);
    if (before->whole.count)
        bench->gain[bench->gain_count].seconds = before->whole.median;
    bench->gain_count++;
    const int result = measure_passes(bench, made, error);
    close_set(&made[0]);
    close_set(&made[1]);
    return result;
}
