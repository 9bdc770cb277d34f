// test_ops_windows.c - pools, transposed convolutions and blocks that are added up: sizes, values,
// kernels.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node_cases.h"

#define NINE "const x: f32[1,1,3,3] = {1, 2, 3, 4, 5, 6, 7, 8, 9}"
#define LINE "const x: f32[1,1,5] = {1, 5, 2, 4, 3}"
#define CUBE "const x: f32[1,1,2,2,2] = {0, 1, 2, 3, 4, 5, 6, 7}"
#define NAN_FIRST "const x: f32[1,1,1,3] = {nan, 1, 2}"
#define BELOW_ZERO "const x: f32[1,1,2,2] = {-1, -2, -3, -4}"
#define COUNT(cases) (sizeof(cases) / sizeof *(cases))

static void pools_have_sizes(void **state)
{
    (void)state;
    const char *const x = "input x: f32[n,3,10,11]";
    assert_inferred_at(12, x, "MaxPool(x) {kernel_shape: [3, 3]}", "f32[n,3,8,9]");
    assert_inferred_at(12, x, "MaxPool(x) {kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1}",
                       "f32[n,3,5,5]");
    assert_inferred_at(12, x,
                       "AveragePool(x) {kernel_shape: [2, 2], strides: [3, 3], pads: "
                       "[0, 0, 1, 1]}",
                       "f32[n,3,4,4]");
    /* The last window would begin in the padding behind. */
    assert_inferred_at(22, "input x: f32[1,1,5]",
                       "MaxPool(x) {kernel_shape: [1], strides: [4], pads: [0, 3], ceil_mode: 1}",
                       "f32[1,1,2]");
    assert_inferred_at(12, "input x: f32[1,c,?,7]",
                       "MaxPool(x) {kernel_shape: [2, 2], auto_pad: \"SAME_LOWER\"}",
                       "f32[1,c,?,7]");
    assert_inferred_at(12, "input x: f32", "MaxPool(x) {kernel_shape: [2, 2]}", "f32[?,?,?,?]");
    assert_inferred_at(12, x, "z, y = MaxPool(x) {kernel_shape: [3, 3]}", "i64[n,3,8,9]");
    assert_inferred_at(13, x, "GlobalMaxPool(x)", "f32[n,3,1,1]");
    assert_inferred_at(13, "input x: f16", "GlobalAveragePool(x)", "f16");
}

static void pools_that_cannot_be_are_refused(void **state)
{
    (void)state;
    const char *const x = "input x: f32[1,3,4,4]";
    assert_refused_at(12, x, "MaxPool(x) {kernel_shape: [5, 1]}", "does not fit");
    assert_refused_at(12, x, "MaxPool(x) {kernel_shape: [2]}", "'kernel_shape' has 1 numbers");
    assert_refused_at(12, x, "MaxPool(x) {kernel_shape: [0, 1]}", "'kernel_shape' has a 0");
    assert_refused_at(12, x, "MaxPool(x)", "kernel_shape");
    assert_refused_at(12, x, "MaxPool(x) {kernel_shape: [2, 2], pads: [-1, 0, 0, 0]}", "'pads'");
    assert_refused_at(12, x, "MaxPool(x) {kernel_shape: [2, 2], strides: [0, 1]}", "'strides'");
    assert_refused_at(
        12, x, "MaxPool(x) {kernel_shape: [9223372036854775807, 9223372036854775807]}", "possible");
    assert_refused_at(12, "input x: i64[1,3,4,4]", "MaxPool(x) {kernel_shape: [2, 2]}", "'i64'");
    assert_refused_at(12, "input x: u8[1,3,4,4]", "AveragePool(x) {kernel_shape: [2, 2]}", "'u8'");
    assert_refused_at(18, x, "LpPool(x) {kernel_shape: [2, 2], p: 0}", "'p' is 0");
    assert_refused_at(13, "input x: f32[4]", "GlobalMaxPool(x)", "1 dimensions");
}

