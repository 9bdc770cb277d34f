// onednn.c - oneDNN by its C interface: the library, and a primitive with its memories.
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onednn_abi.h"

enum { CPU = 1, IN_ORDER = 1, QUERY_IMPLEMENTATION = 8, QUERY_ARGUMENT = 255 };
/* Bits of its version's cpu_runtime. */
enum { RUNTIME_SEQUENTIAL = 1, RUNTIME_OPENMP = 2 };

/* dnnl_version_t. */
struct version {
    int major, minor, patch;
    const char *hash;
    unsigned cpu_runtime, gpu_runtime;
};

/* dnnl_exec_arg_t; memories, primitives, engines and streams are pointers in both ABIs. */
struct argument {
    int name;
    void *memory;
};

/* Functions return a status, 0 for success. */
struct onednn {
    const struct version *(*version)(void);
    void (*set_threads)(int threads); /* of the OpenMP runtime that it uses */
    int (*engine_create)(void **engine, int kind, size_t index);
    int (*engine_destroy)(void *engine);
    int (*stream_create)(void **stream, void *engine, unsigned flags);
    int (*stream_wait)(void *stream);
    int (*stream_destroy)(void *stream);
    int (*attributes_create)(void **attributes);
    int (*attributes_destroy)(void *attributes);
    int (*attributes_set_post_ops)(void *attributes, const void *post_ops);
    int (*post_ops_create)(void **post_ops);
    int (*post_ops_destroy)(void *post_ops);
    int (*primitive_create)(void **primitive, const void *descriptor);
    int (*primitive_execute)(const void *primitive, void *stream, int count,
                             const struct argument *arguments);
    int (*primitive_destroy)(void *primitive);
    int (*primitive_desc_destroy)(void *descriptor);
    int (*query)(const void *primitive_descriptor, int what, int index, void *answer);
    const void *(*query_md)(const void *primitive_descriptor, int what, int index);
    size_t (*md_bytes)(const void *memory_descriptor);
    int (*memory_create)(void **memory, const void *descriptor, void *engine, void *bytes);
    int (*memory_destroy)(void *memory);
    int (*reorder_create)(void **descriptor, const void *from, void *from_engine, const void *to,
                          void *to_engine, const void *attributes);
};

static const struct library_function version_functions[] = {
    {"dnnl_version", offsetof(struct onednn, version)}, {0}};

static const struct library_function openmp_functions[] = {
    {"omp_set_num_threads", offsetof(struct onednn, set_threads)}, {0}};

static const struct library_function functions[] = {
    {"dnnl_version", offsetof(struct onednn, version)},
    {"dnnl_engine_create", offsetof(struct onednn, engine_create)},
    {"dnnl_engine_destroy", offsetof(struct onednn, engine_destroy)},
    {"dnnl_stream_create", offsetof(struct onednn, stream_create)},
    {"dnnl_stream_wait", offsetof(struct onednn, stream_wait)},
    {"dnnl_stream_destroy", offsetof(struct onednn, stream_destroy)},
    {"dnnl_primitive_attr_create", offsetof(struct onednn, attributes_create)},
    {"dnnl_primitive_attr_destroy", offsetof(struct onednn, attributes_destroy)},
    {"dnnl_primitive_attr_set_post_ops", offsetof(struct onednn, attributes_set_post_ops)},
    {"dnnl_post_ops_create", offsetof(struct onednn, post_ops_create)},
    {"dnnl_post_ops_destroy", offsetof(struct onednn, post_ops_destroy)},
    {"dnnl_primitive_create", offsetof(struct onednn, primitive_create)},
    {"dnnl_primitive_execute", offsetof(struct onednn, primitive_execute)},
    {"dnnl_primitive_destroy", offsetof(struct onednn, primitive_destroy)},
    {"dnnl_primitive_desc_destroy", offsetof(struct onednn, primitive_desc_destroy)},
    {"dnnl_primitive_desc_query", offsetof(struct onednn, query)},
    {"dnnl_primitive_desc_query_md", offsetof(struct onednn, query_md)},
    {"dnnl_memory_desc_get_size", offsetof(struct onednn, md_bytes)},
    {"dnnl_memory_create", offsetof(struct onednn, memory_create)},
    {"dnnl_memory_destroy", offsetof(struct onednn, memory_destroy)},
    {"dnnl_reorder_primitive_desc_create", offsetof(struct onednn, reorder_create)},
    {0},
};

