// weigh.h - whether a change that is not always a gain is one: predicted times before and after.
#ifndef ROOFLINE_WEIGH_H
#define ROOFLINE_WEIGH_H

#include "pass.h"

struct weighing {
    double before_seconds; /* of the nodes that the change removes */
    double after_seconds;  /* of those that it adds; NAN where a dim is not known */
};

/* Tries `change` on a copy of the graph, which has the same ids, and what it removes and adds there
 * by the settings' ceilings. SKIPPED where `change` says so. Nodes that it only edits do not
 * count. */
int weigh_change(const struct rewriting *rewriting,
                 int (*change)(struct graph *graph, const void *what, struct error *error),
                 const void *what, struct weighing *weighing, struct error *error);

/* Whether the change pays, which is told with these words in front, where somebody asks. What is
 * gained has to be a hundredth of the time, so that no rounding decides. */
bool weigh_choose(const struct rewriting *rewriting, const struct weighing *weighing,
                  const char *words);

#endif
