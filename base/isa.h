// isa.h - instruction sets and number formats: the words, their order, what this CPU can run.
#ifndef ROOFLINE_ISA_H
#define ROOFLINE_ISA_H

#include <stdbool.h>

#include "error.h"

/* Ascending: a later one is preferred where the CPU has it. The Makefile holds the compiler flags
 * of each (ISA_FLAGS_name), isa.c the CPU features. X(name, vector_bytes, registers) */
#if defined(__x86_64__)
#define ISA_LIST(X)                                                                                \
    X(scalar, 0, 16) X(sse2, 16, 16) X(avx, 32, 16) X(avx2, 32, 16) X(avx512, 64, 32)
#elif defined(__aarch64__)
#define ISA_LIST(X) X(scalar, 0, 32) X(neon, 16, 32)
#else
#define ISA_LIST(X) X(scalar, 0, 16)
#endif

/* X(name, bytes, C type) : the formats that CPU kernels are compiled for. */
#define DTYPE_LIST(X) X(f32, 4, float) X(f64, 8, double)

enum isa {
#define X(name, vector_bytes, registers) ISA_##name,
    ISA_LIST(X)
#undef X
        ISA_COUNT
};

enum dtype {
#define X(name, bytes, type) DTYPE_##name,
    DTYPE_LIST(X)
#undef X
        DTYPE_COUNT
};

const char *isa_name(enum isa isa);
const char *dtype_name(enum dtype dtype);

/* Bytes of one element. */
int dtype_bytes(enum dtype dtype);

/* Bytes of one vector register; of one element for scalar. */
int isa_vector_bytes(enum isa isa, enum dtype dtype);

/* Whether this CPU and its operating system run the code compiled for `isa`. */
bool isa_supported(enum isa isa);

/* Whether this CPU has fused multiply-add. */
bool isa_has_fma(void);

/* Whether code that is compiled for `isa` uses fused multiply-add: its arithmetic roof is then FMA,
 * else a multiply and an add. */
bool isa_fuses(enum isa isa);

/* The last supported one. */
enum isa isa_best(void);

/* Parse one word; an unknown one is FAULT_USAGE and the message lists the known ones. An ISA that
 * is known but that this CPU lacks parses: whether it runs is isa_supported()'s question. */
int isa_parse(const char *word, enum isa *isa, struct error *error);
int dtype_parse(const char *word, enum dtype *dtype, struct error *error);

#endif
