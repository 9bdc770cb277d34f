// test_ops_layout.c - operators over images in other layouts: they compute what ONNX's compute of
// the same image with channels first, on kernels too, claim no more than that, and say themselves
// so.
#include "ops_check.h"

#include "in_layout.h"

/* `operands` are lines that make x, an image in the layout, and what else the node takes; `rest` is
 * what stands behind x in both nodes. */
struct layout_case {
    const char *name, *operands, *rest, *attributes;
    int opset;
    const char *kernel; /* that it is lowered to; "": none */
    enum layout layout;
    const char *first; /* attribute that says what has channels first; NULL: none */
};

/* Two images of 5 x 6 pixels, of 3 channels, or of 32 in blocks. */
#define IMAGE "const x: f32[2,5,6,3] = named\n"
#define BLOCKS "const x: f32[2,2,5,6,16] = named\n"
#define PLANES "const x: f32[2,3,5,6] = named\n"
#define SIXTEEN "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16"
#define TWICE SIXTEEN ", " SIXTEEN

static const struct layout_case cases[] = {
    {"MaxPool", IMAGE, "", "kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1]", 12,
     "max_pool", LAYOUT_NHWC, NULL},
    {"MaxPool", IMAGE, "", "kernel_shape: [2, 3], ceil_mode: 1, strides: [3, 3]", 12, "max_pool",
     LAYOUT_NHWC, NULL},
    {"AveragePool", IMAGE, "", "kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1", 11,
     "average_pool", LAYOUT_NHWC, NULL},
    {"AveragePool", IMAGE, "", "kernel_shape: [3, 3], pads: [1, 1, 1, 1]", 11, "average_pool",
     LAYOUT_NHWC, NULL},
    {"GlobalAveragePool", IMAGE, "", NULL, 11, "global_average_pool", LAYOUT_NHWC, NULL},
    {"BatchNormalization",
     IMAGE "const s: f32[3] = {1, 2, 3}\nconst o: f32[3] = {4, 5, 6}\nconst m: f32[3] = {7, 8, 9}\n"
           "const v: f32[3] = {1, 4, 9}\n",
     ", s, o, m, v", "epsilon: 0.001", 15, "batchnorm", LAYOUT_NHWC, NULL},
    {"Resize", IMAGE "const S: f32[4] = {1, 1, 2, 1.5}\n", ", -, S", "mode: \"linear\"", 13,
     "resize", LAYOUT_NHWC, NULL},
    {"Resize", IMAGE "const S: f32[4] = {1, 1, 2, 2}\n", ", S", "mode: \"nearest\"", 10, "resize",
     LAYOUT_NHWC, NULL},
    {"Upsample", IMAGE "const S: f32[4] = {1, 1, 2, 2}\n", ", S", "mode: \"nearest\"", 9, "resize",
     LAYOUT_NHWC, NULL},
    {"GridSample", IMAGE "const g: f32[2,3,4,2] = named\n", ", g", "align_corners: 0", 16,
     "grid_sample", LAYOUT_NHWC, NULL},
    {"Conv", IMAGE "const w: f32[4,3,3,3] = named\nconst o: f32[4] = {1, 2, 3, 4}\n", ", w, o",
     "pads: [1, 1, 1, 1]", 13, "conv2d", LAYOUT_NHWC, NULL},
    {"Conv", IMAGE "const w: f32[6,1,3,3] = named\n", ", w", "group: 3, strides: [2, 2]", 13,
     "conv2d", LAYOUT_NHWC, NULL},
    {"ConvTranspose", IMAGE "const w: f32[3,5,2,2] = named\n", ", w", "strides: [2, 2]", 13,
     "conv_transpose2d", LAYOUT_NHWC, NULL},
    {"MaxPool", BLOCKS, "", "kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1]", 12,
     "max_pool", LAYOUT_NCHWC, NULL},
    {"AveragePool", BLOCKS, "", "kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1",
     11, "average_pool", LAYOUT_NCHWC, NULL},
    {"GlobalAveragePool", BLOCKS, "", NULL, 11, "global_average_pool", LAYOUT_NCHWC, NULL},
    {"BatchNormalization",
     BLOCKS "const s: f32[32] = {" TWICE "}\nconst o: f32[32] = {" TWICE "}\n"
            "const m: f32[32] = {" TWICE "}\nconst v: f32[32] = {" TWICE "}\n",
     ", s, o, m, v", "epsilon: 0.001", 15, "batchnorm", LAYOUT_NCHWC, NULL},
    {"Resize", BLOCKS "const S: f32[4] = {1, 1, 2, 1.5}\n", ", -, S", "mode: \"linear\"", 13,
     "resize", LAYOUT_NCHWC, NULL},
    {"Upsample", BLOCKS "const S: f32[4] = {1, 1, 2, 2}\n", ", S", "mode: \"nearest\"", 9, "resize",
     LAYOUT_NCHWC, NULL},
    {"GridSample", BLOCKS "const g: f32[2,3,4,2] = named\n", ", g", "align_corners: 0", 16,
     "grid_sample", LAYOUT_NCHWC, NULL},
    {"Conv", BLOCKS "const w: f32[48,32,3,3] = named\nconst o: f32[48] = named\n", ", w, o",
     "pads: [1, 1, 1, 1]", 13, "conv2d", LAYOUT_NCHWC, NULL},
    {"Conv", BLOCKS "const w: f32[32,8,3,3] = named\n", ", w", "group: 4, strides: [2, 2]", 13,
     "conv2d", LAYOUT_NCHWC, NULL},
    {"Conv", BLOCKS "const w: f32[32,1,3,3] = named\n", ", w", "group: 32", 13, "conv2d",
     LAYOUT_NCHWC, NULL},
    {"ConvTranspose", BLOCKS "const w: f32[32,16,2,2] = named\n", ", w", "strides: [2, 2]", 13,
     "conv_transpose2d", LAYOUT_NCHWC, NULL},
    {"Conv", PLANES "const w: f32[4,3,3,3] = named\nconst o: f32[4] = {1, 2, 3, 4}\n", ", w, o",
     "pads: [1, 1, 1, 1]", 13, "conv2d", LAYOUT_NHWC, "source"},
    {"Conv", PLANES "const w: f32[32,3,3,3] = named\n", ", w", "strides: [2, 2]", 13, "conv2d",
     LAYOUT_NCHWC, "source"},
    {"GlobalAveragePool", IMAGE, "", NULL, 11, "global_average_pool", LAYOUT_NHWC, "result"},
    {"GlobalAveragePool", BLOCKS, "", NULL, 11, "global_average_pool", LAYOUT_NCHWC, "result"},
};

