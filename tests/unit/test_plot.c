// test_plot.c - nothing stands on anything else, and names are harmless wherever they are drawn.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "digest.h"
#include "layout.h"
#include "picture.h"
#include "synthetic.h"
#include "terminal.h"

/* The figure of synthetic results; the caller frees both. */
static void figure_make(struct figure *figure, struct results *results, int kernels)
{
    struct error error;
    struct figure_key *keys;
    int count;
    assert_int_equal(synthetic_results(results, kernels, &error), OK);
    assert_int_equal(figure_keys(results, &keys, &count, &error), OK);
    assert_int_equal(count, 1);
    assert_int_equal(figure_build(figure, results, &keys[0], &error), OK);
    assert_int_equal(figure->dot_count, kernels);
    free(keys);
}

static void figure_drop(struct figure *figure, struct results *results)
{
    figure_free(figure);
    results_free(results);
}

/* Texts and badges as boxes; a number counts as its badge, and the small dots of badges that stand
 * aside may lie under other badges. */
static int collect_boxes(const struct layout *layout, struct box *boxes)
{
    const double badge_radius = 5;
    int count = 0;
    for (int i = 0; i < layout->text_count; i++)
        if (layout->text[i].style != STYLE_number && layout->text[i].style != STYLE_number_small)
            boxes[count++] = layout->text[i].box;
    for (int i = 0; i < layout->mark_count; i++) {
        const struct mark *mark = &layout->mark[i];
        if (mark->radius > badge_radius)
            boxes[count++] = (struct box){mark->x, mark->y, 2 * mark->radius, 2 * mark->radius, 0};
    }
    return count;
}

static void assert_no_overlap(const struct figure *figure)
{
    struct error error;
    struct layout layout;
    assert_int_equal(layout_build(&layout, figure, &error), OK);
    struct box *boxes = calloc((size_t)(layout.text_count + layout.mark_count), sizeof *boxes);
    assert_non_null(boxes);
    int count = collect_boxes(&layout, boxes);
    for (int i = 0; i < count; i++) {
        assert_true(boxes[i].x > 0 && boxes[i].x < layout.width);
        assert_true(boxes[i].y > 0 && boxes[i].y < layout.height);
        for (int j = 0; j < i; j++)
            if (boxes_overlap(&boxes[i], &boxes[j]))
                fail_msg("%d kernels: boxes at (%.0f, %.0f) and (%.0f, %.0f) overlap",
                         figure->dot_count, boxes[i].x, boxes[i].y, boxes[j].x, boxes[j].y);
    }
    free(boxes);
    layout_free(&layout);
}

static void turned_boxes_overlap_where_they_touch(void **state)
{
    (void)state;
    struct box a = {0, 0, 10, 2, 0}, b = {0, 4, 10, 2, 0};
    assert_false(boxes_overlap(&a, &b));
    b.angle = M_PI / 2; /* upright: now reaches down to -1 */
    assert_true(boxes_overlap(&a, &b));
    b = (struct box){8.5, 4.6, 10, 2, M_PI / 4};
    assert_false(boxes_overlap(&a, &b)); /* although their bounding boxes do */
    assert_true(boxes_overlap(&b, &b));
}

static void nothing_overlaps_up_to_60_kernels(void **state)
{
    (void)state;
    for (int kernels = 1; kernels <= 60; kernels++) {
        struct figure figure;
        struct results results;
        figure_make(&figure, &results, kernels);
        assert_no_overlap(&figure);
        figure_drop(&figure, &results);
    }
}

static void nothing_overlaps_when_all_kernels_coincide(void **state)
{
    (void)state;
    struct figure figure;
    struct results results;
    figure_make(&figure, &results, 30);
    for (int i = 1; i < figure.dot_count; i++) {
        figure.dot[i].intensity_flops_per_byte = figure.dot[0].intensity_flops_per_byte;
        figure.dot[i].flops_per_second = figure.dot[0].flops_per_second;
    }
    assert_no_overlap(&figure);
    figure_drop(&figure, &results);
}

/* The figure of a suite of three shapes per kernel. */
static void suite_make(struct figure *figure, struct results *results, int kernels)
{
    struct error error;
    struct figure_key *keys;
    int count;
    results_init(results);
    add_machine(&results->machine);
    add_suite(&results->bench, kernels);
    assert_int_equal(summary_build(&results->summary, &results->machine, &results->bench, &error),
                     OK);
    assert_int_equal(figure_keys(results, &keys, &count, &error), OK);
    assert_int_equal(count, 1);
    assert_int_equal(figure_build(figure, results, &keys[0], &error), OK);
    assert_int_equal(figure->dot_count, 3 * kernels);
    free(keys);
}

