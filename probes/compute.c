// compute.c - arithmetic ceilings: independent chains in registers, per ISA, format and mix of
// operations.
//
// No memory operand, no dependence but each chain on itself. A core with p pipes and latency l
// needs p * l chains; more than its registers hold would spill, so the one constant (1.0) serves as
// factor and addend alike: 15 chains in 16 registers. Values stay normal: x * 1, x + 1.
#ifndef ISA

#include "compute.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"

#define X(isa, vector_bytes, registers)                                                            \
    COMPUTE_LOOPS_DECLARE(f32, isa)                                                                \
    COMPUTE_LOOPS_DECLARE(f64, isa)
ISA_LIST(X)
#undef X

static const struct compute_loop *const loops[ISA_COUNT][DTYPE_COUNT] = {
#define X(isa, vector_bytes, registers) {compute_loops_f32_##isa, compute_loops_f64_##isa},
    ISA_LIST(X)
#undef X
};

static const char *const mixes[] = {"fma", "mul+add", "add", "fma+add"};
enum { MIX_COUNT = sizeof mixes / sizeof *mixes };

/* One slice of a pace (base/measure.h), or where siblings share a core one sample: they would have
 * it to themselves while the other reads the clock. */
static const double slice_seconds = 2e-5;
static const double sample_seconds = 1e-3;
static const double trial_seconds = 3e-4;
enum { TRIALS = 16, CANDIDATES_MAX = 32, FINALISTS = 2 };

struct compute_state {
    const struct compute_loop *loop;
    long passes;
};

static void run_loop(void *context, struct member member)
{
    (void)member;
    const struct compute_state *state = context;
    state->loop->run(state->passes);
}

/* Wide vector units wake up in some 10 us and may lower the clock for their first 100 us. */
static void warm_up(void *context, struct member member)
{
    (void)member;
    const struct compute_state *state = context;
    state->loop->run(state->passes / 4 + 1);
}

/* FLOP per cycle of a candidate in one short sample. */
static double try_loop(const struct compute_loop *loop, long passes)
{
    struct compute_state state = {loop, passes};
    struct work work = {warm_up, run_loop, &state, 1};
    struct pace pace = measure_pace(&work, trial_seconds);
    return (double)loop->flops * (double)passes * pace.calls_per_second / pace.clock_hertz;
}

static long passes_of_slice(const struct compute_loop *loop)
{
    struct compute_state state = {loop, 1};
    struct work work = {warm_up, run_loop, &state, 1};
    return measure_calibrate(&work, &state.passes, slice_seconds);
}

struct candidate {
    const struct compute_loop *loop;
    long passes;
    double best; /* FLOP per cycle in its best turn */
};

/* By the best turn, for interference only slows; best candidate first. */
static int compare_candidates(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    double difference = b->best - a->best;
    return (difference > 0) - (difference < 0);
}

/* The FINALISTS best loops of a mix, the best first. The candidates take turns, so that a slow
 * moment is nobody's in particular. Finalists differ in their shares of instructions: where a
 * neighbour takes pipes all the time, the share that would be best without it may come in second,
 * behind several of the same other share. Returns how many there are. */
static int best_loops(const struct compute_loop *loop, const char *mix,
                      const struct compute_loop *best[FINALISTS])
{
    struct candidate candidates[CANDIDATES_MAX];
    int count = 0;
    for (; loop->mix && count < CANDIDATES_MAX; loop++)
        if (strcmp(loop->mix, mix) == 0) {
            candidates[count++] = (struct candidate){loop, passes_of_slice(loop), 0};
        }
    for (int trial = 0; trial < TRIALS; trial++)
        for (int i = 0; i < count; i++)
            candidates[i].best =
                fmax(candidates[i].best, try_loop(candidates[i].loop, candidates[i].passes));
    qsort(candidates, (size_t)count, sizeof *candidates, compare_candidates);
    /* Loops of one kind of instruction are all as good as each other. */
    int finalists = 0, wanted = strchr(mix, '+') ? FINALISTS : 1;
    for (int i = 0; i < count && finalists < wanted; i++)
        if (finalists == 0 || candidates[i].loop->multiplying_rel != best[0]->multiplying_rel)
            best[finalists++] = candidates[i].loop;
    return finalists;
}

