// bandwidth.c - bandwidth ceilings: read, write, copy, triad and update over every level of the
// memory hierarchy.
#ifdef ISA

#include "bandwidth.h"
#include "sweep.h"
#include "vec.h"

/* Bytes are bytes: one format is enough, and STREAM's is double. */
#if !VEC_IS_F32

/* Vectors of one iteration: enough to bury the loop's own instructions. */
enum { STEP = STREAM_STEP_BYTES / REAL_BYTES / VLEN, VECTORS = STEP < 16 ? STEP : 16 };

/* Keeps one pointer per array with constant displacements: stores with an index register lose a
 * port on some cores. */
#define OPAQUE(pointer) __asm__ volatile("" : "+r"(pointer))

/* VECTORS vectors of one lane. */
ALWAYS_INLINE void step(const vec *first, const vec *second, vec *target, const vec factor,
                        const int loads, const int stores, const int in_place,
                        const int nontemporal, const int ahead)
{
    if (loads > 0)
        OPAQUE(first);
    if (loads > 1)
        OPAQUE(second);
    if (stores > 0)
        OPAQUE(target);
    UNROLL(16)
    for (int i = 0; i < VECTORS; i++) {
        vec value = factor;
        if (ahead && loads > 0)
            sweep_fetch((const real *)first, i * VLEN);
        if (ahead && loads > 1)
            sweep_fetch((const real *)second, i * VLEN);
        if (loads > 0)
            value = first[i];
        if (loads > 1)
            value = value + factor * second[i];
        else if (in_place)
            value = factor * value;
        if (stores == 0)
            PIN(value);
        else if (nontemporal)
            vec_stream((real *)&target[i], value);
        else
            target[i] = value;
    }
}

ALWAYS_INLINE void sweep(const struct stream *stream, const int loads, const int stores,
                         const int in_place, const int nontemporal, const int lanes)
{
    vec factor = vec_all(1); /* values stay what they are however often an update passes */
    PIN(factor);
    /* Copies, because stores might otherwise change what `stream` points to. */
    const char *const first_array = stream->array[0];
    const char *const second_array = stream->array[loads > 1 ? 1 : 0];
    char *const target_array = stream->array[in_place || stores == 0 ? 0 : loads];
    const size_t mask = stream->wrap_bytes - 1, lane_bytes = stream->lane_bytes;
    size_t offset = stream->begin_bytes & mask;
    for (size_t left = stream->sweep_bytes; left > 0; left -= lanes * VECTORS * sizeof(vec)) {
        UNROLL(8)
        for (int lane = 0; lane < lanes; lane++) {
            size_t at = offset + (size_t)lane * lane_bytes;
            step((const vec *)(first_array + at), (const vec *)(second_array + at),
                 (vec *)(target_array + at), factor, loads, stores, in_place, nontemporal,
                 lanes > 1);
        }
        offset = (offset + VECTORS * sizeof(vec)) & mask;
    }
    if (nontemporal)
        vec_stream_fence();
}

/* X(name, loads, stores, in_place, nontemporal) */
#define REGULAR_OPERATIONS(X)                                                                      \
    X(read, 1, 0, 0, 0)                                                                            \
    X(write, 0, 1, 0, 0)                                                                           \
    X(copy, 1, 1, 0, 0) X(triad, 2, 1, 0, 0) X(update, 1, 1, 1, 0)
#if VEC_CAN_STREAM
#define STREAMED_OPERATIONS(X)                                                                     \
    X(write_nt, 0, 1, 0, 1) X(copy_nt, 1, 1, 0, 1) X(triad_nt, 2, 1, 0, 1)
#else
#define STREAMED_OPERATIONS(X)
#endif

#define FUNCTION(name, loads, stores, in_place, nontemporal)                                       \
    __attribute__((noinline)) static void run_##name(const struct stream *stream)                  \
    {                                                                                              \
        sweep(stream, loads, stores, in_place, nontemporal, 1);                                    \
    }                                                                                              \
    __attribute__((noinline)) static void run_lanes_##name(const struct stream *stream)            \
    {                                                                                              \
        sweep(stream, loads, stores, in_place, nontemporal, SWEEP_LANES);                          \
    }
REGULAR_OPERATIONS(FUNCTION)
STREAMED_OPERATIONS(FUNCTION)

