// graph_attempt.c - a launch, or plain loops, by itself.
//
// A launch of a graph runs once, on operands that others have used some time before. So an attempt
// is one call, too, and before it each operand is touched, and after that as much other memory as
// lies between two uses in the graph. Its code, too, has run some time before there, so it runs
// that long before, on copies of what the graph has not used since.
#include "graph_attempt.h"

#include <math.h>
#include <string.h>

#include "cost.h"
#include "interrupt.h"
#include "lengths.h"
#include "run.h"
#include "weights.h"

enum { LINE_BYTES = 64 };

/* What has been swept twice over the last cache has nothing in it any more. Of a cache of hundreds
 * of MiB a call finds the same behind less, and the sweeps would take most of the time. */
static const double caches_swept = 2, most_swept_bytes = 64e6;

int attempts_open(struct attempts *attempts, const struct host *host, enum isa isa,
                  double farthest_bytes, struct error *error)
{
    const double swept_bytes = caches_swept * run_caches(host, host->threads).last_level_bytes;
    const double bytes = fmin(fmin(farthest_bytes, swept_bytes), most_swept_bytes);
    *attempts = (struct attempts){.host = host, .isa = isa, .elsewhere_bytes = bytes};
    if (memory_reserve(&attempts->elsewhere, bytes, "memory between two uses", host, error) != OK)
        return FAILED;
    memset(attempts->elsewhere.base, 1, (size_t)bytes); /* pages of zeros would be one page */
    return OK;
}

void attempts_close(struct attempts *attempts)
{
    memory_release(&attempts->elsewhere);
}

/* ---- where operands lie ---- */

/* How memory has been used that a call comes upon. */
enum usage {
    USE_READ,    /* constants */
    USE_WRITTEN, /* what another node has made: each member its part */
    USE_MIXED,   /* where results go: other arrays were there, of which members had other parts */
    USE_CODE,    /* a call that is not timed */
};

/* Memory that is touched before the call. */
struct touch {
    char *begin;
    double bytes;
    enum usage usage;
    double distance_bytes; /* as the graph has it */
    double gap_bytes;      /* of other memory behind it */
};

struct attempt {
    const struct attempts *attempts;
    struct run run;
    struct touch
        touch[KERNEL_OPERANDS_MAX + 2]; /* workspace and code, too; the farthest away first */
    int touch_count;
    struct call earlier; /* the call whose code has run, on copies of what is farther away */
};

static void add_touch(struct attempt *attempt, void *begin, double bytes, double distance_bytes,
                      enum usage usage)
{
    if (!(bytes > 0) || isnan(distance_bytes))
        return;
    int at = attempt->touch_count++;
    for (; at > 0 && attempt->touch[at - 1].distance_bytes < distance_bytes; at--)
        attempt->touch[at] = attempt->touch[at - 1];
    attempt->touch[at] = (struct touch){begin, bytes, usage, distance_bytes, 0};
}

/* A distance is a mean over an operand that is swept before the call and in it, so half of both
 * sweeps is part of it; that of code is from the end of one call to the end of the next one, and
 * its touch stands where the earlier call begins, another footprint before. */
static void find_gaps(struct attempt *attempt, double footprint_bytes)
{
    double behind = 0;
    for (int i = attempt->touch_count - 1; i >= 0; i--) {
        struct touch *touch = &attempt->touch[i];
        const double own =
            touch->usage == USE_CODE ? 2 * footprint_bytes : (touch->bytes + footprint_bytes) / 2;
        const double wanted = touch->distance_bytes - own;
        touch->gap_bytes = fmax(0, fmin(wanted, attempt->attempts->elsewhere_bytes) - behind);
        behind += touch->bytes + touch->gap_bytes;
    }
}

static enum usage usage_of(const struct site *site, const struct launch_operand *operand)
{
    const bool is_constant = operand->source == SOURCE_CONSTANT ||
                             (operand->source == SOURCE_INPUT && site->input[operand->index].data);
    return is_constant ? USE_READ : USE_WRITTEN;
}

/* The earlier call, which began so far back. It uses what has been used since, as the graph's may
 * have, and copies of what has not, where other memory is; where they do not fit there is none. */