static void parts_hold_every_dot_once_and_keep_kernels_together(void **state)
{
    enum { KERNELS_PER_PART = FIGURE_DOTS_MOST / 3 };
    (void)state;
    for (int kernels = 1; kernels <= 60; kernels++) {
        struct figure figure;
        struct results results;
        suite_make(&figure, &results, kernels);
        int parts = figure_parts(&figure, FIGURE_DOTS_MOST), next = 0;
        assert_int_equal(parts, (kernels + KERNELS_PER_PART - 1) / KERNELS_PER_PART);
        for (int i = 0; i < parts; i++) {
            struct figure part = figure_part(&figure, FIGURE_DOTS_MOST, i);
            assert_int_equal(part.dots_before, next);
            assert_ptr_equal(part.dot, figure.dot + next);
            assert_in_range(part.dot_count, 1, FIGURE_DOTS_MOST);
            assert_int_equal(part.dot_count % 3, 0);
            assert_true(part.intensity_min == figure.intensity_min &&
                        part.flops_max == figure.flops_max);
            next += part.dot_count;
        }
        assert_int_equal(next, figure.dot_count);
        figure_drop(&figure, &results);
    }
}

static void a_kernel_with_too_many_shapes_is_split(void **state)
{
    (void)state;
    struct figure figure;
    struct results results;
    suite_make(&figure, &results, 25);
    for (int i = 0; i < figure.dot_count; i++)
        text_format(figure.dot[i].name, sizeof figure.dot[i].name, "gemm m%d", i);
    assert_int_equal(figure_parts(&figure, FIGURE_DOTS_MOST), 3);
    for (int i = 0; i < 3; i++) /* evenly */
        assert_int_equal(figure_part(&figure, FIGURE_DOTS_MOST, i).dot_count, 25);
    figure_drop(&figure, &results);
}

static void nothing_overlaps_in_the_parts_of_a_large_suite(void **state)
{
    (void)state;
    struct figure figure;
    struct results results;
    suite_make(&figure, &results, 60);
    for (int i = 0; i < figure_parts(&figure, FIGURE_DOTS_MOST); i++) {
        struct figure part = figure_part(&figure, FIGURE_DOTS_MOST, i);
        assert_no_overlap(&part);
        assert_non_null(strstr(part.title, "of 180"));
    }
    figure_drop(&figure, &results);
}

/* No row is wider than the terminal, and no letter of a long name is lost. */
static void tables_of_a_large_suite_fit_80_columns(void **state)
{
    (void)state;
    static const char last[] = "groups256";
    struct figure figure;
    struct results results;
    struct error error;
    const struct terminal terminal = {.columns = 80, .rows = 24};
    suite_make(&figure, &results, 60);
    for (int kind = 0; kind < 2; kind++) {
        char *text = NULL, *rest;
        size_t size = 0;
        int found = 0;
        FILE *out = open_memstream(&text, &size);
        assert_non_null(out);
        struct figure part = figure_part(&figure, FIGURE_DOTS_MOST, 5);
        assert_int_equal(kind ? terminal_plot(&part, &terminal, out, &error)
                              : digest_print(&results, 80, out, &error),
                         OK);
        fclose(out);
        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
            found += strstr(line, last) != NULL;
            if (strlen(line) > 80)
                fail_msg("%zu columns: %s", strlen(line), line);
        }
        assert_int_equal(found, kind ? 10 : 60);
        free(text);
    }
    figure_drop(&figure, &results);
}

static bool has_text(const struct layout *layout, const char *words)
{
    for (int i = 0; i < layout->text_count; i++)
        if (strncmp(layout->text[i].text, words, strlen(words)) == 0)
            return true;
    return false;
}

