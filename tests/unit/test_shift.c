// test_shift.c - intervals have the ranks of published tables and cover what they say; unchanged
// pairs raise no alarm, real changes do.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "shift.h"

enum { TRIALS = 10000, PROCESSES = 10 };
static const double margin = 0.03;

/* Uniform in (0, 1): Steele, Lea and Flood 2014, doi:10.1145/2714064.2660195. */
static double uniform(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return ((double)((z ^ z >> 31) >> 11) + 0.5) / 0x1p53;
}

/* Of standard deviation 1. */
static double normal(uint64_t *state)
{
    return sqrt(-2 * log(uniform(state))) * cos(6.283185307179586 * uniform(state));
}

/* Of Cauchy: with no deviation at all. */
static double heavy_tailed(uint64_t *state)
{
    return tan(3.141592653589793 * (uniform(state) - 0.5));
}

/* Powers of 2, so that each mean tells the values that it is of. */
static void ranks_are_those_of_tables(void **state)
{
    (void)state;
    /* Signed-rank sums whose lower tails are published: 0 of 5 (1/32), 10 of 10 (43/1024). */
    double values[SHIFT_VALUES_MAX];
    for (int i = 0; i < SHIFT_VALUES_MAX; i++)
        values[i] = pow(2, i);
    struct shift five = shift_of(values, 5, 0.9);
    assert_true(five.low == 1 && five.high == 16);
    assert_true(fabs(five.confidence - 30.0 / 32) < 1e-12);
    struct shift ten = shift_of(values, 10, 0.9);
    assert_true(fabs(ten.confidence - (1 - 2 * 43.0 / 1024)) < 1e-12);
    /* The eleventh of the means from either end. */
    assert_true(ten.low == 8.5);  /* 1 1.5 2 2.5 3 4 4.5 5 6 8 8.5 */
    assert_true(ten.high == 256); /* 512 384 320 288 272 264 260 258 257 256.5 256 */
    struct shift all = shift_of(values, SHIFT_VALUES_MAX, 0.999);
    assert_true(all.confidence >= 0.999 && all.confidence < 0.9991);
}

static void few_values_allow_no_interval(void **state)
{
    (void)state;
    const double values[] = {1, 2, 4};
    struct shift shift = shift_of(values, 3, 0.9);
    assert_true(shift.estimate == 2.25);
    assert_true(shift.low == -INFINITY && shift.high == INFINITY && shift.confidence == 1);
    assert_int_equal(shift_change(&shift, margin), CHANGE_UNSURE);
}

static void intervals_cover_what_they_say(void **state)
{
    (void)state;
    double (*const draws[])(uint64_t *) = {normal, heavy_tailed};
    for (int d = 0; d < 2; d++) {
        uint64_t random = 1;
        int covered = 0;
        double confidence = 0;
        for (int trial = 0; trial < TRIALS; trial++) {
            double values[PROCESSES];
            for (int i = 0; i < PROCESSES; i++)
                values[i] = 7 + draws[d](&random);
            struct shift shift = shift_of(values, PROCESSES, 0.9);
            covered += shift.low <= 7 && 7 <= shift.high;
            confidence = shift.confidence;
        }
        /* Three standard deviations of a share of TRIALS. */
        assert_true(fabs((double)covered / TRIALS - confidence) < 0.0084);
    }
}

/* Verdicts, by kind, of TRIALS comparisons whose logarithms lie about `effect`. */
static void verdicts(double effect, double deviation, int count[4])
{
    uint64_t random = 2;
    for (int i = 0; i < 4; i++)
        count[i] = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        double values[PROCESSES];
        for (int i = 0; i < PROCESSES; i++)
            values[i] = effect + deviation * normal(&random);
        struct shift shift = shift_of(values, PROCESSES, 0.9);
        count[shift_change(&shift, margin)]++;
    }
}

/* Paired log ratios of kernels differ by 1 to 3 % from process to process. */
static void changes_are_told_from_noise(void **state)
{
    (void)state;
    int count[4];
    verdicts(0, 0.03, count);
    assert_true(count[CHANGE_SLOWER] < TRIALS / 200 && count[CHANGE_FASTER] < TRIALS / 200);
    verdicts(0, 0.01, count);
    assert_true(count[CHANGE_SLOWER] == 0 && count[CHANGE_FASTER] == 0);
    assert_true(count[CHANGE_SAME] > TRIALS * 99 / 100);
    verdicts(log1p(0.05), 0.02, count);
    assert_true(count[CHANGE_SLOWER] > TRIALS * 98 / 100 && count[CHANGE_FASTER] == 0);
    verdicts(-log1p(0.05), 0.02, count);
    assert_true(count[CHANGE_FASTER] > TRIALS * 98 / 100 && count[CHANGE_SLOWER] == 0);
    verdicts(log1p(0.03), 0.01, count); /* at the margin half of them reach it */
    assert_true(abs(count[CHANGE_SLOWER] - TRIALS / 2) < TRIALS / 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_are_those_of_tables),
        cmocka_unit_test(few_values_allow_no_interval),
        cmocka_unit_test(intervals_cover_what_they_say),
        cmocka_unit_test(changes_are_told_from_noise),
    };
    return cmocka_run_group_tests_name("shift", tests, NULL, NULL);
}
