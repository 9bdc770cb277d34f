// grid_sampling.c - GridSample: elements from anywhere in an image of any number of dimensions.
#include <math.h>

#include "moves.h"
#include "normalized.h"

enum mode { MODE_LINEAR, MODE_NEAREST, MODE_CUBIC };
enum padding { PADDING_ZEROS, PADDING_BORDER, PADDING_REFLECTION };

struct sampling {
    enum mode mode;
    enum padding padding;
    bool aligns_corners; /* -1 and 1 are the middles of the first and the last line, not their outer
                            edges */
};

static int read_sampling(const struct node *node, struct sampling *sampling, struct error *error)
{
    /* bilinear and bicubic are the words of opset 16. */
    static const char *const modes[] = {"linear",  "nearest", "cubic", "bilinear",
                                        "nearest", "bicubic", NULL};
    static const char *const paddings[] = {"zeros", "border", "reflection", NULL};
    int mode, padding;
    if (word_read(node, "mode", modes, &mode, error) != OK ||
        word_read(node, "padding_mode", paddings, &padding, error) != OK)
        return FAILED;
    *sampling = (struct sampling){(enum mode)(mode % 3), (enum padding)padding,
                                  node_integer(node, "align_corners", 0) != 0};
    return OK;
}

/* X (N, C, D...), grid (N, P..., rank of the image). */
static int infer(struct site *site, struct error *error)
{
    const struct type x = site_type(site, 0), grid = site_type(site, 1);
    struct type *out = &site->output[0].type;
    struct sampling sampling;
    if (read_sampling(site->node, &sampling, error) != OK || check_real(site, 1, error) != OK)
        return FAILED;
    const int rank = x.rank >= 0 ? x.rank : grid.rank;
    if (rank >= 0 && rank < 3)
        return error_set(error, FAULT_IO, "input and grid need at least 3 dimensions");
    if (x.rank >= 0 && grid.rank >= 0 && x.rank != grid.rank)
        return error_set(error, FAULT_IO, "input and grid have %d and %d dimensions", x.rank,
                         grid.rank);
    if (grid.rank >= 0 && grid.dims[rank - 1] >= 0 && grid.dims[rank - 1] != rank - 2)
        return error_set(error, FAULT_IO, "the grid has %ld coordinates for an image of %d",
                         grid.dims[rank - 1], rank - 2);
    out->element = x.element;
    if (rank < 0)
        return OK;
    if (x.rank >= 0 && grid.rank >= 0 && x.dims[0] >= 0 && grid.dims[0] >= 0 &&
        x.dims[0] != grid.dims[0])
        return error_set(error, FAULT_IO, "there are %ld images and %ld grids", x.dims[0],
                         grid.dims[0]);
    const bool says_little = x.rank < 0 || (x.dims[0] < 0 && x.symbol[0] == 0);
    const bool is_of_grid = grid.rank >= 0 && (says_little || grid.dims[0] >= 0);
    out->rank = rank;
    out->dims[0] = is_of_grid ? grid.dims[0] : x.dims[0];
    out->symbol[0] = is_of_grid ? grid.symbol[0] : x.symbol[0];
    out->dims[1] = x.rank >= 0 ? x.dims[1] : -1;
    out->symbol[1] = x.rank >= 0 ? x.symbol[1] : 0;
    for (int i = 2; i < rank; i++) {
        out->dims[i] = grid.rank >= 0 ? grid.dims[i - 1] : -1;
        out->symbol[i] = grid.rank >= 0 ? grid.symbol[i - 1] : 0;
    }
    return OK;
}

/* ---- plain loops ---- */

/* What a place of the grid is made of, by dim of the image. */
enum { TAPS_MAX = 4 };
struct taps {
    int count;
    long line[RANK_MAX][TAPS_MAX]; /* -1: outside, where zeros are */
    double weight[RANK_MAX][TAPS_MAX];
};

/* Farther than any line. */
static const double far_lines = 0x1p50;

