// host.h - the machine as hwloc, CPUID and the limits of this process describe it.
#ifndef ROOFLINE_HOST_H
#define ROOFLINE_HOST_H

#include <stdbool.h>

#include "error.h"

enum { HOST_LEVELS_MAX = 4 };

/* One level of data or unified cache, as hwloc lists it; only levels that exist. */
struct cache {
    int level;         /* 1, 2, 3 */
    double size_bytes; /* of one instance */
    int line_bytes;
    int instances;     /* that the allowed cores reach */
    int cores_sharing; /* allowed cores of one instance */
    /* The largest set of one worker that its random loads found again in time; NAN until the
     * latency probe has looked. What shares a cache with other machines loses lines to them. */
    double steady_bytes;
};

/* One processing unit (hardware thread) that this process may use. */
struct processing_unit {
    int os_index;
    int core;      /* dense, 0 .. cores - 1 */
    int numa_node; /* OS index of the node */
    int socket;    /* dense */
};

struct hwloc_topology;

struct host {
    struct hwloc_topology *topology; /* owned */
    char hostname[128];
    char cpu_model[128]; /* "" when unknown */
    char cpu_vendor[32]; /* "GenuineIntel"; Arm: implementer code "0x41"; "" when unknown */
    char hypervisor[32]; /* "" where none shows itself */
    /* Arm: architecture, part number, revision; -1 when unknown */
    int cpu_family, cpu_model_number, cpu_stepping;

    /* What this process may use: affinity mask, cpuset and cgroup quota. */
    int sockets, cores, threads; /* threads = processing units */
    int quota_threads;           /* the quota rounded up, 1 ... threads; threads without one */
    double cpu_quota; /* CPUs' worth of time that the cgroup grants; NAN without a quota */
    int numa_nodes;   /* that the allowed units touch */
    /* Owned: one per core in topology order, so node by node; then the second siblings, ... */
    struct processing_unit *unit;

    /* What the machine has in all. */
    int machine_sockets, machine_cores, machine_threads, machine_numa_nodes;

    struct cache cache[HOST_LEVELS_MAX]; /* ascending */
    int cache_count;

    double memory_bytes;       /* of the machine, as the operating system sees it */
    double memory_limit_bytes; /* the cgroup's; NAN without one */
    /* What may still be taken: MemAvailable and the cgroup's rest; NAN for a captured machine. */
    double memory_available_bytes;

    /* Memory modules by SMBIOS where readable, else NAN, never guessed; channels of all sockets. */
    double memory_channels, memory_transfers_per_second, memory_bus_bytes;
    char memory_source[160]; /* where they come from, or why they are not known and what to do */

    bool captured; /* read from a topology file: nothing about this process or its CPUID applies */
};

/* topology_file: an hwloc XML export (`lstopo machine.xml`), or NULL for this machine: then to be
 * called before any thread is pinned, because the affinity it finds is what the process may use. */
int host_read(struct host *host, const char *topology_file, struct error *error);
void host_free(struct host *host);

/* Cache of that level or NULL. */
const struct cache *host_cache(const struct host *host, int level);

/* "L1" ... "DRAM": the innermost level that holds bytes_total when threads on units 0 ... threads-1
 * each work on an equal part: the busiest instance of a cache fills three quarters at most. */
const char *host_level(const struct host *host, double bytes_total, int threads);

/* Whether this CPU reports a feature by the kernel's name ("amx_tile", "avx512_fp16"); false on a
 * captured machine. */
bool host_has_feature(const struct host *host, const char *feature);

/* Pins the calling thread to a unit of the host and to the memory of its node. */
int host_pin(const struct host *host, int unit, struct error *error);

/* Lets the calling thread, and every other thread of this process that is not pinned to a single
 * unit, run on these units alone (units NULL: the first `count` of the host). What cannot be moved
 * stays. */
void host_spread(const struct host *host, const int *units, int count);

#endif
