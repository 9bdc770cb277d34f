// identity.h - what the CPU says of itself, and whether a hypervisor stands between.
#ifndef ROOFLINE_IDENTITY_H
#define ROOFLINE_IDENTITY_H

/* Texts "" and numbers -1 where this CPU has no CPUID. */
struct identity {
    char vendor[16];
    char model[64];
    char hypervisor[32]; /* "KVM", "VMware", ... or its signature; "" where none shows itself */
    int family, model_number, stepping;
};

struct identity identity_read(void);

#endif
