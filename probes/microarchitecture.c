// microarchitecture.c - reads probes/microarchitectures and matches a CPU against them.
#include "microarchitecture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "identity.h"

const char *width_name(enum width width)
{
    static const char *const names[WIDTH_COUNT] = {"scalar", "128", "256", "512"};
    return names[width];
}

const char *mix_name(enum mix mix)
{
    static const char *const names[MIX_COUNT] = {"fma", "mul+add", "add", "fma+add"};
    return names[mix];
}

struct issue pipes_issue(const struct pipes *pipes, enum mix mix)
{
    struct issue issue = {0};
    switch (mix) {
    case MIX_FMA:
        issue.fma = fmin(pipes->fma, pipes->all);
        break;
    case MIX_MUL_ADD:
        issue.mul = issue.add = fmin(fmin(pipes->mul, pipes->add), pipes->all / 2);
        break;
    case MIX_ADD:
        issue.add = fmin(pipes->add, pipes->all);
        break;
    case MIX_FMA_ADD:
    case MIX_COUNT:
        issue.fma = fmin(pipes->fma, pipes->all);
        issue.add = issue.fma > 0 ? fmin(pipes->add, pipes->all - issue.fma) : 0;
        break;
    }
    return issue;
}

double issue_flops(const struct issue *issue)
{
    return 2 * issue->fma + issue->mul + issue->add;
}

double accesses_per_cycle(const struct accesses *accesses, double loads, double stores)
{
    double cycles = fmax(fmax(loads / accesses->loads, stores / accesses->stores),
                         (loads + stores) / accesses->all);
    return (loads + stores) / cycles;
}

/* name_width; NAN when the file does not give it. */
static double per_width(const struct spec *spec, const char *name, int width)
{
    char quantity[32];
    snprintf(quantity, sizeof quantity, "%s_%s", name, width_name((enum width)width));
    return spec_value(spec, quantity);
}

/* The numbers of one width belong together: all or none. */
static int check_group(const struct spec *spec, const double *values, int count, const char *what,
                       int width, struct error *error)
{
    int given = 0;
    for (int i = 0; i < count; i++)
        given += !isnan(values[i]);
    if (given == 0 || given == count)
        return OK;
    return error_set(error, FAULT_USAGE, "microarchitecture '%s': %s of width %s are incomplete",
                     spec->name, what, width_name((enum width)width));
}

static int parse(struct microarchitecture *core, struct error *error)
{
    const struct spec *spec = &core->spec;
    for (int w = 0; w < WIDTH_COUNT; w++) {
        double fp[] = {per_width(spec, "fma", w), per_width(spec, "mul", w),
                       per_width(spec, "add", w), per_width(spec, "pipes", w)};
        double memory[] = {per_width(spec, "loads", w), per_width(spec, "stores", w),
                           per_width(spec, "accesses", w)};
        if (check_group(spec, fp, 4, "fma, mul, add, pipes", w, error) != OK ||
            check_group(spec, memory, 3, "loads, stores, accesses", w, error) != OK)
            return FAILED;
        core->pipes[w] = (struct pipes){fp[0], fp[1], fp[2], fp[3]};
        core->accesses[w] = (struct accesses){memory[0], memory[1], memory[2]};
    }
    core->l2_bytes_per_cycle = spec_value(spec, "l2_bandwidth");
    return OK;
}

int microarchitecture_read(struct microarchitecture *core, const char *name, struct error *error)
{
    if (spec_read(&core->spec, embedded_microarchitectures, "microarchitecture", name, error) != OK)
        return FAILED;
    return parse(core, error);
}

/* Next word of a text into `word`; false at its end. */
static bool next_word(const char **text, char word[64])
{
    *text += strspn(*text, " ");
    size_t length = strcspn(*text, " ");
    snprintf(word, 64, "%.*s", (int)length, *text);
    *text += length;
    return length > 0;
}

