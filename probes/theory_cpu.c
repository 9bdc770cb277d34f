// theory_cpu.c - the formulas of a CPU. docs/theory.md derives them.
#include <math.h>
#include <string.h>

#include "formula.h"
#include "theory.h"

/* Instruction sets, narrow to wide; the width of their vectors, whether FMA belongs to them. AVX is
 * the set of Sandy and Ivy Bridge; with FMA the same width is a row of avx2. */
static const struct isa_words {
    const char *name;
    const char *architecture;
    enum width width;
    bool fma;
} isas[] = {
    {"scalar", "", WIDTH_scalar, true},    {"sse2", "x86-64", WIDTH_128, true},
    {"avx", "x86-64", WIDTH_256, false},   {"avx2", "x86-64", WIDTH_256, true},
    {"avx512", "x86-64", WIDTH_512, true}, {"neon", "aarch64", WIDTH_128, true},
};
enum { ISA_WORDS = sizeof isas / sizeof *isas };

const char *const theory_isas[] = {"scalar", "sse2", "avx", "avx2", "avx512", "neon", NULL};

static const struct dtype_words {
    const char *name;
    int bytes;
    const char *lanes; /* noun of one lane */
} dtypes[] = {{"f32", 4, "SP lane"}, {"f64", 8, "DP lane"}};
enum { DTYPE_WORDS = sizeof dtypes / sizeof *dtypes };

static int vector_bytes(enum width width, const struct dtype_words *dtype)
{
    static const int bytes[WIDTH_COUNT] = {0, 16, 32, 64};
    return width == WIDTH_scalar ? dtype->bytes : bytes[width];
}

static struct ceiling *append(const struct theory_cpu *cpu, struct table *table, const char *level,
                              const char *kind, const char *unit, struct error *error)
{
    struct ceiling *row = table_append(table);
    if (!row) {
        error_set(error, FAULT_ENVIRONMENT, "out of memory for the theoretical ceilings");
        return NULL;
    }
    text_copy(row->device, sizeof row->device, cpu->device);
    text_copy(row->level, sizeof row->level, level);
    text_copy(row->kind, sizeof row->kind, kind);
    text_copy(row->unit, sizeof row->unit, unit);
    text_copy(row->basis, sizeof row->basis, "derived");
    text_copy(row->status, sizeof row->status, "ok");
    return row;
}

static void skip(struct ceiling *row, const char *why)
{
    text_copy(row->status, sizeof row->status, "skipped");
    text_copy(row->why, sizeof row->why, why);
}

/* Value and source of a row from one formula. */
static void set(const struct theory_cpu *cpu, struct ceiling *row, const struct formula *formula,
                const char *unit)
{
    char text[sizeof row->source];
    formula_text(formula, 1e9, unit, text, sizeof text);
    row->value = formula_value(formula);
    text_format(row->source, sizeof row->source, "%s%s%s", text, cpu->origin[0] ? "; " : "",
                cpu->origin);
}

/* "2 sockets x 12 cores", or "1 core" of the machine. */
static void times_cores(struct formula *formula, const struct theory_cpu *cpu, int workers)
{
    double cores = cpu->sockets * cpu->cores_per_socket;
    if (workers < cores) {
        formula_count(formula, workers, "core");
        return;
    }
    if (cpu->sockets != 1)
        formula_count(formula, cpu->sockets, "socket");
    formula_count(formula, cpu->cores_per_socket, "core");
}

/* Rounded to the MHz: no clock is known better, and the text shows what is multiplied. */
static void times_clock(struct formula *formula, const struct theory_clock *clock,
                        struct ceiling *row)
{
    double gigahertz = round(clock->hertz / 1e6) / 1e3;
    formula_times(formula, gigahertz, 1e9, "GHz %s", clock->word);
    row->clock_hertz = gigahertz * 1e9;
}

