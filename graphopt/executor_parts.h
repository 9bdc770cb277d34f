// executor_parts.h - what the files of the executor share.
#ifndef ROOFLINE_EXECUTOR_PARTS_H
#define ROOFLINE_EXECUTOR_PARTS_H

#include "executor.h"
#include "memory.h"

/* A launch as it is called. */
struct kernel_call {
    const struct launch *launch;
    const struct variant *variant;
    body *body;
    /* What packs the weights. Where these are constants executor_open() has called it, or that of
     * packed_by, else it is called before the body, each time. */
    body *prepare;
    bool is_packed;
    const struct kernel_call *packed_by; /* an earlier call of the node; NULL: nobody else */
    int threads, operand_count;
    long outputs;
    double kept_bytes, workspace_bytes;
    void *kept, *workspace;
    struct cache_sizes caches;
};

enum step_kind {
    STEP_NOTHING, /* a view, or a node all of whose results are known */
    STEP_KERNELS,
    STEP_PLAIN,   /* evaluate(), by one member */
    STEP_OPEN,    /* the same, with types that only the run knows */
    STEP_CONTROL, /* If, Loop, Scan */
};

struct step {
    int node;
    enum step_kind kind;
    bool is_in_place;
    /* In the executor's arena. Inputs' data are those that are known before the run. */
    struct site site;
    struct array *input, *output; /* the site's lists, for plain loops to run on */
    struct array *kept;           /* results of the whole run while the step is run alone */
    struct lowering lowering;
    struct kernel_call *calls;   /* of the lowering */
    const char **variants;       /* their names */
    struct operand_reuse *reuse; /* KERNEL_OPERANDS_MAX of each; NULL: nobody asked */
    double *code_distance_bytes; /* of each launch; NULL: nobody asked, or none */
    const char *reason;
    void *scratch;  /* between the launches */
    int begin, end; /* moments at which it runs, its subgraphs between them */
};

struct sequence {
    struct step *steps;
    int count;
};

struct executor {
    const struct graph *graph;
    struct executor_setup setup;
    struct arena arena;        /* what executor_open() prepares */
    struct sequence *sequence; /* by block; those of dead blocks are empty */
    struct array *value;       /* by tensor: the memory it has, and the type of what is there */
    bool *is_planned;          /* by tensor: its memory is the same in all runs */
    int *root;       /* by tensor: whose memory it is; of a view that of its input, of what a Concat
                        is made of that of its result */
    size_t *behind;  /* by tensor: at which byte of that memory */
    bool *is_placed; /* by tensor: it lies there with what a Concat joins to its rows
                        between them */
    int moments;     /* so many there are */
    struct memory results, workspaces;
    struct executor_memory bytes;

    /* ---- of a run ---- */
    struct arena *found;  /* what had no memory before the run; of block 0 or of a loop's step */
    struct arena run;     /* found by block 0 */
    struct arena again;   /* found by a step that is run alone */
    struct arena scratch; /* of one evaluation */
    struct error error;
    long failed_at; /* the meeting at which all members learn of it; 0: none */
    bool agreed[2]; /* by meetings, even and odd */
    double *ended;  /* by step of block 0: when it ended, in seconds; NULL: nobody asked */
    double began;
    bool has_run;
};

/* executor_steps.c: the steps of all blocks, each with how it runs. */
int steps_open(struct executor *executor, struct error *error);

/* ---- executor_share.c: steps in order, each when its lowering is known ---- */

/* Whether a view needs no step, as its input's memory is the same in all runs; and makes it one,
 * from byte `at` on. */
bool share_is_view(const struct executor *executor, const struct node *node);
void share_view(struct executor *executor, int tensor, int view, long at);

/* Tells the site what room its output may leave, and which inputs made use of that. */
int share_offer(const struct executor *executor, struct step *step, struct error *error);

/* Whether the memory that the lowering wants to share can be; and shares it. */
bool share_fits(const struct executor *executor, const struct step *step);
void share_take(struct executor *executor, const struct step *step);

/* The rows of a tensor get their places in a Concat's result; and memory of their own again. */
void share_rows(struct executor *executor, int tensor);
void share_rows_back(struct executor *executor, int tensor);

/* executor_memory.c: memory of all values whose types are known, and of kernels. */
int results_open(struct executor *executor, struct error *error);

/* executor_run.c: where an operand of a launch lies. */
void *step_operand(const struct executor *executor, const struct step *step,
                   const struct launch_operand *operand);

/* ---- one member's way through a run: executor_run.c ---- */

struct walker {
    struct executor *executor;
    struct member member;
    long meetings;
    bool is_apart; /* member 0 has worked by itself since the last meeting */
};

/* Waits for all others; FAILED where one of them has met a fault. */
int walker_meet(struct walker *walker);

/* Member 0's truth, for everybody. */
int walker_agree(struct walker *walker, bool own, bool *common);

/* Member 0 has met a fault, of which executor->error has the words. */
void walker_fail(struct walker *walker);

int walk_block(struct walker *walker, int block);

/* Packs the constant weights of all kernels of all blocks. */
void walk_packing(struct walker *walker);

/* executor_control.c */
int walk_control(struct walker *walker, const struct step *step);

#endif
