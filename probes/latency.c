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
    void **position; /* the next load's address */
    long nodes;
    long loads;
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

/* Once through the whole set: all of it is in the level, and the inner levels hold the part that
 * comes last. */
static void fill_cache(void *context, struct member member)
{
    (void)member;
    struct latency_state *state = context;
    state->position = chase(state->position, (state->nodes + 7) / 8 * 8);
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

static void close_latency(struct gauge *gauge)
{
    free(gauge->state);
}

/* SKIPPED, with a row that says why, where there is no memory for the set. */
static int add_gauge(struct probe_run *run, const char *level, double set_bytes, int line_bytes,
                     bool cache, struct error *error)
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
    state->nodes = (long)(set_bytes / line_bytes);
    build_chain(base, state->nodes, (size_t)line_bytes);
    state->position = (void **)base;
    state->loads = cache ? CACHE_LOADS : DRAM_LOADS;
    gauge->row = row;
    gauge->state = state;
    gauge->close = close_latency;
    gauge->work = (struct work){cache ? fill_cache : flush_lines, run_chase, state, 1};
    gauge->amount = (double)state->loads;
    text_format(gauge->row.source, sizeof gauge->row.source,
                "load to use: pointers in one random cycle over %ld lines of %d B%s", state->nodes,
                line_bytes, cache ? "" : ", flushed before each sample");
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
    return quartiles_of(seconds, SAMPLES).min;
}

/* CPUID and hwloc list what the chip has. In a virtual machine the share of an outer cache may be
 * next to nothing (cache allocation, busy neighbours): then its set is as slow as DRAM, and the
 * level would be a second DRAM line under a false name. It is dropped from the host, so that nobody
 * else believes in it. */
static const double phantom_ratio = 0.8;

static int drop_phantom(struct probe_run *run, int last, int dram, struct error *error)
{
    double cache_seconds = quick_seconds(&run->gauges[last]);
    double dram_seconds = quick_seconds(&run->gauges[dram]);
    if (cache_seconds < phantom_ratio * dram_seconds)
        return OK;
    const struct cache *cache = &run->host->cache[run->host->cache_count - 1];
    char why[256];
    text_format(why, sizeof why,
                "hwloc lists %.0f MiB, but %.0f MiB take %.0f ns per load and DRAM %.0f: this "
                "machine's share of the cache is not usable now, data beyond L%d count as DRAM",
                cache->size_bytes / (1 << 20),
                set_of(run->host, run->host->cache_count - 1) / (1 << 20), cache_seconds * 1e9,
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
        result = add_gauge(run, level, set_of(host, i), line_bytes, true, error);
    }
    if (result == FAILED)
        return FAILED;
    bool outer = result == OK && host->cache_count && host->cache[host->cache_count - 1].level > 2;
    result = add_gauge(run, "DRAM", dram_set_bytes, line_bytes, false, error);
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
