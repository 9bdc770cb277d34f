// summary.c - derives summary.csv from machine.csv and bench.csv.
#include "summary.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "node_measurement.h"

#define KEY_TEXT(name, capacity, meaning)                                                          \
    {#name, FIELD_TEXT, offsetof(struct summary, name), capacity, meaning},
#define KEY_REAL(name, unit, meaning)                                                              \
    {#name, FIELD_REAL, offsetof(struct summary, name), sizeof(double), unit ": " meaning},
#define COLUMN_TEXT(name, capacity, formula, meaning) KEY_TEXT(name, capacity, meaning)
#define COLUMN_REAL(name, unit, formula, meaning) KEY_REAL(name, unit, meaning)
static const struct field summary_fields[] = {
#include "columns.def"
};
#undef KEY_TEXT
#undef KEY_REAL
#undef COLUMN_TEXT
#undef COLUMN_REAL

const struct schema summary_schema = {
    .name = "summary",
    .version = 1,
    .fields = summary_fields,
    .field_count = sizeof summary_fields / sizeof *summary_fields,
    .row_bytes = sizeof(struct summary),
};

struct summary *table_summary(const struct table *table, size_t i)
{
    assert(table->schema == &summary_schema);
    return table_row(table, i);
}

void summary_of(struct summary *out, const struct table *machine, const struct measurement *row)
{
    bool computed = strcmp(row->status, "ok") == 0;
    struct roof found = roof_of(machine, row);
    const struct roof *roof = &found;
#define KEY_TEXT(name, capacity, meaning) text_copy(out->name, sizeof out->name, row->name);
#define KEY_REAL(name, unit, meaning) out->name = row->name;
#define COLUMN_TEXT(name, capacity, formula, meaning)                                              \
    text_copy(out->name, sizeof out->name, (formula));
#define COLUMN_REAL(name, unit, formula, meaning) out->name = computed ? (formula) : NAN;
#include "columns.def"
#undef KEY_TEXT
#undef KEY_REAL
#undef COLUMN_TEXT
#undef COLUMN_REAL
}

int summary_build(struct table *summary, const struct table *machine, const struct table *bench,
                  struct error *error)
{
    for (size_t i = 0; i < bench->count; i++) {
        struct summary *out = table_append(summary);
        if (!out)
            return error_set(error, FAULT_ENVIRONMENT, "out of memory for %zu summary rows",
                             bench->count);
        summary_of(out, machine, table_measurement(bench, i));
    }
    if (bench->provenance && !(summary->provenance = strdup(bench->provenance)))
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the summary's provenance");
    return OK;
}

/* OK also when the file does not exist; *present tells. */
static int read_if_present(struct table *table, const char *directory, bool *present,
                           struct error *error)
{
    char name[64], path[1024];
    text_format(name, sizeof name, "%s.csv", table->schema->name);
    if (path_join(path, sizeof path, directory, name, error) != OK)
        return FAILED;
    *present = access(path, F_OK) == 0;
    return *present ? table_read(table, directory, error) : OK;
}

void results_init(struct results *results)
{
    table_init(&results->machine, &ceiling_schema);
    table_init(&results->bench, &measurement_schema);
    table_init(&results->summary, &summary_schema);
    table_init(&results->nodes, &node_measurement_schema);
    table_init(&results->before, &summary_schema);
}

int results_read(struct results *results, const char *directory, struct error *error)
{
    bool machine = false, bench = false, nodes = false;
    results_init(results);
    if (access(directory, R_OK | X_OK) != 0)
        return error_set(error, FAULT_IO,
                         "cannot read the results directory '%s': %s; 'roofline probe --out DIR' "
                         "and 'roofline bench --out DIR' make one",
                         directory, strerror(errno));
    if (read_if_present(&results->machine, directory, &machine, error) != OK ||
        read_if_present(&results->bench, directory, &bench, error) != OK ||
        read_if_present(&results->nodes, directory, &nodes, error) != OK)
        return FAILED;
    if (!machine && !bench && !nodes)
        return error_set(error, FAULT_IO,
                         "'%s' holds none of machine.csv, bench.csv and graph.csv; 'roofline probe "
                         "--out DIR', 'roofline bench --out DIR' and 'roofline graph MODEL --out "
                         "DIR' write them",
                         directory);
    return summary_build(&results->summary, &results->machine, &results->bench, error);
}

void results_free(struct results *results)
{
    table_free(&results->machine);
    table_free(&results->bench);
    table_free(&results->summary);
    table_free(&results->nodes);
    table_free(&results->before);
}

bool provenance_value(const struct table *table, const char *key, char *value, size_t capacity)
{
    value[0] = '\0';
    size_t length = strlen(key);
    for (const char *line = table->provenance; line && *line;) {
        const char *end = strchrnul(line, '\n');
        if (strncmp(line, "# ", 2) == 0 && strncmp(line + 2, key, length) == 0 &&
            strncmp(line + 2 + length, ": ", 2) == 0) {
            const char *text = line + length + 4;
            text_format(value, capacity, "%.*s", (int)(end - text), text);
            return true;
        }
        line = *end ? end + 1 : end;
    }
    return false;
}
