// names.h - short names for rows: the kernel and what tells it from the others beside it.
#ifndef ROOFLINE_NAMES_H
#define ROOFLINE_NAMES_H

#include "summary.h"

/* "gemm mnk1024": the kernel of rows[i]; its variant and ISA where the rows hold several for that
 * kernel; of its shape the letters that differ between the kernel's rows - all that are not 1 when
 * there is one shape only - with equal neighbours joined. Words of value 0 or 1 (pad1, groups1) are
 * left out where the rest tells the rows apart. Cut with "..." at the capacity. */
void name_row(const struct summary *const *rows, int count, int i, char *name, size_t capacity);

/* Bytes of a name that go on a line of that width: up to the last blank that fits, the whole width
 * of a longer word. What follows, blanks skipped, belongs on the next line. */
int name_break(const char *name, int width);

#endif
