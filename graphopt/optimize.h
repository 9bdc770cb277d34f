// optimize.h - passes over a graph until none changes anything.
#ifndef ROOFLINE_OPTIMIZE_H
#define ROOFLINE_OPTIMIZE_H

#include "pass.h"

struct pass_set {
    bool has[PASS_COUNT];
};

/* "all", "none", or names of passes and groups with commas between: "fold,cse", "all,-fold",
 * "-cse" (all but that one), "elimination,-fold". FAULT_USAGE names what there is. */
int pass_set_parse(struct pass_set *set, const char *list, struct error *error);

/* Folding of up to 64 MiB and 100 MFLOP, nominal ceilings. */
extern const struct pass_settings pass_settings_default;

struct optimization {
    int rewrites[PASS_COUNT]; /* of each pass */
    int rounds;               /* over all passes, with the last one, which changes nothing */
};

/* Infers types, then runs the passes of the set, and verifies the graph after each that changed
 * something. Settings NULL: the default; report NULL: not wanted. Graph outputs keep names, order
 * and types. A second run changes nothing. FAILED: what was wrong with the graph before, or, in
 * words that begin with the pass's name, after it. */
int graph_optimize(struct graph *graph, const struct pass_set *set,
                   const struct pass_settings *settings, struct optimization *report,
                   struct error *error);

#endif
