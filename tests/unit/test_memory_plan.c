// test_memory_plan.c - what lives at the same time has memory of its own, what does not shares it.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "memory_plan.h"

static size_t plan(struct lifetime *lifetimes, int count)
{
    struct error error;
    size_t peak;
    assert_int_equal(memory_plan(lifetimes, count, &peak, &error), OK);
    return peak;
}

static void what_lives_at_once_does_not_overlap(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    struct lifetime lifetimes[COUNT];
    uint32_t random = 1;
    for (int i = 0; i < COUNT; i++) {
        random = random * 1664525u + 1013904223u;
        lifetimes[i] = (struct lifetime){.bytes = random >> 16 & 0xfff, .first = i};
        lifetimes[i].last = i + (int)(random >> 28);
    }
    const size_t peak = plan(lifetimes, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(lifetimes[i].offset % MEMORY_PLAN_ALIGNMENT, 0);
        assert_true(lifetimes[i].offset + lifetimes[i].bytes <= peak);
        for (int j = 0; j < i; j++) {
            const struct lifetime *a = &lifetimes[i], *b = &lifetimes[j];
            const bool meet = a->first <= b->last && b->first <= a->last;
            const bool overlap =
                a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
            assert_false(meet && overlap);
        }
    }
}

static void a_chain_needs_two_of_its_results(void **state)
{
    (void)state;
    struct lifetime chain[10];
    size_t sum;
    for (int i = 0; i < 10; i++)
        chain[i] = (struct lifetime){.bytes = 640, .first = i, .last = i + 1};
    assert_int_equal(plan(chain, 10), 2 * 640);
    memory_plan_apart(chain, 10, &sum);
    assert_int_equal(sum, 10 * 640);
    assert_int_equal(chain[9].offset, 9 * 640);
}

static void the_smallest_gap_that_fits_is_taken(void **state)
{
    (void)state;
    /* Moment 0 leaves gaps of 1024 and of 896 bytes to moment 5. */
    struct lifetime lifetimes[] = {
        {1024, 0, 0, 0}, {960, 0, 9, 0}, {896, 0, 0, 0}, {832, 0, 9, 0}, {128, 5, 5, 0}};
    plan(lifetimes, 5);
    assert_int_equal(lifetimes[4].offset, lifetimes[2].offset);
}

static void equal_lifetimes_give_equal_offsets(void **state)
{
    (void)state;
    struct lifetime once[] = {{64, 0, 2, 0}, {64, 0, 2, 0}, {64, 1, 3, 0}, {0, 1, 3, 0}}, twice[4];
    memcpy(twice, once, sizeof once);
    assert_int_equal(plan(once, 4), plan(twice, 4));
    assert_memory_equal(once, twice, sizeof once);
    assert_int_equal(plan(once, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lives_at_once_does_not_overlap),
        cmocka_unit_test(a_chain_needs_two_of_its_results),
        cmocka_unit_test(the_smallest_gap_that_fits_is_taken),
        cmocka_unit_test(equal_lifetimes_give_equal_offsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
