// team.h - pinned threads that run one function together (OpenMP threads, bound through hwloc).
#ifndef ROOFLINE_TEAM_H
#define ROOFLINE_TEAM_H

#include "error.h"

struct host;

/* Who a thread is among those that work together. */
struct member {
    int index, count;
};

/* Part [begin, end) of `total` items that belongs to a member; boundaries are multiples of `grain`.
 */
struct part {
    long begin, end;
};
struct part member_part(struct member member, long total, long grain);

typedef void team_function(void *context, struct member member);

/* Thread i of the pool sits on unit i of the host from now on; `host` is borrowed until the next
 * call. FAULT_ENVIRONMENT when the process may not use so many or may not pin. */
int team_pin(const struct host *host, int count, struct error *error);

/* The same on the given units; `units` is borrowed until the next call. */
int team_pin_units(const struct host *host, const int *units, int count, struct error *error);

/* Runs function(context, {i, count}) on thread i of the pool and waits for all. A team of one is
 * the calling thread outside of any parallel region: what it calls may have a team of its own. */
void team_run(team_function *function, void *context, int count);

/* Until the next team_run() the calling thread may use the seats of the first `count` members, and
 * so may threads that it starts: those of a library would all sit on its own seat otherwise.
 * Threads that a library started earlier move to these seats. For use outside of a team_function,
 * or in a team of one. */
void team_spread(int count);

/* Waits for the other members; for use inside a team_function when every member calls it. */
void team_barrier(void);

#endif
