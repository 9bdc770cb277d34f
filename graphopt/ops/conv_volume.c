// conv_volume.c - Conv over images of three dimensions, as convolutions of images of two.
//
// A plane of the output, at one depth, is the sum over the window's taps in depth of convolutions
// of planes of the input. With the channels of a plane one behind the other, planes that are
// neighbours in depth are one image of as many times more channels: one launch sums over all of
// them. Where that is not so (taps apart, groups that would mix) each tap is a launch that adds to
// what the one before made. Around these, a transposition brings depth in front of the channels
// and another one brings it back.
#include "conv_volume.h"

#include "epilogue.h"
#include "moves.h"
#include "window.h"

struct volume {
    const struct site *site;
    struct lowering *lowering;
    struct error *error;
    enum dtype dtype;
    struct slide depth;
    struct spatial plane;
    long n, c, k, groups, out_depth;
    long in_pixels, out_pixels, taps; /* of a plane, and of the window in it */
    /* All taps in depth of an output are one launch, of each group apart. */
    bool takes_runs;
    bool are_slices; /* planes that do not mix */
    long parts;      /* that are convolved apart: the groups, or 1 */
    /* [n][part][depth][channel][row][column] of input and output. */
    struct launch_operand x, y;
    /* Of runs [k][tap in depth][c / groups][row][column] of the taps `ordered`, else with the tap
     * in depth first, of all taps. */
    struct launch_operand weights;
    struct part ordered;
    struct launch_operand zeros;      /* for each output channel */
    struct launch_operand between[2]; /* sums over some of the taps, in turns */
};

static struct part taps_of(const struct volume *volume, long y)
{
    const struct slide *depth = &volume->depth;
    return taps_in_image(y * depth->stride - depth->before, depth->taps, depth->dilation,
                         depth->in);
}

/* ---- orders ---- */

/* Swaps the two dims in the middle. */
static int add_swap(const struct volume *volume, const long dims[4], struct launch_operand from,
                    struct launch_operand to)
{
    return launches_transpose(volume->site, volume->lowering, dims, "0213", from, to, volume->dtype,
                              volume->error);
}

/* `operand`, with its two dims in the middle swapped. */
static int arrange(const struct volume *volume, const long dims[4], struct launch_operand *operand)
{
    const struct launch_operand from = *operand;
    if (dims[1] == 1 || dims[2] == 1)
        return OK;
    *operand =
        launches_scratch(volume->lowering, dims[0] * dims[1] * dims[2] * dims[3], volume->dtype);
    return add_swap(volume, dims, from, *operand);
}

static int arrange_input(struct volume *volume)
{
    const long dims[] = {volume->n * volume->parts, volume->c / volume->parts, volume->depth.in,
                         volume->in_pixels};
    volume->x = of_input(0);
    return arrange(volume, dims, &volume->x);
}

/* Constant weights in the order of the move. */
static int move_weights(struct volume *volume, const struct move *move, long elements)
{
    const struct array *weights = &volume->site->input[1];
    struct array moved = {.type = {.element = weights->type.element, .rank = 1}};
    moved.type.dims[0] = elements;
    moved.data =
        arena_take_array(volume->site->arena, (size_t)elements, (size_t)dtype_bytes(volume->dtype));
    if (!moved.data)
        return error_set(volume->error, FAULT_ENVIRONMENT, "out of memory");
    move_evaluate(move, &moved, weights);
    volume->weights = of_constant(moved.data);
    return OK;
}

/* All weights with the tap in depth first. */
static int arrange_taps(struct volume *volume)
{
    const long depth = volume->depth.taps, filters = volume->k * (volume->c / volume->groups);
    const long dims[] = {1, filters, depth, volume->taps};
    struct move move = {0};
    volume->weights = of_input(1);
    if (!volume->site->input[1].data || depth == 1)
        return arrange(volume, dims, &volume->weights);
    move_dim(&move, depth, volume->taps);
    move_dim(&move, filters, depth * volume->taps);
    move_dim(&move, volume->taps, 1);
    return move_weights(volume, &move, filters * depth * volume->taps);
}

/* Weights of these taps in depth. Neighbours among the outputs mostly have the same. */
static int arrange_run(struct volume *volume, struct part run)
{
    const long depth = volume->depth.taps, channels = volume->c / volume->groups;
    const long count = run.end - run.begin, pitch = depth * volume->taps;
    struct move move = {.base = run.begin * volume->taps};
    if (run.begin == volume->ordered.begin && run.end == volume->ordered.end)
        return OK;
    volume->ordered = run;
    volume->weights = of_input(1);
    if (count == depth && (count == 1 || channels == 1))
        return OK;
    move_dim(&move, volume->k, channels * pitch);
    move_dim(&move, count, volume->taps);
    move_dim(&move, channels, pitch);
    move_dim(&move, volume->taps, 1);
    return move_weights(volume, &move, volume->k * count * channels * volume->taps);
}

