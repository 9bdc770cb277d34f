// theory.h - ceilings by formula: what a published machine, or this one, could do at most.
#ifndef ROOFLINE_THEORY_H
#define ROOFLINE_THEORY_H

#include "host.h"
#include "microarchitecture.h"
#include "spec.h"
#include "table.h"

enum { THEORY_CLOCKS_MAX = 8, THEORY_CACHES_MAX = 3, THEORY_WORKERS_MAX = 3 };

/* A clock that formulas are taken at; each is a row of its own. */
struct theory_clock {
    char word[24]; /* base, boost, measured, given, ... */
    double hertz;  /* NAN: not known, a skipped row */
    char isa[8];   /* only for this ISA (AVX-512 base clocks); "" for all */
    char source[96];
};

/* What the formulas of a CPU need; NAN for what is not known. Nothing to free. */
struct theory_cpu {
    char device[24];
    char origin[320];                     /* where the numbers come from; ends every row's source */
    const struct microarchitecture *core; /* borrowed; NULL: not identified */
    char unidentified[320];               /* why */
    bool (*has_isa)(const char *isa);     /* NULL: every ISA that the microarchitecture has */

    double sockets, cores_per_socket; /* sockets 1 where cores do not divide evenly */
    int workers[THEORY_WORKERS_MAX];  /* compute and cache rows for these; 0: not used */

    struct theory_clock clock[THEORY_CLOCKS_MAX];
    int clock_count;

    double channels; /* of one socket, or of all when channels_in_all */
    bool channels_in_all;
    double transfers_per_second; /* per channel */
    double bus_bytes;            /* of one channel */
    char memory_unknown[320];    /* why, and what to do */

    struct {
        int level;
        double size_bytes; /* of one instance */
        double cores;      /* that share it */
    } cache[THEORY_CACHES_MAX];
    int cache_count;
    double memory_bytes;
};

/* Questions of the kind "and with 4 sockets?"; NAN: as it is. */
struct what_if {
    double sockets, cores, gigahertz, channels, megatransfers;
};

/* Which rows; "" for isa: the widest one, "all": every one; "" for dtype: every one. */
struct theory_filter {
    const char *isa, *dtype;
    bool bare; /* the source column holds the formula alone, without where its numbers come from */
};

/* The instruction sets that theory knows, of all architectures; NULL-ended. */
extern const char *const theory_isas[];

/* Fills `cpu` from a spec with `# kind: cpu`; reads its microarchitecture into `core`. */
int theory_of_spec(struct theory_cpu *cpu, struct microarchitecture *core, const struct spec *spec,
                   struct error *error);

/* Fills `cpu` from what this machine (or a captured one) says of itself; measures the clock of this
 * one. What is not known becomes a reason, never a number. */
int theory_of_host(struct theory_cpu *cpu, struct microarchitecture *core, const struct host *host,
                   struct error *error);

/* Replaces numbers by those of the question. FAULT_USAGE for one that is not above 0. */
int theory_cpu_ask(struct theory_cpu *cpu, const struct what_if *ask, struct error *error);

/* The last of theory_isas that the CPU has; its core must be identified. */
const char *theory_widest_isa(const struct theory_cpu *cpu);

/* Whether a quantity of the microarchitecture's file ("fma_256") is in the formulas of these rows.
 */
bool theory_uses(const struct theory_cpu *cpu, const struct theory_filter *filter,
                 const char *quantity);

/* Appends the ceilings of a CPU: compute, L1, L2, DRAM, capacities; skipped rows for what is not
 * known. */
int theory_cpu_rows(const struct theory_cpu *cpu, const struct theory_filter *filter,
                    struct table *table, struct error *error);

/* The same of a spec with `# kind: gpu`. --sockets and --channels are FAULT_USAGE; --cores counts
 * FP32 cores. */
int theory_gpu_rows(const struct spec *spec, const struct what_if *ask,
                    const struct theory_filter *filter, struct table *table, struct error *error);

/* FAULT_USAGE naming the option, unless the value is NAN (not given) or a finite number above 0. */
int what_if_check(const struct what_if *ask, struct error *error);

#endif
