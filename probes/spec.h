// spec.h - a file of published numbers: `# key: text` lines, then quantity,value,unit,source.
#ifndef ROOFLINE_SPEC_H
#define ROOFLINE_SPEC_H

#include <stddef.h>

#include "embedded.h"
#include "error.h"

enum { SPEC_QUANTITIES_MAX = 48, SPEC_NOTES_MAX = 16 };

/* A number as its source prints it. */
struct quantity {
    char name[32];
    double value; /* in `unit`, 0 or more */
    char unit[12];
    char source[400]; /* document and page, or URL: every number has one */
};

/* A `# key: text` line; keys may repeat. */
struct note {
    char key[24];
    char text[320];
};

/* Self-contained: nothing to free. */
struct spec {
    char name[64]; /* file name without .csv */
    struct note note[SPEC_NOTES_MAX];
    int note_count;
    struct quantity quantity[SPEC_QUANTITIES_MAX];
    int quantity_count;
};

/* Reads a text of that form. FAULT_USAGE with name and line for an unknown or repeated quantity, a
 * unit that does not fit it, a value that is negative or no number, a missing source. */
int spec_parse(struct spec *spec, const char *name, const char *text, struct error *error);

/* Reads an embedded file by name, or a file on disk when the name holds a '/' or ends in ".csv".
 * An unknown name is FAULT_USAGE and the message lists the known ones; `what` is the noun of that
 * message. */
int spec_read(struct spec *spec, const struct embedded_file *files, const char *what,
              const char *name, struct error *error);

/* Text of the first note with that key; "" when there is none. */
const char *spec_note(const struct spec *spec, const char *key);

/* NULL when the file does not give it. */
const struct quantity *spec_find(const struct spec *spec, const char *name);

/* The quantity in SI base units (Hz, B, byte/s, 1); NAN when the file does not give it. */
double spec_value(const struct spec *spec, const char *name);

/* A quantity that a formula cannot do without: FAULT_USAGE when it is missing or 0. */
int spec_require(const struct spec *spec, const char *name, const struct quantity **quantity,
                 struct error *error);

/* SI value of one of that unit; NAN for an unknown unit. */
double unit_scale(const char *unit);

#endif
