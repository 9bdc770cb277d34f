// onednn_abi.c - ABI 2 and ABI 3 of oneDNN.
//
// Of a structure that ABI 2 has filled in only an upper bound of the size is relied on. Values and
// prototypes: include/oneapi/dnnl/dnnl.h, dnnl_types.h and dnnl_common_types.h of v2.6 and v3.2,
// github.com/oneapi-src/oneDNN.
#include "onednn_abi.h"

#include <stddef.h>
#include <string.h>

enum {
    F32 = 3,
    ANY = 1, /* format tags */
    BLOCKS_OF_16_ABI2 = 69,
    BLOCKS_OF_16_ABI3 = 78,
    FORWARD_INFERENCE = 96,
    CONVOLUTION_DIRECT = 1,
    GIVEN_STATISTICS = 1, /* flags of norms */
    SCALE_AND_SHIFT_ABI2 = 0x8 | 0x10,
    SCALE_AND_SHIFT_ABI3 = 0x2 | 0x4
};

/* An operation of ABI 2; the largest, a convolution, has 5976 bytes. */
struct structure {
    _Alignas(16) char bytes[16384];
};

/* What a function that describes is called with. */
struct description {
    const struct onednn_abi *abi;
    const struct onednn_work *work;
    const struct onednn_layout *const *layouts;
    struct structure *structure; /* ABI 2 */
    void **descriptor, *engine;  /* ABI 3 */
    const void *attributes;
};

/* NULL where the work has no such tensor. */
static const void *md_of(const struct description *d, int argument)
{
    for (int i = 0; i < d->work->tensors; i++)
        if (d->work->tensor[i].argument == argument)
            return d->layouts[i]->md;
    return NULL;
}

/* Calls the function of the kind: in ABI 2 it begins with the structure, in ABI 3 with descriptor
 * and engine and ends with the attributes. `types` are those of the arguments between. */
#define UNPACK(...) __VA_ARGS__
#define CALL2(types, ...)                                                                          \
    ((int (*)(void *, UNPACK types))d->abi->describe)(d->structure, __VA_ARGS__)
#define CALL3(types, ...)                                                                          \
    ((int (*)(void **, void *, UNPACK types, const void *))d->abi->describe)(                      \
        d->descriptor, d->engine, __VA_ARGS__, d->attributes)
#define CALL(types, ...)                                                                           \
    (d->abi->version == 2 ? CALL2(types, __VA_ARGS__) : CALL3(types, __VA_ARGS__))

static int describe_convolution(const struct description *d)
{
    const struct onednn_work *w = d->work;
    return CALL((int, int, const void *, const void *, const void *, const void *, const int64_t *,
                 const int64_t *, const int64_t *, const int64_t *),
                FORWARD_INFERENCE, CONVOLUTION_DIRECT, md_of(d, ONEDNN_SOURCE),
                md_of(d, ONEDNN_WEIGHTS), md_of(d, ONEDNN_BIAS), md_of(d, ONEDNN_DESTINATION),
                w->step, w->dilation, w->before, w->after);
}

static int describe_matmul(const struct description *d)
{
    return CALL((const void *, const void *, const void *, const void *), md_of(d, ONEDNN_SOURCE),
                md_of(d, ONEDNN_WEIGHTS), md_of(d, ONEDNN_BIAS), md_of(d, ONEDNN_DESTINATION));
}

/* Elementwise functions, whose values differ. Where the library has a parameter that our function
 * has not, `fixed` is what makes them the same. */
struct function {
    const char *name;
    int abi2, abi3;
    bool is_fixed;
    double a, b;
};

