// test_ops_normal.c - normalisations and what makes one line of another: values and kernels.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node_cases.h"

#define COUNT(cases) (sizeof(cases) / sizeof *(cases))
#define IMAGES "const x: f32[1,2,2,2] = {1, 2, 3, 4, 5, 6, 7, 8}\n"
#define PARAMETERS                                                                                 \
    "const s: f32[2] = {2, 3}\nconst b: f32[2] = {1, -1}\nconst m: f32[2] = {2, 6}\n"              \
    "const v: f32[2] = {1, 4}"
#define CHANNELS "const x: f32[1,4,2] = {1, 2, 3, 4, 5, 6, 7, 8}\n"
#define ROWS "const x: f32[4,2] = {1, 2, 3, 4, 5, 6, 7, 8}\n"
#define SCALES "const s: f32[2] = {2, 3}\nconst b: f32[2] = {1, -1}"

static void batch_normalization(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {9,
         IMAGES PARAMETERS,
         "BatchNormalization(x, s, b, m, v) {epsilon: 0.0}",
         "f32[1,2,2,2]",
         "batchnorm",
         {-1, 1, 3, 5, -2.5, -1, 0.5, 2}},
        {9,
         ROWS PARAMETERS,
         "BatchNormalization(x, s, b, m, v) {epsilon: 0.0}",
         "f32[4,2]",
         "batchnorm",
         {-1, -7, 3, -4, 7, -1, 11, 2}},
        /* A variance of 0 is epsilon's. */
        {9,
         "const x: f32[1,1] = {3}\nconst s: f32[1] = {1}\nconst v: f32[1] = {0}",
         "BatchNormalization(x, s, s, s, v) {epsilon: 0.25}",
         "f32[1,1]",
         "batchnorm",
         {5}},
        /* By feature, up to opset 8. */
        {7,
         "const x: f32[2,1,2] = {1, 2, 3, 4}\nconst s: f32[1,2] = {1, 10}\n"
         "const o: f32[1,2] = {0, 1}\nconst v: f32[1,2] = {1, 4}",
         "BatchNormalization(x, s, o, o, v) {epsilon: 0.0, spatial: 0}",
         "f32[2,1,2]",
         "batchnorm",
         {1, 6, 3, 16}},
        {15,
         IMAGES PARAMETERS,
         "BatchNormalization(x, s, b, m, v) {epsilon: 0.0, training_mode: 1, momentum: 0.5}",
         "f32[1,2,2,2]",
         NULL,
         {-1.68328, 0.105573, 1.89443, 3.68328, -5.02492, -2.34164, 0.34164, 3.02492}},
        {15,
         "const x: f16[1,2] = {1, 2}\n" PARAMETERS,
         "BatchNormalization(x, s, b, m, v) {epsilon: 0.0}",
         "f16[1,2]",
         NULL,
         {-1, -7}},
    };
    assert_nodes(cases, COUNT(cases));
    const char *const x = "input x: f32[n,3,4]\ninput p: f32[3]\ninput q: f32[2]";
    assert_inferred_at(15, x, "z, y = BatchNormalization(x, p, p, p, p) {training_mode: 1}",
                       "f32[3]");
    assert_refused_at(15, x, "BatchNormalization(x, p, q, p, p)", "'B' is f32[2]");
    assert_refused_at(15, x, "y, z = BatchNormalization(x, p, p, p, p)", "one output");
    assert_refused_at(15, "input x: i32[1,3]\ninput p: f32[3]", "BatchNormalization(x, p, p, p, p)",
                      "'i32'");
}

