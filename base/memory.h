// memory.h - large, huge-page backed, page-aligned memory that is touched first by its user.
#ifndef ROOFLINE_MEMORY_H
#define ROOFLINE_MEMORY_H

#include <stddef.h>

#include "error.h"

struct host;

/* A mapping of its own: never recycled, so first touch decides its NUMA node. */
struct memory {
    void *base; /* 2 MiB aligned */
    size_t bytes;
    void *mapping; /* what munmap gets */
    size_t mapping_bytes;
};

/* Reserves `bytes`; nothing is touched. More than what is available on the host (MemAvailable,
 * cgroup) is FAULT_ENVIRONMENT with both numbers in the message. Transparent huge pages are asked
 * for. */
int memory_reserve(struct memory *memory, double bytes, const char *purpose,
                   const struct host *host, struct error *error);
void memory_release(struct memory *memory);

/* Bytes of it that transparent huge pages back now, NAN where the kernel does not say. */
double memory_huge_bytes(const struct memory *memory);

#endif
