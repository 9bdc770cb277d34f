// host.c - topology through hwloc, identity through CPUID, limits through affinity and control
// groups.
#include "host.h"

#include <dirent.h>
#include <errno.h>
#include <hwloc.h>
#include <hwloc/linux.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "identity.h"
#include "procfs.h"
#include "smbios.h"
#include "table.h"

/* Beyond this part of a cache its own replacement and whatever else runs begin to evict the working
 * set. */
static const double CACHE_FILL = 0.75;

/* ---- topology ---- */

static int load_topology(struct host *host, const char *file, struct error *error)
{
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology) != 0)
        return error_set(error, FAULT_ENVIRONMENT, "hwloc does not start: %s", strerror(errno));
    host->topology = topology;
    if (file && hwloc_topology_set_xml(topology, file) != 0)
        return error_set(error, FAULT_IO, "topology file '%s' is not readable hwloc XML: %s", file,
                         strerror(errno));
    /* What the cpuset of this process hides belongs to the machine's own counts. */
    hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    if (hwloc_topology_load(topology) != 0)
        return error_set(error, file ? FAULT_IO : FAULT_ENVIRONMENT,
                         "topology of '%s' does not load: %s; `lstopo machine.xml` writes one",
                         file ? file : "this machine", strerror(errno));
    if (!file && !hwloc_topology_is_thissystem(topology))
        return error_set(error, FAULT_ENVIRONMENT,
                         "an HWLOC_* variable redirects hwloc to another machine; unset it, or "
                         "name a captured machine with --topology FILE.xml");
    return OK;
}

/* PUs that this process may use: the cpuset of its cgroup and its affinity. NULL when memory is
 * out. */
static hwloc_bitmap_t usable_units(const struct host *host)
{
    hwloc_bitmap_t usable = hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(host->topology));
    hwloc_bitmap_t bound = hwloc_bitmap_alloc();
    if (usable && bound && !host->captured && hwloc_get_cpubind(host->topology, bound, 0) == 0)
        hwloc_bitmap_and(usable, usable, bound);
    hwloc_bitmap_free(bound);
    return usable;
}

/* At least 1: a machine without package objects is one package. */
static int count_objects(const struct host *host, hwloc_obj_type_t type)
{
    int count = hwloc_get_nbobjs_by_type(host->topology, type);
    return count > 0 ? count : 1;
}

/* The node whose memory is local to a PU. hwloc lists DRAM before HBM where a PU has both. */
static int node_of(const struct host *host, unsigned pu)
{
    hwloc_obj_t node = NULL;
    while ((node = hwloc_get_next_obj_by_type(host->topology, HWLOC_OBJ_NUMANODE, node)))
        if (hwloc_bitmap_isset(node->cpuset, pu))
            return (int)node->os_index;
    return 0;
}

/* A PU in topology order and its turn within its core. */
struct placed_unit {
    struct processing_unit unit;
    int sibling;
};

/* PUs of one core, and cores of one package, follow each other in topology order. */
static int list_units(struct host *host, hwloc_const_bitmap_t usable, struct placed_unit *placed)
{
    hwloc_obj_t pu = NULL, last_core = NULL, last_package = NULL;
    int sibling = 0;
    while ((pu = hwloc_get_next_obj_by_type(host->topology, HWLOC_OBJ_PU, pu))) {
        if (!hwloc_bitmap_isset(usable, pu->os_index))
            continue;
        hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(host->topology, HWLOC_OBJ_CORE, pu);
        hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(host->topology, HWLOC_OBJ_PACKAGE, pu);
        core = core ? core : pu; /* not every platform tells cores */
        sibling = core == last_core ? sibling + 1 : 0;
        host->cores += core != last_core;
        host->sockets += host->sockets == 0 || package != last_package;
        placed[host->threads++] = (struct placed_unit){
            .unit = {.os_index = (int)pu->os_index,
                     .core = host->cores - 1,
                     .numa_node = node_of(host, pu->os_index),
                     .socket = host->sockets - 1},
            .sibling = sibling,
        };
        last_core = core;
        last_package = package;
    }
    return host->threads;
}

