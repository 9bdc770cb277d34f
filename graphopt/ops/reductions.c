// reductions.c - the family that makes one number of all along some axes: ReduceSum, ReduceMax ...
#include <math.h>

#include "launches.h"
#include "operands.h"
#include "wide.h"

enum kind {
    KIND_SUM,
    KIND_MEAN,
    KIND_MAX,
    KIND_MIN,
    KIND_PROD,
    KIND_L1,
    KIND_L2,
    KIND_LOG_SUM,
    KIND_LOG_SUM_EXP,
    KIND_SUM_SQUARE,
};

/* A member: what it computes, the opset since which the axes are an input, and the word of the
 * kernel `reduce` (-1: none) with what a second kernel makes of its result (NULL: nothing). */
struct reduction {
    enum kind kind;
    int axes_input_since;
    int kernel_op;
    const char *then;
};

/* ---- axes ---- */

struct axes {
    bool is_known;
    int count; /* -1: not even that is known */
    bool is_reduced[RANK_MAX];
};

/* The list in the attribute or the input; *count -1: not known. */
static int read_axes(const struct site *site, const long **list, int *count, struct error *error)
{
    const int since = ((const struct reduction *)site->node->op->detail)->axes_input_since;
    const struct array *input = site_input(site, 1);
    const bool has_attribute = node_attribute(site->node, "axes") != NULL;
    if (site->node->opset < since ? input != NULL : has_attribute)
        return error_set(error, FAULT_IO,
                         "axes are %s at opset %d; they became an input with opset %d",
                         input ? "an input" : "an attribute", site->node->opset, since);
    if (site->node->opset < since) {
        *list = node_integers(site->node, "axes", count);
        return OK;
    }
    const long length = input ? type_elements(&input->type) : 0;
    if (site_integers(site, 1, list, count, error) != OK)
        return FAILED;
    if (length != 0 && !*list)
        *count = length < 0 || length > RANK_MAX ? -1 : (int)length;
    return OK;
}

/* Of an input of known rank. */
static int find_axes(const struct site *site, int rank, struct axes *axes, struct error *error)
{
    const long *list;
    *axes = (struct axes){0};
    if (read_axes(site, &list, &axes->count, error) != OK)
        return FAILED;
    axes->is_known = list || axes->count == 0;
    if (axes->is_known && axes->count == 0 &&
        !node_integer(site->node, "noop_with_empty_axes", 0)) {
        for (int i = 0; i < rank; i++)
            axes->is_reduced[i] = true;
        axes->count = rank;
        return OK;
    }
    return list ? axes_mark(list, axes->count, rank, axes->is_reduced, error) : OK;
}

/* Dims of the result; `keep` leaves 1 in the place of an axis. */
static struct type type_reduced(const struct type *in, const struct axes *axes, bool keep)
{
    struct type out = {.element = in->element, .rank = 0};
    if (!axes->is_known) {
        out.rank = keep ? in->rank : axes->count < 0 ? -1 : in->rank - axes->count;
        for (int i = 0; i < out.rank; i++)
            out.dims[i] = -1;
        return out;
    }
    for (int i = 0; i < in->rank; i++) {
        if (axes->is_reduced[i] && !keep)
            continue;
        out.dims[out.rank] = axes->is_reduced[i] ? 1 : in->dims[i];
        out.symbol[out.rank++] = axes->is_reduced[i] ? 0 : in->symbol[i];
    }
    return out;
}

static int infer(struct site *site, struct error *error)
{
    const struct reduction *reduction = site->node->op->detail;
    const struct type in = site_type(site, 0);
    const bool takes_bool = reduction->kind == KIND_MAX || reduction->kind == KIND_MIN;
    if (in.element != ELEMENT_NONE && !element_is_real(in.element) &&
        !element_is_whole(in.element) && !(in.element == ELEMENT_bool && takes_bool))
        return error_set(error, FAULT_IO, "there is no %s of elements '%s'", site->node->type,
                         element_name(in.element));
    site->output[0].type = UNKNOWN_TYPE;
    site->output[0].type.element = in.element;
    if (in.rank < 0)
        return OK;
    struct axes axes;
    if (find_axes(site, in.rank, &axes, error) != OK)
        return FAILED;
    if (axes.count > in.rank)
        return error_set(error, FAULT_IO, "%d axes to reduce, but the input has %d dimensions",
                         axes.count, in.rank);
    site->output[0].type = type_reduced(&in, &axes, node_integer(site->node, "keepdims", 1) != 0);
    return OK;
}

/* ---- plain loops ---- */

