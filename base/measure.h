// measure.h - one sample: a function run by all members at once, its duration and the clock during
// it.
#ifndef ROOFLINE_MEASURE_H
#define ROOFLINE_MEASURE_H

#include "team.h"

/* What is timed. `prepare` (may be NULL) runs before every sample, untimed: warming caches or
 * vector units. `run` is the sample; both are called by every member. */
struct work {
    team_function *prepare;
    team_function *run;
    void *context;
    int threads;
};

struct sample {
    double seconds;      /* first start to last end */
    double skew_seconds; /* first start to last start */
    double clock_hertz;  /* mean over the members; each reads before and after, the larger one */
};

/* Takes one sample. All members start at an agreed time a few microseconds after the last one is
 * ready, so a late wake-up does not count as work. */
struct sample measure_sample(const struct work *work);

/* The speed of work that stays within a core (arithmetic, L1, L2), from many slices of some 20 us,
 * each between two readings of the clock: wide vectors change the clock by a fifth within
 * microseconds, so only a reading next to the work counts, and an interruption spoils one slice
 * instead of the sample. One call of work->run is one slice. */
struct pace {
    double calls_per_second; /* of all members together: sum over them of clock / first quartile of
                                cycles per call */
    double clock_hertz;      /* mean over the members of the median reading */
};

/* Every member takes slices for `seconds`, all at the same time. */
struct pace measure_pace(const struct work *work, double seconds);

/* Monotonic time in seconds. */
double seconds_now(void);

/* Runs a chain of dependent register-register adds for that many cycles (a multiple of 16), one
 * each. Register operands, because Golden Cove's renamer executes adds of small immediates ahead of
 * time: a chain of `add $1` reads four times the clock there (docs/estimators.md). */
void clock_chain(long cycles);

/* Core clock of the calling thread: the fastest of a chain of integer adds, one of floating-point
 * multiplies and, on x86, one of integer multiplies. */
double clock_hertz_now(void);

/* The number of repeats, at least 1, for which `work` with *repeats = that number lasts `seconds`.
 * The context's repeat count is what `repeats` points to. */
long measure_calibrate(const struct work *work, long *repeats, double seconds);

#endif
