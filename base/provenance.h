// provenance.h - the `# key: value` lines that let somebody else reproduce a file.
#ifndef ROOFLINE_PROVENANCE_H
#define ROOFLINE_PROVENANCE_H

#include "host.h"
#include "table.h"

/* Fills table->provenance: schema version, program version and commit, compiler and flags, UTC
 * time, CPU, microcode, kernel, governor, turbo, hypervisor, huge pages, cgroup limits, pinning,
 * load, steal and the command line. */
int provenance_gather(struct table *table, const struct host *host, int argc, char **argv,
                      struct error *error);

#endif
