// model.c - the roofline model over the rows of machine.csv.
#include "model.h"

#include <math.h>
#include <string.h>

static const char *const bound_names[] = {
    [BOUND_UNKNOWN] = "",
    [BOUND_MEMORY] = "memory",
    [BOUND_COMPUTE] = "compute",
    [BOUND_LAUNCH] = "launch",
};

const char *bound_name(enum bound bound)
{
    return bound_names[bound];
}

enum bound bound_parse(const char *name)
{
    for (int i = BOUND_LAUNCH; i > BOUND_UNKNOWN; i--)
        if (strcmp(bound_names[i], name) == 0)
            return (enum bound)i;
    return BOUND_UNKNOWN;
}

double attainable_flops_per_second(double intensity_flops_per_byte, double flops_per_second,
                                   double bytes_per_second)
{
    double slanted = intensity_flops_per_byte * bytes_per_second;
    if (isnan(slanted) || isnan(flops_per_second))
        return NAN;
    return slanted < flops_per_second ? slanted : flops_per_second;
}

double ridge_flops_per_byte(double flops_per_second, double bytes_per_second)
{
    return flops_per_second / bytes_per_second;
}

enum bound bound_of_intensity(double intensity_flops_per_byte, double flops_per_second,
                              double bytes_per_second)
{
    double ridge = ridge_flops_per_byte(flops_per_second, bytes_per_second);
    if (isnan(ridge) || isnan(intensity_flops_per_byte))
        return BOUND_UNKNOWN;
    return intensity_flops_per_byte < ridge ? BOUND_MEMORY : BOUND_COMPUTE;
}

double roof_seconds(const struct roof *roof, double flops, double bytes)
{
    double computing = flops / roof->flops_per_second, moving = bytes / roof->bytes_per_second;
    if (isnan(computing) || isnan(moving))
        return NAN;
    return fmax(computing, moving);
}

enum bound bound_under_roof(const struct roof *roof, double flops, double bytes)
{
    if (roof->launch_seconds > roof_seconds(roof, flops, bytes))
        return BOUND_LAUNCH;
    return bound_of_intensity(flops / bytes, roof->flops_per_second, roof->bytes_per_second);
}

const char *roof_level(const struct roof *roof, double intensity_flops_per_byte)
{
    switch (bound_of_intensity(intensity_flops_per_byte, roof->flops_per_second,
                               roof->bytes_per_second)) {
    case BOUND_COMPUTE:
        return roof->compute;
    case BOUND_MEMORY:
        return roof->memory;
    default:
        return "";
    }
}

size_t level_length(const char *level)
{
    return strcspn(level, ":");
}

bool level_is(const char *ceiling_level, const char *level)
{
    size_t length = level_length(ceiling_level);
    return length == level_length(level) && strncmp(ceiling_level, level, length) == 0;
}

/* A word of a ceiling is empty where it does not matter. */
static bool matches(const char *word, const char *wanted)
{
    return word[0] == '\0' || wanted[0] == '\0' || strcmp(word, wanted) == 0;
}

bool moves_what_it_counts(const char *ceiling_level)
{
    if (!level_is(ceiling_level, "DRAM"))
        return true;
    const char *operation = ceiling_level + level_length(ceiling_level);
    size_t length = strlen(operation);
    return strcmp(operation, ":read") == 0 || strcmp(operation, ":update") == 0 ||
           (length > 3 && strcmp(operation + length - 3, "_nt") == 0);
}

bool bounds_memory(const char *ceiling_level, bool updates)
{
    const char *operation = ceiling_level + level_length(ceiling_level);
    return moves_what_it_counts(ceiling_level) &&
           (updates || level_is(ceiling_level, "L1") || strcmp(operation, ":update") != 0);
}

