// table_csv.c - rows as CSV (RFC 4180): printing, atomic writing, reading with the line of every
// fault.
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "table.h"

/* Far above any row of ours: a longer line is not one of these files. */
enum { LINE_BYTES_MAX = 1 << 16, COLUMNS_MAX = 64 };

void real_format(double value, char text[32])
{
    text[0] = 0;
    if (isnan(value))
        return;
    /* Integers as integers (flops, bytes), else the shortest text that reads back the same. */
    if (fabs(value) < 1e15 && value == floor(value)) {
        snprintf(text, 32, "%.0f", value);
        return;
    }
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            return;
    }
}

static void print_text(FILE *file, const char *text)
{
    /* A line that begins with # would be a comment. */
    bool quoted = *text == '#' || strpbrk(text, ",\"");
    if (quoted)
        fputc('"', file);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', file);
        /* One row is one line. */
        fputc(*text == '\n' || *text == '\r' ? ' ' : *text, file);
    }
    if (quoted)
        fputc('"', file);
}

static void print_row(FILE *file, const struct schema *schema, const char *row)
{
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct field *field = &schema->fields[i];
        if (i)
            fputc(',', file);
        if (field->type == FIELD_TEXT) {
            print_text(file, row + field->offset);
        } else {
            char text[32];
            real_format(*(const double *)(row + field->offset), text);
            fputs(text, file);
        }
    }
    fputc('\n', file);
}

int table_print(const struct table *table, FILE *file, struct error *error)
{
    const struct schema *schema = table->schema;
    if (table->provenance)
        fputs(table->provenance, file);
    for (size_t i = 0; i < schema->field_count; i++)
        fprintf(file, "%s%s", i ? "," : "", schema->fields[i].name);
    fputc('\n', file);
    for (size_t i = 0; i < table->count; i++)
        print_row(file, schema, table_row(table, i));
    if (ferror(file))
        return error_set(error, FAULT_IO, "cannot write %s rows: %s", schema->name,
                         strerror(errno));
    return OK;
}

static int table_path(const struct table *table, const char *directory, char path[1024],
                      struct error *error)
{
    char name[64];
    snprintf(name, sizeof name, "%s.csv", table->schema->name);
    return path_join(path, 1024, directory, name, error);
}

static int open_target(struct atomic_file *file, const struct table *table, const char *directory,
                       struct error *error)
{
    char path[1024];
    if (table_path(table, directory, path, error) != OK || directory_create(directory, error) != OK)
        return FAILED;
    return atomic_open(file, path, error);
}

int table_check_target(const struct table *table, const char *directory, struct error *error)
{
    struct atomic_file file;
    if (open_target(&file, table, directory, error) != OK)
        return FAILED;
    atomic_abandon(&file);
    return OK;
}

int table_write(const struct table *table, const char *directory, struct error *error)
{
    struct atomic_file file;
    if (open_target(&file, table, directory, error) != OK)
        return FAILED;
    struct error ignored; /* the stream keeps its error flag; atomic_commit names the file */
    table_print(table, file.stream, &ignored);
    return atomic_commit(&file, error);
}

/* Cuts one field off *cursor in place, quotes removed; FAILED on a quote that does not close. */
static int take_field(char **cursor, char **field, bool *last)
{
    char *in = *cursor, *out = in;
    *field = out;
    if (*in == '"') {
        for (in++;; in++) {
            if (*in == 0)
                return FAILED;
            if (*in == '"' && *++in != '"')
                break;
            *out++ = *in;
        }
        if (*in != ',' && *in != 0)
            return FAILED;
    } else {
        while (*in && *in != ',')
            *out++ = *in++;
    }
    *last = *in == 0;
    *out = 0;
    *cursor = *last ? in : in + 1;
    return OK;
}

struct reader {
    FILE *file;
    const char *name;
    long line_number;
    char line[LINE_BYTES_MAX];
    int columns;                            /* in the file */
    const struct field *field[COLUMNS_MAX]; /* NULL: a column that this version does not know */
};

/* One line without its end; SKIPPED at the end of the file. */
static int next_line(struct reader *reader, struct error *error)
{
    if (!fgets(reader->line, sizeof reader->line, reader->file)) {
        if (ferror(reader->file))
            return error_set(error, FAULT_IO, "cannot read '%s': %s", reader->name,
                             strerror(errno));
        return SKIPPED;
    }
    reader->line_number++;
    size_t length = strlen(reader->line);
    if (length + 1 == sizeof reader->line)
        return error_set(error, FAULT_IO, "'%s' line %ld: longer than %d bytes", reader->name,
                         reader->line_number, LINE_BYTES_MAX - 2);
    while (length && (reader->line[length - 1] == '\n' || reader->line[length - 1] == '\r'))
        reader->line[--length] = 0;
    return OK;
}

