// nominal_clock.h - the base and boost clock that this machine states, and who states it.
#ifndef ROOFLINE_NOMINAL_CLOCK_H
#define ROOFLINE_NOMINAL_CLOCK_H

#include "host.h"

struct nominal_clock {
    double hertz;    /* NAN: nobody says */
    char source[96]; /* who says it */
};

/* CPUID leaf 0x16, else cpufreq, else "@ 2.70GHz" in the model name; a captured machine has only
 * the name. */
struct nominal_clock nominal_clock_base(const struct host *host);

/* The highest clock, of one core: CPUID leaf 0x16, else cpufreq. */
struct nominal_clock nominal_clock_boost(const struct host *host);

#endif
