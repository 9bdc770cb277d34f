// resizing.c - Resize and Upsample: arrays of another size along any of their axes.
#include <math.h>
#include <string.h>

#include "moves.h"
#include "resize_axis.h"
#include "resize_tap.h"

/* What attributes and inputs say. */
struct resize {
    struct resize_rule rule;
    bool is_resized[RANK_MAX];
    struct resize_axis axis[RANK_MAX]; /* in, out: -1 unknown */
};

/* ---- attributes ---- */

/* Upsample, and Resize of opset 10, which is the same: input 1 is the scales. */
static bool has_scales_first(const struct node *node)
{
    return node->opset < 11 || strcmp(node->type, "Upsample") == 0;
}

static int read_rule(const struct node *node, struct resize_rule *rule, struct error *error)
{
    static const char *const modes[] = {"nearest", "linear", "cubic", "bilinear", NULL};
#define X(name) #name,
    static const char *const coordinates[] = {COORDINATES_LIST(X) NULL};
    static const char *const roundings[] = {ROUNDING_LIST(X) NULL};
#undef X
    int mode, where, rounding;
    if (word_read(node, "mode", modes, &mode, error) != OK ||
        word_read(node, "coordinate_transformation_mode", coordinates, &where, error) != OK ||
        word_read(node, "nearest_mode", roundings, &rounding, error) != OK)
        return FAILED;
    *rule = (struct resize_rule){.mode = mode == 3 ? RESIZE_LINEAR : (enum resize_mode)mode,
                                 .coordinates = (enum coordinates)where,
                                 .rounding = (enum rounding)rounding,
                                 .antialias = node_integer(node, "antialias", 0) != 0,
                                 .excludes_outside = node_integer(node, "exclude_outside", 0) != 0,
                                 .cubic_a = node_real(node, "cubic_coeff_a", -0.75)};
    if (has_scales_first(node)) {
        rule->coordinates = COORDINATES_asymmetric;
        rule->rounding = ROUNDING_by_direction;
    }
    return OK;
}

/* The axes that scales, sizes and roi are about: their numbers in `axes`. */
static int read_axes(const struct site *site, int axes[RANK_MAX], int *count, struct error *error)
{
    const int rank = site_type(site, 0).rank;
    bool marked[RANK_MAX];
    const long *list = node_integers(site->node, "axes", count);
    if (!list)
        *count = rank;
    if (list && axes_mark(list, *count, rank, marked, error) != OK)
        return FAILED;
    for (int i = 0; i < *count; i++)
        axes[i] = (int)(list && list[i] < 0 ? list[i] + rank : list ? list[i] : i);
    return OK;
}

/* ---- sizes ---- */

/* The scales, from the attribute of Upsample up to opset 8 or from an input: OK with *scales NULL
 * where they are absent, empty or not known. */
static int read_scales(const struct site *site, int count, const double **scales,
                       struct error *error)
{
    const struct array *input = site_input(site, has_scales_first(site->node) ? 1 : 2);
    int given;
    *scales = node_reals(site->node, "scales", &given);
    if (!*scales && input && input->data) {
        const long elements = type_elements(&input->type);
        given = elements > RANK_MAX ? RANK_MAX + 1 : (int)elements;
        double *list = arena_take_array(site->arena, RANK_MAX + 1, sizeof *list);
        if (!list)
            return error_set(error, FAULT_ENVIRONMENT, "out of memory");
        for (int i = 0; i < given && i < elements; i++)
            list[i] = element_real(input->data, input->type.element, i);
        *scales = given > 0 ? list : NULL;
    }
    if (*scales && given != count)
        return error_set(error, FAULT_IO, "there are %d scales for %d dimensions", given, count);
    for (int i = 0; *scales && i < given; i++)
        if (!((*scales)[i] > 0) || isinf((*scales)[i]))
            return error_set(error, FAULT_IO, "scale %d is %g; it has to be above 0", i,
                             (*scales)[i]);
    return OK;
}