static bool measured(const struct ceiling *ceiling, const char *kind, const char *device,
                     const char *dtype, double workers)
{
    return strcmp(ceiling->status, "ok") == 0 && strcmp(ceiling->basis, "measured") == 0 &&
           strcmp(ceiling->kind, kind) == 0 && strcmp(ceiling->device, device) == 0 &&
           matches(ceiling->dtype, dtype) && ceiling->workers == workers && ceiling->value > 0;
}

const struct ceiling *ceiling_of_mix(const struct table *machine, const char *device,
                                     const char *dtype, const char *isa, const char *mix,
                                     double workers)
{
    const struct ceiling *best = NULL;
    for (size_t i = 0; i < machine->count; i++) {
        const struct ceiling *ceiling = table_ceiling(machine, i);
        if (measured(ceiling, "compute", device, dtype, workers) &&
            strcmp(ceiling->level, mix) == 0 && (!isa || strcmp(ceiling->isa, isa) == 0) &&
            (!best || ceiling->value > best->value))
            best = ceiling;
    }
    return best;
}

const struct ceiling *ceiling_of_compute(const struct table *machine, const char *device,
                                         const char *dtype, double workers)
{
    static const char *const mixes[] = {"fma", "mul+add", "tensor"};
    const struct ceiling *best = NULL;
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes && !best; i++)
        best = ceiling_of_mix(machine, device, dtype, NULL, mixes[i], workers);
    return best;
}

const struct ceiling *ceiling_of_memory(const struct table *machine, const char *device,
                                        const char *dtype, const char *level, double workers)
{
    const struct ceiling *best = NULL;
    for (size_t i = 0; i < machine->count; i++) {
        const struct ceiling *ceiling = table_ceiling(machine, i);
        if (measured(ceiling, "bandwidth", device, dtype, workers) &&
            level_is(ceiling->level, level) && moves_what_it_counts(ceiling->level) &&
            (!best || ceiling->value > best->value))
            best = ceiling;
    }
    return best;
}

/* The measured bandwidth of exactly one operation, the highest over ISAs and formats. */
static const struct ceiling *ceiling_of_operation(const struct table *machine, const char *device,
                                                  const char *level, double workers)
{
    const struct ceiling *best = NULL;
    for (size_t i = 0; i < machine->count; i++) {
        const struct ceiling *ceiling = table_ceiling(machine, i);
        if (measured(ceiling, "bandwidth", device, "", workers) &&
            strcmp(ceiling->level, level) == 0 && (!best || ceiling->value > best->value))
            best = ceiling;
    }
    return best;
}

/* Theory may be stated per level ("DRAM") for every operation, or per operation ("L1:read"), which
 * then is what holds for it. */
static bool theory_covers(const struct ceiling *theory, const struct ceiling *ceiling)
{
    bool level = strcmp(theory->level, ceiling->level) == 0 ||
                 (theory->level[level_length(theory->level)] == '\0' &&
                  level_is(ceiling->level, theory->level));
    return level && strcmp(theory->status, "ok") == 0 && strcmp(theory->basis, "derived") == 0 &&
           strcmp(theory->kind, ceiling->kind) == 0 &&
           strcmp(theory->device, ceiling->device) == 0 && matches(theory->dtype, ceiling->dtype) &&
           matches(theory->isa, ceiling->isa) &&
           (isnan(theory->workers) || theory->workers == ceiling->workers) && theory->value > 0;
}

const struct ceiling *ceiling_of_theory(const struct table *machine, const struct ceiling *measured)
{
    const struct ceiling *best = NULL;
    double lowest = NAN;
    bool best_is_exact = false;
    for (size_t i = 0; i < machine->count; i++) {
        const struct ceiling *theory = table_ceiling(machine, i);
        double value = ceiling_at_clock(theory, measured->clock_hertz);
        bool exact = strcmp(theory->level, measured->level) == 0;
        if (!theory_covers(theory, measured) || (best_is_exact && !exact))
            continue;
        if (exact && !best_is_exact)
            best = NULL;
        best_is_exact = exact;
        /* Rows at base and boost clock are the same per cycle, up to rounding. */
        bool same = best && fabs(value / lowest - 1) < 1e-3;
        if (!best || (same ? theory->value > best->value : value < lowest)) {
            best = theory;
            lowest = value;
        }
    }
    return best;
}