/* A note "match: VENDOR FAMILY MODEL MODEL-MODEL ..." that fits the CPU. */
static bool model_matches(const struct spec *spec, const struct cpu *cpu)
{
    for (int i = 0; i < spec->note_count; i++)
        if (strcmp(spec->note[i].key, "match") == 0 &&
            identity_is_listed(spec->note[i].text, cpu->vendor, cpu->family, cpu->model_number))
            return true;
    return false;
}

static bool has_all(const char *features, const struct cpu *cpu)
{
    char word[64];
    while (next_word(&features, word))
        if (!cpu->has(cpu->features, word))
            return false;
    return true;
}

static bool has_any(const char *features, const struct cpu *cpu)
{
    char word[64];
    while (next_word(&features, word))
        if (cpu->has(cpu->features, word))
            return true;
    return false;
}

/* Only in a guest: on bare metal the model number is true, and one that is not listed is unknown.
 */
static bool signature_matches(const struct spec *spec, const struct cpu *cpu)
{
    const char *signature = spec_note(spec, "signature");
    return cpu->has && cpu->has(cpu->features, "hypervisor") && signature[0] &&
           strcmp(spec_note(spec, "vendor"), cpu->vendor) == 0 && has_all(signature, cpu);
}

/* Words separated by '|' of which one is in the marketing name. */
static bool names_match(const char *words, const char *model)
{
    char word[64];
    for (const char *next = words; *next; next += *next == '|') {
        size_t length = strcspn(next, "|");
        snprintf(word, sizeof word, "%.*s", (int)length, next);
        if (strstr(model, word))
            return true;
        next += length;
    }
    return false;
}

/* A variant ("names:" some marketing names, "names-not:" exceptions) goes before the file without
 * names. */
static bool names_fit(const struct spec *spec, const struct cpu *cpu)
{
    return names_match(spec_note(spec, "names"), cpu->model) &&
           !names_match(spec_note(spec, "names-not"), cpu->model);
}

int microarchitecture_identify(struct microarchitecture *core, const struct cpu *cpu, char *how,
                               size_t capacity, struct error *error)
{
    char by_model[64] = "", by_features[64] = "", contradicted[64] = "", other[64] = "";
    int signatures = 0;
    for (const struct embedded_file *file = embedded_microarchitectures; file->name; file++) {
        struct spec *spec = &core->spec;
        if (spec_parse(spec, file->name, file->text, error) != OK)
            return FAILED;
        bool variant = spec_note(spec, "names")[0] != 0;
        bool model = model_matches(spec, cpu);
        bool allowed = !cpu->has || !has_any(spec_note(spec, "excludes"), cpu);
        if (model && !allowed)
            snprintf(contradicted, sizeof contradicted, "%s", spec->name);
        if (model && variant && !names_fit(spec, cpu))
            snprintf(other, sizeof other, "%s", spec->name);
        else if (model && allowed && (variant || !by_model[0]))
            snprintf(by_model, sizeof by_model, "%s", spec->name);
        if (allowed && signature_matches(spec, cpu)) {
            signatures++;
            snprintf(by_features, sizeof by_features, "%s", spec->name);
        }
    }
    if (by_model[0]) {
        snprintf(how, capacity, "identified by %s family %d model %d%s%s%s", cpu->vendor,
                 cpu->family, cpu->model_number, other[0] ? ", not by name " : "", other,
                 cpu->has ? "" : " (features are not known: a masked model would go unnoticed)");
        return microarchitecture_read(core, by_model, error);
    }
    if (signatures == 1) {
        snprintf(how, capacity, "identified by features; the model number is masked (%d%s%s)",
                 cpu->model_number, contradicted[0] ? " would be " : "", contradicted);
        return microarchitecture_read(core, by_features, error);
    }
    return error_skip(error,
                      "unknown microarchitecture: vendor '%s' family %d model %d%s%s%s; add it to "
                      "probes/microarchitectures, or give a spec: roofline theory SPEC",
                      cpu->vendor, cpu->family, cpu->model_number,
                      contradicted[0] ? " (would be '" : "", contradicted,
                      contradicted[0] ? "', which this CPU's features contradict)" : "");
}
