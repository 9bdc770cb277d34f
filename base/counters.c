// counters.c - hardware events by name through PAPI, and why they are not counted here.
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
#endif

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

#if HAVE_PAPI
/* What PAPI complains of; "" nothing. */
static const char *start_papi(void)
{
    const int version = PAPI_VER_CURRENT;
    int result = PAPI_is_initialized() ? version : PAPI_library_init(version);
    if (result != version)
        return result < 0 ? PAPI_strerror(result) : "library and header differ in version";
    /* Without it PAPI takes every caller for the first thread. */
    result = PAPI_thread_init(pthread_self);
    return result == PAPI_OK ? "" : PAPI_strerror(result);
}

static void papi_close(void *group)
{
    int *set = group;
    PAPI_cleanup_eventset(*set);
    PAPI_destroy_eventset(set);
    free(set);
}

static void *papi_open(const char *const *events, int count, const char **why)
{
    *why = start_papi();
    int *set = **why ? NULL : malloc(sizeof *set);
    if (!set)
        return NULL;
    *set = PAPI_NULL;
    int result = PAPI_create_eventset(set);
    for (int i = 0; i < count && result == PAPI_OK; i++)
        result = PAPI_add_named_event(*set, events[i]);
    if (result == PAPI_OK)
        return set;
    *why = PAPI_strerror(result);
    papi_close(set);
    return NULL;
}

static bool papi_start(void *group)
{
    return PAPI_start(*(int *)group) == PAPI_OK;
}

static bool papi_stop(void *group, long long *readings)
{
    return PAPI_stop(*(int *)group, readings) == PAPI_OK;
}

const struct pmu papi = {papi_open, papi_start, papi_stop, papi_close};
#else
static void *papi_open(const char *const *events, int count, const char **why)
{
    (void)events;
    (void)count;
    *why = NULL;
    return NULL;
}

/* No group is ever open: the others are not called. */
const struct pmu papi = {.open = papi_open};
#endif

struct counters {
    const struct pmu *pmu;
    void *group;
    struct recipe recipe; /* without terms: instructions, or cycles alone */
    int count;            /* events in the group; the first are cycles */
    bool running;
};

static int open_group(struct counters *counters, const struct recipe *recipe, const char **why)
{
    const char *events[1 + RECIPE_TERMS_MAX] = {"PAPI_TOT_CYC", "PAPI_TOT_INS"};
    counters->count = 2;
    if (recipe) {
        counters->recipe = *recipe;
        counters->count = 1 + recipe->term_count;
        for (int i = 0; i < recipe->term_count; i++)
            events[1 + i] = counters->recipe.term[i].event;
    }
    counters->group = counters->pmu->open(events, counters->count, why);
    if (counters->group || recipe)
        return counters->group != NULL;
    counters->count = 1;
    counters->group = counters->pmu->open(events, counters->count, why);
    return counters->group != NULL;
}

void counters_start(struct counters *counters)
{
    if (counters)
        counters->running = counters->pmu->start(counters->group);
}

/* Cycles of running code are not 0: they witness that the group was on the PMU, so that a 0 beside
 * them is a true one. */
struct counts counters_stop(struct counters *counters)
{
    struct counts counts = {NAN, NAN, NAN};
    long long readings[1 + RECIPE_TERMS_MAX] = {0};
    if (!counters || !counters->running || !counters->pmu->stop(counters->group, readings) ||
        readings[0] <= 0)
        return counts;
    counts.cycles = (double)readings[0];
    if (counters->recipe.term_count > 0)
        counts.sum = recipe_sum(&counters->recipe, readings + 1);
    else if (counters->count > 1 && readings[1] > 0)
        counts.instructions = (double)readings[1];
    return counts;
}

void counters_close(struct counters *counters)
{
    if (counters && counters->group)
        counters->pmu->close(counters->group);
    free(counters);
}

static int explain(const char *why, struct error *error)
{
    struct identity identity = identity_read();
    struct counter_access access = {
        .open_errno = try_kernel(),
        .papi = why,
        .paranoid = procfs_number("/proc/sys/kernel/perf_event_paranoid"),
        .hypervisor = identity.hypervisor,
    };
    int result = counter_access_judge(&access, error);
    return result == OK ? error_skip(error, "no hardware counters: out of memory") : result;
}

int counters_open(struct counters **counters, const struct pmu *pmu, const struct recipe *recipe,
                  struct error *error)
{
    const char *why = "";
    *counters = calloc(1, sizeof **counters);
    if (!*counters)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the counters");
    (*counters)->pmu = pmu;
    if (open_group(*counters, recipe, &why))
        return OK;
    counters_close(*counters);
    *counters = NULL;
    return explain(why, error);
}

struct recipe counters_choose(const struct pmu *pmu, const char *table, const char *quantity,
                              enum dtype dtype)
{
    struct recipe recipe;
    struct error ignored; /* a table that is no table fails its test */
    while (table && events_next(&recipe, &table, quantity, dtype, &ignored) == OK) {
        struct counters *counters;
        int result = counters_open(&counters, pmu, &recipe, &ignored);
        counters_close(counters);
        if (result == OK)
            return recipe;
    }
    return (struct recipe){0};
}
