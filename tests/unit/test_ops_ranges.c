// test_ops_ranges.c - Slice, Expand, Tile, Pad and blocks of pixels: dims and values of each, what
// is inferred when less is known, and that kernels move the same.
#include <limits.h>

#include "ops_trial.h"

/* ---- Slice ---- */

static void slice_ends_are_exclusive_and_clamped(void **state)
{
    (void)state;
    static const struct {
        long start, end, step;
        int count;
        double values[6];
        const char *kernel; /* NULL: nothing to move */
    } cases[] = {
        {0, 5, 1, 5, {0, 1, 2, 3, 4}, "copy"},
        {0, 4, 1, 4, {0, 1, 2, 3}, "copy"},
        {0, -1, 1, 4, {0, 1, 2, 3}, "copy"},
        {0, LONG_MAX, 1, 5, {0, 1, 2, 3, 4}, "copy"},
        {-9, 99, 1, 5, {0, 1, 2, 3, 4}, "copy"},
        {-5, 5, 1, 5, {0, 1, 2, 3, 4}, "copy"},
        {1, 4, 2, 2, {1, 3}, "join"},
        {-1, LONG_MIN, -1, 5, {4, 3, 2, 1, 0}, "gather"},
        {99, 0, -2, 2, {4, 2}, "gather"},
        {-1, -6, -1, 5, {4, 3, 2, 1, 0}, "gather"},
        {3, 1, 1, 0, {0}, NULL},
        {5, 9, 1, 0, {0}, NULL},
        {1, 3, LONG_MAX, 1, {1}, "copy"},
        {3, 0, LONG_MIN, 1, {3}, "copy"},
        {LONG_MIN, LONG_MAX, 3, 2, {0, 3}, "join"},
    };
    struct trial trial;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const long dims[] = {cases[i].count};
        trial_begin(&trial, "Slice", 13);
        trial_counted(&trial, ELEMENT_f32, LONGS(5));
        trial_longs(&trial, ELEMENT_i64, 1, &cases[i].start);
        trial_longs(&trial, ELEMENT_i64, 1, &cases[i].end);
        trial_longs(&trial, ELEMENT_i64, LONGS(-1));
        trial_longs(&trial, ELEMENT_i64, 1, &cases[i].step);
        trial_node(&trial, 1);
        trial_expect(&trial, cases[i].kernel, 1, dims, cases[i].count, cases[i].values);
    }
}

static void slice_takes_attributes_before_opset_10_and_short_indices(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Slice", 9);
    trial_counted(&trial, ELEMENT_f32, LONGS(3, 4));
    trial_node(&trial, 1);
    trial_integers(&trial, "starts", LONGS(1));
    trial_integers(&trial, "ends", LONGS(3));
    trial_integers(&trial, "axes", LONGS(1));
    trial_expect(&trial, "join", LONGS(3, 2), REALS(1, 2, 5, 6, 9, 10));
    trial_begin(&trial, "Slice", 11);
    trial_counted(&trial, ELEMENT_u8, LONGS(3, 4));
    trial_longs(&trial, ELEMENT_i32, LONGS(1, -3));
    trial_longs(&trial, ELEMENT_i32, LONGS(2, INT_MAX));
    trial_node(&trial, 1);
    trial_expect(&trial, NULL, LONGS(1, 3), REALS(5, 6, 7));
}

static void slice_refuses_lists_that_do_not_go_together(void **state)
{
    (void)state;
    static const struct {
        long starts, ends;
        long axes[2], steps[2];
        const char *words;
    } cases[] = {{1, 2, {0, 1}, {1, 1}, "equally long; there are 2 and 1"},
                 {2, 2, {0, 0}, {1, 1}, "axis 0 is given twice"},
                 {2, 2, {0, 2}, {1, 1}, "axis 2 is not one of the 2 dimensions"},
                 {2, 2, {0, 1}, {1, 0}, "the step of axis 1 is 0"}};
    struct trial trial;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trial_begin(&trial, "Slice", 13);
        trial_counted(&trial, ELEMENT_f32, LONGS(3, 4));
        trial_longs(&trial, ELEMENT_i64, (int)cases[i].ends, (const long[]){0, 0});
        trial_longs(&trial, ELEMENT_i64, (int)cases[i].starts, (const long[]){2, 2});
        trial_longs(&trial, ELEMENT_i64, 2, cases[i].axes);
        trial_longs(&trial, ELEMENT_i64, 2, cases[i].steps);
        trial_node(&trial, 1);
        trial_refuse(&trial, cases[i].words);
    }
}