static double real_start(enum kind kind)
{
    switch (kind) {
    case KIND_MAX:
    case KIND_LOG_SUM_EXP: /* of the first pass */
        return -INFINITY;
    case KIND_MIN:
        return INFINITY;
    default:
        return kind == KIND_PROD;
    }
}

/* A NaN stays, as in numpy. */
static double real_joined(enum kind kind, double y, double x)
{
    switch (kind) {
    case KIND_MAX:
        return isnan(y) || y > x ? y : x;
    case KIND_MIN:
        return isnan(y) || y < x ? y : x;
    case KIND_PROD:
        return y * x;
    case KIND_L1:
        return y + fabs(x);
    case KIND_L2:
    case KIND_SUM_SQUARE:
        return y + x * x;
    default:
        return y + x;
    }
}

static double real_finished(enum kind kind, double y, double count)
{
    switch (kind) {
    case KIND_MEAN:
        return y / count;
    case KIND_L2:
        return sqrt(y);
    case KIND_LOG_SUM:
        return log(y);
    default:
        return y;
    }
}

/* Where the elements of the input go: its dims, and strides over the output. */
struct walk {
    const struct array *in;
    long count, outputs;
    long stride[RANK_MAX];
};

static struct walk walk_of(const struct site *site, const struct axes *axes)
{
    const struct type *in = &site->input[0].type;
    struct walk walk = {.in = &site->input[0],
                        .count = type_elements(in),
                        .outputs = type_elements(&site->output[0].type)};
    long stride = 1;
    for (int i = in->rank - 1; i >= 0; i--) {
        walk.stride[i] = axes->is_reduced[i] ? 0 : stride;
        stride *= axes->is_reduced[i] ? 1 : in->dims[i];
    }
    return walk;
}

static void join_reals(const struct walk *walk, enum kind kind, double *y)
{
    long at[RANK_MAX] = {0};
    for (long i = 0; i < walk->outputs; i++)
        y[i] = real_start(kind);
    for (long i = 0; i < walk->count; i++) {
        double *to = &y[place_offset(walk->in->type.rank, walk->stride, at)];
        *to = real_joined(kind, *to, element_real(walk->in->data, walk->in->type.element, i));
        place_next(&walk->in->type, at);
    }
}

/* y holds the maxima on entry, so that no exponential overflows. */
static void log_sum_exp(const struct walk *walk, double *y, double *sum)
{
    long at[RANK_MAX] = {0};
    for (long i = 0; i < walk->count; i++) {
        const long to = place_offset(walk->in->type.rank, walk->stride, at);
        const double shift = isfinite(y[to]) ? y[to] : 0;
        sum[to] += exp(element_real(walk->in->data, walk->in->type.element, i) - shift);
        place_next(&walk->in->type, at);
    }
    for (long i = 0; i < walk->outputs; i++)
        y[i] = log(sum[i]) + (isfinite(y[i]) ? y[i] : 0);
}

static void evaluate_reals(struct site *site, const struct walk *walk, double *y)
{
    const struct reduction *reduction = site->node->op->detail;
    const enum kind kind = reduction->kind;
    const struct array *out = &site->output[0];
    const double each = walk->outputs ? (double)walk->count / (double)walk->outputs : 0;
    join_reals(walk, kind == KIND_LOG_SUM_EXP ? KIND_MAX : kind, y);
    if (kind == KIND_LOG_SUM_EXP)
        log_sum_exp(walk, y, y + walk->outputs);
    for (long i = 0; i < walk->outputs; i++)
        element_put_real(out->data, out->type.element, i, real_finished(kind, y[i], each));
}

/* The largest or smallest number of the element. */
static wide extreme(enum element element, bool is_largest)
{
    if (element == ELEMENT_bool)
        return is_largest;
    const int bits = element_bits(element);
    const bool is_signed = element_is_signed(element);
    if (is_largest)
        return ((wide)1 << (is_signed ? bits - 1 : bits)) - 1;
    return is_signed ? -((wide)1 << (bits - 1)) : 0;
}

/* Sums and products modulo 2^64, but for the mean's. */
static wide whole_joined(enum kind kind, wide y, wide x)
{
    const uint64_t low_y = (uint64_t)y, low_x = (uint64_t)x;
    switch (kind) {
    case KIND_MAX:
        return x > y ? x : y;
    case KIND_MIN:
        return x < y ? x : y;
    case KIND_PROD:
        return (wide)(low_y * low_x);
    case KIND_L1:
        return (wide)(low_y + (x < 0 ? 0 - low_x : low_x));
    case KIND_SUM_SQUARE:
        return (wide)(low_y + low_x * low_x);
    default:
        return y + x; /* 2^48 of at most 64 bits */
    }
}

