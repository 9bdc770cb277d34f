// counters.c - PAPI presets, and why they do not work here.
//
// Why a reading is all or nothing: without multiplexing, PAPI's perf_event component opens a group
// with attr.pinned set (PAPI 7.0, src/components/perf_event/perf_event.c, open_pe_events). A pinned
// group that does not find its counters on the PMU goes into an error state until it is enabled
// again, and reads then fail with end of file (perf_event_open(2), "pinned"), which PAPI reports as
// an error. So what it does read had a time running equal to its time enabled; the scaling that a
// shared PMU needs never takes place.
#include "counters.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "identity.h"
#include "procfs.h"

#if __has_include(<papi.h>)
#include <papi.h>
#define HAVE_PAPI 1
#else
#define HAVE_PAPI 0
#define PAPI_OK 0
#endif

double counter_value(int papi_result, long long reading)
{
    return papi_result == PAPI_OK && reading > 0 ? (double)reading : NAN;
}

static int judge_refusal(const struct counter_access *access, struct error *error)
{
    /* 2 and below lets everybody count user mode:
     * https://docs.kernel.org/admin-guide/perf-security.html */
    if (access->paranoid > 2)
        return error_skip(error,
                          "no hardware counters: kernel.perf_event_paranoid is %g; run as root or "
                          "`sysctl kernel.perf_event_paranoid=2`",
                          access->paranoid);
    return error_skip(error,
                      "no hardware counters: perf_event_open is refused (%s) though "
                      "kernel.perf_event_paranoid is %g; allow it in this container, for example "
                      "by --cap-add=PERFMON",
                      strerror(access->open_errno), access->paranoid);
}

int counter_access_judge(const struct counter_access *access, struct error *error)
{
    if (!access->papi)
        return error_skip(error, "no hardware counters: built without PAPI; `make deps`, then "
                                 "build again");
    switch (access->open_errno) {
    case 0:
        break;
    case EACCES:
    case EPERM:
        return judge_refusal(access, error);
    case ENOENT: /* the PMU driver does not know the event: there is only the software PMU */
    case ENODEV:
    case EOPNOTSUPP:
        if (*access->hypervisor)
            return error_skip(error,
                              "no hardware counters: this %s guest has no PMU "
                              "(kernel.perf_event_paranoid is %g); give it a virtual PMU or "
                              "run on bare metal",
                              access->hypervisor, access->paranoid);
        return error_skip(error,
                          "no hardware counters: the kernel drives no PMU of this CPU (%s); a "
                          "newer kernel may",
                          strerror(access->open_errno));
    default:
        return error_skip(error, "no hardware counters: perf_event_open: %s",
                          strerror(access->open_errno));
    }
    if (*access->papi)
        return error_skip(error,
                          "no hardware counters: PAPI says '%s' though the kernel counts "
                          "(kernel.perf_event_paranoid is %g); a newer PAPI may know this CPU",
                          access->papi, access->paranoid);
    return OK;
}

/* PAPI tells an unusable kernel by one error code; the kernel itself says which of the reasons it
 * is. */
static int try_kernel(void)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_HARDWARE,
        .size = sizeof attr,
        .config = PERF_COUNT_HW_CPU_CYCLES,
        .disabled = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };
    long file = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
    if (file < 0)
        return errno;
    close((int)file);
    return 0;
}

struct counters {
    int set;                        /* of PAPI */
    int count;                      /* events in the set */
    int cycles_at, instructions_at; /* places of their readings; -1: not counted */
    int state;                      /* PAPI's answer to the last start */
};

#if HAVE_PAPI
static int add_event(struct counters *counters, int event, int *place)
{
    int result = PAPI_add_event(counters->set, event);
    *place = result == PAPI_OK ? counters->count++ : -1;
    return result;
}

/* What PAPI complains of, "" when at least cycles are counted. */
static const char *start_papi(struct counters *counters)
{
    const int version = PAPI_VER_CURRENT;
    int result = PAPI_is_initialized() ? version : PAPI_library_init(version);
    if (result != version)
        return result < 0 ? PAPI_strerror(result) : "library and header differ in version";
    /* Without it PAPI takes every caller for the first thread. */
    result = PAPI_thread_init(pthread_self);
    counters->set = PAPI_NULL;
    if (result == PAPI_OK)
        result = PAPI_create_eventset(&counters->set);
    if (result == PAPI_OK)
        result = add_event(counters, PAPI_TOT_CYC, &counters->cycles_at);
    if (result != PAPI_OK)
        return PAPI_strerror(result);
    add_event(counters, PAPI_TOT_INS, &counters->instructions_at);
    return "";
}

void counters_start(struct counters *counters)
{
    if (counters)
        counters->state = PAPI_start(counters->set);
}

struct counts counters_stop(struct counters *counters)
{
    struct counts counts = {NAN, NAN};
    long long reading[2] = {0};
    if (!counters || counters->state != PAPI_OK)
        return counts;
    int result = PAPI_stop(counters->set, reading);
    counts.cycles = counter_value(result, reading[counters->cycles_at]);
    if (counters->instructions_at >= 0)
        counts.instructions = counter_value(result, reading[counters->instructions_at]);
    return counts;
}

void counters_close(struct counters *counters)
{
    if (!counters)
        return;
    PAPI_cleanup_eventset(counters->set);
    PAPI_destroy_eventset(&counters->set);
    free(counters);
}
#else
static const char *start_papi(struct counters *counters)
{
    (void)counters;
    return NULL;
}

void counters_start(struct counters *counters)
{
    (void)counters;
}

struct counts counters_stop(struct counters *counters)
{
    (void)counters;
    return (struct counts){NAN, NAN};
}

void counters_close(struct counters *counters)
{
    free(counters);
}
#endif

int counters_open(struct counters **counters, struct error *error)
{
    struct identity identity = identity_read();
    *counters = calloc(1, sizeof **counters);
    if (!*counters)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the counters");
    struct counter_access access = {
        .open_errno = try_kernel(),
        .papi = start_papi(*counters),
        .paranoid = procfs_number("/proc/sys/kernel/perf_event_paranoid"),
        .hypervisor = identity.hypervisor,
    };
    int result = counter_access_judge(&access, error);
    if (result != OK) {
        counters_close(*counters);
        *counters = NULL;
    }
    return result;
}
