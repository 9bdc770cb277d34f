// test_ops_moves.c - views, Transpose, Concat and Split: dims and values of each, what is inferred
// when less is known, and that kernels move the same.
#include <limits.h>

#include "ops_trial.h"

/* ---- views ---- */

static void flatten_takes_axes_from_both_ends(void **state)
{
    (void)state;
    static const struct {
        long axis, rows, columns;
    } cases[] = {{0, 1, 24}, {1, 2, 12}, {2, 6, 4}, {3, 24, 1}, {-1, 6, 4}, {-3, 1, 24}};
    struct trial trial;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trial_begin(&trial, "Flatten", 13);
        trial_counted(&trial, ELEMENT_f32, LONGS(2, 3, 4));
        trial_node(&trial, 1);
        trial_integer(&trial, "axis", cases[i].axis);
        trial_expect(&trial, "copy", LONGS(cases[i].rows, cases[i].columns), NO_REALS);
    }
    trial_begin(&trial, "Flatten", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 3));
    trial_node(&trial, 1);
    trial_integer(&trial, "axis", 3);
    trial_refuse(&trial, "axis 3 is not in [-2, 2]");
}

static void squeeze_removes_what_is_named_or_all_ones(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Squeeze", 13);
    trial_counted(&trial, ELEMENT_i64, LONGS(1, 3, 1, 2));
    trial_longs(&trial, ELEMENT_i64, LONGS(-2));
    trial_node(&trial, 1);
    trial_expect(&trial, "copy", LONGS(1, 3, 2), REALS(0, 1, 2, 3, 4, 5));
    trial_begin(&trial, "Squeeze", 11);
    trial_counted(&trial, ELEMENT_u8, LONGS(1, 3, 1, 2));
    trial_node(&trial, 1);
    trial_integers(&trial, "axes", LONGS(2, 0));
    trial_expect(&trial, NULL, LONGS(3, 2), REALS(0, 1, 2, 3, 4, 5));
    trial_begin(&trial, "Squeeze", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(1, 3, 1));
    trial_node(&trial, 1);
    trial_expect(&trial, "copy", LONGS(3), NO_REALS);
    trial_begin(&trial, "Squeeze", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(1, 3));
    trial_longs(&trial, ELEMENT_i64, LONGS(1));
    trial_node(&trial, 1);
    trial_refuse(&trial, "dimension 1 is 3; only dimensions of 1");
    trial_begin(&trial, "Squeeze", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(1, 1));
    trial_longs(&trial, ELEMENT_i64, LONGS(0, -2));
    trial_node(&trial, 1);
    trial_refuse(&trial, "axis 0 is given twice");
}

static void squeeze_without_axes_waits_for_all_dims(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Squeeze", 13);
    trial_unknown(&trial, trial_type(ELEMENT_f32, LONGS(1, -1, 3)));
    trial_node(&trial, 1);
    assert_int_equal(trial_infer(&trial, 0).rank, -1);
    trial_end(&trial);
}

static void unsqueeze_counts_axes_on_the_result(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Unsqueeze", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 3));
    trial_longs(&trial, ELEMENT_i64, LONGS(-1, 0)); /* unsorted */
    trial_node(&trial, 1);
    trial_expect(&trial, "copy", LONGS(1, 2, 3, 1), NO_REALS);
    trial_begin(&trial, "Unsqueeze", 9);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 3));
    trial_node(&trial, 1);
    trial_integers(&trial, "axes", LONGS(1, 2));
    trial_expect(&trial, "copy", LONGS(2, 1, 1, 3), NO_REALS);
    trial_begin(&trial, "Unsqueeze", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 3));
    trial_longs(&trial, ELEMENT_i64, LONGS(3));
    trial_node(&trial, 1);
    trial_refuse(&trial, "axis 3 is not one of the 3 dimensions");
    trial_begin(&trial, "Unsqueeze", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(1, 1, 1, 1, 1, 1, 1, 1, 1));
    trial_longs(&trial, ELEMENT_i64, LONGS(0, 1, 2));
    trial_node(&trial, 1);
    trial_refuse(&trial, "would have 12 dimensions; at most");
    trial_begin(&trial, "Unsqueeze", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2));
    trial_node(&trial, 1);
    trial_refuse(&trial, "it has no 'axes'");
}

/* ---- Transpose ---- */

