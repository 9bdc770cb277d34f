// cgroup.h - CPU time and memory that the control groups of this process leave it, versions 1
// and 2.
#ifndef ROOFLINE_CGROUP_H
#define ROOFLINE_CGROUP_H

struct cgroup {
    double cpus;                   /* CPUs' worth of time; NAN without a quota */
    double memory_bytes;           /* the tightest limit; NAN without one */
    double memory_available_bytes; /* what the group that is nearest to its limit may still take;
                                      NAN */
};

/* Limits of the process whose /proc and /sys lie under `root` ("" on a live machine): its own group
 * and every group above it, the tightest counts. */
struct cgroup cgroup_read(const char *root);

#endif
