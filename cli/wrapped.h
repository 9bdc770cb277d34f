// wrapped.h - tables of texts for people: whole cells, wrapped into the width of the terminal.
#ifndef ROOFLINE_WRAPPED_H
#define ROOFLINE_WRAPPED_H

#include "cli.h"

/* As print_table(), but as text no cell is cut: wide columns share what the terminal leaves and
 * wrap between words. Where stdout is no terminal every row stays on one line. The schema has text
 * fields only. */
int print_wrapped(const struct table *table, enum output output, struct error *error);

/* A text wrapped between `indent`, where the cursor is, and the edge of the terminal. */
void print_paragraph(const char *text, int indent);

#endif