static void close_compute(struct gauge *gauge)
{
    free(gauge->state);
}

static int add_gauge(struct probe_run *run, const struct ceiling *key,
                     const struct compute_loop *loop, int workers, struct error *error)
{
    struct gauge *gauge = probe_add_gauge(run);
    struct compute_state *state = malloc(sizeof *state);
    if (!gauge || !state) {
        free(state);
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the compute probe");
    }
    *state = (struct compute_state){loop, 1};
    gauge->row = *key;
    gauge->row.workers = workers;
    gauge->state = state;
    gauge->close = close_compute;
    gauge->work = (struct work){warm_up, run_loop, state, 1};
    gauge->paced = workers <= run->host->cores;
    /* With one worker: each has as much to do, and several may wait for each other. */
    measure_calibrate(&gauge->work, &state->passes, gauge->paced ? slice_seconds : sample_seconds);
    gauge->work.threads = workers;
    gauge->amount = (double)loop->flops * (double)state->passes * workers;
    text_format(gauge->row.source, sizeof gauge->row.source, "registers only; a pass is %s",
                loop->form);
    return OK;
}

/* The ceilings of one ISA, format and mix over all counts of workers. */
static int collect_mix(struct probe_run *run, enum isa isa, enum dtype dtype, const char *mix,
                       struct error *error)
{
    struct ceiling key = {.workers = NAN};
    text_copy(key.level, sizeof key.level, mix);
    text_copy(key.kind, sizeof key.kind, "compute");
    text_copy(key.dtype, sizeof key.dtype, dtype_name(dtype));
    text_copy(key.isa, sizeof key.isa, isa_name(isa));
    text_copy(key.unit, sizeof key.unit, "flop/s");
    const struct compute_loop *loop = loops[isa][dtype];
    while (loop->mix && strcmp(loop->mix, mix) != 0)
        loop++;
    if (!loop->mix)
        return OK; /* such as FMA for avx: the same width is a row of avx2 */
    if (!isa_supported(isa))
        return probe_skip(run, &key, "this CPU lacks the instruction set", error);
    if (loop->needs_fma && !isa_has_fma())
        return probe_skip(run, &key, "this CPU has no fused multiply-add", error);
    const struct compute_loop *best[FINALISTS];
    int finalists = best_loops(loops[isa][dtype], mix, best);
    int workers[PROBE_WORKER_COUNTS];
    int counts = probe_worker_counts(run, workers);
    for (int i = 0; i < counts; i++)
        for (int j = 0; j < finalists; j++)
            if (add_gauge(run, &key, best[j], workers[i], error) != OK)
                return FAILED;
    return OK;
}

static int collect_compute(struct probe_run *run, struct error *error)
{
    const struct request *request = run->request;
    for (int isa = 0; isa < ISA_COUNT; isa++)
        for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
            if ((request->isa >= 0 && request->isa != isa) ||
                (request->dtype >= 0 && request->dtype != dtype))
                continue;
            for (int mix = 0; mix < MIX_COUNT; mix++)
                if (collect_mix(run, (enum isa)isa, (enum dtype)dtype, mixes[mix], error) != OK)
                    return FAILED;
        }
    return OK;
}

extern const struct probe compute_probe;
const struct probe compute_probe = {
    .name = "compute",
    .summary = "FLOP/s of register-only loops per ISA, format and mix of operations",
    .collect = collect_compute,
};

#else

#include "compute.h"
#include "vec.h"

/* FMA exists where this object's ISA has it; 128-bit and scalar FMA are VEX instructions, which
 * only the functions marked so contain. The 256-bit ones are the avx2 object's. */
