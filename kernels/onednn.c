// onednn.c - oneDNN by its C interface, ABI 2 (libdnnl.so.2) and ABI 3.
//
// Descriptors are handled as what a program of the interface may rely on: in ABI 3 they are opaque,
// in ABI 2 structures that the library fills in, of which only an upper bound of the size is used.
// Values and prototypes: include/oneapi/dnnl/dnnl.h and dnnl_types.h of v2.6 and v3.2,
// github.com/oneapi-src/oneDNN.
#include "onednn.h"

#include <omp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image_layout.h"
#include "window.h"

enum {
    DIMENSIONS_MAX = 12,
    CPU = 1,
    IN_ORDER = 1,
    F32 = 3,
    ANY = 1, /* format tag: the library's choice */
    FORWARD_INFERENCE = 96,
    CONVOLUTION_DIRECT = 1,
    QUERY_SOURCE = 129,
    QUERY_WEIGHTS = 131,
    QUERY_DESTINATION = 133,
    SOURCE = 1, /* arguments */
    DESTINATION = 17,
    WEIGHTS = 33
};
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

typedef int64_t dimensions[DIMENSIONS_MAX];

/* Functions return a status, 0 for success. */
struct onednn {
    const struct version *(*version)(void);
    int (*sgemm)(char transpose_a, char transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
                 const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c,
                 int64_t ldc);
    void (*set_threads)(int threads); /* of the OpenMP runtime that it uses */
    int (*engine_create)(void **engine, int kind, size_t index);
    int (*engine_destroy)(void *engine);
    int (*stream_create)(void **stream, void *engine, unsigned flags);
    int (*stream_wait)(void *stream);
    int (*stream_destroy)(void *stream);
    int (*primitive_create)(void **primitive, const void *descriptor);
    int (*primitive_execute)(const void *primitive, void *stream, int count,
                             const struct argument *arguments);
    int (*primitive_destroy)(void *primitive);
    int (*primitive_desc_destroy)(void *descriptor);
    const void *(*query_md)(const void *primitive_descriptor, int what, int index);
    size_t (*md_bytes)(const void *memory_descriptor);
    int (*memory_create)(void **memory, const void *descriptor, void *engine, void *bytes);
    int (*memory_destroy)(void *memory);
    int (*reorder_create)(void **descriptor, const void *from, void *from_engine, const void *to,
                          void *to_engine, const void *attributes);
};

static const struct library_function functions[] = {
    {"dnnl_version", offsetof(struct onednn, version)},
    {"dnnl_sgemm", offsetof(struct onednn, sgemm)},
    {"dnnl_engine_create", offsetof(struct onednn, engine_create)},
    {"dnnl_engine_destroy", offsetof(struct onednn, engine_destroy)},
    {"dnnl_stream_create", offsetof(struct onednn, stream_create)},
    {"dnnl_stream_wait", offsetof(struct onednn, stream_wait)},
    {"dnnl_stream_destroy", offsetof(struct onednn, stream_destroy)},
    {"dnnl_primitive_create", offsetof(struct onednn, primitive_create)},
    {"dnnl_primitive_execute", offsetof(struct onednn, primitive_execute)},
    {"dnnl_primitive_destroy", offsetof(struct onednn, primitive_destroy)},
    {"dnnl_primitive_desc_destroy", offsetof(struct onednn, primitive_desc_destroy)},
    {"dnnl_primitive_desc_query_md", offsetof(struct onednn, query_md)},
    {"dnnl_memory_desc_get_size", offsetof(struct onednn, md_bytes)},
    {"dnnl_memory_create", offsetof(struct onednn, memory_create)},
    {"dnnl_memory_destroy", offsetof(struct onednn, memory_destroy)},
    {"dnnl_reorder_primitive_desc_create", offsetof(struct onednn, reorder_create)},
    {0},
};

static const struct library_function openmp_functions[] = {
    {"omp_set_num_threads", offsetof(struct onednn, set_threads)}, {0}};

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

static const struct library library = {
    .name = "oneDNN",
    .files = (const char *const[]){"libdnnl.so.3", "libdnnl.so.2", NULL},
    .package = "libdnnl2 or libdnnl3",
    .check = check,
};

