// peers_onnxruntime.c - ONNX Runtime by its C interface, without its header.
//
// The library gives out one table of functions, to which versions only append: places in it are
// those of include/onnxruntime/core/session/onnxruntime_c_api.h of microsoft/onnxruntime.
#include "peers_onnxruntime.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Version of the table that is asked for: that of ONNX Runtime 1.10 (2021) and all later ones. */
enum { TABLE_VERSION = 10 };

enum place {
    GET_ERROR_MESSAGE = 2,
    CREATE_ENV = 3,
    CREATE_SESSION = 7,
    RUN = 9,
    CREATE_SESSION_OPTIONS = 10,
    SET_OPTIMIZATION_LEVEL = 23,
    SET_INTRA_OP_THREADS = 24,
    CREATE_TENSOR_WITH_DATA = 49,
    GET_TENSOR_DATA = 51,
    CREATE_CPU_MEMORY_INFO = 69,
    RELEASE_ENV = 92,
    RELEASE_STATUS = 93,
    RELEASE_MEMORY_INFO = 94,
    RELEASE_SESSION = 95,
    RELEASE_VALUE = 96,
    RELEASE_SESSION_OPTIONS = 100,
};

enum { LOG_ERRORS = 3, OPTIMIZE_ALL = 99, ARENA = 1, MEMORY_DEFAULT = 0, TENSOR_FLOAT = 1 };

typedef void any_function(void);
struct table_of_functions {
    any_function *function[RELEASE_SESSION_OPTIONS + 1];
};
struct base {
    const struct table_of_functions *(*table)(uint32_t version);
    const char *(*version)(void);
};

/* Opaque to its users, each of these. */
typedef void status, environment, options, session_object, memory_info, value;

struct onnxruntime {
    const struct table_of_functions *table;
    environment *environment;
    options *options;
    session_object *session;
    memory_info *memory;
    const char *const *input_names, *const *output_names;
    value **input, **output;
    int input_count, output_count;
};

/* The function at that place, as a pointer of `type`. */
#define AT(table, place, type) ((type)(table)->function[place])

static int table_of(const struct opened_library *opened, const struct base **base,
                    struct error *error)
{
    const struct base *(*get)(void);
    const struct library_function wanted[] = {{"OrtGetApiBase", 0}, {0}};
    if (library_find(opened, wanted, &get, error) != OK)
        return SKIPPED;
    *base = get();
    return OK;
}

static int check(struct opened_library *opened, struct error *error)
{
    const struct base *base;
    if (table_of(opened, &base, error) != OK)
        return SKIPPED;
    snprintf(opened->version, sizeof opened->version, "ONNX Runtime %s", base->version());
    if (!base->table(TABLE_VERSION))
        return error_skip(error, "%s has another interface; 1.10 or later is needed",
                          opened->version);
    return OK;
}

int onnxruntime_find(struct opened_library *opened, struct error *error)
{
    static const char *files[] = {"libonnxruntime.so.1", "libonnxruntime.so", NULL};
    const char *const named[] = {getenv("ONNXRUNTIME"), NULL};
    struct library library = {.name = "ONNX Runtime",
                              .files = named[0] ? named : files,
                              .package = "onnxruntime",
                              .check = check};
    const int result = library_open(&library, opened, error);
    if (result == SKIPPED && !opened->handle)
        return error_skip(error,
                          "no ONNX Runtime: set ONNXRUNTIME to its libonnxruntime.so, which is in "
                          "the archives of github.com/microsoft/onnxruntime/releases and in the "
                          "Python package 'onnxruntime'");
    opened->library = NULL;
    return result;
}

/* OK, or SKIPPED with the library's words for what could not be done. */
static int done(const struct table_of_functions *table, status *state, const char *what,
                struct error *error)
{
    if (!state)
        return OK;
    const char *words = AT(table, GET_ERROR_MESSAGE, const char *(*)(const status *))(state);
    error_skip(error, "ONNX Runtime cannot %s: %s", what, words);
    AT(table, RELEASE_STATUS, void (*)(status *))(state);
    return SKIPPED;
}