#if defined(__FMA__) || defined(__aarch64__)
#define HAS_FMA_LOOPS 1
#define WITH_FMA __attribute__((noinline))
#elif VEC_BYTES < 32
#define HAS_FMA_LOOPS 1
#define WITH_FMA __attribute__((target("fma"), noinline))
#endif
#define PLAIN __attribute__((noinline))

/* One pass: `fmas` FMAs, `muls` multiplies and `adds` adds, each kind in turn over its chains. They
 * are dealt out evenly over `slots` slots, in which those of one kind follow each other. All
 * arguments but `passes` are constants where this is inlined, so the arrays become registers. */
ALWAYS_INLINE void run_chains(long passes, const int slots, const int fma_chains, const int fmas,
                              const int mul_chains, const int muls, const int add_chains,
                              const int adds)
{
    vec fma[16], mul[16], add[16], one = vec_all(1);
    PIN(one);
    UNROLL(16)
    for (int i = 0; i < 16; i++)
        fma[i] = mul[i] = add[i] = one;
    for (; passes > 0; passes--) {
        UNROLL(64)
        for (int slot = 0; slot < slots; slot++) {
            UNROLL(4)
            for (int i = slot * fmas / slots; i < (slot + 1) * fmas / slots; i++) {
                vec *chain = &fma[i % (fma_chains ? fma_chains : 1)];
                *chain = *chain * one + one;
                PIN(*chain);
            }
            UNROLL(4)
            for (int i = slot * muls / slots; i < (slot + 1) * muls / slots; i++) {
                vec *chain = &mul[i % (mul_chains ? mul_chains : 1)];
                *chain = *chain * one;
                PIN(*chain);
            }
            UNROLL(4)
            for (int i = slot * adds / slots; i < (slot + 1) * adds / slots; i++) {
                vec *chain = &add[i % (add_chains ? add_chains : 1)];
                *chain = *chain + one;
                PIN(*chain);
            }
        }
    }
}

/* Several forms of one mix are candidates: which chains and order fill the ports differs between
 * cores. Pairs of a kind are for two halves of a core with a pipe of each kind, to which
 * instructions go in turn (Zen 3, Zen 4): FMA, ADD, FMA, ADD sends all FMAs to one half, and
 * reaches 36 to 43 of 48 FLOP per cycle where FMA, FMA, ADD, ADD reaches 47.9.
 * X(symbol, mix, attribute, needs_fma, slots, FMA chains, FMAs, MUL chains, MULs, ADD chains, ADDs)
 */
#if VEC_REGISTERS >= 32
#define PLAIN_LOOPS(X)                                                                             \
    X(muladd_12_12, "mul+add", PLAIN, 0, 24, 0, 0, 12, 24, 12, 24)                                 \
    X(muladd_12_12_pairs, "mul+add", PLAIN, 0, 12, 0, 0, 12, 24, 12, 24)                           \
    X(muladd_6_12, "mul+add", PLAIN, 0, 48, 0, 0, 6, 24, 12, 48)                                   \
    X(muladd_12_6, "mul+add", PLAIN, 0, 48, 0, 0, 12, 48, 6, 24)                                   \
    X(add_12, "add", PLAIN, 0, 48, 0, 0, 0, 0, 12, 48)                                             \
    X(add_16, "add", PLAIN, 0, 48, 0, 0, 0, 0, 16, 48)
#define FMA_LOOPS(X)                                                                               \
    X(fma_12, "fma", WITH_FMA, 1, 48, 12, 48, 0, 0, 0, 0)                                          \
    X(fma_16, "fma", WITH_FMA, 1, 48, 16, 48, 0, 0, 0, 0)                                          \
    X(fmaadd_12_12, "fma+add", WITH_FMA, 1, 24, 12, 24, 0, 0, 12, 24)                              \
    X(fmaadd_12_12_pairs, "fma+add", WITH_FMA, 1, 12, 12, 24, 0, 0, 12, 24)                        \
    X(fmaadd_16_8, "fma+add", WITH_FMA, 1, 32, 16, 32, 0, 0, 8, 16)                                \
    X(fmaadd_16_4, "fma+add", WITH_FMA, 1, 48, 16, 48, 0, 0, 4, 12)
