// print.c - rows of either schema on stdout: aligned text for people, CSV or JSON for machines.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* Long texts are cut in the aligned table only; --csv and --json have them whole. */
enum { CELL_WIDTH_MAX = 40 };

/* What people read: four digits and an SI prefix before the unit. */
static void format_si(double value, char text[32])
{
    static const struct {
        double scale;
        char prefix;
    } prefixes[] = {{1e12, 'T'}, {1e9, 'G'},  {1e6, 'M'},  {1e3, 'k'},
                    {1, ' '},    {1e-3, 'm'}, {1e-6, 'u'}, {1e-9, 'n'}};
    enum { LAST = sizeof prefixes / sizeof *prefixes - 1 };
    text[0] = 0;
    if (isnan(value))
        return;
    if (value == 0 || (fabs(value) < 1e4 && value == floor(value))) {
        snprintf(text, 32, "%.0f", value);
        return;
    }
    int i = 0;
    while (i < LAST && fabs(value) < prefixes[i].scale)
        i++;
    snprintf(text, 32, "%.4g%c", value / prefixes[i].scale, prefixes[i].prefix);
    if (prefixes[i].prefix == ' ')
        text[strlen(text) - 1] = 0;
}

static void format_cell(const struct field *field, const char *row, char *text, size_t capacity)
{
    if (field->type == FIELD_TEXT) {
        text_copy(text, capacity, row + field->offset);
        return;
    }
    char number[32];
    format_si(*(const double *)(row + field->offset), number);
    text_copy(text, capacity, number);
}

/* A column with nothing in it, or the long formula, says nothing to a person at a terminal. */
static int column_width(const struct table *table, const struct field *field)
{
    int width = 0;
    for (size_t i = 0; i < table->count; i++) {
        char text[CELL_WIDTH_MAX + 1];
        format_cell(field, table_row(table, i), text, sizeof text);
        int length = (int)strlen(text);
        width = length > width ? length : width;
    }
    int name = (int)strlen(field->name);
    return width == 0 ? 0 : width > name ? width : name;
}

static int print_text(const struct table *table, struct error *error)
{
    const struct schema *schema = table->schema;
    int *width = calloc(schema->field_count, sizeof *width);
    if (!width)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the table");
    for (size_t c = 0; c < schema->field_count; c++) {
        const struct field *field = &schema->fields[c];
        width[c] = strcmp(field->name, "source") == 0 ? 0 : column_width(table, field);
        if (width[c])
            printf("%*s  ", field->type == FIELD_TEXT ? -width[c] : width[c], field->name);
    }
    putchar('\n');
    for (size_t i = 0; i < table->count; i++) {
        for (size_t c = 0; c < schema->field_count; c++) {
            const struct field *field = &schema->fields[c];
            char text[CELL_WIDTH_MAX + 1];
            if (!width[c])
                continue;
            format_cell(field, table_row(table, i), text, sizeof text);
            printf("%*s  ", field->type == FIELD_TEXT ? -width[c] : width[c], text);
        }
        putchar('\n');
    }
    free(width);
    return OK;
}

static void print_json_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        if ((unsigned char)*text < 0x20)
            printf("\\u%04x", *text);
        else
            putchar(*text);
    }
    putchar('"');
}

static void print_json_row(const struct schema *schema, const char *row)
{
    putchar('{');
    for (size_t c = 0; c < schema->field_count; c++) {
        const struct field *field = &schema->fields[c];
        char number[32];
        printf("%s\"%s\":", c ? "," : "", field->name);
        if (field->type == FIELD_TEXT) {
            print_json_text(row + field->offset);
        } else {
            real_format(*(const double *)(row + field->offset), number);
            fputs(*number ? number : "null", stdout);
        }
    }
    putchar('}');
}

static void print_json(const struct table *table)
{
    puts("[");
    for (size_t i = 0; i < table->count; i++) {
        print_json_row(table->schema, table_row(table, i));
        puts(i + 1 < table->count ? "," : "");
    }
    puts("]");
}

int print_table(const struct table *table, enum output output, struct error *error)
{
    if (output == OUTPUT_CSV)
        return table_print(table, stdout, error);
    if (output == OUTPUT_TEXT)
        return print_text(table, error);
    print_json(table);
    return OK;
}