static const struct function functions[] = {
    {"relu", 0x1f, 0x20, true, 0, 0},
    {"leaky_relu", 0x1f, 0x20, false, 0, 0},
    {"abs", 0x5f, 0x24, true, 0, 0},
    {"clip", 0xff, 0x2e, false, 0, 0},
    {"elu", 0x3f, 0x22, true, 1, 0},
    {"sigmoid", 0xaf, 0x29, true, 0, 0},
    {"tanh", 0x2f, 0x21, true, 0, 0},
    {"gelu", 0x30, 0x31, true, 0, 0},
    {"gelu_tanh", 0xcf, 0x2b, true, 0, 0},
    {"silu", 0xdf, 0x2c, true, 1, 0},
    {"hardswish", 0x70, 0x34, true, 1.0 / 6, 1.0 / 2},
    {"exp", 0xbf, 0x2a, true, 0, 0},
    {"log", 0xef, 0x2d, true, 0, 0},
    {"sqrt", 0x6f, 0x25, true, 0, 0},
    {"mish", 0x60, 0x33, true, 0, 0},
    {"scale_shift", 0x7f, 0x26, false, 0, 0},
    /* Of two arrays. */
    {"add", 0x1fff0, 0x1fff0, true, 0, 0},
    {"mul", 0x1fff1, 0x1fff1, true, 0, 0},
    {"max", 0x1fff2, 0x1fff2, true, 0, 0},
    {"min", 0x1fff3, 0x1fff3, true, 0, 0},
    {"div", 0x1fff4, 0x1fff4, true, 0, 0},
    {"sub", 0x1fff5, 0x1fff5, true, 0, 0},
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

/* The library's value and parameters; `a` and `b` are ours. */
struct algorithm {
    int value; /* 0: it has none */
    float a, b;
};

static struct algorithm algorithm_of(const struct onednn_abi *abi, const char *name, double a,
                                     double b)
{
    const struct function *f = functions;
    while (f < functions + FUNCTIONS && strcmp(f->name, name) != 0)
        f++;
    if (f == functions + FUNCTIONS)
        return (struct algorithm){0};
    return (struct algorithm){abi->version == 2 ? f->abi2 : f->abi3,
                              (float)(f->is_fixed ? f->a : a), (float)(f->is_fixed ? f->b : b)};
}

static int describe_eltwise(const struct description *d)
{
    const struct onednn_work *w = d->work;
    const struct algorithm f = algorithm_of(d->abi, w->function, w->a, w->b);
    const void *source = md_of(d, ONEDNN_SOURCE);
    if (d->abi->version == 2)
        return CALL2((int, int, const void *, float, float), FORWARD_INFERENCE, f.value, source,
                     f.a, f.b);
    return CALL3((int, int, const void *, const void *, float, float), FORWARD_INFERENCE, f.value,
                 source, md_of(d, ONEDNN_DESTINATION), f.a, f.b);
}

static int describe_binary(const struct description *d)
{
    return CALL((int, const void *, const void *, const void *),
                algorithm_of(d->abi, d->work->function, 0, 0).value, md_of(d, ONEDNN_SOURCE),
                md_of(d, ONEDNN_SOURCE_1), md_of(d, ONEDNN_DESTINATION));
}

/* ABI 2 has the logarithm as an operation of its own, ABI 3 as another algorithm. */
static int describe_softmax(const struct description *d)
{
    enum { ACCURATE = 0x30000, LOGARITHM = 0x30001 };
    const int algorithm = d->work->kind == ONEDNN_LOG_SOFTMAX ? LOGARITHM : ACCURATE;
    const void *source = md_of(d, ONEDNN_SOURCE);
    const int axis = d->work->tensor[0].rank - 1;
    if (d->abi->version == 2)
        return CALL2((int, const void *, int), FORWARD_INFERENCE, source, axis);
    return CALL3((int, int, const void *, const void *, int), FORWARD_INFERENCE, algorithm, source,
                 md_of(d, ONEDNN_DESTINATION), axis);
}

static int describe_layernorm(const struct description *d)
{
    const void *source = md_of(d, ONEDNN_SOURCE);
    const float epsilon = (float)d->work->a;
    if (d->abi->version == 2)
        return CALL2((int, const void *, const void *, float, unsigned), FORWARD_INFERENCE, source,
                     NULL, epsilon, SCALE_AND_SHIFT_ABI2);
    return CALL3((int, const void *, const void *, const void *, float, unsigned),
                 FORWARD_INFERENCE, source, md_of(d, ONEDNN_DESTINATION), NULL, epsilon,
                 SCALE_AND_SHIFT_ABI3);
}

static int describe_batchnorm(const struct description *d)
{
    const void *source = md_of(d, ONEDNN_SOURCE);
    const float epsilon = (float)d->work->a;
    if (d->abi->version == 2)
        return CALL2((int, const void *, float, unsigned), FORWARD_INFERENCE, source, epsilon,
                     GIVEN_STATISTICS | SCALE_AND_SHIFT_ABI2);
    return CALL3((int, const void *, const void *, float, unsigned), FORWARD_INFERENCE, source,
                 md_of(d, ONEDNN_DESTINATION), epsilon, GIVEN_STATISTICS | SCALE_AND_SHIFT_ABI3);
}

static int describe_pooling(const struct description *d)
{
    const struct onednn_work *w = d->work;
    return CALL((int, int, const void *, const void *, const int64_t *, const int64_t *,
                 const int64_t *, const int64_t *, const int64_t *),
                FORWARD_INFERENCE, (int)w->algorithm, md_of(d, ONEDNN_SOURCE),
                md_of(d, ONEDNN_DESTINATION), w->step, w->window, w->dilation, w->before, w->after);
}

static int describe_resampling(const struct description *d)
{
    return CALL((int, int, const float *, const void *, const void *), FORWARD_INFERENCE,
                (int)d->work->algorithm, NULL, md_of(d, ONEDNN_SOURCE),
                md_of(d, ONEDNN_DESTINATION));
}

static int describe_reduction(const struct description *d)
{
    return CALL((int, const void *, const void *, float, float), (int)d->work->algorithm,
                md_of(d, ONEDNN_SOURCE), md_of(d, ONEDNN_DESTINATION), (float)d->work->a, 0);
}

static const struct kind {
    const char *abi2, *abi3;
    int (*describe)(const struct description *d);
} kinds[] = {
    [ONEDNN_CONVOLUTION] = {"dnnl_dilated_convolution_forward_desc_init",
                            "dnnl_convolution_forward_primitive_desc_create", describe_convolution},
    [ONEDNN_MATMUL] = {"dnnl_matmul_desc_init", "dnnl_matmul_primitive_desc_create",
                       describe_matmul},
    [ONEDNN_ELTWISE] = {"dnnl_eltwise_forward_desc_init",
                        "dnnl_eltwise_forward_primitive_desc_create", describe_eltwise},
    [ONEDNN_BINARY] = {"dnnl_binary_desc_init", "dnnl_binary_primitive_desc_create",
                       describe_binary},
    [ONEDNN_SOFTMAX] = {"dnnl_softmax_forward_desc_init",
                        "dnnl_softmax_forward_primitive_desc_create", describe_softmax},
    [ONEDNN_LOG_SOFTMAX] = {"dnnl_logsoftmax_forward_desc_init",
                            "dnnl_softmax_forward_primitive_desc_create", describe_softmax},
    [ONEDNN_LAYERNORM] = {"dnnl_layer_normalization_forward_desc_init",
                          "dnnl_layer_normalization_forward_primitive_desc_create",
                          describe_layernorm},
    [ONEDNN_BATCHNORM] = {"dnnl_batch_normalization_forward_desc_init",
                          "dnnl_batch_normalization_forward_primitive_desc_create",
                          describe_batchnorm},
    [ONEDNN_POOLING] = {"dnnl_pooling_v2_forward_desc_init",
                        "dnnl_pooling_forward_primitive_desc_create", describe_pooling},
    [ONEDNN_RESAMPLING] = {"dnnl_resampling_forward_desc_init",
                           "dnnl_resampling_forward_primitive_desc_create", describe_resampling},
    [ONEDNN_REDUCTION] = {"dnnl_reduction_desc_init", "dnnl_reduction_primitive_desc_create",
                          describe_reduction},
};

int onednn_abi_find(struct onednn_abi *abi, const struct opened_library *opened, int version,
                    enum onednn_kind kind, struct error *error)
{
    const struct library_function both_functions[] = {
        {"dnnl_post_ops_append_binary", offsetof(struct onednn_abi, append_binary)},
        {"dnnl_post_ops_append_sum", offsetof(struct onednn_abi, append_sum)},
        {"dnnl_post_ops_append_eltwise", offsetof(struct onednn_abi, append_eltwise)},
        {0},
    };
    const struct library_function abi2_functions[] = {
        {"dnnl_memory_desc_init_by_strides", offsetof(struct onednn_abi, init_by_strides)},
        {"dnnl_memory_desc_init_by_tag", offsetof(struct onednn_abi, init_by_tag)},
        {"dnnl_primitive_desc_create", offsetof(struct onednn_abi, primitive_desc)},
        {kinds[kind].abi2, offsetof(struct onednn_abi, describe)},
        {0},
    };
    const struct library_function abi3_functions[] = {
        {"dnnl_memory_desc_create_with_strides", offsetof(struct onednn_abi, create_with_strides)},
        {"dnnl_memory_desc_create_with_tag", offsetof(struct onednn_abi, create_with_tag)},
        {"dnnl_memory_desc_destroy", offsetof(struct onednn_abi, destroy)},
        {kinds[kind].abi3, offsetof(struct onednn_abi, describe)},
        {0},
    };
    *abi = (struct onednn_abi){.version = version, .kind = kind};
    const int result = library_find(opened, both_functions, abi, error);
    return result != OK
               ? result
               : library_find(opened, version == 2 ? abi2_functions : abi3_functions, abi, error);
}

int onednn_layout_create(const struct onednn_abi *abi, const struct onednn_tensor *tensor, bool any,
                         struct onednn_layout *layout)
{
    const int rank = tensor->rank, tag = any                 ? ANY
                                         : abi->version == 3 ? BLOCKS_OF_16_ABI3
                                                             : BLOCKS_OF_16_ABI2;
    const bool by_tag = any || tensor->blocked;
    if (abi->version == 3)
        return by_tag ? abi->create_with_tag(&layout->md, rank, tensor->sizes, F32, tag)
                      : abi->create_with_strides(&layout->md, rank, tensor->sizes, F32,
                                                 tensor->strides);
    layout->md = layout->storage;
    return by_tag ? abi->init_by_tag(layout->md, rank, tensor->sizes, F32, tag)
                  : abi->init_by_strides(layout->md, rank, tensor->sizes, F32, tensor->strides);
}

void onednn_layout_release(const struct onednn_abi *abi, struct onednn_layout *layout)
{
    if (layout->md && abi->version == 3)
        abi->destroy(layout->md);
    layout->md = NULL;
}

int onednn_argument(const struct onednn_abi *abi, int argument)
{
    enum { POST_OP_ABI2 = 16384 };
    return abi->version == 3 || argument < ONEDNN_POST_OP
               ? argument
               : argument / ONEDNN_POST_OP * POST_OP_ABI2 | argument % ONEDNN_POST_OP;
}

static int append_sum(const struct onednn_abi *abi, void *post_ops, float factor)
{
    if (abi->version == 3) /* a zero point and the destination's format follow */
        return ((int (*)(void *, float, int32_t, int))abi->append_sum)(post_ops, factor, 0, 0);
    return ((int (*)(void *, float))abi->append_sum)(post_ops, factor);
}

static int append_eltwise(const struct onednn_abi *abi, void *post_ops, struct algorithm f)
{
    if (abi->version == 3)
        return ((int (*)(void *, int, float, float))abi->append_eltwise)(post_ops, f.value, f.a,
                                                                         f.b);
    const float scale = 1; /* of the result */
    return ((int (*)(void *, float, int, float, float))abi->append_eltwise)(post_ops, scale,
                                                                            f.value, f.a, f.b);
}

int onednn_append_post_ops(const struct onednn_abi *abi, const struct onednn_work *work,
                           const struct onednn_layout *const *layouts, void *post_ops)
{
    const struct description d = {.abi = abi, .work = work, .layouts = layouts};
    int status = 0;
    for (int i = 0; i < work->post_ops && status == 0; i++) {
        const struct onednn_post_op *op = &work->post_op[i];
        if (op->kind == ONEDNN_OLD_RESULT)
            status = append_sum(abi, post_ops, (float)op->a);
        else if (op->kind == ONEDNN_WITH_TENSOR)
            status =
                abi->append_binary(post_ops, algorithm_of(abi, op->function, op->a, op->b).value,
                                   md_of(&d, ONEDNN_POST_OP * (i + 1) | ONEDNN_SOURCE_1));
        else
            status = append_eltwise(abi, post_ops, algorithm_of(abi, op->function, op->a, op->b));
    }
    return status;
}

int onednn_describe(const struct onednn_abi *abi, const struct onednn_work *work,
                    const struct onednn_layout *const *layouts, void *engine,
                    const void *attributes, void **descriptor)
{
    struct structure structure = {0};
    const struct description d = {abi, work, layouts, &structure, descriptor, engine, attributes};
    int status = kinds[abi->kind].describe(&d);
    return status != 0 || abi->version == 3
               ? status
               : abi->primitive_desc(descriptor, &structure, attributes, engine, NULL);
}