static void evaluate_wholes(struct site *site, const struct walk *walk, wide *y)
{
    const struct reduction *reduction = site->node->op->detail;
    const enum kind kind = reduction->kind;
    const struct array *out = &site->output[0];
    const enum element element = walk->in->type.element;
    const wide each = walk->outputs ? walk->count / walk->outputs : 0;
    long at[RANK_MAX] = {0};
    for (long i = 0; i < walk->outputs; i++)
        y[i] = kind == KIND_MAX   ? extreme(element, false)
               : kind == KIND_MIN ? extreme(element, true)
                                  : kind == KIND_PROD;
    for (long i = 0; i < walk->count; i++) {
        wide *to = &y[place_offset(walk->in->type.rank, walk->stride, at)];
        *to = whole_joined(kind, *to, wide_at(walk->in->data, element, i));
        place_next(&walk->in->type, at);
    }
    for (long i = 0; i < walk->outputs; i++)
        wide_put(out->data, element, i, kind == KIND_MEAN && each ? y[i] / each : y[i]);
}

static int evaluate(struct site *site, struct error *error)
{
    const struct reduction *reduction = site->node->op->detail;
    const enum kind kind = reduction->kind;
    const enum element element = site->input[0].type.element;
    struct axes axes;
    if (find_axes(site, site->input[0].type.rank, &axes, error) != OK)
        return FAILED;
    const struct walk walk = walk_of(site, &axes);
    wide *y = arena_take_array(site->arena, (size_t)walk.outputs, sizeof *y); /* or two doubles */
    if (!y)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    const bool is_exact = kind != KIND_L2 && kind != KIND_LOG_SUM && kind != KIND_LOG_SUM_EXP;
    if (is_exact && !element_is_real(element))
        evaluate_wholes(site, &walk, y);
    else
        evaluate_reals(site, &walk, (double *)y);
    return OK;
}

/* ---- the kernels ---- */

/* Neighbouring dims that are all reduced or all kept are one; those of 1 element are left out. */
struct segments {
    long length[RANK_MAX];
    bool is_reduced[RANK_MAX];
    int count, reduced_count;
};

static struct segments segments_of(const struct type *in, const struct axes *axes)
{
    struct segments segments = {.count = 0};
    for (int i = 0; i < in->rank; i++) {
        if (in->dims[i] == 1)
            continue;
        if (segments.count && segments.is_reduced[segments.count - 1] == axes->is_reduced[i]) {
            segments.length[segments.count - 1] *= in->dims[i];
            continue;
        }
        segments.length[segments.count] = in->dims[i];
        segments.is_reduced[segments.count++] = axes->is_reduced[i];
        segments.reduced_count += axes->is_reduced[i];
    }
    if (segments.reduced_count == 0) { /* a root or a square has to be taken all the same */
        segments.length[segments.count] = 1;
        segments.is_reduced[segments.count++] = true;
        segments.reduced_count = 1;
    }
    return segments;
}

static long product_of(const struct segments *segments, int from, int to)
{
    long product = 1;
    for (int i = from; i < to; i++)
        product *= segments->length[i];
    return product;
}

/* Reduced segments from the last to the first, each by one launch, results between them in
 * scratch. */
static int add_reductions(const struct site *site, struct lowering *lowering,
                          struct segments *segments, enum dtype dtype, struct error *error)
{
    const struct reduction *reduction = site->node->op->detail;
    struct launch_operand from = of_input(0);
    for (int i = segments->count - 1; i >= 0; i--) {
        if (!segments->is_reduced[i])
            continue;
        struct launch *launch = launches_add(site, lowering, "reduce", dtype, error);
        if (!launch)
            return FAILED;
        const long outer = product_of(segments, 0, i);
        const long inner = product_of(segments, i + 1, segments->count);
        launch_letter(launch, "outer", outer);
        launch_letter(launch, "axis", segments->length[i]);
        launch_letter(launch, "inner", inner);
        launch_letter(launch, "op", reduction->kernel_op);
        launch->operand[1] = from;
        from = --segments->reduced_count ? launches_scratch(lowering, outer * inner, dtype)
                                         : of_output(0);
        launch->operand[0] = from;
        segments->length[i] = 1;
    }
    return OK;
}

/* The mean over an image, which has a kernel of its own; -1: it is none. */
static int pooled_layout(const struct type *in, const struct axes *axes)
{
    if (in->rank != 4 || axes->is_reduced[0] || !axes->is_reduced[2] ||
        axes->is_reduced[1] == axes->is_reduced[3])
        return -1;
    return axes->is_reduced[1]; /* the kernel's words: nchw, nhwc */
}

