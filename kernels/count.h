// count.h - what hardware counters see of a kernel call: cycles, instructions, FLOP, bytes.
#ifndef ROOFLINE_COUNT_H
#define ROOFLINE_COUNT_H

#include "counters.h"
#include "run.h"

/* What can be counted on this CPU. */
struct counting {
    const struct pmu *pmu; /* NULL: nothing */
    struct recipe flops[DTYPE_COUNT], bytes;
};

struct counting counting_here(const struct pmu *pmu, const struct identity *cpu);

/* Of one call, over all members; NAN for what was not counted. */
struct counted {
    double cycles, instructions;
    double flops;
    double bytes; /* as the recipe counts them: lines read from memory, write-allocates included */
    char by[320]; /* the events of FLOP and bytes with their weights */
};

/* Counts run->repeats calls of an open run: cycles and instructions, FLOP, and bytes, in a run
 * each, so that no counter has to be shared. None of them is to be timed: reading counters takes
 * time. */
struct counted run_count(struct run *run, const struct counting *counting);

#endif
