// counters.h - hardware counters through PAPI where they work, and the reason where they do not.
#ifndef ROOFLINE_COUNTERS_H
#define ROOFLINE_COUNTERS_H

#include "error.h"

struct counters;

/* Core cycles and instructions of the calling thread in user mode; NAN for what could not be
 * counted. A counter that was not scheduled all the time (time running < time enabled) is dropped,
 * not scaled. */
struct counts {
    double cycles, instructions;
};

/* For the calling thread. SKIPPED with a usable reason: no PAPI in the build, no PMU in this VM,
 * perf_event_paranoid; *counters is then NULL, and starting, stopping and closing it does nothing.
 */
int counters_open(struct counters **counters, struct error *error);
void counters_start(struct counters *counters);
struct counts counters_stop(struct counters *counters);
void counters_close(struct counters *counters);

/* What counters_open found; its judgement is apart from it so that it can be tested without a PMU.
 */
struct counter_access {
    int open_errno;         /* of perf_event_open() for core cycles; 0: it opened */
    const char *papi;       /* what PAPI complains of; "" nothing; NULL: it is not in this build */
    double paranoid;        /* kernel.perf_event_paranoid; NAN: not readable */
    const char *hypervisor; /* "" where none shows itself */
};

/* OK, or SKIPPED with the reason and the remedy. */
int counter_access_judge(const struct counter_access *access, struct error *error);

/* One counter's reading as a number: NAN when PAPI could not read it, or when it stood still, which
 * neither cycles nor instructions of running code can do. */
double counter_value(int papi_result, long long reading);

#endif
