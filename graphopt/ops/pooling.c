// pooling.c - MaxPool, AveragePool and LpPool: one number of each window of an image.
#include "normalized.h"
#include "spatial.h"
#include "window.h"

enum pool { POOL_MAX, POOL_AVERAGE, POOL_LP };

static enum pool pool_of(const struct site *site)
{
    return *(const enum pool *)site->node->op->detail;
}

static int check_element(const struct site *site, struct error *error)
{
    const enum element element = site_type(site, 0).element;
    const bool is_byte = element == ELEMENT_i8 || element == ELEMENT_u8;
    return is_byte && pool_of(site) == POOL_MAX ? OK : check_real(site, 0, error);
}

static int read_window(const struct site *site, struct spatial *spatial, struct error *error)
{
    const struct type x = site_type(site, 0);
    int rank;
    long in[RANK_MAX];
    const long *window = node_integers(site->node, "kernel_shape", &rank);
    if (!window || rank < 1 || rank > RANK_MAX - 2)
        return error_set(error, FAULT_IO, "'kernel_shape' has %d numbers; it needs 1 to %d", rank,
                         RANK_MAX - 2);
    if (x.rank >= 0 && x.rank != rank + 2)
        return error_set(error, FAULT_IO,
                         "'kernel_shape' has %d numbers; the input %s needs one for each dimension "
                         "behind the first two",
                         rank, type_format(site->graph, &x).text);
    for (int i = 0; i < rank; i++) {
        in[i] = x.rank >= 0 ? x.dims[2 + i] : -1;
        if (window[i] < 1)
            return error_set(error, FAULT_IO, "'kernel_shape' has a %ld; it has to be at least 1",
                             window[i]);
    }
    return spatial_read(spatial, site->node, rank, in, window, error);
}

static int infer(struct site *site, struct error *error)
{
    const struct type x = site_type(site, 0);
    struct type *out = &site->output[0].type;
    struct spatial spatial;
    if (check_element(site, error) != OK || read_window(site, &spatial, error) != OK)
        return FAILED;
    if (pool_of(site) == POOL_LP && node_integer(site->node, "p", 2) < 1)
        return error_set(error, FAULT_IO, "'p' is %ld; it has to be at least 1",
                         node_integer(site->node, "p", 2));
    *out = (struct type){.element = x.element, .rank = spatial.rank + 2};
    for (int i = 0; i < 2; i++) {
        out->dims[i] = x.rank >= 0 ? x.dims[i] : -1;
        out->symbol[i] = x.rank >= 0 ? x.symbol[i] : 0;
    }
    for (int i = 0; i < spatial.rank; i++)
        out->dims[2 + i] = spatial.out[i];
    if (site->node->output_count > 1) {
        site->output[1].type = *out;
        site->output[1].type.element = ELEMENT_i64;
    }
    return OK;
}

/* ---- plain loops ---- */

/* A window over one plane, and what has been found in it. */
struct fold {
    const struct array *x;
    const struct spatial *spatial;
    enum pool pool;
    double p;
    const long *strides;        /* of the plane's dims, in elements */
    long first[RANK_MAX];       /* line of tap 0, which may be outside */
    struct part taps[RANK_MAX]; /* inside the image */
    double value;
    long best; /* element of the maximum; -1: none yet */
};

static void fold_element(struct fold *fold, long i)
{
    const double x = element_real(fold->x->data, fold->x->type.element, i);
    if (fold->pool == POOL_AVERAGE)
        fold->value += x;
    else if (fold->pool == POOL_LP)
        fold->value += pow(fabs(x), fold->p);
    else if (fold->best < 0 || x > fold->value || (isnan(x) && !isnan(fold->value))) {
        fold->value = x;
        fold->best = i;
    }
}

static void fold_dim(struct fold *fold, int dim, long offset)
{
    if (dim == fold->spatial->rank) {
        fold_element(fold, offset);
        return;
    }
    for (long tap = fold->taps[dim].begin; tap < fold->taps[dim].end; tap++) {
        const long line = fold->first[dim] + tap * fold->spatial->dilation[dim];
        fold_dim(fold, dim + 1, offset + line * fold->strides[dim]);
    }
}

