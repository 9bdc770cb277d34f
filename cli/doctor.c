// doctor.c - `roofline doctor`: what of this machine and its set-up helps or hurts measuring.
#include <dlfcn.h>
#include <hwloc.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "count.h"
#include "surroundings.h"
#include "wrapped.h"

static const char usage[] =
    "usage: roofline doctor [--csv|--json]\n"
    "\n"
    "Says what of this machine and its set-up helps or hurts measuring, and what to do about it.\n"
    "\n"
    "  ok       as it should be\n"
    "  note     works, but limits what can be measured or how well it repeats\n"
    "  bad      results would mislead or fail\n"
    "  unknown  the system does not tell\n"
    "\n"
    "Exit code 0; 4 when the machine itself cannot be read.\n";

/* A row of the report. */
struct finding {
    char check[24], state[8], finding[320], remedy[240];
};

#define TEXT(name, meaning)                                                                        \
    {                                                                                              \
#name, FIELD_TEXT, offsetof(struct finding, name), sizeof((struct finding *)0)->name,      \
            meaning                                                                                \
    }
static const struct field fields[] = {
    TEXT(check, "what was looked at"),
    TEXT(state, "ok, note, bad, unknown"),
    TEXT(finding, "what was found"),
    TEXT(remedy, "what helps; empty when nothing needs to be done"),
};
#undef TEXT

static const struct schema finding_schema = {
    .name = "doctor",
    .version = 1,
    .fields = fields,
    .field_count = sizeof fields / sizeof *fields,
    .row_bytes = sizeof(struct finding),
};

/* What the checks look at, and where they report. */
struct examination {
    const struct host *host;
    struct surroundings now;
    struct table *report;
    bool out_of_memory;
};

enum state { STATE_OK, STATE_NOTE, STATE_BAD, STATE_UNKNOWN };

__attribute__((format(printf, 5, 6))) static void report(struct examination *patient,
                                                         const char *check, enum state state,
                                                         const char *remedy, const char *format,
                                                         ...)
{
    static const char *const words[] = {"ok", "note", "bad", "unknown"};
    struct finding *row = table_append(patient->report);
    if (!row) {
        patient->out_of_memory = true;
        return;
    }
    text_copy(row->check, sizeof row->check, check);
    text_copy(row->state, sizeof row->state, words[state]);
    text_copy(row->remedy, sizeof row->remedy, remedy);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(row->finding, sizeof row->finding, format, arguments);
    va_end(arguments);
}

/* A reason of the library has its remedy after the last semicolon. */
static void report_reason(struct examination *patient, const char *check, enum state state,
                          const char *reason)
{
    const char *remedy = strrchr(reason, ';');
    int length = remedy ? (int)(remedy - reason) : (int)strlen(reason);
    report(patient, check, state, remedy ? remedy + 1 + strspn(remedy + 1, " ") : "", "%.*s",
           length, reason);
}

/* ---- the machine ---- */

static void check_machine(struct examination *patient)
{
    const struct host *host = patient->host;
    char caches[128] = "";
    for (int i = 0; i < host->cache_count; i++) {
        size_t used = strlen(caches);
        text_format(caches + used, sizeof caches - used, ", L%d %.0f KiB", host->cache[i].level,
                    host->cache[i].size_bytes / 1024);
    }
    report(patient, "machine", STATE_OK, "", "%s: %d socket(s), %d cores, %d threads, %d node(s)%s",
           *host->cpu_model ? host->cpu_model : "unnamed CPU", host->machine_sockets,
           host->machine_cores, host->machine_threads, host->machine_numa_nodes, caches);
}

static void check_hwloc(struct examination *patient)
{
    static const char *const variables[] = {"HWLOC_XMLFILE", "HWLOC_SYNTHETIC", "HWLOC_FSROOT",
                                            "HWLOC_COMPONENTS", "HWLOC_THISSYSTEM"};
    const char *version =
        hwloc_obj_get_info_by_name(hwloc_get_root_obj(patient->host->topology), "hwlocVersion");
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if (getenv(variables[i])) {
            report(patient, "hwloc", STATE_NOTE, "unset it",
                   "%s is set: the topology may not be this machine's", variables[i]);
            return;
        }
    report(patient, "hwloc", STATE_OK, "", "version %s", version ? version : "not told");
}

