// test_onnx_limits.c - hostile models are answered within 100 ms and 64 MiB, whatever they promise.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "graph_helpers.h"
#include "onnx.h"
#include "protobuf_writer.h"

/* Sanitizers take several times the time, and address space as they like. */
#if defined __SANITIZE_ADDRESS__ || defined ROLLED
enum { IS_SANITIZED = 1 };
#else
enum { IS_SANITIZED = 0 };
#endif

#define MOST_SECONDS (IS_SANITIZED ? 5 : 0.1)
enum { MOST_BYTES = 64 << 20 };

/* Bytes of data of this process, as RLIMIT_DATA counts them. */
static size_t data_bytes(void)
{
    long pages[6] = {0};
    FILE *file = fopen("/proc/self/statm", "r");
    if (file) {
        const int read = fscanf(file, "%ld %ld %ld %ld %ld %ld", &pages[0], &pages[1], &pages[2],
                                &pages[3], &pages[4], &pages[5]);
        assert_int_equal(read, 6);
        fclose(file);
    }
    return (size_t)pages[5] * (size_t)sysconf(_SC_PAGESIZE);
}

/* In a process of its own: 0 where it is read, 1 where it is refused as a file should be, 2 where
 * memory was out, 3 where it took too long. */
static int answer(const void *bytes, size_t length)
{
    struct graph graph;
    struct error error = {FAULT_NONE, ""};
    const struct rlimit limit = {data_bytes() + MOST_BYTES, RLIM_INFINITY};
    if (!IS_SANITIZED && setrlimit(RLIMIT_DATA, &limit) != 0)
        return 4;
    const clock_t begin = clock();
    const int result = onnx_read_bytes(&graph, "hostile", bytes, length, &error);
    const double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    if (seconds > MOST_SECONDS) {
        fprintf(stderr, "%.3f s: %s\n", seconds, error.text);
        return 3;
    }
    return result == OK ? 0 : error.fault == FAULT_IO && *error.text ? 1 : 2;
}

/* The model is freed. */
static void assert_answered(struct message model, int expected)
{
    struct error error;
    int status = 0;
    if (onnx_available(&error) != OK) {
        free(model.bytes);
        print_message("skipped: %s\n", error.text);
        skip();
    }
    const pid_t child = fork();
    if (child == 0)
        _exit(answer(model.bytes, model.length));
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    free(model.bytes);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
}

static void ten_thousand_nested_subgraphs_are_refused(void **state)
{
    (void)state;
    enum { DEPTH = 10000 };
    struct message graph = small_graph();
    for (int i = 0; i < DEPTH; i++) {
        struct message node = {0}, outer = {0};
        put_text(&node, 1, "x");
        put_text(&node, 2, "t");
        put_text(&node, 4, "If");
        put_message(&node, 5, graph_attribute("then_branch", graph));
        put_message(&outer, 1, node);
        put_text(&outer, 2, "o");
        graph = outer;
    }
    assert_answered(model_message(graph, 8, 17), 1);
}

static void huge_dims_are_refused(void **state)
{
    (void)state;
    static const int64_t dims[][2] = {{INT64_MAX, 2}, {1L << 40, 1L << 40}, {INT64_MIN, 1}};
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        struct message graph = small_graph();
        put_message(&graph, 5, tensor_message("w", ONNX_FLOAT, dims[i], 2, "", 0));
        assert_answered(model_message(graph, 8, 17), 1);
    }
}

static void empty_messages_by_the_million_are_refused(void **state)
{
    (void)state;
    enum { COUNT = 1 << 20 };
    struct message graph = {malloc(2 * COUNT), 2 * COUNT};
    for (int i = 0; i < COUNT; i++) {
        graph.bytes[2 * i] = 1 << 3 | 2;
        graph.bytes[2 * i + 1] = 0;
    }
    assert_answered(model_message(graph, 8, 17), 1);
}

/* A chain of products of constants, each of which is little work: all of them are not done. */
static void work_that_adds_up_is_not_done(void **state)
{
    (void)state;
    enum { SIDE = 32, COUNT = 8000 };
    static const int64_t dims[] = {SIDE, SIDE};
    static const float values[SIDE * SIDE];
    struct message graph = small_graph();
    put_message(&graph, 5, tensor_message("c0", ONNX_FLOAT, dims, 2, values, sizeof values));
    for (int i = 0; i < COUNT; i++) {
        char from[16], to[16];
        snprintf(from, sizeof from, "c%d", i);
        snprintf(to, sizeof to, "c%d", i + 1);
        put_message(&graph, 1, node_message("MatMul", from, "c0", to));
    }
    assert_answered(model_message(graph, 8, 17), 0);
}

/* Each is as large as a tensor may be, and none of them is made. */
static void promises_of_large_results_take_no_memory(void **state)
{
    (void)state;
    static const int64_t dims[] = {3}, shape[] = {1L << 15, 1L << 15, 1L << 15};
    struct message graph = small_graph();
    put_message(&graph, 5, tensor_message("s", ONNX_INT64, dims, 1, shape, sizeof shape));
    for (int i = 0; i < 1000; i++) {
        char to[16];
        snprintf(to, sizeof to, "c%d", i);
        put_message(&graph, 1, node_message("ConstantOfShape", "s", NULL, to));
    }
    assert_answered(model_message(graph, 8, 17), 0);
}

static void many_uses_of_one_tensor_take_no_square_of_time(void **state)
{
    (void)state;
    struct message graph = small_graph();
    for (int i = 0; i < 10000; i++) {
        char to[16];
        snprintf(to, sizeof to, "c%d", i);
        put_message(&graph, 1, node_message("Neg", "x", NULL, to));
    }
    assert_answered(model_message(graph, 8, 17), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_nested_subgraphs_are_refused),
        cmocka_unit_test(huge_dims_are_refused),
        cmocka_unit_test(empty_messages_by_the_million_are_refused),
        cmocka_unit_test(work_that_adds_up_is_not_done),
        cmocka_unit_test(promises_of_large_results_take_no_memory),
        cmocka_unit_test(many_uses_of_one_tensor_take_no_square_of_time),
    };
    return cmocka_run_group_tests_name("limits of models", tests, NULL, NULL);
}