static int check(struct opened_library *opened, struct error *error)
{
    struct onednn onednn;
    int result = library_find(opened, functions, &onednn, error);
    if (result != OK)
        return result;
    const struct version *version = onednn.version();
    snprintf(opened->version, sizeof opened->version, "oneDNN %d.%d.%d, %s", version->major,
             version->minor, version->patch,
             version->cpu_runtime == RUNTIME_SEQUENTIAL ? "without threads" : "OpenMP");
    if (version->major != 2 && version->major != 3)
        return error_skip(error,
                          "'%s' is oneDNN %d.%d, whose ABI is not known here; known: 2 and 3",
                          opened->file, version->major, version->minor);
    if (version->cpu_runtime != RUNTIME_SEQUENTIAL && version->cpu_runtime != RUNTIME_OPENMP)
        return error_skip(error,
                          "oneDNN %d.%d in '%s' brings threads of its own kind (runtime %u), which "
                          "cannot be counted and pinned; remedy: one that is built with OpenMP",
                          version->major, version->minor, opened->file, version->cpu_runtime);
    return OK;
}

const struct library onednn_library = {
    .name = "oneDNN",
    .files = (const char *const[]){"libdnnl.so.3", "libdnnl.so.2", NULL},
    .package = "libdnnl2 or libdnnl3",
    .check = check,
};

int onednn_begin(const struct problem *problem, const struct opened_library *opened,
                 struct error *error)
{
    struct onednn onednn;
    if (problem->dtype != DTYPE_f32)
        return error_skip(error, "oneDNN has no '%s' for '%s', only f32",
                          dtype_name(problem->dtype), problem->kernel->name);
    int result = library_find(opened, version_functions, &onednn, error);
    if (result != OK)
        return result;
    if (onednn.version()->cpu_runtime == RUNTIME_OPENMP) {
        result = library_find(opened, openmp_functions, &onednn, error);
        if (result != OK)
            return result;
        /* Which of the two runtimes serves it, the one it was linked to or this program's, is the
         * loader's choice; team_run() states its count anyway. */
        onednn.set_threads(problem->threads);
        omp_set_num_threads(problem->threads);
    } else if (problem->threads > 1) {
        return error_skip(error, "%s was built to run on one thread", opened->version);
    }
    return OK;
}

/* ---- what is asked of it ---- */

struct onednn_tensor *onednn_append(struct onednn_work *work, int argument, void *bytes, int rank,
                                    const int64_t *sizes)
{
    struct onednn_tensor *tensor = &work->tensor[work->tensors++];
    *tensor = (struct onednn_tensor){.argument = argument, .bytes = bytes, .rank = rank};
    int64_t stride = 1;
    for (int i = rank - 1; i >= 0; i--) {
        tensor->sizes[i] = sizes[i];
        tensor->strides[i] = stride;
        stride *= sizes[i];
    }
    return tensor;
}

struct onednn_tensor *onednn_append_images(struct onednn_work *work, int argument, void *bytes,
                                           enum layout layout, const onednn_sizes nchw)
{
    struct onednn_tensor *tensor = onednn_append(work, argument, bytes, 4, nchw);
    tensor->blocked = layout == LAYOUT_NCHWC;
    const int64_t c = nchw[1], h = nchw[2], w = nchw[3];
    if (layout == LAYOUT_NHWC)
        memcpy(tensor->strides, (const onednn_sizes){h * w * c, 1, w * c, c}, sizeof(onednn_sizes));
    return tensor;
}

/* ---- the primitive ---- */

/* dnnl_status_t */
static const char *status_word(int status)
{
    static const char *const words[] = {
        "success",         "out of memory",          "invalid arguments",
        "not implemented", "no implementation left", "error while running",
        "not required"};
    enum { WORDS = sizeof words / sizeof *words };
    return status >= 0 && status < WORDS ? words[status] : "status unknown here";
}

/* A tensor as the operand lies, and as the primitive takes it. */
struct slot {
    struct onednn_layout given, wanted; /* wanted: only where it is the library's choice */
    void *given_memory, *memory;        /* the second only where the layout is its choice */
    void *bytes;                        /* of the second; owned */
    void *reorder;                      /* primitive: into its layout, of a destination out of it */
};

