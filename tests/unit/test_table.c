// test_table.c - what is written reads back the same; what is broken is refused with its line; a
// file is old or new.
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "file.h"
#include "table.h"

/* A folder of its own for every test, removed afterwards. */
static int folder_make(void **state)
{
    char name[] = "/tmp/roofline-test-XXXXXX";
    *state = mkdtemp(name) ? strdup(name) : NULL;
    return *state ? 0 : -1;
}

static int folder_remove(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", (char *)*state);
    free(*state);
    return system(command);
}

/* Parses a text as machine.csv; the caller frees the table. */
static int parse(struct table *table, const char *text, size_t length, struct error *error)
{
    FILE *file = length ? fmemopen((void *)(uintptr_t)text, length, "r") : fopen("/dev/null", "r");
    assert_non_null(file);
    table_init(table, &ceiling_schema);
    int result = table_parse(table, file, "machine.csv", error);
    fclose(file);
    return result;
}

/* The text of a table; the caller frees it. */
static char *printed(const struct table *table)
{
    char *text;
    size_t length;
    struct error error;
    FILE *file = open_memstream(&text, &length);
    assert_non_null(file);
    assert_int_equal(table_print(table, file, &error), OK);
    fclose(file);
    return text;
}

static const char header[] = "device,level,kind,dtype,isa,workers,value,unit,basis,samples,"
                             "spread_rel,clock_hertz,source,status,why\n";
static const char row[] =
    "cpu,fma,compute,f32,avx2,2,1e9,flop/s,measured,20,0.01,3e9,\"a, \"\"b\"\"\",ok,\n";

static void fill(struct table *table, const char *device, double value)
{
    struct ceiling *ceiling = table_append(table);
    assert_non_null(ceiling);
    text_copy(ceiling->device, sizeof ceiling->device, device);
    text_copy(ceiling->source, sizeof ceiling->source, "commas, \"quotes\", a | pipe and a `tick`");
    ceiling->value = value;
}

static void rows_read_back_the_same(void **state)
{
    (void)state;
    static const double values[] = {0,    -0.0, 1,        1.0 / 3, 6.02214076e23, 5e-324,
                                    1e15, NAN,  1036.8e9, 119.4e9, 0x1p53 + 1,    -2.5};
    static const char *const devices[] = {"cpu", "", "#gpu", "\"", "a,b", " lead", "é", "'"};
    struct error error;
    struct table table, again;
    table_init(&table, &ceiling_schema);
    assert_int_equal(table_note(&table, "command", "roofline probe # : x", &error), OK);
    assert_int_equal(table_note(&table, "cpu", "", &error), OK);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        fill(&table, devices[i % (sizeof devices / sizeof *devices)], values[i]);
    char *text = printed(&table);
    assert_int_equal(parse(&again, text, strlen(text), &error), OK);
    assert_int_equal(again.count, table.count);
    for (size_t i = 0; i < table.count; i++) {
        const struct ceiling *a = table_ceiling(&table, i), *b = table_ceiling(&again, i);
        assert_string_equal(a->device, b->device);
        assert_string_equal(a->source, b->source);
        assert_true(a->value == b->value || (isnan(a->value) && isnan(b->value)));
        assert_true(isnan(b->clock_hertz));
    }
    char *text_again = printed(&again);
    assert_string_equal(text, text_again);
    free(text);
    free(text_again);
    table_free(&table);
    table_free(&again);
}

static void a_line_break_in_a_text_stays_one_row(void **state)
{
    (void)state;
    struct error error;
    struct table table, again;
    table_init(&table, &ceiling_schema);
    assert_int_equal(table_note(&table, "cpu", "two\nlines\r", &error), OK);
    fill(&table, "a\nb", 1);
    char *text = printed(&table);
    assert_int_equal(parse(&again, text, strlen(text), &error), OK);
    assert_int_equal(again.count, 1);
    assert_string_equal(again.provenance, "# cpu: two lines \n");
    free(text);
    table_free(&table);
    table_free(&again);
}

static void an_unknown_number_is_an_empty_field(void **state)
{
    (void)state;
    char text[32] = "x";
    real_format(NAN, text);
    assert_string_equal(text, "");
}

static void unknown_columns_are_ignored(void **state)
{
    (void)state;
    struct error error;
    struct table table;
    char text[1024];
    snprintf(text, sizeof text, "# schema_version: 1\ncolour,%s%s%s", header, "red,", row);
    assert_int_equal(parse(&table, text, strlen(text), &error), OK);
    assert_int_equal(table.count, 1);
    assert_string_equal(table_ceiling(&table, 0)->source, "a, \"b\"");
    assert_true(table_ceiling(&table, 0)->clock_hertz == 3e9);
    table_free(&table);
}

/* What is broken, and what the message must name. */
static const struct {
    const char *lines, *message;
} broken[] = {
    {"", "header"},
    {"# only: notes\n", "header"},
    {"device,level\n", "'kind' is missing"},
    {"H,device\n", "'device' stands there twice"},
    {"H\ncpu,fma\n", "line 2"},
    {"H\n,,,,,x,,,,,,,,,\n", "'workers' is 'x'"},
    {"H\n,,,,,1 2,,,,,,,,,\n", "'workers' is '1 2'"},
    {"H\n,,,,,inf,,,,,,,,,\n", "'workers' is 'inf'"},
    {"H\n,,,,,nan,,,,,,,,,\n", "'workers' is 'nan'"},
    {"H\n,,,,,1e999,,,,,,,,,\n", "'workers' is '1e999'"},
    {"H\n\"open,,,,,,,,,,,,,,\n", "line 2: a quote"},
    {"H\n\"a\"b,,,,,,,,,,,,,,\n", "line 2: a quote"},
    {"H\n,,,,,,,,,,,,,,,\n", "line 2: 16 fields"},
    {"H\n# a comment\n\n,,,,,,,,,,,,,,\n", "line 3"},
    {"H\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,,,,,,,,,,,,,,\n", "'device' is longer"},
    {"# schema_version: 99\nH\n", "newer"},
};

