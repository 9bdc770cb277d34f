// spec.c - reads published numbers: specs, microarchitectures, and files of the same form that a
// user wrote.
#include "spec.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPEC_FILE_BYTES_MAX = 1 << 16, SPEC_COLUMNS = 4 };

enum dimension { COUNT, CLOCK, TRANSFERS, BYTES, BITS, BYTE_RATE, PER_CYCLE, BYTES_PER_CYCLE };

static const struct unit {
    const char *name;
    enum dimension dimension;
    double scale;
} units[] = {
    {"count", COUNT, 1},
    {"MHz", CLOCK, 1e6},
    {"GHz", CLOCK, 1e9},
    {"MT/s", TRANSFERS, 1e6},
    {"GT/s", TRANSFERS, 1e9},
    {"B", BYTES, 1},
    {"KiB", BYTES, 1024},
    {"MiB", BYTES, 1024.0 * 1024},
    {"GiB", BYTES, 1024.0 * 1024 * 1024},
    {"GB", BYTES, 1e9},
    {"bit", BITS, 1},
    {"GB/s", BYTE_RATE, 1e9},
    {"per cycle", PER_CYCLE, 1},
    {"B/cycle", BYTES_PER_CYCLE, 1},
};

/* Every quantity that a formula reads; a name that is not here is a slip of the pen. docs/theory.md
 * explains them. A name that ends in '_' is followed by a width: scalar, 128, 256 or 512. */
static const struct known {
    const char *name;
    enum dimension dimension;
} known[] = {
    {"sockets", COUNT},
    {"cores_per_socket", COUNT},
    {"clock_base", CLOCK},
    {"clock_boost", CLOCK},
    {"clock_avx2_base", CLOCK},
    {"clock_avx512_base", CLOCK},
    {"clock_tensor", CLOCK},
    {"l1d", BYTES},
    {"l2", BYTES},
    {"l3", BYTES},
    {"l3_per_socket", COUNT},
    {"memory_channels", COUNT},
    {"memory_transfers", TRANSFERS},
    {"memory_bus", BYTES},
    {"sms", COUNT},
    {"f32_cores", COUNT},
    {"f64_cores", COUNT},
    {"f16_fma", PER_CYCLE},
    {"bf16_fma", PER_CYCLE},
    {"tensor_f64", PER_CYCLE},
    {"tensor_tf32", PER_CYCLE},
    {"tensor_bf16", PER_CYCLE},
    {"tensor_f16", PER_CYCLE},
    {"tensor_f8", PER_CYCLE},
    {"tensor_i8", PER_CYCLE},
    {"memory", BYTES},
    {"memory_clock", CLOCK},
    {"memory_data_rate", COUNT},
    {"memory_bus_width", BITS},
    {"shared", BYTES},
    {"shared_bandwidth", BYTES_PER_CYCLE},
    {"pcie_lanes", COUNT},
    {"pcie_transfers", TRANSFERS},
    {"nvlink_links", COUNT},
    {"nvlink_rate", BYTE_RATE},
    {"fma_", PER_CYCLE},
    {"mul_", PER_CYCLE},
    {"add_", PER_CYCLE},
    {"pipes_", PER_CYCLE},
    {"loads_", PER_CYCLE},
    {"stores_", PER_CYCLE},
    {"accesses_", PER_CYCLE},
    {"l2_bandwidth", BYTES_PER_CYCLE},
};

static const struct unit *unit_find(const char *name)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(units[i].name, name) == 0)
            return &units[i];
    return NULL;
}

double unit_scale(const char *unit)
{
    const struct unit *found = unit_find(unit);
    return found ? found->scale : NAN;
}

static bool is_width(const char *word)
{
    static const char *const widths[] = {"scalar", "128", "256", "512"};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        if (strcmp(widths[i], word) == 0)
            return true;
    return false;
}

static const struct known *known_find(const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t length = strlen(known[i].name);
        bool prefix = known[i].name[length - 1] == '_';
        if (prefix ? strncmp(known[i].name, name, length) == 0 && is_width(name + length)
                   : strcmp(known[i].name, name) == 0)
            return &known[i];
    }
    return NULL;
}

