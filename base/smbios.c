// smbios.c - decodes type 17 (Memory Device) structures of an SMBIOS table.
//
// Layout: DMTF DSP0134 version 3.7.0, 6.1.2 (structure header), 6.1.3 (text strings) and 7.18 (type
// 17).
#include "smbios.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

#define REMEDY "state them: roofline theory --channels N --mts M"

enum {
    TYPE_MEMORY_DEVICE = 17,
    TYPE_END = 127,
    MODULES_MAX = 512,
    TABLE_BYTES_MAX =
        1 << 20, /* the 32-bit entry point allows 64 KiB, the 64-bit one is not bounded */
};

/* Offsets into a type 17 structure. */
enum {
    ARRAY_HANDLE = 0x04,
    DATA_WIDTH = 0x0A,
    SIZE = 0x0C,
    DEVICE_LOCATOR = 0x10,
    BANK_LOCATOR = 0x11,
    MEMORY_TYPE = 0x12,
    CONFIGURED_SPEED = 0x20,
    TECHNOLOGY = 0x28,
    EXTENDED_CONFIGURED_SPEED = 0x58,
};

enum { WORD_UNKNOWN = 0xFFFF, MEMORY_TYPE_FLASH = 0x09, TECHNOLOGY_OPTANE = 0x07 };

struct structure {
    const unsigned char *bytes;
    size_t length;       /* of the formatted part */
    const char *strings; /* each ends in 0 */
    size_t strings_length;
};

struct module {
    char channel[80]; /* equal texts: same channel; "" unknown */
    double transfers_per_second, bus_bytes;
};

/* Little endian; 0, which is "unknown" or "empty" in every field used here, beyond the structure's
 * length. */
static unsigned long field(const struct structure *structure, size_t offset, size_t width)
{
    unsigned long value = 0;
    if (offset + width > structure->length)
        return 0;
    for (size_t i = 0; i < width; i++)
        value |= (unsigned long)structure->bytes[offset + i] << (8 * i);
    return value;
}

/* Strings are numbered from 1; 0 is none. */
static const char *text_field(const struct structure *structure, size_t offset)
{
    unsigned long number = field(structure, offset, 1);
    const char *end = structure->strings + structure->strings_length;
    for (const char *p = structure->strings; number > 0 && p < end; p += strlen(p) + 1)
        if (--number == 0)
            return p;
    return "";
}

/* Writes what names the channel in a locator such as "P0_Node0_Channel1_Dimm0", "P1 CHANNEL B" or
 * "ChannelA-DIMM0": all up to the letter or number after the word. Vendors are free in their
 * wording: where it does not have this form, the channel is unknown. */
static bool find_channel(const char *locator, char *channel, size_t capacity)
{
    const char *word = strcasestr(locator, "channel");
    const char *module = strcasestr(locator, "dimm");
    if (!word || (module && module < word)) /* a module's number in front would split its channel */
        return false;
    const char *end = word + strlen("channel");
    end += strspn(end, " _-#");
    size_t digits = strspn(end, "0123456789");
    if (digits == 0 && (!isalpha((unsigned char)*end) || isalnum((unsigned char)end[1])))
        return false;
    end += digits ? digits : 1;
    snprintf(channel, capacity, "%.*s", (int)(end - locator), locator);
    return true;
}

/* False for an empty slot and for what is no DRAM: firmware flash, persistent memory. */
static bool read_module(const struct structure *structure, struct module *module)
{
    unsigned long width = field(structure, DATA_WIDTH, 2);
    unsigned long speed = field(structure, CONFIGURED_SPEED, 2);
    if (field(structure, SIZE, 2) == 0 || field(structure, MEMORY_TYPE, 1) == MEMORY_TYPE_FLASH ||
        field(structure, TECHNOLOGY, 1) == TECHNOLOGY_OPTANE)
        return false;
    if (speed == WORD_UNKNOWN)
        speed = field(structure, EXTENDED_CONFIGURED_SPEED, 4);
    module->transfers_per_second = speed ? (double)speed * 1e6 : NAN; /* stored in MT/s */
    module->bus_bytes = width && width != WORD_UNKNOWN ? (double)width / 8 : NAN;
    module->channel[0] = 0;
    char name[64];
    if (find_channel(text_field(structure, BANK_LOCATOR), name, sizeof name) ||
        find_channel(text_field(structure, DEVICE_LOCATOR), name, sizeof name))
        snprintf(module->channel, sizeof module->channel, "%04lx %s",
                 field(structure, ARRAY_HANDLE, 2), name);
    return true;
}