/* Places the window; the cells that the mean divides by: those of the image, or with
 * count_include_pad those that are not behind the padding, where ceil_mode may reach. */
static double place_window(struct fold *fold, const long *place, bool counts_pad)
{
    const struct spatial *spatial = fold->spatial;
    double cells = 1;
    for (int i = 0; i < spatial->rank; i++) {
        const long first = place[i] * spatial->stride[i] - spatial->before[i];
        const long lines = spatial->in[i] + spatial->before[i] + spatial->after[i];
        fold->first[i] = first;
        fold->taps[i] =
            taps_in_image(first, spatial->window[i], spatial->dilation[i], spatial->in[i]);
        const struct part counted =
            counts_pad ? taps_in_image(first + spatial->before[i], spatial->window[i],
                                       spatial->dilation[i], lines)
                       : fold->taps[i];
        cells *= (double)(counted.end - counted.begin);
    }
    return cells;
}

/* The element's place in its plane in column-major order, from that in row-major order. */
static long column_major(const struct spatial *spatial, long element)
{
    long planes = element, stride = 1, index = 0;
    for (int i = 0; i < spatial->rank; i++)
        stride *= spatial->in[i];
    planes -= element % stride;
    element %= stride;
    for (int i = spatial->rank - 1; i >= 0; i--) {
        stride /= spatial->in[i];
        index += element % spatial->in[i] * stride;
        element /= spatial->in[i];
    }
    return planes + index;
}

static void put(const struct site *site, const struct fold *fold, double cells, long to)
{
    const struct array *out = &site->output[0];
    const double value = fold->pool == POOL_AVERAGE ? fold->value / cells
                         : fold->pool == POOL_LP    ? pow(fold->value, 1 / fold->p)
                                                    : fold->value;
    if (fold->pool == POOL_MAX && fold->best < 0) /* nothing but padding */
        element_put_real(out->data, out->type.element, to,
                         out->type.element == ELEMENT_u8   ? 0
                         : out->type.element == ELEMENT_i8 ? INT8_MIN
                                                           : -INFINITY);
    else
        element_put_real(out->data, out->type.element, to, value);
    if (site->node->output_count < 2 || !site->output[1].data)
        return;
    const bool is_column_major = node_integer(site->node, "storage_order", 0) == 1;
    ((int64_t *)site->output[1].data)[to] =
        is_column_major && fold->best >= 0 ? column_major(fold->spatial, fold->best) : fold->best;
}

static int evaluate(struct site *site, struct error *error)
{
    const struct type *type = &site->output[0].type;
    struct spatial spatial;
    long strides[RANK_MAX];
    if (read_window(site, &spatial, error) != OK)
        return FAILED;
    struct fold fold = {.x = &site->input[0],
                        .spatial = &spatial,
                        .pool = pool_of(site),
                        .p = (double)node_integer(site->node, "p", 2),
                        .strides = strides};
    const bool counts_pad = node_integer(site->node, "count_include_pad", 0) != 0;
    struct type places = {.rank = spatial.rank};
    long plane = 1, count = 1;
    for (int i = spatial.rank - 1; i >= 0; i--) {
        strides[i] = plane;
        plane *= spatial.in[i];
        places.dims[i] = spatial.out[i];
        count *= spatial.out[i];
    }
    for (long row = 0; row < type_product(type, 0, 2); row++) {
        long place[RANK_MAX] = {0};
        for (long i = 0; i < count; i++) {
            const double cells = place_window(&fold, place, counts_pad);
            fold.value = 0;
            fold.best = -1;
            fold_dim(&fold, 0, row * plane);
            put(site, &fold, cells, row * count + i);
            place_next(&places, place);
        }
    }
    return OK;
}

/* ---- kernel ---- */

