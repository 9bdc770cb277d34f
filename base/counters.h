// counters.h - hardware counters through PAPI where they work, and the reason where they do not.
#ifndef ROOFLINE_COUNTERS_H
#define ROOFLINE_COUNTERS_H

#include "error.h"

struct counters;

/* Core cycles and instructions of the calling thread; NAN for what could not be counted. A counter
 * whose time running was less than its time enabled is dropped (NAN), not scaled. */
struct counts {
    double cycles, instructions;
};

/* SKIPPED with a usable reason: no PAPI in the build, no PMU in this VM, perf_event_paranoid. */
int counters_open(struct counters **counters, struct error *error);
void counters_start(struct counters *counters);
struct counts counters_stop(struct counters *counters);
void counters_close(struct counters *counters);

#endif
