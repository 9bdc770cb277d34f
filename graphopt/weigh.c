// weigh.c - whether a change that is not always a gain is one.
#include "weigh.h"

#include <stdio.h>

#include "cost.h"

static int add_seconds(double *seconds, const struct graph *graph, int node,
                       const struct ceilings *ceilings, struct error *error)
{
    struct arena arena = {0};
    struct cost cost;
    const int result = cost_of_node(&cost, graph, graph->node[node], ceilings, &arena, error);
    arena_free(&arena);
    *seconds += result == OK ? cost.seconds : 0;
    return result;
}

static int compare(const struct graph *graph, const struct graph *changed,
                   const struct ceilings *ceilings, struct weighing *weighing, struct error *error)
{
    int result = OK;
    for (int id = 0; id < graph->node_count && result == OK; id++)
        if (!graph->node[id]->is_dead && changed->node[id]->is_dead)
            result = add_seconds(&weighing->before_seconds, graph, id, ceilings, error);
    for (int id = graph->node_count; id < changed->node_count && result == OK; id++)
        if (!changed->node[id]->is_dead)
            result = add_seconds(&weighing->after_seconds, changed, id, ceilings, error);
    return result;
}

int weigh_change(const struct rewriting *rewriting,
                 int (*change)(struct graph *graph, const void *what, struct error *error),
                 const void *what, struct weighing *weighing, struct error *error)
{
    const struct ceilings nominal = ceilings_nominal(1);
    const struct ceilings *ceilings =
        rewriting->settings->ceilings ? rewriting->settings->ceilings : &nominal;
    struct graph changed;
    *weighing = (struct weighing){0};
    int result = graph_copy(&changed, rewriting->graph, error);
    if (result == OK)
        result = change(&changed, what, error);
    if (result == OK)
        result = compare(rewriting->graph, &changed, ceilings, weighing, error);
    graph_free(&changed);
    return result;
}

bool weigh_choose(const struct rewriting *rewriting, const struct weighing *weighing,
                  const char *words)
{
    const bool pays = weighing->after_seconds < 0.99 * weighing->before_seconds;
    char text[400];
    if (rewriting->settings->explain) {
        snprintf(text, sizeof text, "%.250s: %.1f us instead of %.1f us, so it is %s", words,
                 weighing->after_seconds * 1e6, weighing->before_seconds * 1e6,
                 pays ? "done" : "left alone");
        rewriting->settings->explain(rewriting->settings->explain_context, rewriting->pass->name,
                                     text);
    }
    return pays;
}