static void transpose_follows_perm(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Transpose", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 3));
    trial_node(&trial, 1);
    trial_expect(&trial, "transpose", LONGS(3, 2), REALS(0, 3, 1, 4, 2, 5));
    trial_begin(&trial, "Transpose", 13); /* no reverse of itself: twice is (2, 0, 1) */
    trial_counted(&trial, ELEMENT_f64, LONGS(2, 3, 2));
    trial_node(&trial, 1);
    trial_integers(&trial, "perm", LONGS(1, 2, 0));
    trial_expect(&trial, "transpose", LONGS(3, 2, 2), REALS(0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11));
    trial_begin(&trial, "Transpose", 13); /* only a dim of 1 moves */
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 1, 3));
    trial_node(&trial, 1);
    trial_integers(&trial, "perm", LONGS(1, 0, 2));
    trial_expect(&trial, "copy", LONGS(1, 2, 3), NO_REALS);
    trial_begin(&trial, "Transpose", 21);
    trial_counted(&trial, ELEMENT_i4, LONGS(2, 3));
    trial_node(&trial, 1);
    trial_expect(&trial, NULL, LONGS(3, 2), REALS(0, 3, 1, 4, 2, 5));
    trial_begin(&trial, "Transpose", 13);
    trial_counted(&trial, ELEMENT_text, LONGS(2, 2));
    trial_node(&trial, 1);
    trial_expect(&trial, NULL, LONGS(2, 2), REALS(0, 2, 1, 3));
}

static void transposes_of_many_dims_run_in_two_steps(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Transpose", 13); /* query, key and value of the heads of attention */
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 5, 3, 4, 7));
    trial_node(&trial, 1);
    trial_integers(&trial, "perm", LONGS(2, 0, 3, 1, 4));
    trial_expect(&trial, "transpose", LONGS(3, 2, 4, 5, 7), NO_REALS);
    trial_begin(&trial, "Transpose", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 3, 2, 3, 2, 3));
    trial_node(&trial, 1);
    trial_integers(&trial, "perm", LONGS(5, 3, 1, 4, 2, 0));
    trial_run(&trial);
    assert_non_null(trial.kernel);
    trial_end(&trial);
}

static void transpose_refuses_what_is_no_permutation(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Transpose", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 3));
    trial_node(&trial, 1);
    trial_integers(&trial, "perm", LONGS(1, 1));
    trial_refuse(&trial, "has to name each of the 2 dimensions once; 1 is wrong");
    trial_begin(&trial, "Transpose", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 3));
    trial_node(&trial, 1);
    trial_integers(&trial, "perm", LONGS(0, LONG_MAX));
    trial_refuse(&trial, "is wrong");
    trial_begin(&trial, "Transpose", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 3));
    trial_node(&trial, 1);
    trial_integers(&trial, "perm", LONGS(0));
    trial_refuse(&trial, "'perm' has 1 numbers for 2 dimensions");
}

/* ---- Concat and Split ---- */

static void concat_joins_along_its_axis(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Concat", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 2));
    trial_values(&trial, ELEMENT_f32, LONGS(2, 1), REALS(8, 9));
    trial_values(&trial, ELEMENT_f32, LONGS(2, 0), NO_REALS);
    trial_node(&trial, 1);
    trial_integer(&trial, "axis", -1);
    trial_expect(&trial, "join", LONGS(2, 3), REALS(0, 1, 8, 2, 3, 9));
    trial_begin(&trial, "Concat", 4);
    trial_counted(&trial, ELEMENT_f64, LONGS(3, 2, 2));
    trial_values(&trial, ELEMENT_f64, LONGS(3, 2, 2), REALS(20));
    trial_node(&trial, 1);
    trial_integer(&trial, "axis", 1);
    trial_run(&trial);
    assert_int_equal(trial.launches, 1);
    trial_check_dims(&trial, 0, LONGS(3, 4, 2));
    trial_end(&trial);
    for (int axis = 0; axis < 2; axis++) { /* a launch takes seven arrays */
        trial_begin(&trial, "Concat", 13);
        for (int i = 0; i < 8; i++)
            trial_counted(&trial, ELEMENT_f32, LONGS(2, 500));
        trial_node(&trial, 1);
        trial_integer(&trial, "axis", axis);
        trial_run(&trial);
        assert_int_equal(trial.launches, 2);
        trial_end(&trial);
    }
    trial_begin(&trial, "Concat", 13);
    trial_counted(&trial, ELEMENT_bool, LONGS(1, 2));
    trial_counted(&trial, ELEMENT_bool, LONGS(2, 2));
    trial_node(&trial, 1);
    trial_integer(&trial, "axis", 0);
    trial_expect(&trial, NULL, LONGS(3, 2), REALS(0, 1, 0, 1, 1, 1));
    trial_begin(&trial, "Concat", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 2));
    trial_counted(&trial, ELEMENT_f32, LONGS(3, 3));
    trial_node(&trial, 1);
    trial_integer(&trial, "axis", 1);
    trial_refuse(&trial, "dimension 0 is 2 in one input and 3 in another");
    trial_begin(&trial, "Concat", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2));
    trial_counted(&trial, ELEMENT_f64, LONGS(2));
    trial_node(&trial, 1);
    trial_integer(&trial, "axis", 0);
    trial_refuse(&trial, "elements 'f32' and 'f64' differ");
    trial_begin(&trial, "Concat", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2));
    trial_node(&trial, 1);
    trial_refuse(&trial, "lacks the attribute 'axis'");
    trial_begin(&trial, "Concat", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2));
    trial_absent(&trial);
    trial_node(&trial, 1);
    trial_integer(&trial, "axis", 0);
    trial_refuse(&trial, "input 1 is left out; all of them are needed");
}

