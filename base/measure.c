// measure.c - samples that start together and know their clock.
#include "measure.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "stats.h"

/* Cycles of each chain of a clock reading, a multiple of 3, 4, 5 and 6 times 16: 3 to 8 us. Long
 * against the steps of the time stamp, 10 ns on Zen (with a quarter of this the faster of several
 * readings was 2 % above the clock), short against the steps of a clock governor (1 ms). */
enum { CHAIN_CYCLES = 16320, CHAIN_UNROLL = 16 };

enum { SLICES_MAX = 256 };

/* A member that was off its core for most of the time goes on until its medians mean something. */
enum { SLICES_MIN = 15 };

/* From the last member's arrival to the start: more than the wake-up of a spinning thread, less
 * than a tick. */
static const double start_delay_seconds = 5e-6;

double seconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void clock_chain(long cycles)
{
    uint64_t sum = 1, step = 3;
    __asm__ volatile("" : "+r"(step));
    for (long i = 0; i < cycles / CHAIN_UNROLL; i++) {
#if defined(__x86_64__)
#define LINK "add %1, %0\n\t"
#elif defined(__aarch64__)
#define LINK "add %0, %0, %1\n\t"
#else
#error "clock_chain: give the register-register add of this architecture"
#endif
        __asm__ volatile(
            LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK
            : "+r"(sum)
            : "r"(step)
            : "cc");
#undef LINK
    }
}

/* Runs a chain of that many dependent multiplies of f32, a multiple of 16. */
static void multiply_chain(long links)
{
    float product = 1, factor = 1;
    for (long i = 0; i < links / CHAIN_UNROLL; i++) {
#if defined(__x86_64__)
#define LINK "mulss %1, %0\n\t"
#define REGISTER "x"
#elif defined(__aarch64__)
#define LINK "fmul %s0, %s0, %s1\n\t"
#define REGISTER "w"
#endif
        __asm__ volatile(
            LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK
            : "+" REGISTER(product)
            : REGISTER(factor));
#undef LINK
    }
}

#if defined(__x86_64__)
/* The same as clock_chain() with multiplies of 32 bits: three cycles a link on every core since K8
 * and Core, four on Bulldozer (Agner Fog, instruction tables,
 * www.agner.org/optimize/instruction_tables.pdf). */
static void clock_chain_slow(long cycles)
{
    uint32_t product = 1, factor = 3;
    __asm__ volatile("" : "+r"(factor));
    for (long i = 0; i < cycles / (3 * CHAIN_UNROLL); i++) {
#define LINK "imul %1, %0\n\t"
        __asm__ volatile(
            LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK
            : "+r"(product)
            : "r"(factor)
            : "cc");
#undef LINK
    }
}
#endif

/* Four time stamps, two on each side of what is timed. The cheaper pair tells what a stamp costs: a
 * pair that was interrupted must not make the work look short. */
struct stopwatch {
    double before, start;
};

static struct stopwatch stopwatch_start(void)
{
    double before = seconds_now();
    return (struct stopwatch){before, seconds_now()};
}

static double stopwatch_seconds(struct stopwatch watch)
{
    double end = seconds_now();
    double stamp_before = watch.start - watch.before, stamp_after = seconds_now() - end;
    return end - watch.start - (stamp_before < stamp_after ? stamp_before : stamp_after);
}

static double read_chain(void (*chain)(long amount), long amount)
{
    struct stopwatch watch = stopwatch_start();
    chain(amount);
    return (double)amount / stopwatch_seconds(watch);
}

static double read_integer_chains(void)
{
    double clock_hertz = read_chain(clock_chain, CHAIN_CYCLES);
#if defined(__x86_64__)
    double slow = read_chain(clock_chain_slow, CHAIN_CYCLES);
    clock_hertz = slow > clock_hertz ? slow : clock_hertz;
#endif
    return clock_hertz;
}

/* Cycles of a multiply of f32, 3 to 6 on the cores there are; 0 where the chains, disturbed, do not
 * say. Of both the best reading of several counts. */
static int find_multiply_cycles(void)
{
    enum { READINGS = 15, LEAST = 3, MOST = 6 };
    double clock_hertz = 0, links_per_second = 0;
    for (int i = 0; i < READINGS; i++) {
        double clock = read_integer_chains();
        double links = read_chain(multiply_chain, CHAIN_CYCLES / LEAST);
        clock_hertz = clock > clock_hertz ? clock : clock_hertz;
        links_per_second = links > links_per_second ? links : links_per_second;
    }
    double cycles = clock_hertz / links_per_second;
    int whole = (int)(cycles + 0.5);
    bool clear = cycles > whole - 0.1 && cycles < whole + 0.1;
    return clear && whole >= LEAST && whole <= MOST ? whole : 0;
}

static pthread_once_t multiply_cycles_once = PTHREAD_ONCE_INIT;
static int multiply_cycles;

static void set_multiply_cycles(void)
{
    multiply_cycles = find_multiply_cycles();
}

/* A neighbour on the other hardware thread of the core delays single links, by a cycle each: a
 * whole cycle per link of a chain of adds, a third per link of one of multiplies. What it takes are
 * integer units mostly, or mostly floating-point ones, so there is a chain of each. None can look
 * faster than the clock, so the fastest one is nearest to it. */
double clock_hertz_now(void)
{
    pthread_once(&multiply_cycles_once, set_multiply_cycles);
    double clock_hertz = read_integer_chains();
    if (multiply_cycles) {
        double links = read_chain(multiply_chain, CHAIN_CYCLES / multiply_cycles);
        double floating = links * multiply_cycles;
        clock_hertz = floating > clock_hertz ? floating : clock_hertz;
    }
    return clock_hertz;
}

