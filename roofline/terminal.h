// terminal.h - draws a figure with characters, for ssh sessions.
#ifndef ROOFLINE_TERMINAL_H
#define ROOFLINE_TERMINAL_H

#include <stdio.h>

#include "figure.h"

struct terminal {
    int columns, rows; /* of the plot without its table; at least 60 x 12 are used */
    bool colour;       /* ANSI sequences */
    bool utf8;         /* Braille dots and box drawing, else plain ASCII */
};

/* The plot and below it the table of the kernels, numbered as in the other outputs. */
int terminal_plot(const struct figure *figure, const struct terminal *terminal, FILE *out,
                  struct error *error);

#endif
