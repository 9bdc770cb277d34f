// arena.h - memory that is given back all at once.
#ifndef ROOFLINE_ARENA_H
#define ROOFLINE_ARENA_H

#include <stddef.h>

/* {0} is an empty one. Nothing that it handed out moves or is freed before arena_free(). */
struct arena {
    struct arena_chunk *chunk; /* owned: the newest, linked to the others */
    size_t held_bytes;         /* of all chunks */
};

/* Zeroed bytes, aligned to 64; NULL when memory is out. 0 bytes are a valid address. */
void *arena_take(struct arena *arena, size_t bytes);

/* `count` items of `bytes` each; NULL also where their product overflows. */
void *arena_take_array(struct arena *arena, size_t count, size_t bytes);

/* Copies; NULL when memory is out. The copy of a text ends in 0. */
void *arena_copy(struct arena *arena, const void *from, size_t bytes);
char *arena_copy_text(struct arena *arena, const char *text);
char *arena_print(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void arena_free(struct arena *arena);

/* The same, but keeps a chunk for what comes next: for memory of one node after the other. */
void arena_reset(struct arena *arena);

#endif
