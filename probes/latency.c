// latency.c - load-to-use latency of every level: a chain of pointers in random order.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"
#include "stats.h"

/* Loads of one sample in a cache: 0.1 to 1 ms. */
enum { CACHE_LOADS = 1 << 14, DRAM_LOADS = 1 << 12 };

/* Lines for the DRAM chain: the lines of a sample are flushed before it, so this needs to overrun
 * no cache, only to keep a neighbour line from coming in by prefetch. Few enough pages that the TLB
 * holds them all. */
static const double dram_set_bytes = 64.0 * (1 << 20);

struct latency_state {
    char *base; /* borrowed from the run */
    int line_bytes;
    double inner_bytes; /* of the cache inside this one; 0 without */
    void **position;    /* the next load's address */
    long nodes;
    long settling_loads, loads; /* before and in a sample */
};

static void *chase(void **position, long loads)
{
    for (; loads > 0; loads -= 8) {
        position = *position;
        position = *position;
        position = *position;
        position = *position;
        position = *position;
        position = *position;
        position = *position;
        position = *position;
    }
    return position;
}

static void run_chase(void *context, struct member member)
{
    (void)member;
    struct latency_state *state = context;
    state->position = chase(state->position, state->loads);
}

/* The whole set into the level, in the order of addresses, so that its first lines are still there
 * when the sample comes: in random order a large set takes 10 ms to come from DRAM, in which time
 * neighbours push it out again. Then so far along the chain that the inner levels hold what the
 * sample does not load. */
static void fill_cache(void *context, struct member member)
{
    (void)member;
    struct latency_state *state = context;
    for (int pass = 0; pass < PROBE_FILL_PASSES; pass++)
        for (long i = 0; i < state->nodes; i++)
            (void)*(void *volatile *)(state->base + i * state->line_bytes);
    state->position = chase(state->position, (state->settling_loads + 7) / 8 * 8);
}

static void flush_line(const void *address)
{
#if defined(__x86_64__)
    __asm__ volatile("clflush (%0)" ::"r"(address) : "memory");
#elif defined(__aarch64__)
    __asm__ volatile("dc civac, %0" ::"r"(address) : "memory");
#endif
}

/* Puts the lines of the coming sample out of all caches. */
static void flush_lines(void *context, struct member member)
{
    (void)member;
    struct latency_state *state = context;
    void **position = state->position;
    for (long i = 0; i < state->loads; i++) {
        void **next = *position;
        flush_line(position);
        position = next;
    }
    __sync_synchronize();
}

/* A single random cycle over all nodes (Sattolo 1986, doi:10.1016/0020-0190(86)90073-6), one node
 * per line. */
static void build_chain(char *base, long nodes, size_t line_bytes)
{
    uint64_t random =
        88172645463325252u; /* xorshift64, Marsaglia 2003, doi:10.18637/jss.v008.i14 */
    for (long i = 0; i < nodes; i++)
        *(void **)(base + (size_t)i * line_bytes) = base + (size_t)i * line_bytes;
    for (long i = nodes - 1; i > 0; i--) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        void **mine = (void **)(base + (size_t)i * line_bytes);
        void **other = (void **)(base + (size_t)(random % (uint64_t)i) * line_bytes);
        void *next = *mine;
        *mine = *other;
        *other = next;
    }
}

/* Makes the first set_bytes of its memory the gauge's set; `words` end its source. */
static void lay_chain(struct gauge *gauge, double set_bytes, const char *words)
{
    struct latency_state *state = gauge->state;
    state->nodes = (long)(set_bytes / state->line_bytes);
    state->settling_loads = (long)(fmin(set_bytes, 1.5 * state->inner_bytes) / state->line_bytes);
    build_chain(state->base, state->nodes, (size_t)state->line_bytes);
    state->position = (void **)state->base;
    text_format(gauge->row.source, sizeof gauge->row.source,
                "load to use: pointers in one random cycle over %ld lines of %d B%s", state->nodes,
                state->line_bytes, words);
}

static void close_latency(struct gauge *gauge)
{
    free(gauge->state);
}

/* SKIPPED, with a row that says why, where there is no memory for the set. */
static int add_gauge(struct probe_run *run, const char *level, double set_bytes, double inner_bytes,
                     int line_bytes, bool cache, struct error *error)
{
    struct ceiling row = {.workers = 1};
    text_copy(row.level, sizeof row.level, level);
    text_copy(row.kind, sizeof row.kind, "latency");
    text_copy(row.unit, sizeof row.unit, "s");
    char *base = probe_reserve(run, set_bytes, "the latency probe", error);
    if (!base)
        return probe_skip(run, &row, error->text, error) == OK ? SKIPPED : FAILED;
    struct gauge *gauge = probe_add_gauge(run);
    struct latency_state *state = calloc(1, sizeof *state);
    if (!gauge || !state) {
        free(state);
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the latency probe");
    }
    state->base = base;
    state->line_bytes = line_bytes;
    state->inner_bytes = inner_bytes;
    state->loads = cache ? CACHE_LOADS : DRAM_LOADS;
    gauge->row = row;
    gauge->state = state;
    gauge->close = close_latency;
    gauge->work = (struct work){cache ? fill_cache : flush_lines, run_chase, state, 1};
    gauge->amount = (double)state->loads;
    lay_chain(gauge, set_bytes, cache ? "" : ", flushed before each sample");
    return OK;
}

