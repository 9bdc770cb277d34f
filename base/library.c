// library.c - dlopen with words for everything that can be wrong.
#include "library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the runtimes of libraries read while they are loaded, so that their threads sleep between
 * calls: spinning they would slow the next sample of somebody else. */
static const char *const settings[][2] = {
    {"OMP_WAIT_POLICY", "passive"},   /* a libgomp that comes with the library */
    {"OPENBLAS_THREAD_TIMEOUT", "4"}, /* log2 of cycles, the least that it takes:
                                         github.com/OpenMathLib/OpenBLAS, README.md */
};
enum { SETTING_COUNT = sizeof settings / sizeof *settings };

/* Loads a file under these settings and puts the environment back. */
static void *load(const char *file)
{
    char *before[SETTING_COUNT];
    for (int i = 0; i < SETTING_COUNT; i++) {
        const char *value = getenv(settings[i][0]);
        before[i] = value ? strdup(value) : NULL;
        setenv(settings[i][0], settings[i][1], 1);
    }
    void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (before[i])
            setenv(settings[i][0], before[i], 1);
        else
            unsetenv(settings[i][0]);
        free(before[i]);
    }
    return handle;
}

int library_open(const struct library *library, struct opened_library *opened, struct error *error)
{
    *opened = (struct opened_library){.library = library};
    char broken[256] = "";
    for (const char *const *file = library->files; *file && !opened->handle; file++) {
        opened->file = *file;
        opened->handle = load(*file);
        const char *reason = opened->handle ? NULL : dlerror();
        /* A file that is there but cannot be loaded says more than one that is not there. */
        if (reason && !broken[0] && !strstr(reason, "No such file or directory"))
            snprintf(broken, sizeof broken, "%s", reason);
    }
    if (!opened->handle && broken[0])
        return error_skip(error, "%s cannot be loaded: %s; remedy: install the package '%s' anew",
                          library->name, broken, library->package);
    if (!opened->handle)
        return error_skip(error,
                          "no %s: '%s' not found; remedy: make deps-peers, or install the package "
                          "'%s', or set LD_LIBRARY_PATH",
                          library->name, library->files[0], library->package);
    return library->check(opened, error);
}

int library_find(const struct opened_library *opened, const struct library_function *wanted,
                 void *table, struct error *error)
{
    for (; wanted->name; wanted++) {
        void *address = dlsym(opened->handle, wanted->name);
        if (!address)
            return error_skip(error,
                              "'%s' has no function '%s': it is not %s, or of a version that is "
                              "not known here",
                              opened->file, wanted->name, opened->library->name);
        memcpy((char *)table + wanted->offset, &address, sizeof address);
    }
    return OK;
}
