// test_executor.c - graphs run: in memory that is used again, with weights packed once, subgraphs
// step by step, and what cannot run says so.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "executor_helpers.h"

/* Input i is made of these f32 values; as many as it has elements. */
static void set_reals(struct bench *bench, int i, const float *values)
{
    const struct array array = {
        bench->graph.tensor[bench->graph.block[0]->inputs[i]]->type,
        (void *)(uintptr_t)values,
    };
    if (executor_set_input(bench->executor, i, &array, &bench->error) != OK)
        fail_msg("%s", bench->error.text);
}

static void run(struct bench *bench)
{
    if (!bench->executor || executor_run(bench->executor, &bench->error) != OK)
        fail_msg("%s", bench->error.text);
}

static void assert_output(const struct bench *bench, int i, const char *type, const double *values)
{
    const struct array output = executor_output(bench->executor, i);
    assert_string_equal(type_format(&bench->graph, &output.type).text, type);
    for (long k = 0; k < type_elements(&output.type); k++) {
        const double value = element_real(output.data, output.type.element, k);
        if (!(fabs(value - values[k]) <= 1e-5))
            fail_msg("element %ld is %g instead of %g", k, value, values[k]);
    }
}

static const float ramp[] = {-2, -1, 0, 1, 2, 3, 4, 5};

static void results_share_memory_and_inputs_stay(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench,
               "graph g (onnx 17)\ninput x: f32[2,4]\na = Relu(x)\nb = Exp(a)\n"
               "c = Sqrt(b)\nd = Log(c)\ny = Add(d, x)\noutput y\n",
               1, false);
    set_reals(&bench, 0, ramp);
    for (int i = 0; i < 3; i++)
        run(&bench);
    assert_output(&bench, 0, "f32[2,4]", (double[]){-2, -1, 0, 1.5, 3, 4.5, 6, 7.5});
    const struct executor_memory memory = executor_memory(bench.executor);
    assert_int_equal(memory.sum_bytes, 6 * 64);
    assert_int_equal(memory.peak_bytes, 2 * 64);
    assert_false(executor_node(bench.executor, 0).is_in_place); /* x is the user's */
    assert_true(executor_node(bench.executor, 1).is_in_place);
    bench_close(&bench);
}

static void views_take_no_step_and_nothing_is_overwritten_too_early(void **state)
{
    (void)state;
    for (int keeps = 0; keeps < 2; keeps++) {
        struct bench bench;
        bench_open(&bench,
                   "graph g (onnx 17)\ninput x: f32[2,4]\nconst shape: i64[2] = {4, 2}\n"
                   "a = Relu(x)\nb = Reshape(a, shape)\nc = Relu(b)\nd = Relu(c)\n"
                   "e = Add(d, b)\ny = Reshape(x, shape)\noutput e\noutput y\n",
                   1, keeps);
        set_reals(&bench, 0, ramp);
        run(&bench);
        run(&bench);
        assert_output(&bench, 0, "f32[4,2]", (double[]){0, 0, 0, 2, 4, 6, 8, 10});
        assert_output(&bench, 1, "f32[4,2]", (double[]){-2, -1, 0, 1, 2, 3, 4, 5});
        assert_true(executor_node(bench.executor, 1).is_view);
        assert_false(executor_node(bench.executor, 2).is_in_place); /* b is used again */
        assert_true(executor_node(bench.executor, 3).is_in_place == !keeps);
        assert_false(executor_node(bench.executor, 5).is_view); /* output and input */
        bench_close(&bench);
    }
}

enum { BLOCK = 64 }; /* elements of a [1,4,4,4] */

/* With x of so many channels of 4 x 4, element i of it i / 16; twice. */
static void run_counted(struct bench *bench, int channels)
{
    static float x[8 * BLOCK];
    for (int i = 0; i < channels * 16; i++)
        x[i] = (float)i / 16;
    set_reals(bench, 0, x);
    run(bench);
    run(bench);
}

/* Output `o` is blocks of x, from[] of them further on, each times its factor. */
static void assert_blocks(const struct bench *bench, int o, const double *factor,
                          const double *from, int blocks)
{
    const struct array output = executor_output(bench->executor, o);
    assert_int_equal(type_elements(&output.type), blocks * BLOCK);
    for (int i = 0; i < blocks * BLOCK; i++) {
        const int block = i / BLOCK;
        const double expected = factor[block] * (from[block] * BLOCK + i % BLOCK) / 16;
        const double value = element_real(output.data, output.type.element, i);
        if (!(fabs(value - expected) <= 1e-5))
            fail_msg("element %d of output %d is %g instead of %g", i, o, value, expected);
    }
}