/* FLOP per lane and cycle, and which instructions make it. */
static void times_issue(struct formula *formula, const struct issue *issue,
                        const struct pipes *pipes, enum mix mix)
{
    double flops = issue_flops(issue);
    switch (mix) {
    case MIX_FMA:
        formula_times(formula, issue->fma, 1, "FMA per cycle");
        formula_times(formula, 2, 1, "FLOP");
        break;
    case MIX_MUL_ADD:
        if (pipes->fma > 0)
            formula_times(formula, flops, 1, "(%g MUL + %g ADD per cycle)", issue->mul, issue->add);
        else
            formula_times(formula, flops, 1, "(ADD and MUL side by side; no FMA)");
        break;
    case MIX_ADD:
        formula_times(formula, flops, 1, "ADD per cycle");
        break;
    case MIX_FMA_ADD:
    case MIX_COUNT:
        if (issue->add > 0)
            formula_times(formula, flops, 1, "FLOP (%g FMA + %g ADD per cycle, side by side)",
                          issue->fma, issue->add);
        else
            formula_times(formula, flops, 1, "FLOP (%g FMA per cycle; ADD needs the same pipes)",
                          issue->fma);
        break;
    }
}

static int compute_row(const struct theory_cpu *cpu, const struct isa_words *isa,
                       const struct dtype_words *dtype, enum mix mix,
                       const struct theory_clock *clock, int workers, struct table *table,
                       struct error *error)
{
    const struct pipes *pipes = &cpu->core->pipes[isa->width];
    struct ceiling *row = append(cpu, table, mix_name(mix), "compute", "flop/s", error);
    if (!row)
        return FAILED;
    text_copy(row->dtype, sizeof row->dtype, dtype->name);
    text_copy(row->isa, sizeof row->isa, isa->name);
    row->workers = workers;
    struct issue issue = pipes_issue(pipes, mix);
    int lanes = vector_bytes(isa->width, dtype) / dtype->bytes;
    struct formula formula = {0};
    times_cores(&formula, cpu, workers);
    times_clock(&formula, clock, row);
    formula_count(&formula, lanes, dtype->lanes);
    times_issue(&formula, &issue, pipes, mix);
    set(cpu, row, &formula, "GFLOP/s");
    text_copy(row->why, sizeof row->why, spec_note(&cpu->core->spec, "caveat"));
    return OK;
}

/* What a loop over arrays does to L1: loads and stores of one element. */
static const struct pattern {
    const char *operation;
    double loads, stores;
} patterns[] = {{"read", 1, 0}, {"write", 0, 1}, {"copy", 1, 1}, {"triad", 2, 1}};

static int l1_row(const struct theory_cpu *cpu, const struct isa_words *isa,
                  const struct pattern *pattern, const struct theory_clock *clock, int workers,
                  struct table *table, struct error *error)
{
    char level[24];
    text_format(level, sizeof level, "L1:%s", pattern->operation);
    struct ceiling *row = append(cpu, table, level, "bandwidth", "byte/s", error);
    if (!row)
        return FAILED;
    text_copy(row->isa, sizeof row->isa, isa->name);
    row->workers = workers;
    double accesses =
        accesses_per_cycle(&cpu->core->accesses[isa->width], pattern->loads, pattern->stores);
    double total = pattern->loads + pattern->stores;
    struct formula formula = {0};
    times_cores(&formula, cpu, workers);
    times_clock(&formula, clock, row);
    const char *plural = accesses == 1 ? "" : "s";
    if (pattern->stores == 0)
        formula_times(&formula, accesses, 1, "load%s per cycle", plural);
    else if (pattern->loads == 0)
        formula_times(&formula, accesses, 1, "store%s per cycle", plural);
    else
        formula_times(&formula, accesses, 1, "access%s per cycle (%.4g to load, %.4g to store)",
                      accesses == 1 ? "" : "es", accesses * pattern->loads / total,
                      accesses * pattern->stores / total);
    formula_times(&formula, vector_bytes(isa->width, &dtypes[0]), 1, "B");
    set(cpu, row, &formula, "GB/s");
    return OK;
}

/* Every line that L1 gives to the core, and every line that is stored to (write-allocate), has come
 * in from L2 once, so no pattern names more bytes than this path carries: but for the update of an
 * array in place, which reads and writes each line that comes in. */
static int l2_row(const struct theory_cpu *cpu, const char *level, int names_per_byte,
                  const struct theory_clock *clock, int workers, struct table *table,
                  struct error *error)
{
    struct ceiling *row = append(cpu, table, level, "bandwidth", "byte/s", error);
    if (!row)
        return FAILED;
    row->workers = workers;
    struct formula formula = {0};
    times_cores(&formula, cpu, workers);
    times_clock(&formula, clock, row);
    formula_times(&formula, cpu->core->l2_bytes_per_cycle, 1, "B per cycle into L1");
    if (names_per_byte > 1)
        formula_times(&formula, names_per_byte, 1, "(read and written)");
    set(cpu, row, &formula, "GB/s");
    return OK;
}