/* What every routine begins with: the format, the functions, the threads. */
static int begin(const struct problem *problem, const struct opened_library *opened,
                 struct onednn *onednn, struct error *error)
{
    if (problem->dtype != DTYPE_f32)
        return error_skip(error, "oneDNN has no '%s' for '%s', only f32",
                          dtype_name(problem->dtype), problem->kernel->name);
    int result = library_find(opened, functions, onednn, error);
    if (result != OK)
        return result;
    if (onednn->version()->cpu_runtime == RUNTIME_OPENMP) {
        result = library_find(opened, openmp_functions, onednn, error);
        if (result != OK)
            return result;
        /* Which of the two runtimes serves it, the one it was linked to or this program's, is the
         * loader's choice; team_run() states its count anyway. */
        onednn->set_threads(problem->threads);
        omp_set_num_threads(problem->threads);
    } else if (problem->threads > 1) {
        return error_skip(error, "%s was built to run on one thread", opened->version);
    }
    return OK;
}

/* ---- gemm ---- */

struct gemm_plan {
    struct onednn onednn;
    int64_t m, n, k, lda, ldb;
    char transpose_a, transpose_b;
    float alpha, beta;
    long batch;
    const float *a, *b;
    float *c;
};

static int gemm_prepare(const struct problem *problem, const struct opened_library *opened,
                        void **context, struct error *error)
{
    struct gemm_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for a plan of gemm");
#define LETTER(name) kernel_letter(problem->kernel, problem->shape, #name)
    plan->m = LETTER(m);
    plan->n = LETTER(n);
    plan->k = LETTER(k);
    plan->transpose_a = LETTER(transa) ? 'T' : 'N';
    plan->transpose_b = LETTER(transb) ? 'T' : 'N';
    plan->lda = LETTER(transa) ? plan->m : plan->k;
    plan->ldb = LETTER(transb) ? plan->k : plan->n;
    plan->alpha = (float)LETTER(alpha);
    plan->beta = (float)LETTER(beta);
    plan->batch = LETTER(batch);
#undef LETTER
    plan->c = problem->operand[0];
    plan->a = problem->operand[1];
    plan->b = problem->operand[2];
    int result = begin(problem, opened, &plan->onednn, error);
    if (result == OK && (plan->m == 0 || plan->n == 0 || plan->k == 0))
        result = error_skip(error, "oneDNN's gemm takes no empty matrix");
    if (result == OK)
        *context = plan;
    else
        free(plan);
    return result;
}

static void gemm_run(void *context)
{
    const struct gemm_plan *plan = context;
    const int64_t m = plan->m, n = plan->n, k = plan->k;
    for (long i = 0; i < plan->batch; i++)
        plan->onednn.sgemm(plan->transpose_a, plan->transpose_b, m, n, k, plan->alpha,
                           plan->a + i * m * k, plan->lda, plan->b + i * k * n, plan->ldb,
                           plan->beta, plan->c + i * m * n, n);
}

const struct routine onednn_gemm = {
    .library = &library, .prepare = gemm_prepare, .run = gemm_run, .close = free};

/* ---- primitives ---- */

/* In ABI 2 a memory descriptor is a structure of 696 bytes, a convolution's one of 5976; the
 * library writes into what the caller holds. */
struct structure {
    _Alignas(16) char bytes[16384];
};

/* Creators of descriptors, which differ between the ABIs. */
struct abi2 {
    int (*md_strides)(void *md, int count, const dimensions sizes, int type,
                      const dimensions strides);
    int (*md_tag)(void *md, int count, const dimensions sizes, int type, int tag);
    int (*convolution)(void *descriptor, int kind, int algorithm, const void *source,
                       const void *weights, const void *bias, const void *destination,
                       const dimensions strides, const dimensions dilations,
                       const dimensions padding_before, const dimensions padding_after);
    int (*primitive_desc)(void **descriptor, const void *operation, const void *attributes,
                          void *engine, const void *hint);
};
static const struct library_function abi2_functions[] = {
    {"dnnl_memory_desc_init_by_strides", offsetof(struct abi2, md_strides)},
    {"dnnl_memory_desc_init_by_tag", offsetof(struct abi2, md_tag)},
    {"dnnl_dilated_convolution_forward_desc_init", offsetof(struct abi2, convolution)},
    {"dnnl_primitive_desc_create", offsetof(struct abi2, primitive_desc)},
    {0},
};

