// bench_ceilings.c - ceilings that are sampled in the same minutes as what they bound.
#include "bench_ceilings.h"

#include <math.h>
#include <string.h>

#include "bench_row.h"
#include "interrupt.h"
#include "model.h"
#include "stats.h"

enum { TRIALS = 9, OPERATIONS_MAX = 16 };
/* Of the trials of one ceiling: interference only slows (docs/estimators.md). */
static const double trial_quantile = 0.9;

/* 1, 2, 3 for caches; beyond all of them for DRAM. */
static int level_rank(const char *level)
{
    return level[0] == 'L' ? level[1] - '0' : HOST_LEVELS_MAX + 1;
}

double level_capacity_bytes(const struct host *host, int rank, int threads)
{
    const double line_bytes = 64;
    double fits = 0, too_large = 0x1p50;
    while (too_large - fits > line_bytes) {
        double middle = (fits + too_large) / 2;
        if (level_rank(host_level(host, middle, threads)) <= rank)
            fits = middle;
        else
            too_large = middle;
    }
    return fits > line_bytes ? fits : 0;
}

/* As far from the next inner level as from the next outer one; NAN where the level holds nothing.
 */
static double middle_bytes(const struct host *host, int rank, int threads)
{
    double inner = level_capacity_bytes(host, rank - 1, threads);
    double own = level_capacity_bytes(host, rank, threads);
    return own > inner ? sqrt(inner * own) : NAN;
}

struct level_bytes bench_levels(const struct host *host, int threads)
{
    /* Beyond four times the last cache (STREAM's rule, www.cs.virginia.edu/stream/ref.html) nothing
     * of one call is left for the next; at least 96 MiB, for a cache may be larger than it is said
     * to be. Where it is large, twice it: the arrays and those of the bandwidth gauges then stay
     * below 1 GiB with 100 MiB of cache. */
    const double inner_part = 2. / 3, least_bytes = 96 << 20, plenty_bytes = 192 << 20;
    double last = 0;
    for (int i = 0; i < host->cache_count; i++) {
        int instances = host->cache[i].instances < threads ? host->cache[i].instances : threads;
        last = host->cache[i].size_bytes * instances;
    }
    double l1 = level_capacity_bytes(host, 1, threads);
    double dram = fmax(2 * last, fmin(fmax(4 * last, least_bytes), plenty_bytes));
    return (struct level_bytes){.l1 = l1 > 0 ? inner_part * l1 : NAN,
                                .l2 = middle_bytes(host, 2, threads),
                                .l3 = middle_bytes(host, 3, threads),
                                .dram = dram};
}

struct ceiling *bench_ceiling(struct bench *bench, const struct gauge *gauge)
{
    for (size_t i = 0; i < bench->machine.count; i++) {
        struct ceiling *row = table_ceiling(&bench->machine, i);
        if (strcmp(row->basis, "measured") == 0 && strcmp(row->status, "ok") == 0 &&
            strcmp(row->level, gauge->row.level) == 0 &&
            strcmp(row->dtype, gauge->row.dtype) == 0 && row->workers == gauge->row.workers)
            return row;
    }
    return NULL;
}

bool bench_sample(struct bench *bench, const struct gauge *const *gauges, int count)
{
    double rates[OPERATIONS_MAX][TRIALS];
    if (count == 0 || bench_ceiling(bench, gauges[0]))
        return true;
    for (int trial = 0; trial < TRIALS && !interrupted(); trial++)
        for (int i = 0; i < count; i++)
            rates[i][trial] = gauge_sample(gauges[i]).rate;
    for (int i = 0; i < count && !interrupted(); i++) {
        struct ceiling *row = table_append(&bench->machine);
        if (!row)
            return false;
        *row = gauges[i]->row;
        quartiles_of(rates[i], TRIALS); /* sorts them */
        row->value = quantile(rates[i], TRIALS, trial_quantile);
        row->samples = TRIALS;
        text_copy(row->device, sizeof row->device, "cpu");
        text_copy(row->basis, sizeof row->basis, "measured");
        text_copy(row->status, sizeof row->status, "ok");
    }
    return true;
}

const struct gauge *bench_compute_gauge(struct bench *bench, enum dtype dtype, int threads)
{
    enum isa isa = (enum isa)bench->request.isa;
    return probe_find_gauge(&bench->probe, isa_fuses(isa) ? "fma" : "mul+add", dtype_name(dtype),
                            isa_name(isa), threads);
}

const struct gauge *bench_memory_gauge(struct bench *bench, const char *level, int threads,
                                       bool updates)
{
    const struct gauge *gauges[OPERATIONS_MAX], *fastest = NULL;
    int count = 0;
    for (int i = 0; i < bench->probe.gauge_count && count < OPERATIONS_MAX; i++) {
        const struct gauge *gauge = &bench->probe.gauges[i];
        if (strcmp(gauge->row.kind, "bandwidth") == 0 && gauge->row.workers == threads &&
            !gauge->units && level_is(gauge->row.level, level) &&
            moves_what_it_counts(gauge->row.level))
            gauges[count++] = gauge;
    }
    double fastest_rate = 0;
    for (int i = 0; i < count && bench_sample(bench, gauges, count); i++) {
        const struct ceiling *row = bench_ceiling(bench, gauges[i]);
        if (row && row->value > fastest_rate && bounds_memory(row->level, updates)) {
            fastest = gauges[i];
            fastest_rate = row->value;
        }
    }
    return fastest;
}