/* Splits a CSV line (RFC 4180, no line breaks in fields) in place; the number of fields, -1 for a
 * broken quote. */
static int split(char *line, char *field[], int capacity)
{
    int count = 0;
    for (char *in = line; count < capacity;) {
        char *out = in;
        bool quoted = *in == '"';
        field[count++] = out;
        in += quoted;
        while (quoted ? *in : *in && *in != ',') {
            if (quoted && in[0] == '"') {
                if (in[1] != '"')
                    break;
                in++;
            }
            *out++ = *in++;
        }
        if (quoted && *in++ != '"')
            return -1;
        char end = *in;
        *out = 0;
        if (end == 0)
            return count;
        if (end != ',')
            return -1;
        in++;
    }
    return capacity + 1;
}

static int parse_note(struct spec *spec, const char *line, int number, struct error *error)
{
    const char *key = line + 1 + strspn(line + 1, " ");
    const char *colon = strchr(key, ':');
    struct note *note = &spec->note[spec->note_count];
    if (!colon)
        return OK; /* a plain comment */
    const char *text = colon + 1 + strspn(colon + 1, " ");
    if (spec->note_count == SPEC_NOTES_MAX || (size_t)(colon - key) >= sizeof note->key ||
        strlen(text) >= sizeof note->text)
        return error_set(error, FAULT_USAGE,
                         "'%s' line %d: '#' line too long (key %zu, text %zu characters) or one of "
                         "more than %d",
                         spec->name, number, sizeof note->key - 1, sizeof note->text - 1,
                         SPEC_NOTES_MAX);
    snprintf(note->key, sizeof note->key, "%.*s", (int)(colon - key), key);
    snprintf(note->text, sizeof note->text, "%s", text);
    spec->note_count++;
    return OK;
}

static int parse_quantity(struct spec *spec, char *line, int number, struct error *error)
{
    char *field[SPEC_COLUMNS];
    if (split(line, field, SPEC_COLUMNS) != SPEC_COLUMNS)
        return error_set(error, FAULT_USAGE,
                         "'%s' line %d: not the four fields quantity,value,unit,source", spec->name,
                         number);
    const char *name = field[0], *unit = field[2], *source = field[3];
    const struct known *quantity = known_find(name);
    if (!quantity)
        return error_set(error, FAULT_USAGE,
                         "'%s' line %d: unknown quantity '%s'; docs/theory.md lists them",
                         spec->name, number, name);
    if (spec_find(spec, name))
        return error_set(error, FAULT_USAGE, "'%s' line %d: '%s' is given twice", spec->name,
                         number, name);
    if (!unit_find(unit) || unit_find(unit)->dimension != quantity->dimension)
        return error_set(error, FAULT_USAGE, "'%s' line %d: unit '%s' does not fit '%s'",
                         spec->name, number, unit, name);
    char *end;
    double value = strtod(field[1], &end);
    if (end == field[1] || *end || !isfinite(value) || value < 0)
        return error_set(error, FAULT_USAGE,
                         "'%s' line %d: value '%s' of '%s' is not a number of 0 or more",
                         spec->name, number, field[1], name);
    struct quantity *row = &spec->quantity[spec->quantity_count];
    if (!source[0] || strlen(source) >= sizeof row->source)
        return error_set(error, FAULT_USAGE,
                         "'%s' line %d: '%s' needs a source of 1 to %zu characters: document and "
                         "page, or URL",
                         spec->name, number, name, sizeof row->source - 1);
    if (spec->quantity_count == SPEC_QUANTITIES_MAX)
        return error_set(error, FAULT_USAGE, "'%s' line %d: more than %d quantities", spec->name,
                         number, SPEC_QUANTITIES_MAX);
    row->value = value;
    snprintf(row->name, sizeof row->name, "%s", name);
    snprintf(row->unit, sizeof row->unit, "%s", unit);
    snprintf(row->source, sizeof row->source, "%s", source);
    spec->quantity_count++;
    return OK;
}

