// test_passes.c - what passes make of the graphs in tests/golden/graphs, that both compute the
// same, and that a second run changes nothing.
//
// A case is a file FOLDER/NAME.txt: a graph; a line `---- PASSES`; the graph that these passes make
// of it, or nothing where they must leave it alone. Where PASSES are left out, the folder's name is
// the pass. A line `# not run: WHY` says that it cannot be computed in plain loops. With
// GOLDEN_WRITE=1 what they make is written into the files instead, to be read before it is kept.
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "cost.h"
#include "graph_values.h"
#include "onnx.h"
#include "optimize.h"
#include "weights.h"

/* ---- cases ---- */

struct golden {
    const char *path;
    char *before, *after; /* of one text that is cut in two */
    char list[256];       /* of passes */
};

/* The caller frees it. */
static void read_text(const char *path, char **text)
{
    size_t capacity = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    *text = NULL;
    assert_true(getdelim(text, &capacity, 0, file) > 0);
    fclose(file);
}

static void read_golden(struct golden *golden, const char *path)
{
    static const char mark[] = "\n----";
    golden->path = path;
    read_text(path, &golden->before);
    char *line = strstr(golden->before, mark);
    if (!line)
        fail_msg("'%s' has no line that begins with ----", path);
    line[1] = 0;
    line += sizeof mark - 1;
    const size_t length = strcspn(line, "\n");
    snprintf(golden->list, sizeof golden->list, "%.*s", (int)length, line + (*line == ' '));
    golden->list[strcspn(golden->list, "\n")] = 0;
    if (!*golden->list) {
        const char *name = strrchr(path, '/'), *folder = name;
        while (folder[-1] != '/')
            folder--;
        snprintf(golden->list, sizeof golden->list, "%.*s", (int)(name - folder), folder);
    }
    golden->after = line + length + (line[length] == '\n');
}

/* ---- what has to hold ---- */

static void optimize(struct graph *graph, const struct golden *golden,
                     struct optimization *optimization)
{
    struct error error = {FAULT_NONE, ""};
    struct pass_set set;
    if (pass_set_parse(&set, golden->list, &error) != OK ||
        graph_optimize(graph, &set, NULL, optimization, &error) != OK ||
        graph_verify(graph, &error) != OK)
        fail_msg("%s", error.text);
}

static void write_golden(const struct golden *golden, const char *before, const char *text)
{
    FILE *file = fopen(golden->path, "w");
    const char *folder = strstr(golden->path, golden->list);
    assert_non_null(file);
    fprintf(file, "%s----%s%s\n%s", golden->before, folder ? "" : " ", folder ? "" : golden->list,
            strcmp(before, text) == 0 ? "" : text);
    fclose(file);
}

static void assert_made(const struct golden *golden, const char *before, const char *text)
{
    struct graph graph;
    if (getenv("GOLDEN_WRITE")) {
        write_golden(golden, before, text);
        return;
    }
    if (!*golden->after) {
        if (strcmp(before, text) != 0)
            fail_msg("%s made\n%s", golden->list, text);
        return;
    }
    graph_of(&graph, golden->after);
    char *wanted = text_of(&graph);
    if (strcmp(wanted, text) != 0)
        fail_msg("%s made\n%sinstead of\n%s", golden->list, text, wanted);
    free(wanted);
    graph_free(&graph);
}

static void assert_nothing_changes(struct graph *graph, const struct golden *golden,
                                   const char *text)
{
    struct optimization again;
    optimize(graph, golden, &again);
    for (int i = 0; i < PASS_COUNT; i++)
        if (again.rewrites[i] != 0)
            fail_msg("'%s' rewrites %d more the second time", passes[i]->name, again.rewrites[i]);
    char *same = text_of(graph);
    assert_string_equal(same, text);
    free(same);
}

static void assert_computes_the_same(struct graph *before, struct graph *after)
{
    struct values old, new;
    values_open(&old, before);
    values_open(&new, after);
    assert_same_values(&old, &new);
    values_close(&old);
    values_close(&new);
}

static void a_golden_graph_is_made(void **state)
{
    struct golden golden;
    struct graph before, after;
    struct optimization optimization;
    read_golden(&golden, *state);
    graph_of(&before, golden.before);
    graph_of(&after, golden.before);
    char *unchanged = text_of(&before);
    optimize(&after, &golden, &optimization);
    char *text = text_of(&after);
    assert_made(&golden, unchanged, text);
    assert_nothing_changes(&after, &golden, text);
    if (!strstr(golden.before, "# not run: "))
        assert_computes_the_same(&before, &after);
    free(text);
    free(unchanged);
    free(golden.before);
    graph_free(&after);
    graph_free(&before);
}