static void maxima_of_windows(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {12,
         NINE,
         "MaxPool(x) {kernel_shape: [2, 2], pads: [1, 1, 1, 1], strides: [2, 2]}",
         "f32[1,1,2,2]",
         "max_pool",
         {1, 3, 7, 9}},
        /* The last windows reach beyond the image. */
        {12,
         NINE,
         "MaxPool(x) {kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1}",
         "f32[1,1,2,2]",
         "max_pool",
         {5, 6, 8, 9}},
        {12,
         NINE,
         "MaxPool(x) {kernel_shape: [2, 1], strides: [1, 2]}",
         "f32[1,1,2,2]",
         "max_pool",
         {4, 6, 7, 9}},
        {12,
         NINE,
         "MaxPool(x) {kernel_shape: [3, 1], strides: [2, 1]}",
         "f32[1,1,1,3]",
         "max_pool",
         {7, 8, 9}},
        {12,
         LINE,
         "MaxPool(x) {kernel_shape: [2], strides: [2]}",
         "f32[1,1,2]",
         "max_pool",
         {5, 4}},
        {12,
         LINE,
         "MaxPool(x) {kernel_shape: [3], pads: [1, 1]}",
         "f32[1,1,5]",
         "max_pool",
         {5, 5, 5, 4, 4}},
        /* Lines of the last dim are as many of the one before, further apart. */
        {12, CUBE, "MaxPool(x) {kernel_shape: [2, 2, 1]}", "f32[1,1,1,1,2]", "max_pool", {6, 7}},
        {12, CUBE, "MaxPool(x) {kernel_shape: [2, 2, 2]}", "f32[1,1,1,1,1]", "max_pool", {7}},
    };
    assert_nodes(cases, COUNT(cases));
}

static void maxima_of_every_element(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        /* What pads a maximum is no number, not 0. */
        {12,
         BELOW_ZERO,
         "MaxPool(x) {kernel_shape: [2, 2], pads: [1, 1, 1, 1]}",
         "f32[1,1,3,3]",
         "max_pool",
         {-1, -1, -2, -1, -1, -2, -3, -3, -4}},
        {12,
         "const x: u8[1,1,1,3] = {200, 100, 255}",
         "MaxPool(x) {kernel_shape: [1, 2]}",
         "u8[1,1,1,2]",
         NULL,
         {200, 255}},
        {12,
         "const x: i8[1,1,1,2] = {-100, -128}",
         "MaxPool(x) {kernel_shape: [1, 2], pads: [0, 1, 0, 1]}",
         "i8[1,1,1,3]",
         NULL,
         {-100, -100, -128}},
        {12, NAN_FIRST, "MaxPool(x) {kernel_shape: [1, 2]}", "f32[1,1,1,2]", "max_pool", {NAN, 2}},
        {12,
         "const x: f64[1,1,1,2] = {1, 2}",
         "MaxPool(x) {kernel_shape: [1, 1]}",
         "f64[1,1,1,2]",
         "max_pool",
         {1, 2}},
        {12, NINE, "GlobalMaxPool(x)", "f32[1,1,1,1]", "reduce", {9}},
    };
    assert_nodes(cases, COUNT(cases));
}

