// test_libraries.c - variants that are a library's: they compute what the references do, on the
// team's units, sleep between calls, and say in words what is wrong with a library.
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <hwloc.h>
#include <hwloc/linux.h>

#include "run.h"

/* Libraries keep threads and memory until the process ends; of their threads the leak checker
 * stumbles over the stacks. */
extern const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static struct host host;

static int read_host(void **state)
{
    (void)state;
    struct error error;
    return host_read(&host, NULL, &error) == OK && team_pin(&host, host.threads, &error) == OK ? 0
                                                                                               : -1;
}

static int free_host(void **state)
{
    (void)state;
    host_free(&host);
    return 0;
}

/* A variant and its kernel, as the state of a test. */
struct subject {
    const struct kernel *kernel;
    const struct variant *variant;
};

static void skip_without_library(const struct variant *variant)
{
    struct opened_library opened;
    struct error reason;
    team_spread(host.threads);
    if (library_open(variant->routine->library, &opened, &reason) == OK)
        return;
    printf("# skip: %s\n", reason.text);
    skip();
}

static struct run run_of(const struct subject *subject, const char *text, enum dtype dtype,
                         int threads)
{
    struct run run = {.host = &host,
                      .kernel = subject->kernel,
                      .variant = subject->variant,
                      .isa = isa_best(),
                      .dtype = dtype,
                      .threads = threads};
    struct error error;
    if (shape_parse(&run.shape, text, run.kernel->letters, run.kernel->letter_count,
                    run.kernel->name, &error) != OK)
        fail_msg("%s", error.text);
    return run;
}

/* Whether the library computed it; what it cannot it may skip. */
static bool try_run(struct run *run, const char *text)
{
    double error_rel;
    struct error error;
    int result = run_open(run, &error);
    if (result == SKIPPED)
        return false;
    if (result != OK)
        fail_msg("%s", error.text);
    if (run_verify(run, &error_rel, &error) != OK)
        fail_msg("%s, %d threads: %s", text, run->threads, error.text);
    run_close(run);
    return true;
}

static void computes_what_the_reference_does(void **state)
{
    const struct subject *subject = *state;
    char path[1024], line[512];
    int computed = 0;
    skip_without_library(subject->variant);
    snprintf(path, sizeof path, "%s/variants/kernels/%s.txt", TEST_SOURCE_DIR,
             subject->kernel->name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "shape ", 6) != 0)
            continue;
        for (int dtype = 0; dtype < DTYPE_COUNT; dtype++)
            for (int threads = 1; threads <= 2 && threads <= host.threads; threads++) {
                struct run run = run_of(subject, line + 6, (enum dtype)dtype, threads);
                computed += try_run(&run, line + 6);
            }
    }
    fclose(file);
    assert_true(computed > 0);
}

/* ---- threads ---- */

enum { TASKS_MAX = 256 };

/* The threads of this process and what they ran so far. */
struct tasks {
    int count;
    pid_t id[TASKS_MAX];
    double seconds[TASKS_MAX];
};

static struct tasks read_tasks(void)
{
    struct tasks tasks = {0};
    DIR *folder = opendir("/proc/self/task");
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) && tasks.count < TASKS_MAX;) {
        char path[64];
        unsigned long long nanoseconds = 0;
        pid_t id = (pid_t)strtol(entry->d_name, NULL, 10);
        snprintf(path, sizeof path, "/proc/self/task/%d/schedstat", (int)id);
        FILE *file = id > 0 ? fopen(path, "r") : NULL;
        if (file && fscanf(file, "%llu", &nanoseconds) == 1) {
            tasks.id[tasks.count] = id;
            tasks.seconds[tasks.count++] = 1e-9 * (double)nanoseconds;
        }
        if (file)
            fclose(file);
    }
    closedir(folder);
    return tasks;
}

/* What task i of the later reading ran since the earlier one. */
static double ran_since(const struct tasks *now, const struct tasks *before, int i)
{
    double seconds = now->seconds[i];
    for (int j = 0; j < before->count; j++)
        if (before->id[j] == now->id[i])
            seconds -= before->seconds[j];
    return seconds;
}

/* Fails unless the thread may run on the team's units only. */
static void assert_on_units(pid_t task, int count)
{
    hwloc_bitmap_t mask = hwloc_bitmap_alloc();
    hwloc_linux_get_tid_cpubind(host.topology, task, mask);
    for (int i = 0; i < count; i++)
        hwloc_bitmap_clr(mask, (unsigned)host.unit[i].os_index);
    bool inside = hwloc_bitmap_iszero(mask);
    hwloc_bitmap_free(mask);
    if (!inside)
        fail_msg("thread %d may leave the %d units of the team", (int)task, count);
}

static void record_id(void *context, struct member member)
{
    ((pid_t *)context)[member.index] = gettid();
}

/* What threads that are not of the team run in the 50 ms after now. */
static double stray_seconds(int threads)
{
    pid_t team[2];
    struct tasks before = read_tasks();
    nanosleep(&(struct timespec){0, 50000000}, NULL);
    struct tasks after = read_tasks();
    double stray = 0;
    team_run(record_id, team, threads);
    for (int i = 0; i < after.count; i++)
        if (after.id[i] != team[0] && after.id[i] != team[1])
            stray += ran_since(&after, &before, i);
    return stray;
}

