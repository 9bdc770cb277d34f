// pass.h - what a pass is: rules that replace what a pattern finds by something that computes the
// same and costs less.
//
// A file of passes/ defines one or a few of them, each as `const struct pass NAME_pass`, and
// passes.def has a line for each. Passes run in the order of that list, over and over until none
// changes anything (optimize.h).
#ifndef ROOFLINE_PASS_H
#define ROOFLINE_PASS_H

#include "match.h"
#include "op.h"

enum pass_group {
    GROUP_ELIMINATION, /* what computes nothing new goes */
    GROUP_FUSION,      /* several operators become one kernel */
    GROUP_TRANSFORM,   /* an operator becomes a cheaper one */
    GROUP_LAYOUT,      /* data are kept in another order */
    GROUP_COUNT
};

/* "elimination" */
const char *pass_group_name(enum pass_group group);

struct ceilings;

/* What passes go by besides the graph. */
struct pass_settings {
    size_t most_bytes; /* of a constant that folding makes */
    double most_flops; /* of a computation that folding does */
    const struct ceilings
        *ceilings; /* of cost.h, what passes weigh by; NULL: ceilings_nominal(1) */
    /* Told what was chosen and why where a rewrite is not always a gain; NULL: nobody asks. */
    void (*explain)(void *context, const char *pass, const char *words);
    void *explain_context;
};

/* What a pass works on. */
struct rewriting {
    struct graph *graph;
    const struct pass_settings *settings;
    const struct pass *pass; /* that runs */
};

/* A pattern and what is done where it is found. */
struct rule {
    const struct pattern *pattern;
    /* OK when the graph was changed (types of what is new may be left to inference), SKIPPED with
     * nothing changed when the rule does not hold here (no words), FAILED with the error set.
     * Changes graphs by graph.h and rewrite.h alone. */
    int (*apply)(struct rewriting *rewriting, const struct match *match, struct error *error);
};

struct pass {
    const char *name; /* "reshape-chain" */
    enum pass_group group;
    const char *summary;      /* what it matches and what it puts there, for people */
    const char *refuses;      /* when it must not fire */
    const struct rule *rules; /* tried one after the other at every node until none holds; ends
                                 with a pattern of NULL */
    /* Instead of rules, for what is no pattern of a few nodes. *count is how many rewrites. */
    int (*run)(struct rewriting *rewriting, int *count, struct error *error);
};

enum pass_id {
#define PASS(file, name) PASS_##name,
#include "passes.def"
#undef PASS
    PASS_COUNT
};

/* All passes, by enum pass_id. */
extern const struct pass *const passes[PASS_COUNT];

#endif