/* ---- lists of passes, and what is told ---- */

static int passes_of(const char *list)
{
    struct pass_set set;
    struct error error;
    int count = 0;
    if (pass_set_parse(&set, list, &error) != OK)
        return -1;
    for (int i = 0; i < PASS_COUNT; i++)
        count += set.has[i];
    return count;
}

static void lists_of_passes_are_read(void **state)
{
    (void)state;
    struct pass_set set;
    struct error error;
    assert_int_equal(passes_of("all"), PASS_COUNT);
    assert_int_equal(passes_of("none"), 0);
    assert_int_equal(passes_of("unused"), 1);
    assert_int_equal(passes_of("unused,identity"), 2);
    assert_int_equal(passes_of("-unused"), PASS_COUNT - 1);
    assert_int_equal(passes_of("all,-unused,-identity"), PASS_COUNT - 2);
    assert_int_equal(passes_of("elimination,-unused,unused"), passes_of("elimination"));
    assert_int_equal(passes_of("unused,"), -1);
    assert_int_equal(passes_of(""), -1);
    assert_int_equal(pass_set_parse(&set, "unused,fuse", &error), FAILED);
    assert_int_equal(error.fault, FAULT_USAGE);
    assert_says(&error, "'fuse'");
    assert_says(&error, "'roofline list passes'");
}

static void every_pass_says_what_it_does(void **state)
{
    (void)state;
    for (int i = 0; i < PASS_COUNT; i++) {
        assert_true(*passes[i]->summary && *passes[i]->refuses);
        assert_true((passes[i]->rules == NULL) != (passes[i]->run == NULL));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(passes[i]->name, passes[k]->name);
    }
}

static void rewrites_are_counted(void **state)
{
    (void)state;
    struct graph graph;
    struct optimization optimization;
    graph_of(&graph, "graph g (onnx 17)\ninput x: f32[2]\na = Identity(x)\nb = Identity(a)\n"
                     "y = Relu(b)\noutput y\n");
    optimize(&graph, &(struct golden){.list = "identity"}, &optimization);
    assert_int_equal(optimization.rewrites[PASS_pass_through], 2);
    assert_int_equal(optimization.rounds, 2);
    assert_int_equal(graph_live_nodes(&graph), 1);
    graph_free(&graph);
}

/* ---- what a machine decides ---- */

static void keep_words(void *context, const char *pass, const char *words)
{
    snprintf(context, 400, "%s: %s", pass, words);
}

/* On a machine where that kernel reaches a tenth of its roof, the pass makes a graph that has an
 * operator of this type and computes the same; on one where all reach it nothing changes. */
static void assert_chosen(const char *pass, const char *text, const char *slow, const char *type)
{
    const struct cost_rate rate = {.dtype = DTYPE_f32, .of_compute = 0.1, .of_memory = 0.1};
    struct cost_rate rates[1] = {rate};
    struct ceilings ceilings = ceilings_nominal(1);
    char told[400] = "";
    struct pass_settings settings = pass_settings_default;
    struct graph before, after;
    struct pass_set set;
    struct optimization optimization;
    struct error error = {FAULT_NONE, ""};
    snprintf(rates[0].kernel, sizeof rates[0].kernel, "%s", slow);
    settings.ceilings = &ceilings;
    settings.explain = keep_words;
    settings.explain_context = told;
    graph_of(&before, text);
    graph_of(&after, text);
    assert_int_equal(pass_set_parse(&set, pass, &error), OK);
    assert_int_equal(graph_optimize(&after, &set, &settings, &optimization, &error), OK);
    if (optimization.rounds != 1 || !strstr(told, "left alone"))
        fail_msg("%s", told);
    ceilings.rate = rates;
    ceilings.rate_count = 1;
    if (graph_optimize(&after, &set, &settings, NULL, &error) != OK)
        fail_msg("%s", error.text);
    assert_non_null(strstr(told, pass));
    char *made = text_of(&after);
    if (!strstr(made, type))
        fail_msg("there is no %s in\n%s", type, made);
    free(made);
    assert_int_equal(graph_optimize(&after, &set, &settings, &optimization, &error), OK);
    assert_int_equal(optimization.rounds, 1);
    assert_computes_the_same(&before, &after);
    graph_free(&after);
    graph_free(&before);
}