static void check_affinity(struct examination *patient)
{
    static const char *const variables[] = {"OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY",
                                            "KMP_AFFINITY"};
    const struct host *host = patient->host;
    if (host->threads == host->machine_threads) {
        report(patient, "affinity", STATE_OK, "", "all %d threads may be used", host->threads);
        return;
    }
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if (getenv(variables[i])) {
            report(patient, "affinity", STATE_BAD, "unset it: threads are pinned anyway",
                   "%s binds the first thread before the program starts, which hides all but %d "
                   "of %d threads",
                   variables[i], host->threads, host->machine_threads);
            return;
        }
    report(patient, "affinity", STATE_NOTE,
           "widen the affinity mask or cpuset to measure the whole machine",
           "%d of %d threads may be used: ceilings are those of a part of the machine",
           host->threads, host->machine_threads);
}

static void check_cores(struct examination *patient)
{
    const struct host *host = patient->host;
    if (host->cores == 1)
        report(patient, "cores", STATE_NOTE, "give the process or the guest more cores",
               "one core: nothing can be said about cores that work together");
    else if (host->threads > host->cores)
        report(patient, "cores", STATE_OK, "",
               "%d cores with %d threads: measured with one thread per core and with all",
               host->cores, host->threads);
    else
        report(patient, "cores", STATE_OK, "", "%d cores, one thread each (SMT %s)", host->cores,
               *patient->now.smt ? patient->now.smt : "not exposed");
}

static void check_quota(struct examination *patient)
{
    const struct host *host = patient->host;
    if (isnan(host->cpu_quota))
        report(patient, "cgroup quota", STATE_OK, "", "no limit on CPU time");
    else if (host->cpu_quota < host->threads)
        report(patient, "cgroup quota", STATE_BAD,
               "raise cpu.max (docker --cpus), or use --threads with fewer than the quota",
               "%g CPUs' worth of time for %d threads: they are stopped in the middle of samples",
               host->cpu_quota, host->threads);
    else
        report(patient, "cgroup quota", STATE_OK, "", "%g CPUs' worth of time for %d threads",
               host->cpu_quota, host->threads);
}

static void check_memory(struct examination *patient)
{
    static const double GIB = 1 << 30;
    double available = patient->host->memory_available_bytes;
    if (isnan(available))
        report(patient, "memory", STATE_UNKNOWN, "", "what is available is not exposed");
    else if (available < GIB) /* what the quick budget may take */
        report(patient, "memory", STATE_BAD, "free memory or raise the cgroup's limit",
               "%.2f GiB available: a quick run takes up to 1 GiB", available / GIB);
    else
        report(patient, "memory", STATE_OK, "", "%.1f GiB available", available / GIB);
}

static void check_memory_bus(struct examination *patient)
{
    const struct host *host = patient->host;
    bool known = !isnan(host->memory_channels) && !isnan(host->memory_transfers_per_second) &&
                 !isnan(host->memory_bus_bytes);
    report_reason(patient, "memory modules", known ? STATE_OK : STATE_NOTE, host->memory_source);
}

/* ---- what disturbs ---- */

static void check_governor(struct examination *patient)
{
    const char *governor = patient->now.governor;
    if (!*governor)
        report(patient, "governor", STATE_UNKNOWN, "",
               "not exposed: the hypervisor or the firmware sets the clock");
    else if (strcmp(governor, "performance") == 0)
        report(patient, "governor", STATE_OK, "", "performance");
    else
        report(patient, "governor", STATE_NOTE, "cpupower frequency-set -g performance",
               "%s: the clock has to rise first; samples are warmed up and state their clock",
               governor);
}

static void check_turbo(struct examination *patient)
{
    const char *turbo = patient->now.turbo;
    if (!*turbo)
        report(patient, "turbo", STATE_UNKNOWN, "", "not exposed");
    else if (strcmp(turbo, "off") == 0)
        report(patient, "turbo", STATE_OK, "", "off: the clock is steady");
    else
        report(patient, "turbo", STATE_NOTE,
               "for steadier numbers switch it off (intel_pstate/no_turbo, cpufreq/boost)",
               "on: the clock depends on load and temperature; compare per cycle");
}

static void check_huge_pages(struct examination *patient)
{
    const char *mode = patient->now.huge_pages;
    if (!*mode)
        report(patient, "huge pages", STATE_UNKNOWN, "", "not exposed");
    else if (strcmp(mode, "never") == 0)
        report(patient, "huge pages", STATE_BAD,
               "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
               "never: bandwidth and latency of DRAM include misses of the address translation");
    else
        report(patient, "huge pages", STATE_OK, "", "%s", mode);
}

static void check_hypervisor(struct examination *patient)
{
    const char *hypervisor = patient->host->hypervisor;
    if (*hypervisor)
        report(patient, "hypervisor", STATE_NOTE,
               "for the machine itself measure on bare metal; here repeat and compare",
               "%s guest: caches and memory are shared with others, CPU model and cache sizes are "
               "what it claims",
               hypervisor);
    else
        report(patient, "hypervisor", STATE_OK, "", "none seen");
}