static void add_code(struct attempt *attempt, double distance_bytes)
{
    const struct attempts *attempts = attempt->attempts;
    struct call *call = &attempt->earlier;
    double copied_bytes = 0;
    *call = attempt->run.call;
    for (int i = 0; i < attempt->touch_count; i++) {
        const struct touch *touch = &attempt->touch[i];
        char *copy = (char *)attempts->elsewhere.base + (size_t)copied_bytes;
        if (touch->distance_bytes <= distance_bytes)
            continue;
        copied_bytes += ceil(touch->bytes / LINE_BYTES) * LINE_BYTES;
        if (copied_bytes > attempts->elsewhere_bytes)
            return;
        memcpy(copy, touch->begin, (size_t)touch->bytes);
        for (int k = 0; k < attempt->run.operand_count; k++)
            if (call->operand[k] == touch->begin)
                call->operand[k] = copy;
        if (call->kept == touch->begin)
            call->kept = copy;
    }
    add_touch(attempt, NULL, fmax(copied_bytes, LINE_BYTES), distance_bytes, USE_CODE);
}

/* Of packed weights the packed ones; where the graph computes in place, in place. The workspace is
 * one place for all nodes: whatever has used it has just used it. */
static void find_touches(struct attempt *attempt, const struct site *site,
                         const struct launch *launch, const struct operand_reuse *reuse,
                         double code_distance_bytes)
{
    struct run *run = &attempt->run;
    const bool packs = run->variant->prepare[run->isa][run->dtype] != NULL;
    double footprint_bytes = 0;
    bool is_in_place = false;
    for (int i = 1; i < run->operand_count; i++)
        if (reuse[i].is_target) {
            run->call.operand[0] = run->call.operand[i];
            is_in_place = true;
        }
    for (int i = 0; i < run->operand_count; i++) {
        const struct operand *operand = &run->operand[i];
        double bytes = operand->elements * operand_element_bytes(operand, run->dtype);
        void *begin = run->call.operand[i];
        if (reuse[i].is_target)
            continue;
        if (packs && strcmp(operand->name, "weights") == 0) {
            begin = run->call.kept;
            bytes = run_room(run, run->variant->kept);
        }
        footprint_bytes += bytes;
        add_touch(attempt, begin, bytes, reuse[i].distance_bytes,
                  i == 0 && !is_in_place ? USE_MIXED : usage_of(site, &launch->operand[i]));
    }
    const double workspace_bytes = run_room(run, run->variant->workspace);
    add_touch(attempt, run->call.workspace, workspace_bytes, 0, USE_READ);
    footprint_bytes += workspace_bytes;
    add_code(attempt, code_distance_bytes + footprint_bytes);
    find_gaps(attempt, footprint_bytes);
}

/* Reads one byte of each line of the member's part. */
static void read_part(const char *begin, double bytes, struct member member)
{
    const struct part part = member_part(member, (long)bytes, LINE_BYTES);
    const volatile char *at = begin;
    for (long i = part.begin; i < part.end; i += LINE_BYTES)
        (void)at[i];
}

static void write_lines(char *begin, long first, long end)
{
    volatile char *at = begin;
    for (long i = first; i < end; i += LINE_BYTES)
        at[i] = at[i];
}

/* Writes the member's part: its lines are then in the caches of that core alone. */
static void write_part(char *begin, double bytes, struct member member)
{
    const struct part part = member_part(member, (long)bytes, LINE_BYTES);
    write_lines(begin, part.begin, part.end);
}

/* Writes chunks in turn with the other members, so that each part has some of everybody. */
static void write_mixed(char *begin, double bytes, struct member member)
{
    const long chunk = 4096;
    for (long i = chunk * member.index; i < (long)bytes; i += chunk * member.count)
        write_lines(begin, i, smaller(i + chunk, (long)bytes));
}

static void run_body(const struct attempt *attempt, struct call call, struct member member)
{
    call.member = member;
    attempt->run.body(&call);
}

static void approach(void *context, struct member member)
{
    const struct attempt *attempt = context;
    const char *other = attempt->attempts->elsewhere.base;
    for (int i = 0; i < attempt->touch_count; i++) {
        const struct touch *touch = &attempt->touch[i];
        if (touch->usage == USE_CODE)
            run_body(attempt, attempt->earlier, member);
        else if (touch->usage == USE_MIXED)
            write_mixed(touch->begin, touch->bytes, member);
        else if (touch->usage == USE_WRITTEN)
            write_part(touch->begin, touch->bytes, member);
        else
            read_part(touch->begin, touch->bytes, member);
        read_part(other, touch->gap_bytes, member);
        other += (size_t)touch->gap_bytes / LINE_BYTES * LINE_BYTES;
    }
}

