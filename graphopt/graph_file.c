// graph_file.c - files of a model in memory.
#include "graph_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "graph_parts.h"

static int map_bytes(struct graph_file *file, struct error *error)
{
    struct stat status;
    /* O_NONBLOCK: a pipe by that name is refused, not waited for. */
    const int descriptor = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_set(error, FAULT_IO, "cannot open '%s': %s", file->path, strerror(errno));
    int result = OK;
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode))
        result = error_set(error, FAULT_IO, "'%s' is no regular file", file->path);
    else if (status.st_size == 0)
        result = error_set(error, FAULT_IO, "'%s' is empty", file->path);
    if (result == OK) {
        void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        file->length = (size_t)status.st_size;
        file->bytes = bytes;
        if (bytes == MAP_FAILED)
            result = error_set(error, FAULT_IO, "cannot map '%s': %s", file->path, strerror(errno));
    }
    close(descriptor);
    return result;
}

int graph_map(struct graph *graph, const char *path, const struct graph_file **file,
              struct error *error)
{
    for (*file = graph->file; *file; *file = (*file)->next)
        if (strcmp((*file)->path, path) == 0)
            return OK;
    struct graph_file *mapped = arena_take(&graph->arena, sizeof *mapped);
    const char *copy = arena_copy_text(&graph->arena, path);
    if (!mapped || !copy)
        return graph_exhausted(graph, error), FAILED;
    *mapped = (struct graph_file){.next = graph->file, .path = copy};
    if (map_bytes(mapped, error) != OK)
        return FAILED;
    *file = graph->file = mapped;
    return OK;
}

void graph_file_close(struct graph_file *file)
{
    for (; file; file = file->next)
        munmap((void *)(uintptr_t)file->bytes, file->length);
}
