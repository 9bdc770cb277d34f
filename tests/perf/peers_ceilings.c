// peers_ceilings.c - our ceilings against likwid-bench on the same working sets, interleaved round
// by round.
//
// Neither side's minute is better than the other's: in every round each pair is sampled back to
// back, and the ratio is taken there. Both count the same bytes: pairs with regular stores, where
// one side may add the write-allocate, are left out.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "interrupt.h"
#include "peers.h"
#include "stats.h"

enum { ROUNDS = 10, SAMPLES_PER_ROUND = 41 };

/* likwid-bench prints one mean over this long, our side the median of its samples. */
static const double peer_seconds = 0.3;
static const double peer_first_bytes = 1e9; /* of its first, calibrating run: 10 to 100 ms */

/* peakflops loads one operand: well inside the first level of every CPU that it runs on. */
static const double compute_set_bytes = 16384;

/* What is compared; isa is that of our loop (NULL: the one the probe chose) and must run here, as
 * must the one that the peer's kernel needs. */
struct work_pair {
    const char *level, *dtype, *isa;
    const char *kernel;
    enum isa kernel_isa;
};

#if defined(__x86_64__)
static const struct work_pair pairs[] = {
    {"mul+add", "f32", "avx", "peakflops_sp_avx", ISA_avx},
    {"fma", "f32", "avx2", "peakflops_sp_avx_fma", ISA_avx2},
    {"fma", "f64", "avx2", "peakflops_avx_fma", ISA_avx2},
    {"fma", "f32", "avx512", "peakflops_sp_avx512_fma", ISA_avx512},
    {"fma", "f64", "avx512", "peakflops_avx512_fma", ISA_avx512},
    {"L1:read", NULL, "avx2", "load_avx", ISA_avx},
    {"L2:read", NULL, "avx2", "load_avx", ISA_avx},
    {"L3:read", NULL, "avx2", "load_avx", ISA_avx},
    {"L1:read", NULL, "avx512", "load_avx512", ISA_avx512},
    {"L2:read", NULL, "avx512", "load_avx512", ISA_avx512},
    {"L3:read", NULL, "avx512", "load_avx512", ISA_avx512},
    {"DRAM:read", NULL, NULL, "load_avx", ISA_avx},
    {"DRAM:copy_nt", NULL, NULL, "copy_mem_avx", ISA_avx},
    {"DRAM:triad_nt", NULL, NULL, "stream_mem_avx_fma", ISA_avx2},
    {"DRAM:read", NULL, NULL, "load_avx512", ISA_avx512},
    {"DRAM:copy_nt", NULL, NULL, "copy_mem_avx512", ISA_avx512},
    {"DRAM:triad_nt", NULL, NULL, "stream_mem_avx512", ISA_avx512},
};
#else
static const struct work_pair pairs[] = {{"DRAM:read", NULL, NULL, "load", ISA_scalar}};
#endif
enum { PAIR_COUNT = sizeof pairs / sizeof *pairs };

/* A pair that runs: one gauge, one command, one pair of values per round. */
struct match {
    const struct work_pair *pair;
    struct gauge *gauge; /* borrowed from the probe run */
    int workers;
    double set_bytes;
    long peer_iterations; /* passes over the set that take peer_seconds */
    struct pairs pairs;
};

/* ---- likwid-bench ---- */

struct answer {
    double mflops, mbytes; /* as printed: 10^6 per second */
    double seconds, iterations;
    bool failed;
};

static struct answer run_command(const char *command)
{
    struct answer answer = {NAN, NAN, NAN, NAN, false};
    FILE *output = popen(command, "r");
    char line[512];
    double number;
    while (output && fgets(line, sizeof line, output)) {
        if (sscanf(line, "Time: %lf", &number) == 1)
            answer.seconds = number;
        else if (sscanf(line, "Iterations per thread: %lf", &number) == 1)
            answer.iterations = number;
        else if (sscanf(line, "MFlops/s: %lf", &number) == 1)
            answer.mflops = number;
        else if (sscanf(line, "MByte/s: %lf", &number) == 1)
            answer.mbytes = number;
    }
    answer.failed = !output || pclose(output) != 0;
    if (answer.failed)
        answer.mflops = answer.mbytes = NAN;
    return answer;
}

void launcher_serve(FILE *requests, FILE *answers)
{
    char command[256];
    while (fgets(command, sizeof command, requests)) {
        command[strcspn(command, "\n")] = 0;
        struct answer answer = run_command(command);
        fwrite(&answer, sizeof answer, 1, answers);
        fflush(answers);
    }
}

static struct answer launcher_ask(struct launcher *launcher, const char *command)
{
    struct answer answer = {NAN, NAN, NAN, NAN, true};
    fprintf(launcher->requests, "%s\n", command);
    fflush(launcher->requests);
    if (fread(&answer, sizeof answer, 1, launcher->answers) != 1)
        answer = (struct answer){NAN, NAN, NAN, NAN, true};
    return answer;
}

static double sample_peer(struct launcher *launcher, const struct host *host, struct match *match)
{
    char command[256];
    /* One thread per core: likwid lists the hardware threads of a core side by side. */
    int stride = host->machine_threads / host->machine_cores;
    snprintf(command, sizeof command, "likwid-bench -t %s -w S0:%.0fB:%d:1:%d -i %ld 2>/dev/null",
             match->pair->kernel, match->set_bytes, match->workers, stride > 1 ? stride : 1,
             match->peer_iterations);
    struct answer answer = launcher_ask(launcher, command);
    if (answer.seconds > 0)
        match->peer_iterations = 1 + (long)(answer.iterations * peer_seconds / answer.seconds);
    return 1e6 * (strcmp(match->gauge->row.unit, "flop/s") == 0 ? answer.mflops : answer.mbytes);
}

