// test_out_of_memory.c - whichever allocation fails, the caller gets words and nothing leaks.
//
// Linked with --wrap for malloc, calloc and realloc (see the Makefile).
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph_text.h"
#include "host.h"
#include "memory.h"
#include "onnx.h"
#include "optimize.h"
#include "probe.h"
#include "protobuf_writer.h"
#include "table.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);

/* The allocation that fails, counted down; 0: none. Mutable and global, as the wrappers have no
 * other way to know. */
static int countdown;

static bool fails_now(void)
{
    return countdown > 0 && --countdown == 0;
}

void *__wrap_malloc(size_t bytes)
{
    return fails_now() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails_now() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    return fails_now() ? NULL : __real_realloc(memory, bytes);
}

/* Runs the function with the 1st, 2nd, ... allocation failing, until it gets by with all of them.
 * Each failure must be FAULT_ENVIRONMENT and say so; the sanitizers see what leaks. */
static void fail_every_allocation(int (*function)(struct error *error), int least)
{
    for (int n = 1;; n++) {
        struct error error = {FAULT_NONE, ""};
        countdown = n;
        int result = function(&error);
        bool all_served = countdown > 0;
        countdown = 0;
        if (all_served) {
            assert_int_equal(result, OK);
            assert_true(n > least);
            return;
        }
        assert_int_equal(result, FAILED);
        assert_int_equal(error.fault, FAULT_ENVIRONMENT);
        assert_non_null(strstr(error.text, "memory"));
    }
}

static int append_notes_and_rows(struct error *error)
{
    struct table table;
    table_init(&table, &measurement_schema);
    int result = table_note(&table, "cpu", "some name", error);
    for (int i = 0; i < 200 && result == OK; i++)
        if (!table_append(&table))
            result = error_set(error, FAULT_ENVIRONMENT, "out of memory");
    table_free(&table);
    return result;
}

static int parse_a_file(struct error *error)
{
    static char text[16384];
    size_t used =
        (size_t)snprintf(text, sizeof text,
                         "# cpu: name\n# kernel: 6.1\ndevice,level,kind,dtype,isa,workers,"
                         "value,unit,basis,samples,spread_rel,clock_hertz,source,status,"
                         "why\n");
    for (int i = 0; i < 200; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "cpu,fma,,,,,,,,,,,,ok,\n");
    int failing = countdown;
    countdown = 0; /* the stream is the test's own */
    FILE *file = fmemopen(text, used, "r");
    assert_non_null(file);
    countdown = failing;
    struct table table;
    table_init(&table, &ceiling_schema);
    int result = table_parse(&table, file, "machine.csv", error);
    failing = countdown;
    countdown = 0;
    fclose(file);
    countdown = failing;
    assert_int_equal(table.count, result == OK ? 200 : 0);
    table_free(&table);
    return result;
}

static void tables_say_that_memory_is_out(void **state)
{
    (void)state;
    fail_every_allocation(append_notes_and_rows, 3);
}

static void the_reader_says_that_memory_is_out(void **state)
{
    (void)state;
    fail_every_allocation(parse_a_file, 5);
}

static int read_the_host(struct error *error)
{
    struct host host;
    int result = host_read(&host, NULL, error);
    if (result == OK)
        host_free(&host);
    return result;
}

static void the_host_says_that_memory_is_out(void **state)
{
    (void)state;
    fail_every_allocation(read_the_host, 1);
}

static int collect_the_arithmetic(struct error *error)
{
    static const char *const names[] = {"compute", NULL};
    struct host host;
    int failing = countdown;
    countdown = 0;
    assert_int_equal(host_read(&host, NULL, error), OK);
    countdown = failing;
    struct request request = {.threads = 1, .isa = ISA_scalar, .dtype = DTYPE_f32};
    struct table machine;
    table_init(&machine, &ceiling_schema);
    struct probe_run run = {.host = &host, .request = &request, .machine = &machine};
    int result = probe_collect(&run, names, error);
    if (result == OK)
        result = probe_measure(&run, 1, NULL, error);
    probe_free(&run);
    table_free(&machine);
    host_free(&host);
    return result;
}

