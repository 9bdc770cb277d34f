// table.h - the two row types of the project and their files: CSV with provenance lines, written
// atomically.
#ifndef ROOFLINE_TABLE_H
#define ROOFLINE_TABLE_H

#include <stddef.h>
#include <stdio.h>

#include "error.h"

/* A number that is not known is NAN in memory and an empty field in a file. */
#define TEXT(name, capacity, meaning) char name[capacity];
#define REAL(name, unit, meaning) double name;
/* A row of machine.csv: what a machine could do (basis spec, derived) or did (measured). */
struct ceiling {
#include "ceiling.def"
};
/* A row of bench.csv: what one kernel took. Raw numbers only; rates are roofline/columns.def's
 * work. */
struct measurement {
#include "measurement.def"
};
#undef TEXT
#undef REAL

enum field_type { FIELD_TEXT, FIELD_REAL };

struct field {
    const char *name;
    enum field_type type;
    size_t offset;   /* into the row */
    size_t capacity; /* of a text, its final 0 included */
    const char *meaning;
};

struct schema {
    const char *name; /* "machine", "bench": the file is name.csv */
    int version;
    const struct field *fields;
    size_t field_count;
    size_t row_bytes;
    /* From this column on a file of an earlier program may lack them; NULL: none. */
    const char *first_added;
};

extern const struct schema ceiling_schema;
extern const struct schema measurement_schema;

/* Rows of one schema and the `# key: value` lines in front of them. */
struct table {
    const struct schema *schema; /* borrowed, static */
    void *rows;                  /* owned: count * schema->row_bytes */
    size_t count, capacity;
    char *provenance; /* owned: the lines "# key: value\n" as they stand in the file; may be NULL */
};

void table_init(struct table *table, const struct schema *schema);
void table_free(struct table *table);

/* Appends a row of empty texts and NANs and returns it, borrowed until the next append; NULL when
 * memory is out. */
void *table_append(struct table *table);

/* Row i, borrowed. The two typed views check the schema by assertion. */
void *table_row(const struct table *table, size_t i);
struct ceiling *table_ceiling(const struct table *table, size_t i);
struct measurement *table_measurement(const struct table *table, size_t i);

/* FLOP that the machine must do for the row, by which its roof judges it. */
double measurement_flops(const struct measurement *row);

/* Copies text into a fixed field; what does not fit ends in "...". Use with sizeof row->field. */
void text_copy(char *field, size_t capacity, const char *text);
void text_format(char *field, size_t capacity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends "# key: value\n" to the provenance; newlines in the value become spaces. */
int table_note(struct table *table, const char *key, const char *value, struct error *error);

/* Writes header lines, column names and rows as CSV (RFC 4180 quoting). */
int table_print(const struct table *table, FILE *file, struct error *error);

/* directory/name.csv, through a temporary file, fsync and rename: the old file or the new one,
 * never a torn one. */
int table_write(const struct table *table, const char *directory, struct error *error);

/* Whether table_write() could begin, to be asked before what is to be written is measured; makes
 * the directory. */
int table_check_target(const struct table *table, const char *directory, struct error *error);

/* Reads directory/name.csv. Unknown columns are ignored, those added since may be missing; another
 * missing one, a broken row or a newer schema version is FAULT_IO with file and line named. The
 * table must be initialised; on failure it is empty. */
int table_read(struct table *table, const char *directory, struct error *error);
int table_parse(struct table *table, FILE *file, const char *name, struct error *error);

/* A real as it stands in a file: the shortest text that reads back the same; empty for NAN. */
void real_format(double value, char text[32]);

#endif
