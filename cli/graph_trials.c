// graph_trials.c - which launches and plain loops of a graph are tried by themselves, and what they
// say of all others that are like them.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph_attempt.h"
#include "graph_run.h"
#include "interrupt.h"

/* One try takes some 10 ms, and is made in several rounds, as these are not alike. */
enum { TRIALS_MOST = 128, VISITS = 3, SAMPLES_MOST = VISITS * ATTEMPT_SAMPLES };

/* Of the graph's time under the roof: less in doubt is not worth a try. */
static const double least_doubt_rel = 1e-4;

/* How much longer plain loops may take than the roof says: one element at a time, in double. */
static const double plain_factor = 30;

/* Launches, or plain loops, that are the same. */
struct trial {
    struct executor_node node; /* one of them */
    int launch;                /* of the node; -1: plain loops */
    struct cost_trial key;
    double roof_seconds; /* of all of them */
    double doubt;        /* distance to the next one that is tried; 1 at most, 2: none is like it */
    bool is_chosen;
    double sample[SAMPLES_MOST]; /* seconds of one, by itself */
    int sample_count;            /* 0: it was not tried, or cannot be */
};

struct trials {
    struct attempts attempts;
    struct trial *item; /* owned */
    int count;
    struct trial *chosen[TRIALS_MOST];
    int chosen_count;
    struct cost_trial rate[2][TRIALS_MOST]; /* what the ceilings borrow */
};

/* ---- what there is ---- */

/* Under the roof of now, by itself, with operands as far away as it has them in the graph. */
static double roof_alone(const struct graph_bench *bench, const struct executor_node *node,
                         int launch)
{
    struct ceilings ceilings = bench->ceilings[node->threads > 1];
    ceilings.rate_count = ceilings.trial_count = 0;
    if (launch < 0)
        return cost_of_site(node->site, NULL, NULL, node->reuse, &ceilings).roof_seconds;
    const struct lowering one = {.launch = &node->lowering->launch[launch], .launch_count = 1};
    return cost_of_site(node->site, &one, &node->variants[launch],
                        &node->reuse[launch * KERNEL_OPERANDS_MAX], &ceilings)
        .roof_seconds;
}

/* How much one differs from the other, also in the number of threads. */
static double distance_between(const struct trial *a, const struct trial *b)
{
    return (a->node.threads > 1) == (b->node.threads > 1) ? cost_trial_distance(&a->key, &b->key)
                                                          : INFINITY;
}

static void add_item(struct trials *trials, const struct graph_bench *bench,
                     const struct executor_node *node, int launch)
{
    struct trial trial = {
        .node = *node,
        .launch = launch,
        .key = launch < 0
                   ? cost_trial_of_site(node->site)
                   : cost_trial_of_launch(&node->lowering->launch[launch], node->variants[launch]),
        .roof_seconds = (launch < 0 ? plain_factor : 1) * roof_alone(bench, node, launch),
        .doubt = 2,
    };
    if (!(trial.roof_seconds > 0))
        return;
    for (int i = 0; i < trials->count; i++)
        if (distance_between(&trials->item[i], &trial) <= 0) {
            trials->item[i].roof_seconds += trial.roof_seconds;
            return;
        }
    trials->item[trials->count++] = trial;
}

static int launches_of(const struct executor_node *node)
{
    return node->lowering ? node->lowering->launch_count : 1;
}

static int find_items(struct trials *trials, const struct graph_bench *bench, struct error *error)
{
    size_t most = 1;
    for (int pass = 0; pass < 2; pass++) {
        for (int s = 0; s < 2; s++)
            for (int i = 0; i < bench->stage[s].node_count; i++) {
                const struct executor_node node = executor_node(bench->stage[s].executor, i);
                for (int k = 0; node.reuse && k < launches_of(&node); k++)
                    if (pass > 0)
                        add_item(trials, bench, &node, node.lowering ? k : -1);
                    else
                        most++;
            }
        if (pass == 0 && !(trials->item = calloc(most, sizeof *trials->item)))
            return error_set(error, FAULT_ENVIRONMENT, "out of memory for trials of launches");
    }
    return OK;
}

/* ---- which are tried ---- */

/* Those of which nothing is known first, then where time and distance to what is known are largest.
 */
