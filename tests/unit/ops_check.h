// ops_check.h - a node of a text with values: what it computes, what is inferred when less is
// known, and its kernels against plain loops.
#ifndef ROOFLINE_OPS_CHECK_H
#define ROOFLINE_OPS_CHECK_H

#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "graph_helpers.h"
#include "ops_run.h"

struct check {
    struct graph graph;
    struct arena arena;
    struct error error;
    struct site site;
    struct array *input; /* what the site has as its inputs, to be changed */
};

/* The node that makes y of "graph g (HEADER)", the lines and the node. */
static inline void check_open(struct check *check, const char *header, const char *lines,
                              const char *node)
{
    char text[4096];
    *check = (struct check){.input = NULL};
    snprintf(text, sizeof text, "graph g (%s)\n%s\ny = %s\noutput y\n", header, lines, node);
    graph_of(&check->graph, text);
    const struct node *made_by = check->graph.node[maker_of(&check->graph, "y")];
    assert_int_equal(site_open(&check->site, &check->graph, made_by, &check->arena, &check->error),
                     OK);
    check->input = (struct array *)(uintptr_t)check->site.input;
}

static inline void check_close(struct check *check)
{
    arena_free(&check->arena);
    graph_free(&check->graph);
}

/* Nothing is claimed about y that its value contradicts, however little is known of the inputs. */
static inline void check_claims(struct check *check, const struct type *truth)
{
    const int count = check->site.node->input_count;
    struct array *inputs = arena_take_array(&check->arena, (size_t)count, sizeof *inputs);
    struct site site = check->site;
    site.input = inputs;
    site.output =
        arena_take_array(&check->arena, (size_t)site.node->output_count, sizeof *site.output);
    for (int hidden = -1; hidden < count; hidden++) /* -1: all at once */
        for (int level = 0; level < 4; level++) {
            for (int i = 0; i < count; i++) {
                inputs[i] = check->input[i];
                if (hidden >= 0 && i != hidden)
                    continue;
                inputs[i].data = NULL;
                for (int d = 0; d < inputs[i].type.rank && level > 0; d++)
                    inputs[i].type.dims[d] = -1;
                if (level > 1)
                    inputs[i].type.rank = -1;
                if (level > 2)
                    inputs[i].type = UNKNOWN_TYPE;
            }
            if (site_infer(&site, &check->error) != OK)
                fail_msg("level %d: %s", level, check->error.text);
            struct type type = site.output[0].type;
            if (type_merge(&type, truth) != OK)
                fail_msg("level %d: y is said to be %s, but is %s", level,
                         type_format(NULL, &site.output[0].type).text,
                         type_format(NULL, truth).text);
        }
}

static inline void check_same(const struct array *made, const struct array *expected,
                              const char *launched)
{
    const double unit = made->type.element == ELEMENT_f64 ? 1e-12 : 1e-5;
    const long count = type_elements(&expected->type);
    for (long i = 0; i < count; i++) {
        const double a = element_real(made->data, made->type.element, i);
        const double b = element_real(expected->data, expected->type.element, i);
        if (a != b && !(isnan(a) && isnan(b)) && !(fabs(a - b) <= unit * (1 + fabs(b))))
            fail_msg("'%s': element %ld is %.9g, not %.9g", launched, i, a, b);
    }
}

/* Inputs with names that begin with a small letter are not known while it is lowered. */
static inline void check_kernels(struct check *check, const char *launched)
{
    const int count = check->site.node->input_count;
    const struct array expected = check->site.output[0];
    const void *kept[16];
    struct lowering lowering;
    char names[256] = "";
    assert_true(count <= 16);
    for (int i = 0; i < count; i++) {
        const int tensor = check->site.node->inputs[i];
        kept[i] = check->input[i].data;
        if (tensor >= 0 && islower((unsigned char)*check->graph.tensor[tensor]->name))
            check->input[i].data = NULL;
    }
    const int result = site_lower(&check->site, &lowering, &check->error);
    for (int i = 0; i < count; i++)
        check->input[i].data = (void *)(uintptr_t)kept[i];
    if (result == FAILED || (result == SKIPPED && *launched))
        fail_msg("%s", check->error.text);
    for (int i = 0; i < lowering.launch_count && result == OK; i++) {
        strncat(names, i ? " " : "", sizeof names - strlen(names) - 1);
        strncat(names, lowering.launch[i].kernel->name, sizeof names - strlen(names) - 1);
    }
    assert_string_equal(names, launched);
    if (result != OK)
        return;
    assert_int_equal(site_output(&check->site, 0, &check->error), OK);
    assert_true(run_lowering(&check->site, &lowering));
    check_same(&check->site.output[0], &expected, launched);
}

/* y has these values as they would stand in a text, its claims hold, and these kernels, one after
 * the other, compute the same ("": none does). All inputs are constants with values. */
static inline void check_node(const char *header, const char *lines, const char *node,
                              const char *values, const char *launched)
{
    struct check check;
    check_open(&check, header, lines, node);
    if (site_evaluate(&check.site, 1 << 20, &check.error) != OK)
        fail_msg("%s", check.error.text);
    check_claims(&check, &check.site.output[0].type);
    const struct array y = check.site.output[0];
    check_kernels(&check, launched);
    assert_int_equal(
        graph_make_constant(&check.graph, graph_find(&check.graph, "y"), y.data, &check.error), OK);
    graph_sweep(&check.graph);
    char *printed = text_of(&check.graph);
    if (!strstr(printed, values))
        fail_msg("%s gives\n%sinstead of %s", node, printed, values);
    free(printed);
    check_close(&check);
}

static inline void check_type(const char *header, const char *lines, const char *node,
                              const char *type)
{
    struct check check;
    check_open(&check, header, lines, node);
    assert_type(&check.graph, "y", type);
    check_close(&check);
}

static inline void check_refused(const char *header, const char *lines, const char *node,
                                 const char *words)
{
    char text[4096];
    struct graph graph;
    struct error error = {FAULT_NONE, ""};
    snprintf(text, sizeof text, "graph g (%s)\n%s\ny = %s\noutput y\n", header, lines, node);
    if (graph_parse(&graph, "test", text, GRAPH_NAMED_BYTES_MAX, &error) != FAILED)
        fail_msg("%s is accepted", node);
    assert_int_equal(error.fault, FAULT_IO);
    assert_says(&error, words);
    graph_free(&graph);
}

#endif