static void images_and_groups(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {6,
         IMAGES SCALES,
         "InstanceNormalization(x, s, b) {epsilon: 0.75}",
         "f32[1,2,2,2]",
         "instance_norm",
         {-1.12132, 0.292893, 1.70711, 3.12132, -4.18198, -2.06066, 0.0606594, 2.18198}},
        /* Scales by group, which the kernel has by channel; since opset 21 they are by channel. */
        {18,
         CHANNELS SCALES,
         "GroupNormalization(x, s, b) {epsilon: 0.75, num_groups: 2}",
         "f32[1,4,2]",
         "group_norm",
         {-1.12132, 0.292893, 1.70711, 3.12132, -4.18198, -2.06066, 0.0606594, 2.18198}},
        {21,
         CHANNELS "const s: f32[4] = {2, 3, 4, 5}\nconst b: f32[4] = {1, -1, 0, 0}",
         "GroupNormalization(x, s, b) {epsilon: 0.75, num_groups: 2}",
         "f32[1,4,2]",
         "group_norm",
         {-1.12132, 0.292893, 0.0606601, 2.18198, -4.24264, -1.41421, 1.76777, 5.3033}},
    };
    assert_nodes(cases, COUNT(cases));
    const char *const x = "input x: f32[1,4,2]\ninput s: f32[2]\ninput b: f32[4]";
    assert_refused_at(21, x, "GroupNormalization(x, s, s) {num_groups: 2}", "'scale' is f32[2]");
    assert_refused_at(18, x, "GroupNormalization(x, b, b) {num_groups: 2}", "'scale' is f32[4]");
    assert_refused_at(21, x, "GroupNormalization(x, b, b) {num_groups: 3}", "does not divide");
    assert_refused_at(21, x, "GroupNormalization(x, b, b) {num_groups: 0}", "'num_groups' is 0");
}

static void rows_of_the_last_dims(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {17,
         ROWS SCALES,
         "LayerNormalization(x, s, b) {epsilon: 0.75}",
         "f32[4,2]",
         "layernorm",
         {0, 0.5, 0, 0.5, 0, 0.5, 0, 0.5}},
        {17,
         ROWS SCALES,
         "LayerNormalization(x, s) {epsilon: 0.75}",
         "f32[4,2]",
         "layernorm",
         {-1, 1.5, -1, 1.5, -1, 1.5, -1, 1.5}},
        /* One scale for all is no row of them. */
        {17,
         CHANNELS "const s: f32[1] = {2}",
         "LayerNormalization(x, s) {epsilon: 1.0, axis: 1}",
         "f32[1,4,2]",
         NULL,
         {-2.8, -2, -1.2, -0.4, 0.4, 1.2, 2, 2.8}},
        {23,
         ROWS SCALES,
         "RMSNormalization(x, s) {epsilon: 0.0}",
         "f32[4,2]",
         "rmsnorm",
         {1.26491, 3.79473, 1.69706, 3.39411, 1.81071, 3.25929, 1.86253, 3.19291}},
    };
    assert_nodes(cases, COUNT(cases));
    const char *const x = "input x: f16[n,3,4]\ninput s: f16[4]\ninput t: f16[2,4]";
    assert_inferred_at(17, x, "z, m, y = LayerNormalization(x, s)", "f32[n,3,1]");
    assert_inferred_at(17, x, "z, y = LayerNormalization(x, s) {axis: 1}", "f32[n,1,1]");
    assert_refused_at(17, x, "LayerNormalization(x, t)", "3 and 2");
    assert_refused_at(17, x, "LayerNormalization(x, s) {axis: 3}", "axis 3");
    assert_refused_at(17, "input x: f32[1,4]\ninput t: f32[2,4]", "LayerNormalization(x, t)",
                      "larger than");
    assert_refused_at(17, x, "LayerNormalization(x, s) {stash_type: 7}", "'stash_type'");
}

