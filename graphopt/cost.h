// cost.h - what a node of a graph should take: its kernels' FLOPs and bytes under the ceilings of a
// machine. docs/graphs.md derives the formula.
#ifndef ROOFLINE_COST_H
#define ROOFLINE_COST_H

#include "op.h"

enum { COST_LEVELS_MAX = 5 };

/* A level of memory with so many threads. */
struct cost_level {
    char name[8];            /* "L1" ... "DRAM" */
    double set_bytes;        /* the largest working set that it holds; INFINITY of the outermost */
    double bytes_per_second; /* NAN where it is not known */
    /* Of launches that read and write the same memory; 0: the same rate. */
    double updates_per_second;
};

/* What of its roof a kernel reaches on this machine, where that was measured. */
struct cost_rate {
    char kernel[32];
    enum dtype dtype;
    double of_compute, of_memory; /* NAN where no row of that bound was measured */
    char variant[32];             /* "": of all that have no row of their own */
    char layout[8];               /* of its images, a word of letter `layout`; "": the same */
};

/* What a launch, or an operator in plain loops, was seen to reach by itself. */
struct cost_trial {
    const struct kernel *kernel; /* NULL: plain loops */
    const struct op *op;         /* of plain loops */
    const char *variant;
    struct shape shape; /* of a launch */
    enum dtype dtype;
    double flops, bytes; /* of plain loops, which have no shape */
    double of_roof;
};

/* The ceilings of one machine with one number of threads. */
struct ceilings {
    int threads;
    double flops_per_second[DTYPE_COUNT]; /* NAN where it is not known */
    struct cost_level level[COST_LEVELS_MAX];
    int level_count; /* innermost first, at least one */
    /* One launch of a graph that runs: all members meet, and a kernel is called. */
    double launch_seconds;
    const struct cost_rate *rate; /* borrowed */
    int rate_count;               /* 0: every kernel reaches its roof */
    /* Borrowed. What is like some of them is judged by these, the more the more it is like them,
     * not by rates. */
    const struct cost_trial *trial;
    int trial_count;
};

enum cost_bound { COST_UNKNOWN, COST_COMPUTE, COST_MEMORY, COST_LAUNCH };

/* "", "compute", "memory", "launch". */
const char *cost_bound_name(enum cost_bound bound);

struct cost {
    double flops, bytes;   /* NAN where a type is not complete */
    int launches;          /* kernel calls; 1 where it is evaluated; 0: a view, nothing runs */
    double roof_seconds;   /* under the roof alone: the sum over launches of
                              max(flops / peak, bytes of each level / its bandwidth) */
    double seconds;        /* predicted: the same by what the kernels reach of it, and the launches;
                              NAN where a number is missing */
    enum cost_bound bound; /* what takes the largest part of it */
    char level[8];         /* that bounds the traffic of what takes longest; "" for none */
    double bytes_per_second; /* of that level */
    enum dtype dtype;        /* of the first launch */
    bool is_lowered;
    bool moves_only; /* copies data without arithmetic; views do not */
};

/* An ordinary server core of these years, for decisions where nobody measured one: the same on
 * every machine, so that passes without a machine.csv give the same graph everywhere. */
struct ceilings ceilings_nominal(int threads);

/* How an operand of a launch comes to it. */
struct operand_reuse {
    double distance_bytes; /* of memory touched since it was touched last, with itself */
    bool is_target;        /* the launch's result overwrites it */
};

/* Of a site, whose lowering is NULL where it is evaluated. `variants` are those of the launches,
 * `reuse` has KERNEL_OPERANDS_MAX for each launch, or one where it is evaluated; NULL where nobody
 * has chosen, or planned memory, yet: then operands come from where all of them fit. */
struct cost cost_of_site(const struct site *site, const struct lowering *lowering,
                         const char *const *variants, const struct operand_reuse *reuse,
                         const struct ceilings *ceilings);

/* The key of a trial; of_roof is left to be measured. */
struct cost_trial cost_trial_of_launch(const struct launch *launch, const char *variant);
struct cost_trial cost_trial_of_site(const struct site *site);

/* How much one differs from the other: 0 where they are the same, 1 where a size is e times as
 * large; INFINITY where one says nothing about the other. */
double cost_trial_distance(const struct cost_trial *a, const struct cost_trial *b);

/* Of a node of a graph; `arena` is for what lowering allocates. */
int cost_of_node(struct cost *cost, const struct graph *graph, const struct node *node,
                 const struct ceilings *ceilings, struct arena *arena, struct error *error);

/* Sums over the live nodes of block 0. */
struct cost_total {
    double flops, bytes, roof_seconds, seconds;
    double moved_bytes, moving_seconds; /* of nodes that only move data */
    int nodes, launches;                /* nodes: views too */
    int unknown;                        /* nodes without a cost, which are in no other sum */
};
void cost_add(struct cost_total *total, const struct cost *cost);
int cost_of_graph(struct cost_total *total, const struct graph *graph,
                  const struct ceilings *ceilings, struct error *error);

#endif
