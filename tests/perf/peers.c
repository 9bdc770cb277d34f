// peers.c - our ceilings against likwid-bench on the same working sets, interleaved round by round.
//
// Neither side's minute is better than the other's: in every round each pair is sampled back to
// back, and the ratio is taken there. Both count the same bytes: pairs with regular stores, where
// one side may add the write-allocate, are left out.
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "interrupt.h"
#include "provenance.h"
#include "stats.h"

enum { ROUNDS = 10, SAMPLES_PER_ROUND = 41 };

/* likwid-bench prints one mean over this long, our side the median of its samples. */
static const double peer_seconds = 0.3;
static const double peer_first_bytes = 1e9; /* of its first, calibrating run: 10 to 100 ms */

/* peakflops loads one operand: well inside the first level of every CPU that it runs on. */
static const double compute_set_bytes = 16384;

/* Rows of peers.csv: TEXT(name, capacity, meaning) REAL(name, unit, meaning) */
#define PEER_COLUMNS                                                                               \
    TEXT(group, 16, "what ONLY= selects")                                                          \
    TEXT(work, 24, "unit mix, or level and operation")                                             \
    TEXT(shape, 32, "bytes that all threads work on")                                              \
    TEXT(dtype, 8, "as in bench.csv")                                                              \
    REAL(threads, "count", "one per core")                                                         \
    TEXT(ours, 32, "ISA of our loop")                                                              \
    REAL(ours_value, "unit", "median over the rounds")                                             \
    TEXT(peer, 48, "kernel of likwid-bench")                                                       \
    REAL(peer_value, "unit", "median over the rounds")                                             \
    TEXT(unit, 8, "flop/s, byte/s")                                                                \
    REAL(ratio, "1", "ours / peer, median over the rounds; above 1: ours is better")               \
    REAL(rounds, "count", "rounds behind the ratio")                                               \
    REAL(spread_rel, "1", "interquartile range of the ratios / their median")

