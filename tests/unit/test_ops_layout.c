// test_ops_layout.c - operators over images with channels last: they compute what ONNX's compute
// between two Transposes, on kernels too, claim no more than that, and say themselves so.
#include "ops_check.h"

/* `operands` are lines that make x, an image with channels last, and what else the node takes;
 * `rest` is what stands behind x in both nodes. */
struct layout_case {
    const char *name, *operands, *rest, *attributes;
    int opset;
    const char *kernel; /* that it is lowered to; "": none */
};

#define IMAGE "const x: f32[2,5,6,3] = named\n"

static const struct layout_case cases[] = {
    {"MaxPool", IMAGE, "", "kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1]", 12,
     "max_pool"},
    {"MaxPool", IMAGE, "", "kernel_shape: [2, 3], ceil_mode: 1, strides: [3, 3]", 12, "max_pool"},
    {"AveragePool", IMAGE, "", "kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1", 11,
     "average_pool"},
    {"AveragePool", IMAGE, "", "kernel_shape: [3, 3], pads: [1, 1, 1, 1]", 11, "average_pool"},
    {"GlobalAveragePool", IMAGE, "", NULL, 11, "global_average_pool"},
    {"BatchNormalization",
     IMAGE "const s: f32[3] = {1, 2, 3}\nconst o: f32[3] = {4, 5, 6}\nconst m: f32[3] = {7, 8, 9}\n"
           "const v: f32[3] = {1, 4, 9}\n",
     ", s, o, m, v", "epsilon: 0.001", 15, "batchnorm"},
    {"Resize", IMAGE "const S: f32[4] = {1, 1, 2, 1.5}\n", ", -, S", "mode: \"linear\"", 13,
     "resize"},
    {"Resize", IMAGE "const S: f32[4] = {1, 1, 2, 2}\n", ", S", "mode: \"nearest\"", 10, "resize"},
    {"Upsample", IMAGE "const S: f32[4] = {1, 1, 2, 2}\n", ", S", "mode: \"nearest\"", 9, "resize"},
    {"GridSample", IMAGE "const g: f32[2,3,4,2] = named\n", ", g", "align_corners: 0", 16,
     "grid_sample"},
    {"Conv", IMAGE "const w: f32[4,3,3,3] = named\nconst o: f32[4] = {1, 2, 3, 4}\n", ", w, o",
     "pads: [1, 1, 1, 1]", 13, "conv2d"},
    {"Conv", IMAGE "const w: f32[6,1,3,3] = named\n", ", w", "group: 3, strides: [2, 2]", 13,
     "conv2d"},
    {"ConvTranspose", IMAGE "const w: f32[3,5,2,2] = named\n", ", w", "strides: [2, 2]", 13,
     "conv_transpose2d"},
};

/* Attributes behind those that are there. */
static void put_attributes(char *text, size_t size, const struct layout_case *of, bool is_ours)
{
    const bool is_opset = strncmp(of->name, "Conv", 4) != 0;
    const size_t used = strlen(text);
    char own[64] = "";
    if (is_ours && is_opset)
        snprintf(own, sizeof own, "layout: \"nhwc\", opset: %d", of->opset);
    else if (is_ours)
        snprintf(own, sizeof own, "layout: \"nhwc\"");
    const char *const given = of->attributes ? of->attributes : "";
    if (*given || *own)
        snprintf(text + used, size - used, " {%s%s%s}", given, *given && *own ? ", " : "", own);
}

