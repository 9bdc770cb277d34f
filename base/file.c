// file.c - atomic replacement of files.
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int path_join(char *path, size_t capacity, const char *directory, const char *name,
              struct error *error)
{
    int length = snprintf(path, capacity, "%s/%s", directory, name);
    if (length < 0 || (size_t)length >= capacity)
        return error_set(error, FAULT_USAGE, "path '%.200s/...' is too long", directory);
    return OK;
}

int atomic_open(struct atomic_file *file, const char *path, struct error *error)
{
    memset(file, 0, sizeof *file);
    int length = snprintf(file->path, sizeof file->path, "%s", path);
    if (length < 0 || (size_t)length >= sizeof file->path)
        return error_set(error, FAULT_USAGE, "path '%.200s...' is too long", path);
    snprintf(file->temporary, sizeof file->temporary, "%s.XXXXXX", path);
    int descriptor = mkstemp(file->temporary);
    if (descriptor < 0) {
        file->temporary[0] = 0;
        return error_set(error, FAULT_IO, "cannot write '%s': %s", path, strerror(errno));
    }
    /* mkstemp makes 0600; a result is as readable as the user's mask lets any file be. */
    mode_t mask = umask(0);
    umask(mask);
    fchmod(descriptor, 0666 & ~mask);
    file->stream = fdopen(descriptor, "w");
    if (!file->stream) {
        close(descriptor);
        atomic_abandon(file);
        return error_set(error, FAULT_IO, "cannot write '%s': %s", path, strerror(errno));
    }
    return OK;
}

/* The rename itself is durable only once the folder is. */
static void sync_folder_of(const char *path)
{
    char folder[1024];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = 0;
    int descriptor = open(slash ? (slash == folder ? "/" : folder) : ".", O_RDONLY | O_DIRECTORY);
    if (descriptor >= 0) {
        fsync(descriptor); /* some file systems cannot: the data are safe all the same */
        close(descriptor);
    }
}

int atomic_commit(struct atomic_file *file, struct error *error)
{
    bool written = !ferror(file->stream) && fflush(file->stream) == 0 &&
                   (fsync(fileno(file->stream)) == 0 || errno == EINVAL || errno == EROFS);
    int why = errno;
    if (fclose(file->stream) != 0 && written) {
        written = false;
        why = errno;
    }
    file->stream = NULL;
    if (written && rename(file->temporary, file->path) == 0) {
        sync_folder_of(file->path);
        return OK;
    }
    if (written)
        why = errno;
    atomic_abandon(file);
    return error_set(error, FAULT_IO, "cannot write '%s': %s; what was there before is unchanged",
                     file->path, strerror(why));
}

void atomic_abandon(struct atomic_file *file)
{
    if (file->stream)
        fclose(file->stream);
    if (file->temporary[0])
        unlink(file->temporary);
    file->stream = NULL;
}

int directory_create(const char *path, struct error *error)
{
    char partial[1024];
    int length = snprintf(partial, sizeof partial, "%s", path);
    if (length <= 0 || (size_t)length >= sizeof partial)
        return error_set(error, FAULT_USAGE, "folder name '%.200s' is empty or too long", path);
    for (char *p = partial + 1;; p++) {
        if (*p && *p != '/')
            continue;
        char saved = *p;
        *p = 0;
        if (mkdir(partial, 0777) != 0 && errno != EEXIST)
            return error_set(error, FAULT_IO, "cannot create folder '%s': %s", partial,
                             strerror(errno));
        *p = saved;
        if (!saved)
            break;
    }
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode))
        return error_set(error, FAULT_IO, "'%s' is not a folder", path);
    return OK;
}

int stdout_commit(struct error *error)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        return error_set(error, FAULT_IO, "cannot write to standard output: %s", strerror(errno));
    return OK;
}
