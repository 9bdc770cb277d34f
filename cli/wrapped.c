// wrapped.c - lays columns of text side by side.
#include "wrapped.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GAP = 2, WIDTH_MIN = 12, COLUMNS_MAX = 8 };

static const char *cell(const struct table *table, size_t row, size_t column)
{
    return (const char *)table_row(table, row) + table->schema->fields[column].offset;
}

/* The longest text of a column, its name included. */
static int natural_width(const struct table *table, size_t column)
{
    size_t width = strlen(table->schema->fields[column].name);
    for (size_t i = 0; i < table->count; i++) {
        size_t length = strlen(cell(table, i, column));
        width = length > width ? length : width;
    }
    return (int)width;
}

/* Cuts the widest columns to the one width at which all of them fit side by side. */
static void fit_widths(int *width, size_t count, int limit)
{
    int cap = limit, total = INT_MAX;
    for (; cap > WIDTH_MIN && total > limit; cap--) {
        total = GAP * ((int)count - 1);
        for (size_t c = 0; c < count; c++)
            total += width[c] < cap ? width[c] : cap;
        if (total <= limit)
            break;
    }
    for (size_t c = 0; c < count; c++)
        width[c] = width[c] < cap ? width[c] : cap;
}

/* Bytes of the text that go on this line: up to the last blank that fits, or the whole width of a
 * long word. */
static int line_length(const char *text, int width)
{
    int length = (int)strlen(text);
    if (length <= width)
        return length;
    for (int end = width; end > 0; end--)
        if (text[end] == ' ')
            return end;
    return width;
}

/* One row of cells, over as many lines as its longest cell needs. */
static void print_row(const char **text, const int *width, size_t count)
{
    for (bool more = true; more;) {
        int pending = 0; /* blanks are printed before the next text only: no line ends in them */
        more = false;
        for (size_t c = 0; c < count; c++) {
            int length = line_length(text[c], width[c]);
            if (length > 0) {
                printf("%*s%.*s", pending, "", length, text[c]);
                pending = 0;
            }
            pending += width[c] - length + GAP;
            text[c] += length;
            text[c] += strspn(text[c], " ");
            more = more || *text[c];
        }
        putchar('\n');
    }
}

static void print_text(const struct table *table)
{
    size_t count = table->schema->field_count;
    int width[COLUMNS_MAX], limit = isatty(STDOUT_FILENO) ? terminal_columns() : INT_MAX;
    const char *text[COLUMNS_MAX];
    for (size_t c = 0; c < count; c++) {
        width[c] = natural_width(table, c);
        text[c] = table->schema->fields[c].name;
    }
    fit_widths(width, count, limit);
    print_row(text, width, count);
    for (size_t i = 0; i < table->count; i++) {
        for (size_t c = 0; c < count; c++)
            text[c] = cell(table, i, c);
        print_row(text, width, count);
    }
}

void print_paragraph(const char *text, int indent)
{
    int width = terminal_columns() - indent, used = 0;
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (used && used + 1 + length > width) {
            printf("\n%*s", indent, "");
            used = 0;
        }
        used += printf("%s%.*s", used ? " " : "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}

int print_wrapped(const struct table *table, enum output output, struct error *error)
{
    if (output != OUTPUT_TEXT)
        return print_table(table, output, error);
    print_text(table);
    return OK;
}
