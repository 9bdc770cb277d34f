// memory.c - anonymous mappings on huge-page boundaries.
#include "memory.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "host.h"

/* Of transparent huge pages on x86-64 and on Arm with 4 KiB pages. */
static const size_t HUGE_PAGE_BYTES = (size_t)2 << 20;

/* Left to everybody else: a machine that swaps or reclaims measures its kernel. */
static const double RESERVE_REL = 0.1;

static const double MIB = 1 << 20;

static int check_available(double bytes, const char *purpose, const struct host *host,
                           struct error *error)
{
    double granted = host->memory_available_bytes * (1 - RESERVE_REL);
    if (bytes > granted) /* false where what is available is not known */
        return error_set(error, FAULT_ENVIRONMENT,
                         "'%s' needs %.0f MiB, but %.0f MiB are available (a tenth is left to the "
                         "rest of the system): ask for smaller shapes or free memory",
                         purpose, ceil(bytes / MIB), floor(host->memory_available_bytes / MIB));
    return OK;
}

int memory_reserve(struct memory *memory, double bytes, const char *purpose,
                   const struct host *host, struct error *error)
{
    *memory = (struct memory){0};
    if (!(bytes >= 0 && bytes < (double)(SIZE_MAX / 2)))
        return error_set(error, FAULT_USAGE, "'%s' needs %g bytes, more than can be addressed",
                         purpose, bytes);
    if (check_available(bytes, purpose, host, error) != OK)
        return FAILED;
    /* One huge page more than asked for, so that a boundary lies in the first of them. */
    size_t wanted = (size_t)bytes;
    size_t mapping_bytes = (wanted / HUGE_PAGE_BYTES + 2) * HUGE_PAGE_BYTES;
    void *mapping =
        mmap(NULL, mapping_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED)
        return error_set(error, FAULT_ENVIRONMENT,
                         "cannot map %.0f MiB for '%s': %s; see `ulimit -v` and "
                         "vm.overcommit_memory",
                         (double)mapping_bytes / MIB, purpose, strerror(errno));
    uintptr_t boundary = (uintptr_t)mapping + HUGE_PAGE_BYTES - 1;
    memory->base = (void *)(boundary & ~(uintptr_t)(HUGE_PAGE_BYTES - 1));
    memory->bytes = wanted;
    memory->mapping = mapping;
    memory->mapping_bytes = mapping_bytes;
    /* A wish: kernels without transparent huge pages refuse it, and memory_huge_bytes() tells what
     * came of it. */
    madvise(mapping, mapping_bytes, MADV_HUGEPAGE);
    return OK;
}

void memory_release(struct memory *memory)
{
    if (memory->mapping)
        munmap(memory->mapping, memory->mapping_bytes);
    *memory = (struct memory){0};
}

double memory_huge_bytes(const struct memory *memory)
{
    FILE *file = fopen("/proc/self/smaps", "re");
    if (!file)
        return NAN;
    uintptr_t from = (uintptr_t)memory->mapping, to = from + memory->mapping_bytes;
    double huge = NAN, kib;
    bool inside = false;
    char line[512];
    while (fgets(line, sizeof line, file)) {
        uintptr_t begin, end;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &begin, &end) == 2)
            inside = begin < to && from < end;
        else if (inside && sscanf(line, "AnonHugePages: %lf kB", &kib) == 1)
            huge = (isnan(huge) ? 0 : huge) + kib * 1024;
    }
    fclose(file);
    /* The kernel merges neighbouring mappings into one entry, which then counts theirs as well. */
    return huge > (double)memory->bytes ? (double)memory->bytes : huge;
}