/* ---- our side ---- */

static double sample_ours(const struct host *host, const struct match *match, int most)
{
    struct error error;
    double rates[SAMPLES_PER_ROUND];
    /* Waiting for the peer, the pool may have been moved. */
    if (team_pin(host, most, &error) != OK)
        return NAN;
    for (int i = 0; i < SAMPLES_PER_ROUND; i++)
        rates[i] = gauge_sample(match->gauge).rate;
    return quartiles_of(rates, SAMPLES_PER_ROUND).median;
}

/* Bytes of all workers together, as the gauge itself states them: "2 x 128 KiB per worker". */
static double gauge_set_bytes(const struct gauge *gauge)
{
    unsigned long arrays, kibibytes;
    if (strcmp(gauge->row.kind, "compute") == 0)
        return compute_set_bytes * gauge->row.workers;
    if (sscanf(gauge->row.source, "%lu x %lu KiB", &arrays, &kibibytes) != 2)
        return NAN;
    return (double)arrays * (double)kibibytes * 1024 * gauge->row.workers;
}

static int find_matches(struct probe_run *run, int workers, struct match *matches)
{
    int count = 0;
    for (int i = 0; i < PAIR_COUNT; i++) {
        const struct work_pair *pair = &pairs[i];
        struct gauge *gauge = probe_find_gauge(run, pair->level, pair->dtype, pair->isa, workers);
        if (!gauge || !isa_supported(pair->kernel_isa))
            continue;
        double bytes = gauge_set_bytes(gauge);
        matches[count++] =
            (struct match){.pair = pair,
                           .gauge = gauge,
                           .workers = workers,
                           .set_bytes = bytes,
                           .peer_iterations = 1 + (long)(workers * peer_first_bytes / bytes)};
    }
    return count;
}

static int append_row(struct comparison *comparison, const struct match *match, struct error *error)
{
    const struct ceiling *ceiling = &match->gauge->row;
    struct peer_row key = {.threads = match->workers};
    text_copy(key.group, sizeof key.group, ceilings_group.name);
    text_copy(key.work, sizeof key.work, match->pair->level);
    text_format(key.shape, sizeof key.shape, "bytes=%.0f", match->set_bytes);
    text_copy(key.dtype, sizeof key.dtype, *ceiling->dtype ? ceiling->dtype : "f64");
    text_copy(key.ours, sizeof key.ours, ceiling->isa);
    text_format(key.peer, sizeof key.peer, "likwid-bench %s", match->pair->kernel);
    text_copy(key.unit, sizeof key.unit, ceiling->unit);
    return peer_append(comparison, &key, &match->pairs, error);
}

/* Round -1 calibrates and warms; its values are dropped, as are those of a broken round. */
static void sample_rounds(struct comparison *comparison, struct match *matches, int count, int most)
{
    for (int round = -1; round < ROUNDS; round++)
        for (int i = 0; i < count; i++) {
            struct match *match = &matches[i];
            if (interrupted())
                return;
            progress("ceilings", (round + 1) * count + i, (ROUNDS + 1) * count);
            double ours = sample_ours(&comparison->host, match, most);
            double peer = sample_peer(&comparison->launcher, &comparison->host, match);
            if (round < 0)
                continue;
            match->pairs.ours[round] = ours;
            match->pairs.peer[round] = peer;
            match->pairs.rounds = round + 1;
        }
}

static int compare_gauges(struct comparison *comparison, struct probe_run *run, struct error *error)
{
    static const char *const names[] = {"compute", "bandwidth", NULL};
    struct match matches[PROBE_WORKER_COUNTS * PAIR_COUNT];
    int workers[PROBE_WORKER_COUNTS], count = 0, result = OK;
    int counts = probe_worker_counts(run, workers), most = workers[counts - 1];
    if (probe_collect(run, names, error) != OK)
        return FAILED;
    for (int i = 0; i < counts && workers[i] <= run->host->cores; i++)
        count += find_matches(run, workers[i], matches + count);
    sample_rounds(comparison, matches, count, most);
    for (int i = 0; i < count && result == OK; i++) {
        if (matches[i].pairs.rounds == 0)
            continue;
        if (isnan(matches[i].pairs.peer[0]))
            warn("likwid-bench '%s' gave no number", matches[i].pair->kernel);
        else
            result = append_row(comparison, &matches[i], error);
    }
    return result;
}

static int compare(struct comparison *comparison, struct error *error)
{
    if (launcher_ask(&comparison->launcher, "likwid-bench -a >/dev/null 2>&1").failed)
        return error_skip(error, "likwid-bench is not here; remedy: make deps-peers");
    struct request request = {.budget = BUDGET_STANDARD, .isa = -1, .dtype = -1};
    struct table machine;
    table_init(&machine, &ceiling_schema);
    struct probe_run run = {.host = &comparison->host, .request = &request, .machine = &machine};
    int result = compare_gauges(comparison, &run, error);
    probe_free(&run);
    table_free(&machine);
    return result;
}

const struct peer_group ceilings_group = {"ceilings", compare};
