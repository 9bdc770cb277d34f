// test_ops_indices.c - operators by index and by condition, running sums and the largest: dims and
// values of each, what is inferred when less is known, and what is refused.
#include <limits.h>

#include "ops_trial.h"

/* ---- Gather and Scatter ---- */

static void gather_puts_the_dims_of_indices_at_the_axis(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Gather", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(3, 2));
    trial_values(&trial, ELEMENT_i64, LONGS(2, 1), REALS(2, -3));
    trial_node(&trial, 1);
    trial_expect(&trial, "gather", LONGS(2, 1, 2), REALS(4, 5, 0, 1));
    trial_begin(&trial, "Gather", 13);
    trial_counted(&trial, ELEMENT_i64, LONGS(2, 3));
    trial_values(&trial, ELEMENT_i32, NO_LONGS, REALS(1));
    trial_node(&trial, 1);
    trial_integer(&trial, "axis", -1);
    trial_expect(&trial, "join", LONGS(2), REALS(1, 4));
    trial_begin(&trial, "Gather", 13);
    trial_counted(&trial, ELEMENT_text, LONGS(3));
    trial_values(&trial, ELEMENT_i32, LONGS(2), REALS(2, 0));
    trial_node(&trial, 1);
    trial_expect(&trial, NULL, LONGS(2), REALS(2, 0));
}

static void no_index_reads_outside(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        long index;
        const char *words;
    } cases[] = {{"Gather", 3, "index 3 (element 1 of the indices) is not in [-3, 3)"},
                 {"Gather", -4, "index -4"},
                 {"Gather", LONG_MIN, "is not in [-3, 3)"},
                 {"GatherElements", LONG_MAX, "is not in [-3, 3)"}};
    struct trial trial;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trial_begin(&trial, cases[i].type, 13);
        trial_counted(&trial, ELEMENT_f32, LONGS(3));
        trial_longs(&trial, ELEMENT_i64, LONGS(0, cases[i].index));
        trial_node(&trial, 1);
        trial_refuse(&trial, cases[i].words);
    }
    trial_begin(&trial, "GatherND", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(3));
    trial_longs(&trial, ELEMENT_i64, LONGS(0, 0));
    trial_node(&trial, 1);
    trial_refuse(&trial, "name places of 2 dimensions in data that have 1");
    trial_begin(&trial, "ScatterElements", 18);
    trial_counted(&trial, ELEMENT_f32, LONGS(3));
    trial_longs(&trial, ELEMENT_i64, LONGS(-4));
    trial_counted(&trial, ELEMENT_f32, LONGS(1));
    trial_node(&trial, 1);
    trial_refuse(&trial, "index -4");
    trial_begin(&trial, "ScatterND", 18);
    trial_counted(&trial, ELEMENT_f32, LONGS(3, 2));
    trial_values(&trial, ELEMENT_i64, LONGS(1, 2), REALS(0, 2));
    trial_counted(&trial, ELEMENT_f32, LONGS(1));
    trial_node(&trial, 1);
    trial_refuse(&trial, "index 2 (element 1 of the indices) is not in [-2, 2)");
    trial_begin(&trial, "GatherElements", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 2));
    trial_values(&trial, ELEMENT_i64, LONGS(1, 3), REALS(0));
    trial_node(&trial, 1);
    trial_refuse(&trial, "dimension 1 of the indices is 3, more than the 2 of the data");
}