static void a_product_is_said_as_the_machine_likes_it(void **state)
{
    (void)state;
    assert_chosen("product-conv",
                  "graph g (onnx 17)\ninput x: f32[2,8,4,4]\nconst w: f32[64,8,4,4] = named\n"
                  "const b: f32[64] = named\ny = Conv(x, w, b)\noutput y\n",
                  "conv2d", "= Gemm(");
    assert_chosen("product-conv",
                  "graph g (onnx 9)\ninput x: f32[2,8,4,4]\nconst w: f32[64,8,4,4] = named\n"
                  "a = Conv(x, w)\ny = Relu(a)\noutput y\n",
                  "conv2d", "= Gemm(");
    assert_chosen("product-conv",
                  "graph g (onnx 17)\ninput x: f32[2,8,4,4]\nconst w: f32[128,64] = named\n"
                  "const b: f32[64] = named\na = Flatten(x)\ny = Gemm(a, w, b)\noutput y\n",
                  "gemm", "= Conv(");
    assert_chosen("product-conv",
                  "graph g (onnx 17)\ninput x: f32[32,64]\nconst w: f32[64,32] = named\n"
                  "y = MatMul(w, x)\noutput y\n",
                  "gemm", "= Conv(");
}

/* Where the other way would be ten times as fast, nobody asks whether it is. */
static void assert_not_weighed(const char *nodes, const char *slow)
{
    static const char head[] = "graph g (onnx 17)\ninput x: f32[2,8,4,4]\ninput m: f32[64,32]\n"
                               "input r: f32[64,8,4,4]\nconst w: f32[64,8,4,4] = named\n"
                               "const v: f32[128,64] = named\nconst b: f32[2,64] = named\n"
                               "const s: i64[2] = {16, 16}\nconst u: f32[16,64] = named\n";
    struct cost_rate rate = {.dtype = DTYPE_f32, .of_compute = 0.1, .of_memory = 0.1};
    struct ceilings ceilings = ceilings_nominal(1);
    char told[400] = "", text[1000];
    struct pass_settings settings = pass_settings_default;
    struct graph graph;
    struct pass_set set;
    struct optimization optimization;
    struct error error = {FAULT_NONE, ""};
    snprintf(rate.kernel, sizeof rate.kernel, "%s", slow);
    ceilings.rate = &rate;
    ceilings.rate_count = 1;
    settings.ceilings = &ceilings;
    settings.explain = keep_words;
    settings.explain_context = told;
    snprintf(text, sizeof text, "%s%soutput y\n", head, nodes);
    graph_of(&graph, text);
    assert_int_equal(pass_set_parse(&set, "product-conv", &error), OK);
    assert_int_equal(graph_optimize(&graph, &set, &settings, &optimization, &error), OK);
    if (optimization.rounds != 1 || *told)
        fail_msg("%s%s", nodes, told);
    graph_free(&graph);
}

static void what_is_no_product_with_a_whole_image_stays(void **state)
{
    (void)state;
    static const char *const convs[] = {
        "y = Conv(x, w) {pads: [1, 1, 1, 1], strides: [9, 9]}\n",
        "y = Conv(x, w) {auto_pad: \"SAME_UPPER\", strides: [4, 4]}\n",
        "y = Conv(x, r)\n",
        "c = Concat(x, x) {axis: 1}\ny = Conv(c, w) {group: 2}\n",
        "t = Concat(x, x) {axis: 3}\ny = Conv(t, w)\n",
    };
    static const char *const products[] = {
        "a = Flatten(x)\ny = Gemm(a, v) {alpha: 2.0}\n",
        "a = Flatten(x)\ny = Gemm(a, v, b) {beta: 2.0}\n",
        "a = Flatten(x)\ny = Gemm(a, v, b)\n",
        "a = Flatten(x)\nt = Transpose(a)\ny = Gemm(t, v) {transA: 1}\n",
        "a = Reshape(x, s)\ny = Gemm(a, u)\n",
        "t = Transpose(m)\ny = MatMul(m, t)\n",
    };
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++)
        assert_not_weighed(convs[i], "conv2d");
    for (size_t i = 0; i < sizeof products / sizeof *products; i++)
        assert_not_weighed(products[i], "gemm");
}

