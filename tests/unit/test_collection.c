// test_collection.c - collections of shapes are sound, and a malformed one is refused by its line.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "collection.h"
#include "kernel.h"

#define HEAD "# title: a title\n# source: a source\n"

static void every_collection_is_sound(void **state)
{
    (void)state;
    for (const struct embedded_file *file = embedded_shapes; file->name; file++) {
        struct collection collection;
        struct error error;
        if (collection_parse(&collection, file->name, file->text, &error) != OK)
            fail_msg("%s", error.text);
    }
}

static void a_malformed_collection_is_refused_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "missing"},
        {"# title: a title\ngemm m=1,n=1,k=1 a 1\n", "'# source:'"},
        {"# source: a source\ngemm m=1,n=1,k=1 a 1\n", "'# title:'"},
        {HEAD, "a shape"},
        {HEAD "gem m=1,n=1,k=1 a 1\n", "line 3: unknown kernel 'gem'"},
        {HEAD "gemm m=1,n=1 a 1\n", "letter 'k'"},
        {HEAD "gemm m=1,n=@L4,k=1 a 1\n", "@L4"},
        {HEAD "conv2d c=3,h=4,w=4,k=6,r=1,s=1,groups=2 a 1\n", "groups"},
        {HEAD "gemm m=1,n=1,k=1 a\n", "line 3: not 'kernel shape name count'"},
        {HEAD "gemm m=1,n=1,k=1 a 0\n", "line 3: not"},
        {HEAD "gemm m=1,n=1,k=1 a 1 1\n", "line 3: not"},
        {HEAD "gemm m=1,n=1,k=1 a 1\n\ngemm m=1,n=1,k=1 b 1\n", "line 5: given twice: shape"},
        {HEAD "gemm m=1,n=1,k=1 a 1\ngemm m=1,n=1,k=2 a 1\n", "line 4: given twice: name 'a'"},
        {"# title: a title\n" HEAD "gemm m=1,n=1,k=1 a 1\n", "line 2: repeated"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct collection collection;
        struct error error;
        int result = collection_parse(&collection, "made-up", cases[i].text, &error);
        if (result != FAILED || error.fault != FAULT_USAGE || !strstr(error.text, cases[i].words) ||
            !strstr(error.text, "'made-up'"))
            fail_msg("case %zu: %s", i, result == FAILED ? error.text : "accepted");
    }
}

static void letters_given_replace_those_of_a_shape(void **state)
{
    (void)state;
    static const struct {
        const char *argument, *shape;
    } cases[] = {
        {"@x", "c=3,h=4"},         {"@x,n=16", "n=16,c=3,h=4"},
        {"@x,c=5", "c=5,h=4"},     {"@x,h=@DRAM,n=2", "h=@DRAM,n=2,c=3"},
        {"@x,h=1,c=2", "h=1,c=2"}, {"@x,hh=1", "hh=1,c=3,h=4"},
    };
    const struct collected collected = {.shape = "c=3,h=4", .name = "layer"};
    char text[COLLECTION_TEXT_MAX], long_argument[2 * COLLECTION_TEXT_MAX] = "@x,";
    struct error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(collection_shape(&collected, cases[i].argument, text, &error), OK);
        assert_string_equal(text, cases[i].shape);
    }
    memset(long_argument + 3, 'x', COLLECTION_TEXT_MAX);
    assert_int_equal(collection_shape(&collected, long_argument, text, &error), FAILED);
}

static double letter(const struct kernel *kernel, const struct shape *shape, const char *name)
{
    for (int i = 0; i < kernel->letter_count; i++)
        if (strcmp(kernel->letters[i].name, name) == 0)
            return (double)shape->value[i];
    return NAN;
}

/* Convolutions of a network and their weights, each as often as it occurs. */
static void count_convolutions(const char *name, double *layers, double *weights)
{
    const struct kernel *kernel = kernel_find("conv2d");
    struct collection collection;
    struct error error;
    assert_int_equal(collection_read(&collection, name, &error), OK);
    *layers = *weights = 0;
    for (int i = 0; i < collection.shape_count; i++) {
        struct shape shape;
        const struct collected *each = &collection.shape[i];
        if (strcmp(each->kernel, "conv2d") != 0)
            continue;
        assert_int_equal(shape_parse(&shape, each->shape, kernel->letters, kernel->letter_count,
                                     "conv2d", &error),
                         OK);
        *layers += (double)each->count;
        *weights += (double)each->count * letter(kernel, &shape, "k") *
                    letter(kernel, &shape, "c") / letter(kernel, &shape, "groups") *
                    letter(kernel, &shape, "r") * letter(kernel, &shape, "s");
    }
}

/* Parameters as https://pytorch.org/vision/stable/models.html gives them, less those of the fully
 * connected layer and two per channel of each normalisation: ResNet-50 25557032 - 2049000 - 53120,
 * MobileNetV2 3504872 - 1281000 - 34112. */
static void networks_have_their_published_parameters(void **state)
{
    (void)state;
    double layers, weights;
    count_convolutions("@resnet50", &layers, &weights);
    assert_true(layers == 53 && weights == 23454912);
    count_convolutions("@mobilenetv2", &layers, &weights);
    assert_true(layers == 52 && weights == 2189760);
}

static void an_unknown_collection_is_answered_with_the_known_ones(void **state)
{
    (void)state;
    struct collection collection;
    struct error error;
    assert_int_equal(collection_read(&collection, "@resnet5,n=2", &error), FAILED);
    assert_int_equal(error.fault, FAULT_USAGE);
    assert_non_null(strstr(error.text, "'@resnet5'"));
    assert_non_null(strstr(error.text, "@resnet50"));
    assert_non_null(strstr(error.text, "@bert"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_collection_is_sound),
        cmocka_unit_test(a_malformed_collection_is_refused_with_its_line),
        cmocka_unit_test(letters_given_replace_those_of_a_shape),
        cmocka_unit_test(networks_have_their_published_parameters),
        cmocka_unit_test(an_unknown_collection_is_answered_with_the_known_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
