// isa.c - names of instruction sets and number formats, and what CPUID says of them.
#include "isa.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int vector_bytes;
} isas[ISA_COUNT] = {
#define X(name, vector_bytes, registers) {#name, vector_bytes},
    ISA_LIST(X)
#undef X
};

static const struct {
    const char *name;
    int bytes;
} dtypes[DTYPE_COUNT] = {
#define X(name, bytes, type) {#name, bytes},
    DTYPE_LIST(X)
#undef X
};

const char *isa_name(enum isa isa)
{
    return isas[isa].name;
}

const char *dtype_name(enum dtype dtype)
{
    return dtypes[dtype].name;
}

int dtype_bytes(enum dtype dtype)
{
    return dtypes[dtype].bytes;
}

int isa_vector_bytes(enum isa isa, enum dtype dtype)
{
    return isas[isa].vector_bytes ? isas[isa].vector_bytes : dtypes[dtype].bytes;
}

#if defined(__x86_64__)
/* __builtin_cpu_supports also asks XGETBV whether the operating system saves the registers. */
bool isa_has_fma(void)
{
    return __builtin_cpu_supports("fma");
}

bool isa_fuses(enum isa isa)
{
    return isa >= ISA_avx2;
}

bool isa_supported(enum isa isa)
{
    switch (isa) {
    case ISA_avx:
        return __builtin_cpu_supports("avx");
    case ISA_avx2:
        return __builtin_cpu_supports("avx2") && isa_has_fma();
    case ISA_avx512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               isa_has_fma();
    default:
        return true;
    }
}
#else
/* AArch64 has FMA and Advanced SIMD in its base profile (Arm ARM DDI 0487, A1.5). */
bool isa_has_fma(void)
{
    return true;
}

bool isa_fuses(enum isa isa)
{
    (void)isa;
    return true;
}

bool isa_supported(enum isa isa)
{
    (void)isa;
    return true;
}
#endif

enum isa isa_best(void)
{
    enum isa isa = ISA_COUNT - 1;
    while (!isa_supported(isa))
        isa--;
    return isa;
}

int isa_parse(const char *word, enum isa *isa, struct error *error)
{
    char known[128] = "";
    for (int i = 0; i < ISA_COUNT; i++) {
        if (strcmp(word, isas[i].name) == 0) {
            *isa = (enum isa)i;
            return OK;
        }
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, " %s", isas[i].name);
    }
    return error_set(error, FAULT_USAGE, "unknown ISA '%s'; known here:%s", word, known);
}

int dtype_parse(const char *word, enum dtype *dtype, struct error *error)
{
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (strcmp(word, dtypes[i].name) == 0) {
            *dtype = (enum dtype)i;
            return OK;
        }
    return error_set(error, FAULT_USAGE, "unknown dtype '%s'; on a CPU: f32 f64", word);
}
