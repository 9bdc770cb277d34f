// optimize.c - passes over a graph until none changes anything.
#include "optimize.h"

#include <stdio.h>
#include <string.h>

#define PASS(file, name) extern const struct pass name##_pass;
#include "passes.def"
#undef PASS

const struct pass *const passes[PASS_COUNT] = {
#define PASS(file, name) &name##_pass,
#include "passes.def"
#undef PASS
};

const struct pass_settings pass_settings_default = {.most_bytes = 64 << 20, .most_flops = 1e8};

const char *pass_group_name(enum pass_group group)
{
    static const char *const names[GROUP_COUNT] = {"elimination", "fusion", "transform", "layout"};
    return names[group];
}

/* ---- lists of passes ---- */

/* The passes of that name, group, or "all"; how many there are. */
static int put_named(struct pass_set *set, const char *name, size_t length, bool has)
{
    int count = 0;
    for (int i = 0; i < PASS_COUNT; i++) {
        const char *const names[] = {"all", passes[i]->name, pass_group_name(passes[i]->group)};
        for (size_t n = 0; n < sizeof names / sizeof *names; n++)
            if (strlen(names[n]) == length && strncmp(names[n], name, length) == 0) {
                set->has[i] = has;
                count++;
                break;
            }
    }
    return count;
}

static int refuse_name(const char *name, size_t length, struct error *error)
{
    return error_set(error, FAULT_USAGE,
                     "there is no pass '%.*s'; 'roofline list passes' has their names, others are "
                     "all, none, elimination, fusion, transform and layout",
                     (int)length, name);
}

int pass_set_parse(struct pass_set *set, const char *list, struct error *error)
{
    *set = (struct pass_set){.has = {false}};
    if (list[0] == '-')
        put_named(set, "all", 3, true);
    if (strcmp(list, "none") == 0)
        return OK;
    for (const char *name = list;; name++) {
        const bool has = *name != '-';
        name += !has;
        const size_t length = strcspn(name, ",");
        if (put_named(set, name, length, has) == 0)
            return refuse_name(name, length, error);
        name += length;
        if (!*name)
            return OK;
    }
}

/* ---- running ---- */

/* A rule that undoes what another does would go on forever. Rules remove nodes, or put one in the
 * place of several; a few add some, for each node of the graph at first a bounded number. */
static long most_rewrites(const struct graph *graph)
{
    return 100 + 20L * graph->node_count;
}

struct running {
    struct rewriting rewriting;
    long left; /* rewrites that are still allowed */
    int count; /* of the pass that runs */
};

static int endless(const struct running *running, struct error *error)
{
    return error_set(error, FAULT_WRONG, "rewriting does not end: '%s' and others undo each other",
                     running->rewriting.pass->name);
}

/* All rules at one node, until none holds; it may be dead afterwards. */
static int apply_rules(struct running *running, int node, struct error *error)
{
    struct graph *graph = running->rewriting.graph;
    for (const struct rule *rule = running->rewriting.pass->rules; rule->pattern;) {
        struct match match;
        if (graph->node[node]->is_dead)
            return OK;
        if (!pattern_match(rule->pattern, graph, node, &match)) {
            rule++;
            continue;
        }
        const int result = rule->apply(&running->rewriting, &match, error);
        if (result == FAILED)
            return FAILED;
        if (result == SKIPPED) {
            rule++;
            continue;
        }
        running->count++;
        if (--running->left < 0)
            return endless(running, error);
        rule = running->rewriting.pass->rules;
    }
    return OK;
}

/* By id, those that are added on the way too. */
static int run_rules(struct running *running, struct error *error)
{
    const struct graph *graph = running->rewriting.graph;
    int result = OK;
    for (int id = 0; id < graph->node_count && result == OK; id++)
        result = apply_rules(running, id, error);
    return result;
}

/* The pass's name in front of the words. */
static int name_pass(const struct pass *pass, int result, struct error *error)
{
    char text[sizeof error->text];
    snprintf(text, sizeof text, "%s", error->text);
    snprintf(error->text, sizeof error->text, "pass %s: %.400s", pass->name, text);
    return result;
}

static int run_pass(struct running *running, struct error *error)
{
    struct graph *graph = running->rewriting.graph;
    const struct pass *pass = running->rewriting.pass;
    int result;
    running->count = 0;
    if (pass->run) {
        result = pass->run(&running->rewriting, &running->count, error);
        running->left -= running->count;
        if (result == OK && running->left < 0)
            result = endless(running, error);
    } else {
        result = run_rules(running, error);
    }
    if (result == OK && running->count > 0)
        result = graph_infer(graph, error);
    if (result == OK && running->count > 0)
        result = graph_verify(graph, error);
    return result == OK ? OK : name_pass(pass, result, error);
}

int graph_optimize(struct graph *graph, const struct pass_set *set,
                   const struct pass_settings *settings, struct optimization *report,
                   struct error *error)
{
    struct optimization counted = {.rounds = 0};
    struct running running = {
        .rewriting = {graph, settings ? settings : &pass_settings_default, NULL},
        .left = most_rewrites(graph),
    };
    int result = graph_infer(graph, error);
    if (result == OK)
        result = graph_verify(graph, error);
    for (bool is_changed = true; is_changed && result == OK; counted.rounds++) {
        is_changed = false;
        for (int i = 0; i < PASS_COUNT && result == OK; i++) {
            /* Layouts are weighed when nothing else is left to do: what another pass makes of a
             * node counts, and none of them looks for channels elsewhere. */
            if (!set->has[i] || (is_changed && passes[i]->group == GROUP_LAYOUT))
                continue;
            running.rewriting.pass = passes[i];
            result = run_pass(&running, error);
            counted.rewrites[i] += running.count;
            is_changed = is_changed || running.count > 0;
        }
    }
    if (report)
        *report = counted;
    return result;
}
