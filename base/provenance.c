// provenance.c - one line per fact that a repetition needs or that explains a difference.
#include "provenance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "surroundings.h"

/* The Makefile states these; a file that says "unknown" was built otherwise. */
#ifndef ROOFLINE_VERSION
#define ROOFLINE_VERSION "unknown"
#endif
#ifndef ROOFLINE_COMMIT
#define ROOFLINE_COMMIT "unknown"
#endif
#ifndef ROOFLINE_FLAGS
#define ROOFLINE_FLAGS "unknown"
#endif

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *or_not_exposed(const char *text)
{
    return *text ? text : "not exposed";
}

/* Pairs of key and value. */
static int note_all(struct table *table, const char *const notes[][2], size_t count,
                    struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (table_note(table, notes[i][0], or_not_exposed(notes[i][1]), error) != OK)
            return FAILED;
    return OK;
}

/* "0-3,8" from units in the order given; as much as fits. */
static void format_units(const struct processing_unit *units, int count, char *text,
                         size_t capacity)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < count && used + 32 < capacity;) {
        int first = units[i].os_index, last = first;
        while (++i < count && units[i].os_index == last + 1)
            last++;
        int length =
            first == last
                ? snprintf(text + used, capacity - used, "%s%d", used ? "," : "", first)
                : snprintf(text + used, capacity - used, "%s%d-%d", used ? "," : "", first, last);
        used += (size_t)length;
    }
}

static int compare_units(const void *left, const void *right)
{
    const struct processing_unit *a = left, *b = right;
    return (a->os_index > b->os_index) - (a->os_index < b->os_index);
}

static int note_program(struct table *table, struct error *error)
{
    char version[16], now[32];
    time_t seconds = time(NULL);
    struct tm utc;
    snprintf(version, sizeof version, "%d", table->schema->version);
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
#if defined(__clang__)
    static const char compiler[] = __VERSION__;
#else
    static const char compiler[] = "gcc " __VERSION__;
#endif
    const char *const notes[][2] = {
        {"schema", table->schema->name},
        {"schema_version", version},
        {"version", ROOFLINE_VERSION},
        {"commit", ROOFLINE_COMMIT},
        {"compiler", compiler},
        {"flags", ROOFLINE_FLAGS},
        {"time_utc", now},
    };
    return note_all(table, notes, COUNT(notes), error);
}

static int note_machine(struct table *table, const struct host *host,
                        const struct surroundings *now, struct error *error)
{
    char cpu[256], load[32] = "", steal[64] = "";
    text_format(cpu, sizeof cpu, "%s, %s family %d model %d stepping %d",
                or_not_exposed(host->cpu_model), or_not_exposed(host->cpu_vendor), host->cpu_family,
                host->cpu_model_number, host->cpu_stepping);
    if (!isnan(now->load))
        snprintf(load, sizeof load, "%.2f", now->load);
    if (!isnan(now->steal_seconds))
        snprintf(steal, sizeof steal, "%.2f s since boot", now->steal_seconds);
    const char *const notes[][2] = {
        {"hostname", host->hostname},
        {"cpu", cpu},
        {"microcode", now->microcode},
        {"kernel", now->kernel},
        {"hypervisor", *host->hypervisor ? host->hypervisor : "none seen"},
        {"governor", now->governor},
        {"turbo", now->turbo},
        {"thp", now->huge_pages},
        {"aslr", now->aslr},
        {"smt", now->smt},
        {"load", load},
        {"steal", steal},
        {"perf_event_paranoid", now->perf_event_paranoid},
        {"driver", *now->gpu_driver ? now->gpu_driver : "no NVIDIA driver"},
    };
    return note_all(table, notes, COUNT(notes), error);
}

static int note_limits(struct table *table, const struct host *host, struct error *error)
{
    char quota[64] = "no quota", memory[64] = "no limit", affinity[512], pinning[576];
    size_t bytes = (size_t)host->threads * sizeof *host->unit;
    struct processing_unit *ascending = malloc(bytes);
    if (!ascending)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the provenance");
    memcpy(ascending, host->unit, bytes);
    qsort(ascending, (size_t)host->threads, sizeof *ascending, compare_units);
    format_units(ascending, host->threads, affinity, sizeof affinity);
    free(ascending);
    text_copy(pinning, sizeof pinning, "thread i on the i-th of ");
    size_t used = strlen(pinning);
    format_units(host->unit, host->threads, pinning + used, sizeof pinning - used);
    if (!isnan(host->cpu_quota))
        snprintf(quota, sizeof quota, "%g CPUs", host->cpu_quota);
    if (!isnan(host->memory_limit_bytes))
        snprintf(memory, sizeof memory, "%.0f bytes", host->memory_limit_bytes);
    const char *const notes[][2] = {
        {"cgroup_cpu", quota},
        {"cgroup_memory", memory},
        {"affinity", affinity},
        {"pinning", pinning},
    };
    return note_all(table, notes, COUNT(notes), error);
}

/* Quoted for a POSIX shell, so that the line can be pasted. */
static int note_command(struct table *table, int argc, char **argv, struct error *error)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    if (!stream)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the provenance");
    for (int i = 0; i < argc; i++) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                    "%+,-./:=@_";
        bool quoted = !argv[i][0] || argv[i][strspn(argv[i], plain)];
        fputs(i ? " " : "", stream);
        fputs(quoted ? "'" : "", stream);
        for (const char *p = argv[i]; *p; p++)
            fputs(*p == '\'' ? "'\\''" : (char[]){*p, 0}, stream);
        fputs(quoted ? "'" : "", stream);
    }
    int result = fclose(stream) == 0
                     ? table_note(table, "command", text, error)
                     : error_set(error, FAULT_ENVIRONMENT, "out of memory for the provenance");
    free(text);
    return result;
}

int provenance_gather(struct table *table, const struct host *host, int argc, char **argv,
                      struct error *error)
{
    struct surroundings now = surroundings_read();
    if (note_program(table, error) != OK || note_machine(table, host, &now, error) != OK ||
        note_limits(table, host, error) != OK)
        return FAILED;
    return note_command(table, argc, argv, error);
}