static void concat_is_written_by_those_who_make_its_inputs(void **state)
{
    (void)state;
    for (int keeps = 0; keeps < 2; keeps++) {
        struct bench bench;
        bench_open(&bench,
                   "graph g (onnx 17)\ninput x: f32[1,4,4,4]\nconst w: f32[1] = {2}\n"
                   "const s: i64[4] = {1, 2, 8, 4}\nconst t: i64[4] = {1, 4, 4, 4}\n"
                   "a = Neg(x)\nb = Mul(x, w)\nc = Concat(a, b) {axis: 1}\nd = Mul(b, w)\n"
                   "e = Reshape(d, s)\nf = Reshape(e, t)\nh = Concat(c, f) {axis: 1}\n"
                   "y = Neg(h)\nz = Neg(a)\noutput y\noutput z\n",
                   2, keeps);
        run_counted(&bench, 4);
        assert_blocks(&bench, 0, (double[]){1, -2, -4}, (double[]){0, 0, 0}, 3);
        assert_blocks(&bench, 1, (double[]){1}, (double[]){0}, 1);
        assert_true(executor_node(bench.executor, 2).is_view);
        assert_true(executor_node(bench.executor, 6).is_view);
        assert_int_equal(executor_launches(bench.executor), 5);
        if (!keeps) /* x, all that is joined, with z in a's place, and y */
            assert_int_equal(executor_memory(bench.executor).peak_bytes, (1 + 3 + 3) * 256);
        bench_close(&bench);
    }
}

static void concat_copies_what_has_to_lie_elsewhere(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench,
               "graph g (onnx 17)\ninput x: f32[1,4,4,4]\nconst w: f32[1] = {2}\n"
               "a = Neg(x)\nb = Mul(x, w)\nc = Concat(x, a, a, b) {axis: 1}\n"
               "d = Concat(a, b) {axis: 1}\ne = Concat(a, x) {axis: 2}\n"
               "y = Neg(c)\nz = Neg(d)\nv = Neg(e)\noutput y\noutput z\noutput v\n",
               2, false);
    run_counted(&bench, 4);
    assert_blocks(&bench, 0, (double[]){-1, 1, 1, -2}, (double[]){0, 0, 0, 0}, 4);
    assert_blocks(&bench, 1, (double[]){1, -2}, (double[]){0, 0}, 2);
    /* c: x, and a for the second time; d: both are in c */
    assert_int_equal(executor_node(bench.executor, 2).lowering->launch_count, 2);
    assert_int_equal(executor_node(bench.executor, 3).lowering->launch_count, 1);
    assert_int_equal(executor_node(bench.executor, 4).lowering->launch_count, 1);
    bench_close(&bench);
    bench_open(&bench,
               "graph g (onnx 17)\ninput x: f32[3]\na = Neg(x)\nb = Exp(x)\n"
               "c = Concat(a, b) {axis: 0}\noutput c\n",
               1, false);
    set_reals(&bench, 0, (float[]){0, 0, 0});
    run(&bench);
    assert_output(&bench, 0, "f32[6]", (double[]){0, 0, 0, 1, 1, 1}); /* b begins within a line */
    assert_int_equal(executor_launches(bench.executor), 3);
    bench_close(&bench);
    /* What changes nothing is the same memory, which can lie in one place only. */
    bench_open(&bench,
               "graph g (onnx 17)\ninput x: f32[1,4,4,4]\na = Neg(x)\n"
               "s = Transpose(a) {perm: [0, 1, 2, 3]}\nt = Transpose(s) {perm: [0, 1, 2, 3]}\n"
               "c = Concat(s, t, a) {axis: 1}\ny = Neg(c)\noutput y\n",
               1, false);
    run_counted(&bench, 4);
    assert_blocks(&bench, 0, (double[]){1, 1, 1}, (double[]){0, 0, 0}, 3);
    bench_close(&bench);
}