static void gather_elements_and_nd(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "GatherElements", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 3));
    trial_values(&trial, ELEMENT_i64, LONGS(2, 2), REALS(-1, 0, 1, 1));
    trial_node(&trial, 1);
    trial_integer(&trial, "axis", 1);
    trial_expect(&trial, "gather", LONGS(2, 2), REALS(2, 0, 4, 4));
    trial_begin(&trial, "GatherND", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 2, 2));
    trial_values(&trial, ELEMENT_i64, LONGS(2, 2), REALS(0, 1, 1, -2));
    trial_node(&trial, 1);
    trial_expect(&trial, "gather", LONGS(2, 2), REALS(2, 3, 4, 5));
    trial_begin(&trial, "GatherND", 12);
    trial_counted(&trial, ELEMENT_u8, LONGS(2, 2, 2));
    trial_values(&trial, ELEMENT_i64, LONGS(2, 1), REALS(1, 0));
    trial_node(&trial, 1);
    trial_integer(&trial, "batch_dims", 1);
    trial_expect(&trial, NULL, LONGS(2, 2), REALS(2, 3, 4, 5));
    trial_begin(&trial, "GatherND", 12);
    trial_counted(&trial, ELEMENT_u8, LONGS(2));
    trial_values(&trial, ELEMENT_i64, LONGS(1), REALS(0));
    trial_node(&trial, 1);
    trial_integer(&trial, "batch_dims", LONG_MAX);
    trial_refuse(&trial, "data and indices need more dimensions");
}

/* The kernel is told each time, after a check. */
static void indices_of_a_running_graph_are_looked_up_when_it_runs(void **state)
{
    (void)state;
    static int32_t rows[4], index[] = {2, 0, -1, 1};
    struct trial trial;
    struct site site;
    struct lowering lowering;
    trial_begin(&trial, "Gather", 13);
    trial_unknown(&trial, trial_type(ELEMENT_f32, LONGS(3, 2)));
    trial_unknown(&trial, trial_type(ELEMENT_i32, LONGS(4)));
    trial_node(&trial, 1);
    trial_open(&trial, &site);
    assert_int_equal(site_infer(&site, &trial.error), OK);
    assert_int_equal(site_lower(&site, &lowering, &trial.error), OK);
    assert_true(lowering.scratch_bytes == sizeof rows && lowering.look_up);
    ((struct array *)(uintptr_t)site.input)[1].data = index;
    assert_int_equal(lowering.look_up(&site, rows, &trial.error), OK);
    assert_memory_equal(rows, ((int32_t[]){2, 0, 2, 1}), sizeof rows);
    index[2] = 3;
    assert_int_equal(lowering.look_up(&site, rows, &trial.error), FAILED);
    assert_non_null(strstr(trial.error.text, "index 3 (element 2 of the indices)"));
    trial_end(&trial);
}

static void scatter_replaces_or_combines(void **state)
{
    (void)state;
    static const struct {
        const char *reduction;
        double values[4];
    } cases[] = {{"none", {10, 3, 2, 3}},
                 {"add", {10, 1 + 2 + 3, 2, 3}},
                 {"mul", {0, 6, 2, 3}},
                 {"max", {10, 3, 2, 3}},
                 {"min", {0, 1, 2, 3}}};
    struct trial trial;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trial_begin(&trial, "ScatterElements", 18);
        trial_counted(&trial, i % 2 ? ELEMENT_i32 : ELEMENT_f32, LONGS(4));
        trial_longs(&trial, ELEMENT_i64, LONGS(1, 0, -3)); /* 1 twice */
        trial_values(&trial, i % 2 ? ELEMENT_i32 : ELEMENT_f32, LONGS(3), REALS(2, 10, 3));
        trial_node(&trial, 1);
        trial_text(&trial, "reduction", cases[i].reduction);
        trial_expect(&trial, NULL, LONGS(4), 4, cases[i].values);
    }
    trial_begin(&trial, "ScatterND", 16);
    trial_counted(&trial, ELEMENT_f16, LONGS(3, 2));
    trial_values(&trial, ELEMENT_i64, LONGS(2, 1), REALS(2, 0));
    trial_values(&trial, ELEMENT_f16, LONGS(2, 2), REALS(7, 8, 9, 10));
    trial_node(&trial, 1);
    trial_expect(&trial, NULL, LONGS(3, 2), REALS(9, 10, 2, 3, 7, 8));
    trial_begin(&trial, "ScatterND", 16);
    trial_counted(&trial, ELEMENT_f32, LONGS(3, 2));
    trial_values(&trial, ELEMENT_i64, LONGS(2, 1), REALS(2, 0));
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 3));
    trial_node(&trial, 1);
    trial_refuse(&trial, "dimension 1 of the updates is 3; it has to be 2");
}

/* ---- conditions and places ---- */

