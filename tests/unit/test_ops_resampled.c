// test_ops_resampled.c - images of another size, places of a grid, and what is cut out of the
// middle: sizes, values, kernels.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node_cases.h"

#define COUNT(cases) (sizeof(cases) / sizeof *(cases))
#define FOUR "const x: f32[1,1,2,2] = {1, 2, 3, 4}\n"
#define NINE "const x: f32[1,1,3,3] = {1, 2, 3, 4, 5, 6, 7, 8, 9}\n"
#define DOUBLE "const s: f32[4] = {1, 1, 2, 2}"
#define HALF "const n: i64[4] = {1, 1, 2, 2}"

static void resize_has_sizes(void **state)
{
    (void)state;
    const char *const x = "input x: f32[n,3,10,?]\n";
    char lines[256];
    snprintf(lines, sizeof lines, "%sconst s: f32[4] = {1, 1, 0.7, 2}", x);
    /* 0.7 as a float is a little less, its product with 10 is 7 all the same. */
    assert_inferred_at(10, lines, "Resize(x, s)", "f32[n,3,7,?]");
    assert_inferred_at(13, lines, "Resize(x, -, s)", "f32[n,3,7,?]");
    snprintf(lines, sizeof lines, "%sconst s: f32[0] = {}\nconst n: i64[4] = {1, 3, 4, 5}", x);
    assert_inferred_at(11, lines, "Resize(x, s, s, n)", "f32[1,3,4,5]");
    snprintf(lines, sizeof lines, "%sconst n: i64[2] = {4, 5}", x);
    assert_inferred_at(18, lines, "Resize(x, -, -, n) {axes: [-1, 2]}", "f32[n,3,5,4]");
    assert_refused_at(18, lines, "Resize(x, -, -, n) {axes: [2, 2]}", "twice");
    assert_refused_at(18, lines, "Resize(x, -, -, n)", "2 sizes for 4");
    assert_refused_at(18, lines, "Resize(x, -, -, n) {axes: [2, 3], mode: \"best\"}",
                      "'mode' is 'best'; it may be nearest, linear, cubic or bilinear");
    /* What opset 10 does has no word. */
    assert_refused_at(18, lines,
                      "Resize(x, -, -, n) {axes: [2, 3], nearest_mode: \"by_direction\"}",
                      "'by_direction'");
    snprintf(lines, sizeof lines, "%sinput s: f32[4]", x);
    assert_inferred_at(13, lines, "Resize(x, -, s)", "f32[?,?,?,?]");
    snprintf(lines, sizeof lines, "%sconst s: f32[4] = {1, 1, 0, 1}", x);
    assert_refused_at(13, lines, "Resize(x, -, s)", "scale 2 is 0");
    snprintf(lines, sizeof lines, "%sconst s: f32[4] = {1, 1, 1e30, 1}", x);
    assert_refused_at(13, lines, "Resize(x, -, s)", "more than");
    snprintf(lines, sizeof lines, "%sconst s: f32[4] = {1, 1, 2, 2}", x);
    assert_refused_at(13, lines,
                      "Resize(x, -, s) {coordinate_transformation_mode: \"tf_crop_and_resize\"}",
                      "'roi'");
    assert_inferred_at(7, x, "Upsample(x) {scales: [1.0, 1.0, 2.0, 2.0]}", "f32[n,3,20,?]");
}

static void nearest_lines(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {11,
         FOUR DOUBLE "\nconst e: f32[0] = {}",
         "Resize(x, e, s)",
         "f32[1,1,4,4]",
         "resize",
         {1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4}},
        /* Other coordinates that come to the same run on the kernel too. */
        {13,
         FOUR DOUBLE,
         "Resize(x, -, s) {coordinate_transformation_mode: \"asymmetric\", nearest_mode: "
         "\"floor\"}",
         "f32[1,1,4,4]",
         "resize",
         {1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4}},
        {13,
         FOUR DOUBLE,
         "Resize(x, -, s) {coordinate_transformation_mode: \"asymmetric\", nearest_mode: \"ceil\"}",
         "f32[1,1,4,4]",
         NULL,
         {1, 2, 2, 2, 3, 4, 4, 4, 3, 4, 4, 4, 3, 4, 4, 4}},
        {9,
         FOUR "const s: f32[4] = {1, 1, 2, 3}",
         "Upsample(x, s)",
         "f32[1,1,4,6]",
         "resize",
         {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4}},
        /* Before opset 11 the coordinate is rounded up where there are fewer lines. */
        {10,
         "const x: f32[1,1,2,4] = {1, 2, 3, 4, 5, 6, 7, 8}\n"
         "const s: f32[4] = {1, 1, 0.6, 0.6}",
         "Resize(x, s)",
         "f32[1,1,1,2]",
         "resize",
         {1, 3}},
        /* 1/3 as a float: line 1 of the output is line 3 of the input, not a little before. */
        {13,
         "const x: f32[7] = {0, 1, 2, 3, 4, 5, 6}\nconst s: f32[1] = {0.333333343}",
         "Resize(x, -, s) {coordinate_transformation_mode: \"asymmetric\", nearest_mode: "
         "\"floor\"}",
         "f32[2]",
         NULL,
         {0, 3}},
        {18,
         NINE "const n: i64[2] = {6, 5}",
         "Resize(x, -, -, n) {axes: [3, 2], keep_aspect_ratio_policy: \"not_larger\"}",
         "f32[1,1,5,5]",
         "resize",
         {1, 1, 2, 3, 3, 1, 1, 2, 3, 3, 4, 4, 5, 6, 6, 7, 7, 8, 9, 9, 7, 7, 8, 9, 9}},
        {13,
         "const x: i4[3] = {1, -2, 3}\nconst n: i64[1] = {6}",
         "Resize(x, -, -, n)",
         "i4[6]",
         NULL,
         {1, 1, -2, -2, 3, 3}},
    };
    assert_nodes(cases, COUNT(cases));
}