static void call_once(void *context, struct member member)
{
    const struct attempt *attempt = context;
    run_body(attempt, attempt->run.call, member);
}

/* ---- attempts ---- */

/* From the last start on: in a graph all leave a barrier together. The first call, which touches a
 * workspace for the first time, does not count, wherever its operands are. */
static int time_calls(struct attempt *attempt, double seconds[ATTEMPT_SAMPLES])
{
    const struct work first = {NULL, call_once, attempt, attempt->run.threads};
    const struct work work = {approach, call_once, attempt, attempt->run.threads};
    int count = 0;
    measure_sample(&first);
    while (count < ATTEMPT_SAMPLES && !interrupted()) {
        const struct sample sample = measure_sample(&work);
        seconds[count++] = sample.seconds - sample.skew_seconds;
    }
    return count;
}

int attempt_launch(const struct attempts *attempts, const struct executor_node *node, int launch,
                   double seconds[ATTEMPT_SAMPLES])
{
    const struct launch *of = &node->lowering->launch[launch];
    struct error ignored;
    struct attempt attempt = {
        .attempts = attempts,
        .run = {.host = attempts->host,
                .kernel = of->kernel,
                .variant = variant_find(of->kernel, node->variants[launch]),
                .isa = attempts->isa,
                .dtype = of->dtype,
                .shape = of->shape,
                .threads = node->threads},
    };
    struct run *run = &attempt.run;
    while (run->isa > 0 && !run->variant->bodies[run->isa][run->dtype])
        run->isa--;
    if (run_open(run, &ignored) != OK)
        return 0;
    find_touches(&attempt, node->site, of, &node->reuse[launch * KERNEL_OPERANDS_MAX],
                 node->code_distance_bytes[launch]);
    const int count = time_calls(&attempt, seconds);
    run_close(run);
    return count;
}

/* ---- plain loops ---- */

/* A site with values of its own, of `values`. */
static int open_values(struct site *site, const struct site *of, struct arena *values)
{
    const struct node *node = of->node;
    const struct weight_rule rule = {.role = WEIGHT_PRODUCTS, .fan_in = 6, .gain = 1};
    struct array *input = arena_take_array(values, (size_t)node->input_count, sizeof *input);
    *site = *of;
    site->output = arena_take_array(values, (size_t)node->output_count, sizeof *site->output);
    if (!input || !site->output)
        return FAILED;
    for (int i = 0; i < node->input_count; i++) {
        input[i] = of->input[i];
        const long bytes = type_bytes(&input[i].type);
        if (node->inputs[i] < 0 || input[i].data)
            continue;
        if (bytes < 0 || !(input[i].data = arena_take(values, (size_t)bytes)))
            return FAILED;
        memset(input[i].data, 0, (size_t)bytes);
        if (element_is_real(input[i].type.element))
            weight_fill("trial", &input[i].type, rule, input[i].data);
    }
    site->input = input;
    for (int i = 0; i < node->output_count; i++) {
        struct array *output = &site->output[i];
        output->type = of->output[i].type;
        const long bytes = type_bytes(&output->type);
        if (bytes >= 0 && !(output->data = arena_take(values, (size_t)bytes)))
            return FAILED;
    }
    return OK;
}

int attempt_loops(const struct executor_node *node, double seconds[ATTEMPT_SAMPLES])
{
    struct arena values = {0}, scratch = {0};
    struct error ignored;
    struct site site;
    int count = 0, result = open_values(&site, node->site, &values);
    site.arena = &scratch;
    if (result == OK)
        result = site.node->op->evaluate(&site, &ignored); /* touches results for the first time */
    while (result == OK && count < ATTEMPT_SAMPLES && !interrupted()) {
        arena_reset(&scratch);
        const double begin = seconds_now();
        result = site.node->op->evaluate(&site, &ignored);
        seconds[count++] = seconds_now() - begin;
    }
    arena_free(&values);
    arena_free(&scratch);
    return result == OK ? count : 0;
}