static double run_for(struct run *run, double seconds)
{
    struct work work = run_work(run, false);
    measure_calibrate(&work, &run->repeats, seconds);
    return measure_sample(&work).seconds;
}

static void its_threads_sit_on_the_units_of_the_team_and_sleep_afterwards(void **state)
{
    const struct subject *subject = *state;
    struct error error;
    enum { THREADS = 2 };
    skip_without_library(subject->variant);
    if (host.threads < THREADS) {
        printf("# skip: there is one CPU only\n");
        skip();
    }
    struct run run = run_of(subject, "m=512,n=512,k=512", DTYPE_f32, THREADS);
    assert_int_equal(run_open(&run, &error), OK);
    run_for(&run, 0.02); /* the library's threads are there now */
    struct tasks before = read_tasks();
    run_for(&run, 0.1);
    struct tasks after = read_tasks();
    double stray = stray_seconds(THREADS), total = 0;
    run_close(&run);
    int busy = 0;
    for (int i = 0; i < after.count; i++)
        total += ran_since(&after, &before, i);
    for (int i = 0; i < after.count; i++)
        if (ran_since(&after, &before, i) > 0.2 * total) {
            busy++;
            assert_on_units(after.id[i], THREADS);
        }
    assert_int_equal(busy, THREADS);
    if (stray > 0.01)
        fail_msg("threads of the library ran %g s of 50 ms after its call", stray);
    /* The caller is back on its own seat. */
    pid_t team[THREADS];
    team_run(record_id, team, THREADS);
    assert_on_units(team[0], 1);
}

/* ---- what can be wrong with a library ---- */

static void assert_skips(const char *file, const char *word)
{
    const struct library *real = variant_find(kernel_find("gemm"), "openblas")->routine->library;
    struct library library = *real;
    const char *const files[] = {file, NULL};
    struct opened_library opened;
    struct error reason;
    library.files = files;
    assert_int_equal(library_open(&library, &opened, &reason), SKIPPED);
    if (!strstr(reason.text, word))
        fail_msg("no '%s' in '%s'", word, reason.text);
}

static void a_library_that_is_not_there_is_named_with_the_remedy(void **state)
{
    (void)state;
    assert_skips("libnothing-of-that-name.so.0", "'libnothing-of-that-name.so.0' not found");
    assert_skips("libnothing-of-that-name.so.0", "make deps-peers");
}

static void a_text_file_is_no_library(void **state)
{
    (void)state;
    char path[] = "/tmp/roofline-libopenblas-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(dprintf(file, "%4096s", "not a library"), 4096);
    close(file);
    assert_skips(path, "cannot be loaded");
    unlink(path);
}

static void a_library_without_the_function_names_it(void **state)
{
    (void)state;
    assert_skips("libm.so.6", "'openblas_get_config'");
}

static void assert_leaves_out(const char *kernel, const char *shape, const char *word)
{
    const struct subject subject = {kernel_find(kernel),
                                    variant_find(kernel_find(kernel), "onednn")};
    struct error reason;
    skip_without_library(subject.variant);
    struct run run = run_of(&subject, shape, DTYPE_f32, 1);
    assert_int_equal(run_open(&run, &reason), SKIPPED);
    if (!strstr(reason.text, word))
        fail_msg("no '%s' in '%s'", word, reason.text);
}

static void what_onednn_defines_otherwise_is_skipped_with_the_reason(void **state)
{
    (void)state;
    assert_leaves_out("max_pool", "c=1,h=2,w=2,r=1,s=1,pad=1", "outside the image");
    assert_leaves_out("resize", "c=1,h=4,w=4,p=2,q=2,mode=nearest", "in the middle");
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(a_library_that_is_not_there_is_named_with_the_remedy),
        cmocka_unit_test(a_text_file_is_no_library),
        cmocka_unit_test(a_library_without_the_function_names_it),
        cmocka_unit_test(what_onednn_defines_otherwise_is_skipped_with_the_reason),
    };
    enum { OTHERS = sizeof others / sizeof *others, TESTS_MAX = 128 };
    struct CMUnitTest tests[TESTS_MAX];
    struct subject subjects[TESTS_MAX];
    char names[TESTS_MAX][96];
    size_t count = OTHERS;
    memcpy(tests, others, sizeof others);
    for (const struct kernel *const *kernel = kernels; *kernel; kernel++)
        for (const struct variant *v = (*kernel)->variants; v->name && count + 2 < TESTS_MAX; v++) {
            if (!v->routine)
                continue;
            subjects[count] = (struct subject){*kernel, v};
            snprintf(names[count], sizeof *names, "%s %s", (*kernel)->name, v->name);
            tests[count] = (struct CMUnitTest){.name = names[count],
                                               .test_func = computes_what_the_reference_does,
                                               .initial_state = &subjects[count]};
            count++;
            if (strcmp((*kernel)->name, "gemm") != 0)
                continue;
            subjects[count] = subjects[count - 1];
            snprintf(names[count], sizeof *names, "the threads of %s", v->name);
            tests[count] = (struct CMUnitTest){
                .name = names[count],
                .test_func = its_threads_sit_on_the_units_of_the_team_and_sleep_afterwards,
                .initial_state = &subjects[count]};
            count++;
        }
    return _cmocka_run_group_tests("libraries", tests, count, read_host, free_host);
}