static void plain_loops_write_where_a_concat_is(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench,
               "graph g (onnx 17)\ninput x: f32[1,4,4,4]\na = Ceil(x)\nb = Relu(x)\n"
               "y = Concat(b, a) {axis: 1}\noutput y\n",
               2, false);
    run_counted(&bench, 4);
    const float *const y = executor_output(bench.executor, 0).data;
    for (int i = 0; i < BLOCK; i++)
        assert_true(y[i] == (float)i / 16 && y[BLOCK + i] == (float)((i + 15) / 16));
    assert_true(executor_node(bench.executor, 2).is_view);
    assert_int_equal(executor_launches(bench.executor), 1);
    bench_close(&bench);
}

static void convolutions_leave_room_for_what_is_joined_to_their_channels(void **state)
{
    (void)state;
    for (int keeps = 0; keeps < 2; keeps++) {
        struct bench bench;
        bench_open(&bench,
                   "graph g (onnx 17, roofline 1)\ninput x: f32[1,2,2,3]\n"
                   "const w: f32[2,3,1,1] = {1, 0, 0, 0, 1, 0}\n"
                   "const v: f32[1,3,1,1] = {0, 0, 2}\n"
                   "a = roofline::Conv(x, w) {layout: \"nhwc\"}\n"
                   "b = roofline::Conv(x, v) {layout: \"nhwc\"}\n"
                   "c = roofline::Conv(x, w) {layout: \"nhwc\"}\n"
                   "d = Concat(a, x, b, c) {axis: -1}\ny = Neg(d)\nz = Neg(c)\n"
                   "output y\noutput z\n",
                   2, keeps);
        set_reals(&bench, 0, (float[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
        run(&bench);
        assert_output(&bench, 0, "f32[1,2,2,8]",
                      (double[]){0,  -1, 0,   -1,  -2, -4,  0,   -1,  -3, -4, -3,
                                 -4, -5, -10, -3,  -4, -6,  -7,  -6,  -7, -8, -16,
                                 -6, -7, -9,  -10, -9, -10, -11, -22, -9, -10});
        assert_output(&bench, 1, "f32[1,2,2,2]", (double[]){0, -1, -3, -4, -6, -7, -9, -10});
        const long pitch[] = {8, 8, 0}; /* c is used elsewhere */
        for (int i = 0; i < 3; i++) {
            const struct launch *launch = executor_node(bench.executor, i).lowering->launch;
            assert_int_equal(kernel_letter(launch->kernel, &launch->shape, "pitch"),
                             keeps ? 0 : pitch[i]);
        }
        assert_int_equal(executor_node(bench.executor, 3).lowering->launch_count, keeps ? 1 : 2);
        bench_close(&bench);
    }
}

static void parts_of_an_array_are_where_the_array_is(void **state)
{
    (void)state;
    for (int keeps = 0; keeps < 2; keeps++) {
        struct bench bench;
        bench_open(&bench,
                   "graph g (onnx 17)\ninput x: f32[1,8,4,4]\nconst i: i64[4] = {4, 5, 6, 7}\n"
                   "a = Relu(x)\np, q = Split(a) {axis: 1}\nr = Gather(a, i) {axis: 1}\n"
                   "y = Add(r, p)\nz = Relu(q)\nt, u = Split(x) {axis: 1}\nv = Neg(t)\n"
                   "w, s = Split(x) {axis: 2}\n"
                   "output y\noutput z\noutput u\noutput v\noutput s\n",
                   2, keeps);
        run_counted(&bench, 8);
        assert_blocks(&bench, 0, (double[]){2}, (double[]){0.5}, 1);
        assert_blocks(&bench, 1, (double[]){1}, (double[]){1}, 1);
        assert_blocks(&bench, 2, (double[]){1}, (double[]){1}, 1);
        assert_blocks(&bench, 3, (double[]){-1}, (double[]){0}, 1);
        const float *const halves = executor_output(bench.executor, 4).data;
        for (int i = 0; i < BLOCK; i++)
            assert_true(halves[i] == (float)(i / 8 * 16 + 8 + i % 8) / 16);
        assert_true(executor_node(bench.executor, 1).is_view);
        assert_true(executor_node(bench.executor, 2).is_view);
        assert_true(executor_node(bench.executor, 4).is_in_place ==
                    !keeps);                                    /* in a's second half */
        assert_false(executor_node(bench.executor, 5).is_view); /* u: an output, of an input */
        assert_int_equal(executor_launches(bench.executor), 1 + 1 + 1 + 1 + 3);
        bench_close(&bench);
    }
}

static void weights_that_are_inputs_are_packed_anew(void **state)
{
    (void)state;
    struct bench bench;
    static float x[2 * 8 * 8], w[4 * 2 * 3 * 3];
    bench_open(&bench,
               "graph g (onnx 17)\ninput x: f32[1,2,8,8]\ninput w: f32[4,2,3,3]\n"
               "y = Conv(x, w)\noutput y\n",
               2, false);
    for (int i = 0; i < 128; i++)
        x[i] = 1;
    for (int round = 1; round < 4; round++) {
        for (int i = 0; i < 72; i++)
            w[i] = (float)round;
        set_reals(&bench, 0, x);
        set_reals(&bench, 1, w);
        run(&bench);
        double expected[4 * 36];
        for (int i = 0; i < 4 * 36; i++)
            expected[i] = 18 * round;
        assert_output(&bench, 0, "f32[1,4,6,6]", expected);
    }
    bench_close(&bench);
}

static size_t workspace_of(const char *text)
{
    struct bench bench;
    bench_open(&bench, text, 1, false);
    const size_t bytes = executor_memory(bench.executor).workspace_bytes;
    bench_close(&bench);
    return bytes;
}

/* A copy of the image, of 278 kB, and 9 kB of weights, which may be filled up to 37. */
static void buffers_of_convolutions_lie_in_one_place(void **state)
{
    (void)state;
    const size_t one = workspace_of("graph g (onnx 17)\ninput x: f32[1,16,64,64]\n"
                                    "const w: f32[16,16,3,3] = named\n"
                                    "y = Conv(x, w) {pads: [1, 1, 1, 1]}\noutput y\n");
    const size_t two = workspace_of("graph g (onnx 17)\ninput x: f32[1,16,64,64]\n"
                                    "const w: f32[16,16,3,3] = named\n"
                                    "a = Conv(x, w) {pads: [1, 1, 1, 1]}\n"
                                    "y = Conv(a, w) {pads: [1, 1, 1, 1]}\noutput y\n");
    assert_true(one > 278000 && two - one >= 9000 && two - one < 40000);
}

/* One by one they would be 18 kB more for each plane of the output. */
static void calls_of_a_node_share_packed_weights(void **state)
{
    (void)state;
    const size_t few = workspace_of("graph g (onnx 17)\ninput x: f32[1,16,3,16,16]\n"
                                    "const w: f32[16,16,2,3,3] = named\n"
                                    "y = Conv(x, w)\noutput y\n");
    const size_t many = workspace_of("graph g (onnx 17)\ninput x: f32[3,16,9,16,16]\n"
                                     "const w: f32[16,16,2,3,3] = named\n"
                                     "y = Conv(x, w)\noutput y\n");
    assert_true(few == many && few > 18000);
}

static void dims_that_depend_on_data_are_found_in_each_run(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench,
               "graph g (onnx 17)\ninput x: f32[8]\ni = NonZero(x)\n"
               "s = Shape(i)\nf = Cast(i) {to: 1}\ny = Neg(f)\noutput y\noutput s\n",
               2, false);
    set_reals(&bench, 0, ramp);
    run(&bench);
    assert_output(&bench, 0, "f32[1,7]", (double[]){0, -1, -3, -4, -5, -6, -7});
    set_reals(&bench, 0, (float[]){0, 0, 1, 0, 0, 0, 0, 0});
    run(&bench);
    assert_output(&bench, 0, "f32[1,1]", (double[]){-2});
    assert_output(&bench, 1, "i64[2]", (double[]){1, 1});
    struct executor_job job = {bench.executor, 0, 100};
    const struct work work = executor_work(&job);
    team_run(work.run, work.context, work.threads);
    assert_output(&bench, 0, "f32[1,1]", (double[]){-2});
    bench_close(&bench);
}

static void branches_and_loops_run(void **state)
{
    (void)state;
    static const char text[] =
        "graph g (onnx 17)\ninput c: f32[]\ninput x: f32[2]\nconst zero: f32[] = {0}\n"
        "const three: i64[] = {3}\nconst yes: bool[] = {1}\n"
        "p = Greater(c, zero)\ny = If(p) {then_branch: block, else_branch: block}\n"
        "block\n  t = Exp(x)\n  output t\nend\nblock\n  e = Neg(x)\n  output e\nend\n"
        "z, all = Loop(three, yes, x) {body: block}\nblock\n  input i: i64[]\n"
        "  input k: bool[]\n  input s: f32[2]\n  n = Add(s, s)\n  m = Identity(s)\n"
        "  output k\n  output n\n  output m\nend\n"
        "output y\noutput z\noutput all\n";
    for (int threads = 1; threads < 3; threads++) {
        struct bench bench;
        bench_open(&bench, text, threads, false);
        for (int i = 0; i < 3; i++) {
            set_reals(&bench, 0, (float[]){-1});
            set_reals(&bench, 1, (float[]){1, 3});
            run(&bench);
            assert_output(&bench, 0, "f32[2]", (double[]){-1, -3});
            assert_output(&bench, 1, "f32[2]", (double[]){8, 24});
            assert_output(&bench, 2, "f32[3,2]", (double[]){1, 3, 2, 6, 4, 12});
            set_reals(&bench, 0, (float[]){1});
            set_reals(&bench, 1, (float[]){0, 0});
            run(&bench);
            assert_output(&bench, 0, "f32[2]", (double[]){1, 1});
        }
        bench_close(&bench);
    }
}

static void branches_that_are_not_taken_need_not_be_possible(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench,
               "graph g (onnx 17)\ninput x: f32[2,2]\nconst one: i64[1] = {1}\ns = Shape(x)\n"
               "d = Gather(s, one)\nc = Equal(d, one)\n"
               "y = If(c) {then_branch: block, else_branch: block}\n"
               "block\n  t = Squeeze(x, one)\n  output t\nend\n"
               "block\n  e = Neg(x)\n  output e\nend\noutput y\n",
               1, false);
    assert_type(&bench.graph, "y", "f32[2,2]");
    set_reals(&bench, 0, ramp);
    run(&bench);
    assert_output(&bench, 0, "f32[2,2]", (double[]){2, 1, 0, -1});
    bench_close(&bench);
}

static void texts_outlive_the_turn_that_made_them(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench,
               "graph g (onnx 17)\ninput first: text[]\nconst three: i64[] = {3}\n"
               "const yes: bool[] = {1}\nz, all = Loop(three, yes, first) {body: block}\n"
               "block\n  input i: i64[]\n  input k: bool[]\n  input s: text[]\n"
               "  n = Cast(i) {to: 8}\n  output k\n  output n\n  output n\nend\n"
               "output z\noutput all\n",
               1, false);
    for (int runs = 0; runs < 2; runs++) {
        run(&bench);
        const struct array last = executor_output(bench.executor, 0);
        const struct array all = executor_output(bench.executor, 1);
        assert_string_equal(((const struct text *)last.data)->bytes, "2");
        assert_int_equal(type_elements(&all.type), 3);
        for (int i = 0; i < 3; i++)
            assert_string_equal(((const struct text *)all.data)[i].bytes,
                                ((const char *[]){"0", "1", "2"})[i]);
    }
    bench_close(&bench);
}