/* Mirrored at both edges until it is between them. */
static double reflected(double x, double low, double high)
{
    const double span = high - low;
    if (span <= 0)
        return low;
    const double rest = fmod(fabs(x - low), 2 * span);
    return low + (rest <= span ? rest : 2 * span - rest);
}

/* The place of a coordinate, moved inside as padding says. NaN is far outside. */
static double place_of(const struct sampling *sampling, double grid, long lines)
{
    const double last = (double)(lines - 1), edge = sampling->aligns_corners ? 0 : 0.5;
    double x =
        sampling->aligns_corners ? (grid + 1) / 2 * last : ((grid + 1) * (double)lines - 1) / 2;
    x = fmin(fmax(x, -far_lines), far_lines);
    if (sampling->mode == MODE_NEAREST)
        x = rint(x);
    /* The taps of a cubic are moved one by one: its weights stay those of the place asked for. */
    if (sampling->mode == MODE_CUBIC || (x >= -edge && x <= last + edge))
        return x;
    return sampling->padding == PADDING_BORDER       ? fmin(fmax(x, 0), last)
           : sampling->padding == PADDING_REFLECTION ? reflected(x, -edge, last + edge)
                                                     : x;
}

static long line_of(const struct sampling *sampling, double line, long lines)
{
    const double last = (double)(lines - 1), edge = sampling->aligns_corners ? 0 : 0.5;
    if (line < 0 || line > last) {
        if (sampling->padding == PADDING_ZEROS)
            return -1;
        if (sampling->padding == PADDING_REFLECTION)
            line = trunc(reflected(line, -edge, last + edge));
    }
    return (long)fmin(fmax(line, 0), last);
}

/* Keys 1981, doi:10.1109/TASSP.1981.1163711, equation 4 with a = -0.75. */
static double cubic_weight(double distance)
{
    const double x = fabs(distance), a = -0.75;
    return x <= 1  ? ((a + 2) * x - (a + 3)) * x * x + 1
           : x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
                   : 0;
}

static void find_taps(const struct sampling *sampling, const struct type *x, int dim, double grid,
                      struct taps *taps)
{
    const long lines = x->dims[2 + dim];
    const double at = place_of(sampling, grid, lines);
    const double first = sampling->mode == MODE_NEAREST ? trunc(at)
                         : sampling->mode == MODE_CUBIC ? floor(at) - 1
                                                        : floor(at);
    for (int t = 0; t < taps->count; t++) {
        const double distance = first + t - at;
        taps->line[dim][t] = line_of(sampling, first + t, lines);
        taps->weight[dim][t] = sampling->mode == MODE_NEAREST ? 1
                               : sampling->mode == MODE_CUBIC ? cubic_weight(distance)
                                                              : 1 - fabs(distance);
    }
}

/* Sum over the taps of dim and those behind it; `element` counts the lines so far. */
static double sum_at(const struct array *x, const struct taps *taps, int dim, long element)
{
    if (dim == x->type.rank - 2)
        return element_real(x->data, x->type.element, element);
    double sum = 0;
    for (int t = 0; t < taps->count; t++)
        if (taps->line[dim][t] >= 0 && taps->weight[dim][t] != 0)
            sum += taps->weight[dim][t] *
                   sum_at(x, taps, dim + 1, element * x->type.dims[2 + dim] + taps->line[dim][t]);
    return sum;
}

static void copy_at(const struct array *out, long to, const struct array *x,
                    const struct taps *taps, long plane)
{
    long element = plane;
    for (int dim = 0; dim < x->type.rank - 2 && element >= 0; dim++)
        element =
            taps->line[dim][0] < 0 ? -1 : element * x->type.dims[2 + dim] + taps->line[dim][0];
    if (element < 0)
        element_clear(out->data, to, out->type.element);
    else
        elements_copy(out->data, to, x->data, element, 1, out->type.element);
}

