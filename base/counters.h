// counters.h - hardware counters through PAPI where they work, and the reason where they do not.
#ifndef ROOFLINE_COUNTERS_H
#define ROOFLINE_COUNTERS_H

#include <stdbool.h>

#include "events.h"

/* The part of PAPI that counting needs, so that a test can stand in for it. A group is counted by
 * the calling thread, whole or not at all. */
struct pmu {
    /* NULL with the reason in *why where an event is not known or they do not fit together. */
    void *(*open)(const char *const *events, int count, const char **why);
    bool (*start)(void *group);
    /* False where the group was not on the PMU all the time: time running < time enabled. */
    bool (*stop)(void *group, long long *readings);
    void (*close)(void *group);
};
extern const struct pmu papi;

struct counters;

/* Of the calling thread in user mode; NAN for what could not be counted. A group that was not
 * scheduled all the time is dropped, not scaled. */
struct counts {
    double cycles, instructions;
    double sum; /* of the recipe */
};

/* For the calling thread: core cycles, and the events of the recipe or, where it is NULL,
 * instructions if they can be counted. SKIPPED with a usable reason: no PAPI in the build, no PMU
 * in this VM, perf_event_paranoid, an event that is not known; *counters is then NULL, and
 * starting, stopping and closing it does nothing. */
int counters_open(struct counters **counters, const struct pmu *pmu, const struct recipe *recipe,
                  struct error *error);
void counters_start(struct counters *counters);
struct counts counters_stop(struct counters *counters);
void counters_close(struct counters *counters);

/* The first recipe of the table that can be counted here; one without terms where there is none,
 * and for a table of NULL. */
struct recipe counters_choose(const struct pmu *pmu, const char *table, const char *quantity,
                              enum dtype dtype);

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

#endif