static void slice_of_an_unknown_dim_is_only_known_where_it_is_whole(void **state)
{
    (void)state;
    static const struct {
        long start, end, step;
        bool is_kept;
    } cases[] = {{0, LONG_MAX, 1, true},  {0, 5, 1, false},        {0, -1, 1, false},
                 {1, LONG_MAX, 1, false}, {0, LONG_MAX, 2, false}, {0, INT_MAX, 1, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trial trial;
        trial_begin(&trial, "Slice", 13);
        struct type type = trial_type(ELEMENT_f32, LONGS(-1, 3));
        type.symbol[0] = graph_symbol(&trial.graph, "batch", &trial.error);
        trial_unknown(&trial, type);
        trial_longs(&trial, ELEMENT_i64, 1, &cases[i].start);
        trial_longs(&trial, ELEMENT_i64, 1, &cases[i].end);
        trial_longs(&trial, ELEMENT_i64, LONGS(0));
        trial_longs(&trial, ELEMENT_i64, 1, &cases[i].step);
        trial_node(&trial, 1);
        const struct type out = trial_infer(&trial, 0);
        assert_int_equal(out.dims[0], -1);
        assert_int_equal(out.dims[1], 3);
        assert_int_equal(out.symbol[0] != 0, cases[i].is_kept);
        trial_end(&trial);
    }
}

/* ---- Expand and Tile ---- */

static void expand_broadcasts_both_ways(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Expand", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(3, 1));
    trial_longs(&trial, ELEMENT_i64, LONGS(1, 2));
    trial_node(&trial, 1);
    trial_expect(&trial, "tile", LONGS(3, 2), REALS(0, 0, 1, 1, 2, 2));
    trial_begin(&trial, "Expand", 13); /* of higher rank */
    trial_counted(&trial, ELEMENT_f64, LONGS(2));
    trial_longs(&trial, ELEMENT_i64, LONGS(2, 1, 1));
    trial_node(&trial, 1);
    trial_expect(&trial, "tile", LONGS(2, 1, 2), REALS(0, 1, 0, 1));
    trial_begin(&trial, "Expand", 13); /* of lower rank, to itself */
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 3));
    trial_longs(&trial, ELEMENT_i64, LONGS(1));
    trial_node(&trial, 1);
    trial_expect(&trial, "copy", LONGS(2, 3), NO_REALS);
    trial_begin(&trial, "Expand", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(1, 2, 1, 3));
    trial_longs(&trial, ELEMENT_i64, LONGS(2, 2, 2, 3));
    trial_node(&trial, 1);
    trial_expect(&trial, "tile", LONGS(2, 2, 2, 3), NO_REALS);
    trial_begin(&trial, "Expand", 13);
    trial_counted(&trial, ELEMENT_i8, LONGS(1));
    trial_longs(&trial, ELEMENT_i64, LONGS(0));
    trial_node(&trial, 1);
    trial_expect(&trial, NULL, LONGS(0), NO_REALS);
    trial_begin(&trial, "Expand", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2));
    trial_longs(&trial, ELEMENT_i64, LONGS(3));
    trial_node(&trial, 1);
    trial_refuse(&trial, "2 and 3 do not broadcast");
    trial_begin(&trial, "Expand", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(1));
    trial_longs(&trial, ELEMENT_i64, LONGS(LONG_MAX, LONG_MAX));
    trial_node(&trial, 1);
    trial_refuse(&trial, "too large");
}

static void tile_repeats_each_dim(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Tile", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 2));
    trial_longs(&trial, ELEMENT_i64, LONGS(1, 2));
    trial_node(&trial, 1);
    trial_expect(&trial, "tile", LONGS(2, 4), REALS(0, 1, 0, 1, 2, 3, 2, 3));
    trial_begin(&trial, "Tile", 6);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 1, 3, 2));
    trial_longs(&trial, ELEMENT_i64, LONGS(2, 3, 2, 2));
    trial_node(&trial, 1);
    trial_expect(&trial, "gather", LONGS(4, 3, 6, 4), NO_REALS);
    trial_begin(&trial, "Tile", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2));
    trial_longs(&trial, ELEMENT_i64, LONGS(LONG_MAX));
    trial_node(&trial, 1);
    trial_refuse(&trial, "more than 281474976710656 elements");
    trial_begin(&trial, "Tile", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2));
    trial_longs(&trial, ELEMENT_i64, LONGS(-1));
    trial_node(&trial, 1);
    trial_refuse(&trial, "repeated -1 times");
}