static int check_evaluable(const struct site *site, enum mode mode, struct error *error)
{
    const struct array *x = &site->input[0];
    if (mode != MODE_NEAREST && !element_is_real(x->type.element) &&
        !element_is_whole(x->type.element))
        return error_skip(error, "elements '%s' have nothing between them; mode nearest would do",
                          element_name(x->type.element));
    for (int i = 2; i < x->type.rank; i++)
        if (x->type.dims[i] == 0)
            return error_set(error, FAULT_IO, "dimension %d of the input has no elements", i);
    return OK;
}

static int evaluate(struct site *site, struct error *error)
{
    const struct array *x = &site->input[0], *grid = &site->input[1], *out = &site->output[0];
    const int rank = x->type.rank - 2;
    struct sampling sampling;
    if (read_sampling(site->node, &sampling, error) != OK)
        return FAILED;
    const int result = check_evaluable(site, sampling.mode, error);
    if (result != OK)
        return result;
    const long places = type_product(&out->type, 2, out->type.rank), channels = x->type.dims[1];
    for (long point = 0; point < x->type.dims[0] * places; point++) {
        struct taps taps = {.count = sampling.mode == MODE_NEAREST ? 1
                                     : sampling.mode == MODE_CUBIC ? 4
                                                                   : 2};
        /* Coordinates are listed from the innermost dim on. */
        for (int dim = 0; dim < rank; dim++)
            find_taps(&sampling, &x->type, dim, array_real(grid, (point + 1) * rank - 1 - dim),
                      &taps);
        for (long c = 0; c < channels; c++) {
            const long plane = point / places * channels + c, to = plane * places + point % places;
            if (sampling.mode == MODE_NEAREST)
                copy_at(out, to, x, &taps, plane);
            else
                array_put(out, to, sum_at(x, &taps, 0, plane));
        }
    }
    return OK;
}

/* ---- kernel ---- */

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct type x = site_type(site, 0), grid = site_type(site, 1);
    struct sampling sampling;
    enum dtype dtype;
    if (read_sampling(site->node, &sampling, error) != OK)
        return FAILED;
    if (x.rank != 4 || sampling.mode != MODE_LINEAR || sampling.padding != PADDING_ZEROS ||
        sampling.aligns_corners)
        return error_skip(error, "kernel 'grid_sample' has images of two dimensions, mode linear, "
                                 "zeros as padding and corners that are not aligned");
    if (element_dtype(x.element, &dtype, error) != OK)
        return SKIPPED;
    if (grid.element != x.element)
        return error_skip(error, "the kernel has input and grid of one element");
    if (lowering_start(site, lowering, "grid_sample", dtype, error) != OK)
        return FAILED;
    struct launch *launch = lowering->launch;
    launch_letter(launch, "n", x.dims[0]);
    launch_letter(launch, "c", x.dims[1]);
    launch_letter(launch, "h", x.dims[2]);
    launch_letter(launch, "w", x.dims[3]);
    launch_letter(launch, "p", grid.dims[1]);
    launch_letter(launch, "q", grid.dims[2]);
    launch->operand[0] = of_output(0);
    launch->operand[1] = of_input(0);
    launch->operand[2] = of_input(1);
    return OK;
}

/* A product and a sum per tap. */
static double flops(const struct site *site)
{
    const struct type out = site->output[0].type;
    struct sampling sampling;
    struct error error;
    if (read_sampling(site->node, &sampling, &error) != OK || sampling.mode == MODE_NEAREST)
        return 0;
    return 2 * (double)type_elements(&out) * pow(sampling.mode == MODE_CUBIC ? 4 : 2, out.rank - 2);
}

static const struct attribute_rule attributes[] = {{"align_corners", ATTRIBUTE_INT, false},
                                                   {"mode", ATTRIBUTE_TEXT, false},
                                                   {"padding_mode", ATTRIBUTE_TEXT, false},
                                                   {0}};

const struct op onnx_GridSample_op = {
    .domain = "",
    .name = "GridSample",
    .summary = "x (N, C, D...) at the places that a grid (N, P..., rank) has in [-1, 1]",
    .since = 16,
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer,
    .evaluate = evaluate,
    .lower = lower,
    .flops = flops,
};
