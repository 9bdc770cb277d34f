// team.c - the OpenMP pool as a team of pinned members.
#include "team.h"

#include <omp.h>
#include <stdbool.h>
#include <stddef.h>

#include "alone.h"
#include "host.h"

/* The OpenMP pool belongs to the process, and so does where its threads sit. A runtime may end
 * threads of the pool and start new ones when the count changes (libgomp does), so each thread
 * looks on entry whether it sits where it should. */
static struct {
    const struct host *host; /* NULL: not pinned */
    const int *units;        /* NULL: thread i on unit i */
    int generation;
} pinning;
static _Thread_local int pinned_generation;
static _Thread_local bool is_alone; /* in team_alone() */

struct part member_part(struct member member, long total, long grain)
{
    long grains = (total + grain - 1) / grain;
    long begin = grains * member.index / member.count * grain;
    long end = grains * (member.index + 1) / member.count * grain;
    return (struct part){begin < total ? begin : total, end < total ? end : total};
}

static int take_seat(int thread, struct error *error)
{
    if (!pinning.host || pinned_generation == pinning.generation)
        return OK;
    pinned_generation = pinning.generation;
    return host_pin(pinning.host, pinning.units ? pinning.units[thread] : thread, error);
}

int team_pin_units(const struct host *host, const int *units, int count, struct error *error)
{
    if (count > host->threads)
        return error_set(error, FAULT_ENVIRONMENT,
                         "%d threads asked for, but this process may use %d (affinity, cpuset); "
                         "use --threads %d or fewer",
                         count, host->threads, host->threads);
    omp_set_dynamic(0);
    pinning.host = host;
    pinning.units = units;
    pinning.generation++;
    int result = OK;
#pragma omp parallel num_threads(count)
    {
        struct error own;
        if (take_seat(omp_get_thread_num(), &own) != OK) {
#pragma omp critical
            {
                result = FAILED;
                *error = own;
            }
        }
    }
    return result;
}

int team_pin(const struct host *host, int count, struct error *error)
{
    return team_pin_units(host, NULL, count, error);
}

void team_run(team_function *function, void *context, int count)
{
    if (count == 1) {
        struct error ignored; /* as below */
        take_seat(0, &ignored);
        function(context, (struct member){0, 1});
        return;
    }
#pragma omp parallel num_threads(count)
    {
        struct error ignored; /* the same seat was taken without fault in team_pin_units() */
        take_seat(omp_get_thread_num(), &ignored);
        function(context, (struct member){omp_get_thread_num(), count});
    }
}

void team_spread(int count)
{
    if (!pinning.host || count < 2)
        return;
    pinned_generation = 0; /* the next team_run() takes the seat again */
    host_spread(pinning.host, pinning.units, count);
}

void team_alone(team_function *function, void *context)
{
    is_alone = true;
    function(context, (struct member){0, 1});
    is_alone = false;
}

void team_barrier(void)
{
    if (is_alone)
        return;
#pragma omp barrier
}