static void a_probe_says_that_memory_is_out(void **state)
{
    (void)state;
    fail_every_allocation(collect_the_arithmetic, 3);
}

/* A graph that is read, copied, and put into order. */
static int copy_and_free(struct graph *graph, int result, struct error *error)
{
    struct graph copy = {0};
    if (result == OK)
        result = graph_copy(&copy, graph, error);
    if (result == OK)
        result = graph_sort(&copy, error);
    graph_free(&copy);
    graph_free(graph);
    return result;
}

static int parse_a_graph(struct error *error)
{
    struct graph graph;
    static const char text[] = "graph g (onnx 17)\ninput x: f32[n,4]\nconst w: f32[4] = named\n"
                               "const c: bool[] = {1}\ny = Mul(x, w) {a: [1, 2], b: \"text\"}\n"
                               "z = If(c) {then_branch: block, else_branch: block}\nblock\n"
                               "t = Neg(y)\noutput t\nend\nblock\noutput y\nend\noutput z\n";
    int result = graph_parse(&graph, "test", text, 1 << 20, error);
    if (result == OK)
        result = graph_inline_ifs(&graph, NULL, error);
    return copy_and_free(&graph, result, error);
}

/* Every pass has something to do. */
static int optimize_a_graph(struct error *error)
{
    static const char text[] =
        "graph g (onnx 17)\ninput x: f32[1,6,4]\ninput s: f32[16384,16]\n"
        "const w: f32[4] = named\nconst v: f32[16,2] = named\nconst u: f32[16,1] = named\n"
        "const i: i64[4] = {1, 2, 3, 4}\nconst j: i64[3] = {1, 6, 4}\n"
        "a = Exp(w)\nb = Add(x, a)\nc = Add(a, x)\nd = Mul(b, c)\n"
        "e = Reshape(d, i)\nf = Transpose(e) {perm: [0, 2, 1, 3]}\ny = Reshape(f, j)\n"
        "p = MatMul(s, v)\nq = MatMul(s, u)\noutput y\noutput p\noutput q\n";
    struct graph graph;
    struct pass_set set;
    int result = graph_parse(&graph, "test", text, 1 << 20, error);
    if (result == OK)
        result = pass_set_parse(&set, "all", error);
    if (result == OK)
        result = graph_optimize(&graph, &set, NULL, NULL, error);
    graph_free(&graph);
    return result;
}

static void the_optimiser_says_that_memory_is_out(void **state)
{
    (void)state;
    fail_every_allocation(optimize_a_graph, 3);
}

static void the_parser_of_graphs_says_that_memory_is_out(void **state)
{
    (void)state;
    fail_every_allocation(parse_a_graph, 3);
}

/* The file that read_a_model() reads: global, as it has no other way to get it. */
static struct message model;

/* What protobuf-c allocates is its own: it is not among those that fail. */
static int read_a_model(struct error *error)
{
    struct graph graph;
    int result = onnx_read_bytes(&graph, "test", model.bytes, model.length, error);
    return copy_and_free(&graph, result, error);
}

static void the_reader_of_models_says_that_memory_is_out(void **state)
{
    (void)state;
    struct error error;
    if (onnx_available(&error) != OK)
        skip();
    model = model_message(small_graph(), 8, 17);
    fail_every_allocation(read_a_model, 3);
    free(model.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_say_that_memory_is_out),
        cmocka_unit_test(the_reader_says_that_memory_is_out),
        cmocka_unit_test(the_host_says_that_memory_is_out),
        cmocka_unit_test(a_probe_says_that_memory_is_out),
        cmocka_unit_test(the_parser_of_graphs_says_that_memory_is_out),
        cmocka_unit_test(the_optimiser_says_that_memory_is_out),
        cmocka_unit_test(the_reader_of_models_says_that_memory_is_out),
    };
    return cmocka_run_group_tests_name("out of memory", tests, NULL, NULL);
}