static void concat_knows_dims_from_any_input(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Concat", 13);
    trial_unknown(&trial, trial_type(ELEMENT_f32, LONGS(-1, 2, -1)));
    trial_unknown(&trial, trial_type(ELEMENT_f32, LONGS(4, 3, -1)));
    trial_unknown(&trial, (struct type){.element = ELEMENT_f32, .rank = -1});
    trial_node(&trial, 1);
    trial_integer(&trial, "axis", 1);
    const struct type type = trial_infer(&trial, 0);
    assert_int_equal(type.rank, 3);
    assert_int_equal(type.dims[0], 4);
    assert_int_equal(type.dims[1], -1);
    assert_int_equal(type.dims[2], -1);
    trial_end(&trial);
}

static void split_takes_sizes_or_makes_equal_parts(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Split", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 5));
    trial_longs(&trial, ELEMENT_i64, LONGS(2, 0, 3));
    trial_node(&trial, 3);
    trial_integer(&trial, "axis", -1);
    trial_run(&trial);
    trial_check_dims(&trial, 0, LONGS(2, 2));
    trial_check_values(&trial, 0, REALS(0, 1, 5, 6));
    trial_check_dims(&trial, 1, LONGS(2, 0));
    trial_check_values(&trial, 2, REALS(2, 3, 4, 7, 8, 9));
    assert_string_equal(trial.kernel, "join");
    trial_end(&trial);
    trial_begin(&trial, "Split", 18); /* the last may be smaller */
    trial_counted(&trial, ELEMENT_f32, LONGS(7));
    trial_node(&trial, 3);
    trial_integer(&trial, "num_outputs", 3);
    trial_run(&trial);
    trial_check_values(&trial, 0, REALS(0, 1, 2));
    trial_check_values(&trial, 2, REALS(6));
    assert_string_equal(trial.kernel, "copy");
    assert_int_equal(trial.launches, 3);
    trial_end(&trial);
    trial_begin(&trial, "Split", 11);
    trial_counted(&trial, ELEMENT_i16, LONGS(4, 1));
    trial_node(&trial, 2);
    trial_integers(&trial, "split", LONGS(3, 1));
    trial_expect(&trial, NULL, LONGS(3, 1), REALS(0, 1, 2));
}

static void split_refuses_sizes_that_do_not_add_up(void **state)
{
    (void)state;
    static const struct {
        int opset;
        long sizes[2];
        const char *words;
    } cases[] = {{13, {2, 2}, "sum up to 4, but the dimension that is split is 5"},
                 {13, {-1, 6}, "size -1 of output 0"},
                 {13, {LONG_MAX, LONG_MAX}, "size 9223372036854775807 of output 0"},
                 {13, {0, 0}, "sum up to 0"}};
    struct trial trial;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trial_begin(&trial, "Split", cases[i].opset);
        trial_counted(&trial, ELEMENT_f32, LONGS(5));
        trial_longs(&trial, ELEMENT_i64, 2, cases[i].sizes);
        trial_node(&trial, 2);
        trial_refuse(&trial, cases[i].words);
    }
    trial_begin(&trial, "Split", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(5));
    trial_node(&trial, 2);
    trial_refuse(&trial, "5 cannot be split into 2 equal parts");
    trial_begin(&trial, "Split", 18);
    trial_counted(&trial, ELEMENT_f32, LONGS(5));
    trial_node(&trial, 2);
    trial_integer(&trial, "num_outputs", 3);
    trial_refuse(&trial, "'num_outputs' is 3, but there are 2 outputs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flatten_takes_axes_from_both_ends),
        cmocka_unit_test(squeeze_removes_what_is_named_or_all_ones),
        cmocka_unit_test(squeeze_without_axes_waits_for_all_dims),
        cmocka_unit_test(unsqueeze_counts_axes_on_the_result),
        cmocka_unit_test(transpose_follows_perm),
        cmocka_unit_test(transposes_of_many_dims_run_in_two_steps),
        cmocka_unit_test(transpose_refuses_what_is_no_permutation),
        cmocka_unit_test(concat_joins_along_its_axis),
        cmocka_unit_test(concat_knows_dims_from_any_input),
        cmocka_unit_test(split_takes_sizes_or_makes_equal_parts),
        cmocka_unit_test(split_refuses_sizes_that_do_not_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
