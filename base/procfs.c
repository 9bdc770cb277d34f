// procfs.c - nothing here fails: what cannot be read is "" or NAN.
#include "procfs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool procfs_line(const char *path, char *text, size_t capacity)
{
    text[0] = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool read = fgets(text, (int)capacity, file);
    fclose(file);
    if (!read)
        text[0] = 0;
    text[strcspn(text, "\n")] = 0;
    return read;
}

double procfs_number(const char *path)
{
    char line[64], *end;
    if (!procfs_line(path, line, sizeof line))
        return NAN;
    double value = strtod(line, &end);
    return end == line ? NAN : value;
}

double procfs_entry(const char *path, const char *key)
{
    char line[256];
    double value = NAN;
    size_t length = strlen(key);
    FILE *file = fopen(path, "re");
    if (!file)
        return NAN;
    while (isnan(value) && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, length) != 0 || !strchr(": \t", line[length]))
            continue;
        const char *number = line + length + strspn(line + length, ": \t");
        char *end;
        value = strtod(number, &end);
        if (end == number)
            value = NAN;
    }
    fclose(file);
    return value;
}