static int take_note(struct table *table, const struct reader *reader, struct error *error)
{
    const char *text = reader->line + 1;
    text += *text == ' ';
    const char *colon = strstr(text, ": ");
    if (!colon)
        return OK; /* a comment */
    char key[128];
    snprintf(key, sizeof key, "%.*s", (int)(colon - text), text);
    if (strcmp(key, "schema_version") == 0 && atoi(colon + 2) > table->schema->version)
        return error_set(error, FAULT_IO,
                         "'%s' line %ld: schema version %s is newer than this program's %d; update "
                         "the program",
                         reader->name, reader->line_number, colon + 2, table->schema->version);
    return table_note(table, key, colon + 2, error);
}

static int read_header(struct reader *reader, const struct schema *schema, struct error *error)
{
    bool last = false;
    char *cursor = reader->line, *text;
    for (reader->columns = 0; !last; reader->columns++) {
        if (reader->columns == COLUMNS_MAX || take_field(&cursor, &text, &last) != OK)
            return error_set(error, FAULT_IO, "'%s' line %ld: not a header of column names",
                             reader->name, reader->line_number);
        reader->field[reader->columns] = NULL;
        for (size_t i = 0; i < schema->field_count; i++)
            if (strcmp(schema->fields[i].name, text) == 0)
                reader->field[reader->columns] = &schema->fields[i];
    }
    bool added = false;
    for (size_t i = 0; i < schema->field_count; i++) {
        int found = 0;
        added = added ||
                (schema->first_added && strcmp(schema->fields[i].name, schema->first_added) == 0);
        for (int column = 0; column < reader->columns; column++)
            found += reader->field[column] == &schema->fields[i];
        if (found != 1 && !(added && found == 0))
            return error_set(error, FAULT_IO, "'%s' line %ld: column '%s' %s", reader->name,
                             reader->line_number, schema->fields[i].name,
                             found ? "stands there twice" : "is missing");
    }
    return OK;
}

static int store_field(const struct reader *reader, char *row, const struct field *field,
                       const char *text, struct error *error)
{
    if (field->type == FIELD_TEXT) {
        if (strlen(text) >= field->capacity)
            return error_set(error, FAULT_IO, "'%s' line %ld: '%s' is longer than %zu bytes",
                             reader->name, reader->line_number, field->name, field->capacity - 1);
        strcpy(row + field->offset, text);
        return OK;
    }
    if (!*text)
        return OK; /* unknown: stays NAN */
    char *end;
    double value = strtod(text, &end);
    if (*end || !isfinite(value))
        return error_set(error, FAULT_IO, "'%s' line %ld: '%s' is '%.40s', not a number",
                         reader->name, reader->line_number, field->name, text);
    *(double *)(row + field->offset) = value;
    return OK;
}

static int read_row(struct reader *reader, struct table *table, struct error *error)
{
    char *row = table_append(table), *cursor = reader->line, *text;
    if (!row)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory reading '%s'", reader->name);
    bool last = false;
    int column = 0;
    for (; !last; column++) {
        if (take_field(&cursor, &text, &last) != OK)
            return error_set(error, FAULT_IO, "'%s' line %ld: a quote is not closed", reader->name,
                             reader->line_number);
        if (column < reader->columns && reader->field[column] &&
            store_field(reader, row, reader->field[column], text, error) != OK)
            return FAILED;
    }
    if (column != reader->columns)
        return error_set(error, FAULT_IO, "'%s' line %ld: %d fields, but the header has %d",
                         reader->name, reader->line_number, column, reader->columns);
    return OK;
}

static int read_lines(struct reader *reader, struct table *table, struct error *error)
{
    int result;
    while ((result = next_line(reader, error)) == OK) {
        if (reader->line[0] == '#')
            result = take_note(table, reader, error);
        else if (reader->columns == 0)
            result = read_header(reader, table->schema, error);
        else
            result = read_row(reader, table, error);
        if (result != OK)
            return result;
    }
    if (result == FAILED)
        return FAILED;
    if (reader->columns == 0)
        return error_set(error, FAULT_IO, "'%s' has no header line of column names", reader->name);
    return OK;
}

int table_parse(struct table *table, FILE *file, const char *name, struct error *error)
{
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory reading '%s'", name);
    reader->file = file;
    reader->name = name;
    int result = read_lines(reader, table, error);
    if (result != OK)
        table_free(table);
    free(reader);
    return result;
}

int table_read(struct table *table, const char *directory, struct error *error)
{
    char path[1024];
    if (table_path(table, directory, path, error) != OK)
        return FAILED;
    FILE *file = fopen(path, "r");
    if (!file)
        return error_set(error, FAULT_IO, "cannot read '%s': %s", path, strerror(errno));
    int result = table_parse(table, file, path, error);
    fclose(file);
    return result;
}