/* ---- blocks of pixels ---- */

static void blocks_of_pixels_count_channels_in_two_orders(void **state)
{
    (void)state;
    static const struct {
        const char *type, *mode;
        long dims[4], out[4];
        double values[8];
    } cases[] = {
        {"DepthToSpace", "DCR", {1, 8, 1, 1}, {1, 2, 2, 2}, {0, 2, 4, 6, 1, 3, 5, 7}},
        {"DepthToSpace", "CRD", {1, 8, 1, 1}, {1, 2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7}},
        {"SpaceToDepth", "DCR", {1, 2, 2, 2}, {1, 8, 1, 1}, {0, 4, 1, 5, 2, 6, 3, 7}},
        {"SpaceToDepth", "CRD", {1, 2, 2, 2}, {1, 8, 1, 1}, {0, 1, 2, 3, 4, 5, 6, 7}},
    };
    struct trial trial;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bool is_copy = cases[i].values[1] == 1;
        trial_begin(&trial, cases[i].type, 13);
        trial_counted(&trial, ELEMENT_f32, 4, cases[i].dims);
        trial_node(&trial, 1);
        trial_integer(&trial, "blocksize", 2);
        trial_text(&trial, "mode", cases[i].mode);
        trial_expect(&trial, is_copy ? "copy" : "transpose", 4, cases[i].out, 8, cases[i].values);
        trial_begin(&trial, cases[i].type, 13); /* all six dims, by two transposes */
        trial_counted(&trial, ELEMENT_f32, LONGS(2, 12, 4, 6));
        trial_node(&trial, 1);
        trial_integer(&trial, "blocksize", 2);
        trial_text(&trial, "mode", cases[i].mode);
        trial_run(&trial);
        assert_string_equal(trial.kernel, "transpose");
        trial_end(&trial);
    }
    trial_begin(&trial, "DepthToSpace", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(1, 6, 1, 1));
    trial_node(&trial, 1);
    trial_integer(&trial, "blocksize", 2);
    trial_refuse(&trial, "6 channels are no multiple of 4");
    trial_begin(&trial, "DepthToSpace", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(1, 0, 1, 1));
    trial_node(&trial, 1);
    trial_integer(&trial, "blocksize", 1L << 47);
    trial_refuse(&trial, "too large");
}

/* ---- Pad ---- */

static void pad_has_four_modes(void **state)
{
    (void)state;
    static const struct {
        const char *mode, *kernel;
        double values[9];
    } cases[] = {{"constant", "pad", {0, 0, 0, 0, 1, 2, 0, 0, 0}},
                 {"reflect", NULL, {1, 2, 1, 0, 1, 2, 1, 0, 1}}, /* borders as wide as the line */
                 {"edge", "pad", {0, 0, 0, 0, 1, 2, 2, 2, 2}},
                 {"wrap", NULL, {0, 1, 2, 0, 1, 2, 0, 1, 2}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trial trial;
        trial_begin(&trial, "Pad", 19);
        trial_counted(&trial, ELEMENT_f32, LONGS(3));
        trial_longs(&trial, ELEMENT_i64, LONGS(3, 3));
        trial_node(&trial, 1);
        trial_text(&trial, "mode", cases[i].mode);
        trial_expect(&trial, cases[i].kernel, LONGS(9), 9, cases[i].values);
    }
}

static void pad_repeats_what_is_left(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Pad", 19);
    trial_counted(&trial, ELEMENT_f32, LONGS(4));
    trial_longs(&trial, ELEMENT_i64, LONGS(-1, 2));
    trial_node(&trial, 1);
    trial_text(&trial, "mode", "wrap");
    trial_expect(&trial, NULL, LONGS(5), REALS(1, 2, 3, 1, 2));
}

static void pad_runs_on_images_rows_and_channels(void **state)
{
    (void)state;
    static const long cases[][8] = {{0, 0, 1, 2, 0, 0, 0, 1},  /* the image */
                                    {0, 1, 2, 0, 0, 0, 1, 0},  /* as NHWC */
                                    {0, 0, 2, 0, 0, 0, 1, 0},  /* whole rows */
                                    {0, 2, 0, 0, 0, 1, 0, 0},  /* channels */
                                    {1, 0, 0, 0, 0, 0, 0, 0},  /* images */
                                    {0, 0, 0, 3, 0, 0, 0, 1}}; /* within lines */
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        struct trial trial;
        trial_begin(&trial, "Pad", 13);
        trial_counted(&trial, ELEMENT_i64, LONGS(2, 3, 4, 5));
        trial_longs(&trial, ELEMENT_i64, 8, cases[i / 2]);
        trial_values(&trial, ELEMENT_i64, NO_LONGS, REALS((double)(i % 2 * 7)));
        trial_node(&trial, 1);
        trial_run(&trial);
        assert_string_equal(trial.kernel, "pad");
        trial_end(&trial);
    }
}