static void across_channels_and_axes(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {13,
         "const x: f32[1,4,1] = {1, 2, 3, 4}",
         "LRN(x) {size: 3, alpha: 3.0, beta: 1.0, bias: 1.0}",
         "f32[1,4,1]",
         NULL,
         {1.0 / 6, 2.0 / 15, 0.1, 4.0 / 26}},
        /* Of an even number of neighbours more are behind. */
        {13,
         "const x: f32[1,3] = {1, 2, 3}",
         "LRN(x) {size: 2, alpha: 2.0, beta: 1.0, bias: 0.0}",
         "f32[1,3]",
         NULL,
         {1.0 / 5, 2.0 / 13, 3.0 / 9}},
        {13,
         "const x: f32[2,2] = {3, 4, 0, 0}",
         "LpNormalization(x)",
         "f32[2,2]",
         NULL,
         {0.6, 0.8, 0, 0}},
        {13,
         "const x: f32[2,2] = {3, -4, 0, 1}",
         "LpNormalization(x) {p: 1, axis: 0}",
         "f32[2,2]",
         NULL,
         {1, -0.8, 0, 0.2}},
        {13,
         IMAGES,
         "MeanVarianceNormalization(x)",
         "f32[1,2,2,2]",
         NULL,
         {-1.34164, -0.447214, 0.447214, 1.34164, -1.34164, -0.447214, 0.447214, 1.34164}},
        {13,
         ROWS,
         "MeanVarianceNormalization(x) {axes: [-1]}",
         "f32[4,2]",
         NULL,
         {-1, 1, -1, 1, -1, 1, -1, 1}},
    };
    assert_nodes(cases, COUNT(cases));
    assert_refused_at(13, "input x: f32[2,3]", "LRN(x) {size: 0}", "'size' is 0");
    assert_refused_at(13, "input x: f32[2,3]", "LpNormalization(x) {p: 3}", "'p' is 3");
    assert_refused_at(13, "input x: f32[2,3]", "MeanVarianceNormalization(x)", "axis 2");
}

#define EIGHT "const x: f32[2,2,2] = {0, 1, 2, 3, 4, 5, 6, 7}"
#define TWICE(...) __VA_ARGS__, __VA_ARGS__
#define FIVES                                                                                      \
    "const x: f32[2,3,5] = {-5, 0, 5, -1, 4, -2, 3, -3, 2, -4, 1, -5, 0, 5, -1, "                  \
    "4, -2, 3, -3, 2, -4, 1, -5, 0, 5, -1, 4, -2, 3, -3}"

/* Up to opset 12 all dims from the axis on are one line, and the axis is 1 where none is given. */
static void softmax_and_its_kin(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {11,
         EIGHT,
         "Softmax(x)",
         "f32[2,2,2]",
         "softmax",
         {TWICE(0.0320586, 0.0871443, 0.236883, 0.643914)}},
        {13, EIGHT, "Softmax(x)", "f32[2,2,2]", "softmax", {TWICE(TWICE(0.268941, 0.731059))}},
        {13,
         EIGHT,
         "Softmax(x) {axis: 1}",
         "f32[2,2,2]",
         "transpose",
         {TWICE(0.119203, 0.119203, 0.880797, 0.880797)}},
        {11,
         EIGHT,
         "Softmax(x) {axis: 2}",
         "f32[2,2,2]",
         "softmax",
         {TWICE(TWICE(0.268941, 0.731059))}},
        {11,
         "const x: f32[1,2,1,1] = {0, 1}",
         "Softmax(x)",
         "f32[1,2,1,1]",
         "softmax",
         {0.268941, 0.731059}},
        {13, "const x: f32[1,2,1,1] = {0, 1}", "Softmax(x)", "f32[1,2,1,1]", "softmax", {1, 1}},
        {13,
         "const x: f32[2] = {10000, 10001}",
         "Softmax(x)",
         "f32[2]",
         "softmax",
         {0.268941, 0.731059}},
        {11,
         EIGHT,
         "LogSoftmax(x)",
         "f32[2,2,2]",
         "log_softmax",
         {TWICE(-3.44019, -2.44019, -1.44019, -0.44019)}},
        {13, "const x: f64[2] = {0, 1000}", "LogSoftmax(x)", "f64[2]", "log_softmax", {-1000, 0}},
        {11, EIGHT, "Hardmax(x)", "f32[2,2,2]", NULL, {TWICE(0, 0, 0, 1)}},
        {13, "const x: f32[3] = {2, 3, 3}", "Hardmax(x)", "f32[3]", NULL, {0, 1, 0}},
    };
    assert_nodes(cases, COUNT(cases));
    assert_inferred_at(13, "input x: f32[n,?]", "Softmax(x)", "f32[n,?]");
    assert_inferred_at(13, "input x: f32", "Softmax(x) {axis: 7}", "f32");
    assert_refused_at(13, "input x: f32[2,3]", "Softmax(x) {axis: 2}", "axis 2");
    assert_refused_at(13, "input x: i32[2]", "Softmax(x)", "'i32'");
}

