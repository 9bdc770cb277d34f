// cgroup.c - walks from the process's own control group up to the root of each mounted hierarchy.
//
// Files and their meaning: https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max, memory.max,
// memory.high), https://docs.kernel.org/scheduler/sched-bwc.html and .../cgroup-v1/memory.html
// (version 1).
#include "cgroup.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procfs.h"
#include "table.h"

enum { PATH_CAPACITY = 4096 };

/* A hierarchy as /proc/self/mountinfo has it, proc(5). */
struct mount {
    char root[1024]; /* the group that is visible at `point`: not "/" inside many containers */
    char point[1024];
    char type[32];
    char options[256];
};

/* NAN loses against every number. */
static double tighter(double a, double b)
{
    return fmin(a, b);
}

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
        if (strncmp(p, word, length) == 0 && (p[length] == ',' || !p[length]))
            return true;
    return false;
}

static double number_in(const char *directory, const char *name)
{
    char path[PATH_CAPACITY];
    text_format(path, sizeof path, "%s/%s", directory, name);
    return procfs_number(path);
}

static double entry_in(const char *directory, const char *name, const char *key)
{
    char path[PATH_CAPACITY];
    text_format(path, sizeof path, "%s/%s", directory, name);
    return procfs_entry(path, key);
}

/* `used` counts the page cache, which the kernel drops before it refuses memory. */
static void apply_memory(struct cgroup *cgroup, double limit, double used, double reclaimable)
{
    if (isnan(limit))
        return;
    double available = limit - used + (isnan(reclaimable) ? 0 : reclaimable);
    cgroup->memory_bytes = tighter(cgroup->memory_bytes, limit);
    cgroup->memory_available_bytes = tighter(cgroup->memory_available_bytes, fmax(available, 0));
}

static void apply_version2(struct cgroup *cgroup, const char *directory)
{
    char path[PATH_CAPACITY], line[64];
    double quota, period;
    text_format(path, sizeof path, "%s/cpu.max", directory);
    /* "max 100000" is no quota and does not parse. */
    if (procfs_line(path, line, sizeof line) && sscanf(line, "%lf %lf", &quota, &period) == 2)
        cgroup->cpus = tighter(cgroup->cpus, quota / period);
    /* Past memory.high a process is throttled and reclaimed from: no place to measure either. */
    double limit = tighter(number_in(directory, "memory.max"), number_in(directory, "memory.high"));
    apply_memory(cgroup, limit, number_in(directory, "memory.current"),
                 entry_in(directory, "memory.stat", "inactive_file"));
}

static void apply_version1(struct cgroup *cgroup, const char *directory)
{
    double quota = number_in(directory, "cpu.cfs_quota_us");
    double period = number_in(directory, "cpu.cfs_period_us");
    if (quota > 0) /* -1: none */
        cgroup->cpus = tighter(cgroup->cpus, quota / period);
    double limit = number_in(directory, "memory.limit_in_bytes");
    if (limit > 0x1p62) /* no limit reads as LONG_MAX rounded down to a page */
        limit = NAN;
    apply_memory(cgroup, limit, number_in(directory, "memory.usage_in_bytes"),
                 entry_in(directory, "memory.stat", "total_inactive_file"));
}

/* Path of this process in the hierarchy with that controller ("": version 2), from lines
 * "id:controllers:path". */
static bool own_path(const char *root, const char *controller, char *path, size_t capacity)
{
    char name[PATH_CAPACITY], line[PATH_CAPACITY];
    text_format(name, sizeof name, "%s/proc/self/cgroup", root);
    FILE *file = fopen(name, "re");
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':');
        char *own = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!own)
            continue;
        *own++ = 0;
        controllers++;
        found = *controller ? has_word(controllers, controller) : !*controllers;
        if (found)
            text_format(path, capacity, "%s", own);
    }
    if (file)
        fclose(file);
    return found;
}

static void walk(struct cgroup *cgroup, const char *root, const struct mount *mount,
                 const char *controller)
{
    char own[2048], directory[PATH_CAPACITY];
    if (!own_path(root, controller, own, sizeof own))
        return;
    /* Below a mount of a subtree the path starts with that subtree; a path that does not lies
     * outside of what this container sees, and the mount point is then the nearest group. */
    size_t skip = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
    bool below = strncmp(own, mount->root, skip) == 0 && strchr("/", own[skip]);
    const char *relative = below && strcmp(own + skip, "/") != 0 ? own + skip : "";
    text_format(directory, sizeof directory, "%s%s%s", root, mount->point, relative);
    size_t top = strlen(root) + strlen(mount->point);
    for (;;) {
        if (*controller)
            apply_version1(cgroup, directory);
        else
            apply_version2(cgroup, directory);
        if (strlen(directory) <= top)
            return;
        *strrchr(directory, '/') = 0;
    }
}

struct cgroup cgroup_read(const char *root)
{
    struct cgroup cgroup = {NAN, NAN, NAN};
    char path[PATH_CAPACITY], line[PATH_CAPACITY];
    text_format(path, sizeof path, "%s/proc/self/mountinfo", root);
    FILE *file = fopen(path, "re");
    if (!file)
        return cgroup;
    while (fgets(line, sizeof line, file)) {
        struct mount mount;
        const char *tail = strstr(line, " - ");
        if (!tail || sscanf(line, "%*s %*s %*s %1023s %1023s", mount.root, mount.point) != 2 ||
            sscanf(tail, " - %31s %*s %255s", mount.type, mount.options) != 2)
            continue;
        if (strcmp(mount.type, "cgroup2") == 0)
            walk(&cgroup, root, &mount, "");
        if (strcmp(mount.type, "cgroup") == 0 && has_word(mount.options, "cpu"))
            walk(&cgroup, root, &mount, "cpu");
        if (strcmp(mount.type, "cgroup") == 0 && has_word(mount.options, "memory"))
            walk(&cgroup, root, &mount, "memory");
    }
    fclose(file);
    return cgroup;
}