static void broken_files_are_refused_by_name_and_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct error error = {FAULT_NONE, ""};
        struct table table;
        char text[1024];
        /* H stands for the header. */
        const char *h = strchr(broken[i].lines, 'H');
        int before = h ? (int)(h - broken[i].lines) : (int)strlen(broken[i].lines);
        snprintf(text, sizeof text, "%.*s%.*s%s", before, broken[i].lines,
                 h ? (int)strlen(header) - 1 : 0, header, h ? h + 1 : "");
        int result = parse(&table, text, strlen(text), &error);
        if (result != FAILED || error.fault != FAULT_IO || !strstr(error.text, "'machine.csv'") ||
            !strstr(error.text, broken[i].message))
            fail_msg("case %zu: '%s'", i, error.text);
        assert_int_equal(table.count, 0);
        assert_null(table.rows);
    }
}

static void an_endless_line_is_refused(void **state)
{
    (void)state;
    enum { LENGTH = 1 << 20 };
    struct error error;
    struct table table;
    char *text = malloc(LENGTH);
    assert_non_null(text);
    memset(text, 'x', LENGTH);
    assert_int_equal(parse(&table, text, LENGTH, &error), FAILED);
    assert_non_null(strstr(error.text, "line 1: longer"));
    free(text);
}

/* Writes one row with that value into the folder. */
static int write_value(const char *folder, double value, struct error *error)
{
    struct table table;
    table_init(&table, &ceiling_schema);
    fill(&table, "cpu", value);
    int result = table_write(&table, folder, error);
    table_free(&table);
    return result;
}

static double read_value(const char *folder)
{
    struct error error;
    struct table table;
    table_init(&table, &ceiling_schema);
    assert_int_equal(table_read(&table, folder, &error), OK);
    assert_int_equal(table.count, 1);
    double value = table_ceiling(&table, 0)->value;
    table_free(&table);
    return value;
}

static void a_file_is_replaced_and_nothing_else_is_left(void **state)
{
    struct error error;
    char command[128];
    assert_int_equal(write_value(*state, 1, &error), OK);
    assert_int_equal(write_value(*state, 2, &error), OK);
    assert_true(read_value(*state) == 2);
    snprintf(command, sizeof command, "test \"$(ls -A '%s')\" = machine.csv", (char *)*state);
    assert_int_equal(system(command), 0);
}

static void a_full_device_leaves_the_old_file(void **state)
{
    struct error error;
    char path[128];
    struct atomic_file file;
    assert_int_equal(write_value(*state, 1, &error), OK);
    assert_int_equal(path_join(path, sizeof path, *state, "machine.csv", &error), OK);
    assert_int_equal(atomic_open(&file, path, &error), OK);
    /* The stream meets ENOSPC where the disk would. */
    file.stream = freopen("/dev/full", "w", file.stream);
    assert_non_null(file.stream);
    fputs("half a row", file.stream);
    assert_int_equal(atomic_commit(&file, &error), FAILED);
    assert_int_equal(error.fault, FAULT_IO);
    assert_non_null(strstr(error.text, strerror(ENOSPC)));
    assert_int_equal(access(file.temporary, F_OK), -1);
    assert_true(read_value(*state) == 1);
}

static void a_read_only_folder_is_named(void **state)
{
    struct error error;
    assert_int_equal(write_value(*state, 1, &error), OK);
    /* Root writes whatever the mode says; /proc refuses root, too. */
    const char *folder = *state;
    if (geteuid() == 0)
        folder = "/proc/self";
    else
        assert_int_equal(chmod(folder, 0555), 0);
    assert_int_equal(write_value(folder, 2, &error), FAILED);
    assert_int_equal(error.fault, FAULT_IO);
    assert_non_null(strstr(error.text, folder));
    assert_int_equal(chmod(*state, 0755), 0);
    assert_true(read_value(*state) == 1);
}

/* Rewrites the file with ever new values until it is killed. */
static void rewrite_forever(const char *folder)
{
    struct error error;
    for (double value = 1;; value++)
        if (write_value(folder, value, &error) != OK)
            _exit(1);
}

static void a_killed_writer_leaves_a_whole_file(void **state)
{
    struct error error;
    for (int round = 0; round < 20; round++) {
        assert_int_equal(write_value(*state, 0, &error), OK);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            rewrite_forever(*state);
        usleep((useconds_t)(2000 + 777 * round));
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_true(read_value(*state) >= 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_read_back_the_same),
        cmocka_unit_test(a_line_break_in_a_text_stays_one_row),
        cmocka_unit_test(an_unknown_number_is_an_empty_field),
        cmocka_unit_test(unknown_columns_are_ignored),
        cmocka_unit_test(broken_files_are_refused_by_name_and_line),
        cmocka_unit_test(an_endless_line_is_refused),
        cmocka_unit_test_setup_teardown(a_file_is_replaced_and_nothing_else_is_left, folder_make,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(a_full_device_leaves_the_old_file, folder_make,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(a_read_only_folder_is_named, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_killed_writer_leaves_a_whole_file, folder_make,
                                        folder_remove),
    };
    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