static void faults_of_a_run_end_it_for_everybody(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench,
               "graph g (onnx 17)\ninput x: f32[2]\ninput i: i64[1]\n"
               "a = Gather(x, i)\nb = Neg(a)\noutput b\n",
               2, false);
    assert_non_null(bench.executor);
    const struct array index = {{.element = ELEMENT_i64, .rank = 1, .dims = {1}}, (int64_t[]){7}};
    assert_int_equal(executor_set_input(bench.executor, 1, &index, &bench.error), OK);
    assert_int_equal(executor_run(bench.executor, &bench.error), FAILED);
    assert_says(&bench.error, "Gather");
    *(int64_t *)index.data = 1;
    assert_int_equal(executor_set_input(bench.executor, 1, &index, &bench.error), OK);
    set_reals(&bench, 0, (float[]){4, 5});
    run(&bench);
    assert_output(&bench, 0, "f32[1]", (double[]){-5});
    bench_close(&bench);
}

static void a_team_looks_up_what_one_has_found(void **state)
{
    (void)state;
    enum { ROWS = 64, COLUMNS = 512 };
    static float table[ROWS * COLUMNS];
    static int64_t index[ROWS];
    struct bench bench;
    bench_open(&bench,
               "graph g (onnx 17)\ninput x: f32[64,512]\ninput i: i64[64]\n"
               "const one: i64[] = {-1}\nj = Mul(i, one)\ny = Gather(x, j)\noutput y\n",
               2, false);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        table[i] = (float)i;
    set_reals(&bench, 0, table);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < ROWS; i++)
            index[i] = (i * 7 + round) % ROWS;
        const struct array given = {{.element = ELEMENT_i64, .rank = 1, .dims = {ROWS}}, index};
        assert_int_equal(executor_set_input(bench.executor, 1, &given, &bench.error), OK);
        run(&bench);
        const float *const y = executor_output(bench.executor, 0).data;
        for (int i = 0; i < ROWS * COLUMNS; i++)
            assert_true(y[i] ==
                        (float)((ROWS - index[i / COLUMNS]) % ROWS * COLUMNS + i % COLUMNS));
    }
    assert_int_equal(executor_node(bench.executor, 1).threads, 2);
    bench_close(&bench);
}

