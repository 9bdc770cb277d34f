// identity.h - what the CPU says of itself, and whether a hypervisor stands between.
#ifndef ROOFLINE_IDENTITY_H
#define ROOFLINE_IDENTITY_H

#include <stdbool.h>

/* Texts "" and numbers -1 where this CPU has no CPUID. */
struct identity {
    char vendor[16];
    char model[64];
    char hypervisor[32]; /* "KVM", "VMware", ... or its signature; "" where none shows itself */
    int family, model_number, stepping;
};

struct identity identity_read(void);

/* Whether a line "VENDOR FAMILY MODEL MODEL-MODEL ..." lists the CPU; a family may be a range,
 * too. */
bool identity_is_listed(const char *line, const char *vendor, int family, int model_number);

#endif
