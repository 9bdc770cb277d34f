// measure.c - samples that start together and know their clock.
#include "measure.h"

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

/* Links of one clock reading: 16384 cycles, 4 to 16 us, long against the two timestamps (50 ns) and
 * short against the steps of a clock governor (1 ms). */
enum { CHAIN_LINKS = 16384, CHAIN_UNROLL = 16 };

/* From the last member's arrival to the start: more than the wake-up of a spinning thread, less
 * than a tick. */
static const double start_delay_seconds = 5e-6;

double seconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void clock_chain(long links)
{
    uint64_t sum = 1, step = 3;
    __asm__ volatile("" : "+r"(step));
    for (long i = 0; i < links / CHAIN_UNROLL; i++) {
#if defined(__x86_64__)
#    define LINK "add %1, %0\n\t"
#elif defined(__aarch64__)
#    define LINK "add %0, %0, %1\n\t"
#else
#    error "clock_chain: give the register-register add of this architecture"
#endif
        __asm__ volatile(
            LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK LINK
            : "+r"(sum)
            : "r"(step)
            : "cc");
#undef LINK
    }
}

double clock_hertz_now(void)
{
    double start = seconds_now();
    clock_chain(CHAIN_LINKS);
    return CHAIN_LINKS / (seconds_now() - start);
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
static void wait_for_start(struct rendezvous *meeting)
{
    if (atomic_fetch_sub(&meeting->waiting, 1) == 1)
        atomic_store(&meeting->start_time, seconds_now() + start_delay_seconds);
    double start_time;
    while ((start_time = atomic_load(&meeting->start_time)) == 0)
        ;
    while (seconds_now() < start_time)
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
        wait_for_start(meeting);
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

long measure_calibrate(const struct work *work, long *repeats, double seconds)
{
    const long limit = 1L << 40;
    for (*repeats = 1; *repeats < limit;) {
        double took = measure_sample(work).seconds;
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