static void where_broadcasts_all_three(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Where", 9);
    trial_values(&trial, ELEMENT_bool, LONGS(2, 1), REALS(1, 0));
    trial_counted(&trial, ELEMENT_i16, LONGS(3));
    trial_values(&trial, ELEMENT_i16, NO_LONGS, REALS(-7));
    trial_node(&trial, 1);
    trial_expect(&trial, NULL, LONGS(2, 3), REALS(0, 1, 2, -7, -7, -7));
}

static void compress_and_nonzero_depend_on_the_data(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Compress", 11);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 3));
    trial_values(&trial, ELEMENT_bool, LONGS(2), REALS(0, 1)); /* shorter than the dim */
    trial_node(&trial, 1);
    trial_integer(&trial, "axis", -1);
    trial_expect(&trial, NULL, LONGS(2, 1), REALS(1, 4));
    trial_begin(&trial, "Compress", 9);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 3));
    trial_values(&trial, ELEMENT_bool, LONGS(9), REALS(1, 0, 0, 0, 0, 1, 1, 1, 1)); /* longer */
    trial_node(&trial, 1);
    trial_expect(&trial, NULL, LONGS(2), REALS(0, 5));
    trial_begin(&trial, "NonZero", 13);
    trial_values(&trial, ELEMENT_f32, LONGS(2, 3), REALS(1, 0, -0., 0, 2, NAN));
    trial_node(&trial, 1);
    trial_expect(&trial, NULL, LONGS(2, 3), REALS(0, 1, 1, 0, 1, 2));
    trial_begin(&trial, "NonZero", 13);
    trial_values(&trial, ELEMENT_bool, NO_LONGS, REALS(1));
    trial_node(&trial, 1);
    trial_expect(&trial, NULL, LONGS(0, 1), NO_REALS);
}

static void one_hot_counts_from_the_end_since_opset_11(void **state)
{
    (void)state;
    struct trial trial;
    for (int opset = 9; opset <= 11; opset += 2) {
        trial_begin(&trial, "OneHot", opset);
        trial_longs(&trial, ELEMENT_i64, LONGS(1, -1, 5));
        trial_longs(&trial, ELEMENT_i64, LONGS(3));
        trial_values(&trial, ELEMENT_f32, LONGS(2), REALS(0, 4));
        trial_node(&trial, 1);
        trial_integer(&trial, "axis", 0);
        trial_expect(&trial, NULL, LONGS(3, 3),
                     REALS(0, 0, 0, 4, 0, 0, 0, opset == 11 ? 4. : 0., 0));
    }
    trial_begin(&trial, "OneHot", 11);
    trial_longs(&trial, ELEMENT_i64, LONGS(1));
    trial_longs(&trial, ELEMENT_i64, LONGS(-3));
    trial_counted(&trial, ELEMENT_f32, LONGS(2));
    trial_node(&trial, 1);
    trial_refuse(&trial, "the depth is -3");
    trial_begin(&trial, "OneHot", 11);
    trial_longs(&trial, ELEMENT_i64, LONGS(1));
    trial_longs(&trial, ELEMENT_i64, LONGS(3));
    trial_counted(&trial, ELEMENT_f32, LONGS(1));
    trial_node(&trial, 1);
    trial_refuse(&trial, "there are 1 values; it needs two");
}

static void trilu_keeps_a_triangle(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Trilu", 14);
    trial_counted(&trial, ELEMENT_i32, LONGS(1, 3, 3));
    trial_node(&trial, 1);
    trial_expect(&trial, NULL, LONGS(1, 3, 3), REALS(0, 1, 2, 0, 4, 5, 0, 0, 8));
    trial_begin(&trial, "Trilu", 14);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 3));
    trial_longs(&trial, ELEMENT_i64, LONGS(-1));
    trial_node(&trial, 1);
    trial_integer(&trial, "upper", 0);
    trial_expect(&trial, NULL, LONGS(2, 3), REALS(0, 0, 0, 3, 0, 0));
    trial_begin(&trial, "Trilu", 14);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 2));
    trial_longs(&trial, ELEMENT_i64, LONGS(LONG_MIN));
    trial_node(&trial, 1);
    trial_expect(&trial, NULL, LONGS(2, 2), REALS(0, 1, 2, 3));
}