struct plan {
    struct onednn onednn;
    struct onednn_abi abi;
    struct onednn_work work;
    struct slot slot[ONEDNN_TENSORS_MAX];
    struct argument argument[ONEDNN_TENSORS_MAX];
    void *engine, *stream, *post_ops, *attributes, *descriptor, *primitive;
};

static void execute(const struct plan *plan, const void *primitive, int count,
                    const struct argument *arguments)
{
    plan->onednn.primitive_execute(primitive, plan->stream, count, arguments);
    plan->onednn.stream_wait(plan->stream);
}

static bool is_output(const struct onednn_tensor *tensor)
{
    return tensor->argument == ONEDNN_DESTINATION;
}

static void reorder(const struct plan *plan, int which)
{
    const struct slot *slot = &plan->slot[which];
    const bool out = is_output(&plan->work.tensor[which]);
    if (slot->reorder)
        execute(plan, slot->reorder, 2,
                (const struct argument[]){
                    {ONEDNN_SOURCE, out ? slot->memory : slot->given_memory},
                    {ONEDNN_DESTINATION, out ? slot->given_memory : slot->memory}});
}

static int create_reorder(const struct plan *plan, const void *from, const void *to, void **reorder)
{
    void *descriptor = NULL;
    int status =
        plan->onednn.reorder_create(&descriptor, from, plan->engine, to, plan->engine, NULL);
    if (status == 0) {
        status = plan->onednn.primitive_create(reorder, descriptor);
        plan->onednn.primitive_desc_destroy(descriptor);
    }
    return status;
}

/* The memory that the primitive works on: the operand itself, or one in the layout that it chose.
 */
static int attach(struct plan *plan, int which)
{
    enum { OUT_OF_MEMORY = 1 }; /* the library's status */
    const struct onednn *onednn = &plan->onednn;
    const struct onednn_tensor *tensor = &plan->work.tensor[which];
    struct slot *slot = &plan->slot[which];
    const int name = onednn_argument(&plan->abi, tensor->argument);
    int status =
        onednn->memory_create(&slot->given_memory, slot->given.md, plan->engine, tensor->bytes);
    plan->argument[which] = (struct argument){name, slot->given_memory};
    if (status != 0 || !tensor->any)
        return status;
    const void *chosen = onednn->query_md(plan->descriptor, QUERY_ARGUMENT, name);
    size_t bytes = (onednn->md_bytes(chosen) + 63) / 64 * 64;
    slot->bytes = aligned_alloc(64, bytes);
    if (!slot->bytes)
        return OUT_OF_MEMORY;
    memset(slot->bytes, 0, bytes); /* and touched by us: channels filled up stay 0 */
    status = onednn->memory_create(&slot->memory, chosen, plan->engine, slot->bytes);
    plan->argument[which].memory = slot->memory;
    if (status == 0)
        status = is_output(tensor) ? create_reorder(plan, chosen, slot->given.md, &slot->reorder)
                                   : create_reorder(plan, slot->given.md, chosen, &slot->reorder);
    if (status == 0 && !is_output(tensor))
        reorder(plan, which);
    return status;
}

static int create_layouts(struct plan *plan, const struct onednn_layout **layouts)
{
    int status = 0;
    for (int i = 0; i < plan->work.tensors && status == 0; i++) {
        const struct onednn_tensor *tensor = &plan->work.tensor[i];
        struct slot *slot = &plan->slot[i];
        layouts[i] = tensor->any ? &slot->wanted : &slot->given;
        status = onednn_layout_create(&plan->abi, tensor, false, &slot->given);
        if (status == 0 && tensor->any)
            status = onednn_layout_create(&plan->abi, tensor, true, &slot->wanted);
    }
    return status;
}

static int create_attributes(struct plan *plan, const struct onednn_layout *const *layouts)
{
    const struct onednn *onednn = &plan->onednn;
    int status = onednn->attributes_create(&plan->attributes);
    if (status == 0)
        status = onednn->post_ops_create(&plan->post_ops);
    if (status == 0)
        status = onednn_append_post_ops(&plan->abi, &plan->work, layouts, plan->post_ops);
    if (status == 0)
        status = onednn->attributes_set_post_ops(plan->attributes, plan->post_ops);
    return status;
}

