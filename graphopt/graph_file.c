// graph_file.c - files of a model in memory.
#include "graph_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "graph_parts.h"

int mapping_open(struct mapping *mapping, const char *path, struct error *error)
{
    struct stat status;
    /* O_NONBLOCK: a pipe by that name is refused, not waited for. */
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_set(error, FAULT_IO, "cannot open '%s': %s", path, strerror(errno));
    int result = OK;
    if (fstat(descriptor, &status) != 0)
        result = error_set(error, FAULT_IO, "cannot look at '%s': %s", path, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        result = error_set(error, FAULT_IO, "'%s' is no regular file%s", path,
                           S_ISDIR(status.st_mode) ? " but a folder" : "");
    else if (status.st_size == 0)
        result = error_set(error, FAULT_IO, "'%s' is empty", path);
    if (result == OK) {
        void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        *mapping = (struct mapping){bytes, (size_t)status.st_size};
        if (bytes == MAP_FAILED)
            result = error_set(error, FAULT_IO, "cannot map '%s': %s", path, strerror(errno));
    }
    close(descriptor);
    return result;
}

void mapping_close(struct mapping *mapping)
{
    munmap((void *)(uintptr_t)mapping->bytes, mapping->length);
}

static void unmap(struct graph_holding *holding)
{
    munmap(holding->bytes, holding->length);
}

int graph_hold(struct graph *graph, void (*release)(struct graph_holding *), void *bytes,
               struct error *error)
{
    struct graph_holding held = {.next = graph->holding, .release = release, .bytes = bytes};
    struct graph_holding *copy = arena_copy(&graph->arena, &held, sizeof held);
    if (!copy) {
        release(&held);
        return graph_exhausted(graph, error), FAILED;
    }
    graph->holding = copy;
    return OK;
}

int graph_map(struct graph *graph, const char *path, struct mapping *mapping, struct error *error)
{
    for (struct graph_holding *held = graph->holding; held; held = held->next)
        if (held->path && strcmp(held->path, path) == 0) {
            *mapping = (struct mapping){held->bytes, held->length};
            return OK;
        }
    const char *copy = arena_copy_text(&graph->arena, path);
    if (!copy)
        return graph_exhausted(graph, error), FAILED;
    if (mapping_open(mapping, path, error) != OK)
        return FAILED;
    const struct mapping mapped = *mapping;
    struct graph_holding held = {.next = graph->holding,
                                 .release = unmap,
                                 .path = copy,
                                 .bytes = (void *)(uintptr_t)mapped.bytes,
                                 .length = mapped.length};
    struct graph_holding *kept = arena_copy(&graph->arena, &held, sizeof held);
    if (!kept) {
        unmap(&held);
        return graph_exhausted(graph, error), FAILED;
    }
    graph->holding = kept;
    return OK;
}
