// latency.c - load-to-use latency of every level: a chain of pointers in random order.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"

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

static int add_gauge(struct probe_run *run, const char *level, double set_bytes, int line_bytes,
                     bool cache, struct error *error)
{
    struct gauge *gauge = probe_add_gauge(run);
    struct latency_state *state = calloc(1, sizeof *state);
    char *base = probe_reserve(run, set_bytes, "the latency probe", error);
    if (!gauge || !state || !base) {
        free(state);
        return base ? error_set(error, FAULT_ENVIRONMENT, "out of memory for the latency probe")
                    : FAILED;
    }
    state->nodes = (long)(set_bytes / line_bytes);
    build_chain(base, state->nodes, (size_t)line_bytes);
    state->position = (void **)base;
    state->loads = cache ? CACHE_LOADS : DRAM_LOADS;
    gauge->state = state;
    gauge->close = close_latency;
    gauge->work = (struct work){cache ? fill_cache : flush_lines, run_chase, state, 1};
    gauge->amount = (double)state->loads;
    struct ceiling *row = &gauge->row;
    text_copy(row->level, sizeof row->level, level);
    text_copy(row->kind, sizeof row->kind, "latency");
    text_copy(row->unit, sizeof row->unit, "s");
    row->workers = 1;
    text_format(row->source, sizeof row->source,
                "load to use: pointers in one random cycle over %ld lines of %d B%s", state->nodes,
                line_bytes, cache ? "" : ", flushed before each sample");
    return OK;
}

static int collect_latency(struct probe_run *run, struct error *error)
{
    const struct host *host = run->host;
    double inner_bytes = 0;
    int line_bytes = 64;
    for (int i = 0; i < host->cache_count; i++) {
        const struct cache *cache = &host->cache[i];
        char level[8];
        snprintf(level, sizeof level, "L%d", cache->level);
        if (cache->line_bytes > 0)
            line_bytes = cache->line_bytes;
        /* Half of an inner level; of a shared outer one eight times the inner level, at most half
         * of it. */
        double set =
            cache->level < 3 ? cache->size_bytes / 2 : fmin(8 * inner_bytes, cache->size_bytes / 2);
        inner_bytes = cache->size_bytes;
        if (add_gauge(run, level, set, line_bytes, true, error) != OK)
            return FAILED;
    }
    return add_gauge(run, "DRAM", dram_set_bytes, line_bytes, false, error);
}

extern const struct probe latency_probe;
const struct probe latency_probe = {
    .name = "latency",
    .summary = "load-to-use latency of every cache and of DRAM",
    .collect = collect_latency,
};