static int l2_rows(const struct theory_cpu *cpu, const struct theory_clock *clock,
                   struct table *table, struct error *error)
{
    if (isnan(cpu->core->l2_bytes_per_cycle))
        return OK;
    for (int w = 0; w < THEORY_WORKERS_MAX && cpu->workers[w]; w++)
        if (l2_row(cpu, "L2", 1, clock, cpu->workers[w], table, error) != OK ||
            l2_row(cpu, "L2:update", 2, clock, cpu->workers[w], table, error) != OK)
            return FAILED;
    return OK;
}

static bool isa_present(const struct theory_cpu *cpu, const struct isa_words *isa)
{
    const char *architecture = spec_note(&cpu->core->spec, "architecture");
    return !isnan(cpu->core->pipes[isa->width].all) &&
           (!isa->architecture[0] || strcmp(isa->architecture, architecture) == 0) &&
           (strcmp(isa->name, "avx2") != 0 || cpu->core->pipes[isa->width].fma > 0) &&
           (!cpu->has_isa || cpu->has_isa(isa->name));
}

static bool has_isa(const struct theory_cpu *cpu, const char *name)
{
    for (int i = 0; i < ISA_WORDS; i++)
        if (strcmp(isas[i].name, name) == 0)
            return isa_present(cpu, &isas[i]);
    return strcmp(name, "all") == 0;
}

const char *theory_widest_isa(const struct theory_cpu *cpu)
{
    int widest = ISA_WORDS - 1;
    while (widest > 0 && !isa_present(cpu, &isas[widest]))
        widest--;
    return isas[widest].name;
}

/* Scalar and SSE2 rows count FMA of their width where the CPU offers FMA at all: on x86 with avx2.
 */
static bool host_has_fma(const struct theory_cpu *cpu)
{
    return !cpu->has_isa || has_isa(cpu, "neon") || has_isa(cpu, "avx2");
}

/* All rows of one ISA at one clock. */
static int isa_rows(const struct theory_cpu *cpu, const struct isa_words *isa,
                    const struct theory_clock *clock, const char *dtype, struct table *table,
                    struct error *error)
{
    bool has_fma = isa->fma && host_has_fma(cpu) && cpu->core->pipes[isa->width].fma > 0;
    for (int w = 0; w < THEORY_WORKERS_MAX && cpu->workers[w]; w++) {
        for (int d = 0; d < DTYPE_WORDS; d++)
            for (int mix = 0; mix < MIX_COUNT; mix++) {
                if ((!has_fma && (mix == MIX_FMA || mix == MIX_FMA_ADD)) ||
                    (dtype[0] && strcmp(dtype, dtypes[d].name) != 0))
                    continue;
                if (compute_row(cpu, isa, &dtypes[d], (enum mix)mix, clock, cpu->workers[w], table,
                                error) != OK)
                    return FAILED;
            }
        if (isa->width == WIDTH_scalar || isnan(cpu->core->accesses[isa->width].all))
            continue;
        for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++)
            if (l1_row(cpu, isa, &patterns[p], clock, cpu->workers[w], table, error) != OK)
                return FAILED;
    }
    return OK;
}

/* One row that says why there are no compute and cache rows. */
static int unknown_row(const struct theory_cpu *cpu, const char *why, struct table *table,
                       struct error *error)
{
    struct ceiling *row = append(cpu, table, "fma", "compute", "flop/s", error);
    if (!row)
        return FAILED;
    row->workers = cpu->sockets * cpu->cores_per_socket;
    skip(row, why);
    return OK;
}