static void what_computes_nothing_stands_in_the_table_alone(void **state)
{
    (void)state;
    struct error error;
    struct figure drawn, figure;
    struct figure_key *keys;
    struct results results;
    struct layout layout;
    int count;
    figure_make(&drawn, &results, 9);
    add_measurement(&results.bench, "transpose", "d0=7", "DRAM", 0, 12e6, 2e-3);
    table_free(&results.summary);
    assert_int_equal(summary_build(&results.summary, &results.machine, &results.bench, &error), OK);
    assert_int_equal(figure_keys(&results, &keys, &count, &error), OK);
    assert_int_equal(figure_build(&figure, &results, &keys[0], &error), OK);
    assert_int_equal(figure.dot_count, 10);
    assert_true(figure.intensity_min == drawn.intensity_min && figure.flops_min == drawn.flops_min);
    assert_no_overlap(&figure);
    assert_int_equal(layout_build(&layout, &figure, &error), OK);
    assert_true(has_text(&layout, "6.00 GB/s") && has_text(&layout, "in GB/s, computes nothing"));
    for (int i = 0; i < layout.mark_count; i++)
        assert_true(isfinite(layout.mark[i].x) && isfinite(layout.mark[i].y));
    int badges = 0;
    for (int i = 0; i < layout.text_count; i++)
        badges += strcmp(layout.text[i].text, "10") == 0;
    assert_int_equal(badges, 1);
    layout_free(&layout);
    figure_free(&drawn);
    figure_drop(&figure, &results);
    free(keys);
}

static void nothing_overlaps_when_ceilings_nearly_coincide(void **state)
{
    (void)state;
    struct figure figure;
    struct results results;
    figure_make(&figure, &results, 12);
    for (int i = 0; i < figure.line_count; i++)
        figure.line[i].value = (figure.line[i].slanted ? 12e9 : 90e9) * (1 + 0.04 * (20 - i));
    assert_no_overlap(&figure);
    figure_drop(&figure, &results);
}

static void every_line_and_ridge_keeps_its_name_however_crowded_the_plot(void **state)
{
    (void)state;
    for (int kernels = 1; kernels <= 60; kernels++) {
        struct error error;
        struct figure figure;
        struct results results;
        struct layout layout;
        figure_make(&figure, &results, kernels);
        assert_int_equal(layout_build(&layout, &figure, &error), OK);
        for (int i = 0; i < figure.line_count; i++) {
            char words[96];
            snprintf(words, sizeof words, "%s  ", figure.line[i].label);
            assert_true(has_text(&layout, words));
            snprintf(words, sizeof words, "%s ridge ", figure.line[i].label);
            assert_true(!figure.line[i].slanted || has_text(&layout, words));
        }
        layout_free(&layout);
        figure_drop(&figure, &results);
    }
}

static void layout_is_deterministic(void **state)
{
    (void)state;
    struct error error;
    struct figure figure;
    struct results results;
    struct layout a, b;
    figure_make(&figure, &results, 30);
    assert_int_equal(layout_build(&a, &figure, &error), OK);
    assert_int_equal(layout_build(&b, &figure, &error), OK);
    assert_int_equal(a.text_count, b.text_count);
    for (int i = 0; i < a.text_count; i++) {
        assert_true(a.text[i].box.x == b.text[i].box.x && a.text[i].box.y == b.text[i].box.y);
        assert_string_equal(a.text[i].text, b.text[i].text);
    }
    layout_free(&a);
    layout_free(&b);
    figure_drop(&figure, &results);
}

static void lines_within_3_percent_are_one_line_with_both_names(void **state)
{
    (void)state;
    struct figure figure;
    struct results results;
    figure_make(&figure, &results, 3);
    const struct figure_line *roof = figure_roof(&figure, false);
    assert_string_equal(roof->label, "AVX2 FMA, AVX MUL+ADD, AVX2 MUL+ADD");
    assert_string_equal(figure_roof(&figure, true)->label, "DRAM");
    assert_true(figure_top(&figure, false) == 137e9);
    figure_drop(&figure, &results);
}

static void dots_lie_within_the_axes(void **state)
{
    (void)state;
    for (int kernels = 1; kernels < 30; kernels++) {
        struct figure figure;
        struct results results;
        figure_make(&figure, &results, kernels);
        for (int i = 0; i < kernels; i++) {
            const struct figure_dot *dot = &figure.dot[i];
            assert_true(dot->intensity_flops_per_byte > figure.intensity_min);
            assert_true(dot->intensity_flops_per_byte < figure.intensity_max);
            assert_true(dot->flops_per_second > figure.flops_min);
            assert_true(dot->flops_per_second < figure.flops_max);
        }
        figure_drop(&figure, &results);
    }
}