int spec_parse(struct spec *spec, const char *name, const char *text, struct error *error)
{
    *spec = (struct spec){0};
    snprintf(spec->name, sizeof spec->name, "%s", name);
    bool header = false;
    int number = 0;
    for (const char *next = text; *next;) {
        char line[1024];
        size_t length = strcspn(next, "\n");
        number++;
        if (length >= sizeof line)
            return error_set(error, FAULT_USAGE, "'%s' line %d: longer than %zu characters", name,
                             number, sizeof line - 1);
        memcpy(line, next, length);
        line[length] = 0;
        if (length && line[length - 1] == '\r')
            line[length - 1] = 0;
        next += length + (next[length] == '\n');
        if (!line[0])
            continue;
        int status = OK;
        if (line[0] == '#')
            status = parse_note(spec, line, number, error);
        else if (header)
            status = parse_quantity(spec, line, number, error);
        else if (strcmp(line, "quantity,value,unit,source") != 0)
            status = error_set(error, FAULT_USAGE,
                               "'%s' line %d: the columns must be 'quantity,value,unit,source'",
                               name, number);
        else
            header = true;
        if (status != OK)
            return status;
    }
    if (!header)
        return error_set(error, FAULT_USAGE, "'%s': no line 'quantity,value,unit,source'", name);
    return OK;
}

static int read_path(struct spec *spec, const char *path, struct error *error)
{
    int status = FAILED;
    char *text = NULL;
    FILE *file = fopen(path, "re");
    if (!file)
        return error_set(error, FAULT_IO, "cannot read '%s': %s", path, strerror(errno));
    text = malloc(SPEC_FILE_BYTES_MAX + 1);
    if (!text) {
        error_set(error, FAULT_ENVIRONMENT, "no memory to read '%s'", path);
        goto out;
    }
    size_t bytes = fread(text, 1, SPEC_FILE_BYTES_MAX + 1, file);
    if (ferror(file)) {
        error_set(error, FAULT_IO, "cannot read '%s': %s", path, strerror(errno));
        goto out;
    }
    if (bytes > SPEC_FILE_BYTES_MAX || memchr(text, 0, bytes)) {
        error_set(error, FAULT_USAGE, "'%s' is no spec: %s", path,
                  bytes > SPEC_FILE_BYTES_MAX ? "larger than 64 KiB" : "it holds a 0 byte");
        goto out;
    }
    text[bytes] = 0;
    status = spec_parse(spec, path, text, error);
out:
    free(text);
    fclose(file);
    return status;
}

int spec_read(struct spec *spec, const struct embedded_file *files, const char *what,
              const char *name, struct error *error)
{
    size_t length = strlen(name);
    if (strchr(name, '/') || (length > 4 && strcmp(name + length - 4, ".csv") == 0))
        return read_path(spec, name, error);
    char names[sizeof error->text] = "";
    size_t used = 0;
    for (const struct embedded_file *file = files; file->name; file++) {
        if (strcmp(file->name, name) == 0)
            return spec_parse(spec, name, file->text, error);
        if (used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, " %s", file->name);
    }
    return error_set(error, FAULT_USAGE,
                     "unknown %s '%s'; give the path of a .csv file or one of:%s", what, name,
                     names);
}

const char *spec_note(const struct spec *spec, const char *key)
{
    for (int i = 0; i < spec->note_count; i++)
        if (strcmp(spec->note[i].key, key) == 0)
            return spec->note[i].text;
    return "";
}

const struct quantity *spec_find(const struct spec *spec, const char *name)
{
    for (int i = 0; i < spec->quantity_count; i++)
        if (strcmp(spec->quantity[i].name, name) == 0)
            return &spec->quantity[i];
    return NULL;
}

double spec_value(const struct spec *spec, const char *name)
{
    const struct quantity *quantity = spec_find(spec, name);
    return quantity ? quantity->value * unit_scale(quantity->unit) : NAN;
}

int spec_require(const struct spec *spec, const char *name, const struct quantity **quantity,
                 struct error *error)
{
    *quantity = spec_find(spec, name);
    if (!*quantity)
        return error_set(error, FAULT_USAGE, "spec '%s' lacks '%s'", spec->name, name);
    if ((*quantity)->value <= 0)
        return error_set(error, FAULT_USAGE, "spec '%s': '%s' must be above 0", spec->name, name);
    return OK;
}