double ceiling_at_clock(const struct ceiling *ceiling, double clock_hertz)
{
    bool core = strcmp(ceiling->kind, "compute") == 0 || level_is(ceiling->level, "L1") ||
                level_is(ceiling->level, "L2");
    if (!core || !(clock_hertz > 0) || !(ceiling->clock_hertz > 0))
        return ceiling->value;
    return ceiling->value * (clock_hertz / ceiling->clock_hertz);
}

static double launch_seconds(const struct table *machine, const char *device)
{
    for (size_t i = 0; i < machine->count; i++) {
        const struct ceiling *ceiling = table_ceiling(machine, i);
        if (strcmp(ceiling->level, "launch") == 0 && strcmp(ceiling->status, "ok") == 0 &&
            strcmp(ceiling->basis, "measured") == 0 && strcmp(ceiling->device, device) == 0)
            return ceiling->value;
    }
    return NAN;
}

/* A word before a colon is a level, a word without one a unit mix. */
static bool is_bandwidth(const char *ceiling)
{
    return strchr(ceiling, ':') != NULL;
}

/* The ceilings of machine.csv at the row's clock. */
static void take_ceilings(struct roof *roof, const struct table *machine,
                          const struct measurement *row)
{
    const struct ceiling *compute =
        ceiling_of_compute(machine, row->device, row->dtype, row->threads);
    const struct ceiling *memory =
        ceiling_of_memory(machine, row->device, row->dtype, row->level, row->threads);
    if (compute) {
        roof->flops_per_second = ceiling_at_clock(compute, row->clock_hertz);
        text_copy(roof->compute, sizeof roof->compute, compute->level);
    }
    if (memory) {
        roof->bytes_per_second = ceiling_at_clock(memory, row->clock_hertz);
        text_copy(roof->memory, sizeof roof->memory, memory->level);
    }
}

/* The ceiling that was sampled in the row's rounds instead of the one measured some time before. */
static void take_sample(struct roof *roof, const struct table *machine,
                        const struct measurement *row)
{
    if (!(row->ceiling_sample > 0) || !row->ceiling[0])
        return;
    if (!is_bandwidth(row->ceiling)) {
        roof->flops_per_second = row->ceiling_sample;
        text_copy(roof->compute, sizeof roof->compute, row->ceiling);
    } else if (level_is(row->ceiling, row->level)) {
        const struct ceiling *before =
            ceiling_of_operation(machine, row->device, row->ceiling, row->threads);
        if (moves_what_it_counts(row->ceiling) || isnan(roof->bytes_per_second)) {
            roof->bytes_per_second = row->ceiling_sample;
            text_copy(roof->memory, sizeof roof->memory, row->ceiling);
        } else if (before) {
            roof->bytes_per_second *= row->ceiling_sample / before->value;
        }
    }
}

struct roof roof_of_machine(const struct table *machine, const struct measurement *row)
{
    struct roof roof = {.flops_per_second = NAN,
                        .bytes_per_second = NAN,
                        .launch_seconds = launch_seconds(machine, row->device)};
    take_ceilings(&roof, machine, row);
    return roof;
}

struct roof roof_of(const struct table *machine, const struct measurement *row)
{
    struct roof roof = roof_of_machine(machine, row);
    take_sample(&roof, machine, row);
    const char *missing = isnan(roof.flops_per_second) ? row->dtype : row->level;
    if (isnan(roof.flops_per_second) || isnan(roof.bytes_per_second))
        text_format(roof.why, sizeof roof.why,
                    "no roof: machine.csv has no measured %s ceiling for '%s' on '%s' with %.0f "
                    "thread(s); probe with --threads %.0f",
                    isnan(roof.flops_per_second) ? "compute" : "bandwidth", missing, row->device,
                    row->threads, row->threads);
    return roof;
}
