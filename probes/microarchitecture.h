// microarchitecture.h - what one core can issue per cycle, and which microarchitecture a CPU is.
#ifndef ROOFLINE_MICROARCHITECTURE_H
#define ROOFLINE_MICROARCHITECTURE_H

#include <stdbool.h>

#include "spec.h"

/* Widths of one instruction's operands; a scalar is one f32 or f64. */
enum width { WIDTH_scalar, WIDTH_128, WIDTH_256, WIDTH_512, WIDTH_COUNT };
const char *width_name(enum width width); /* "scalar", "128", ... as the quantities end */

/* Floating-point instructions per cycle: the most of each kind, and of all kinds together. Zen 3
 * issues 2 FMA or 2 MUL beside 2 ADD: {2, 2, 2, 4}. Where adds use the FMA pipes (Skylake): {2, 2,
 * 2, 2}. */
struct pipes {
    double fma, mul, add, all; /* all NAN: no instructions of this width */
};

/* Loads and stores per cycle that hit L1, and both together. */
struct accesses {
    double loads, stores, all; /* all NAN: not known */
};

struct microarchitecture {
    struct spec spec; /* the numbers with their sources; self-contained */
    struct pipes pipes[WIDTH_COUNT];
    struct accesses accesses[WIDTH_COUNT];
    double l2_bytes_per_cycle; /* from L2 into L1; NAN: not known */
};

/* The mixes of operations that have a ceiling of their own, as level of machine.csv. */
enum mix { MIX_FMA, MIX_MUL_ADD, MIX_ADD, MIX_FMA_ADD, MIX_COUNT };
const char *mix_name(enum mix mix);

/* Instructions of one cycle that give the most FLOP of that mix. mul+add: as many MUL as ADD.
 * fma+add: FMA first, for each is worth two, then as many ADD as still find a pipe. All 0 where
 * there is no FMA. */
struct issue {
    double fma, mul, add;
};
struct issue pipes_issue(const struct pipes *pipes, enum mix mix);

/* FLOP of such a cycle per lane of the vector: 2 of an FMA, 1 of the others. */
double issue_flops(const struct issue *issue);

/* Accesses per cycle for `loads` loads to every `stores` stores. */
double accesses_per_cycle(const struct accesses *accesses, double loads, double stores);

/* By name, or from a file. FAULT_USAGE as spec_read(). */
int microarchitecture_read(struct microarchitecture *core, const char *name, struct error *error);

/* What a CPU says of itself. */
struct cpu {
    const char *vendor;       /* GenuineIntel, AuthenticAMD, Arm: implementer 0x41 */
    const char *model;        /* marketing name; "" unknown */
    int family, model_number; /* Arm: model_number is the part; -1 unknown */
    /* Whether it has a feature by the kernel's name; NULL: features are not known. */
    bool (*has)(const void *features, const char *feature);
    const void *features;
};

/* Finds the microarchitecture of a CPU: by vendor, family and model, unless the CPU has a feature
 * that this microarchitecture excludes, for hypervisors report models that the silicon is not (a
 * missing feature contradicts nothing: hypervisors hide features, they do not invent them); then,
 * in a guest, by features that only one microarchitecture has. `how` says which it was. SKIPPED
 * with the reason and the remedy when neither is decisive: never a guess. */
int microarchitecture_identify(struct microarchitecture *core, const struct cpu *cpu, char *how,
                               size_t capacity, struct error *error);

#endif
