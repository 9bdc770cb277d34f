// alone.h - work of one member of a team while the others go on or wait.
#ifndef ROOFLINE_ALONE_H
#define ROOFLINE_ALONE_H

#include "team.h"

/* Runs function(context, {0, 1}) on the calling member inside of a team_function: its
 * team_barrier()s wait for nobody. */
void team_alone(team_function *function, void *context);

#endif
