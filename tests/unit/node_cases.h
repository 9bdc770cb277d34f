// node_cases.h - one node in a graph of a few lines: what it is inferred to be, what it computes,
// and the kernel that computes the same.
#ifndef ROOFLINE_NODE_CASES_H
#define ROOFLINE_NODE_CASES_H

#include <math.h>

#include "graph_helpers.h"
#include "ops_run.h"

/* `lines` make the operands, `node` the tensor y. */
struct node_case {
    int opset;
    const char *lines, *node;
    const char *type;   /* of y */
    const char *kernel; /* that it is lowered to; NULL: to none */
    double values[32];  /* of y, within 1e-5 + 1e-4 |value| */
};

static inline void node_text_of(char text[2048], int opset, const char *lines, const char *node)
{
    snprintf(text, 2048, "graph g (onnx %d)\n%s\n%s%s\noutput y\n", opset, lines,
             strchr(node, '=') ? "" : "y = ", node);
}

static inline void assert_inferred_at(int opset, const char *lines, const char *node,
                                      const char *type)
{
    char text[2048];
    struct graph graph;
    node_text_of(text, opset, lines, node);
    graph_of(&graph, text);
    assert_type(&graph, "y", type);
    graph_free(&graph);
}

static inline void assert_refused_at(int opset, const char *lines, const char *node,
                                     const char *words)
{
    char text[2048];
    struct graph graph;
    struct error error = {FAULT_NONE, ""};
    node_text_of(text, opset, lines, node);
    if (graph_parse(&graph, "test", text, GRAPH_NAMED_BYTES_MAX, &error) != FAILED)
        fail_msg("%s is not refused", node);
    assert_int_equal(error.fault, FAULT_IO);
    assert_says(&error, words);
    graph_free(&graph);
}

static inline void assert_near(const struct node_case *expected, const struct array *y,
                               const char *by)
{
    for (long i = 0; i < type_elements(&y->type); i++) {
        const double value = element_real(y->data, y->type.element, i),
                     wanted = expected->values[i];
        const bool is_same = value == wanted || (isnan(value) && isnan(wanted));
        if (!is_same && !(fabs(value - wanted) <= 1e-5 + 1e-4 * fabs(wanted)))
            fail_msg("%s: element %ld by %s is %g instead of %g", expected->node, i, by, value,
                     wanted);
    }
}

/* What inference says with less known must not contradict what there is. */
static inline void assert_modest(struct site *site, const struct node_case *expected)
{
    struct error error;
    struct array inputs[8];
    struct array *input = (struct array *)(uintptr_t)site->input;
    const struct type full = site->output[0].type;
    for (int less = 0; less < 3; less++) {
        for (int i = 0; i < site->node->input_count; i++) {
            inputs[i] = input[i];
            input[i].data = NULL;
            for (int k = 0; k < input[i].type.rank && less > 0; k++)
                input[i].type.dims[k] = -1;
            if (less > 1)
                input[i].type = UNKNOWN_TYPE;
        }
        if (site_infer(site, &error) != OK)
            fail_msg("%s, with less known: %s", expected->node, error.text);
        struct type merged = site->output[0].type;
        if (type_merge(&merged, &full) != OK)
            fail_msg("%s, with less known, is %s", expected->node,
                     type_format(NULL, &site->output[0].type).text);
        for (int i = 0; i < site->node->input_count; i++)
            input[i] = inputs[i];
    }
}

static inline void assert_lowered(struct site *site, const struct node_case *expected)
{
    struct lowering lowering;
    struct error error = {FAULT_NONE, ""};
    const int result = site_lower(site, &lowering, &error);
    if (!expected->kernel) {
        if (result != SKIPPED)
            fail_msg("%s is lowered", expected->node);
        assert_true(*error.text);
        return;
    }
    if (result != OK)
        fail_msg("%s", error.text);
    assert_string_equal(lowering.launch[0].kernel->name, expected->kernel);
    memset(site->output[0].data, 0xff, (size_t)type_bytes(&site->output[0].type));
    assert_true(run_lowering(site, &lowering));
    assert_near(expected, &site->output[0], expected->kernel);
}

static inline void assert_node(const struct node_case *expected)
{
    char text[2048];
    struct graph graph;
    struct error error;
    struct site site;
    struct arena arena = {0};
    node_text_of(text, expected->opset, expected->lines, expected->node);
    graph_of(&graph, text);
    assert_type(&graph, "y", expected->type);
    const int node = maker_of(&graph, "y");
    assert_int_equal(site_open(&site, &graph, graph.node[node], &arena, &error), OK);
    if (site_evaluate(&site, 1 << 20, &error) != OK)
        fail_msg("%s", error.text);
    assert_string_equal(type_format(&graph, &site.output[0].type).text, expected->type);
    assert_near(expected, &site.output[0], "evaluation");
    assert_lowered(&site, expected);
    assert_modest(&site, expected);
    graph_free(&graph);
    arena_free(&arena);
}

static inline void assert_nodes(const struct node_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_node(&cases[i]);
}

#endif