/* Through all of the tensor, by rows or by columns of an image; of equal ones the first. */
static void maxima_say_where_they_are(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {12,
         NINE,
         "z, y = MaxPool(x) {kernel_shape: [2, 2], pads: [1, 1, 1, 1], strides: [2, 2]}",
         "i64[1,1,2,2]",
         NULL,
         {0, 2, 6, 8}},
        {12,
         NINE,
         "z, y = MaxPool(x) {kernel_shape: [2, 2], storage_order: 1}",
         "i64[1,1,2,2]",
         NULL,
         {4, 7, 5, 8}},
        {12,
         "const x: f32[2,1,1,3] = {7, 7, 1, 2, 3, 3}",
         "z, y = MaxPool(x) {kernel_shape: "
         "[1, 3]}",
         "i64[2,1,1,1]",
         NULL,
         {0, 4}},
        {12, CUBE, "z, y = MaxPool(x) {kernel_shape: [2, 2, 2]}", "i64[1,1,1,1,1]", NULL, {7}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[2048];
        struct graph graph;
        struct error error;
        struct site site;
        struct lowering lowering;
        struct arena arena = {0};
        node_text_of(text, cases[i].opset, cases[i].lines, cases[i].node);
        graph_of(&graph, text);
        assert_type(&graph, "y", cases[i].type);
        assert_int_equal(
            site_open(&site, &graph, graph.node[maker_of(&graph, "y")], &arena, &error), OK);
        assert_int_equal(site_evaluate(&site, 1 << 20, &error), OK);
        assert_near(&cases[i], &site.output[1], "evaluation");
        assert_int_equal(site_lower(&site, &lowering, &error), SKIPPED);
        graph_free(&graph);
        arena_free(&arena);
    }
}

static void means_of_windows(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {19,
         NINE,
         "AveragePool(x) {kernel_shape: [2, 2], pads: [1, 1, 1, 1], strides: [2, 2]}",
         "f32[1,1,2,2]",
         "average_pool",
         {1, 2.5, 5.5, 7}},
        {19,
         NINE,
         "AveragePool(x) {kernel_shape: [2, 2], pads: [1, 1, 1, 1], strides: [2, 2], "
         "count_include_pad: 1}",
         "f32[1,1,2,2]",
         "average_pool",
         {0.25, 1.25, 2.75, 7}},
        /* Cells behind the padding do not count, those of the padding do, where there is some. */
        {19,
         NINE,
         "AveragePool(x) {kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1, "
         "count_include_pad: 1}",
         "f32[1,1,2,2]",
         "average_pool",
         {3, 4.5, 7.5, 9}},
        {19,
         NINE,
         "AveragePool(x) {kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 0, 0], ceil_mode: 1, "
         "count_include_pad: 1}",
         "f32[1,1,2,2]",
         NULL,
         {12.0 / 9, 24.0 / 9, 4, 7}},
    };
    assert_nodes(cases, COUNT(cases));
}

static void means_of_windows_that_are_apart(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {19,
         NINE,
         "AveragePool(x) {kernel_shape: [2, 2], dilations: [2, 2]}",
         "f32[1,1,1,1]",
         "average_pool",
         {5}},
        {11,
         NINE,
         "AveragePool(x) {kernel_shape: [2, 2], auto_pad: \"SAME_LOWER\"}",
         "f32[1,1,3,3]",
         "average_pool",
         {1, 1.5, 2.5, 2.5, 3, 4, 5.5, 6, 7}},
        {12,
         LINE,
         "AveragePool(x) {kernel_shape: [3], pads: [1, 1]}",
         "f32[1,1,5]",
         "average_pool",
         {3, 8.0 / 3, 11.0 / 3, 3, 3.5}},
        {12,
         CUBE,
         "AveragePool(x) {kernel_shape: [2, 2, 2]}",
         "f32[1,1,1,1,1]",
         "average_pool",
         {3.5}},
        {12,
         "const x: f16[1,1,1,2] = {1, 2}",
         "AveragePool(x) {kernel_shape: [1, 2]}",
         "f16[1,1,1,1]",
         NULL,
         {1.5}},
        {12, CUBE, "GlobalAveragePool(x)", "f32[1,1,1,1,1]", "global_average_pool", {3.5}},
        {12,
         "const x: f32[1,2] = {3, 4}",
         "GlobalAveragePool(x)",
         "f32[1,2]",
         "global_average_pool",
         {3, 4}},
    };
    assert_nodes(cases, COUNT(cases));
}