/* ---- planes ---- */

/* So many images of a part. */
static struct launch *add_images(const struct volume *volume, long n, long c)
{
    struct launch *launch =
        launches_add(volume->site, volume->lowering, "conv2d", volume->dtype, volume->error);
    if (!launch)
        return NULL;
    launch_letter(launch, "n", n);
    launch_letter(launch, "c", c);
    launch_letter(launch, "k", volume->k / volume->parts);
    launch_letter(launch, "groups", volume->groups / volume->parts);
    spatial_letters(&volume->plane, launch);
    return launch;
}

static void put_bias(const struct volume *volume, struct launch *launch, long part)
{
    if (!site_input(volume->site, 2))
        return;
    launch_letter(launch, "epilogue", EPILOGUE_bias);
    launch->operand[3] =
        operand_behind(of_input(2), part * (volume->k / volume->parts), volume->dtype);
}

/* A plane that no tap reaches has the bias, or 0. */
static int put_blank(const struct volume *volume, long part, struct launch_operand to)
{
    struct launch *launch =
        launches_add(volume->site, volume->lowering, "tile", volume->dtype, volume->error);
    if (!launch)
        return FAILED;
    launch_letter(launch, "outer", volume->k / volume->parts);
    launch_letter(launch, "inner", 1);
    launch_letter(launch, "inner_repeats", volume->out_pixels);
    launch->operand[0] = to;
    launch->operand[1] = operand_behind(site_input(volume->site, 2) ? of_input(2) : volume->zeros,
                                        part * (volume->k / volume->parts), volume->dtype);
    return OK;
}

/* The taps of one plane of the output. A kernel may write sums before it reads what it adds to
 * them, so that these are elsewhere. */
static int put_plane(const struct volume *volume, long y, struct part taps, long image)
{
    const struct slide *depth = &volume->depth;
    const enum dtype dtype = volume->dtype;
    const long part = image % volume->parts, group = volume->c / volume->groups;
    const long c = volume->c / volume->parts, k = volume->k / volume->parts;
    const long step = volume->takes_runs ? taps.end - taps.begin : 1;
    const long first = image * depth->in + y * depth->stride - depth->before;
    const struct launch_operand to =
        operand_behind(volume->y, (image * volume->out_depth + y) * k * volume->out_pixels, dtype);
    struct launch_operand before = volume->zeros;
    if (taps.begin >= taps.end)
        return put_blank(volume, part, to);
    for (long tap = taps.begin; tap < taps.end; tap += step) {
        const long weights = volume->takes_runs ? part * k * step : tap * volume->k;
        struct launch *launch = add_images(volume, 1, c * step);
        if (!launch)
            return FAILED;
        launch->operand[0] = tap + step < taps.end ? volume->between[tap % 2] : to;
        launch->operand[1] = operand_behind(
            volume->x, (first + tap * depth->dilation) * c * volume->in_pixels, dtype);
        launch->operand[2] = operand_behind(volume->weights, weights * group * volume->taps, dtype);
        if (tap == taps.begin) {
            put_bias(volume, launch, part);
        } else {
            launch_letter(launch, "epilogue", EPILOGUE_bias_add);
            launch->operand[3] = volume->zeros;
            launch->operand[4] = before;
        }
        before = launch->operand[0];
    }
    return OK;
}

static int put_planes(struct volume *volume)
{
    int result = OK;
    for (long y = 0; y < volume->out_depth && result == OK; y++) {
        const struct part taps = taps_of(volume, y);
        if (volume->takes_runs && taps.begin < taps.end)
            result = arrange_run(volume, taps);
        for (long image = 0; image < volume->n * volume->parts && result == OK; image++)
            result = put_plane(volume, y, taps, image);
    }
    return result;
}

/* Planes that do not mix are images. */
static int put_slices(const struct volume *volume)
{
    struct launch *launch = add_images(volume, volume->n * volume->out_depth, volume->c);
    if (!launch)
        return FAILED;
    launch->operand[0] = volume->y;
    launch->operand[1] = volume->x;
    launch->operand[2] = of_input(1);
    put_bias(volume, launch, 0);
    return OK;
}

/* ---- all of it ---- */

