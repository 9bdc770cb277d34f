// surroundings.h - the state of this machine as far as it helps or hurts measuring.
#ifndef ROOFLINE_SURROUNDINGS_H
#define ROOFLINE_SURROUNDINGS_H

/* Texts are "" and numbers NAN where the kernel does not expose them (containers, VMs, Arm). */
struct surroundings {
    char kernel[192];            /* name, release, version, architecture */
    char microcode[32];          /* revision */
    char governor[64];           /* of cpufreq; "mixed" when CPUs differ */
    char turbo[8];               /* "on", "off" */
    char huge_pages[16];         /* transparent huge pages: "always", "madvise", "never" */
    char smt[16];                /* "on", "off", "notsupported" ... */
    char aslr[8];                /* kernel.randomize_va_space */
    char perf_event_paranoid[8]; /* kernel.perf_event_paranoid */
    char gpu_driver[64];         /* NVIDIA kernel module */
    double load;                 /* processes that want to run, 1-minute mean */
    double steal_seconds;        /* taken by other guests of the hypervisor since boot, all CPUs */
    double steal_rel;            /* steal / (steal + time in which this machine worked) */
};

struct surroundings surroundings_read(void);

#endif