static void norms_of_windows(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {18,
         NINE,
         "LpPool(x) {kernel_shape: [2, 2], p: 1}",
         "f32[1,1,2,2]",
         NULL,
         {12, 16, 24, 28}},
        {18,
         NINE,
         "LpPool(x) {kernel_shape: [2, 2], pads: [1, 1, 0, 0], strides: [2, 2]}",
         "f32[1,1,2,2]",
         NULL,
         {1, 3.60555, 8.06226, 14.3527}},
        {13,
         "const x: f32[1,2,2] = {3, -4, 0, 1}",
         "GlobalLpPool(x)",
         "f32[1,2,1]",
         "reduce",
         {5, 1}},
        {13,
         "const x: f32[1,2,2] = {3, -4, 0, 1}",
         "GlobalLpPool(x) {p: 1}",
         "f32[1,2,1]",
         NULL,
         {7, 1}},
    };
    assert_nodes(cases, COUNT(cases));
}

#define FOUR "const x: f32[1,1,2,2] = {1, 2, 3, 4}\n"
#define TAPS "const w: f32[1,1,3,3] = {1, 2, 3, 4, 5, 6, 7, 8, 9}"

static void convolutions_move_as_they_like(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {11,
         "const x: f32[1,1,4] = {1, 2, 3, 4}\nconst w: f32[1,1,2] = {1, 10}",
         "Conv(x, w) {strides: [2]}",
         "f32[1,1,2]",
         "conv2d",
         {21, 43}},
        {11,
         "const x: f32[1,1,4] = {1, 2, 3, 4}\nconst w: f32[1,1,2] = {1, 10}",
         "Conv(x, w) {pads: [1, 1]}",
         "f32[1,1,5]",
         "conv2d",
         {10, 21, 32, 43, 4}},
        {11,
         "const x: f32[1,1,1,4] = {1, 2, 3, 4}\nconst w: f32[1,1,1,2] = {1, 10}",
         "Conv(x, w) {strides: [5, 2], dilations: [7, 1]}",
         "f32[1,1,1,2]",
         "conv2d",
         {21, 43}},
        {11,
         "const x: f32[1,1,4,4] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}\n" TAPS,
         "Conv(x, w) {auto_pad: \"SAME_LOWER\", strides: [2, 2]}",
         "f32[1,1,2,2]",
         "conv2d",
         {111, 217, 363, 573}},
        {11,
         LINE "\nconst w: f32[1,1,3] = {1, 10, 100}",
         "Conv(x, w) {pads: [2, 0]}",
         "f32[1,1,5]",
         "conv2d",
         {100, 510, 251, 425, 342}},
        {11,
         NINE "\nconst w: f32[1,1,2,2] = {1, 10, 100, 1000}",
         "Conv(x, w) {strides: [2, 1], pads: [0, 0, 1, 0]}",
         "f32[1,1,2,2]",
         "conv2d",
         {5421, 6532, 87, 98}},
        {11,
         NINE "\nconst w: f32[1,1,2,2] = {1, 10, 100, 1000}",
         "Conv(x, w) {dilations: [1, 2]}",
         "f32[1,1,2,1]",
         "conv2d",
         {6431, 9764}},
        /* The kernel has two dims: more are joined where nothing goes across. */
        {11,
         CUBE "\nconst w: f32[1,1,2,1,1] = {1, 10}",
         "Conv(x, w) {pads: [1, 0, 0, 0, 0, 0]}",
         "f32[1,1,2,2,2]",
         "conv2d",
         {0, 10, 20, 30, 40, 51, 62, 73}},
        {11,
         CUBE "\nconst w: f32[1,1,2,2,2] = {1, 1, 1, 1, 1, 1, 1, 1}",
         "Conv(x, w)",
         "f32[1,1,1,1,1]",
         "conv2d",
         {28}},
    };
    assert_nodes(cases, COUNT(cases));
}