#define ROW(name, loads, stores, in_place, nontemporal)                                            \
    {#name, loads, stores, in_place, nontemporal, {1, SWEEP_LANES}, {run_##name, run_lanes_##name}},
extern const struct stream_operation NAME(stream_operations)[];
const struct stream_operation NAME(stream_operations)[] = {REGULAR_OPERATIONS(ROW)
                                                               STREAMED_OPERATIONS(ROW){0}};

#else
extern int bandwidth_is_f64_only; /* an ISO C file is not empty */
#endif

#else

#include "bandwidth.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interrupt.h"
#include "probe.h"
#include "stats.h"

#define X(isa, vector_bytes, registers) STREAM_OPERATIONS_DECLARE(isa)
ISA_LIST(X)
#undef X

static const struct stream_operation *const operations[ISA_COUNT] = {
#define X(isa, vector_bytes, registers) stream_operations_f64_##isa,
    ISA_LIST(X)
#undef X
};

enum { ELEMENT_BYTES = 8 };
/* One slice of a pace (base/measure.h) in L1 and L2; one sample further out, where workers share
 * something. */
static const double slice_seconds = 2e-5;
static const double sample_seconds = 1e-3;
enum { TRIALS = 5 };

/* A sample of DRAM moves this much per worker in all its arrays together (2 to 10 ms), and the next
 * sample goes on behind it: before it comes round again, four times the last cache has gone by
 * (STREAM's rule, www.cs.virginia.edu/stream/ref.html). Divisible into 1, 2 and 3 arrays of whole
 * steps. */
enum { DRAM_WINDOW_BYTES = 48 << 20, DRAM_WINDOWS_MIN = 4, DRAM_CACHE_MULTIPLE = 4 };

/* An array starts this much behind the end of the one before it, so that a load does not have the
 * page offset of a recent store (4 KiB aliasing, Intel optimization reference manual 248966,
 * "4-KByte aliasing"). */
enum { STAGGER_BYTES = 1280, SLACK_BYTES = 2 << 20 };

/* Memory of all workers by unit of the host, each part touched first by its worker. A lone worker
 * has the whole last cache to overrun: where all units share one NUMA node it sweeps the parts of
 * the others, too; with several nodes the first part is larger. */
struct slabs {
    char *base;
    size_t first_bytes, other_bytes, lone_bytes;
    size_t *window; /* of DRAM: the next one, whichever gauge comes; owned by the run */
};

struct bandwidth_state {
    const struct stream_operation *operation;
    int form; /* STREAM_PLAIN, STREAM_LANES */
    struct slabs slabs;
    const int *units; /* borrowed; NULL: thread i on unit i */
    size_t array_bytes;
    bool dram;
    size_t begin_bytes, sweep_bytes; /* of each array in one pass */
    long passes;                     /* of one call */
};

static int array_count(const struct stream_operation *operation)
{
    return operation->loads + operation->stores - operation->in_place;
}

static char *slab_of(const struct slabs *slabs, int unit)
{
    return unit ? slabs->base + slabs->first_bytes + (size_t)(unit - 1) * slabs->other_bytes
                : slabs->base;
}

static size_t lanes_of(const struct bandwidth_state *state)
{
    return (size_t)state->operation->lanes[state->form];
}

static struct stream stream_of(const struct bandwidth_state *state, struct member member)
{
    int unit = state->units ? state->units[member.index] : member.index;
    size_t lanes = lanes_of(state);
    struct stream stream = {
        .wrap_bytes = state->dram ? (size_t)1 << 62 : state->array_bytes / lanes,
        .begin_bytes = state->begin_bytes,
        .sweep_bytes = state->sweep_bytes * (size_t)state->passes,
        .lane_bytes = state->sweep_bytes / lanes,
    };
    int arrays = array_count(state->operation);
    for (int i = 0; i < arrays; i++)
        stream.array[i] =
            slab_of(&state->slabs, unit) + (size_t)i * (state->array_bytes + STAGGER_BYTES);
    return stream;
}

static void run_stream(void *context, struct member member)
{
    const struct bandwidth_state *state = context;
    struct stream stream = stream_of(state, member);
    state->operation->run[state->form](&stream);
}

/* Brings the arrays into the cache. */
static void fill_cache(void *context, struct member member)
{
    const struct bandwidth_state *state = context;
    struct stream stream = stream_of(state, member);
    stream.sweep_bytes = state->array_bytes * PROBE_FILL_PASSES;
    state->operation->run[state->form](&stream);
}

/* On to the next window, which no gauge has read for as many samples as there are windows; the
 * others read the position after they met at the start. */
static void next_window(void *context, struct member member)
{
    struct bandwidth_state *state = context;
    if (member.index > 0)
        return;
    const size_t windows = state->array_bytes / state->sweep_bytes;
    state->begin_bytes = (*state->slabs.window)++ % windows * state->sweep_bytes;
}

static void touch_slab(void *context, struct member member)
{
    const struct slabs *slabs = context;
    memset(slab_of(slabs, member.index), 0, member.index ? slabs->other_bytes : slabs->first_bytes);
}

static size_t round_up(double bytes, size_t grain)
{
    return (size_t)(ceil(bytes / (double)grain) * (double)grain);
}

/* `lone` at most as much as all workers have; `each`: every one of them. */
static int reserve_slabs(struct probe_run *run, double lone, double each, size_t grain, int workers,
                         struct slabs *slabs, struct error *error)
{
    slabs->lone_bytes = round_up(lone, grain) + SLACK_BYTES;
    slabs->other_bytes = round_up(each, grain) + SLACK_BYTES;
    slabs->first_bytes = run->host->numa_nodes > 1 ? slabs->lone_bytes : slabs->other_bytes;
    double bytes = (double)slabs->first_bytes + (double)(workers - 1) * (double)slabs->other_bytes;
    slabs->base = probe_reserve(run, bytes, "the bandwidth probe", error);
    if (!slabs->base)
        return FAILED;
    team_run(touch_slab, slabs, workers);
    return OK;
}

static size_t power_of_two_below(double bytes)
{
    size_t power = STREAM_STEP_BYTES;
    while ((double)power * 2 <= bytes)
        power *= 2;
    return power;
}

/* Bytes of all arrays of one worker at a level; 0 when it cannot be told from the level inside it.
 * Three quarters of the worker's share of L1 and L2: all of them but where hardware threads of one
 * core work; of an outer cache eight times the inner one, at most half of the worker's share and
 * what the latency probe found to stay there. */
static double working_set_bytes(const struct host *host, const struct cache *cache, int workers)
{
    int per_core = (workers + host->cores - 1) / host->cores;
    int cores = workers < cache->cores_sharing ? workers : cache->cores_sharing;
    double share = cache->size_bytes / (per_core * (cores > 1 ? cores : 1));
    const struct cache *inner = host_cache(host, cache->level - 1);
    if (cache->level < 3)
        return 0.75 * share;
    double bytes = inner ? 8 * inner->size_bytes : 0.5 * share;
    bytes = fmin(bytes, fmin(0.5 * share, cache->steady_bytes));
    return inner && bytes < 2 * inner->size_bytes ? 0 : bytes;
}

static void close_bandwidth(struct gauge *gauge)
{
    free(gauge->state);
}

#if defined(__x86_64__)
enum { WRITE_ALLOCATES = 1 };
#else
enum { WRITE_ALLOCATES = 0 }; /* Arm cores stream full lines without reading them first */
#endif

/* What a level and a team share: everything of a gauge but its operation. */
struct place {
    const char *device, *level;
    const struct cache *cache; /* NULL: DRAM */
    struct slabs slabs;
    const int *units;
    int workers;
    enum isa isa;
};

/* Bytes counted per element: what the code names, and the line that a regular store fetches from
 * DRAM before it can be written, because the memory bus carries it too. */
static int counted_bytes(const struct place *place, const struct stream_operation *operation,
                         char *text, size_t capacity)
{
    bool allocates = !place->cache && WRITE_ALLOCATES && operation->stores &&
                     !operation->in_place && !operation->nontemporal;
    int read = ELEMENT_BYTES * operation->loads, written = ELEMENT_BYTES * operation->stores;
    snprintf(text, capacity, "counts %d B read + %d B written%s per element", read, written,
             allocates ? " + 8 B write-allocate" : "");
    return read + written + (allocates ? ELEMENT_BYTES : 0);
}

static void describe(const struct place *place, const struct stream_operation *operation,
                     struct ceiling *row)
{
    if (place->device)
        text_copy(row->device, sizeof row->device, place->device);
    text_format(row->level, sizeof row->level, "%s:%s", place->level, operation->name);
    text_copy(row->kind, sizeof row->kind, "bandwidth");
    text_copy(row->isa, sizeof row->isa, isa_name(place->isa));
    text_copy(row->unit, sizeof row->unit, "byte/s");
    row->workers = place->workers;
}

/* Which form is the faster one depends on the memory behind it and on how many use it. They take
 * turns, so that a slow moment is not the fault of one. */
static int choose_form(struct probe_run *run, struct gauge *gauge, struct error *error)
{
    struct bandwidth_state *state = gauge->state;
    double rates[STREAM_FORMS][TRIALS], best = 0;
    int best_form = STREAM_PLAIN;
    for (int trial = 0; trial < TRIALS; trial++)
        for (state->form = 0; state->form < STREAM_FORMS; state->form++) {
            struct reading reading;
            if (gauge_sample_pinned(run->host, gauge, &reading, error) != OK)
                return FAILED;
            rates[state->form][trial] = reading.rate;
        }
    for (int form = 0; form < STREAM_FORMS; form++) {
        double median = quartiles_of(rates[form], TRIALS).median;
        if (median > best)
            best_form = form;
        best = fmax(best, median);
    }
    state->form = best_form;
    return OK;
}

static int add_gauge(struct probe_run *run, const struct place *place,
                     const struct stream_operation *operation, struct error *error)
{
    struct gauge *gauge = probe_add_gauge(run);
    struct bandwidth_state *state = calloc(1, sizeof *state);
    if (!gauge || !state) {
        free(state);
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the bandwidth probe");
    }
    size_t arrays = (size_t)array_count(operation);
    state->operation = operation;
    state->slabs = place->slabs;
    state->units = gauge->units = place->units;
    state->dram = !place->cache;
    gauge->state = state;
    gauge->close = close_bandwidth;
    gauge->work = (struct work){fill_cache, run_stream, state, place->workers};
    state->passes = 1;
    if (state->dram) {
        /* The lone worker of a node may sit on any unit. */
        bool alone = place->workers == 1 && !place->units;
        size_t slab = alone ? state->slabs.lone_bytes : state->slabs.other_bytes;
        state->array_bytes = (slab - SLACK_BYTES) / arrays;
        state->sweep_bytes = DRAM_WINDOW_BYTES / arrays;
        gauge->work.prepare = next_window;
    } else {
        double set = working_set_bytes(run->host, place->cache, place->workers);
        state->array_bytes = power_of_two_below(set / (double)arrays);
        state->sweep_bytes = state->array_bytes;
        gauge->paced = place->cache->level < 3 && place->workers <= run->host->cores;
        /* With one worker: each has as much to do, and several may wait for each other. */
        gauge->work.threads = 1;
        measure_calibrate(&gauge->work, &state->passes,
                          gauge->paced ? slice_seconds : sample_seconds);
        gauge->work.threads = place->workers;
    }
    char counted[96];
    int bytes = counted_bytes(place, operation, counted, sizeof counted);
    double swept = (double)state->sweep_bytes * (double)state->passes;
    gauge->amount = swept / ELEMENT_BYTES * bytes * place->workers;
    describe(place, operation, &gauge->row);
    bool is_shared = !place->cache || place->cache->level > 2;
    if (is_shared && choose_form(run, gauge, error) != OK)
        return FAILED;
    text_format(gauge->row.source, sizeof gauge->row.source,
                "%zu x %zu KiB per worker, in lanes of %zu; %s", arrays, state->array_bytes / 1024,
                lanes_of(state), counted);
    return OK;
}

static int add_operations(struct probe_run *run, const struct place *place, struct error *error)
{
    if (place->cache && working_set_bytes(run->host, place->cache, place->workers) == 0) {
        struct ceiling key = {0};
        describe(place, operations[place->isa], &key);
        return probe_skip(run, &key,
                          "the share of this cache is less than twice the cache inside it: no "
                          "working set tells them apart",
                          error);
    }
    const struct stream_operation *operation = operations[place->isa];
    for (; operation->name && !interrupted(); operation++)
        if (add_gauge(run, place, operation, error) != OK)
            return FAILED;
    return OK;
}

static enum isa widest_isa(const struct probe_run *run)
{
    return run->request->isa >= 0 ? (enum isa)run->request->isa : isa_best();
}

static int skip_level(struct probe_run *run, const char *level, const char *why,
                      struct error *error)
{
    struct ceiling key = {.workers = NAN, .kind = "bandwidth"};
    text_copy(key.level, sizeof key.level, level);
    return probe_skip(run, &key, why, error);
}

/* The instruction sets that a level is swept with: the widest vectors, and where those have 64
 * bytes, within the core those of 32 too. (Zen 4 loads 60 bytes per cycle in vectors of 64, 63.5 in
 * vectors of 32.) Returns how many. */
enum { CACHE_ISAS = 2 };
static int isas_of_cache(const struct probe_run *run, const struct cache *cache,
                         enum isa isas[CACHE_ISAS])
{
    int count = 0;
    isas[count++] = widest_isa(run);
    enum isa narrower = isas[0];
    while (narrower > 0 && isa_vector_bytes(narrower, DTYPE_f64) > 32)
        narrower--;
    if (run->request->isa < 0 && cache->level < 3 && narrower != isas[0] && isa_supported(narrower))
        isas[count++] = narrower;
    return count;
}

static int collect_caches(struct probe_run *run, const int *workers, int counts,
                          struct error *error)
{
    const struct host *host = run->host;
    double largest = 0;
    for (int i = 0; i < host->cache_count; i++)
        largest = fmax(largest, working_set_bytes(host, &host->cache[i], 1));
    struct place place = {0};
    struct error reason;
    bool room =
        host->cache_count > 0 && reserve_slabs(run, largest, largest, SLACK_BYTES,
                                               workers[counts - 1], &place.slabs, &reason) == OK;
    for (int i = 0; i < host->cache_count; i++) {
        char level[8];
        snprintf(level, sizeof level, "L%d", host->cache[i].level);
        if (!room && skip_level(run, level, reason.text, error) != OK)
            return FAILED;
        place.level = level;
        place.cache = &host->cache[i];
        enum isa isas[CACHE_ISAS];
        int isa_count = isas_of_cache(run, place.cache, isas);
        for (int j = 0; room && j < counts * isa_count; j++) {
            place.isa = isas[j / counts];
            place.workers = workers[j % counts];
            if (add_operations(run, &place, error) != OK)
                return FAILED;
        }
    }
    return OK;
}

/* Every NUMA node by itself: all its units on the memory of that node. What limits the threads (a
 * quota, the user) limits the nodes that they reach. */
static int collect_nodes(struct probe_run *run, struct place place, int threads,
                         struct error *error)
{
    const struct host *host = run->host;
    int *units = probe_reserve(run, (double)threads * sizeof *units, "lists of units", error);
    if (!units)
        return FAILED;
    bool *seen = calloc((size_t)threads, sizeof *seen);
    int result =
        seen ? OK : error_set(error, FAULT_ENVIRONMENT, "out of memory for lists of units");
    for (int first = 0; first < threads && result == OK; first++) {
        if (seen[first])
            continue;
        char device[24];
        place.workers = 0;
        place.units = units;
        for (int unit = first; unit < threads; unit++)
            if (host->unit[unit].numa_node == host->unit[first].numa_node) {
                seen[unit] = true;
                units[place.workers++] = unit;
            }
        units += place.workers;
        snprintf(device, sizeof device, "cpu.node%d", host->unit[first].numa_node);
        place.device = device;
        result = add_operations(run, &place, error);
    }
    free(seen);
    return result;
}

static int collect_dram(struct probe_run *run, const int *workers, int counts, struct error *error)
{
    const struct host *host = run->host;
    const struct cache *last = host->cache_count ? &host->cache[host->cache_count - 1] : NULL;
    int most = workers[counts - 1];
    double overrun = last ? DRAM_CACHE_MULTIPLE * last->size_bytes : 0;
    double least = (double)DRAM_WINDOWS_MIN * DRAM_WINDOW_BYTES;
    int sharing = last && last->cores_sharing > 1 ? last->cores_sharing : 1;
    sharing = sharing < most ? sharing : most;
    struct place place = {.isa = widest_isa(run), .level = "DRAM"};
    if (reserve_slabs(run, fmax(overrun, least), fmax(overrun / sharing, least), DRAM_WINDOW_BYTES,
                      most, &place.slabs, error) != OK)
        return skip_level(run, "DRAM", error->text, error);
    place.slabs.window = probe_reserve(run, sizeof *place.slabs.window, "a place in DRAM", error);
    if (!place.slabs.window)
        return FAILED;
    for (int i = 0; i < counts; i++) {
        place.workers = workers[i];
        if (add_operations(run, &place, error) != OK)
            return FAILED;
    }
    return host->numa_nodes > 1 ? collect_nodes(run, place, most, error) : OK;
}

static int collect_bandwidth(struct probe_run *run, struct error *error)
{
    int workers[PROBE_WORKER_COUNTS];
    int counts = probe_worker_counts(run, workers);
    if (collect_caches(run, workers, counts, error) != OK)
        return FAILED;
    return collect_dram(run, workers, counts, error);
}

extern const struct probe bandwidth_probe;
const struct probe bandwidth_probe = {
    .name = "bandwidth",
    .summary = "bytes/s of read, write, copy, triad and update in every cache and in DRAM",
    .collect = collect_bandwidth,
};

#endif