static void check_steal(struct examination *patient)
{
    /* A hundredth of the time is as much as the interquartile range of a quiet machine. */
    static const double STEAL_REL_MAX = 0.01;
    const struct surroundings *now = &patient->now;
    if (isnan(now->steal_seconds) || isnan(now->steal_rel))
        report(patient, "steal", STATE_UNKNOWN, "", "not exposed");
    else
        report(patient, "steal", now->steal_rel > STEAL_REL_MAX ? STATE_NOTE : STATE_OK,
               now->steal_rel > STEAL_REL_MAX ? "run when the host is quieter, or longer (--budget)"
                                              : "",
               "%.1f s since boot, %.2f %% of the time that was wanted", now->steal_seconds,
               100 * now->steal_rel);
}

static void check_load(struct examination *patient)
{
    /* Half a process on average: one that runs every other second. */
    static const double LOAD_MAX = 0.5;
    double load = patient->now.load;
    if (isnan(load))
        report(patient, "load", STATE_UNKNOWN, "", "not exposed");
    else
        report(patient, "load", load > LOAD_MAX ? STATE_NOTE : STATE_OK,
               load > LOAD_MAX ? "stop what else runs, or expect more spread" : "",
               "%.2f processes wanted to run over the last minute", load);
}

/* ---- tools ---- */

static void check_counters(struct examination *patient)
{
    struct counters *counters;
    struct error error;
    int result = counters_open(&counters, &papi, NULL, &error);
    counters_close(counters);
    struct identity cpu = identity_read();
    struct counting counting = counting_here(&papi, &cpu);
    if (result == OK)
        report(patient, "counters", STATE_OK, "", "PAPI counts cycles and instructions%s%s",
               counting.flops[DTYPE_f32].term_count ? ", FLOP" : "",
               counting.bytes.term_count ? ", lines read from memory" : "");
    else
        report_reason(patient, "counters", STATE_NOTE, error.text);
}

static void check_gnuplot(struct examination *patient)
{
    char version[64] = "";
    FILE *answer = popen("gnuplot --version 2>/dev/null", "r");
    if (answer && !fgets(version, sizeof version, answer))
        version[0] = 0;
    if (answer)
        pclose(answer);
    version[strcspn(version, "\n")] = 0;
    if (*version)
        report(patient, "gnuplot", STATE_OK, "", "%s", version);
    else
        report(patient, "gnuplot", STATE_NOTE, "make deps",
               "not installed: `roofline plot` draws in the terminal only");
}

static void check_gpu(struct examination *patient)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library)
        report(patient, "gpu", STATE_OK, "", "libcuda.so.1 loads; NVIDIA driver %s",
               *patient->now.gpu_driver ? patient->now.gpu_driver : "not loaded");
    else
        report(patient, "gpu", STATE_NOTE, "install the NVIDIA driver if there is a GPU",
               "none: libcuda.so.1 not found");
    if (library)
        dlclose(library);
}

static void examine(struct examination *patient)
{
    static void (*const checks[])(struct examination *) = {
        check_machine, check_hwloc,      check_affinity,   check_cores,
        check_quota,   check_memory,     check_memory_bus, check_governor,
        check_turbo,   check_huge_pages, check_hypervisor, check_steal,
        check_load,    check_counters,   check_gnuplot,    check_gpu,
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        checks[i](patient);
}

static int run(int argc, char **argv)
{
    static const struct option longs[] = {OPTIONS_PRINT, {0}};
    struct options options;
    struct error error;
    struct host host;
    if (options_parse(&options, longs, WORDS_NONE, argc, argv, &error) != OK)
        return complain(&error);
    if (options.help) {
        fputs(usage, stdout);
        return FAULT_NONE;
    }
    if (host_read(&host, NULL, &error) != OK)
        return complain(&error);
    struct table table;
    table_init(&table, &finding_schema);
    struct examination patient = {.host = &host, .now = surroundings_read(), .report = &table};
    examine(&patient);
    int result = patient.out_of_memory
                     ? error_set(&error, FAULT_ENVIRONMENT, "out of memory for the report")
                     : print_wrapped(&table, options.output, &error);
    table_free(&table);
    host_free(&host);
    return result == OK ? FAULT_NONE : complain(&error);
}

const struct command doctor_command = {
    .name = "doctor",
    .summary = "what of this machine and its set-up helps or hurts measuring",
    .usage = usage,
    .run = run,
};