/* Engine, stream, primitive and memories; what exists is onednn_close()'s to release. */
static int create(struct plan *plan)
{
    const struct onednn *onednn = &plan->onednn;
    const struct onednn_layout *layouts[ONEDNN_TENSORS_MAX] = {0};
    int status = onednn->engine_create(&plan->engine, CPU, 0);
    if (status == 0)
        status = onednn->stream_create(&plan->stream, plan->engine, IN_ORDER);
    if (status == 0)
        status = create_layouts(plan, layouts);
    if (status == 0)
        status = create_attributes(plan, layouts);
    if (status == 0)
        status = onednn_describe(&plan->abi, &plan->work, layouts, plan->engine, plan->attributes,
                                 &plan->descriptor);
    if (status == 0)
        status = onednn->primitive_create(&plan->primitive, plan->descriptor);
    for (int i = 0; i < plan->work.tensors && status == 0; i++)
        status = attach(plan, i);
    return status;
}

void onednn_close(void *context)
{
    struct plan *plan = context;
    const struct onednn *onednn = &plan->onednn;
    for (int i = 0; i < plan->work.tensors; i++) {
        struct slot *slot = &plan->slot[i];
        if (slot->reorder)
            onednn->primitive_destroy(slot->reorder);
        if (slot->memory)
            onednn->memory_destroy(slot->memory);
        if (slot->given_memory)
            onednn->memory_destroy(slot->given_memory);
        free(slot->bytes);
        onednn_layout_release(&plan->abi, &slot->wanted);
        onednn_layout_release(&plan->abi, &slot->given);
    }
    if (plan->primitive)
        onednn->primitive_destroy(plan->primitive);
    if (plan->descriptor)
        onednn->primitive_desc_destroy(plan->descriptor);
    if (plan->attributes)
        onednn->attributes_destroy(plan->attributes);
    if (plan->post_ops)
        onednn->post_ops_destroy(plan->post_ops);
    if (plan->stream)
        onednn->stream_destroy(plan->stream);
    if (plan->engine)
        onednn->engine_destroy(plan->engine);
    free(plan);
}

/* Whether the library has only its plain loops, of which a call may take seconds; as it calls them.
 */
static bool is_by_reference(const struct plan *plan, const char **name)
{
    *name = NULL;
    return plan->onednn.query(plan->descriptor, QUERY_IMPLEMENTATION, 0, name) == 0 && *name &&
           strncmp(*name, "ref", strlen("ref")) == 0;
}

int onednn_prepare(const struct problem *problem, const struct opened_library *opened,
                   const struct onednn_work *work, void **context, struct error *error)
{
    struct plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for a plan of '%s'",
                         problem->kernel->name);
    plan->work = *work;
    int result = onednn_begin(problem, opened, error);
    if (result == OK)
        result = library_find(opened, functions, &plan->onednn, error);
    if (result == OK)
        result =
            onednn_abi_find(&plan->abi, opened, plan->onednn.version()->major, work->kind, error);
    int status = result == OK ? create(plan) : 0;
    if (status != 0)
        result = error_skip(error, "%s cannot do '%s' of this shape: %s", opened->version,
                            problem->kernel->name, status_word(status));
    const char *name;
    if (result == OK && work->refuses_reference && is_by_reference(plan, &name))
        result = error_skip(error,
                            "'%s' of this shape and layout: %s has only its reference ('%s'); "
                            "remedy: another layout, or the variant 'onednn_any'",
                            problem->kernel->name, opened->version, name);
    if (result == OK)
        *context = plan;
    else
        onednn_close(plan);
    return result;
}

void onednn_run(void *context)
{
    const struct plan *plan = context;
    const struct onednn_work *work = &plan->work;
    for (int i = 0; i < work->tensors && work->reorders; i++)
        if (!work->tensor[i].constant && !is_output(&work->tensor[i]))
            reorder(plan, i);
    execute(plan, plan->primitive, work->tensors, plan->argument);
    if (work->reorders)
        onednn_deliver(context);
}

void onednn_deliver(void *context)
{
    const struct plan *plan = context;
    for (int i = 0; i < plan->work.tensors; i++)
        if (is_output(&plan->work.tensor[i]))
            reorder(plan, i);
}
