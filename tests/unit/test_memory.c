// test_memory.c - large memory is aligned, backed as asked, and refused before the machine runs out
// of it.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "host.h"
#include "memory.h"
#include "surroundings.h"

static const double MIB = 1 << 20;

static void memory_is_zero_and_on_a_huge_page_boundary(void **state)
{
    (void)state;
    static const double sizes[] = {1, 4096, 1 << 20, (1 << 21) - 1, 1 << 21, (1 << 21) + 1};
    const struct host host = {.memory_available_bytes = 64 * MIB};
    struct error error;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct memory memory;
        assert_int_equal(memory_reserve(&memory, sizes[i], "test", &host, &error), OK);
        assert_int_equal((uintptr_t)memory.base % (1 << 21), 0);
        assert_int_equal(memory.bytes, (size_t)sizes[i]);
        const char *bytes = memory.base;
        assert_int_equal(bytes[0] | bytes[memory.bytes - 1], 0);
        memset(memory.base, 1, memory.bytes);
        memory_release(&memory);
        assert_null(memory.base);
    }
}

static void no_bytes_are_a_valid_request(void **state)
{
    (void)state;
    const struct host host = {.memory_available_bytes = 64 * MIB};
    struct memory memory;
    struct error error;
    assert_int_equal(memory_reserve(&memory, 0, "test", &host, &error), OK);
    assert_non_null(memory.base);
    memory_release(&memory);
    memory_release(&memory); /* harmless */
}

static void more_than_is_available_is_refused_with_both_numbers(void **state)
{
    (void)state;
    const struct host host = {.memory_available_bytes = 100 * MIB};
    struct memory memory;
    struct error error;
    assert_int_equal(memory_reserve(&memory, 95 * MIB, "gemm m=5000", &host, &error), FAILED);
    assert_int_equal(error.fault, FAULT_ENVIRONMENT);
    assert_non_null(strstr(error.text, "'gemm m=5000'"));
    assert_non_null(strstr(error.text, "95 MiB"));
    assert_non_null(strstr(error.text, "100 MiB"));
    assert_null(memory.base);
    assert_int_equal(memory_reserve(&memory, 90 * MIB, "gemm", &host, &error), OK);
    memory_release(&memory);
}

static void sizes_that_cannot_be_are_usage_errors(void **state)
{
    (void)state;
    static const double sizes[] = {-1, 1e30, INFINITY, NAN};
    const struct host host = {.memory_available_bytes = INFINITY};
    struct memory memory;
    struct error error;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(memory_reserve(&memory, sizes[i], "test", &host, &error), FAILED);
        assert_int_equal(error.fault, FAULT_USAGE);
    }
}

static void what_the_kernel_refuses_is_an_environment_error(void **state)
{
    (void)state;
    const struct host host = {.memory_available_bytes = NAN}; /* not known: the kernel decides */
    struct memory memory;
    struct error error;
    /* Beyond the 128 TiB of user addresses that four page-table levels have; mmap without a hint
     * stays in them. */
    assert_int_equal(memory_reserve(&memory, 0x1p61, "test", &host, &error), FAILED);
    assert_int_equal(error.fault, FAULT_ENVIRONMENT);
    assert_non_null(strstr(error.text, "'test'"));
}

static void touched_memory_is_backed_by_huge_pages(void **state)
{
    (void)state;
    struct surroundings now = surroundings_read();
    const struct host host = {.memory_available_bytes = 64 * MIB};
    struct memory memory;
    struct error error;
    if (!*now.huge_pages || strcmp(now.huge_pages, "never") == 0) {
        print_message("# skip: transparent huge pages are off\n");
        skip();
    }
    assert_int_equal(memory_reserve(&memory, 16 * MIB, "test", &host, &error), OK);
    assert_true(memory_huge_bytes(&memory) == 0);
    memset(memory.base, 1, memory.bytes);
    double huge = memory_huge_bytes(&memory);
    memory_release(&memory);
    if (huge == 0) {
        print_message("# skip: no free huge page now (memory is fragmented)\n");
        skip();
    }
    assert_true(huge > 0 && huge <= 16 * MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zero_and_on_a_huge_page_boundary),
        cmocka_unit_test(no_bytes_are_a_valid_request),
        cmocka_unit_test(more_than_is_available_is_refused_with_both_numbers),
        cmocka_unit_test(sizes_that_cannot_be_are_usage_errors),
        cmocka_unit_test(what_the_kernel_refuses_is_an_environment_error),
        cmocka_unit_test(touched_memory_is_backed_by_huge_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