static int count_nodes(const struct host *host)
{
    int nodes = 0;
    hwloc_obj_t node = NULL;
    while ((node = hwloc_get_next_obj_by_type(host->topology, HWLOC_OBJ_NUMANODE, node)))
        for (int i = 0; i < host->threads; i++)
            if (host->unit[i].numa_node == (int)node->os_index) {
                nodes++;
                break;
            }
    return nodes > 0 ? nodes : 1;
}

static int read_units(struct host *host, hwloc_const_bitmap_t usable, struct error *error)
{
    host->machine_sockets = count_objects(host, HWLOC_OBJ_PACKAGE);
    host->machine_threads = count_objects(host, HWLOC_OBJ_PU);
    host->machine_numa_nodes = count_objects(host, HWLOC_OBJ_NUMANODE);
    int cores = hwloc_get_nbobjs_by_type(host->topology, HWLOC_OBJ_CORE);
    host->machine_cores = cores > 0 ? cores : host->machine_threads;
    struct placed_unit *placed = calloc((size_t)host->machine_threads, sizeof *placed);
    host->unit = calloc((size_t)host->machine_threads, sizeof *host->unit);
    int result = OK, filled = 0;
    if (!placed || !host->unit)
        result = error_set(error, FAULT_ENVIRONMENT, "out of memory for the topology");
    else if (list_units(host, usable, placed) == 0)
        result = error_set(error, FAULT_ENVIRONMENT, "no CPU that this process may use");
    for (int sibling = 0; result == OK && filled < host->threads; sibling++)
        for (int i = 0; i < host->threads; i++)
            if (placed[i].sibling == sibling)
                host->unit[filled++] = placed[i].unit;
    host->numa_nodes = count_nodes(host);
    free(placed);
    return result;
}

/* Allowed cores below an object; the first host->cores units are one of each core. */
static int cores_below(const struct host *host, hwloc_obj_t object)
{
    int cores = 0;
    for (int i = 0; i < host->cores; i++)
        cores += hwloc_bitmap_isset(object->cpuset, (unsigned)host->unit[i].os_index);
    return cores;
}

/* hwloc's L1 to L5 are data or unified caches; instruction caches have types of their own. On a CPU
 * with two kinds of cores the sizes are those of the first allowed core. */
static void read_caches(struct host *host)
{
    for (int level = 1; level <= HOST_LEVELS_MAX; level++) {
        hwloc_obj_type_t type = (hwloc_obj_type_t)(HWLOC_OBJ_L1CACHE + level - 1);
        struct cache cache = {.level = level, .steady_bytes = NAN};
        hwloc_obj_t object = NULL;
        while ((object = hwloc_get_next_obj_by_type(host->topology, type, object))) {
            int cores = cores_below(host, object);
            if (cores == 0 || object->attr->cache.size == 0) /* 0: exists, but of unknown size */
                continue;
            if (cache.instances++ == 0) {
                cache.size_bytes = (double)object->attr->cache.size;
                cache.line_bytes = (int)object->attr->cache.linesize;
            }
            if (cores > cache.cores_sharing)
                cache.cores_sharing = cores;
        }
        if (cache.instances > 0)
            host->cache[host->cache_count++] = cache;
    }
}

/* ---- identity ---- */

static const char *package_info(const struct host *host, const char *name)
{
    hwloc_obj_t package = hwloc_get_obj_by_type(host->topology, HWLOC_OBJ_PACKAGE, 0);
    const char *info = package ? hwloc_obj_get_info_by_name(package, name) : NULL;
    return info ? info : hwloc_obj_get_info_by_name(hwloc_get_root_obj(host->topology), name);
}