static int add_pool(const struct site *site, struct lowering *lowering, int layout,
                    enum dtype dtype, struct error *error)
{
    const long *dims = site->input[0].type.dims;
    struct launch *launch = launches_add(site, lowering, "global_average_pool", dtype, error);
    if (!launch)
        return FAILED;
    launch_letter(launch, "n", dims[0]);
    launch_letter(launch, "c", dims[layout ? 3 : 1]);
    launch_letter(launch, "h", dims[layout ? 1 : 2]);
    launch_letter(launch, "w", dims[layout ? 2 : 3]);
    launch_letter(launch, "layout", layout);
    launch->operand[0] = of_output(0);
    launch->operand[1] = of_input(0);
    return OK;
}

/* The square or the logarithm of the output, in its place. */
static int add_last(const struct site *site, struct lowering *lowering, const char *kernel,
                    enum dtype dtype, struct error *error)
{
    struct launch *launch = launches_add(site, lowering, kernel, dtype, error);
    if (!launch)
        return FAILED;
    launch_letter(launch, "n", type_elements(&site->output[0].type));
    for (int i = 0; i < 3; i++)
        launch->operand[i] = of_output(0);
    return OK;
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct reduction *reduction = site->node->op->detail;
    const struct type *in = &site->input[0].type;
    enum dtype dtype;
    struct axes axes;
    if (reduction->kernel_op < 0)
        return error_skip(error, "kernel 'reduce' has no %s", site->node->type);
    if (element_dtype(in->element, &dtype, error) != OK)
        return SKIPPED;
    if (find_axes(site, in->rank, &axes, error) != OK)
        return FAILED;
    if (!axes.is_known)
        return error_skip(error, "the axes are not known before it runs");
    if (type_elements(in) == 0)
        return error_skip(error, "there is nothing to reduce");
    const int layout = reduction->kind == KIND_MEAN ? pooled_layout(in, &axes) : -1;
    if (layout >= 0)
        return add_pool(site, lowering, layout, dtype, error);
    struct segments segments = segments_of(in, &axes);
    if (add_reductions(site, lowering, &segments, dtype, error) != OK)
        return FAILED;
    return reduction->then ? add_last(site, lowering, reduction->then, dtype, error) : OK;
}

static double flops(const struct site *site)
{
    return (double)type_elements(&site->input[0].type);
}

static const struct attribute_rule attributes[] = {{"axes", ATTRIBUTE_INTS, false},
                                                   {"keepdims", ATTRIBUTE_INT, false},
                                                   {"noop_with_empty_axes", ATTRIBUTE_INT, false},
                                                   {0}};

/* X(name, kind, opset of the axes as input, word of the kernel, kernel that follows, formula) */
#define REDUCTION_LIST(X)                                                                          \
    X(Sum, KIND_SUM, 13, 0, NULL, "the sum")                                                       \
    X(Mean, KIND_MEAN, 18, 1, NULL, "the mean")                                                    \
    X(Max, KIND_MAX, 18, 2, NULL, "the largest")                                                   \
    X(Min, KIND_MIN, 18, 3, NULL, "the smallest")                                                  \
    X(Prod, KIND_PROD, 18, -1, NULL, "the product")                                                \
    X(L1, KIND_L1, 18, -1, NULL, "the sum of the magnitudes")                                      \
    X(L2, KIND_L2, 18, 4, NULL, "the root of the sum of the squares")                              \
    X(LogSum, KIND_LOG_SUM, 18, 0, "log", "the logarithm of the sum")                              \
    X(LogSumExp, KIND_LOG_SUM_EXP, 18, -1, NULL, "the logarithm of the sum of the exponentials")   \
    X(SumSquare, KIND_SUM_SQUARE, 18, 4, "mul", "the sum of the squares")

#define X(member, kind_value, since_opset, word, kernel, formula)                                  \
    static const struct reduction member##_reduction = {kind_value, since_opset, word, kernel};    \
    const struct op onnx_Reduce##member##_op = {                                                   \
        .domain = "",                                                                              \
        .name = "Reduce" #member,                                                                  \
        .summary = "y = " formula " along the axes",                                               \
        .inputs_min = 1,                                                                           \
        .inputs_max = 2,                                                                           \
        .outputs_min = 1,                                                                          \
        .outputs_max = 1,                                                                          \
        .attributes = attributes,                                                                  \
        .infer = infer,                                                                            \
        .evaluate = evaluate,                                                                      \
        .lower = lower,                                                                            \
        .flops = flops,                                                                            \
        .detail = &member##_reduction,                                                             \
    };
REDUCTION_LIST(X)
#undef X
