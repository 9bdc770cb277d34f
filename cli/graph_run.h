// graph_run.h - what the parts of `roofline graph` share: what was asked for, and a graph before
// and after its passes with what was measured of it.
#ifndef ROOFLINE_GRAPH_RUN_H
#define ROOFLINE_GRAPH_RUN_H

#include "bench_row.h"
#include "cost.h"
#include "executor.h"
#include "node_measurement.h"
#include "optimize.h"
#include "stats.h"

enum { GRAPH_WORDS_MAX = 16, GRAPH_ROUNDS_MAX = 101 };

/* --input NAME=FILE.pb, --expect NAME=FILE.pb, --dim NAME=N. */
struct assignment {
    const char *name; /* owned */
    const char *value;
};

struct assignments {
    struct assignment item[GRAPH_WORDS_MAX];
    int count;
};

struct graph_request {
    struct options options;
    const char *model; /* file or built-in */
    const char *passes;
    const char *data; /* folder, or NULL */
    const char *dump; /* file, or NULL */
    struct assignments inputs, expected, dims;
    long batch[GRAPH_WORDS_MAX];
    int batch_count; /* 0: as the model says, else 1 */
    int check, explain, no_times;
    bool named_weights;
    double gemm_gain;
};

/* Arrays that graphs are fed with, or that results are compared with. */
struct graph_values {
    struct arena arena;
    struct array *input, *expected; /* by input and output of block 0; data NULL: not given */
    int expected_count;             /* that are given */
};

/* What one node took. */
struct node_times {
    struct cost cost;
    struct quartiles seconds;
};

/* The graph before or after the passes. */
struct stage {
    const char *name; /* "before", "after" */
    struct graph graph;
    struct executor *executor; /* owned; NULL until it is opened */
    int node_count;            /* that run: executor_node_count() */
    struct node_times *node;   /* owned: node_count */
    double *sample;            /* owned: node_count x rounds, a row per round */
    struct cost_total total;
    struct quartiles whole; /* seconds of runs without a clock reading per node */
    double clock_hertz;
    int rounds;
};

/* A ceiling that is sampled in the rounds of the graph. */
struct companion {
    const struct gauge *gauge; /* of the bench */
    double *value;             /* of graph_bench.ceilings */
    double sample[GRAPH_ROUNDS_MAX];
    int count;
};

/* Ceilings of one thread and of all, each with its formats and levels, and the barrier. */
enum { COMPANIONS_MAX = 2 * (DTYPE_COUNT + 2 * COST_LEVELS_MAX) + 1 };

/* One gain: what enabling one more pass changed. */
struct gain {
    const struct pass *pass; /* NULL: nothing but inference */
    int rewrites, nodes, launches;
    double bytes, seconds;
    /* The time without the pass over that with it, of runs in turn; no samples: not timed. */
    struct quartiles ratio;
};

/* Everything of one call of the command. */
struct graph_bench {
    const struct graph_request *request;
    struct options gauged;       /* the request's, for the bench */
    struct bench bench;          /* host, gauges and ceilings */
    struct ceilings ceilings[2]; /* of one thread, of all threads that run */
    struct cost_rate *rate[2];   /* owned: what the ceilings borrow; may be NULL */
    struct ceilings weighed;     /* those of all threads as they were before anything ran */
    struct companion companion[COMPANIONS_MAX];
    int companion_count;
    struct trials *trials; /* owned; NULL where nothing is timed */
    int threads;
    enum isa isa;
    double batch; /* NAN: the model has its own */
    struct pass_set set;
    struct pass_settings settings; /* of all runs of passes but for who is told */
    struct optimization optimization;
    double optimizing_seconds; /* of all passes */
    struct graph model;        /* as it was read; the stages are copies of it */
    struct graph_values values;
    struct stage stage[2];
    struct gain *gain; /* owned */
    int gain_count;
    struct table rows; /* graph.csv */
};

/* ---- graph_ceilings.c ---- */

/* Fills in host, threads, ISA and first ceilings: those of DIR/machine.csv where --out has one,
 * else sampled now, unless nothing is to be timed. */
int graph_ceilings(struct graph_bench *bench, struct error *error);

/* Samples each ceiling once, beside a round of the graph. */
void graph_ceilings_sample(struct graph_bench *bench, int round);

/* From here on ceilings are medians of these samples. */
void graph_ceilings_settle(struct graph_bench *bench);

/* ---- graph_rates.c ---- */

/* What kernels reach of their roofs, by DIR/bench.csv where --out has one. */
int graph_rates_read(struct graph_bench *bench, struct error *error);

/* ---- graph_trials.c ---- */

/* Chooses launches and plain loops of the open stages that are to be tried by themselves. */
int graph_trials_open(struct graph_bench *bench, struct error *error);

/* Tries a part of them, on other values, with operands as far away as the graph has them. */
void graph_trials_run(struct graph_bench *bench, int round, int rounds);

/* What they reached, under the ceilings of now; then stage_cost() is due. */
void graph_trials_settle(struct graph_bench *bench);
void graph_trials_close(struct graph_bench *bench);

/* ---- graph_load.c ---- */

/* Reads the model, names its weights where asked for, and gives its inputs their dims. */
int graph_load(struct graph_bench *bench, long batch, struct error *error);

/* ---- graph_values.c ---- */

/* The arrays of --data, --input and --expect. */
int graph_values_read(struct graph_bench *bench, struct error *error);

/* Feeds an executor: what was given, else values that follow from the input's name. */
int graph_feed(const struct graph_bench *bench, struct executor *executor, struct error *error);

/* Outputs against what was expected, and where `check` is asked for after against before:
 * |difference| <= 1e-5 + 1e-4 |reference|. FAULT_WRONG names the first one that is further off. */
int graph_compare(const struct graph_bench *bench, struct error *error);

/* ---- graph_measure.c ---- */

int stage_open(struct stage *stage, const struct graph_bench *bench, struct error *error);
void stage_cost(struct stage *stage, const struct graph_bench *bench); /* stage_open() does it */
void stage_close(struct stage *stage);

/* Times both stages in turn, beside their ceilings and trials. SKIPPED after an interrupt. */
int stages_measure(struct graph_bench *bench, struct error *error);

/* What each pass gains: the passes that did something, enabled one after another. */
int gains_measure(struct graph_bench *bench, struct error *error);

/* ---- graph_rows.c ---- */

/* Appends the rows of a stage to bench->rows. */
int stage_rows(struct graph_bench *bench, const struct stage *stage, struct error *error);

/* ---- graph_view.c ---- */

/* All of it for people, on stdout. */
int graph_view(const struct graph_bench *bench, struct error *error);

/* What passes chose, a line each; equal ones once, with their number: passes are asked anew after
 * each change. `is_measured`: the ceilings that they went by were. */
void graph_view_choices(const char *lines, bool is_measured, FILE *out);

/* A line of a sweep over batch sizes, the first one with its head. */
int graph_view_batch(const struct graph_bench *bench, bool first, struct error *error);

/* "Conv", "com.microsoft::Gelu". */
void op_format(const struct node *node, char *text, size_t capacity);

/* What a node is called: its name, or that of what it makes. */
const char *node_title(const struct graph *graph, const struct node *node);

#endif