/* What the members share during one sample. */
struct rendezvous {
    const struct work *work;
    _Atomic int waiting;       /* members that are not ready yet */
    _Atomic double start_time; /* 0 until the last one is ready */
    _Atomic double first_start, last_start, last_end, clock_sum;
};

static void atomic_min(_Atomic double *target, double value)
{
    double seen = atomic_load(target);
    while (value < seen && !atomic_compare_exchange_weak(target, &seen, value))
        ;
}

static void atomic_max(_Atomic double *target, double value)
{
    double seen = atomic_load(target);
    while (value > seen && !atomic_compare_exchange_weak(target, &seen, value))
        ;
}

static void atomic_sum(_Atomic double *target, double value)
{
    double seen = atomic_load(target);
    while (!atomic_compare_exchange_weak(target, &seen, seen + value))
        ;
}

/* The last member to arrive names a time, all spin until then. */
static void wait_for_start(_Atomic int *waiting, _Atomic double *start_time)
{
    if (atomic_fetch_sub(waiting, 1) == 1)
        atomic_store(start_time, seconds_now() + start_delay_seconds);
    while (atomic_load(start_time) == 0)
        ;
    while (seconds_now() < atomic_load(start_time))
        ;
}

static void take_part(void *context, struct member member)
{
    struct rendezvous *meeting = context;
    const struct work *work = meeting->work;
    if (work->prepare)
        work->prepare(work->context, member);
    double clock_before = clock_hertz_now();
    if (member.count > 1)
        wait_for_start(&meeting->waiting, &meeting->start_time);
    double start = seconds_now();
    work->run(work->context, member);
    double end = seconds_now();
    double clock_after = clock_hertz_now();
    /* An interruption makes a chain look slow, nothing makes it look fast: the larger one is the
     * clock. */
    atomic_sum(&meeting->clock_sum, clock_before > clock_after ? clock_before : clock_after);
    atomic_min(&meeting->first_start, start);
    atomic_max(&meeting->last_start, start);
    atomic_max(&meeting->last_end, end);
}

struct sample measure_sample(const struct work *work)
{
    struct rendezvous meeting = {.work = work, .waiting = work->threads, .first_start = 1e300};
    team_run(take_part, &meeting, work->threads);
    return (struct sample){
        .seconds = meeting.last_end - meeting.first_start,
        .skew_seconds = meeting.last_start - meeting.first_start,
        .clock_hertz = meeting.clock_sum / work->threads,
    };
}

/* What the members share during a pace. */
struct race {
    const struct work *work;
    double seconds;
    _Atomic int waiting;
    _Atomic double start_time, calls_per_second, clock_sum;
};

static void take_slices(void *context, struct member member)
{
    struct race *race = context;
    const struct work *work = race->work;
    double cycles[SLICES_MAX], clock_hertz[SLICES_MAX];
    size_t count = 0;
    if (work->prepare)
        work->prepare(work->context, member);
    wait_for_start(&race->waiting, &race->start_time);
    double end_time = race->start_time + race->seconds;
    double clock_before = clock_hertz_now();
    do {
        struct stopwatch watch = stopwatch_start();
        work->run(work->context, member);
        double seconds = stopwatch_seconds(watch);
        double clock_after = clock_hertz_now();
        /* The larger one is the clock, as in a sample: an interrupted chain must not make the slice
         * look short of cycles. */
        clock_hertz[count] = clock_before > clock_after ? clock_before : clock_after;
        cycles[count] = seconds * clock_hertz[count];
        clock_before = clock_after;
        count++;
    } while (count < SLICES_MAX && (count < SLICES_MIN || seconds_now() < end_time));
    double clock = quartiles_of(clock_hertz, count).median;
    atomic_sum(&race->calls_per_second, clock / quartiles_of(cycles, count).q1);
    atomic_sum(&race->clock_sum, clock);
}

struct pace measure_pace(const struct work *work, double seconds)
{
    struct race race = {.work = work, .seconds = seconds, .waiting = work->threads};
    team_run(take_slices, &race, work->threads);
    return (struct pace){race.calls_per_second, race.clock_sum / work->threads};
}

/* An interruption makes a sample look long enough when it is not, and a slice of nanoseconds
 * measures nothing: what is about to be accepted has to be long three times. */
static double shortest_seconds(const struct work *work, double enough)
{
    double shortest = measure_sample(work).seconds;
    for (int i = 0; i < 2 && shortest >= enough; i++) {
        double seconds = measure_sample(work).seconds;
        shortest = seconds < shortest ? seconds : shortest;
    }
    return shortest;
}

long measure_calibrate(const struct work *work, long *repeats, double seconds)
{
    const long limit = 1L << 40;
    for (*repeats = 1; *repeats < limit;) {
        double took = shortest_seconds(work, 0.5 * seconds);
        if (took >= 0.5 * seconds) { /* near enough that the ratio is exact */
            double wanted = (double)*repeats * seconds / took;
            return *repeats = wanted < 1 ? 1 : (long)wanted;
        }
        /* Aim at the target, at most 16 times further: a first call may be slow for other reasons.
         */
        double factor = took > 0 ? seconds / took : 16;
        *repeats = (long)((double)*repeats * (factor < 2 ? 2 : factor < 16 ? factor : 16));
    }
    return *repeats;
}