/* Output lines are the product in float, as those who export models compute it. */
static int scale_axis(struct resize_axis *axis, double scale, struct error *error)
{
    axis->scale = scale;
    if (axis->in < 0)
        return OK;
    const float out = floorf((float)axis->in * (float)scale);
    if (out > (float)ELEMENTS_MAX)
        return error_set(error, FAULT_IO, "%ld lines scaled by %g are more than %ld", axis->in,
                         scale, ELEMENTS_MAX);
    axis->out = (long)out;
    axis->width = (double)axis->in * scale;
    if (axis->in > 0 && (float)scale == (float)((double)axis->out / (double)axis->in))
        axis->width = (double)axis->out;
    return OK;
}

/* One scale for all axes: the smallest or largest of those that the sizes ask for. */
static void keep_aspect(struct resize *resize, const int *axes, int count, const long *sizes,
                        bool is_smallest)
{
    double scale = NAN;
    for (int i = 0; i < count; i++) {
        const double own = (double)sizes[i] / (double)resize->axis[axes[i]].in;
        if (resize->axis[axes[i]].in < 0)
            return;
        if (resize->axis[axes[i]].in == 0)
            continue;
        if (isnan(scale) || (is_smallest ? own < scale : own > scale))
            scale = own;
    }
    for (int i = 0; i < count; i++) {
        struct resize_axis *axis = &resize->axis[axes[i]];
        if (axis->in == 0) {
            axis->out = 0;
            continue;
        }
        axis->scale = scale;
        axis->width = scale * (double)axis->in;
        axis->out =
            axis->width < (double)ELEMENTS_MAX ? (long)floor(axis->width + 0.5) : ELEMENTS_MAX;
    }
}

static int size_axes(const struct site *site, struct resize *resize, const int *axes, int count,
                     const long *sizes, struct error *error)
{
    static const char *const policies[] = {"stretch", "not_larger", "not_smaller", NULL};
    int policy;
    if (word_read(site->node, "keep_aspect_ratio_policy", policies, &policy, error) != OK)
        return FAILED;
    for (int i = 0; i < count; i++) {
        struct resize_axis *axis = &resize->axis[axes[i]];
        if (sizes[i] < 0 || sizes[i] > ELEMENTS_MAX)
            return error_set(error, FAULT_IO, "size %d is %ld; it may be 0 to %ld", i, sizes[i],
                             ELEMENTS_MAX);
        if (axis->in == 0 && sizes[i] > 0)
            return error_set(error, FAULT_IO, "dimension %d has no elements to make %ld of",
                             axes[i], sizes[i]);
        if (policy == 0) {
            axis->out = sizes[i];
            axis->width = (double)sizes[i];
            axis->scale = axis->in > 0 ? axis->width / (double)axis->in : 1;
        }
    }
    if (policy != 0)
        keep_aspect(resize, axes, count, sizes, policy == 1);
    return OK;
}

/* Starts and ends of all axes where they are known. */
static int read_roi(const struct site *site, struct resize *resize, const int *axes, int count,
                    struct error *error)
{
    const struct array *roi = site_input(site, 1);
    if (resize->rule.coordinates != COORDINATES_tf_crop_and_resize)
        return OK;
    if (!roi)
        return error_set(error, FAULT_IO, "tf_crop_and_resize needs 'roi', which is absent");
    if (!roi->data)
        return OK;
    if (type_elements(&roi->type) != 2 * count)
        return error_set(error, FAULT_IO, "'roi' has %ld values; there have to be %d",
                         type_elements(&roi->type), 2 * count);
    for (int i = 0; i < count; i++) {
        resize->axis[axes[i]].start = element_real(roi->data, roi->type.element, i);
        resize->axis[axes[i]].end = element_real(roi->data, roi->type.element, count + i);
    }
    return OK;
}

/* Whether input i says something, now or when the graph runs. */
static bool is_given(const struct site *site, int i)
{
    const struct array *input = site_input(site, i);
    return input && (!input->data || type_elements(&input->type) > 0);
}

