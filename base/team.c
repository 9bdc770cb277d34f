// team.c - the OpenMP pool as a team of pinned members.
#include "team.h"

#include <omp.h>
#include <stddef.h>

#include "host.h"

struct part member_part(struct member member, long total, long grain)
{
    long grains = (total + grain - 1) / grain;
    long begin = grains * member.index / member.count * grain;
    long end = grains * (member.index + 1) / member.count * grain;
    return (struct part){begin < total ? begin : total, end < total ? end : total};
}

int team_pin_units(const struct host *host, const int *units, int count, struct error *error)
{
    if (count > host->threads)
        return error_set(error, FAULT_ENVIRONMENT,
                         "%d threads asked for, but this process may use %d (affinity, cpuset); "
                         "use --threads %d or fewer",
                         count, host->threads, host->threads);
    omp_set_dynamic(0);
    int result = OK;
    struct error first = {0};
#pragma omp parallel num_threads(count)
    {
        struct error own = {0};
        int thread = omp_get_thread_num();
        int unit = units ? units[thread] : thread;
        if (host_pin(host, unit, &own) != OK) {
#pragma omp critical
            {
                result = FAILED;
                first = own;
            }
        }
    }
    if (result != OK)
        *error = first;
    return result;
}

int team_pin(const struct host *host, int count, struct error *error)
{
    return team_pin_units(host, NULL, count, error);
}

void team_run(team_function *function, void *context, int count)
{
#pragma omp parallel num_threads(count)
    function(context, (struct member){omp_get_thread_num(), count});
}

void team_barrier(void)
{
#pragma omp barrier
}
