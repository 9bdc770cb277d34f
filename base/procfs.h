// procfs.h - single values from the text files of /proc and /sys.
#ifndef ROOFLINE_PROCFS_H
#define ROOFLINE_PROCFS_H

#include <stdbool.h>
#include <stddef.h>

/* First line of a small file, without its newline; false and "" when unreadable. */
bool procfs_line(const char *path, char *text, size_t capacity);

/* Number at the start of that line; NAN when unreadable or not a number. */
double procfs_number(const char *path);

/* Value of the line "key value" or "key: value" of a file such as /proc/meminfo; NAN without it. */
double procfs_entry(const char *path, const char *key);

#endif