static void between_lines(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {13,
         FOUR DOUBLE,
         "Resize(x, -, s) {mode: \"linear\"}",
         "f32[1,1,4,4]",
         "resize",
         {1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4}},
        {13,
         FOUR DOUBLE,
         "Resize(x, -, s) {mode: \"linear\", coordinate_transformation_mode: \"align_corners\"}",
         "f32[1,1,4,4]",
         NULL,
         {1, 4.0 / 3, 5.0 / 3, 2, 5.0 / 3, 2, 7.0 / 3, 8.0 / 3, 7.0 / 3, 8.0 / 3, 3, 10.0 / 3, 3,
          10.0 / 3, 11.0 / 3, 4}},
        {7,
         FOUR,
         "Upsample(x) {mode: \"linear\", scales: [1.0, 1.0, 2.0, 2.0]}",
         "f32[1,1,4,4]",
         NULL,
         {1, 1.5, 2, 2, 2, 2.5, 3, 3, 3, 3.5, 4, 4, 3, 3.5, 4, 4}},
        {13,
         NINE HALF,
         "Resize(x, -, -, n) {mode: \"cubic\", cubic_coeff_a: -0.5}",
         "f32[1,1,2,2]",
         NULL,
         {1.71875, 3.35938, 6.64062, 8.28125}},
        {18,
         NINE "const s: f32[2] = {0.5, 0.5}",
         "Resize(x, -, s) {mode: \"linear\", antialias: 1, axes: [2, 3]}",
         "f32[1,1,1,1]",
         NULL,
         {3.5}},
        {13,
         NINE HALF "\nconst r: f32[8] = {0, 0, 0.5, 0, 1, 1, 1, 2}",
         "Resize(x, r, -, n) {mode: \"linear\", coordinate_transformation_mode: "
         "\"tf_crop_and_resize\", extrapolation_value: 10.0}",
         "f32[1,1,2,2]",
         NULL,
         {4, 10, 7, 10}},
        /* Whole numbers are rounded, and stay in their range. */
        {13,
         "const x: u8[2] = {0, 255}\nconst n: i64[1] = {4}",
         "Resize(x, -, -, n) {mode: \"cubic\"}",
         "u8[4]",
         NULL,
         {0, 58, 197, 255}},
        {13,
         "const x: f64[1,2] = {0, 1}\nconst n: i64[2] = {1, 4}",
         "Resize(x, -, -, n) {mode: \"linear\"}",
         "f64[1,4]",
         "resize",
         {0, 0.25, 0.75, 1}},
    };
    assert_nodes(cases, COUNT(cases));
}

#define GRID "const g: f32[1,2,2,2] = {-1, -1, 0, 0, 0.5, -0.5, 2, 0}"

static void places_of_a_grid(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {16, NINE GRID, "GridSample(x, g)", "f32[1,1,2,2]", "grid_sample", {0.25, 5, 3.5, 0}},
        {16,
         NINE GRID,
         "GridSample(x, g) {padding_mode: \"border\"}",
         "f32[1,1,2,2]",
         NULL,
         {1, 5, 3.5, 6}},
        {16,
         NINE GRID,
         "GridSample(x, g) {padding_mode: \"reflection\", align_corners: 1}",
         "f32[1,1,2,2]",
         NULL,
         {1, 5, 4, 5}},
        {16, NINE GRID, "GridSample(x, g) {mode: \"nearest\"}", "f32[1,1,2,2]", NULL, {1, 5, 3, 0}},
        {16,
         NINE GRID,
         "GridSample(x, g) {mode: \"bicubic\"}",
         "f32[1,1,2,2]",
         NULL,
         {0.0625, 5, 4.08937, 0}},
        /* One dim; beyond all numbers is outside. */
        {20,
         "const x: f32[1,1,2] = {1, 3}\nconst g: f32[1,4,1] = {0, nan, inf, -0.5}",
         "GridSample(x, g)",
         "f32[1,1,4]",
         NULL,
         {2, 0, 0, 1}},
        {20,
         "const x: text[1,1,1,2] = {\"a\", \"b\"}\nconst g: f32[1,1,1,2] = {9, 0}",
         "GridSample(x, g) {mode: \"nearest\"}",
         "text[1,1,1,1]",
         NULL,
         {0}},
    };
    assert_nodes(cases, COUNT(cases));
    const char *const x = "input x: f32[n,3,4,5]\ninput g: f32[?,7,8,2]\ninput h: f32[1,7,8,3]";
    assert_inferred_at(16, x, "GridSample(x, g)", "f32[n,3,7,8]");
    assert_refused_at(16, x, "GridSample(x, h)", "3 coordinates for an image of 2");
    assert_refused_at(16, x, "GridSample(x, g) {mode: \"best\"}", "'best'");
    assert_refused_at(16, x, "GridSample(x, g) {padding_mode: \"ones\"}", "'ones'");
}

