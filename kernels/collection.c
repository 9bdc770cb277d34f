// collection.c - reads collections of shapes.
#include "collection.h"

#include <stdio.h>
#include <string.h>

#include "kernel.h"
#include "run.h"
#include "table.h"

/* Where a line of the file stands, for messages. */
struct place {
    const char *name;
    int line;
};

static int refuse(const struct place *place, const char *why, const char *subject,
                  struct error *error)
{
    return error_set(error, FAULT_USAGE, "shapes '%s', line %d: %s '%.300s'", place->name,
                     place->line, why, subject);
}

static int check_shape(const struct collected *collected, const struct place *place,
                       struct error *error)
{
    const struct level_bytes one_line = {64, 64, 64, 64};
    const struct kernel *kernel = kernel_find(collected->kernel);
    struct shape shape;
    struct error reason;
    if (!kernel)
        return refuse(place, "unknown kernel", collected->kernel, error);
    if (run_shape(&shape, kernel, collected->shape, DTYPE_f64, &one_line, &reason) != OK ||
        (kernel->check && kernel->check(&shape, &reason) != OK))
        return refuse(place, "a shape that its kernel does not take:", reason.text, error);
    return OK;
}

static int check_twins(const struct collection *collection, const struct place *place,
                       struct error *error)
{
    const struct collected *last = &collection->shape[collection->shape_count - 1];
    for (const struct collected *each = collection->shape; each < last; each++) {
        if (strcmp(each->kernel, last->kernel) != 0)
            continue;
        if (strcmp(each->shape, last->shape) == 0)
            return refuse(place, "given twice: shape", last->shape, error);
        if (strcmp(each->name, last->name) == 0)
            return refuse(place, "given twice: name", last->name, error);
    }
    return OK;
}

static int take_shape(struct collection *collection, const char *line, const struct place *place,
                      struct error *error)
{
    if (collection->shape_count == COLLECTION_SHAPES_MAX)
        return refuse(place, "too many shapes:", line, error);
    struct collected *collected = &collection->shape[collection->shape_count++];
    int end = 0;
    if (sscanf(line, "%31s %159s %47s %ld %n", collected->kernel, collected->shape, collected->name,
               &collected->count, &end) != 4 ||
        line[end] || collected->count < 1)
        return refuse(place, "not 'kernel shape name count':", line, error);
    int result = check_shape(collected, place, error);
    return result == OK ? check_twins(collection, place, error) : result;
}

static int keep(char *field, size_t capacity, const char *text, const struct place *place,
                struct error *error)
{
    if (*field || strlen(text) >= capacity)
        return refuse(place, "repeated or too long:", text, error);
    text_copy(field, capacity, text);
    return OK;
}

/* "# title: text" and "# source: text"; other lines that begin with # are comments. */
static int take_note(struct collection *collection, const char *line, const struct place *place,
                     struct error *error)
{
    static const char title[] = "# title: ", source[] = "# source: ";
    if (strncmp(line, title, sizeof title - 1) == 0)
        return keep(collection->title, sizeof collection->title, line + sizeof title - 1, place,
                    error);
    if (strncmp(line, source, sizeof source - 1) != 0)
        return OK;
    if (collection->source_count == COLLECTION_SOURCES_MAX)
        return refuse(place, "too many sources:", line, error);
    return keep(collection->source[collection->source_count++], sizeof *collection->source,
                line + sizeof source - 1, place, error);
}

int collection_parse(struct collection *collection, const char *name, const char *text,
                     struct error *error)
{
    struct place place = {.name = name};
    *collection = (struct collection){0};
    text_copy(collection->name, sizeof collection->name, name);
    while (*text) {
        char line[512];
        size_t length = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, text);
        text += length + (text[length] == '\n');
        place.line++;
        if (length >= sizeof line)
            return refuse(&place, "too long:", line, error);
        int result = OK;
        if (*line == '#')
            result = take_note(collection, line, &place, error);
        else if (*line)
            result = take_shape(collection, line, &place, error);
        if (result != OK)
            return FAILED;
    }
    if (!*collection->title || !collection->source_count || !collection->shape_count)
        return refuse(&place, "it needs '# title:', '# source:' and a shape; missing in", name,
                      error);
    return OK;
}

int collection_read(struct collection *collection, const char *argument, struct error *error)
{
    const char *name = argument + (*argument == '@');
    size_t length = strcspn(name, ",");
    char known[400] = "";
    for (const struct embedded_file *file = embedded_shapes; file->name; file++) {
        if (strlen(file->name) == length && strncmp(file->name, name, length) == 0)
            return collection_parse(collection, file->name, file->text, error);
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, " @%s", file->name);
    }
    return error_set(error, FAULT_USAGE, "unknown shapes '@%.*s'; known:%s", (int)length, name,
                     known);
}

/* Whether "a=1,b=2" gives the letter of "b=3,...". */
static bool gives(const char *letters, const char *pair)
{
    size_t name = strcspn(pair, "=,");
    for (const char *at = letters; *at;) {
        if (strcspn(at, "=,") == name && strncmp(at, pair, name) == 0)
            return true;
        at += strcspn(at, ",");
        at += *at == ',';
    }
    return false;
}

int collection_shape(const struct collected *collected, const char *argument,
                     char text[COLLECTION_TEXT_MAX], struct error *error)
{
    const char *letters = argument + strcspn(argument, ",");
    letters += *letters == ',';
    int used = snprintf(text, COLLECTION_TEXT_MAX, "%s", letters);
    for (const char *pair = collected->shape; *pair && used < COLLECTION_TEXT_MAX;) {
        size_t length = strcspn(pair, ",");
        if (!gives(letters, pair))
            used += snprintf(text + used, (size_t)(COLLECTION_TEXT_MAX - used), "%s%.*s",
                             used ? "," : "", (int)length, pair);
        pair += length + (pair[length] == ',');
    }
    if (used < COLLECTION_TEXT_MAX)
        return OK;
    return error_set(error, FAULT_USAGE, "the letters of '%s' make the shape '%s' too long",
                     argument, collected->name);
}

bool collection_has(const struct collection *collection, const char *kernel)
{
    for (int i = 0; i < collection->shape_count; i++)
        if (strcmp(collection->shape[i].kernel, kernel) == 0)
            return true;
    return false;
}