/* Lines whose elements are apart are turned and turned back: so many that numbers and distances are
 * primes, those of one element, which need none of that, and none. */
static void softmax_along_inner_axes(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {13,
         FIVES,
         "LogSoftmax(x) {axis: 1}",
         "f32[2,3,5]",
         "transpose",
         {-6.05095,   -3.04891,   -0.00704851, -6.05095,    -0.00704851, -3.05095,
          -0.0489069, -8.00705,   -3.05095,    -8.00705,    -0.0509458,  -8.04891,
          -5.00705,   -0.0509458, -5.00705,    -0.00704851, -6.05095,    -0.00704851,
          -6.05095,   -3.04891,   -8.00705,    -3.05095,    -8.00705,    -3.05095,
          -0.0489069, -5.00705,   -0.0509458,  -5.00705,    -0.0509458,  -8.04891}},
        {13,
         FIVES,
         "Softmax(x) {axis: -2}",
         "f32[2,3,5]",
         "transpose",
         {0.00235563, 0.0474107,   0.992976,    0.00235563,  0.992976,    0.0473142,
          0.95227,    0.000333106, 0.0473142,   0.000333106, 0.95033,     0.000319451,
          0.00669062, 0.95033,     0.00669062,  0.992976,    0.00235563,  0.992976,
          0.00235563, 0.0474107,   0.000333106, 0.0473142,   0.000333106, 0.0473142,
          0.95227,    0.00669062,  0.95033,     0.00669062,  0.95033,     0.000319451}},
        {13,
         "const x: f64[3,1,2] = {0, 1, 1, 3, 2, 5}",
         "LogSoftmax(x) {axis: 0}",
         "f64[3,1,2]",
         "transpose",
         {-2.407606, -4.142932, -1.407606, -2.142932, -0.407606, -0.142932}},
        {13,
         EIGHT,
         "Softmax(x) {axis: 0}",
         "f32[2,2,2]",
         "transpose",
         {0.0179862, 0.0179862, 0.0179862, 0.0179862, 0.982014, 0.982014, 0.982014, 0.982014}},
        {13,
         "const x: f32[1,1,3] = {4, 5, 6}",
         "Softmax(x) {axis: 1}",
         "f32[1,1,3]",
         "softmax",
         {1, 1, 1}},
        {13,
         "const x: f32[1,5] = {4, 5, 6, 7, 8}",
         "LogSoftmax(x) {axis: 0}",
         "f32[1,5]",
         "log_softmax",
         {0}},
        {13, "const x: f32[0,2,3] = {}", "Softmax(x) {axis: 1}", "f32[0,2,3]", "softmax", {0}},
        {13,
         "const x: f32[2,3,0] = {}",
         "LogSoftmax(x) {axis: 1}",
         "f32[2,3,0]",
         "log_softmax",
         {0}},
        {13, "const x: f32[2,0,3] = {}", "Softmax(x) {axis: 1}", "f32[2,0,3]", NULL, {0}},
        {13, EIGHT, "Hardmax(x) {axis: 1}", "f32[2,2,2]", NULL, {TWICE(0, 0, 1, 1)}},
    };
    assert_nodes(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_normalization),   cmocka_unit_test(images_and_groups),
        cmocka_unit_test(rows_of_the_last_dims), cmocka_unit_test(across_channels_and_axes),
        cmocka_unit_test(softmax_and_its_kin),   cmocka_unit_test(softmax_along_inner_axes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