static void what_cannot_run_says_why(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "graph g (onnx 17)\ninput x: f32[2]\ny = odd::Thing(x)\noutput y\n", 1,
               false);
    assert_says(&bench.error, "does not know the operator of domain odd");
    bench_close(&bench);
    bench_open(&bench, "graph g (onnx 17)\ninput x: f32[n]\ny = Neg(x)\noutput y\n", 1, false);
    assert_says(&bench.error, "'x' is f32[n]");
    const struct type wrong = {.element = ELEMENT_i64, .rank = 1, .dims = {3}};
    const struct type right = {.element = ELEMENT_f32, .rank = 1, .dims = {3}};
    assert_int_equal(executor_shape_inputs(&bench.graph, &wrong, 1, &bench.error), FAILED);
    assert_int_equal(executor_shape_inputs(&bench.graph, &right, 1, &bench.error), OK);
    assert_type(&bench.graph, "y", "f32[3]");
    bench_close(&bench);
}

static void nodes_can_be_timed(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench,
               "graph g (onnx 17)\ninput x: f32[64,64]\na = MatMul(x, x)\ny = Relu(a)\n"
               "output y\n",
               2, true);
    assert_true(isnan(executor_seconds(bench.executor, 0)));
    executor_clock(bench.executor, true);
    run(&bench);
    assert_int_equal(executor_node_count(bench.executor), 2);
    assert_int_equal(executor_launches(bench.executor), 2);
    assert_string_equal(executor_node(bench.executor, 0).lowering->launch->kernel->name, "gemm");
    for (int i = 0; i < 2; i++)
        assert_true(executor_seconds(bench.executor, i) > 0);
    for (int at = -1; at < 2; at++) {
        struct executor_job job = {bench.executor, at, 3};
        const struct work work = executor_work(&job);
        assert_true(measure_sample(&work).seconds > 0);
    }
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_share_memory_and_inputs_stay),
        cmocka_unit_test(views_take_no_step_and_nothing_is_overwritten_too_early),
        cmocka_unit_test(concat_is_written_by_those_who_make_its_inputs),
        cmocka_unit_test(concat_copies_what_has_to_lie_elsewhere),
        cmocka_unit_test(plain_loops_write_where_a_concat_is),
        cmocka_unit_test(convolutions_leave_room_for_what_is_joined_to_their_channels),
        cmocka_unit_test(parts_of_an_array_are_where_the_array_is),
        cmocka_unit_test(weights_that_are_inputs_are_packed_anew),
        cmocka_unit_test(buffers_of_convolutions_lie_in_one_place),
        cmocka_unit_test(calls_of_a_node_share_packed_weights),
        cmocka_unit_test(dims_that_depend_on_data_are_found_in_each_run),
        cmocka_unit_test(branches_and_loops_run),
        cmocka_unit_test(branches_that_are_not_taken_need_not_be_possible),
        cmocka_unit_test(texts_outlive_the_turn_that_made_them),
        cmocka_unit_test(faults_of_a_run_end_it_for_everybody),
        cmocka_unit_test(a_team_looks_up_what_one_has_found),
        cmocka_unit_test(what_cannot_run_says_why),
        cmocka_unit_test(nodes_can_be_timed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
