// run.c - one kernel call made ready to be timed.
#include "run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify.h"

enum { LINE_BYTES = 64, PAGE_BYTES = 4096 };
/* Address space of current 64-bit processors (5-level paging, Intel SDM vol. 3A, 4.5). */
static const double addressable_bytes = 0x1p56;

static double operands_bytes(const struct kernel *kernel, const struct shape *shape,
                             enum dtype dtype)
{
    struct operand operand[KERNEL_OPERANDS_MAX];
    int count = kernel->operands(shape, operand);
    double bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += operand[i].elements * operand_element_bytes(&operand[i], dtype);
    return bytes;
}

static const double *find_level(const struct level_bytes *sizes, const char *word, size_t length)
{
    static const char *const words[] = {"@L1", "@L2", "@L3", "@DRAM"};
    const double *const bytes[] = {&sizes->l1, &sizes->l2, &sizes->l3, &sizes->dram};
    for (int i = 0; i < 4; i++)
        if (strlen(words[i]) == length && strncmp(words[i], word, length) == 0)
            return bytes[i];
    return NULL;
}

/* The largest value of a letter with which the operands take at most `bytes`, by bisection: whole
 * lines, so that the parts of the threads are. */
static long fit_letter(const struct kernel *kernel, struct shape shape, int letter,
                       enum dtype dtype, double bytes)
{
    long fits = kernel->letters[letter].minimum, too_large = SHAPE_VALUE_MAX;
    while (too_large - fits > 1) {
        long middle = fits + (too_large - fits) / 2;
        shape.value[letter] = middle;
        if (operands_bytes(kernel, &shape, dtype) <= bytes)
            fits = middle;
        else
            too_large = middle;
    }
    return fits > LINE_BYTES ? fits / LINE_BYTES * LINE_BYTES : fits;
}

/* The letter of the "name=" that ends at `end`; letter_count when the kernel has none of that name.
 */
static int letter_before(const struct kernel *kernel, const char *text, const char *end)
{
    const char *name = end;
    while (name > text && name[-1] != ',')
        name--;
    size_t length = strcspn(name, "=");
    int letter = 0;
    while (letter < kernel->letter_count &&
           (strlen(kernel->letters[letter].name) != length ||
            strncmp(kernel->letters[letter].name, name, length) != 0))
        letter++;
    return letter;
}

int run_shape(struct shape *shape, const struct kernel *kernel, const char *text, enum dtype dtype,
              const struct level_bytes *sizes, struct error *error)
{
    const char *word = strchr(text, '@');
    if (!word)
        return shape_parse(shape, text, kernel->letters, kernel->letter_count, kernel->name, error);
    size_t length = strcspn(word, ",");
    const double *bytes = find_level(sizes, word, length);
    if (!bytes || strchr(word + 1, '@'))
        return error_set(error, FAULT_USAGE,
                         "'%s' in the shape of '%s': one letter may be @L1, @L2, @L3 or @DRAM",
                         word, kernel->name);
    if (isnan(*bytes))
        return error_skip(error,
                          "%.*s in '%s': this machine has no cache of that level that can be told "
                          "from the others",
                          (int)length, word, text);
    /* Parsed as the letter's smallest value (any, should the letter be unknown), then fitted. */
    int letter = letter_before(kernel, text, word);
    long smallest = letter < kernel->letter_count ? kernel->letters[letter].minimum : 1;
    char smallest_text[256];
    snprintf(smallest_text, sizeof smallest_text, "%.*s%ld%s", (int)(word - text), text, smallest,
             word + length);
    if (shape_parse(shape, smallest_text, kernel->letters, kernel->letter_count, kernel->name,
                    error) != OK)
        return FAILED;
    shape->value[letter] = fit_letter(kernel, *shape, letter, dtype, *bytes);
    return OK;
}

struct cache_sizes run_caches(const struct host *host, int threads)
{
    struct cache_sizes sizes = {0};
    for (int i = 0; i < host->cache_count; i++) {
        const struct cache *cache = &host->cache[i];
        int busy = threads < cache->cores_sharing ? threads : cache->cores_sharing;
        sizes.l3_bytes = cache->size_bytes / (busy > 1 ? busy : 1);
        if (cache->level == 1)
            sizes.l1_bytes = cache->size_bytes;
        if (cache->level <= 2) /* of L1 where there is no L2 */
            sizes.l2_bytes = sizes.l3_bytes;
        int instances = threads < cache->instances ? threads : cache->instances;
        sizes.last_level_bytes = cache->size_bytes * (instances > 1 ? instances : 1);
    }
    return sizes;
}