/* The rank of x is known. */
static int read_resize(const struct site *site, struct resize *resize, struct error *error)
{
    const struct type x = site_type(site, 0);
    int axes[RANK_MAX], count, size_count = 0;
    const double *scales;
    const long *sizes = NULL;
    if (read_rule(site->node, &resize->rule, error) != OK ||
        read_axes(site, axes, &count, error) != OK)
        return FAILED;
    for (int i = 0; i < x.rank; i++) {
        resize->is_resized[i] = false;
        resize->axis[i] = (struct resize_axis){x.dims[i], x.dims[i], 1, (double)x.dims[i], 0, 1};
    }
    for (int i = 0; i < count; i++) {
        resize->is_resized[axes[i]] = true;
        resize->axis[axes[i]].out = -1;
        resize->axis[axes[i]].scale = NAN; /* until it is known */
    }
    if (read_roi(site, resize, axes, count, error) != OK ||
        read_scales(site, count, &scales, error) != OK ||
        (!has_scales_first(site->node) && site_integers(site, 3, &sizes, &size_count, error) != OK))
        return FAILED;
    if (sizes && size_count > 0) {
        if (size_count != count)
            return error_set(error, FAULT_IO, "there are %d sizes for %d dimensions", size_count,
                             count);
        return size_axes(site, resize, axes, count, sizes, error);
    }
    if (!scales && !is_given(site, has_scales_first(site->node) ? 1 : 2) &&
        (has_scales_first(site->node) || !is_given(site, 3)))
        return error_set(error, FAULT_IO, "it has neither scales nor sizes");
    for (int i = 0; scales && i < count; i++)
        if (scale_axis(&resize->axis[axes[i]], scales[i], error) != OK)
            return FAILED;
    return OK;
}

static int infer(struct site *site, struct error *error)
{
    const struct type x = site_type(site, 0);
    struct type *out = &site->output[0].type;
    struct resize resize;
    out->element = x.element;
    if (x.rank < 0)
        return OK;
    if (read_resize(site, &resize, error) != OK)
        return FAILED;
    *out = x;
    for (int i = 0; i < x.rank; i++) {
        const struct resize_axis *axis = &resize.axis[i];
        const bool is_kept =
            !resize.is_resized[i] || (axis->in < 0 && axis->out < 0 && axis->scale == 1);
        if (is_kept)
            continue;
        out->dims[i] = axis->out;
        out->symbol[i] = 0;
    }
    return OK;
}

/* ---- plain loops ---- */

struct plan {
    const struct array *x;
    int rank;
    struct resize_taps taps[RANK_MAX];
    long strides[RANK_MAX]; /* of x */
};

static int make_plan(const struct site *site, const struct resize *resize, struct plan *plan,
                     struct error *error)
{
    const struct type *x = &site->input[0].type;
    const struct resize_rule copied = {
        .mode = RESIZE_NEAREST, .coordinates = COORDINATES_asymmetric, .rounding = ROUNDING_floor};
    long stride = 1;
    plan->x = &site->input[0];
    plan->rank = x->rank;
    for (int i = x->rank - 1; i >= 0; i--) {
        const struct resize_axis *axis = &resize->axis[i];
        const bool is_whole =
            axis->in == axis->out && axis->scale == 1 && axis->start == 0 && axis->end == 1;
        const int result = resize_taps(is_whole ? &copied : &resize->rule, axis, site->arena,
                                       &plan->taps[i], error);
        if (result != OK)
            return result;
        plan->strides[i] = stride;
        stride *= x->dims[i];
    }
    return OK;
}

/* The sum over the taps of dim and those behind it, from that element of x on. */
static double sum_at(const struct plan *plan, const long *place, int dim, long element)
{
    if (dim == plan->rank)
        return element_real(plan->x->data, plan->x->type.element, element);
    const struct resize_taps *taps = &plan->taps[dim];
    const long first = place[dim] * taps->count;
    double sum = 0;
    for (long t = first; t < first + taps->count; t++)
        if (taps->weight[t] != 0)
            sum += taps->weight[t] *
                   sum_at(plan, place, dim + 1, element + taps->line[t] * plan->strides[dim]);
    return sum;
}

static long nearest_element(const struct plan *plan, const long *place)
{
    long element = 0;
    for (int i = 0; i < plan->rank; i++)
        element += plan->taps[i].line[place[i]] * plan->strides[i];
    return element;
}

