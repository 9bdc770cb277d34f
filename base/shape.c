// shape.c - shapes as text: "m=64,n=64,k=64".
#include "shape.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* " m n k", for messages. */
static void list_letters(const struct letter *letters, int count, char *text, size_t capacity)
{
    text[0] = 0;
    for (int i = 0; i < count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, capacity - used, " %s", letters[i].name);
    }
}

static int find_letter(const struct letter *letters, int count, const char *name, size_t length)
{
    for (int i = 0; i < count; i++)
        if (strlen(letters[i].name) == length && strncmp(letters[i].name, name, length) == 0)
            return i;
    return -1;
}

static int parse_word(long *value, const char *text, size_t length, const struct letter *letter,
                      const char *kernel, struct error *error)
{
    char known[160] = "";
    for (*value = 0; letter->words[*value]; ++*value) {
        const char *word = letter->words[*value];
        if (strlen(word) == length && strncmp(word, text, length) == 0)
            return OK;
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, " %s", word);
    }
    return error_set(error, FAULT_USAGE, "letter '%s' of '%s' (%s) is '%.*s'; it may be:%s",
                     letter->name, kernel, letter->meaning, (int)length, text, known);
}

static int parse_value(long *value, const char *text, size_t length, const struct letter *letter,
                       const char *kernel, struct error *error)
{
    if (letter->words)
        return parse_word(value, text, length, letter, kernel, error);
    char *end;
    errno = 0;
    *value = strtol(text, &end, 10);
    if (length == 0 || end != text + length || !strchr("-0123456789", *text))
        return error_set(error, FAULT_USAGE,
                         "letter '%s' of '%s' (%s) is '%.*s', which is not a whole number",
                         letter->name, kernel, letter->meaning, (int)length, text);
    if (errno == ERANGE || *value > SHAPE_VALUE_MAX)
        return error_set(error, FAULT_USAGE,
                         "letter '%s' of '%s' (%s) is '%.*s'; the largest allowed is %ld",
                         letter->name, kernel, letter->meaning, (int)length, text, SHAPE_VALUE_MAX);
    if (*value < letter->minimum)
        return error_set(error, FAULT_USAGE,
                         "letter '%s' of '%s' (%s) is '%.*s'; the smallest allowed is %ld",
                         letter->name, kernel, letter->meaning, (int)length, text, letter->minimum);
    return OK;
}

int shape_parse(struct shape *shape, const char *text, const struct letter *letters, int count,
                const char *kernel, struct error *error)
{
    bool given[SHAPE_LETTERS_MAX] = {false};
    char known[160];
    list_letters(letters, count, known, sizeof known);
    *shape = (struct shape){0};
    for (const char *pair = text; *pair;) {
        size_t length = strcspn(pair, ",");
        size_t name_length = strcspn(pair, "=,");
        if (pair[name_length] != '=')
            return error_set(error, FAULT_USAGE,
                             "'%.*s' in the shape of '%s' is not letter=value; its letters are:%s",
                             (int)length, pair, kernel, known);
        int i = find_letter(letters, count, pair, name_length);
        if (i < 0)
            return error_set(error, FAULT_USAGE, "'%s' has no letter '%.*s'; its letters are:%s",
                             kernel, (int)name_length, pair, known);
        if (given[i])
            return error_set(error, FAULT_USAGE, "letter '%s' of '%s' is given twice in '%s'",
                             letters[i].name, kernel, text);
        if (parse_value(&shape->value[i], pair + name_length + 1, length - name_length - 1,
                        &letters[i], kernel, error) != OK)
            return FAILED;
        given[i] = true;
        pair += length;
        if (*pair == ',')
            pair++;
    }
    for (int i = 0; i < count; i++)
        if (!given[i]) {
            if (letters[i].fallback < 0)
                return error_set(
                    error, FAULT_USAGE, "letter '%s' of '%s' (%s) is missing in '%s': add %s=VALUE",
                    letters[i].name, kernel, letters[i].meaning, text, letters[i].name);
            shape->value[i] = letters[i].fallback;
        }
    return OK;
}

void shape_format(const struct shape *shape, const struct letter *letters, int count, char *text,
                  size_t capacity)
{
    text[0] = 0;
    for (int i = 0; i < count; i++) {
        if (letters[i].is_rare && shape->value[i] == letters[i].fallback)
            continue;
        size_t used = strlen(text);
        const char *comma = used ? "," : "";
        if (letters[i].words)
            snprintf(text + used, capacity - used, "%s%s=%s", comma, letters[i].name,
                     letters[i].words[shape->value[i]]);
        else
            snprintf(text + used, capacity - used, "%s%s=%ld", comma, letters[i].name,
                     shape->value[i]);
    }
}
