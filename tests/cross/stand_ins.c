// stand_ins.c - what the variants test wants of cmocka and hwloc, for an architecture that Debian
// has a compiler for but neither of the two libraries.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host.h"

/* Under emulation threads sit anywhere. */
int host_pin(const struct host *host, int unit, struct error *error)
{
    (void)host, (void)unit, (void)error;
    return OK;
}

void host_spread(const struct host *host, const int *units, int count)
{
    (void)host, (void)units, (void)count;
}

/* A failed assertion ends the program: the plan stays unfulfilled and the runner sees it. */
void _fail(const char *const file, const int line)
{
    printf("not ok - %s:%d\n", file, line);
    exit(1);
}

void print_error(const char *const format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("# ");
    vprintf(format, arguments);
    va_end(arguments);
}

void _assert_true(const LargestIntegralType result, const char *const expression,
                  const char *const file, const int line)
{
    if (!result) {
        print_error("%s\n", expression);
        _fail(file, line);
    }
}

void _assert_int_equal(const LargestIntegralType a, const LargestIntegralType b,
                       const char *const file, const int line)
{
    _assert_true(a == b, "equal integers", file, line);
}

void _assert_string_equal(const char *const a, const char *const b, const char *const file,
                          const int line)
{
    _assert_true(strcmp(a, b) == 0, "equal texts", file, line);
}

int _cmocka_run_group_tests(const char *group_name, const struct CMUnitTest *const tests,
                            const size_t count, CMFixtureFunction set_up,
                            CMFixtureFunction tear_down)
{
    (void)group_name, (void)set_up, (void)tear_down; /* the variants test has no fixtures */
    printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        void *state = tests[i].initial_state;
        tests[i].test_func(&state);
        printf("ok %zu - %s\n", i + 1, tests[i].name);
        fflush(stdout);
    }
    return 0;
}