/* Whole numbers are rounded to even and kept within the element's range. */
static void put(const struct array *out, long i, double value)
{
    const enum element element = out->type.element;
    const int bits = element_bits(element);
    if (!element_is_whole(element)) {
        element_put_real(out->data, element, i, value);
        return;
    }
    const double below = ldexp(1, element_is_signed(element) ? bits - 1 : bits);
    const double least = element_is_signed(element) ? -below : 0, rounded = rint(value);
    const uint64_t most = (bits == 64 ? 0 : (uint64_t)1 << bits) - 1;
    if (!(rounded < below))
        element_put_whole(out->data, element, i,
                          (int64_t)(element_is_signed(element) ? most >> 1 : most));
    else if (rounded >= 0)
        element_put_whole(out->data, element, i, (int64_t)(uint64_t)rounded);
    else
        element_put_whole(out->data, element, i, (int64_t)(rounded < least ? least : rounded));
}

static int evaluate(struct site *site, struct error *error)
{
    const struct array *x = &site->input[0], *out = &site->output[0];
    const double extrapolation = node_real(site->node, "extrapolation_value", 0);
    struct resize resize;
    struct plan plan;
    if (read_resize(site, &resize, error) != OK)
        return FAILED;
    const bool is_copied = resize.rule.mode == RESIZE_NEAREST;
    if (!is_copied && !element_is_real(x->type.element) && !element_is_whole(x->type.element))
        return error_skip(error, "elements '%s' have nothing between them; mode nearest would do",
                          element_name(x->type.element));
    const long count = type_elements(&out->type);
    const int result = count ? make_plan(site, &resize, &plan, error) : OK;
    if (result != OK || !count)
        return result;
    long place[RANK_MAX] = {0};
    for (long i = 0; i < count; i++) {
        bool is_outside = false;
        for (int k = 0; k < plan.rank; k++)
            is_outside |= plan.taps[k].is_outside[place[k]];
        if (is_outside)
            put(out, i, extrapolation);
        else if (is_copied)
            elements_copy(out->data, i, x->data, nearest_element(&plan, place), 1,
                          out->type.element);
        else
            put(out, i, sum_at(&plan, place, 0, 0));
        place_next(&out->type, place);
    }
    return OK;
}

/* ---- kernel ---- */

/* Lines that are compared with the kernel's; larger images are none. */
enum { LINES_MAX = 1 << 24 };

/* The weight that all taps of output line i give to an input line. */
static double weight_of(const struct resize_taps *taps, long i, long line)
{
    double weight = 0;
    for (long t = i * taps->count; t < (i + 1) * taps->count; t++)
        weight += taps->line[t] == line ? taps->weight[t] : 0;
    return weight;
}

/* Whether the kernel makes each line of the same input lines, up to `tolerance`. */
static bool is_kernels(const struct resize_axis *axis, const struct resize_taps *taps, long mode,
                       double tolerance)
{
    for (long i = 0; i < axis->out; i++) {
        const struct tap tap = find_tap(i, axis->in, axis->out, mode);
        const double low = weight_of(taps, i, tap.low), high = weight_of(taps, i, tap.high);
        if (taps->is_outside[i] ||
            (tap.low == tap.high
                 ? fabs(low - 1) > tolerance
                 : fabs(low - (1 - tap.weight)) > tolerance || fabs(high - tap.weight) > tolerance))
            return false;
    }
    return true;
}