static struct trial *most_doubtful(struct trials *trials, double least_seconds)
{
    struct trial *found = NULL;
    for (int i = 0; i < trials->count; i++) {
        struct trial *item = &trials->item[i];
        const bool is_unknown = item->doubt > 1, was_unknown = found && found->doubt > 1;
        if (item->is_chosen || (!is_unknown && item->roof_seconds * item->doubt < least_seconds) ||
            (was_unknown && !is_unknown))
            continue;
        if (!found || is_unknown != was_unknown ||
            item->roof_seconds * item->doubt > found->roof_seconds * found->doubt)
            found = item;
    }
    return found;
}

static void choose(struct trials *trials)
{
    double whole_seconds = 0;
    for (int i = 0; i < trials->count; i++)
        whole_seconds += trials->item[i].roof_seconds;
    while (trials->chosen_count < TRIALS_MOST) {
        struct trial *next = most_doubtful(trials, least_doubt_rel * whole_seconds);
        if (!next)
            return;
        next->is_chosen = true;
        trials->chosen[trials->chosen_count++] = next;
        for (int i = 0; i < trials->count; i++) {
            const double distance = distance_between(next, &trials->item[i]);
            if (!isinf(distance))
                trials->item[i].doubt = fmin(fmin(distance, 1), trials->item[i].doubt);
        }
    }
}

/* The largest distance between two uses of an operand, or two calls. */
static double farthest_of(const struct trials *trials)
{
    double bytes = 0;
    for (int i = 0; i < trials->chosen_count; i++) {
        const struct trial *trial = trials->chosen[i];
        const int operands = trial->launch < 0 ? 0 : KERNEL_OPERANDS_MAX;
        if (trial->launch >= 0)
            bytes = fmax(bytes, trial->node.code_distance_bytes[trial->launch]);
        for (int k = 0; k < operands; k++)
            bytes = fmax(bytes,
                         trial->node.reuse[trial->launch * KERNEL_OPERANDS_MAX + k].distance_bytes);
    }
    return bytes;
}

/* ---- the command's ---- */

int graph_trials_open(struct graph_bench *bench, struct error *error)
{
    struct trials *trials = bench->trials = calloc(1, sizeof *trials);
    if (!trials)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for trials of launches");
    if (find_items(trials, bench, error) != OK)
        return FAILED;
    choose(trials);
    return attempts_open(&trials->attempts, &bench->bench.host, bench->isa, farthest_of(trials),
                         error);
}

static void visit(const struct trials *trials, struct trial *trial)
{
    double *sample = &trial->sample[trial->sample_count];
    if (trial->sample_count + ATTEMPT_SAMPLES > SAMPLES_MOST)
        return;
    trial->sample_count +=
        trial->launch < 0 ? attempt_loops(&trial->node, sample)
                          : attempt_launch(&trials->attempts, &trial->node, trial->launch, sample);
}

void graph_trials_run(struct graph_bench *bench, int round, int rounds)
{
    struct trials *trials = bench->trials;
    const int every = rounds > VISITS ? rounds / VISITS : 1;
    const int end = round < every * VISITS ? trials->chosen_count : 0;
    for (int i = round % every; i < end && !interrupted(); i += every)
        visit(trials, trials->chosen[i]);
}

void graph_trials_settle(struct graph_bench *bench)
{
    struct trials *trials = bench->trials;
    for (int at = 0; at < 2 && trials; at++) {
        int count = 0;
        for (int i = 0; i < trials->chosen_count; i++) {
            struct trial *trial = trials->chosen[i];
            /* What disturbs only slows, but it slows the graph's nodes, too, whose times are
             * medians: first quartiles said 5 to 15 % too little where neighbours were busy. */
            const double seconds = quartiles_of(trial->sample, (size_t)trial->sample_count).median;
            const double roof = roof_alone(bench, &trial->node, trial->launch);
            if ((trial->node.threads > 1) != at || !(seconds > 0) || !(roof > 0))
                continue;
            trials->rate[at][count] = trial->key;
            trials->rate[at][count++].of_roof = roof / seconds;
        }
        bench->ceilings[at].trial = trials->rate[at];
        bench->ceilings[at].trial_count = count;
    }
}

void graph_trials_close(struct graph_bench *bench)
{
    if (bench->trials) {
        attempts_close(&bench->trials->attempts);
        free(bench->trials->item);
        free(bench->trials);
    }
    bench->trials = NULL;
    for (int at = 0; at < 2; at++) {
        bench->ceilings[at].trial = NULL;
        bench->ceilings[at].trial_count = 0;
    }
}