/* The layout of x, or of y. */
static enum layout layout_at(const struct layout_case *of, const char *which)
{
    return of->first && strcmp(of->first, which) == 0 ? LAYOUT_NCHW : of->layout;
}

/* Attributes behind those that are there. */
static void put_attributes(char *text, size_t size, const struct layout_case *of, bool is_ours)
{
    const bool is_opset = strncmp(of->name, "Conv", 4) != 0;
    const size_t used = strlen(text);
    char own[96] = "";
    if (is_ours && is_opset)
        snprintf(own, sizeof own, "layout: \"%s\", opset: %d", layout_words[of->layout], of->opset);
    else if (is_ours)
        snprintf(own, sizeof own, "layout: \"%s\"", layout_words[of->layout]);
    if (is_ours && of->first)
        snprintf(own + strlen(own), sizeof own - strlen(own), ", %s: \"nchw\"", of->first);
    const char *const given = of->attributes ? of->attributes : "";
    if (*given || *own)
        snprintf(text + used, size - used, " {%s%s%s}", given, *given && *own ? ", " : "", own);
}

/* The floats of an image, of that type with channels first, in another layout. */
static struct array reordered(const struct array *in, enum layout from, const struct type *first,
                              enum layout to, struct arena *arena)
{
    const long channels = first->dims[1], pixels = type_product(first, 2, first->rank);
    const struct array out = {type_in_layout(first, to),
                              arena_take(arena, (size_t)type_bytes(first))};
    assert_non_null(out.data);
    for (long i = 0; i < type_elements(first); i++) {
        const long image = i / (channels * pixels) * channels * pixels;
        const long channel = i / pixels % channels, pixel = i % pixels;
        ((float *)out.data)[image + layout_index(to, channels, pixels, channel, pixel)] =
            ((const float *)in->data)[image + layout_index(from, channels, pixels, channel, pixel)];
    }
    return out;
}