/* The last two axes are an image; those before them have to stay as they are. */
static int check_kernel(const struct site *site, const struct resize *resize, long mode,
                        enum dtype dtype, struct error *error)
{
    struct plan plan;
    const int rank = site->input[0].type.rank;
    for (int i = 0; i < rank; i++)
        if (resize->axis[i].in > LINES_MAX || resize->axis[i].out > LINES_MAX)
            return error_skip(error, "an image of more than %d lines is none", LINES_MAX);
    int result = make_plan(site, resize, &plan, error);
    for (int i = 0; i < rank && result == OK; i++) {
        const struct resize_axis *axis = &resize->axis[i];
        const double tolerance = dtype == DTYPE_f32 ? 1e-7 : 1e-12;
        if (i < rank - 2 && axis->in != axis->out)
            result = error_skip(error, "kernel 'resize' changes the last two dimensions only");
        else if (!is_kernels(axis, &plan.taps[i], mode, tolerance))
            result = error_skip(error, "kernel 'resize' has half_pixel coordinates, from the "
                                       "nearest pixel or between two, and this is something else");
    }
    return result;
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct type x = site_type(site, 0), out = site->output[0].type;
    const int rank = x.rank;
    struct resize resize;
    enum dtype dtype;
    if (read_resize(site, &resize, error) != OK)
        return FAILED;
    for (int i = 1; i < site->node->input_count; i++) {
        const bool is_used = i != 1 || has_scales_first(site->node) ||
                             resize.rule.coordinates == COORDINATES_tf_crop_and_resize;
        if (is_used && site_input(site, i) && !site->input[i].data &&
            type_elements(&site->input[i].type) != 0)
            return error_skip(error, "scales, sizes or roi are not known before it runs");
    }
    if (rank < 1 || type_elements(&out) == 0)
        return error_skip(error, "there is no image to resize");
    if (element_dtype(x.element, &dtype, error) != OK)
        return SKIPPED;
    const long mode = resize.rule.mode == RESIZE_NEAREST ? NEAREST : BILINEAR;
    const int result = check_kernel(site, &resize, mode, dtype, error);
    if (result != OK)
        return result;
    if (lowering_start(site, lowering, "resize", dtype, error) != OK)
        return FAILED;
    struct launch *launch = lowering->launch;
    launch_letter(launch, "n", rank > 2 ? x.dims[0] : 1);
    launch_letter(launch, "c", rank > 3 ? type_product(&x, 1, rank - 2) : 1);
    launch_letter(launch, "h", rank > 1 ? x.dims[rank - 2] : 1);
    launch_letter(launch, "w", x.dims[rank - 1]);
    launch_letter(launch, "p", rank > 1 ? out.dims[rank - 2] : 1);
    launch_letter(launch, "q", out.dims[rank - 1]);
    launch_word(launch, "mode", mode == NEAREST ? "nearest" : "bilinear");
    launch->operand[0] = of_output(0);
    launch->operand[1] = of_input(0);
    return OK;
}

/* Between two lines of each axis: two products and a sum; between four: four and three. */
static double flops(const struct site *site)
{
    const char *mode = node_text(site->node, "mode", "nearest");
    const double by_axis = strcmp(mode, "nearest") == 0 ? 0 : strcmp(mode, "cubic") == 0 ? 7 : 3;
    const struct type x = site_type(site, 0), out = site->output[0].type;
    double lines = 0;
    for (int i = 0; i < x.rank && x.rank == out.rank; i++)
        lines += x.dims[i] != out.dims[i];
    return by_axis * lines * (double)type_elements(&out);
}

static const struct attribute_rule resize_attributes[] = {
    {"antialias", ATTRIBUTE_INT, false},
    {"axes", ATTRIBUTE_INTS, false},
    {"coordinate_transformation_mode", ATTRIBUTE_TEXT, false},
    {"cubic_coeff_a", ATTRIBUTE_REAL, false},
    {"exclude_outside", ATTRIBUTE_INT, false},
    {"extrapolation_value", ATTRIBUTE_REAL, false},
    {"keep_aspect_ratio_policy", ATTRIBUTE_TEXT, false},
    {"mode", ATTRIBUTE_TEXT, false},
    {"nearest_mode", ATTRIBUTE_TEXT, false},
    {0}};
static const struct attribute_rule upsample_attributes[] = {
    {"mode", ATTRIBUTE_TEXT, false}, {"scales", ATTRIBUTE_REALS, false}, {0}};

const struct op onnx_Resize_op = {
    .domain = "",
    .name = "Resize",
    .summary = "x in another size along any axes, from nearest elements or between them",
    .since = 10,
    .inputs_min = 1,
    .inputs_max = 4,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = resize_attributes,
    .infer = infer,
    .evaluate = evaluate,
    .lower = lower,
    .flops = flops,
};

const struct op onnx_Upsample_op = {
    .domain = "",
    .name = "Upsample",
    .summary = "x in another size along any axes, as Resize of opset 10",
    .since = 7,
    .inputs_min = 1,
    .inputs_max = 2,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = upsample_attributes,
    .infer = infer,
    .evaluate = evaluate,
    .lower = lower,
    .flops = flops,
};