/* Where a kernel reaches twice as much in one layout as in the others, images have that. */
static void a_layout_is_chosen_by_what_kernels_reach_there(void **state)
{
    (void)state;
    static const char text[] = "graph g (onnx 17)\ninput x: f32[1,32,16,16]\n"
                               "const w: f32[32,32,3,3] = named\na = Conv(x, w)\nb = Relu(a)\n"
                               "c = Conv(b, w)\ny = GlobalAveragePool(c)\noutput y\n";
    static const struct {
        const char *layout, *made, *words;
    } cases[] = {
        {"nhwc", "layout: \"nhwc\"", "4 would have channels last and 0 blocks of 16"},
        {"nchwc", "layout: \"nchwc\"", "0 would have channels last and 4 blocks of 16"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cost_rate rates[] = {
            {.kernel = "conv2d", .dtype = DTYPE_f32, .of_compute = 0.4},
            {.kernel = "conv2d", .dtype = DTYPE_f32, .of_compute = 0.8},
        };
        struct ceilings ceilings = ceilings_nominal(1);
        char told[400] = "";
        struct pass_settings settings = pass_settings_default;
        struct graph before, after;
        struct pass_set set;
        struct error error = {FAULT_NONE, ""};
        snprintf(rates[1].layout, sizeof rates[1].layout, "%s", cases[i].layout);
        ceilings.rate = rates;
        ceilings.rate_count = 2;
        settings.ceilings = &ceilings;
        settings.explain = keep_words;
        settings.explain_context = told;
        graph_of(&before, text);
        graph_of(&after, text);
        assert_int_equal(pass_set_parse(&set, "image-layouts", &error), OK);
        if (graph_optimize(&after, &set, &settings, NULL, &error) != OK)
            fail_msg("%s", error.text);
        char *made = text_of(&after);
        if (!strstr(made, cases[i].made) || !strstr(told, cases[i].words))
            fail_msg("%s\n%s", told, made);
        assert_computes_the_same(&before, &after);
        free(made);
        graph_free(&after);
        graph_free(&before);
    }
}

/* ---- models of others ---- */

#define MODELS TEST_SOURCE_DIR "/../../shared/models/"

/* Nodes that are left, none of which makes a constant. */
static void models_have_few_nodes_left(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int most;
    } models[] = {
        {MODELS "light/light_resnet50/model.onnx", 58},
        {MODELS "light/light_squeezenet/model.onnx", 39},
        {MODELS "light/light_shufflenet/model.onnx", 90},
        {MODELS "light/light_densenet121/model.onnx", 250},
        {MODELS "real/Ultraface-RFB-320/model.onnx", 80},
    };
    struct error error = {FAULT_NONE, ""};
    if (access(MODELS, R_OK) != 0 || onnx_available(&error) != OK)
        skip();
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct graph graph;
        struct optimization optimization;
        const struct golden golden = {.list = "all"};
        if (onnx_read(&graph, models[i].path, &error) != OK ||
            weights_name(&graph, 1, NULL, &error) != OK)
            fail_msg("%s", error.text);
        optimize(&graph, &golden, &optimization);
        if (graph_live_nodes(&graph) > models[i].most)
            fail_msg("%s has %d nodes left", models[i].path, graph_live_nodes(&graph));
        optimize(&graph, &golden, &optimization);
        assert_int_equal(optimization.rounds, 1);
        graph_free(&graph);
    }
}

/* ---- main ---- */

enum { CASES_MAX = 1000 };

int main(void)
{
    static struct CMUnitTest tests[CASES_MAX] = {
        cmocka_unit_test(lists_of_passes_are_read),
        cmocka_unit_test(every_pass_says_what_it_does),
        cmocka_unit_test(rewrites_are_counted),
        cmocka_unit_test(a_product_is_said_as_the_machine_likes_it),
        cmocka_unit_test(what_is_no_product_with_a_whole_image_stays),
        cmocka_unit_test(a_layout_is_chosen_by_what_kernels_reach_there),
        cmocka_unit_test(models_have_few_nodes_left),
    };
    static const char folder[] = TEST_SOURCE_DIR "/golden/graphs/";
    size_t count = 7;
    glob_t found;
    if (glob(TEST_SOURCE_DIR "/golden/graphs/*/*.txt", 0, NULL, &found) != 0)
        return 1;
    for (size_t i = 0; i < found.gl_pathc && count < CASES_MAX; i++)
        tests[count++] = (struct CMUnitTest){.name = found.gl_pathv[i] + sizeof folder - 1,
                                             .test_func = a_golden_graph_is_made,
                                             .initial_state = found.gl_pathv[i]};
    const int failed = _cmocka_run_group_tests("passes", tests, count, NULL, NULL);
    globfree(&found);
    return failed;
}