struct abi3 {
    int (*md_strides)(void **md, int count, const dimensions sizes, int type,
                      const dimensions strides);
    int (*md_tag)(void **md, int count, const dimensions sizes, int type, int tag);
    int (*md_destroy)(void *md);
    int (*convolution)(void **descriptor, void *engine, int kind, int algorithm, const void *source,
                       const void *weights, const void *bias, const void *destination,
                       const dimensions strides, const dimensions dilations,
                       const dimensions padding_before, const dimensions padding_after,
                       const void *attributes);
};
static const struct library_function abi3_functions[] = {
    {"dnnl_memory_desc_create_with_strides", offsetof(struct abi3, md_strides)},
    {"dnnl_memory_desc_create_with_tag", offsetof(struct abi3, md_tag)},
    {"dnnl_memory_desc_destroy", offsetof(struct abi3, md_destroy)},
    {"dnnl_convolution_forward_primitive_desc_create", offsetof(struct abi3, convolution)},
    {0},
};

/* ---- convolution ---- */

enum { INPUT, KERNEL, OUTPUT, TENSORS };
static const int queries[] = {QUERY_SOURCE, QUERY_WEIGHTS, QUERY_DESTINATION};
static const int names[] = {SOURCE, WEIGHTS, DESTINATION};

/* A tensor as the operand has it, and as the convolution takes it. */
struct tensor {
    int count;
    dimensions sizes, strides;   /* of the operand */
    bool any;                    /* the library chooses the layout */
    void *bytes;                 /* the operand */
    void *user_md, *wanted_md;   /* wanted: what the convolution is asked for */
    struct structure storage[2]; /* of both in ABI 2 */
    void *user_memory, *memory;  /* the same where the layouts are */
    void *own_bytes;             /* of a memory in another layout; owned */
    void *reorder;               /* primitive: into the layout of the convolution or out of it */
};

struct conv_plan {
    struct onednn onednn;
    int abi;
    struct abi2 abi2;
    struct abi3 abi3;
    void *engine, *stream, *descriptor, *convolution;
    struct structure operation;
    struct tensor tensor[TENSORS];
    struct argument arguments[TENSORS];
    bool any;      /* input and output in layouts of the library's choice; weights always */
    bool reorders; /* input and output in each call */
};

/* Strides of dense elements, the last dimension fastest. */
static void make_dense(struct tensor *tensor)
{
    int64_t stride = 1;
    for (int i = tensor->count - 1; i >= 0; i--) {
        tensor->strides[i] = stride;
        stride *= tensor->sizes[i];
    }
}

/* The same of (n, c, h, w) with the channels fastest. */
static void make_channels_last(struct tensor *tensor)
{
    const int64_t c = tensor->sizes[1], h = tensor->sizes[2], w = tensor->sizes[3];
    memcpy(tensor->strides, (const dimensions){h * w * c, 1, w * c, c}, sizeof(dimensions));
}

/* As the operand lies, and as the convolution may have it. */
static int describe(struct conv_plan *plan, struct tensor *t)
{
    if (plan->abi == 2) {
        t->user_md = &t->storage[0];
        t->wanted_md = &t->storage[t->any];
        return plan->abi2.md_strides(t->user_md, t->count, t->sizes, F32, t->strides) ||
               (t->any && plan->abi2.md_tag(t->wanted_md, t->count, t->sizes, F32, ANY));
    }
    int status = plan->abi3.md_strides(&t->user_md, t->count, t->sizes, F32, t->strides);
    if (status != 0 || !t->any) {
        t->wanted_md = t->user_md;
        return status;
    }
    return plan->abi3.md_tag(&t->wanted_md, t->count, t->sizes, F32, ANY);
}

static int create_reorder(struct conv_plan *plan, const void *from, const void *to, void **reorder)
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

static void execute(const struct conv_plan *plan, const void *primitive, int count,
                    const struct argument *arguments)
{
    plan->onednn.primitive_execute(primitive, plan->stream, count, arguments);
    plan->onednn.stream_wait(plan->stream);
}

static void reorder(const struct conv_plan *plan, int which)
{
    const struct tensor *tensor = &plan->tensor[which];
    if (!tensor->reorder)
        return;
    bool out = which == OUTPUT;
    execute(plan, tensor->reorder, 2,
            (const struct argument[]){{SOURCE, out ? tensor->memory : tensor->user_memory},
                                      {DESTINATION, out ? tensor->user_memory : tensor->memory}});
}

/* The memory that the convolution works on: the operand itself, or one in the layout that it
 * chose. */