static void transposed_convolutions_have_sizes(void **state)
{
    (void)state;
    const char *const x = "input x: f32[n,4,5,?]\ninput w: f32[4,3,3,3]";
    assert_inferred_at(11, x, "ConvTranspose(x, w) {strides: [2, 2], pads: [1, 1, 1, 1]}",
                       "f32[n,3,9,?]");
    assert_inferred_at(11, x,
                       "ConvTranspose(x, w) {group: 2, output_padding: [1, 0], strides: "
                       "[2, 2]}",
                       "f32[n,6,12,?]");
    assert_inferred_at(11, x, "ConvTranspose(x, w) {output_shape: [7, 8], strides: [2, 2]}",
                       "f32[n,3,7,8]");
    assert_inferred_at(11, x, "ConvTranspose(x, w) {strides: [2, 2], auto_pad: \"SAME_UPPER\"}",
                       "f32[n,3,10,?]");
    /* Windows further apart than they are large leave no room to grow. */
    assert_inferred_at(11, "input x: f32[1,1,3]\ninput w: f32[1,1,1]",
                       "ConvTranspose(x, w) {strides: [2], auto_pad: \"SAME_UPPER\"}",
                       "f32[1,1,5]");
    assert_inferred_at(11, "input x: f32\ninput w: f32[4,3,3]", "ConvTranspose(x, w)",
                       "f32[?,3,?]");
    assert_refused_at(11, x, "ConvTranspose(x, w) {group: 3}", "'group' 3 does not divide");
    for (int i = 0; i < 2; i++) {
        const char *const node = i ? "ConvTranspose(x, w, b)" : "Conv(x, w, b)";
        assert_refused_at(11, "input x: f32[1,1,4,4]\ninput w: f64[1,1,2,2]\ninput b: f32[1]", node,
                          "'f32' and 'f64'");
        assert_refused_at(11, "input x: f64[1,1,4,4]\ninput w: f64[1,1,2,2]\ninput b: f32[1]", node,
                          "'f64' and 'f32'");
        assert_refused_at(11, "input x: i32[1,1,4,4]\ninput w: i32[1,1,2,2]\ninput b: i32[1]", node,
                          "'i32'");
    }
    assert_refused_at(11, x, "ConvTranspose(x, w) {output_padding: [1]}", "'output_padding'");
    assert_refused_at(11, x, "ConvTranspose(x, w) {strides: [9223372036854775807, 1]}",
                      "'strides'");
    assert_refused_at(11, x, "ConvTranspose(x, w) {pads: [9, 0, 9, 0]}", "leaves nothing");
    assert_refused_at(11, x, "ConvTranspose(x, w) {output_shape: [0, 1]}", "'output_shape'");
    assert_refused_at(11, "input x: f32[1,4,5]\ninput w: f32[3,1,2]", "ConvTranspose(x, w)",
                      "4 channels, the weights are for 3");
}