/* Padding behind with which the kernel makes as many lines, with ceil_mode beyond the node's. */
static void pad_behind(struct spatial *spatial)
{
    for (int i = 0; i < spatial->rank; i++) {
        const struct slide slide = {.in = spatial->in[i],
                                    .taps = spatial->window[i],
                                    .stride = spatial->stride[i],
                                    .dilation = spatial->dilation[i],
                                    .before = spatial->before[i],
                                    .after = spatial->after[i]};
        const long reach = (slide.taps - 1) * slide.dilation + 1;
        const long needed = (spatial->out[i] - 1) * slide.stride + reach - slide.in - slide.before;
        if (slide_places(&slide) != spatial->out[i])
            spatial->after[i] = needed > 0 ? needed : 0;
    }
}

static bool is_padded(const struct spatial *spatial)
{
    bool is = false;
    for (int i = 0; i < spatial->rank; i++)
        is = is || spatial->before[i] > 0 || spatial->after[i] > 0;
    return is;
}

/* Whether no window reaches beyond `before` and `after` more lines on either side. */
static bool stays_inside(const struct spatial *spatial, bool with_padding)
{
    for (int i = 0; i < spatial->rank; i++) {
        const long reach = (spatial->window[i] - 1) * spatial->dilation[i] + 1;
        const long last = (spatial->out[i] - 1) * spatial->stride[i] - spatial->before[i];
        if (last + reach > spatial->in[i] + (with_padding ? spatial->after[i] : 0) ||
            (spatial->before[i] > 0 && !with_padding))
            return false;
    }
    return true;
}

/* Images that a launch pools: their planes follow one after the other. */
struct pooled {
    long n, c;
    struct launch_operand from, to;
};

static int lower_images(const struct site *site, struct lowering *lowering, struct spatial *spatial,
                        const struct pooled *pooled, enum dtype dtype, struct error *error)
{
    const bool is_max = pool_of(site) == POOL_MAX;
    const bool counts_pad =
        node_integer(site->node, "count_include_pad", 0) != 0 && is_padded(spatial);
    const bool is_inside = stays_inside(spatial, false);
    if (counts_pad && !is_inside && !stays_inside(spatial, true))
        return error_skip(error, "a window reaches beyond the padding, which the kernel counts");
    struct launch *launch =
        launches_add(site, lowering, is_max ? "max_pool" : "average_pool", dtype, error);
    if (!launch)
        return FAILED;
    launch_letter(launch, "n", pooled->n);
    launch_letter(launch, "c", pooled->c);
    pad_behind(spatial);
    spatial_letters(spatial, launch);
    if (!is_max)
        launch_letter(launch, "count_include_pad", counts_pad && !is_inside);
    launch->operand[0] = pooled->to;
    launch->operand[1] = pooled->from;
    return OK;
}

/* In double, as lines of the input and of the output together are bounded by neither's type. */
static double elements_between(const struct spatial *spatial, long planes, int i)
{
    double elements = (double)planes;
    for (int k = 0; k < spatial->rank; k++)
        elements *= (double)(k < i ? spatial->in[k] : spatial->out[k]);
    return elements;
}

static long product_of(const long *lines, int first, int end)
{
    long product = 1;
    for (int i = first; i < end; i++)
        product *= lines[i];
    return product;
}

/* Dim i and what is behind it as rows and columns: both are pooled where these are the last two,
 * else the rows alone, as those behind have been. */
static struct spatial image_of(const struct spatial *spatial, int i)
{
    const bool is_last = i == spatial->rank - 2;
    struct spatial image = spatial_part(spatial, i, 2);
    if (is_last)
        return image;
    image.in[1] = image.out[1] = product_of(spatial->out, i + 1, spatial->rank);
    image.window[1] = image.stride[1] = image.dilation[1] = 1;
    image.before[1] = image.after[1] = 0;
    return image;
}

/* A maximum over a window is that of the maxima over its planes, and a mean, too, as each plane has
 * as many cells that count as the others: the last two dims by one launch, then one for each dim
 * in front of them that the window does not pass over. */
