// executor.h - a graph made ready to run on this machine: kernels chosen, weights packed, memory
// planned; then run as often as one likes, whole or node by node.
//
//     executor_shape_inputs(&graph, types, count, &error)     where dims of inputs are open
//     executor_open(&executor, &graph, &setup, &error)
//     executor_set_input(executor, 0, &array, &error)
//     executor_run(executor, &error)
//     executor_output(executor, 0)
//     executor_close(executor)
#ifndef ROOFLINE_EXECUTOR_H
#define ROOFLINE_EXECUTOR_H

#include "host.h"
#include "measure.h"
#include "op.h"

struct executor_setup {
    const struct host *host; /* borrowed until executor_close() */
    int threads;             /* of the team, which the caller may have pinned */
    enum isa isa;            /* the best that kernels may use */
    /* Every result has memory of its own and nothing is computed in place: after a run all values
     * are there to be looked at, and a node can be run alone on its own inputs. */
    bool keeps_results;
};

/* One node of block 0 as it will run, in order of execution. Nodes inside of subgraphs count as
 * their owner's. All pointers live until executor_close(). */
struct executor_node {
    int node;                /* of the graph */
    const struct site *site; /* with the types it runs with */
    /* NULL: no kernel runs it. */
    const struct lowering *lowering;
    const char *const *variants; /* of each launch */
    /* Of cost.h: how operands come to it, KERNEL_OPERANDS_MAX for each launch; of plain loops one
     * for all operands. NULL before executor_find_reuse(), and where nothing runs. */
    const struct operand_reuse *reuse;
    /* Bytes touched since the code of each launch ran last; NULL as `reuse`, and of plain loops. */
    const double *code_distance_bytes;
    int threads;        /* the largest of its launches; 1 where plain loops run */
    bool is_view;       /* nothing runs: the outputs are in the inputs' memory, or the
                           inputs in the output's */
    bool is_in_place;   /* the output takes the memory of its first input */
    const char *reason; /* why no kernel runs it; NULL where one does, or it is a view */
};

struct executor;

/* Gives the inputs of block 0 these types (in their order, complete), binds symbols to what follows
 * from them, and infers anew. FAULT_USAGE where a type contradicts the graph's. */
int executor_shape_inputs(struct graph *graph, const struct type *types, int count,
                          struct error *error);

/* The graph is borrowed until executor_close() and must not be changed. Types of inputs have to be
 * complete; dims that depend on data are found out in each run. FAULT_IO names an operator that is
 * not known or cannot run; FAULT_ENVIRONMENT: more memory than there is. *executor is NULL unless
 * it returns OK. */
int executor_open(struct executor **executor, const struct graph *graph,
                  const struct executor_setup *setup, struct error *error);
void executor_close(struct executor *executor); /* of NULL: nothing */

/* Copies the value of input `i` of block 0. FAULT_USAGE where its type is another one. An input
 * with a fallback (overridable) has that value until it is set; others begin as zeros. */
int executor_set_input(struct executor *executor, int i, const struct array *value,
                       struct error *error);

/* One run of the whole graph by the whole team. The words begin with the node's label. */
int executor_run(struct executor *executor, struct error *error);

/* Output `i` of block 0 as the last run left it, with its type; borrowed until the next run. */
struct array executor_output(const struct executor *executor, int i);

/* Any tensor of block 0 as the last run left it; of what another result has overwritten since, or
 * whose rows lie among others' in that of a Concat, only the type is right (keeps_results). */
struct array executor_value(const struct executor *executor, int tensor);

/* ---- what runs ---- */

int executor_node_count(const struct executor *executor);
struct executor_node executor_node(const struct executor *executor, int at);

/* Finds out, by the plan of memory, how far back the last use of each operand lies in a run that
 * follows another. */
int executor_find_reuse(struct executor *executor, struct error *error);

/* Kernel calls of one run, of all blocks once. */
int executor_launches(const struct executor *executor);

struct executor_memory {
    size_t peak_bytes;      /* of inputs, outputs and results together, as planned */
    size_t sum_bytes;       /* the same had every result memory of its own */
    size_t workspace_bytes; /* of the kernels: packed weights, one place for all their buffers */
};
struct executor_memory executor_memory(const struct executor *executor);

/* ---- timing ---- */

/* With true, each run notes when each node of block 0 ended; two readings of the clock take some
 * 50 ns. */
void executor_clock(struct executor *executor, bool is_on);

/* What node `at` took in the last run, from the end of the node before to its own end. NAN without
 * executor_clock(). */
double executor_seconds(const struct executor *executor, int at);

/* Runs to be timed by base/measure.h: of the whole graph (at = -1), or of one node alone, on the
 * values that the last whole run left (open with keeps_results; a node in place would work on its
 * own result). Inputs must have been set and the graph must have run once without fault. */
struct executor_job {
    struct executor *executor;
    int at;
    long repeats; /* per sample; measure_calibrate() sets it */
};
struct work executor_work(struct executor_job *job); /* the job is borrowed by the work */

#endif
