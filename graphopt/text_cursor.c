// text_cursor.c - words, numbers and signs of a graph's text.
#include "text_cursor.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cursor_complain(const struct cursor *cursor, const char *what)
{
    const int length = (int)strcspn(cursor->at, "\n");
    return error_set(cursor->error, FAULT_IO, "%s:%d: %s at '%.*s'", cursor->name, cursor->line,
                     what, length < 60 ? length : 60, cursor->at);
}

static int out_of_memory(const struct cursor *cursor)
{
    return error_set(cursor->error, FAULT_ENVIRONMENT, "out of memory for '%s'", cursor->name);
}

void cursor_skip(struct cursor *cursor)
{
    cursor->at += strspn(cursor->at, " \t\r");
    if (*cursor->at == '#')
        cursor->at += strcspn(cursor->at, "\n");
}

bool cursor_at_end(struct cursor *cursor)
{
    cursor_skip(cursor);
    return *cursor->at == '\n' || *cursor->at == 0;
}

bool cursor_next_line(struct cursor *cursor)
{
    while (cursor_at_end(cursor) && *cursor->at) {
        cursor->at++;
        cursor->line++;
    }
    return *cursor->at != 0;
}

bool cursor_take(struct cursor *cursor, const char *sign)
{
    cursor_skip(cursor);
    const size_t length = strlen(sign);
    if (strncmp(cursor->at, sign, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

int cursor_expect(struct cursor *cursor, const char *sign)
{
    char what[32] = "there should be a ";
    return cursor_take(cursor, sign) ? OK : cursor_complain(cursor, strcat(what, sign));
}

static size_t plain_length(const char *at)
{
    size_t length = 0;
    while (isalnum((unsigned char)at[length]) || (at[length] && strchr("_./+-", at[length])))
        length++;
    return length;
}

bool cursor_take_word(struct cursor *cursor, const char *word)
{
    cursor_skip(cursor);
    const size_t length = strlen(word);
    if (plain_length(cursor->at) != length || strncmp(cursor->at, word, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

int cursor_word(struct cursor *cursor, const char **word)
{
    cursor_skip(cursor);
    if (*cursor->at == '"') {
        struct text text;
        if (cursor_text(cursor, &text) != OK)
            return FAILED;
        *word = text.bytes;
        return text.length > 0 && strlen(text.bytes) == text.length
                   ? OK
                   : cursor_complain(cursor, "a name may not be empty nor have a 0 in it");
    }
    const size_t length = plain_length(cursor->at);
    if (length == 0)
        return cursor_complain(cursor, "there should be a word");
    char *copy = arena_take(cursor->arena, length + 1);
    if (!copy)
        return out_of_memory(cursor);
    memcpy(copy, cursor->at, length);
    cursor->at += length;
    *word = copy;
    return OK;
}

/* The character behind a backslash; -1: none such. */
static int escaped(const char **at)
{
    if (**at == '"' || **at == '\\')
        return *(*at)++;
    if (**at != 'x' || !isxdigit((unsigned char)(*at)[1]) || !isxdigit((unsigned char)(*at)[2]))
        return -1;
    const char digits[] = {(*at)[1], (*at)[2], 0};
    *at += 3;
    return (int)strtol(digits, NULL, 16);
}

int cursor_text(struct cursor *cursor, struct text *text)
{
    if (cursor_expect(cursor, "\"") != OK)
        return FAILED;
    size_t capacity = 1;
    for (const char *c = cursor->at; *c && *c != '\n' && *c != '"'; c++, capacity++)
        c += *c == '\\' && c[1] == '"';
    char *bytes = arena_take(cursor->arena, capacity);
    if (!bytes)
        return out_of_memory(cursor);
    size_t length = 0;
    while (*cursor->at != '"') {
        int c = (unsigned char)*cursor->at;
        if (c == 0 || c == '\n')
            return cursor_complain(cursor, "a quote is not closed");
        cursor->at++;
        if (c == '\\' && (c = escaped(&cursor->at)) < 0)
            return cursor_complain(cursor, "an escape is not \\\", \\\\ or \\xHH");
        bytes[length++] = (char)c;
    }
    cursor->at++;
    *text = (struct text){bytes, length};
    return OK;
}

int cursor_integer(struct cursor *cursor, long *value)
{
    cursor_skip(cursor);
    char *end;
    errno = 0;
    *value =
        *cursor->at == '-' ? strtol(cursor->at, &end, 10) : (long)strtoul(cursor->at, &end, 10);
    if (end == cursor->at || errno || plain_length(cursor->at) != (size_t)(end - cursor->at))
        return cursor_complain(cursor, "there should be a whole number");
    cursor->at = end;
    return OK;
}

int cursor_real(struct cursor *cursor, double *value)
{
    cursor_skip(cursor);
    char *end;
    *value = strtod(cursor->at, &end); /* what is too large is infinite, too small 0 */
    if (plain_length(cursor->at) == 0 || plain_length(cursor->at) != (size_t)(end - cursor->at))
        return cursor_complain(cursor, "there should be a number");
    cursor->at = end;
    return OK;
}

bool cursor_at_quote(struct cursor *cursor)
{
    cursor_skip(cursor);
    return *cursor->at == '"';
}

bool cursor_at_real(struct cursor *cursor)
{
    cursor_skip(cursor);
    const size_t length = plain_length(cursor->at);
    return length > 0 && strcspn(cursor->at, ".eni") < length;
}
