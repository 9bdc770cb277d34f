// test_ops_values.c - casts, fills and random numbers: dims and values of each, what is inferred
// when less is known, and what is refused.
#include <limits.h>

#include "ops_trial.h"

/* ---- casts and fills ---- */

static void casts_follow_the_rules_of_each_element(void **state)
{
    (void)state;
    static const struct {
        enum element from, to;
        double in, out;
        int is_open; /* without saturation */
    } cases[] = {
        {ELEMENT_f32, ELEMENT_i32, -2.9, -2, 0},
        {ELEMENT_f32, ELEMENT_u8, 300, 44, 0},
        {ELEMENT_i16, ELEMENT_i8, 200, -56, 0},
        {ELEMENT_f32, ELEMENT_bool, -0.5, 1, 0},
        {ELEMENT_f32, ELEMENT_bool, -0., 0, 0},
        {ELEMENT_i32, ELEMENT_bool, 36, 1, 0},
        {ELEMENT_bool, ELEMENT_f16, 1, 1, 0},
        {ELEMENT_f64, ELEMENT_f16, 1e6, INFINITY, 0},
        {ELEMENT_f32, ELEMENT_f8e4m3fn, 1000, 448, 0},
        {ELEMENT_f32, ELEMENT_f8e4m3fn, -INFINITY, -448, 0},
        {ELEMENT_f32, ELEMENT_f8e4m3fn, 1000, NAN, 1},
        {ELEMENT_f32, ELEMENT_f8e4m3fn, 464, 448, 1}, /* rounds to the largest, which is even */
        {ELEMENT_f32, ELEMENT_f8e4m3fnuz, 1000, 240, 0},
        {ELEMENT_f32, ELEMENT_f8e4m3fnuz, 248, NAN, 1},
        {ELEMENT_f32, ELEMENT_f8e5m2, INFINITY, 57344, 0},
        {ELEMENT_f32, ELEMENT_f8e5m2, -1e9, -INFINITY, 1},
        {ELEMENT_f32, ELEMENT_f8e5m2fnuz, 1e9, NAN, 1},
        {ELEMENT_f32, ELEMENT_f8e8m0, 3, 4, 0},
        {ELEMENT_f32, ELEMENT_f8e8m0, 0, 0x1p-127, 0},
        {ELEMENT_text, ELEMENT_f32, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trial trial;
        trial_begin(&trial, "Cast", 24);
        trial_values(&trial, cases[i].from, LONGS(1), REALS(cases[i].in));
        trial_node(&trial, 1);
        trial_integer(&trial, "to", cases[i].to);
        trial_integer(&trial, "saturate", !cases[i].is_open);
        trial_expect(&trial, NULL, LONGS(1), REALS(cases[i].out));
    }
}

static void long_whole_numbers_are_rounded_once(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Cast", 13);
    trial_longs(&trial, ELEMENT_i64, LONGS((1L << 60) + (1L << 36) + 1)); /* just above a tie */
    trial_node(&trial, 1);
    trial_integer(&trial, "to", ELEMENT_f32);
    trial_expect(&trial, NULL, LONGS(1), REALS(0x1p60 + 0x1p37));
}

static void numbers_become_the_shortest_texts(void **state)
{
    (void)state;
    static const struct {
        enum element from;
        double value;
        const char *text;
    } cases[] = {{ELEMENT_f32, 0.1f, "0.1"},
                 {ELEMENT_f64, 0.1, "0.1"},
                 {ELEMENT_f64, 314.15926, "314.15926"},
                 {ELEMENT_f32, -INFINITY, "-INF"},
                 {ELEMENT_f32, NAN, "NaN"},
                 {ELEMENT_i8, -7, "-7"},
                 {ELEMENT_u64, 0x1p63, "9223372036854775808"}};
    struct trial trial;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trial_begin(&trial, "Cast", 13);
        trial_values(&trial, cases[i].from, LONGS(1), REALS(cases[i].value));
        trial_node(&trial, 1);
        trial_integer(&trial, "to", ELEMENT_text);
        trial_run(&trial);
        assert_string_equal(((const struct text *)trial.site.output[0].data)->bytes, cases[i].text);
        trial_end(&trial);
    }
    trial_begin(&trial, "Cast", 13);
    const struct type type = trial_type(ELEMENT_text, 1, (const long[]){1});
    const struct text hello = {"Hello", 5};
    trial.input[trial.input_count++] =
        graph_add_constant(&trial.graph, NULL, &type, &hello, &trial.error);
    trial_node(&trial, 1);
    trial_integer(&trial, "to", ELEMENT_f32);
    trial_refuse(&trial, "'Hello' is no number");
    trial_begin(&trial, "Cast", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(1));
    trial_node(&trial, 1);
    trial_integer(&trial, "to", 4711);
    trial_refuse(&trial, "'to' is 4711");
}