/* The value of y as ONNX's operator makes it. */
static struct array expected_of(const struct layout_case *of, struct graph *graph,
                                struct arena *arena)
{
    char text[2048], node[512];
    struct site site;
    struct error error;
    const long channels = layout_at(of, "source") == LAYOUT_NCHWC ? 32 : 3;
    snprintf(node, sizeof node, "%s(a%s)", of->name, of->rest);
    put_attributes(node, sizeof node, of, false);
    snprintf(text, sizeof text,
             "graph g (onnx %d)\n%sinput a: f32[2,%ld,5,6]\ny = %s\noutput x\noutput y\n",
             of->opset, of->operands, channels, node);
    graph_of(graph, text);
    const struct tensor *x = graph->tensor[graph_find(graph, "x")];
    const struct array given = {x->type, (void *)(uintptr_t)x->data};
    const struct type first = graph->tensor[graph_find(graph, "a")]->type;
    if (site_open(&site, graph, graph->node[maker_of(graph, "y")], arena, &error) != OK)
        fail_msg("%s", error.text);
    ((struct array *)(uintptr_t)site.input)[0] =
        reordered(&given, layout_at(of, "source"), &first, LAYOUT_NCHW, arena);
    if (site_evaluate(&site, 1 << 20, &error) != OK)
        fail_msg("%s", error.text);
    return reordered(&site.output[0], LAYOUT_NCHW, &site.output[0].type, layout_at(of, "result"),
                     arena);
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

static void steps_have_operands_in_blocks(void **state)
{
    (void)state;
    struct check check;
    const char *const header = "onnx 13, roofline 1";
    const char *const lines =
        "const x: f32[1,1,1,2,16] = {" TWICE "}\nconst w: f32[32,16,1,1] = named\n"
        "const b: f32[2,1,1,16] = named\nconst z: f32[1,2,1,2,16] = named\n"
        "const q: f32[2,1] = {3, 4}";
    check_open(&check, header, lines,
               "roofline::Conv(x, w, -, b, z) {steps: [\"add\", \"add\"], layout: \"nchwc\"}");
    assert_int_equal(site_evaluate(&check.site, 1 << 20, &check.error), OK);
    check_kernels(&check, "conv2d");
    check_close(&check);
    /* What varies by pixel alone is no operand of an epilogue. */
    check_open(&check, header, lines,
               "roofline::Conv(x, w, -, q) {steps: [\"mul\"], layout: \"nchwc\"}");
    assert_int_equal(site_evaluate(&check.site, 1 << 20, &check.error), OK);
    check_kernels(&check, "conv2d chain");
    check_close(&check);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    const char *const header = "onnx 13, roofline 1";
    check_refused(header, "input x: f32[1,2,3,4]",
                  "roofline::GlobalAveragePool(x) {layout: \"chwn\", opset: 13}",
                  "'layout' is 'chwn'; it may be nchw, nhwc or nchwc");
    check_refused(header, "input x: f32[1,2,3]",
                  "roofline::GlobalAveragePool(x) {layout: \"nhwc\", opset: 13}",
                  "in layout nhwc it needs 4 dimensions");
    check_refused(header, "input x: f32[1,32,3,3]",
                  "roofline::GlobalAveragePool(x) {layout: \"nchwc\", opset: 13}",
                  "in layout nchwc it needs 5 dimensions");
    check_refused(header, "input x: f32[1,2,3,3,8]",
                  "roofline::GlobalAveragePool(x) {layout: \"nchwc\", opset: 13}",
                  "blocks of layout nchwc have 16 channels");
    check_refused(header, "input x: f32[1,2,3,3,16]\ninput w: f32[24,32,1,1]",
                  "roofline::Conv(x, w) {layout: \"nchwc\"}", "24 output channels are no blocks");
    check_refused(header, "input x: f32[1,2,3,4]",
                  "roofline::MaxPool(x) {layout: \"nhwc\", opset: 13}",
                  "'kernel_shape' is missing or of another type");
    check_refused(header, "input x: f32[1,2,3,4]\ninput g: f32[1,2,3,2]",
                  "roofline::GridSample(x, g) {layout: \"nhwc\", opset: 13}",
                  "GridSample is known from opset 16 on");
    check_refused(header, "input x: f32[1,3,16]\ninput w: f32[20,3,3]",
                  "roofline::Conv(x, w) {layout: \"nchwc\", source: \"nchw\"}",
                  "in layout nchw it needs 4 dimensions");
    check_refused(header, "input x: f32[1,3,4,4]\ninput w: f32[20,3,3,3]",
                  "roofline::Conv(x, w) {layout: \"nchwc\", source: \"nchw\"}",
                  "20 output channels are no blocks");
    check_refused(header, "input x: f32[1,4,4,3]\ninput w: f32[20,3,3,3]",
                  "roofline::Conv(x, w) {layout: \"nhwc\", source: \"nhwc\"}",
                  "'source' is 'nhwc'; it may be nchw");
    check_refused(header, "input x: f32[1,1,1,1,16]\ninput w: f32[20,16,1,1]",
                  "roofline::Conv(x, w) {layout: \"nchwc\", result: \"nchw\"}",
                  "'result' is for GlobalAveragePool alone");
    check_refused(header, "input x: f32[1,3,4,4]",
                  "roofline::MaxPool(x) {layout: \"nhwc\", opset: 13, kernel_shape: [2, 2], "
                  "source: \"nchw\"}",
                  "'source' is for Conv alone");
}

int main(void)
{
    enum { CASES = sizeof cases / sizeof *cases };
    struct CMUnitTest tests[CASES + 3] = {
        cmocka_unit_test(steps_have_operands_with_channels_last),
        cmocka_unit_test(steps_have_operands_in_blocks),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    for (int i = 0; i < CASES; i++)
        tests[3 + i] = (struct CMUnitTest){cases[i].name, a_node_computes_what_onnx_computes, NULL,
                                           NULL, (void *)(uintptr_t)&cases[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
