// nominal_clock.c - base and boost clock from CPUID, cpufreq and the model name.
#include "nominal_clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procfs.h"

#if defined(__x86_64__)
#include <cpuid.h>
/* Leaf 0x16 of Intel CPUs: EAX base, EBX maximum, in MHz (Intel SDM volume 2, CPUID). The numbers
 * are the specification's, and 0 where a hypervisor does not pass them on. */
static double cpuid_megahertz(bool base)
{
    unsigned eax = 0, ebx = 0, ecx, edx;
    if (!__get_cpuid_count(0x16, 0, &eax, &ebx, &ecx, &edx))
        return NAN;
    unsigned megahertz = (base ? eax : ebx) & 0xFFFF;
    return megahertz ? megahertz : NAN;
}
#else
static double cpuid_megahertz(bool base)
{
    (void)base;
    return NAN;
}
#endif

static double cpufreq_kilohertz(const struct host *host, const char *file)
{
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/%s", host->unit[0].os_index,
             file);
    return procfs_number(path);
}

static struct nominal_clock by_machine(const struct host *host, bool base, const char *file)
{
    struct nominal_clock clock = {.hertz = NAN};
    if (host->captured)
        return clock;
    clock.hertz = cpuid_megahertz(base) * 1e6;
    snprintf(clock.source, sizeof clock.source, "CPUID leaf 0x16");
    if (!isnan(clock.hertz))
        return clock;
    clock.hertz = cpufreq_kilohertz(host, file) * 1e3;
    snprintf(clock.source, sizeof clock.source, "cpufreq %s", file);
    return clock;
}

/* Intel's model names end in the base clock until Ice Lake: "E5-2697 v2 @ 2.70GHz". */
static struct nominal_clock by_name(const char *model)
{
    struct nominal_clock clock = {.hertz = NAN};
    const char *at = strchr(model, '@');
    char *end = NULL;
    double number = at ? strtod(at + 1, &end) : 0;
    if (number > 0 && strncmp(end, "GHz", 3) == 0)
        clock.hertz = number * 1e9;
    else if (number > 0 && strncmp(end, "MHz", 3) == 0)
        clock.hertz = number * 1e6;
    snprintf(clock.source, sizeof clock.source, "model name");
    return clock;
}

struct nominal_clock nominal_clock_base(const struct host *host)
{
    struct nominal_clock clock = by_machine(host, true, "base_frequency");
    return isnan(clock.hertz) ? by_name(host->cpu_model) : clock;
}

struct nominal_clock nominal_clock_boost(const struct host *host)
{
    return by_machine(host, false, "cpuinfo_max_freq");
}