/* The first of the names that hwloc has; Arm calls its numbers otherwise than x86. */
static int number_info(const struct host *host, const char *name, const char *arm_name,
                       int fallback)
{
    const char *info = package_info(host, name);
    info = info ? info : package_info(host, arm_name);
    return info ? (int)strtol(info, NULL, 0) : fallback;
}

static void text_info(const struct host *host, const char *name, const char *arm_name,
                      const char *fallback, char *text, size_t capacity)
{
    const char *info = package_info(host, name);
    info = info ? info : package_info(host, arm_name);
    text_copy(text, capacity, info ? info : fallback);
}

static void read_identity(struct host *host)
{
    struct identity own = {.family = -1, .model_number = -1, .stepping = -1};
    if (host->captured) {
        text_info(host, "HostName", "HostName", "", host->hostname, sizeof host->hostname);
    } else {
        own = identity_read();
        gethostname(host->hostname, sizeof host->hostname - 1);
    }
    text_copy(host->hypervisor, sizeof host->hypervisor, own.hypervisor);
    text_info(host, "CPUVendor", "CPUImplementer", own.vendor, host->cpu_vendor,
              sizeof host->cpu_vendor);
    text_info(host, "CPUModel", "CPUModel", own.model, host->cpu_model, sizeof host->cpu_model);
    host->cpu_family = number_info(host, "CPUFamilyNumber", "CPUArchitecture", own.family);
    host->cpu_model_number = number_info(host, "CPUModelNumber", "CPUPart", own.model_number);
    host->cpu_stepping = number_info(host, "CPUStepping", "CPURevision", own.stepping);
}

/* ---- limits and memory ---- */

static void read_limits(struct host *host)
{
    struct cgroup cgroup = {NAN, NAN, NAN};
    double total = (double)hwloc_get_root_obj(host->topology)->total_memory;
    host->memory_bytes = total > 0 ? total : NAN;
    host->memory_available_bytes = NAN;
    if (!host->captured) {
        cgroup = cgroup_read("");
        host->memory_bytes = procfs_entry("/proc/meminfo", "MemTotal") * 1024;
        host->memory_available_bytes = fmin(procfs_entry("/proc/meminfo", "MemAvailable") * 1024,
                                            cgroup.memory_available_bytes);
    }
    host->memory_limit_bytes = cgroup.memory_bytes;
    host->cpu_quota = cgroup.cpus;
    double whole = ceil(cgroup.cpus);
    host->quota_threads = whole < host->threads ? (int)fmax(whole, 1) : host->threads;
}

static void read_memory_bus(struct host *host)
{
    struct memory_bus bus = {NAN, NAN, NAN,
                             "a topology file does not hold it; state it: roofline theory "
                             "--channels N --mts M"};
    if (!host->captured)
        smbios_read("/sys/firmware/dmi/tables/DMI", &bus);
    host->memory_channels = bus.channels;
    host->memory_transfers_per_second = bus.transfers_per_second;
    host->memory_bus_bytes = bus.bus_bytes;
    text_copy(host->memory_source, sizeof host->memory_source, bus.source);
}

int host_read(struct host *host, const char *topology_file, struct error *error)
{
    *host = (struct host){.captured = topology_file != NULL};
    hwloc_bitmap_t usable = NULL;
    int result = load_topology(host, topology_file, error);
    if (result != OK)
        goto out;
    usable = usable_units(host);
    if (!usable) {
        result = error_set(error, FAULT_ENVIRONMENT, "out of memory for the topology");
        goto out;
    }
    result = read_units(host, usable, error);
    if (result != OK)
        goto out;
    read_caches(host);
    read_identity(host);
    read_limits(host);
    read_memory_bus(host);
out:
    hwloc_bitmap_free(usable);
    if (result != OK)
        host_free(host);
    return result;
}

void host_free(struct host *host)
{
    if (host->topology)
        hwloc_topology_destroy(host->topology);
    free(host->unit);
    *host = (struct host){0};
}

/* ---- questions ---- */