static void cast_like_takes_the_element_alone(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "CastLike", 15);
    trial_values(&trial, ELEMENT_f32, LONGS(2), REALS(1.5, -1.5));
    trial_counted(&trial, ELEMENT_i64, LONGS(3, 3));
    trial_node(&trial, 1);
    trial_expect(&trial, NULL, LONGS(2), REALS(1, -1));
}

static void fills_need_no_data(void **state)
{
    (void)state;
    struct trial trial;
    static const float three = 3;
    const struct array value = {trial_type(ELEMENT_f32, 1, (const long[]){1}),
                                (void *)(uintptr_t)&three};
    trial_begin(&trial, "ConstantOfShape", 9);
    trial_longs(&trial, ELEMENT_i64, LONGS(2, 3));
    trial_node(&trial, 1);
    const struct attribute attribute = {
        .name = "value", .kind = ATTRIBUTE_TENSOR, .tensor = &value};
    assert_int_equal(graph_set_attribute(&trial.graph, trial.node, &attribute, &trial.error), OK);
    trial_expect(&trial, NULL, LONGS(2, 3), REALS(3, 3, 3, 3, 3, 3));
    trial_begin(&trial, "ConstantOfShape", 9);
    trial_longs(&trial, ELEMENT_i64, NO_LONGS);
    trial_node(&trial, 1);
    trial_expect(&trial, NULL, NO_LONGS, REALS(0));
    trial_begin(&trial, "ConstantOfShape", 9);
    trial_longs(&trial, ELEMENT_i64, LONGS(-1));
    trial_node(&trial, 1);
    trial_refuse(&trial, "dimension 0 is asked to be -1");
    trial_begin(&trial, "EyeLike", 9);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 3));
    trial_node(&trial, 1);
    trial_integer(&trial, "dtype", ELEMENT_i8);
    trial_integer(&trial, "k", -1);
    trial_expect(&trial, NULL, LONGS(2, 3), REALS(0, 0, 0, 1, 0, 0));
    trial_begin(&trial, "EyeLike", 9);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 3));
    trial_node(&trial, 1);
    trial_integer(&trial, "k", LONG_MIN);
    trial_expect(&trial, NULL, LONGS(2, 3), REALS(0, 0, 0, 0, 0, 0));
}

static void range_ends_before_its_limit(void **state)
{
    (void)state;
    static const struct {
        enum element element;
        double start, limit, delta;
        int count;
        double values[4];
    } cases[] = {{ELEMENT_i64, 3, 9, 3, 2, {3, 6}},
                 {ELEMENT_i32, 10, 4, -2, 3, {10, 8, 6}},
                 {ELEMENT_i16, 1, 1, 1, 0, {0}},
                 {ELEMENT_i64, 1, 5, -1, 0, {0}},
                 {ELEMENT_f32, 0, 1, 0.25, 4, {0, 0.25, 0.5, 0.75}},
                 {ELEMENT_f64, 0, 1.1, 0.5, 3, {0, 0.5, 1}}};
    struct trial trial;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const long dims[] = {cases[i].count};
        trial_begin(&trial, "Range", 11);
        trial_values(&trial, cases[i].element, NO_LONGS, REALS(cases[i].start));
        trial_values(&trial, cases[i].element, NO_LONGS, REALS(cases[i].limit));
        trial_values(&trial, cases[i].element, NO_LONGS, REALS(cases[i].delta));
        trial_node(&trial, 1);
        trial_expect(&trial, NULL, 1, dims, cases[i].count, cases[i].values);
    }
    static const double refused[][3] = {{0, 1, 0}, {0, 1e30, 1}, {NAN, 1, 1}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        trial_begin(&trial, "Range", 11);
        for (int k = 0; k < 3; k++)
            trial_values(&trial, ELEMENT_f32, NO_LONGS, REALS(refused[i][k]));
        trial_node(&trial, 1);
        trial_refuse(&trial, "make no range");
    }
}

/* ---- random numbers ---- */

static void set_seed(struct trial *trial, double seed)
{
    assert_int_equal(graph_set_real(&trial->graph, trial->node, "seed", seed, &trial->error), OK);
}

