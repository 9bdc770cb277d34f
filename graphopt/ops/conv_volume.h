// conv_volume.h - Conv over images of three dimensions, by the kernel that has two.
#ifndef ROOFLINE_CONV_VOLUME_H
#define ROOFLINE_CONV_VOLUME_H

#include "spatial.h"

/* Launches of a Conv whose window has three dims, depth first. SKIPPED where there is nothing to
 * compute, or where it would take too many. */
int conv_volume_lower(const struct site *site, const struct spatial *spatial,
                      struct lowering *lowering, struct error *error);

#endif
