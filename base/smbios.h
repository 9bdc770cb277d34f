// smbios.h - memory modules as the firmware lists them in its SMBIOS table.
#ifndef ROOFLINE_SMBIOS_H
#define ROOFLINE_SMBIOS_H

#include <stddef.h>

/* NAN where the table does not say; never guessed. */
struct memory_bus {
    double channels;             /* with a module in them, over all sockets */
    double transfers_per_second; /* as configured, not what the modules could do */
    double bus_bytes;            /* data width of one channel, without check bits */
    char source[160]; /* where the numbers come from, or why they are not known and what to do */
};

/* Reads a structure table (DMTF DSP0134, https://www.dmtf.org/standards/smbios): the bytes of
 * /sys/firmware/dmi/tables/DMI. Malformed input ends the reading. */
void smbios_parse(const unsigned char *table, size_t count, struct memory_bus *bus);

/* The same from a file; unreadable: NANs, and the reason in `source`. */
void smbios_read(const char *path, struct memory_bus *bus);

#endif