static struct volume volume_of(const struct site *site, const struct spatial *spatial)
{
    const struct type x = site_type(site, 0), w = site_type(site, 1);
    struct volume volume = {.site = site,
                            .plane = spatial_part(spatial, 1, 2),
                            .n = x.dims[0],
                            .c = x.dims[1],
                            .k = w.dims[0],
                            .groups = node_integer(site->node, "group", 1),
                            .out_depth = spatial->out[0],
                            .in_pixels = spatial->in[1] * spatial->in[2],
                            .out_pixels = spatial->out[1] * spatial->out[2],
                            .taps = spatial->window[1] * spatial->window[2],
                            .depth = {.in = spatial->in[0],
                                      .taps = spatial->window[0],
                                      .stride = spatial->stride[0],
                                      .dilation = spatial->dilation[0],
                                      .before = spatial->before[0],
                                      .after = spatial->after[0]}};
    /* With more groups than taps in depth these take fewer launches. */
    volume.takes_runs =
        volume.depth.dilation == 1 && volume.groups <= volume.depth.taps && site->input[1].data;
    volume.parts = 1;
    return volume;
}

/* Launches of all planes. */
static double count_launches(const struct volume *volume)
{
    const double images = (double)volume->n * (double)volume->parts;
    double launches = 0;
    for (long y = 0; y < volume->out_depth && launches <= LAUNCHES_MAX; y++) {
        const struct part taps = taps_of(volume, y);
        const long count = taps.end - taps.begin;
        launches += images * (double)(volume->takes_runs || count == 0 ? 1 : count);
    }
    return launches;
}

/* Runs that differ have weights of their own: those at the borders, as long as they are few. */
static bool has_few_runs(const struct volume *volume)
{
    enum { RUNS_FEW = 8 };
    struct part last = {0, 0};
    int runs = 0;
    for (long y = 0; y < volume->out_depth && runs <= RUNS_FEW; y++) {
        const struct part taps = taps_of(volume, y);
        if (taps.begin < taps.end && (taps.begin != last.begin || taps.end != last.end)) {
            runs++;
            last = taps;
        }
    }
    return runs <= RUNS_FEW;
}

static int choose_runs(struct volume *volume)
{
    volume->takes_runs = volume->takes_runs && has_few_runs(volume);
    volume->parts = volume->takes_runs ? volume->groups : 1;
    return count_launches(volume) > LAUNCHES_MAX
               ? error_skip(volume->error, "planes of the output would take more than %d launches",
                            LAUNCHES_MAX)
               : OK;
}

static int put_all(struct volume *volume)
{
    struct lowering *lowering = volume->lowering;
    const enum dtype dtype = volume->dtype;
    const long k = volume->k / volume->parts, images = volume->n * volume->parts;
    const long dims[] = {images, volume->out_depth, k, volume->out_pixels};
    const bool is_turned = volume->out_depth > 1 && k > 1;
    const bool adds = !volume->are_slices && !volume->takes_runs;
    int result = arrange_input(volume);
    volume->y =
        is_turned ? launches_scratch(lowering, type_elements(&volume->site->output[0].type), dtype)
                  : of_output(0);
    if (result == OK && !volume->are_slices)
        result = launches_fill(volume->site, &volume->zeros, volume->k, 0, dtype, volume->error);
    if (result == OK && adds)
        result = arrange_taps(volume);
    for (int i = 0; i < 2 && adds; i++)
        volume->between[i] = launches_scratch(lowering, k * volume->out_pixels, dtype);
    if (result == OK)
        result = volume->are_slices ? put_slices(volume) : put_planes(volume);
    return result == OK && is_turned ? add_swap(volume, dims, volume->y, of_output(0)) : result;
}

int conv_volume_lower(const struct site *site, const struct spatial *spatial,
                      struct lowering *lowering, struct error *error)
{
    const struct type x = site_type(site, 0), w = site_type(site, 1);
    struct volume volume = volume_of(site, spatial);
    volume.lowering = lowering;
    volume.error = error;
    if (type_elements(&x) == 0 || type_elements(&w) == 0 ||
        type_elements(&site->output[0].type) == 0)
        return error_skip(error, "there is nothing to compute");
    if (element_dtype(x.element, &volume.dtype, error) != OK)
        return SKIPPED;
    volume.are_slices = spatial_passes_over(spatial, 0);
    volume.takes_runs = volume.takes_runs && !volume.are_slices;
    if (!volume.are_slices && choose_runs(&volume) != OK)
        return SKIPPED;
    return put_all(&volume);
}