static void safe_text_has_no_character_that_gnuplot_interprets(void **state)
{
    (void)state;
    char text[] = "gemm `x` $(y) \"a\" 'b' |c\n\t\\{}@^_#<>&;!";
    picture_safe_text(text);
    assert_null(strpbrk(text, "`$\"'|\n\t\\{}@^#<>&;!"));
    char plain[] = "gemm m=n=k=1024, +50 % (x)/y-z.0_1";
    picture_safe_text(plain);
    assert_string_equal(plain, "gemm m=n=k=1024, +50 % (x)/y-z.0_1");
}

static const char *const hostile[] = {
    "`touch MARKER`",
    "$(touch MARKER)",
    "'; system('touch MARKER') #",
    "\"; !touch MARKER",
    "| touch MARKER",
    "\nsystem \"touch MARKER\"\n",
    "<script>alert(1)</script>",
    "x\tNaN\t1e999\n\n\n",
    "%s%n%d",
    "@MARKER {/Symbol a}_^",
    "../../MARKER",
    "& < > ]]> <!--",
    "\\",
    "NaN",
    "1e5",
    "\xC3\xA9\xFF\x01",
};

/* Results whose every text is hostile. */
static void poison(struct results *results)
{
    struct error error;
    for (size_t i = 0; i < results->summary.count; i++) {
        struct summary *row = table_summary(&results->summary, i);
        const char *text = hostile[i % (sizeof hostile / sizeof *hostile)];
        text_copy(row->kernel, sizeof row->kernel, text);
        text_copy(row->shape, sizeof row->shape, text);
        text_copy(row->roof_level, sizeof row->roof_level, text);
        text_copy(row->variant, sizeof row->variant, i % 2 ? text : "");
    }
    for (size_t i = 0; i < results->machine.count; i++) {
        struct ceiling *row = table_ceiling(&results->machine, i);
        if (strcmp(row->kind, "bandwidth") == 0 && i % 2)
            text_copy(row->level, sizeof row->level, hostile[i % 6]);
    }
    assert_int_equal(table_note(&results->bench, "time_utc", "`touch MARKER`", &error), OK);
}

static bool have(const char *program)
{
    char command[64];
    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
    return system(command) == 0;
}

static void remove_folder(const char *folder)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

static void hostile_names_are_drawn_and_never_executed(void **state)
{
    (void)state;
    if (!have("gnuplot")) {
        print_message("# skip: gnuplot is not installed\n");
        skip();
    }
    struct error error = {0};
    struct figure figure;
    struct results results;
    char folder[] = "/tmp/roofline-test-XXXXXX", here[1024], path[64], command[128];
    assert_non_null(mkdtemp(folder));
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(setenv("TMPDIR", folder, 1), 0);
    assert_int_equal(synthetic_results(&results, 40, &error), OK);
    poison(&results);
    struct figure_key key = {.device = "cpu", .dtype = "f32", .threads = 1};
    assert_int_equal(figure_build(&figure, &results, &key, &error), OK);
    assert_int_equal(figure.dot_count, 40);
    if (picture_write(&figure, folder, "hostile", &error) != OK)
        fail_msg("%s", error.text);
    assert_int_equal(unsetenv("TMPDIR"), 0);
    /* The two pictures and nothing else: no marker, no left-over folder. */
    snprintf(command, sizeof command, "test \"$(find '%s' -mindepth 1 | wc -l)\" = 2", folder);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof path, "%s/hostile.png", folder);
    FILE *png = fopen(path, "rb");
    char signature[8];
    assert_non_null(png);
    assert_int_equal(fread(signature, 1, sizeof signature, png), sizeof signature);
    assert_memory_equal(signature, "\x89PNG\r\n\x1a\n", sizeof signature);
    fclose(png);
    snprintf(command, sizeof command, "! grep -q '<script' '%s/hostile.svg'", folder);
    assert_int_equal(system(command), 0);
    if (have("xmllint")) {
        snprintf(command, sizeof command, "xmllint --noout '%s/hostile.svg'", folder);
        assert_int_equal(system(command), 0);
    }
    assert_int_equal(chdir(here), 0);
    figure_drop(&figure, &results);
    remove_folder(folder);
}

static void stems_are_plain_file_names(void **state)
{
    (void)state;
    char stem[96];
    struct figure_key key = {.device = "cpu", .dtype = "f32", .threads = 2};
    picture_stem(&key, stem, sizeof stem);
    assert_string_equal(stem, "roofline-cpu-f32-2t");
    text_copy(key.device, sizeof key.device, "../`x` |'");
    picture_stem(&key, stem, sizeof stem);
    assert_null(strpbrk(stem, "/`|' "));
}