static void pad_takes_away_where_it_is_negative(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Pad", 18);
    trial_counted(&trial, ELEMENT_i32, LONGS(2, 4));
    trial_longs(&trial, ELEMENT_i64, LONGS(-1, 1));
    trial_values(&trial, ELEMENT_i32, NO_LONGS, REALS(7));
    trial_longs(&trial, ELEMENT_i64, LONGS(-1));
    trial_node(&trial, 1);
    trial_expect(&trial, NULL, LONGS(2, 4), REALS(1, 2, 3, 7, 5, 6, 7, 7));
    trial_begin(&trial, "Pad", 13); /* nothing is added, so what is added does not matter */
    trial_counted(&trial, ELEMENT_f32, LONGS(3, 4));
    trial_longs(&trial, ELEMENT_i64, LONGS(-1, -1, 0, -1));
    trial_values(&trial, ELEMENT_f32, NO_LONGS, REALS(7));
    trial_node(&trial, 1);
    trial_expect(&trial, "join", LONGS(2, 2), REALS(5, 6, 9, 10));
    trial_begin(&trial, "Pad", 9);
    trial_counted(&trial, ELEMENT_f32, LONGS(2));
    trial_node(&trial, 1);
    trial_integers(&trial, "pads", LONGS(0, 1));
    trial_expect(&trial, "pad", LONGS(3), REALS(0, 1, 0));
    trial_begin(&trial, "Pad", 13);
    trial_counted(&trial, ELEMENT_text, LONGS(1));
    trial_longs(&trial, ELEMENT_i64, LONGS(0, 1));
    trial_node(&trial, 1);
    trial_expect(&trial, NULL, LONGS(2), REALS(0, 0));
}

static void pad_refuses_borders_that_cannot_be(void **state)
{
    (void)state;
    static const struct {
        long dim, before, after;
        const char *mode, *words;
    } cases[] = {{3, -2, -2, "constant", "take more than the 3 that dimension 0 has"},
                 {3, LONG_MAX, 1, "constant", "are too large"},
                 {0, 1, 0, "edge", "has no element to repeat"},
                 {3, 1, 1, "mirror", "'mode' is 'mirror'; it may be"}};
    struct trial trial;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trial_begin(&trial, "Pad", 13);
        trial_counted(&trial, ELEMENT_f32, 1, &cases[i].dim);
        trial_longs(&trial, ELEMENT_i64, LONGS(cases[i].before, cases[i].after));
        trial_node(&trial, 1);
        trial_text(&trial, "mode", cases[i].mode);
        trial_refuse(&trial, cases[i].words);
    }
    trial_begin(&trial, "Pad", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 2));
    trial_longs(&trial, ELEMENT_i64, LONGS(1, 1));
    trial_node(&trial, 1);
    trial_refuse(&trial, "2 pads are given for 2 dimensions");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slice_ends_are_exclusive_and_clamped),
        cmocka_unit_test(slice_takes_attributes_before_opset_10_and_short_indices),
        cmocka_unit_test(slice_refuses_lists_that_do_not_go_together),
        cmocka_unit_test(slice_of_an_unknown_dim_is_only_known_where_it_is_whole),
        cmocka_unit_test(expand_broadcasts_both_ways),
        cmocka_unit_test(tile_repeats_each_dim),
        cmocka_unit_test(blocks_of_pixels_count_channels_in_two_orders),
        cmocka_unit_test(pad_has_four_modes),
        cmocka_unit_test(pad_repeats_what_is_left),
        cmocka_unit_test(pad_runs_on_images_rows_and_channels),
        cmocka_unit_test(pad_takes_away_where_it_is_negative),
        cmocka_unit_test(pad_refuses_borders_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