static int attach(struct conv_plan *plan, int which)
{
    const struct onednn *onednn = &plan->onednn;
    struct tensor *tensor = &plan->tensor[which];
    int status =
        onednn->memory_create(&tensor->user_memory, tensor->user_md, plan->engine, tensor->bytes);
    plan->arguments[which] = (struct argument){names[which], tensor->user_memory};
    if (status != 0 || !tensor->any)
        return status;
    const void *chosen = onednn->query_md(plan->descriptor, queries[which], 0);
    size_t bytes = (onednn->md_bytes(chosen) + 63) / 64 * 64;
    tensor->own_bytes = aligned_alloc(64, bytes);
    if (!tensor->own_bytes)
        return 1;
    memset(tensor->own_bytes, 0, bytes); /* and touched by us: channels filled up stay 0 */
    const void *from = which == OUTPUT ? chosen : tensor->user_md,
               *to = which == OUTPUT ? tensor->user_md : chosen;
    status = onednn->memory_create(&tensor->memory, chosen, plan->engine, tensor->own_bytes);
    if (status == 0)
        status = create_reorder(plan, from, to, &tensor->reorder);
    plan->arguments[which].memory = tensor->memory;
    if (status == 0 && which != OUTPUT)
        reorder(plan, which);
    return status;
}

static void conv_close(void *context)
{
    struct conv_plan *plan = context;
    const struct onednn *onednn = &plan->onednn;
    for (int i = 0; i < TENSORS; i++) {
        struct tensor *tensor = &plan->tensor[i];
        if (tensor->reorder)
            onednn->primitive_destroy(tensor->reorder);
        if (tensor->memory)
            onednn->memory_destroy(tensor->memory);
        if (tensor->user_memory)
            onednn->memory_destroy(tensor->user_memory);
        free(tensor->own_bytes);
        if (plan->abi == 3 && tensor->wanted_md != tensor->user_md && tensor->wanted_md)
            plan->abi3.md_destroy(tensor->wanted_md);
        if (plan->abi == 3 && tensor->user_md)
            plan->abi3.md_destroy(tensor->user_md);
    }
    if (plan->convolution)
        onednn->primitive_destroy(plan->convolution);
    if (plan->descriptor)
        onednn->primitive_desc_destroy(plan->descriptor);
    if (plan->stream)
        onednn->stream_destroy(plan->stream);
    if (plan->engine)
        onednn->engine_destroy(plan->engine);
    free(plan);
}

/* Sizes and operands, by the letters of conv2d. */
static void name_tensors(struct conv_plan *plan, const struct problem *problem, int64_t p,
                         int64_t q)
{
#define LETTER(name) const int64_t name = kernel_letter(problem->kernel, problem->shape, #name)
    LETTER(n);
    LETTER(c);
    LETTER(h);
    LETTER(w);
    LETTER(k);
    LETTER(r);
    LETTER(s);
    LETTER(groups);
    LETTER(layout);
#undef LETTER
    plan->tensor[INPUT].count = plan->tensor[OUTPUT].count = 4;
    memcpy(plan->tensor[INPUT].sizes, (const dimensions){n, c, h, w}, sizeof(dimensions));
    memcpy(plan->tensor[OUTPUT].sizes, (const dimensions){n, k, p, q}, sizeof(dimensions));
    struct tensor *weights = &plan->tensor[KERNEL];
    weights->count = groups > 1 ? 5 : 4;
    if (groups > 1)
        memcpy(weights->sizes, (const dimensions){groups, k / groups, c / groups, r, s},
               sizeof(dimensions));
    else
        memcpy(weights->sizes, (const dimensions){k, c, r, s}, sizeof(dimensions));
    make_dense(weights);
    for (int i = INPUT; i <= OUTPUT; i += OUTPUT - INPUT)
        if (layout == LAYOUT_NHWC)
            make_channels_last(&plan->tensor[i]);
        else
            make_dense(&plan->tensor[i]);
    plan->tensor[OUTPUT].bytes = problem->operand[0];
    plan->tensor[INPUT].bytes = problem->operand[1];
    plan->tensor[KERNEL].bytes = problem->operand[2];
}

