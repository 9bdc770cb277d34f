// text_cursor.h - words, numbers and signs of a graph's text.
#ifndef ROOFLINE_TEXT_CURSOR_H
#define ROOFLINE_TEXT_CURSOR_H

#include "arena.h"
#include "element.h"
#include "error.h"

/* Where reading is. */
struct cursor {
    const char *at;
    const char *name; /* of the text, for messages */
    int line;
    struct arena *arena; /* of words */
    struct error *error;
};

/* FAULT_IO, "name:line: ..."; what stands at the cursor is quoted behind. */
int cursor_complain(const struct cursor *cursor, const char *what);

/* Moves over blanks and a comment, within the line. */
void cursor_skip(struct cursor *cursor);

/* Moves to the first line, from the present one on, that is not empty; false at the end. */
bool cursor_next_line(struct cursor *cursor);

/* Whether the line has nothing more. */
bool cursor_at_end(struct cursor *cursor);

/* Moves over the sign (one or two characters) where it comes next. */
bool cursor_take(struct cursor *cursor, const char *sign);

/* The same, or FAULT_IO. */
int cursor_expect(struct cursor *cursor, const char *sign);

/* Moves over the word where it comes next, plain and whole. */
bool cursor_take_word(struct cursor *cursor, const char *word);

/* A plain or quoted word, of the arena: never empty, without a 0. */
int cursor_word(struct cursor *cursor, const char **word);

/* A quoted text, of the arena. */
int cursor_text(struct cursor *cursor, struct text *text);

/* A whole number of 64 bits: with a sign, or up to 2^64 - 1 without. */
int cursor_integer(struct cursor *cursor, long *value);

/* Any number, also nan and inf. */
int cursor_real(struct cursor *cursor, double *value);

/* Whether what comes next is a quote, or a number that is not whole. */
bool cursor_at_quote(struct cursor *cursor);
bool cursor_at_real(struct cursor *cursor);

#endif
