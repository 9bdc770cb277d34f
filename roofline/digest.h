// digest.h - the results of a directory as text: machine, ceilings, kernels, caveats.
#ifndef ROOFLINE_DIGEST_H
#define ROOFLINE_DIGEST_H

#include <stdio.h>

#include "summary.h"

/* At most `columns` wide, but never less than 80. */
int digest_print(const struct results *results, int columns, FILE *out, struct error *error);

#endif