static int load(struct onnxruntime *session, const char *path, int threads, struct error *error)
{
    const struct table_of_functions *table = session->table;
    status *state = AT(table, CREATE_ENV, status * (*)(int, const char *, environment **))(
        LOG_ERRORS, "peers", &session->environment);
    if (done(table, state, "start", error) != OK)
        return SKIPPED;
    state = AT(table, CREATE_SESSION_OPTIONS, status * (*)(options **))(&session->options);
    if (!state)
        state = AT(table, SET_OPTIMIZATION_LEVEL, status * (*)(options *, int))(session->options,
                                                                                OPTIMIZE_ALL);
    if (!state)
        state = AT(table, SET_INTRA_OP_THREADS, status * (*)(options *, int))(session->options,
                                                                              threads);
    if (!state)
        state = AT(table, CREATE_CPU_MEMORY_INFO,
                   status * (*)(int, int, memory_info **))(ARENA, MEMORY_DEFAULT, &session->memory);
    if (done(table, state, "set its options", error) != OK)
        return SKIPPED;
    state = AT(table, CREATE_SESSION,
               status * (*)(const environment *, const char *, const options *, session_object **))(
        session->environment, path, session->options, &session->session);
    return done(table, state, "read the model", error);
}

int onnxruntime_open(const struct opened_library *opened, const char *path, int threads,
                     struct onnxruntime **session, struct error *error)
{
    const struct base *base;
    if (table_of(opened, &base, error) != OK)
        return SKIPPED;
    struct onnxruntime *new = calloc(1, sizeof *new);
    if (!new)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    new->table = base->table(TABLE_VERSION);
    const int result = load(new, path, threads, error);
    if (result == OK)
        *session = new;
    else
        onnxruntime_close(new);
    return result;
}

static void release_values(struct onnxruntime *session)
{
    void (*const release)(value *) = AT(session->table, RELEASE_VALUE, void (*)(value *));
    for (int i = 0; session->input && i < session->input_count; i++)
        if (session->input[i])
            release(session->input[i]);
    for (int i = 0; session->output && i < session->output_count; i++)
        if (session->output[i])
            release(session->output[i]);
    free(session->input);
    free(session->output);
    session->input = session->output = NULL;
}

void onnxruntime_close(struct onnxruntime *session)
{
    if (!session)
        return;
    const struct table_of_functions *table = session->table;
    release_values(session);
    if (session->session)
        AT(table, RELEASE_SESSION, void (*)(session_object *))(session->session);
    if (session->memory)
        AT(table, RELEASE_MEMORY_INFO, void (*)(memory_info *))(session->memory);
    if (session->options)
        AT(table, RELEASE_SESSION_OPTIONS, void (*)(options *))(session->options);
    if (session->environment)
        AT(table, RELEASE_ENV, void (*)(environment *))(session->environment);
    free(session);
}

int onnxruntime_bind(struct onnxruntime *session, const char *const *input_names,
                     const struct array *inputs, int input_count, const char *const *output_names,
                     int output_count, struct error *error)
{
    release_values(session);
    session->input_names = input_names;
    session->output_names = output_names;
    session->input_count = input_count;
    session->output_count = output_count;
    session->input = calloc((size_t)input_count + 1, sizeof *session->input);
    session->output = calloc((size_t)output_count + 1, sizeof *session->output);
    if (!session->input || !session->output)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (int i = 0; i < input_count; i++) {
        const struct type *type = &inputs[i].type;
        int64_t dims[RANK_MAX];
        for (int k = 0; k < type->rank; k++)
            dims[k] = type->dims[k];
        if (type->element != ELEMENT_f32)
            return error_skip(error, "input '%s' is not of f32", input_names[i]);
        status *state =
            AT(session->table, CREATE_TENSOR_WITH_DATA,
               status * (*)(const memory_info *, void *, size_t, const int64_t *, size_t, int,
                            value **))(session->memory, inputs[i].data, (size_t)type_bytes(type),
                                       dims, (size_t)type->rank, TENSOR_FLOAT, &session->input[i]);
        if (done(session->table, state, "take an input", error) != OK)
            return SKIPPED;
    }
    return OK;
}

int onnxruntime_run(struct onnxruntime *session, struct error *error)
{
    /* What the last run made is written over. */
    status *state = AT(session->table, RUN,
                       status * (*)(session_object *, const void *, const char *const *,
                                    const value *const *, size_t, const char *const *, size_t,
                                    value **))(session->session, NULL, session->input_names,
                                               (const value *const *)session->input,
                                               (size_t)session->input_count, session->output_names,
                                               (size_t)session->output_count, session->output);
    return done(session->table, state, "run the model", error);
}

int onnxruntime_output(struct onnxruntime *session, int i, const float **values,
                       struct error *error)
{
    void *data;
    status *state = AT(session->table, GET_TENSOR_DATA,
                       status * (*)(value *, void **))(session->output[i], &data);
    *values = data;
    return done(session->table, state, "give an output", error);
}