static void without_gnuplot_the_message_names_it(void **state)
{
    (void)state;
    struct error error;
    struct figure figure;
    struct results results;
    char folder[] = "/tmp/roofline-test-XXXXXX", *path = strdup(getenv("PATH"));
    assert_non_null(mkdtemp(folder));
    figure_make(&figure, &results, 3);
    assert_int_equal(setenv("PATH", folder, 1), 0);
    int result = picture_write(&figure, folder, "none", &error);
    assert_int_equal(setenv("PATH", path, 1), 0);
    assert_int_equal(result, SKIPPED);
    assert_non_null(strstr(error.text, "'gnuplot' is not installed"));
    assert_int_equal(rmdir(folder), 0); /* nothing was left there */
    free(path);
    figure_drop(&figure, &results);
}

/* Columns that a line takes: UTF-8 continuation bytes take none. */
static int line_columns(const char *line, int length)
{
    int columns = 0;
    for (int i = 0; i < length; i++)
        columns += ((unsigned char)line[i] & 0xC0) != 0x80;
    return columns;
}

static char *terminal_text(const struct figure *figure, struct terminal terminal)
{
    char *text = NULL;
    size_t length;
    struct error error;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    assert_int_equal(terminal_plot(figure, &terminal, out, &error), OK);
    fclose(out);
    return text;
}

static void terminal_plot_keeps_its_width_and_its_alphabet(void **state)
{
    (void)state;
    static const struct terminal terminals[] = {{80, 24, false, false},
                                                {80, 24, false, true},
                                                {120, 40, false, true},
                                                {200, 60, false, false}};
    struct figure figure;
    struct results results;
    figure_make(&figure, &results, 30);
    for (size_t t = 0; t < sizeof terminals / sizeof *terminals; t++) {
        char *text = terminal_text(&figure, terminals[t]);
        assert_null(strchr(text, '\033'));
        for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
            int length = (int)strcspn(line, "\n");
            assert_true(line_columns(line, length) <= terminals[t].columns);
            for (int i = 0; i < length && !terminals[t].utf8; i++)
                assert_true(line[i] >= ' ' && line[i] <= '~');
        }
        free(text);
    }
    figure_drop(&figure, &results);
}

static void terminal_plot_shows_every_kernel_number(void **state)
{
    (void)state;
    struct figure figure;
    struct results results;
    figure_make(&figure, &results, 30);
    char *text = terminal_text(&figure, (struct terminal){80, 24, true, true});
    char *table = strstr(text, "kernel");
    assert_non_null(table);
    *table = '\0'; /* only the plot above the table */
    for (int i = 1; i <= 30; i++) {
        char number[32];
        snprintf(number, sizeof number, "m%d\033[0m", i); /* coloured: colour, number, reset */
        if (!strstr(text, number))
            fail_msg("kernel %d is not in the plot", i);
    }
    free(text);
    figure_drop(&figure, &results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turned_boxes_overlap_where_they_touch),
        cmocka_unit_test(nothing_overlaps_up_to_60_kernels),
        cmocka_unit_test(nothing_overlaps_when_all_kernels_coincide),
        cmocka_unit_test(parts_hold_every_dot_once_and_keep_kernels_together),
        cmocka_unit_test(a_kernel_with_too_many_shapes_is_split),
        cmocka_unit_test(nothing_overlaps_in_the_parts_of_a_large_suite),
        cmocka_unit_test(tables_of_a_large_suite_fit_80_columns),
        cmocka_unit_test(what_computes_nothing_stands_in_the_table_alone),
        cmocka_unit_test(nothing_overlaps_when_ceilings_nearly_coincide),
        cmocka_unit_test(every_line_and_ridge_keeps_its_name_however_crowded_the_plot),
        cmocka_unit_test(layout_is_deterministic),
        cmocka_unit_test(lines_within_3_percent_are_one_line_with_both_names),
        cmocka_unit_test(dots_lie_within_the_axes),
        cmocka_unit_test(safe_text_has_no_character_that_gnuplot_interprets),
        cmocka_unit_test(hostile_names_are_drawn_and_never_executed),
        cmocka_unit_test(stems_are_plain_file_names),
        cmocka_unit_test(without_gnuplot_the_message_names_it),
        cmocka_unit_test(terminal_plot_keeps_its_width_and_its_alphabet),
        cmocka_unit_test(terminal_plot_shows_every_kernel_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