const struct cache *host_cache(const struct host *host, int level)
{
    for (int i = 0; i < host->cache_count; i++)
        if (host->cache[i].level == level)
            return &host->cache[i];
    return NULL;
}

const char *host_level(const struct host *host, double bytes_total, int threads)
{
    static const char *const names[HOST_LEVELS_MAX + 1] = {"", "L1", "L2", "L3", "L4"};
    int cores = threads < host->cores ? threads : host->cores;
    for (int i = 0; i < host->cache_count; i++) {
        const struct cache *cache = &host->cache[i];
        int busy = cores < cache->cores_sharing ? cores : cache->cores_sharing;
        if (bytes_total / cores * busy <= CACHE_FILL * cache->size_bytes)
            return names[cache->level];
    }
    return "DRAM";
}

/* The kernel lists features of each CPU in one line, "flags" on x86 and "Features" on Arm. */
bool host_has_feature(const struct host *host, const char *feature)
{
    FILE *file = host->captured ? NULL : fopen("/proc/cpuinfo", "re");
    char *line = NULL;
    size_t capacity = 0;
    bool found = false, listed = false;
    while (file && !listed && getline(&line, &capacity, file) > 0) {
        listed = strncmp(line, "flags", 5) == 0 || strncmp(line, "Features", 8) == 0;
        char *rest = NULL;
        for (char *word = listed ? strtok_r(line, " \t\n:", &rest) : NULL; word && !found;
             word = strtok_r(NULL, " \t\n:", &rest))
            found = strcmp(word, feature) == 0;
    }
    free(line);
    if (file)
        fclose(file);
    return found;
}

int host_pin(const struct host *host, int unit, struct error *error)
{
    if (host->captured)
        return error_set(error, FAULT_USAGE, "cannot pin threads to a captured machine");
    if (unit < 0 || unit >= host->threads)
        return error_set(error, FAULT_USAGE, "no unit %d: this process may use %d", unit,
                         host->threads);
    int pu = host->unit[unit].os_index;
    hwloc_obj_t object = hwloc_get_pu_obj_by_os_index(host->topology, (unsigned)pu);
    if (hwloc_set_cpubind(host->topology, object->cpuset, HWLOC_CPUBIND_THREAD) != 0)
        return error_set(error, FAULT_ENVIRONMENT, "cannot pin a thread to CPU %d: %s", pu,
                         strerror(errno));
    /* Undoes an inherited interleave policy. Containers often forbid set_mempolicy; the default
     * policy, local first touch, serves as well, so a refusal is no failure. */
    hwloc_set_membind(host->topology, object->nodeset, HWLOC_MEMBIND_BIND,
                      HWLOC_MEMBIND_THREAD | HWLOC_MEMBIND_BYNODESET);
    return OK;
}

void host_spread(const struct host *host, const int *units, int count)
{
    hwloc_bitmap_t wanted = hwloc_bitmap_alloc(), current = hwloc_bitmap_alloc();
    DIR *tasks = opendir("/proc/self/task");
    for (int i = 0; wanted && i < count && i < host->threads; i++)
        hwloc_bitmap_set(wanted, (unsigned)host->unit[units ? units[i] : i].os_index);
    if (wanted && current)
        hwloc_set_cpubind(host->topology, wanted, HWLOC_CPUBIND_THREAD);
    for (struct dirent *entry; wanted && current && tasks && (entry = readdir(tasks));) {
        pid_t task = (pid_t)strtol(entry->d_name, NULL, 10); /* 0 of "." and ".." */
        if (task > 0 && hwloc_linux_get_tid_cpubind(host->topology, task, current) == 0 &&
            hwloc_bitmap_weight(current) > 1 && !hwloc_bitmap_isequal(current, wanted))
            hwloc_linux_set_tid_cpubind(host->topology, task, wanted);
    }
    if (tasks)
        closedir(tasks);
    hwloc_bitmap_free(wanted);
    hwloc_bitmap_free(current);
}
