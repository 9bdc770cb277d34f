// test_shape.c - shapes as text: what is accepted, what is refused and in which words.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "run.h"

static const struct letter letters[] = {
    {"m", -1, 0, "rows", NULL, false},
    {"n", -1, 1, "columns", NULL, false},
    {"stride", 1, 1, "step", NULL, false},
    {"shift", 0, 0, "how far", NULL, true},
    {"layout", 0, 0, "order", (const char *const[]){"nchw", "nhwc", NULL}, false}};
enum { LETTERS = sizeof letters / sizeof *letters };

static void equal_shapes_are_equal_texts(void **state)
{
    (void)state;
    struct shape shape;
    struct error error;
    char text[64];
    assert_int_equal(shape_parse(&shape, "n=3,m=0", letters, LETTERS, "x", &error), OK);
    shape_format(&shape, letters, LETTERS, text, sizeof text);
    assert_string_equal(text, "m=0,n=3,stride=1,layout=nchw");
    assert_int_equal(shape_parse(&shape, text, letters, LETTERS, "x", &error), OK);
    assert_int_equal(shape.value[1], 3);
    assert_int_equal(shape_parse(&shape, "m=0,n=3,layout=nhwc", letters, LETTERS, "x", &error), OK);
    assert_int_equal(shape.value[4], 1);
}

static void a_rare_letter_is_seen_where_it_says_something(void **state)
{
    (void)state;
    struct shape shape;
    struct error error;
    char text[64];
    assert_int_equal(shape_parse(&shape, "n=3,m=0,shift=0", letters, LETTERS, "x", &error), OK);
    shape_format(&shape, letters, LETTERS, text, sizeof text);
    assert_string_equal(text, "m=0,n=3,stride=1,layout=nchw");
    assert_int_equal(shape_parse(&shape, "n=3,m=0,shift=2", letters, LETTERS, "x", &error), OK);
    shape_format(&shape, letters, LETTERS, text, sizeof text);
    assert_string_equal(text, "m=0,n=3,stride=1,shift=2,layout=nchw");
}

/* What is rare is left out: a graph's chains have one to six steps, and texts are what results are
 * compared by. */
static void rare_letters_are_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *kernel, *given, *end; /* what the text ends in */
    } cases[] = {{"chain", "rows=4,columns=5,chain=given,step1=add_row,step2=relu",
                  "rows=4,columns=5,chain=given,step1=add_row,step2=relu"},
                 {"chain", "rows=4,columns=5,chain=given,step2=relu", ",chain=given,step2=relu"},
                 {"chain", "rows=4,columns=5", "rows=4,columns=5,chain=bias_relu"},
                 {"gemm", "m=1,n=2,k=3", ",batch=1,epilogue=none"},
                 {"conv2d", "c=1,h=2,w=3,k=4,r=1,s=1", ",layout=nchw,epilogue=none"},
                 {"transpose", "d0=2,d3=3,perm=0132", "d0=2,d1=1,d2=1,d3=3,perm=0132"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct kernel *kernel = kernel_find(cases[i].kernel);
        struct shape shape, again;
        struct error error;
        char text[256];
        assert_int_equal(shape_parse(&shape, cases[i].given, kernel->letters, kernel->letter_count,
                                     kernel->name, &error),
                         OK);
        shape_format(&shape, kernel->letters, kernel->letter_count, text, sizeof text);
        const size_t length = strlen(text), end = strlen(cases[i].end);
        if (length < end || strcmp(text + length - end, cases[i].end) != 0)
            fail_msg("'%s' does not end in '%s'", text, cases[i].end);
        assert_int_equal(
            shape_parse(&again, text, kernel->letters, kernel->letter_count, kernel->name, &error),
            OK);
        assert_memory_equal(&again, &shape, sizeof shape);
    }
}

static void a_wrong_shape_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"m=1", "letter 'n' of 'x' (columns) is missing"},
        {"m=1,n=2,q=3", "no letter 'q'"},
        {"m=1,n=2,n=3", "given twice"},
        {"m=1,n", "'n' in the shape of 'x' is not letter=value"},
        {"m=1,n=", "not a whole number"},
        {"m=1,n=2x", "not a whole number"},
        {"m=1,n= 2", "not a whole number"},
        {"m=1,n=1e3", "not a whole number"},
        {"m=1,n=0", "smallest allowed is 1"},
        {"m=-1,n=1", "smallest allowed is 0"},
        {"m=1,n=99999999999999999999", "largest allowed"},
        {"m=1,n=2000000000000", "largest allowed"},
        {"", "is missing"},
        {"m=1,n=1,layout=1", "letter 'layout' of 'x' (order) is '1'; it may be: nchw nhwc"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct shape shape;
        struct error error;
        int result = shape_parse(&shape, cases[i].text, letters, LETTERS, "x", &error);
        if (result != FAILED || error.fault != FAULT_USAGE || !strstr(error.text, cases[i].words))
            fail_msg("'%s': %s", cases[i].text, result == OK ? "accepted" : error.text);
    }
}

