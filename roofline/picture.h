// picture.h - draws a figure with gnuplot, as SVG and PNG.
#ifndef ROOFLINE_PICTURE_H
#define ROOFLINE_PICTURE_H

#include "figure.h"

/* Writes directory/stem.svg and directory/stem.png, both atomically. SKIPPED when gnuplot is not
 * installed.
 *
 * Whatever stands in the results reaches gnuplot as cells of data files only, reduced to
 * [A-Za-z0-9 _.,=+/()%-]; the script is constant but for numbers. gnuplot runs backticks and pipes
 * in scripts and in file names: see docs/reading-a-roofline.md. */
int picture_write(const struct figure *figure, const char *directory, const char *stem,
                  struct error *error);

/* "roofline-cpu-f32-2t". */
void picture_stem(const struct figure_key *key, char *stem, size_t capacity);

/* Replaces what is not in the set above by '?'. */
void picture_safe_text(char *text);

#endif
