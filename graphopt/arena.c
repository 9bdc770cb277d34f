// arena.c - memory that is given back all at once.
#include "arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64, CHUNK_LEAST_BYTES = 1 << 12, CHUNK_MOST_BYTES = 1 << 16 };

struct arena_chunk {
    struct arena_chunk *before;
    size_t used_bytes, bytes;
    char *base; /* the first aligned address behind this struct */
};

/* Many arenas live for one question and hold little: each chunk is about as large as all before. */
static size_t next_chunk_bytes(const struct arena *arena)
{
    size_t bytes = CHUNK_LEAST_BYTES;
    while (bytes < CHUNK_MOST_BYTES && bytes <= arena->held_bytes)
        bytes *= 2;
    return bytes;
}

/* A chunk with room for at least `bytes`. One for a large thing goes behind the newest, whose rest
 * stays in use. */
static struct arena_chunk *add_chunk(struct arena *arena, size_t bytes)
{
    const size_t next = next_chunk_bytes(arena);
    const size_t held = bytes > next / 4 ? bytes : next;
    /* calloc: large chunks are mapped zeroed and not touched. */
    struct arena_chunk *chunk = calloc(1, sizeof *chunk + ALIGNMENT + held);
    if (!chunk)
        return NULL;
    const uintptr_t behind = (uintptr_t)(chunk + 1);
    chunk->base = (char *)(chunk + 1) + (ALIGNMENT - behind % ALIGNMENT) % ALIGNMENT;
    chunk->bytes = held;
    arena->held_bytes += held;
    if (held == bytes && arena->chunk) {
        chunk->before = arena->chunk->before;
        arena->chunk->before = chunk;
    } else {
        chunk->before = arena->chunk;
        arena->chunk = chunk;
    }
    return chunk;
}

void *arena_take(struct arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return NULL;
    /* Texts and lists are short: they follow each other at 16 bytes, arrays at whole lines. */
    const size_t grain = bytes < ALIGNMENT ? 16 : ALIGNMENT;
    struct arena_chunk *chunk = arena->chunk;
    size_t at = chunk ? (chunk->used_bytes + grain - 1) / grain * grain : 0;
    if (!chunk || at > chunk->bytes || chunk->bytes - at < bytes) {
        chunk = add_chunk(arena, bytes ? bytes : 1);
        at = 0;
    }
    if (!chunk)
        return NULL;
    chunk->used_bytes = at + bytes;
    return chunk->base + at;
}

void *arena_take_array(struct arena *arena, size_t count, size_t bytes)
{
    size_t all;
    return __builtin_mul_overflow(count, bytes, &all) ? NULL : arena_take(arena, all);
}

void *arena_copy(struct arena *arena, const void *from, size_t bytes)
{
    void *copy = arena_take(arena, bytes);
    if (copy && bytes)
        memcpy(copy, from, bytes);
    return copy;
}

char *arena_copy_text(struct arena *arena, const char *text)
{
    return arena_copy(arena, text, strlen(text) + 1);
}

char *arena_print(struct arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = vsnprintf(NULL, 0, format, arguments);
    char *text = arena_take(arena, (size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

void arena_free(struct arena *arena)
{
    while (arena->chunk) {
        struct arena_chunk *before = arena->chunk->before;
        free(arena->chunk);
        arena->chunk = before;
    }
    arena->held_bytes = 0;
}

void arena_reset(struct arena *arena)
{
    struct arena_chunk *kept = arena->chunk;
    if (!kept || kept->bytes > CHUNK_MOST_BYTES) {
        arena_free(arena);
        return;
    }
    arena->chunk = kept->before;
    arena_free(arena);
    memset(kept->base, 0, kept->used_bytes);
    kept->used_bytes = 0;
    kept->before = NULL;
    *arena = (struct arena){kept, kept->bytes};
}