static void grids_of_affine_maps(void **state)
{
    (void)state;
#define THETA "const t: f32[1,2,3] = {1, 0, 0.5, 0, 2, 0}\nconst n: i64[4] = {1, 1, 2, 2}"
    static const struct node_case cases[] = {
        {20, THETA, "AffineGrid(t, n)", "f32[1,2,2,2]", NULL, {0, -1, 1, -1, 0, 1, 1, 1}},
        {20,
         THETA,
         "AffineGrid(t, n) {align_corners: 1}",
         "f32[1,2,2,2]",
         NULL,
         {-0.5, -2, 1.5, -2, -0.5, 2, 1.5, 2}},
    };
    assert_nodes(cases, COUNT(cases));
    assert_inferred_at(20, "input t: f32[n,3,4]\ninput s: i64[5]", "AffineGrid(t, s)",
                       "f32[n,?,?,?,3]");
    assert_refused_at(20, "input t: f32[1,2,4]\nconst s: i64[4] = {1, 1, 2, 2}", "AffineGrid(t, s)",
                      "2 x 3");
    assert_refused_at(20, "input t: f32[1,2,3]\nconst s: i64[4] = {1, 1, -2, 2}",
                      "AffineGrid(t, s)", "size 2 is -2");
}

/* Of an odd difference less is cut off in front, and less is added in front. */
static void what_is_in_the_middle(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {18,
         "const x: f32[5] = {1, 2, 3, 4, 5}\nconst s: i64[1] = {2}",
         "CenterCropPad(x, s)",
         "f32[2]",
         NULL,
         {2, 3}},
        {18,
         "const x: i4[3] = {1, -2, 3}\nconst s: i64[1] = {6}",
         "CenterCropPad(x, s)",
         "i4[6]",
         NULL,
         {0, 1, -2, 3, 0, 0}},
        {18,
         "const x: f32[2,2] = {1, 2, 3, 4}\nconst s: i32[1] = {3}",
         "CenterCropPad(x, s) {axes: [-1]}",
         "f32[2,3]",
         NULL,
         {1, 2, 0, 3, 4, 0}},
    };
    assert_nodes(cases, COUNT(cases));
    const char *const x = "input x: f32[n,3,?]\ninput s: i64[1]\nconst t: i64[1] = {-1}";
    assert_inferred_at(18, x, "CenterCropPad(x, s) {axes: [1]}", "f32[n,?,?]");
    assert_refused_at(18, x, "CenterCropPad(x, t) {axes: [1]}", "'shape' has a -1");
    assert_refused_at(18, x, "CenterCropPad(x, t)", "1 numbers for 3 axes");
    assert_refused_at(18, x, "CenterCropPad(x, t) {axes: [5]}", "axis 5");
}

/* An roi that nothing is cropped to need not be known. */
static void kernels_need_to_know_the_size(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *node;
        int result;
    } cases[] = {
        {"input x: f32[1,1,2,2]\ninput s: f32[4]", "y: f32[1,1,4,4] = Resize(x, -, s)", SKIPPED},
        {"input x: f32[1,1,2,2]\ninput r: f32[8]\nconst s: f32[4] = {1, 1, 2, 2}",
         "y = Resize(x, r, s)", OK},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[2048];
        struct graph graph;
        struct error error;
        struct site site;
        struct lowering lowering;
        struct arena arena = {0};
        node_text_of(text, 13, cases[i].lines, cases[i].node);
        graph_of(&graph, text);
        assert_int_equal(
            site_open(&site, &graph, graph.node[maker_of(&graph, "y")], &arena, &error), OK);
        assert_int_equal(site_lower(&site, &lowering, &error), cases[i].result);
        graph_free(&graph);
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resize_has_sizes),
        cmocka_unit_test(nearest_lines),
        cmocka_unit_test(between_lines),
        cmocka_unit_test(places_of_a_grid),
        cmocka_unit_test(grids_of_affine_maps),
        cmocka_unit_test(what_is_in_the_middle),
        cmocka_unit_test(kernels_need_to_know_the_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
