// table.c - rows and provenance in memory; table_csv.c has their text.
#include "table.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ROW ceiling
#define TEXT(name, capacity, meaning)                                                              \
    {#name, FIELD_TEXT, offsetof(struct ROW, name), capacity, meaning},
#define REAL(name, unit, meaning)                                                                  \
    {#name, FIELD_REAL, offsetof(struct ROW, name), sizeof(double), unit ": " meaning},
static const struct field ceiling_fields[] = {
#include "ceiling.def"
};
#undef ROW
#define ROW measurement
static const struct field measurement_fields[] = {
#include "measurement.def"
};
#undef ROW
#undef TEXT
#undef REAL

#define COUNT(array) (sizeof(array) / sizeof *(array))

const struct schema ceiling_schema = {
    .name = "machine",
    .version = 1,
    .fields = ceiling_fields,
    .field_count = COUNT(ceiling_fields),
    .row_bytes = sizeof(struct ceiling),
};

const struct schema measurement_schema = {
    .name = "bench",
    .version = 1,
    .fields = measurement_fields,
    .field_count = COUNT(measurement_fields),
    .row_bytes = sizeof(struct measurement),
    .first_added = "counted_by",
};

void table_init(struct table *table, const struct schema *schema)
{
    *table = (struct table){.schema = schema};
}

void table_free(struct table *table)
{
    free(table->rows);
    free(table->provenance);
    table_init(table, table->schema);
}

void *table_append(struct table *table)
{
    size_t bytes = table->schema->row_bytes;
    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? 2 * table->capacity : 64;
        void *rows = realloc(table->rows, capacity * bytes);
        if (!rows)
            return NULL;
        table->rows = rows;
        table->capacity = capacity;
    }
    char *row = (char *)table->rows + table->count++ * bytes;
    memset(row, 0, bytes);
    for (size_t i = 0; i < table->schema->field_count; i++)
        if (table->schema->fields[i].type == FIELD_REAL)
            *(double *)(row + table->schema->fields[i].offset) = NAN;
    return row;
}

void *table_row(const struct table *table, size_t i)
{
    assert(i < table->count);
    return (char *)table->rows + i * table->schema->row_bytes;
}

struct ceiling *table_ceiling(const struct table *table, size_t i)
{
    assert(table->schema == &ceiling_schema);
    return table_row(table, i);
}

struct measurement *table_measurement(const struct table *table, size_t i)
{
    assert(table->schema == &measurement_schema);
    return table_row(table, i);
}

double measurement_flops(const struct measurement *row)
{
    return isnan(row->flops_done) ? row->flops : row->flops_done;
}

/* Cuts at a UTF-8 boundary, so that a cut text is still text. */
static void mark_cut(char *field, size_t capacity)
{
    size_t end = capacity - 4;
    while (end > 0 && ((unsigned char)field[end] & 0xC0) == 0x80)
        end--;
    memcpy(field + end, "...", 4);
}

void text_copy(char *field, size_t capacity, const char *text)
{
    text_format(field, capacity, "%s", text);
}

void text_format(char *field, size_t capacity, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(field, capacity, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length >= capacity && capacity > 4)
        mark_cut(field, capacity);
}

int table_note(struct table *table, const char *key, const char *value, struct error *error)
{
    size_t used = table->provenance ? strlen(table->provenance) : 0;
    size_t more = strlen(key) + strlen(value) + sizeof "# : \n";
    char *text = realloc(table->provenance, used + more);
    if (!text)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the note '%s'", key);
    table->provenance = text;
    snprintf(text + used, more, "# %s: %s\n", key, value);
    for (char *p = text + used; p[1]; p++)
        if (*p == '\n' || *p == '\r')
            *p = ' ';
    return OK;
}
