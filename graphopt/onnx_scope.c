// onnx_scope.c - which tensor a name means at a place of the model.
#include "onnx_parts.h"

#if HAVE_ONNX

#include <stdlib.h>

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static unsigned long hash_name(const char *name)
{
    unsigned long hash = 0xcbf29ce484222325u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

static int *bucket_of(const struct scopes *scopes, const char *name)
{
    return &scopes->bucket[hash_name(name) & (unsigned long)(scopes->bucket_count - 1)];
}

static void put_on_top(struct scopes *scopes, int entry)
{
    int *top = bucket_of(scopes, scopes->entry[entry].name);
    scopes->entry[entry].below = *top;
    *top = entry;
}

static bool widen(struct scopes *scopes)
{
    const int capacity = scopes->capacity ? 2 * scopes->capacity : 64;
    struct scope_entry *entry = realloc(scopes->entry, (size_t)capacity * sizeof *scopes->entry);
    if (!entry)
        return false;
    scopes->entry = entry;
    int *bucket = malloc((size_t)capacity * sizeof *bucket);
    if (!bucket)
        return false;
    free(scopes->bucket);
    scopes->bucket = bucket;
    scopes->capacity = scopes->bucket_count = capacity;
    for (int i = 0; i < capacity; i++)
        bucket[i] = -1;
    for (int i = 0; i < scopes->count; i++)
        put_on_top(scopes, i);
    return true;
}

struct scope_entry *scope_find(const struct scopes *scopes, const char *name)
{
    if (scopes->bucket_count == 0)
        return NULL;
    for (int i = *bucket_of(scopes, name); i >= scopes->floor; i = scopes->entry[i].below)
        if (strcmp(scopes->entry[i].name, name) == 0)
            return &scopes->entry[i];
    return NULL;
}

int scope_add(struct reader *reader, const char *name, int tensor, bool is_promised)
{
    struct scopes *scopes = &reader->scopes;
    struct scope_entry *there = scope_find(scopes, name);
    if (there && there->depth == scopes->depth)
        return error_set(reader->error, FAULT_IO,
                         "'%s': two things in one graph have the name '%.100s'", reader->name,
                         name);
    if (scopes->count == scopes->capacity && !widen(scopes))
        return error_set(reader->error, FAULT_ENVIRONMENT, "out of memory for '%s'", reader->name);
    scopes->entry[scopes->count] = (struct scope_entry){
        .name = name, .tensor = tensor, .depth = scopes->depth, .is_promised = is_promised};
    put_on_top(scopes, scopes->count++);
    return OK;
}

void scope_enter(struct scopes *scopes)
{
    scopes->depth++;
}

void scope_leave(struct scopes *scopes)
{
    while (scopes->count > 0 && scopes->entry[scopes->count - 1].depth == scopes->depth) {
        const struct scope_entry *top = &scopes->entry[--scopes->count];
        *bucket_of(scopes, top->name) = top->below;
    }
    scopes->depth--;
}

void scopes_free(struct scopes *scopes)
{
    free(scopes->entry);
    free(scopes->bucket);
}

#endif
