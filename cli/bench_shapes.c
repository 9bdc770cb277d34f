// bench_shapes.c - the shapes that a kernel is to run.
#include "bench_shapes.h"

#include <stdlib.h>
#include <string.h>

#include "table.h"

static bool is_collection(const char *argument)
{
    return *argument == '@';
}

bool asked_for_collection(const char *const *arguments)
{
    while (*arguments && !is_collection(*arguments))
        arguments++;
    return *arguments != NULL;
}

int asked_for_kernel(const struct kernel *kernel, const char *const *arguments, bool *named,
                     struct error *error)
{
    struct collection collection;
    *named = false;
    for (; *arguments; arguments++) {
        if (!is_collection(*arguments))
            continue;
        if (collection_read(&collection, *arguments, error) != OK)
            return FAILED;
        *named = *named || collection_has(&collection, kernel->name);
    }
    return OK;
}

static int add(struct asked_shapes *shapes, const char *text, bool alone, struct error *error)
{
    if (strlen(text) >= sizeof shapes->shape->text)
        return error_set(error, FAULT_USAGE, "--shape '%.80s...' is too long", text);
    if (shapes->count == shapes->capacity) {
        int capacity = 2 * shapes->capacity + 8;
        struct asked_shape *larger =
            realloc(shapes->shape, (size_t)capacity * sizeof *shapes->shape);
        if (!larger)
            return error_set(error, FAULT_ENVIRONMENT, "out of memory for %d shapes", capacity);
        shapes->shape = larger;
        shapes->capacity = capacity;
    }
    struct asked_shape *shape = &shapes->shape[shapes->count++];
    text_copy(shape->text, sizeof shape->text, text);
    shape->alone = alone;
    return OK;
}

static int add_collection(struct asked_shapes *shapes, const struct kernel *kernel,
                          const char *argument, struct error *error)
{
    struct collection collection;
    char text[COLLECTION_TEXT_MAX];
    int result = collection_read(&collection, argument, error);
    for (int i = 0; result == OK && i < collection.shape_count; i++) {
        if (strcmp(collection.shape[i].kernel, kernel->name) != 0)
            continue;
        result = collection_shape(&collection.shape[i], argument, text, error);
        if (result == OK)
            result = add(shapes, text, false, error);
    }
    return result;
}

int asked_shapes_of(struct asked_shapes *shapes, const struct kernel *kernel,
                    const char *const *arguments, struct error *error)
{
    int result = OK;
    *shapes = (struct asked_shapes){0};
    for (const char *const *own = kernel->shapes; !*arguments && *own && result == OK; own++)
        result = add(shapes, *own, false, error);
    for (const char *const *each = arguments; *each && result == OK; each++)
        result = is_collection(*each) ? add_collection(shapes, kernel, *each, error)
                                      : add(shapes, *each, true, error);
    if (result == OK && *arguments && shapes->count == 0)
        return error_set(error, FAULT_USAGE,
                         "'%s' has no shape of '%s'; 'roofline list shapes' shows what it has",
                         *arguments, kernel->name);
    return result;
}

void asked_shapes_free(struct asked_shapes *shapes)
{
    free(shapes->shape);
    *shapes = (struct asked_shapes){0};
}