/* As numpy.random.RandomState(0) draws them. */
static void a_seed_gives_the_same_numbers(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "RandomUniform", 1);
    trial_node(&trial, 1);
    trial_integers(&trial, "shape", LONGS(3));
    trial_integer(&trial, "dtype", ELEMENT_f64);
    set_seed(&trial, 0);
    trial_run(&trial);
    const double *uniform = trial.site.output[0].data;
    assert_true(fabs(uniform[0] - 0.5488135039273248) < 1e-15);
    assert_true(fabs(uniform[2] - 0.6027633760716439) < 1e-15);
    trial_end(&trial);
    trial_begin(&trial, "RandomNormal", 1);
    trial_node(&trial, 1);
    trial_integers(&trial, "shape", LONGS(3));
    trial_integer(&trial, "dtype", ELEMENT_f64);
    set_seed(&trial, 0);
    trial_run(&trial);
    const double *normal = trial.site.output[0].data;
    assert_true(fabs(normal[0] - 1.764052345967664) < 1e-14);
    assert_true(fabs(normal[1] - 0.4001572083672233) < 1e-14);
    trial_end(&trial);
    trial_begin(&trial, "RandomUniform", 1);
    trial_node(&trial, 1);
    trial_integers(&trial, "shape", LONGS(-3));
    trial_refuse(&trial, "dimension 0 is asked to be -3");
}

static void draws_without_doubt_are_certain(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Bernoulli", 15);
    trial_values(&trial, ELEMENT_f32, LONGS(4), REALS(0, 1, 0, 1));
    trial_node(&trial, 1);
    trial_integer(&trial, "dtype", ELEMENT_bool);
    trial_expect(&trial, NULL, LONGS(4), REALS(0, 1, 0, 1));
    trial_begin(&trial, "Multinomial", 7);
    trial_values(&trial, ELEMENT_f32, LONGS(1, 3), REALS(-INFINITY, 0, -INFINITY));
    trial_node(&trial, 1);
    trial_integer(&trial, "sample_size", 4);
    trial_expect(&trial, NULL, LONGS(1, 4), REALS(1, 1, 1, 1));
    trial_begin(&trial, "RandomUniformLike", 1);
    trial_counted(&trial, ELEMENT_f32, LONGS(2, 3));
    trial_node(&trial, 1);
    trial_expect(&trial, NULL, LONGS(2, 3), NO_REALS);
}

static void dropout_is_the_input_unless_it_trains(void **state)
{
    (void)state;
    struct trial trial;
    trial_begin(&trial, "Dropout", 7);
    trial_counted(&trial, ELEMENT_f32, LONGS(2));
    trial_node(&trial, 1);
    trial_expect(&trial, "copy", LONGS(2), REALS(0, 1));
    trial_begin(&trial, "Dropout", 10);
    trial_counted(&trial, ELEMENT_f32, LONGS(2));
    trial_node(&trial, 2);
    trial_run(&trial);
    assert_int_equal(trial.site.output[1].type.element, ELEMENT_bool);
    trial_check_values(&trial, 1, REALS(1, 1));
    trial_end(&trial);
    trial_begin(&trial, "Dropout", 13); /* the ratio counts only where it trains */
    trial_counted(&trial, ELEMENT_f32, LONGS(2));
    trial_values(&trial, ELEMENT_f32, NO_LONGS, REALS(0.75));
    trial_values(&trial, ELEMENT_bool, NO_LONGS, REALS(0));
    trial_node(&trial, 1);
    trial_expect(&trial, "copy", LONGS(2), REALS(0, 1));
    trial_begin(&trial, "Dropout", 13);
    trial_values(&trial, ELEMENT_f32, LONGS(3), REALS(1, 2, 3));
    trial_absent(&trial);
    trial_values(&trial, ELEMENT_bool, NO_LONGS, REALS(1));
    trial_node(&trial, 1);
    trial_integer(&trial, "seed", 0); /* .5488, .7152, .6028: nothing dropped, all doubled */
    trial_expect(&trial, NULL, LONGS(3), REALS(2, 4, 6));
    trial_begin(&trial, "Dropout", 13);
    trial_counted(&trial, ELEMENT_f32, LONGS(2));
    trial_values(&trial, ELEMENT_f32, NO_LONGS, REALS(1));
    trial_values(&trial, ELEMENT_bool, NO_LONGS, REALS(1));
    trial_node(&trial, 1);
    trial_refuse(&trial, "the ratio is 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(casts_follow_the_rules_of_each_element),
        cmocka_unit_test(long_whole_numbers_are_rounded_once),
        cmocka_unit_test(numbers_become_the_shortest_texts),
        cmocka_unit_test(cast_like_takes_the_element_alone),
        cmocka_unit_test(fills_need_no_data),
        cmocka_unit_test(range_ends_before_its_limit),
        cmocka_unit_test(a_seed_gives_the_same_numbers),
        cmocka_unit_test(draws_without_doubt_are_certain),
        cmocka_unit_test(dropout_is_the_input_unless_it_trains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