static void transposed_convolutions_spread_taps(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {11,
         FOUR TAPS "\nconst b: f32[1] = {100}",
         "ConvTranspose(x, w, b) {strides: [2, 2], pads: [1, 1, 1, 1]}",
         "f32[1,1,3,3]",
         "conv_transpose2d",
         {105, 114, 110, 114, 136, 124, 115, 134, 120}},
        {11,
         FOUR TAPS,
         "ConvTranspose(x, w) {strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1]}",
         "f32[1,1,4,4]",
         "conv_transpose2d",
         {5, 14, 10, 12, 14, 36, 24, 30, 15, 34, 20, 24, 24, 55, 32, 36}},
        /* Of an odd padding more is cut off in front, unless SAME_UPPER. */
        {11,
         FOUR TAPS,
         "ConvTranspose(x, w) {strides: [2, 2], output_shape: [4, 4]}",
         "f32[1,1,4,4]",
         "conv_transpose2d",
         {5, 14, 10, 12, 14, 36, 24, 30, 15, 34, 20, 24, 24, 55, 32, 36}},
        {11,
         FOUR TAPS,
         "ConvTranspose(x, w) {strides: [2, 2], output_shape: [4, 4], auto_pad: \"SAME_UPPER\"}",
         "f32[1,1,4,4]",
         "conv_transpose2d",
         {1, 2, 5, 4, 4, 5, 14, 10, 10, 14, 36, 24, 12, 15, 34, 20}},
        {11,
         "const x: f32[1,1,3] = {1, 2, 3}\nconst w: f32[1,1,2] = {1, 10}",
         "ConvTranspose(x, w) {strides: [2]}",
         "f32[1,1,6]",
         "conv_transpose2d",
         {1, 10, 2, 20, 3, 30}},
        {11,
         "const x: f32[1,2,2] = {1, 2, 3, 4}\nconst w: f32[2,1,2] = {1, 10, 1, 100}",
         "ConvTranspose(x, w) {group: 2}",
         "f32[1,2,3]",
         "conv_transpose2d",
         {1, 12, 20, 3, 304, 400}},
        {11,
         "const x: f32[1,1,1,1,2] = {1, 2}\nconst w: f32[1,1,1,1,2] = {1, 10}",
         "ConvTranspose(x, w) {strides: [1, 1, 2]}",
         "f32[1,1,1,1,4]",
         "conv_transpose2d",
         {1, 10, 2, 20}},
    };
    assert_nodes(cases, COUNT(cases));
}

static void blocks_are_added_up(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {18,
         "const x: f32[1,4,4] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}\n"
         "const i: i64[2] = {3, 3}\nconst b: i64[2] = {2, 2}",
         "Col2Im(x, i, b)",
         "f32[1,1,3,3]",
         NULL,
         {1, 7, 6, 12, 34, 22, 11, 27, 16}},
        {18,
         "const x: u8[1,2,3] = {1, 2, 3, 250, 250, 250}\nconst i: i64[1] = {4}\n"
         "const b: i64[1] = {2}",
         "Col2Im(x, i, b)",
         "u8[1,1,4]",
         NULL,
         {1, 252, 253, 250}},
    };
    const char *const x = "input x: f32[n,8,4]\n";
    char lines[256];
    assert_nodes(cases, COUNT(cases));
    snprintf(lines, sizeof lines, "%sconst i: i64[2] = {3, 3}\nconst b: i64[2] = {2, 2}", x);
    assert_inferred_at(18, lines, "Col2Im(x, i, b)", "f32[n,2,3,3]");
    assert_refused_at(18, lines, "Col2Im(x, i, b) {strides: [2, 2]}", "4 columns; the image has 1");
    snprintf(lines, sizeof lines, "%sconst i: i64[2] = {3, 3}\nconst b: i64[2] = {3, 1}", x);
    assert_refused_at(18, lines, "Col2Im(x, i, b)", "no whole blocks of 3");
    snprintf(lines, sizeof lines, "%sconst i: i64[2] = {3, 3}\nconst b: i64[2] = {4, 1}", x);
    assert_refused_at(18, lines, "Col2Im(x, i, b)", "does not fit");
    snprintf(lines, sizeof lines, "%sinput i: i64[2]\nconst b: i64[2] = {4, 1}", x);
    assert_inferred_at(18, lines, "Col2Im(x, i, b)", "f32[n,?,?,?]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pools_have_sizes),
        cmocka_unit_test(pools_that_cannot_be_are_refused),
        cmocka_unit_test(maxima_of_windows),
        cmocka_unit_test(maxima_of_every_element),
        cmocka_unit_test(maxima_say_where_they_are),
        cmocka_unit_test(means_of_windows),
        cmocka_unit_test(means_of_windows_that_are_apart),
        cmocka_unit_test(norms_of_windows),
        cmocka_unit_test(convolutions_move_as_they_like),
        cmocka_unit_test(transposed_convolutions_have_sizes),
        cmocka_unit_test(transposed_convolutions_spread_taps),
        cmocka_unit_test(blocks_are_added_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