/* A quarter of an inner level, so that no set of the cache overflows even on scattered pages; of a
 * shared outer one eight times the inner level, at most half of it. */
static double set_of(const struct host *host, int index)
{
    const struct cache *cache = &host->cache[index];
    if (cache->level < 3)
        return cache->size_bytes / 4;
    double inner = index ? host->cache[index - 1].size_bytes : INFINITY;
    return fmin(8 * inner, cache->size_bytes / 2);
}

static double quick_seconds(const struct gauge *gauge)
{
    enum { SAMPLES = 5 };
    double seconds[SAMPLES];
    for (int i = 0; i < SAMPLES; i++)
        seconds[i] = gauge_sample(gauge).rate;
    return quartiles_of(seconds, SAMPLES).median;
}

/* CPUID and hwloc list what the chip has. In a virtual machine the share of an outer cache may be
 * smaller, or next to nothing (cache allocation, neighbours whose lines push ours out before they
 * are loaded again). So sets of half and a quarter are tried too, down to twice the inner cache:
 * the largest on the plateau, at most plateau_ratio times as slow as the fastest, is kept, and
 * becomes the cache's steady_bytes. Where all of them are as slow as DRAM the level would be a
 * second DRAM line under a false name: it is dropped from the host, so that nobody else believes in
 * it. */
enum { OUTER_SETS = 3 };
static const double plateau_ratio = 1.5, phantom_ratio = 0.8;

/* Returns the seconds of a load from the set that is kept. */
static double fit_set(struct probe_run *run, struct gauge *gauge)
{
    const struct host *host = run->host;
    struct cache *cache = &run->host->cache[host->cache_count - 1];
    double largest = set_of(host, host->cache_count - 1), seconds[OUTER_SETS], best = INFINITY;
    double smallest =
        host->cache_count > 1 ? 2 * host->cache[host->cache_count - 2].size_bytes : largest;
    int count = 0, kept = 0;
    for (double set = largest; count < OUTER_SETS && (count == 0 || set >= smallest); set /= 2) {
        lay_chain(gauge, set, "");
        seconds[count] = quick_seconds(gauge);
        best = fmin(best, seconds[count++]);
    }
    while (seconds[kept] > plateau_ratio * best)
        kept++;
    cache->steady_bytes = ldexp(largest, -kept);
    char words[96] = "";
    if (kept > 0)
        text_format(words, sizeof words,
                    "; twice as many, of the %.0f MiB listed, take %.0f ns each",
                    cache->size_bytes / (1 << 20), seconds[kept - 1] * 1e9);
    lay_chain(gauge, cache->steady_bytes, words);
    return seconds[kept];
}

static int drop_phantom(struct probe_run *run, int last, int dram, struct error *error)
{
    double cache_seconds = fit_set(run, &run->gauges[last]);
    double dram_seconds = quick_seconds(&run->gauges[dram]);
    if (cache_seconds < phantom_ratio * dram_seconds)
        return OK;
    const struct cache *cache = &run->host->cache[run->host->cache_count - 1];
    char why[256];
    text_format(why, sizeof why,
                "hwloc lists %.0f MiB, but %.0f MiB take %.0f ns per load and DRAM %.0f: this "
                "machine's share of the cache is not usable now, data beyond L%d count as DRAM",
                cache->size_bytes / (1 << 20), cache->steady_bytes / (1 << 20), cache_seconds * 1e9,
                dram_seconds * 1e9, cache->level - 1);
    run->host->cache_count--;
    struct gauge phantom = run->gauges[last];
    memmove(&run->gauges[last], &run->gauges[last + 1],
            (size_t)(run->gauge_count - last - 1) * sizeof *run->gauges);
    run->gauge_count--;
    int result = probe_skip(run, &phantom.row, why, error);
    close_latency(&phantom);
    return result;
}

static int collect_latency(struct probe_run *run, struct error *error)
{
    const struct host *host = run->host;
    int line_bytes = 64, result = OK;
    for (int i = 0; i < host->cache_count && result != FAILED; i++) {
        char level[8];
        snprintf(level, sizeof level, "L%d", host->cache[i].level);
        if (host->cache[i].line_bytes > 0)
            line_bytes = host->cache[i].line_bytes;
        double inner_bytes = i ? host->cache[i - 1].size_bytes : 0;
        result = add_gauge(run, level, set_of(host, i), inner_bytes, line_bytes, true, error);
    }
    if (result == FAILED)
        return FAILED;
    bool outer = result == OK && host->cache_count && host->cache[host->cache_count - 1].level > 2;
    result = add_gauge(run, "DRAM", dram_set_bytes, 0, line_bytes, false, error);
    if (result == OK && outer)
        return drop_phantom(run, run->gauge_count - 2, run->gauge_count - 1, error);
    return result == FAILED ? FAILED : OK;
}

extern const struct probe latency_probe;
const struct probe latency_probe = {
    .name = "latency",
    .summary = "load-to-use latency of every cache and of DRAM",
    .collect = collect_latency,
};