#define TEXT(name, capacity, meaning) char name[capacity];
#define REAL(name, unit, meaning) double name;
struct peer_row {
    PEER_COLUMNS
};
#undef TEXT
#undef REAL
#define TEXT(name, capacity, meaning)                                                              \
    {#name, FIELD_TEXT, offsetof(struct peer_row, name), capacity, meaning},
#define REAL(name, unit, meaning)                                                                  \
    {#name, FIELD_REAL, offsetof(struct peer_row, name), sizeof(double), unit ": " meaning},
static const struct field peer_fields[] = {PEER_COLUMNS};
#undef TEXT
#undef REAL

static const struct schema peer_schema = {
    .name = "peers",
    .version = 1,
    .fields = peer_fields,
    .field_count = sizeof peer_fields / sizeof *peer_fields,
    .row_bytes = sizeof(struct peer_row),
};

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
    double ours[ROUNDS], peer[ROUNDS], ratio[ROUNDS];
};

/* ---- likwid-bench ---- */

/* The peer is started by a process that was forked before any thread was pinned, because CPU
 * affinity and memory policy are inherited: the peer would have to live on our first core. */
struct launcher {
    FILE *requests, *answers;
    pid_t child;
};

struct answer {
    double mflops, mbytes; /* as printed: 10^6 per second */
    double seconds, iterations;
};

static struct answer run_command(const char *command)
{
    struct answer answer = {NAN, NAN, NAN, NAN};
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
    if (output && pclose(output) != 0)
        answer.mflops = answer.mbytes = NAN;
    return answer;
}

static void serve(FILE *requests, FILE *answers)
{
    char command[256];
    while (fgets(command, sizeof command, requests)) {
        command[strcspn(command, "\n")] = 0;
        struct answer answer = run_command(command);
        fwrite(&answer, sizeof answer, 1, answers);
        fflush(answers);
    }
}

static int launcher_start(struct launcher *launcher, struct error *error)
{
    int down[2], up[2];
    if (pipe(down) != 0 || pipe(up) != 0 || (launcher->child = fork()) < 0)
        return error_set(error, FAULT_ENVIRONMENT, "cannot start a process for likwid-bench");
    bool is_child = launcher->child == 0;
    close(down[is_child]);
    close(up[!is_child]);
    FILE *in = fdopen(is_child ? down[0] : up[0], "r"),
         *out = fdopen(is_child ? up[1] : down[1], "w");
    if (!in || !out)
        return error_set(error, FAULT_ENVIRONMENT, "cannot open pipes to likwid-bench");
    if (is_child) {
        serve(in, out);
        _exit(0);
    }
    launcher->answers = in;
    launcher->requests = out;
    return OK;
}

static struct answer launcher_ask(struct launcher *launcher, const char *command)
{
    struct answer answer = {NAN, NAN, NAN, NAN};
    fprintf(launcher->requests, "%s\n", command);
    fflush(launcher->requests);
    if (fread(&answer, sizeof answer, 1, launcher->answers) != 1)
        answer.mflops = answer.mbytes = NAN;
    return answer;
}

static void launcher_stop(struct launcher *launcher)
{
    fclose(launcher->requests);
    fclose(launcher->answers);
    waitpid(launcher->child, NULL, 0);
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

static int append_row(struct table *table, struct match *match, int rounds, struct error *error)
{
    struct peer_row *row = table_append(table);
    if (!row)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the rows of peers.csv");
    const struct ceiling *ceiling = &match->gauge->row;
    size_t count = (size_t)rounds;
    struct quartiles ratio = quartiles_of(match->ratio, count);
    text_copy(row->group, sizeof row->group, "ceilings");
    text_copy(row->work, sizeof row->work, match->pair->level);
    text_format(row->shape, sizeof row->shape, "bytes=%.0f", match->set_bytes);
    text_copy(row->dtype, sizeof row->dtype, *ceiling->dtype ? ceiling->dtype : "f64");
    row->threads = match->workers;
    text_copy(row->ours, sizeof row->ours, ceiling->isa);
    row->ours_value = quartiles_of(match->ours, count).median;
    text_format(row->peer, sizeof row->peer, "likwid-bench %s", match->pair->kernel);
    row->peer_value = quartiles_of(match->peer, count).median;
    text_copy(row->unit, sizeof row->unit, ceiling->unit);
    row->ratio = ratio.median;
    row->rounds = rounds;
    row->spread_rel = spread_rel(&ratio);
    return OK;
}

static int compare(struct launcher *launcher, struct probe_run *run, struct table *table,
                   struct error *error)
{
    static const char *const names[] = {"compute", "bandwidth", NULL};
    struct match matches[PROBE_WORKER_COUNTS * PAIR_COUNT];
    int workers[PROBE_WORKER_COUNTS], count = 0, round;
    int counts = probe_worker_counts(run, workers), most = workers[counts - 1];
    if (probe_collect(run, names, error) != OK)
        return FAILED;
    for (int i = 0; i < counts && workers[i] <= run->host->cores; i++)
        count += find_matches(run, workers[i], matches + count);
    /* Round -1 calibrates and warms; its values are dropped. */
    for (round = -1; round < ROUNDS && !interrupted(); round++)
        for (int i = 0; i < count && !interrupted(); i++) {
            progress("peers", (round + 1) * count + i, (ROUNDS + 1) * count);
            double ours = sample_ours(run->host, &matches[i], most);
            double peer = sample_peer(launcher, run->host, &matches[i]);
            if (round < 0)
                continue;
            matches[i].ours[round] = ours;
            matches[i].peer[round] = peer;
            matches[i].ratio[round] = ours / peer;
        }
    if (interrupted()) /* the broken round does not count */
        round = round > 1 ? round - 1 : 0;
    for (int i = 0; i < count && round > 0; i++) {
        if (isnan(matches[i].peer[0]))
            warn("likwid-bench '%s' gave no number", matches[i].pair->kernel);
        else if (append_row(table, &matches[i], round, error) != OK)
            return FAILED;
    }
    return OK;
}

static int run_peers(const char *folder, int argc, char **argv, struct error *error)
{
    struct launcher launcher;
    struct host host;
    if (launcher_start(&launcher, error) != OK || host_read(&host, NULL, error) != OK)
        return FAILED;
    struct request request = {.budget = BUDGET_STANDARD, .isa = -1, .dtype = -1};
    struct table machine, table;
    table_init(&machine, &ceiling_schema);
    table_init(&table, &peer_schema);
    struct probe_run run = {.host = &host, .request = &request, .machine = &machine};
    int result = provenance_gather(&table, &host, argc, argv, error);
    if (result == OK)
        result = compare(&launcher, &run, &table, error);
    if (result == OK)
        result = table_write(&table, folder, error);
    if (result == OK)
        result = print_table(&table, OUTPUT_TEXT, error);
    launcher_stop(&launcher);
    probe_free(&run);
    table_free(&table);
    table_free(&machine);
    host_free(&host);
    return result;
}

int main(int argc, char **argv)
{
    struct error error;
    if (argc != 2) {
        error_set(&error, FAULT_USAGE, "usage: peers FOLDER: writes FOLDER/peers.csv");
        return complain(&error);
    }
    interrupt_watch();
    if (run_peers(argv[1], argc, argv, &error) != OK)
        return complain(&error);
    return interrupted();
}