static void a_level_stands_for_the_largest_size_that_fits(void **state)
{
    (void)state;
    const struct level_bytes levels = {24000, 240000, NAN, 3e8};
    const struct kernel *triad = kernel_find("triad");
    struct shape shape;
    struct error error;
    assert_int_equal(run_shape(&shape, triad, "n=@L1", DTYPE_f32, &levels, &error), OK);
    assert_int_equal(shape.value[0], 24000 / 12 / 64 * 64);
    assert_int_equal(run_shape(&shape, triad, "n=@DRAM", DTYPE_f64, &levels, &error), OK);
    assert_int_equal(shape.value[0], 300000000 / 24 / 64 * 64);
    const struct kernel *gemm = kernel_find("gemm");
    assert_int_equal(run_shape(&shape, gemm, "m=8,n=@L2,k=64", DTYPE_f32, &levels, &error), OK);
    double bytes = 4. * (8 * 64 + 64 * (double)shape.value[1] + 8 * (double)shape.value[1]);
    assert_true(bytes <= 240000 && bytes > 240000 - 64 * 72 * 4);
    assert_int_equal(run_shape(&shape, triad, "n=@L3", DTYPE_f32, &levels, &error), SKIPPED);
    assert_non_null(strstr(error.text, "@L3"));
    assert_int_equal(run_shape(&shape, triad, "n=@L5", DTYPE_f32, &levels, &error), FAILED);
    assert_int_equal(run_shape(&shape, triad, "q=@L1", DTYPE_f32, &levels, &error), FAILED);
    assert_int_equal(run_shape(&shape, gemm, "m=@L1,n=@L1,k=1", DTYPE_f32, &levels, &error),
                     FAILED);
}

static void a_convolution_that_cannot_be_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *kernel, *shape;
    } cases[] = {
        {"conv2d", "c=4,h=8,w=8,k=6,r=3,s=3,groups=4"},
        {"conv2d", "c=3,h=8,w=8,k=6,r=3,s=3,groups=2"},
        {"conv2d", "c=1,h=2,w=8,k=1,r=3,s=3"},
        {"conv2d", "c=1,h=8,w=8,k=1,r=3,s=3,dilation=4"},
        {"conv2d", "c=1,h=8,w=8,k=1,r=1099511627776,s=1099511627776,dilation=1099511627776"},
        {"conv2d", "c=1,h=1,w=1,k=1,r=1,s=1,pad=1099511627776,stride=1099511627776"},
        {"conv_transpose2d", "c=4,h=8,w=8,k=6,r=3,s=3,groups=4"},
        {"conv_transpose2d", "c=1,h=2,w=8,k=1,r=2,s=2,pad=2"},
        {"conv_transpose2d", "c=1,h=8,w=8,k=1,r=2,s=2,output_pad=1"},
        {"conv_transpose2d", "c=1,h=8,w=8,k=1,r=2,s=2,stride=2,dilation=3,output_pad=3"},
        {"conv_transpose2d", "c=1,h=2,w=2,k=1,r=2,s=2,stride=1099511627776"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct kernel *kernel = kernel_find(cases[i].kernel);
        struct shape shape;
        struct error error;
        assert_int_equal(shape_parse(&shape, cases[i].shape, kernel->letters, kernel->letter_count,
                                     kernel->name, &error),
                         OK);
        if (kernel->check(&shape, &error) != FAILED || error.fault != FAULT_USAGE)
            fail_msg("%s takes '%s'", kernel->name, cases[i].shape);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_shapes_are_equal_texts),
        cmocka_unit_test(rare_letters_are_left_out),
        cmocka_unit_test(a_rare_letter_is_seen_where_it_says_something),
        cmocka_unit_test(a_wrong_shape_is_refused_by_name),
        cmocka_unit_test(a_level_stands_for_the_largest_size_that_fits),
        cmocka_unit_test(a_convolution_that_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
