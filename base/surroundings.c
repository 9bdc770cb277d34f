// surroundings.c - asks /proc, /sys and uname; what is not exposed stays unknown.
#include "surroundings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "procfs.h"
#include "table.h"

static void read_governor(char *governor, size_t capacity)
{
    long cpus = sysconf(_SC_NPROCESSORS_CONF);
    governor[0] = 0;
    for (long cpu = 0; cpu < cpus; cpu++) {
        char path[96], one[64];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld/cpufreq/scaling_governor", cpu);
        if (!procfs_line(path, one, sizeof one))
            continue;
        if (!*governor)
            snprintf(governor, capacity, "%s", one);
        else if (strcmp(governor, one) != 0)
            snprintf(governor, capacity, "mixed");
    }
}

/* Two drivers, two files: https://docs.kernel.org/admin-guide/pm/intel_pstate.html (no_turbo) and
 * https://docs.kernel.org/admin-guide/pm/cpufreq.html (boost). */
static void read_turbo(char *turbo, size_t capacity)
{
    double disabled = procfs_number("/sys/devices/system/cpu/intel_pstate/no_turbo");
    double enabled = procfs_number("/sys/devices/system/cpu/cpufreq/boost");
    turbo[0] = 0;
    if (!isnan(disabled))
        snprintf(turbo, capacity, disabled == 0 ? "on" : "off");
    else if (!isnan(enabled))
        snprintf(turbo, capacity, enabled != 0 ? "on" : "off");
}

/* The chosen one of "always [madvise] never". */
static void read_huge_pages(char *mode, size_t capacity)
{
    char line[64];
    procfs_line("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof line);
    const char *open = strchr(line, '[');
    const char *close = open ? strchr(open, ']') : NULL;
    mode[0] = 0;
    if (close)
        snprintf(mode, capacity, "%.*s", (int)(close - open - 1), open + 1);
}

static void read_microcode(char *revision, size_t capacity)
{
    if (!procfs_line("/sys/devices/system/cpu/cpu0/microcode/version", revision, capacity)) {
        /* Guests have no such file, but the same number in cpuinfo; strtod reads its 0x. */
        double number = procfs_entry("/proc/cpuinfo", "microcode");
        if (!isnan(number))
            snprintf(revision, capacity, "0x%lx", (unsigned long)number);
    }
}

/* First line of /proc/stat, proc(5): ticks of user nice system idle iowait irq softirq steal. */
static void read_steal(struct surroundings *now)
{
    char line[256];
    double user, nice, kernel, irq, softirq, steal;
    now->steal_seconds = now->steal_rel = NAN;
    procfs_line("/proc/stat", line, sizeof line);
    if (sscanf(line, "cpu %lf %lf %lf %*f %*f %lf %lf %lf", &user, &nice, &kernel, &irq, &softirq,
               &steal) != 6)
        return;
    double wanted = user + nice + kernel + irq + softirq + steal;
    now->steal_seconds = steal / (double)sysconf(_SC_CLK_TCK);
    now->steal_rel = wanted > 0 ? steal / wanted : NAN;
}

struct surroundings surroundings_read(void)
{
    struct surroundings now = {0};
    struct utsname name;
    if (uname(&name) == 0)
        text_format(now.kernel, sizeof now.kernel, "%s %s %s %s", name.sysname, name.release,
                    name.version, name.machine);
    read_microcode(now.microcode, sizeof now.microcode);
    read_governor(now.governor, sizeof now.governor);
    read_turbo(now.turbo, sizeof now.turbo);
    read_huge_pages(now.huge_pages, sizeof now.huge_pages);
    procfs_line("/sys/devices/system/cpu/smt/control", now.smt, sizeof now.smt);
    procfs_line("/proc/sys/kernel/randomize_va_space", now.aslr, sizeof now.aslr);
    procfs_line("/proc/sys/kernel/perf_event_paranoid", now.perf_event_paranoid,
                sizeof now.perf_event_paranoid);
    procfs_line("/sys/module/nvidia/version", now.gpu_driver, sizeof now.gpu_driver);
    now.load = procfs_number("/proc/loadavg");
    read_steal(&now);
    return now;
}
