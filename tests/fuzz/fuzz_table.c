// fuzz_table.c - whatever the bytes: a file is refused with words, or what it says survives a round
// trip.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fuzz_table: %s\n", what);
        abort();
    }
}

/* The text of a table; the caller frees it. */
static char *printed(const struct table *table)
{
    char *text;
    size_t length;
    struct error error;
    FILE *file = open_memstream(&text, &length);
    require(file && table_print(table, file, &error) == OK, "a table does not print");
    fclose(file);
    return text;
}

static int parse(struct table *table, const struct schema *schema, const void *bytes, size_t size)
{
    struct error error = {FAULT_NONE, ""};
    FILE *file = fmemopen((void *)(uintptr_t)bytes, size, "r");
    require(file != NULL, "no stream over the input");
    table_init(table, schema);
    int result = table_parse(table, file, "input", &error);
    fclose(file);
    require(result == OK || (error.fault == FAULT_IO && *error.text), "a fault without words");
    require(result == OK || (table->count == 0 && !table->rows), "rows of a refused file");
    return result;
}

static void round_trip(const struct schema *schema, const uint8_t *data, size_t size)
{
    struct table table, again;
    if (parse(&table, schema, data, size) != OK)
        return;
    char *text = printed(&table);
    require(parse(&again, schema, text, strlen(text)) == OK, "own output is refused");
    require(again.count == table.count, "rows lost in a round trip");
    char *text_again = printed(&again);
    require(strcmp(text, text_again) == 0, "a round trip changes the text");
    free(text);
    free(text_again);
    table_free(&table);
    table_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0; /* fmemopen refuses it */
    round_trip(&ceiling_schema, data, size);
    round_trip(&measurement_schema, data, size);
    return 0;
}