static double bytes_of(const struct run *run, int index)
{
    const struct operand *operand = &run->operand[index];
    return operand->elements * operand_element_bytes(operand, run->dtype);
}

/* What is behind so many bytes starts on a page of its own. */
static double pages(double bytes)
{
    return (floor(bytes / PAGE_BYTES) + 1) * PAGE_BYTES;
}

/* Where each operand starts. */
static double place(const struct run *run, int index)
{
    double offset = 0;
    for (int i = 0; i < index; i++)
        offset += pages(bytes_of(run, i));
    return offset;
}

double run_room(const struct run *run, room_function *room)
{
    return room ? room(&run->shape, run->isa, run->dtype, run->threads, &run->call.caches) : 0;
}

static void fill(void *context, struct member member)
{
    const struct run *run = context;
    for (int i = 0; i < run->operand_count; i++)
        verify_fill(&run->operand[i], i, run->dtype,
                    member_part(member, (long)run->operand[i].elements,
                                LINE_BYTES / operand_element_bytes(&run->operand[i], run->dtype)),
                    run->call.operand[i]);
}

static void prepare_body(void *context, struct member member)
{
    const struct run *run = context;
    struct call call = run->call;
    call.member = member;
    run->variant->prepare[run->isa][run->dtype](&call);
}

static int prepare_run(struct run *run, struct error *error)
{
    const struct kernel *kernel = run->kernel;
    run->body = run->variant->bodies[run->isa][run->dtype];
    if (!run->body && !run->variant->routine)
        return error_skip(error, "variant '%s' of '%s' has no body for ISA '%s' and dtype '%s'",
                          run->variant->name, kernel->name, isa_name(run->isa),
                          dtype_name(run->dtype));
    if (kernel->check && kernel->check(&run->shape, error) != OK)
        return FAILED;
    if (run->variant->supports) {
        int result = run->variant->supports(&run->shape, error);
        if (result != OK)
            return result;
    }
    run->operand_count = kernel->operands(&run->shape, run->operand);
    run->operand_bytes = operands_bytes(kernel, &run->shape, run->dtype);
    if (run->operand_bytes > addressable_bytes)
        return error_set(error, FAULT_USAGE,
                         "the operands of '%s' would take %.3g bytes, more than any machine can "
                         "address; choose smaller letters",
                         kernel->name, run->operand_bytes);
    return OK;
}

/* Loads the routine's library and lets it plan. */
static int prepare_routine(struct run *run, struct error *error)
{
    const struct routine *routine = run->variant->routine;
    const struct problem problem = {run->kernel, &run->shape, run->dtype, run->threads,
                                    run->call.operand};
    team_spread(run->host->threads);
    int result = library_open(routine->library, &run->library, error);
    if (result != OK)
        return result;
    team_spread(run->threads);
    return routine->prepare(&problem, &run->library, &run->plan, error);
}

int run_open(struct run *run, struct error *error)
{
    run->memory = (struct memory){0};
    run->plan = NULL;
    int result = prepare_run(run, error);
    if (result != OK)
        return result;
    run->call = (struct call){.shape = &run->shape,
                              .outputs = (long)run->operand[0].elements,
                              .caches = run_caches(run->host, run->threads)};
    const double kept_at = place(run, run->operand_count),
                 kept_bytes = run_room(run, run->variant->kept);
    const double workspace_at = kept_at + pages(kept_bytes),
                 workspace_bytes = run_room(run, run->variant->workspace);
    if (memory_reserve(&run->memory, workspace_at + workspace_bytes, run->kernel->name, run->host,
                       error) != OK)
        return FAILED;
    char *base = run->memory.base;
    for (int i = 0; i < run->operand_count; i++)
        run->call.operand[i] = base + (size_t)place(run, i);
    run->call.kept = kept_bytes > 0 ? base + (size_t)kept_at : NULL;
    run->call.workspace = workspace_bytes > 0 ? base + (size_t)workspace_at : NULL;
    team_run(fill, run, run->threads);
    if (run->variant->prepare[run->isa][run->dtype])
        team_run(prepare_body, run, run->threads);
    run->flops = run->kernel->flops(&run->shape);
    run->bytes = run->kernel->bytes(&run->shape, dtype_bytes(run->dtype));
    run->repeats = 1;
    if (run->variant->routine)
        result = prepare_routine(run, error);
    if (result != OK)
        memory_release(&run->memory);
    return result;
}