/* Steps to the structure at *offset and past it; false at the end or where the table is malformed.
 */
static bool next_structure(const unsigned char *table, size_t count, size_t *offset,
                           struct structure *structure)
{
    if (count - *offset < 4)
        return false;
    structure->bytes = table + *offset;
    structure->length = structure->bytes[1];
    size_t strings = *offset + structure->length;
    if (structure->length < 4 || strings + 2 > count)
        return false;
    size_t end = strings; /* of the strings: two zeros in a row */
    while (end + 2 <= count && (table[end] || table[end + 1]))
        end++;
    if (end + 2 > count)
        return false;
    structure->strings = (const char *)table + strings;
    structure->strings_length = end - strings;
    *offset = end + 2;
    return true;
}

static double count_channels(const struct module *modules, size_t count)
{
    double channels = 0;
    for (size_t i = 0; i < count; i++) {
        size_t first = 0;
        if (!*modules[i].channel)
            return NAN;
        while (strcmp(modules[first].channel, modules[i].channel) != 0)
            first++;
        channels += first == i;
    }
    return channels;
}

static void combine(const struct module *modules, size_t count, struct memory_bus *bus)
{
    *bus = (struct memory_bus){NAN, NAN, NAN, "SMBIOS lists no memory module; " REMEDY};
    if (count == 0)
        return;
    bus->channels = count_channels(modules, count);
    bus->transfers_per_second = modules[0].transfers_per_second;
    bus->bus_bytes = modules[0].bus_bytes;
    for (size_t i = 1; i < count; i++) { /* modules that differ: no one number is true */
        if (modules[i].transfers_per_second != bus->transfers_per_second)
            bus->transfers_per_second = NAN;
        if (modules[i].bus_bytes != bus->bus_bytes)
            bus->bus_bytes = NAN;
    }
    const char *unknown = isnan(bus->channels)               ? "names no channels"
                          : isnan(bus->transfers_per_second) ? "gives no common speed"
                          : isnan(bus->bus_bytes)            ? "gives no common width"
                                                             : NULL;
    if (unknown)
        text_format(bus->source, sizeof bus->source, "SMBIOS: %zu modules, but it %s; " REMEDY,
                    count, unknown);
    else
        text_format(bus->source, sizeof bus->source,
                    "SMBIOS: %zu modules, %.0f channels, %.0f MT/s as configured, %.0f bit", count,
                    bus->channels, bus->transfers_per_second / 1e6, bus->bus_bytes * 8);
}

void smbios_parse(const unsigned char *table, size_t count, struct memory_bus *bus)
{
    struct module modules[MODULES_MAX];
    struct structure structure;
    size_t modules_count = 0, offset = 0;
    while (modules_count < MODULES_MAX && next_structure(table, count, &offset, &structure) &&
           structure.bytes[0] != TYPE_END)
        if (structure.bytes[0] == TYPE_MEMORY_DEVICE)
            modules_count += read_module(&structure, &modules[modules_count]);
    combine(modules, modules_count, bus);
}

void smbios_read(const char *path, struct memory_bus *bus)
{
    *bus = (struct memory_bus){NAN, NAN, NAN, ""};
    FILE *file = fopen(path, "re");
    unsigned char *table = file ? malloc(TABLE_BYTES_MAX) : NULL;
    if (table)
        smbios_parse(table, fread(table, 1, TABLE_BYTES_MAX, file), bus);
    else if (errno == EACCES)
        text_format(bus->source, sizeof bus->source,
                    "SMBIOS is readable by root only; run as root, or " REMEDY);
    else
        text_format(bus->source, sizeof bus->source, "no SMBIOS ('%s': %s); " REMEDY, path,
                    strerror(errno));
    free(table);
    if (file)
        fclose(file);
}