static void sequences_are_reversed_to_their_lengths(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "ReverseSequence", 10);
    trial_counted(&trial, ELEMENT_f32, LONGS(3, 2));
    trial_longs(&trial, ELEMENT_i64, LONGS(3, 2));
    trial_node(&trial, 1);
    trial_expect(&trial, NULL, LONGS(3, 2), REALS(4, 3, 2, 1, 0, 5));
    trial_begin(&trial, "ReverseSequence", 10);
    trial_counted(&trial, ELEMENT_f32, LONGS(3, 2));
    trial_longs(&trial, ELEMENT_i64, LONGS(3, 4));
    trial_node(&trial, 1);
    trial_refuse(&trial, "sequence 1 has the length 4 of 3");
}

/* ---- lines ---- */

static void cumsum_runs_both_ways(void **state)
{
    (void)state;
    static const struct {
        long exclusive, reverse;
        double values[3];
    } cases[] = {{0, 0, {1, 3, 6}}, {1, 0, {0, 1, 3}}, {0, 1, {6, 5, 3}}, {1, 1, {5, 3, 0}}};
    struct trial trial;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trial_begin(&trial, "CumSum", 14);
        trial_values(&trial, i % 2 ? ELEMENT_i64 : ELEMENT_f32, LONGS(1, 3, 1), REALS(1, 2, 3));
        trial_values(&trial, ELEMENT_i32, NO_LONGS, REALS(-2));
        trial_node(&trial, 1);
        trial_integer(&trial, "exclusive", cases[i].exclusive);
        trial_integer(&trial, "reverse", cases[i].reverse);
        trial_expect(&trial, NULL, LONGS(1, 3, 1), 3, cases[i].values);
    }
}

static void topk_orders_values_and_keeps_equal_ones_in_place(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "TopK", 11);
    trial_values(&trial, ELEMENT_f32, LONGS(4, 2), REALS(1, 5, 3, 5, 3, 2, 0, 7));
    trial_longs(&trial, ELEMENT_i64, LONGS(3));
    trial_node(&trial, 2);
    trial_integer(&trial, "axis", 0);
    trial_run(&trial);
    trial_check_dims(&trial, 1, LONGS(3, 2));
    trial_check_values(&trial, 0, REALS(3, 7, 3, 5, 1, 5));
    trial_check_values(&trial, 1, REALS(1, 3, 2, 0, 0, 1));
    trial_end(&trial);
    trial_begin(&trial, "TopK", 11);
    trial_values(&trial, ELEMENT_u8, LONGS(3), REALS(9, 200, 3));
    trial_longs(&trial, ELEMENT_i64, LONGS(2));
    trial_node(&trial, 2);
    trial_integer(&trial, "largest", 0);
    trial_expect(&trial, NULL, LONGS(2), REALS(3, 9));
    trial_begin(&trial, "TopK", 11);
    trial_counted(&trial, ELEMENT_f32, LONGS(3));
    trial_longs(&trial, ELEMENT_i64, LONGS(4));
    trial_node(&trial, 2);
    trial_refuse(&trial, "4 of 3 elements are asked for");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gather_puts_the_dims_of_indices_at_the_axis),
        cmocka_unit_test(no_index_reads_outside),
        cmocka_unit_test(gather_elements_and_nd),
        cmocka_unit_test(indices_of_a_running_graph_are_looked_up_when_it_runs),
        cmocka_unit_test(scatter_replaces_or_combines),
        cmocka_unit_test(where_broadcasts_all_three),
        cmocka_unit_test(compress_and_nonzero_depend_on_the_data),
        cmocka_unit_test(one_hot_counts_from_the_end_since_opset_11),
        cmocka_unit_test(trilu_keeps_a_triangle),
        cmocka_unit_test(sequences_are_reversed_to_their_lengths),
        cmocka_unit_test(cumsum_runs_both_ways),
        cmocka_unit_test(topk_orders_values_and_keeps_equal_ones_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
