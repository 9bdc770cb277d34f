// names.c - short names for rows.
#include "names.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PAIRS_MAX = 32 };

/* "k=v,k=v" as spans of the text. */
struct pairs {
    struct pair {
        const char *letter, *value;
        int letter_length, value_length;
        bool shown;
    } pair[PAIRS_MAX];
    int count;
};

static struct pairs pairs_of(const char *shape)
{
    struct pairs pairs = {.count = 0};
    while (*shape && pairs.count < PAIRS_MAX) {
        int length = (int)strcspn(shape, ",");
        int equals = (int)strcspn(shape, "=");
        if (equals < length)
            pairs.pair[pairs.count++] =
                (struct pair){shape, shape + equals + 1, equals, length - equals - 1, false};
        shape += length + (shape[length] == ',');
    }
    return pairs;
}

static bool span_equals(const char *a, int a_length, const char *b, int b_length)
{
    return a_length == b_length && strncmp(a, b, (size_t)a_length) == 0;
}

/* Whether another shape gives this letter another value, or does not have it. */
static bool differs(const struct pair *pair, const char *shape)
{
    struct pairs other = pairs_of(shape);
    for (int i = 0; i < other.count; i++)
        if (span_equals(pair->letter, pair->letter_length, other.pair[i].letter,
                        other.pair[i].letter_length))
            return !span_equals(pair->value, pair->value_length, other.pair[i].value,
                                other.pair[i].value_length);
    return true;
}

/* Words such as stride, unlike sizes, mostly have the value that changes nothing. */
static bool is_neutral(const struct pair *pair)
{
    return pair->letter_length > 1 && (span_equals(pair->value, pair->value_length, "0", 1) ||
                                       span_equals(pair->value, pair->value_length, "1", 1));
}

static bool is_told_apart(const struct pairs *pairs, const char *shape)
{
    bool apart = false;
    for (int p = 0; p < pairs->count; p++)
        apart = apart || (pairs->pair[p].shown && differs(&pairs->pair[p], shape));
    return apart;
}

static void choose_letters(struct pairs *pairs, const struct summary *const *rows, int count, int i)
{
    bool one_shape = true;
    for (int row = 0; row < count; row++)
        if (strcmp(rows[row]->kernel, rows[i]->kernel) == 0 &&
            strcmp(rows[row]->shape, rows[i]->shape) != 0)
            one_shape = false;
    for (int p = 0; p < pairs->count; p++) {
        struct pair *pair = &pairs->pair[p];
        pair->shown = one_shape && !span_equals(pair->value, pair->value_length, "1", 1);
        for (int row = 0; row < count && !pair->shown && !is_neutral(pair); row++)
            pair->shown =
                strcmp(rows[row]->kernel, rows[i]->kernel) == 0 && differs(pair, rows[row]->shape);
    }
    for (int row = 0; row < count; row++)
        if (strcmp(rows[row]->kernel, rows[i]->kernel) == 0 &&
            !is_told_apart(pairs, rows[row]->shape))
            for (int p = 0; p < pairs->count; p++)
                pairs->pair[p].shown =
                    pairs->pair[p].shown || differs(&pairs->pair[p], rows[row]->shape);
}

/* "c64 hw56 stride2": sizes of equal value that stand side by side are joined. */
static void print_pairs(const struct pairs *pairs, FILE *out)
{
    const struct pair *open = NULL;
    for (int p = 0; p < pairs->count; p++) {
        const struct pair *pair = &pairs->pair[p];
        if (!pair->shown)
            continue;
        bool joined = open && open->letter_length == 1 && pair->letter_length == 1 &&
                      span_equals(open->value, open->value_length, pair->value, pair->value_length);
        if (open && !joined)
            fprintf(out, "%.*s", open->value_length, open->value);
        fprintf(out, "%s%.*s", joined ? "" : " ", pair->letter_length, pair->letter);
        open = pair;
    }
    if (open)
        fprintf(out, "%.*s", open->value_length, open->value);
}

void name_row(const struct summary *const *rows, int count, int i, char *name, size_t capacity)
{
    char whole[512] = "";
    bool variants = false, isas = false;
    for (int row = 0; row < count; row++) {
        bool same = strcmp(rows[row]->kernel, rows[i]->kernel) == 0;
        variants = variants || (same && strcmp(rows[row]->variant, rows[i]->variant) != 0);
        isas = isas || (same && strcmp(rows[row]->isa, rows[i]->isa) != 0);
    }
    struct pairs pairs = pairs_of(rows[i]->shape);
    choose_letters(&pairs, rows, count, i);
    FILE *out = fmemopen(whole, sizeof whole, "w");
    if (!out) {
        text_copy(name, capacity, rows[i]->kernel);
        return;
    }
    fputs(rows[i]->kernel, out);
    if (variants)
        fprintf(out, " %s", rows[i]->variant);
    if (isas)
        fprintf(out, " %s", rows[i]->isa);
    print_pairs(&pairs, out);
    fclose(out);
    text_copy(name, capacity, whole);
}

int name_break(const char *name, int width)
{
    int length = (int)strlen(name), end = width;
    if (length <= width)
        return length;
    while (end > 0 && name[end] != ' ')
        end--;
    return end > 0 ? end : width;
}