static int describe_convolution(struct conv_plan *plan, const struct problem *problem)
{
#define LETTER(name) const int64_t name = kernel_letter(problem->kernel, problem->shape, #name)
    LETTER(h);
    LETTER(w);
    LETTER(r);
    LETTER(s);
    LETTER(stride);
    LETTER(pad);
    LETTER(dilation);
#undef LETTER
    name_tensors(plan, problem, output_size(h, r, stride, pad, dilation),
                 output_size(w, s, stride, pad, dilation));
    const dimensions strides = {stride, stride}, padding = {pad, pad},
                     dilations = {dilation - 1, dilation - 1}; /* rows left out */
    const struct tensor *tensor = plan->tensor;
    int status = 0;
    for (int i = 0; i < TENSORS && status == 0; i++) {
        plan->tensor[i].any = plan->any || i == KERNEL;
        status = describe(plan, &plan->tensor[i]);
    }
    if (status != 0)
        return status;
    if (plan->abi == 3)
        return plan->abi3.convolution(&plan->descriptor, plan->engine, FORWARD_INFERENCE,
                                      CONVOLUTION_DIRECT, tensor[INPUT].wanted_md,
                                      tensor[KERNEL].wanted_md, NULL, tensor[OUTPUT].wanted_md,
                                      strides, dilations, padding, padding, NULL);
    status = plan->abi2.convolution(&plan->operation, FORWARD_INFERENCE, CONVOLUTION_DIRECT,
                                    tensor[INPUT].wanted_md, tensor[KERNEL].wanted_md, NULL,
                                    tensor[OUTPUT].wanted_md, strides, dilations, padding, padding);
    return status ? status
                  : plan->abi2.primitive_desc(&plan->descriptor, &plan->operation, NULL,
                                              plan->engine, NULL);
}

/* Engine, stream, primitive and memories; what exists is conv_close()'s to release. */
static int create_convolution(struct conv_plan *plan, const struct problem *problem)
{
    const struct onednn *onednn = &plan->onednn;
    int status = onednn->engine_create(&plan->engine, CPU, 0);
    if (status == 0)
        status = onednn->stream_create(&plan->stream, plan->engine, IN_ORDER);
    if (status == 0)
        status = describe_convolution(plan, problem);
    if (status == 0)
        status = onednn->primitive_create(&plan->convolution, plan->descriptor);
    for (int i = 0; i < TENSORS && status == 0; i++)
        status = attach(plan, i);
    return status;
}

static int conv_prepare(const struct problem *problem, const struct opened_library *opened,
                        bool any, bool reorders, void **context, struct error *error)
{
    if (kernel_letter(problem->kernel, problem->shape, "layout") == LAYOUT_NCHWC)
        return error_skip(error, "oneDNN is called with images in nchw or nhwc; its own blocked "
                                 "layouts are the variant 'onednn_any'");
    struct conv_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for a plan of conv2d");
    plan->any = any;
    plan->reorders = reorders;
    int result = begin(problem, opened, &plan->onednn, error);
    if (result != OK) {
        free(plan);
        return result;
    }
    plan->abi = plan->onednn.version()->major;
    result = plan->abi == 2 ? library_find(opened, abi2_functions, &plan->abi2, error)
                            : library_find(opened, abi3_functions, &plan->abi3, error);
    int status = result == OK ? create_convolution(plan, problem) : 0;
    if (status != 0)
        result =
            error_skip(error, "%s cannot do this convolution: status %d", opened->version, status);
    if (result == OK)
        *context = plan;
    else
        conv_close(plan);
    return result;
}

static int conv_prepare_given(const struct problem *problem, const struct opened_library *opened,
                              void **plan, struct error *error)
{
    return conv_prepare(problem, opened, false, false, plan, error);
}

static int conv_prepare_any(const struct problem *problem, const struct opened_library *opened,
                            void **plan, struct error *error)
{
    return conv_prepare(problem, opened, true, false, plan, error);
}

static int conv_prepare_reordered(const struct problem *problem,
                                  const struct opened_library *opened, void **plan,
                                  struct error *error)
{
    return conv_prepare(problem, opened, true, true, plan, error);
}

static void conv_run(void *context)
{
    const struct conv_plan *plan = context;
    if (plan->reorders)
        reorder(plan, INPUT);
    execute(plan, plan->convolution, TENSORS, plan->arguments);
    if (plan->reorders)
        reorder(plan, OUTPUT);
}

static void conv_deliver(void *plan)
{
    reorder(plan, OUTPUT);
}

const struct routine onednn_conv2d = {
    .library = &library, .prepare = conv_prepare_given, .run = conv_run, .close = conv_close};
const struct routine onednn_conv2d_any = {.library = &library,
                                          .prepare = conv_prepare_any,
                                          .run = conv_run,
                                          .deliver = conv_deliver,
                                          .close = conv_close};
const struct routine onednn_conv2d_reordered = {
    .library = &library, .prepare = conv_prepare_reordered, .run = conv_run, .close = conv_close};