static int lower_dims(const struct site *site, struct lowering *lowering,
                      const struct spatial *spatial, enum dtype dtype, struct error *error)
{
    const struct type x = site_type(site, 0);
    struct pooled pooled = {.n = x.dims[0], .to = of_input(0)};
    const double most =
        2 * ((double)type_elements(&x) + (double)type_elements(&site->output[0].type));
    int last = 0, result = OK;
    while (last < spatial->rank - 2 && spatial_passes_over(spatial, last))
        last++;
    for (int i = spatial->rank - 2; i >= last && result == OK; i--) {
        if (i < spatial->rank - 2 && spatial_passes_over(spatial, i))
            continue;
        struct spatial image = image_of(spatial, i);
        pooled.c = x.dims[1] * product_of(spatial->in, 0, i);
        pooled.from = pooled.to;
        const double between = elements_between(spatial, x.dims[0] * x.dims[1], i);
        if (i > last && between > most)
            return error_skip(error, "there would be more between the launches than around them");
        pooled.to = i == last ? of_output(0) : launches_scratch(lowering, (long)between, dtype);
        result = lower_images(site, lowering, &image, &pooled, dtype, error);
    }
    return result;
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct type x = site_type(site, 0);
    struct spatial spatial;
    enum dtype dtype;
    if (pool_of(site) == POOL_LP)
        return error_skip(error, "no kernel pools norms");
    if (node_output(site->node, 1) >= 0)
        return error_skip(error, "the kernel does not say where a maximum is");
    if (read_window(site, &spatial, error) != OK)
        return FAILED;
    if (element_dtype(x.element, &dtype, error) != OK)
        return SKIPPED;
    spatial_join(&spatial);
    if (spatial.rank > 2)
        return lower_dims(site, lowering, &spatial, dtype, error);
    if (spatial_image(&spatial, error) != OK)
        return SKIPPED;
    const struct pooled pooled = {x.dims[0], x.dims[1], of_input(0), of_output(0)};
    return lower_images(site, lowering, &spatial, &pooled, dtype, error);
}

/* An operation per cell of each window; those in the padding count, too. */
static double flops(const struct site *site)
{
    int count;
    const long *window = node_integers(site->node, "kernel_shape", &count);
    double cells = (double)type_elements(&site->output[0].type);
    for (int i = 0; i < count; i++)
        cells *= (double)window[i];
    return cells;
}

#define WINDOW_ATTRIBUTES                                                                          \
    {"auto_pad", ATTRIBUTE_TEXT, false}, {"ceil_mode", ATTRIBUTE_INT, false},                      \
        {"dilations", ATTRIBUTE_INTS, false}, {"kernel_shape", ATTRIBUTE_INTS, true},              \
        {"pads", ATTRIBUTE_INTS, false},                                                           \
    {                                                                                              \
        "strides", ATTRIBUTE_INTS, false                                                           \
    }

static const struct attribute_rule max_attributes[] = {
    WINDOW_ATTRIBUTES, {"storage_order", ATTRIBUTE_INT, false}, {0}};
static const struct attribute_rule average_attributes[] = {
    WINDOW_ATTRIBUTES, {"count_include_pad", ATTRIBUTE_INT, false}, {0}};
static const struct attribute_rule lp_attributes[] = {
    WINDOW_ATTRIBUTES, {"p", ATTRIBUTE_INT, false}, {0}};

#define MEMBER(member, which, rules, outputs, formula)                                             \
    static const enum pool member##_pool = which;                                                  \
    const struct op onnx_##member##_op = {                                                         \
        .domain = "",                                                                              \
        .name = #member,                                                                           \
        .summary = formula,                                                                        \
        .inputs_min = 1,                                                                           \
        .inputs_max = 1,                                                                           \
        .outputs_min = 1,                                                                          \
        .outputs_max = outputs,                                                                    \
        .attributes = rules,                                                                       \
        .infer = infer,                                                                            \
        .evaluate = evaluate,                                                                      \
        .lower = lower,                                                                            \
        .flops = flops,                                                                            \
        .detail = &member##_pool,                                                                  \
    };

MEMBER(MaxPool, POOL_MAX, max_attributes, 2, "maximum of each window, and which element it is")
MEMBER(AveragePool, POOL_AVERAGE, average_attributes, 1, "mean of each window")
MEMBER(LpPool, POOL_LP, lp_attributes, 1, "(sum over each window of |x|^p)^(1/p)")