void run_close(struct run *run)
{
    if (run->plan)
        run->variant->routine->close(run->plan);
    memory_release(&run->memory);
}

static void call_body(void *context, struct member member)
{
    const struct run *run = context;
    struct call call = run->call;
    call.member = member;
    for (long i = 0; i < run->repeats; i++)
        run->body(&call);
}

static void call_routine(void *context, struct member member)
{
    (void)member;
    const struct run *run = context;
    for (long i = 0; i < run->repeats; i++)
        run->variant->routine->run(run->plan);
}

struct verdict {
    const struct run *run;
    long count;
    struct deviation *deviation; /* one per member */
};

static void compare_part(void *context, struct member member)
{
    const struct verdict *verdict = context;
    const struct run *run = verdict->run;
    verdict->deviation[member.index] =
        verify_part(run->kernel, &run->call, run->dtype, verdict->count,
                    member_part(member, verdict->count, 1));
}

int run_verify(struct run *run, double *error_rel, struct error *error)
{
    struct verdict verdict = {run, verify_count(run->kernel, &run->shape, run->call.outputs),
                              calloc((size_t)run->threads, sizeof *verdict.deviation)};
    if (!verdict.deviation)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory to verify '%s'",
                         run->kernel->name);
    run->repeats = 1;
    struct work work = run_work(run, false);
    if (work.prepare)
        team_run(work.prepare, run, work.threads);
    team_run(work.run, run, work.threads);
    if (run->variant->routine && run->variant->routine->deliver)
        run->variant->routine->deliver(run->plan);
    team_run(compare_part, &verdict, run->threads);
    struct deviation largest = {0, 0};
    for (int i = 0; i < run->threads; i++)
        largest = deviation_larger(largest, verdict.deviation[i]);
    free(verdict.deviation);
    *error_rel = deviation_rel(largest);
    double tolerance = variant_tolerance(run->kernel, run->variant, &run->shape, run->dtype);
    if (!(*error_rel <= tolerance))
        return error_set(error, FAULT_WRONG,
                         "'%s' variant '%s' for %s %s differs from the reference by %.2g, allowed "
                         "is %.2g",
                         run->kernel->name, run->variant->name, isa_name(run->isa),
                         dtype_name(run->dtype), *error_rel, tolerance);
    return OK;
}

/* Reads one byte of each line of the member's part of each operand. */
static void warm_caches(void *context, struct member member)
{
    const struct run *run = context;
    for (int i = 0; i < run->operand_count; i++) {
        struct part part = member_part(member, (long)bytes_of(run, i), LINE_BYTES);
        const volatile char *bytes = run->call.operand[i];
        for (long at = part.begin; at < part.end; at += LINE_BYTES)
            (void)bytes[at];
    }
}

static void do_nothing(void *context, struct member member)
{
    (void)context, (void)member;
}

/* The team meets once before the routine is called. A library that shares our OpenMP runtime then
 * finds as many threads as it will ask for, each on its seat; and whatever threads it has beside
 * them it may only use on the same units. */
static void seat_library(struct run *run, team_function *first)
{
    team_run(first, run, run->threads);
    team_spread(run->threads);
}

static void prepare_warm(void *context, struct member member)
{
    (void)member;
    seat_library(context, warm_caches);
}

static void prepare_cold(void *context, struct member member)
{
    (void)member;
    seat_library(context, do_nothing);
}

struct work run_work(struct run *run, bool warm)
{
    if (run->variant->routine)
        return (struct work){warm ? prepare_warm : prepare_cold, call_routine, run, 1};
    return (struct work){warm ? warm_caches : NULL, call_body, run, run->threads};
}
