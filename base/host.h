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
};

/* One processing unit (hardware thread) that this process may use. */
struct processing_unit {
    int os_index;
    int core;      /* dense, 0 .. cores - 1 */
    int numa_node; /* OS index of the node */
    int socket;    /* dense */
};

struct host {
    char hostname[128];
    char cpu_model[128]; /* "" when unknown */
    char cpu_vendor[32]; /* "GenuineIntel", "AuthenticAMD", "" when unknown (Arm: implementer) */
    char hypervisor[32]; /* "" on bare metal */
    int cpu_family, cpu_model_number, cpu_stepping; /* -1 when unknown */

    /* What this process may use: affinity mask, cpuset and cgroup quota. */
    int sockets, cores, threads; /* threads = processing units */
    int quota_threads; /* cgroup cpu.max rounded up, no more than threads; = threads without a quota
                        */
    double cpu_quota;  /* CPUs' worth of time that the cgroup grants; NAN without a quota */
    struct processing_unit
        *unit;      /* owned; one per core first, then the siblings, nodes in turn kept together */
    int numa_nodes; /* that the allowed units touch */

    /* What the machine has in all. */
    int machine_sockets, machine_cores, machine_threads, machine_numa_nodes;

    struct cache cache[HOST_LEVELS_MAX]; /* ascending */
    int cache_count;

    double memory_bytes;           /* installed, as the operating system sees it */
    double memory_available_bytes; /* what may still be taken: MemAvailable and the cgroup's limit;
                                      NAN for a captured machine */

    /* Memory modules by SMBIOS where readable, else NAN. Never guessed. */
    double memory_channels, memory_transfers_per_second, memory_bus_bytes;
    char memory_source[160]; /* where they come from, or why they are not known and what to do */

    bool captured; /* read from a topology file: nothing about this process or its CPUID applies */
};

/* topology_file: an hwloc XML export (`lstopo machine.xml`) or NULL for this machine. */
int host_read(struct host *host, const char *topology_file, struct error *error);
void host_free(struct host *host);

/* Cache of that level or NULL. */
const struct cache *host_cache(const struct host *host, int level);

/* "L1" ... "DRAM": the innermost level that holds `bytes_per_core` when `cores` cores work side by
 * side, each cache counted by the share of its cores that work and filled to three quarters at
 * most. */
const char *host_level(const struct host *host, double bytes_total, int threads);

/* Whether this CPU reports a feature by the kernel's name ("amx_tile", "avx512_fp16"); false on a
 * captured machine. */
bool host_has_feature(const struct host *host, const char *feature);

/* Pins the calling thread to a unit of the host and to the memory of its node. */
int host_pin(const struct host *host, int unit, struct error *error);

#endif
