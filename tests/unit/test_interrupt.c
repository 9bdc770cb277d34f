// test_interrupt.c - the first signal asks, one that insists ends the program.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "interrupt.h"

/* What becomes of a child that watches and sends itself that signal so many times, so long after
 * each other; it exits with interrupted(). */
static int raise_in_child(int number, int times, double pause_seconds)
{
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        interrupt_watch();
        for (int i = 0; i < times; i++) {
            usleep(i ? (useconds_t)(1e6 * pause_seconds) : 0);
            raise(number);
        }
        _exit(interrupted());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void no_signal_is_no_interrupt(void **state)
{
    (void)state;
    int status = raise_in_child(SIGINT, 0, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void first_signal_is_told_by_its_exit_code(void **state)
{
    (void)state;
    int status = raise_in_child(SIGINT, 1, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
    status = raise_in_child(SIGTERM, 1, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 143);
}

/* timeout(1) signals its child and then the whole group: that is one request. */
static void two_signals_of_one_event_are_one(void **state)
{
    (void)state;
    int status = raise_in_child(SIGINT, 2, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
}

static void a_signal_that_insists_ends_the_program(void **state)
{
    (void)state;
    int status = raise_in_child(SIGINT, 2, 0.6);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
    status = raise_in_child(SIGTERM, 2, 0.6);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_signal_is_no_interrupt),
        cmocka_unit_test(first_signal_is_told_by_its_exit_code),
        cmocka_unit_test(two_signals_of_one_event_are_one),
        cmocka_unit_test(a_signal_that_insists_ends_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
