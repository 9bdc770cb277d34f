// run.h - one kernel call made ready to be timed: shape, memory, first touch, values, verdict.
#ifndef ROOFLINE_RUN_H
#define ROOFLINE_RUN_H

#include <stdbool.h>

#include "host.h"
#include "kernel.h"
#include "measure.h"
#include "memory.h"

/* Bytes that all operands together should have to lie in L1, L2, L3 and DRAM between calls; NAN
 * where the machine has no such level. */
struct level_bytes {
    double l1, l2, l3, dram;
};

/* Parses a shape whose letters may be @L1, @L2, @L3 or @DRAM (one of them): the largest value with
 * which the operands take no more than that level's bytes. SKIPPED where the machine has no such
 * level. */
int run_shape(struct shape *shape, const struct kernel *kernel, const char *text, enum dtype dtype,
              const struct level_bytes *sizes, struct error *error);

/* What so many working threads share the caches of the host in. */
struct cache_sizes run_caches(const struct host *host, int threads);

/* Set the first part, then run_open(). The host is borrowed until run_close(). */
struct run {
    const struct host *host;
    const struct kernel *kernel;
    const struct variant *variant;
    enum isa isa;
    enum dtype dtype;
    struct shape shape;
    int threads;
    /* What run_open() fills in. */
    double flops, bytes, operand_bytes;
    struct operand operand[KERNEL_OPERANDS_MAX];
    int operand_count;
    body *body;       /* NULL: a library's routine */
    struct call call; /* but for the member */
    struct opened_library library;
    void *plan; /* of the routine; owned */
    struct memory memory;
    long repeats; /* calls per sample */
};

/* Reserves the operands and lets the team, which must be pinned, touch and fill them: each member
 * the part that it would have of an elementwise kernel. FAULT_USAGE for letters that do not go
 * together or overflow, FAULT_ENVIRONMENT for more memory than there is, SKIPPED where the variant
 * cannot. Nothing is held unless it returns OK. */
int run_open(struct run *run, struct error *error);
void run_close(struct run *run);

/* Bytes of memory beside the operands, by the variant's function; NULL: none. */
double run_room(const struct run *run, room_function *room);

/* Makes one call and compares with the reference; FAULT_WRONG beyond the tolerance, error_rel is
 * set all the same. */
int run_verify(struct run *run, double *error_rel, struct error *error);

/* `repeats` calls. With `warm` each sample is preceded by one reading of all operands into the
 * caches. Of a library's routine the work is that of one thread, which lets the library use
 * run->threads. */
struct work run_work(struct run *run, bool warm);

#endif