static int core_rows(const struct theory_cpu *cpu, const struct theory_filter *filter,
                     struct table *table, struct error *error)
{
    if (filter->isa[0] && !has_isa(cpu, filter->isa))
        return error_set(error, FAULT_USAGE, "--isa '%s' is not one of this CPU; its widest is %s",
                         filter->isa, theory_widest_isa(cpu));
    const char *wanted = filter->isa[0] ? filter->isa : theory_widest_isa(cpu);
    for (int c = 0; c < cpu->clock_count; c++) {
        const struct theory_clock *clock = &cpu->clock[c];
        if (isnan(clock->hertz)) {
            char why[96];
            text_format(why, sizeof why, "%s clock unknown: give --ghz", clock->word);
            if (unknown_row(cpu, why, table, error) != OK)
                return FAILED;
            continue;
        }
        for (int i = 0; i < ISA_WORDS; i++) {
            if (!isa_present(cpu, &isas[i]) ||
                (strcmp(wanted, "all") != 0 && strcmp(wanted, isas[i].name) != 0))
                continue;
            if (clock->isa[0] && strcmp(clock->isa, isas[i].name) != 0)
                continue;
            if (isa_rows(cpu, &isas[i], clock, filter->dtype, table, error) != OK)
                return FAILED;
        }
        if (!clock->isa[0] && l2_rows(cpu, clock, table, error) != OK)
            return FAILED;
    }
    return OK;
}

/* Holds for any number of workers, so theirs stays unknown. */
static int dram_row(const struct theory_cpu *cpu, struct table *table, struct error *error)
{
    struct ceiling *row = append(cpu, table, "DRAM", "bandwidth", "byte/s", error);
    if (!row)
        return FAILED;
    if (isnan(cpu->channels) || isnan(cpu->transfers_per_second) || isnan(cpu->bus_bytes)) {
        skip(row, cpu->memory_unknown);
        return OK;
    }
    struct formula formula = {0};
    if (!cpu->channels_in_all && cpu->sockets != 1)
        formula_count(&formula, cpu->sockets, "socket");
    formula_count(&formula, cpu->channels, "channel");
    formula_times(&formula, cpu->transfers_per_second / 1e6, 1e6, "MT/s");
    formula_times(&formula, cpu->bus_bytes, 1, "B");
    set(cpu, row, &formula, "GB/s");
    return OK;
}

static int capacity_row(const struct theory_cpu *cpu, const char *level, double bytes, double cores,
                        struct table *table, struct error *error)
{
    struct ceiling *row = append(cpu, table, level, "capacity", "byte", error);
    if (!row)
        return FAILED;
    bool small = bytes < 1024 * 1024, large = bytes >= 1024.0 * 1024 * 1024;
    double scale = small ? 1024 : large ? 1024.0 * 1024 * 1024 : 1024.0 * 1024;
    row->value = bytes;
    row->workers = cores;
    text_format(row->source, sizeof row->source, "%.4g %s for %g core%s%s%s", bytes / scale,
                small   ? "KiB"
                : large ? "GiB"
                        : "MiB",
                cores, cores == 1 ? "" : "s", cpu->origin[0] ? "; " : "", cpu->origin);
    return OK;
}

bool theory_uses(const struct theory_cpu *cpu, const struct theory_filter *filter,
                 const char *quantity)
{
    const char *wanted = filter->isa[0] ? filter->isa : theory_widest_isa(cpu);
    const char *suffix = strrchr(quantity, '_');
    bool of_width = false;
    for (int i = 0; i < ISA_WORDS && suffix; i++) {
        if (strcmp(suffix + 1, width_name(isas[i].width)) != 0)
            continue;
        of_width = true;
        if (isa_present(cpu, &isas[i]) &&
            (strcmp(wanted, "all") == 0 || strcmp(wanted, isas[i].name) == 0))
            return true;
    }
    return !of_width;
}

int theory_cpu_rows(const struct theory_cpu *from, const struct theory_filter *filter,
                    struct table *table, struct error *error)
{
    struct theory_cpu bare = *from;
    const struct theory_cpu *cpu = filter->bare ? &bare : from;
    bare.origin[0] = 0;
    if (!cpu->core && unknown_row(cpu, cpu->unidentified, table, error) != OK)
        return FAILED;
    if (cpu->core && core_rows(cpu, filter, table, error) != OK)
        return FAILED;
    if (dram_row(cpu, table, error) != OK)
        return FAILED;
    for (int i = 0; i < cpu->cache_count; i++) {
        char level[24];
        text_format(level, sizeof level, "L%d", cpu->cache[i].level);
        if (capacity_row(cpu, level, cpu->cache[i].size_bytes, cpu->cache[i].cores, table, error) !=
            OK)
            return FAILED;
    }
    if (!isnan(cpu->memory_bytes))
        return capacity_row(cpu, "DRAM", cpu->memory_bytes, cpu->sockets * cpu->cores_per_socket,
                            table, error);
    return OK;
}
