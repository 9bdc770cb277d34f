// test_reuse.c - distances between uses of memory: what is touched between them counts once.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "reuse.h"

/* Nothing is read there. */
static struct span pages(uintptr_t first, double count)
{
    return (struct span){(const void *)(first * 4096), count * 4096};
}

static void open_two(struct reuse *reuse, const struct span *spans, int touches)
{
    struct error error;
    assert_int_equal(reuse_open(reuse, spans, 2, touches, &error), OK);
}

/* In pages. */
static double touch(struct reuse *reuse, struct span span)
{
    double distance_bytes;
    reuse_touch(reuse, &span, 1, &distance_bytes);
    return distance_bytes / 4096;
}

static void what_is_touched_between_two_uses_is_the_distance(void **state)
{
    (void)state;
    struct reuse reuse;
    const struct span spans[] = {pages(100, 2), pages(7, 5)};
    open_two(&reuse, spans, 3);
    assert_true(isnan(touch(&reuse, spans[0])));
    assert_true(isnan(touch(&reuse, spans[1])));
    assert_true(touch(&reuse, spans[0]) == 7);
    assert_true(touch(&reuse, spans[0]) == 2);
    assert_true(touch(&reuse, spans[1]) == 7); /* the two pages count once */
    reuse_close(&reuse);
}

static void parts_of_a_span_are_the_same_memory(void **state)
{
    (void)state;
    struct reuse reuse;
    const struct span spans[] = {pages(100, 4), {(const char *)(101 * 4096) + 64, 64}};
    open_two(&reuse, spans, 2);
    touch(&reuse, spans[0]);
    assert_true(touch(&reuse, spans[1]) == 3); /* the page and two behind it */
    reuse_close(&reuse);
}

static void operands_of_a_launch_are_swept_side_by_side(void **state)
{
    (void)state;
    struct reuse reuse;
    const struct span spans[] = {pages(100, 4), pages(200, 4)};
    double distance_bytes[2];
    open_two(&reuse, spans, 2);
    reuse_touch(&reuse, spans, 2, distance_bytes);
    assert_true(isnan(distance_bytes[0]));
    /* Page i comes back when 4 - i of each span and i of the second are touched. */
    assert_true(touch(&reuse, spans[1]) == (7 + 6 + 5 + 4) / 4.);
    reuse_close(&reuse);
}

static void spans_of_nothing_have_no_distance(void **state)
{
    (void)state;
    struct reuse reuse;
    const struct span spans[] = {pages(100, 1), {NULL, 0}};
    double distance_bytes[2];
    open_two(&reuse, spans, 2);
    reuse_touch(&reuse, spans, 2, distance_bytes);
    reuse_touch(&reuse, spans, 2, distance_bytes);
    assert_true(distance_bytes[0] == 4096);
    assert_true(isnan(distance_bytes[1]));
    reuse_close(&reuse);
}

static void pages_of_large_memory_are_larger(void **state)
{
    (void)state;
    struct reuse reuse;
    const struct span spans[] = {pages(1 << 24, 1 << 20), pages(1 << 8, 1)};
    open_two(&reuse, spans, 1);
    assert_true(reuse.page_bytes >= 4 * 4096 && reuse.page_count <= (1 << 18) + 1);
    reuse_close(&reuse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_touched_between_two_uses_is_the_distance),
        cmocka_unit_test(parts_of_a_span_are_the_same_memory),
        cmocka_unit_test(operands_of_a_launch_are_swept_side_by_side),
        cmocka_unit_test(spans_of_nothing_have_no_distance),
        cmocka_unit_test(pages_of_large_memory_are_larger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