/* The value of y as ONNX's operator makes it. */
static struct array expected_of(const struct layout_case *of, struct graph *graph,
                                struct arena *arena)
{
    static const char *const steps[] = {"a", "b", "y"};
    char text[2048], node[512];
    struct array value = {UNKNOWN_TYPE, NULL};
    snprintf(node, sizeof node, "%s(a%s)", of->name, of->rest);
    put_attributes(node, sizeof node, of, false);
    snprintf(text, sizeof text,
             "graph g (onnx %d)\n%sa = Transpose(x) {perm: [0, 3, 1, 2]}\nb = %s\n"
             "y = Transpose(b) {perm: [0, 2, 3, 1]}\noutput y\n",
             of->opset, of->operands, node);
    graph_of(graph, text);
    for (int i = 0; i < 3; i++) {
        struct site site;
        struct error error;
        const int id = maker_of(graph, steps[i]);
        if (site_open(&site, graph, graph->node[id], arena, &error) != OK)
            fail_msg("%s", error.text);
        if (i > 0)
            ((struct array *)(uintptr_t)site.input)[0] = value;
        if (site_evaluate(&site, 1 << 20, &error) != OK)
            fail_msg("%s", error.text);
        value = site.output[0];
    }
    return value;
}

static void a_node_computes_what_onnx_computes(void **state)
{
    const struct layout_case *of = *state;
    struct graph graph;
    struct arena arena = {0};
    struct check check;
    char header[64], node[512];
    const struct array expected = expected_of(of, &graph, &arena);
    snprintf(header, sizeof header, "onnx %d, roofline 1", of->opset);
    snprintf(node, sizeof node, "roofline::%s(x%s)", of->name, of->rest);
    put_attributes(node, sizeof node, of, true);
    check_open(&check, header, of->operands, node);
    if (site_evaluate(&check.site, 1 << 20, &check.error) != OK)
        fail_msg("%s", check.error.text);
    assert_true(type_equal(&check.site.output[0].type, &expected.type));
    check_same(&check.site.output[0], &expected, "plain loops");
    check_claims(&check, &expected.type);
    check_kernels(&check, of->kernel);
    check_close(&check);
    graph_free(&graph);
    arena_free(&arena);
}

static void steps_have_operands_with_channels_last(void **state)
{
    (void)state;
    check_node("onnx 13, roofline 1",
               "const x: f32[1,1,2,2] = {1, 2, 3, 4}\nconst w: f32[3,2,1,1] = {1, 0, 0, 1, 1, 1}\n"
               "const b: f32[3] = {10, 20, 30}\nconst z: f32[1,1,2,3] = {1, 1, 1, 2, 2, 2}",
               "roofline::Conv(x, w, -, b, z) {steps: [\"add\", \"add\"], layout: \"nhwc\"}",
               "const y: f32[1,1,2,3] = {12.0, 23.0, 34.0, 15.0, 26.0, 39.0}", "conv2d");
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    const char *const header = "onnx 13, roofline 1";
    check_refused(header, "input x: f32[1,2,3,4]",
                  "roofline::GlobalAveragePool(x) {layout: \"chwn\", opset: 13}",
                  "'layout' is 'chwn'; it may be nchw or nhwc");
    check_refused(header, "input x: f32[1,2,3]",
                  "roofline::GlobalAveragePool(x) {layout: \"nhwc\", opset: 13}",
                  "in layout nhwc it needs 4 dimensions");
    check_refused(header, "input x: f32[1,2,3,4]",
                  "roofline::MaxPool(x) {layout: \"nhwc\", opset: 13}",
                  "'kernel_shape' is missing or of another type");
    check_refused(header, "input x: f32[1,2,3,4]\ninput g: f32[1,2,3,2]",
                  "roofline::GridSample(x, g) {layout: \"nhwc\", opset: 13}",
                  "GridSample is known from opset 16 on");
}

int main(void)
{
    enum { CASES = sizeof cases / sizeof *cases };
    struct CMUnitTest tests[CASES + 2] = {
        cmocka_unit_test(steps_have_operands_with_channels_last),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    for (int i = 0; i < CASES; i++)
        tests[2 + i] = (struct CMUnitTest){cases[i].name, a_node_computes_what_onnx_computes, NULL,
                                           NULL, (void *)(uintptr_t)&cases[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
