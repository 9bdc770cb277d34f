// provenance.h - the `# key: value` lines that let somebody else reproduce a file.
#ifndef ROOFLINE_PROVENANCE_H
#define ROOFLINE_PROVENANCE_H

#include "host.h"
#include "table.h"

/* Appends to table->provenance: schema, schema_version, version, commit, compiler, flags, time_utc,
 * hostname, cpu, microcode, kernel, hypervisor, governor, turbo, thp, aslr, smt, load, steal (since
 * boot, when this is called), perf_event_paranoid, driver (of a GPU), cgroup_cpu, cgroup_memory,
 * affinity, pinning and command. What the kernel does not tell is "not exposed". */
int provenance_gather(struct table *table, const struct host *host, int argc, char **argv,
                      struct error *error);

#endif