#else
#define PLAIN_LOOPS(X)                                                                             \
    X(muladd_7_7, "mul+add", PLAIN, 0, 28, 0, 0, 7, 28, 7, 28)                                     \
    X(muladd_7_7_pairs, "mul+add", PLAIN, 0, 7, 0, 0, 7, 14, 7, 14)                                \
    X(muladd_5_10, "mul+add", PLAIN, 0, 40, 0, 0, 5, 20, 10, 40)                                   \
    X(muladd_10_5, "mul+add", PLAIN, 0, 40, 0, 0, 10, 40, 5, 20)                                   \
    X(add_10, "add", PLAIN, 0, 40, 0, 0, 0, 0, 10, 40)                                             \
    X(add_12, "add", PLAIN, 0, 48, 0, 0, 0, 0, 12, 48)                                             \
    X(add_15, "add", PLAIN, 0, 60, 0, 0, 0, 0, 15, 60)
/* Longer passes of as many chains clang 14 does not keep in registers. With all registers taken gcc
 * 12 moves chains to general ones where a vector is one element. */
#if VEC_BYTES > 0
#define FMAADD_9_6_PAIRS(X) X(fmaadd_9_6_pairs, "fma+add", WITH_FMA, 1, 9, 9, 18, 0, 0, 6, 18)
#else
#define FMAADD_9_6_PAIRS(X)
#endif
#define FMA_LOOPS(X)                                                                               \
    X(fma_10, "fma", WITH_FMA, 1, 40, 10, 40, 0, 0, 0, 0)                                          \
    X(fma_12, "fma", WITH_FMA, 1, 48, 12, 48, 0, 0, 0, 0)                                          \
    X(fma_15, "fma", WITH_FMA, 1, 60, 15, 60, 0, 0, 0, 0)                                          \
    FMAADD_9_6_PAIRS(X)                                                                            \
    X(fmaadd_8_6_pairs, "fma+add", WITH_FMA, 1, 12, 8, 24, 0, 0, 6, 24)                            \
    X(fmaadd_10_5, "fma+add", WITH_FMA, 1, 40, 10, 40, 0, 0, 5, 20)                                \
    X(fmaadd_10_5_short, "fma+add", WITH_FMA, 1, 10, 10, 10, 0, 0, 5, 5)                           \
    X(fmaadd_8_4, "fma+add", WITH_FMA, 1, 32, 8, 32, 0, 0, 4, 16)
#endif
#ifndef HAS_FMA_LOOPS
#undef FMA_LOOPS
#define FMA_LOOPS(X)
#endif

#define FUNCTION(symbol, mix, attribute, needs_fma, slots, fc, f, mc, m, ac, a)                    \
    attribute static void symbol(long passes)                                                      \
    {                                                                                              \
        run_chains(passes, slots, fc, f, mc, m, ac, a);                                            \
    }
PLAIN_LOOPS(FUNCTION)
FMA_LOOPS(FUNCTION)

#define ROW(symbol, mix, attribute, needs_fma, slots, fc, f, mc, m, ac, a)                         \
    {mix,                                                                                          \
     #f " FMA in " #fc " chains; " #m " MUL in " #mc "; " #a " ADD in " #ac "; " #slots " slots",  \
     VLEN * (2 * (f) + (m) + (a)),                                                                 \
     ((f) + (m)) / ((double)(f) + (m) + (a)),                                                      \
     needs_fma,                                                                                    \
     symbol},
extern const struct compute_loop NAME(compute_loops)[];
const struct compute_loop NAME(compute_loops)[] = {FMA_LOOPS(ROW) PLAIN_LOOPS(ROW){0}};

#endif
