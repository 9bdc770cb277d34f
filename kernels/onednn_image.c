// onednn_image.c - operators that make an image of an image, channel by channel, by oneDNN.
//
// In nchwc the channels that fill the last block count as the others, as in our kernels.
#include <math.h>

#include "onednn.h"
#include "onednn_plan.h"

/* Of a shape with these letters; output rows and columns are the operator's. */
struct images {
    int64_t n, c, h, w;
    enum layout layout;
};

static struct images images_of(const struct problem *problem)
{
#define LETTER(name) kernel_letter(problem->kernel, problem->shape, #name)
    const enum layout layout = (enum layout)LETTER(layout);
    return (struct images){.n = LETTER(n),
                           .c = layout_channels(layout, LETTER(c)),
                           .h = LETTER(h),
                           .w = LETTER(w),
                           .layout = layout};
}

/* Appends output and input, prepares. */
static int prepare(const struct problem *problem, const struct opened_library *opened,
                   struct onednn_work work, int64_t p, int64_t q, void **plan, struct error *error)
{
    const struct images in = images_of(problem);
    onednn_append_images(&work, ONEDNN_DESTINATION, problem->operand[0], in.layout,
                         (onednn_sizes){in.n, in.c, p, q});
    onednn_append_images(&work, ONEDNN_SOURCE, problem->operand[1], in.layout,
                         (onednn_sizes){in.n, in.c, in.h, in.w});
    return onednn_prepare(problem, opened, &work, plan, error);
}

static int prepare_batchnorm(const struct problem *problem, const struct opened_library *opened,
                             void **plan, struct error *error)
{
    static const enum onednn_argument names[] = {ONEDNN_SCALE, ONEDNN_SHIFT, ONEDNN_MEAN,
                                                 ONEDNN_VARIANCE};
    enum { NAMES = sizeof names / sizeof *names };
    const struct images in = images_of(problem);
    struct onednn_work work = {.kind = ONEDNN_BATCHNORM,
                               .a = real_at(problem->operand[2 + NAMES], problem->dtype, 0)};
    for (int i = 0; i < NAMES; i++)
        onednn_append(&work, (int)names[i], problem->operand[2 + i], 1, &in.c);
    return prepare(problem, opened, work, in.h, in.w, plan, error);
}

/* Whether each output line has a tap inside the image. */
static bool windows_meet(const struct slide *slide)
{
    const long places = slide_places(slide);
    for (long place = 0; place < places; place++) {
        const struct part inside = taps_in_image(place * slide->stride - slide->before, slide->taps,
                                                 slide->dilation, slide->in);
        if (inside.begin == inside.end)
            return false;
    }
    return true;
}

static int prepare_pool(const struct problem *problem, const struct opened_library *opened,
                        enum onednn_algorithm algorithm, void **plan, struct error *error)
{
    const struct slide rows = ROW_SLIDE(LETTER), columns = COLUMN_SLIDE(LETTER);
    if (algorithm != ONEDNN_POOLING_MEAN_WITH_PADDING &&
        !(windows_meet(&rows) && windows_meet(&columns)))
        return error_skip(error,
                          "a window of '%s' lies wholly outside the image, where oneDNN has "
                          "another result than ours (-infinity, or 0 / 0)",
                          problem->kernel->name);
    struct onednn_work work = {.kind = ONEDNN_POOLING, .algorithm = algorithm};
    onednn_slide(&work, &rows, &columns);
    return prepare(problem, opened, work, slide_places(&rows), slide_places(&columns), plan, error);
}

static int prepare_max_pool(const struct problem *problem, const struct opened_library *opened,
                            void **plan, struct error *error)
{
    return prepare_pool(problem, opened, ONEDNN_POOLING_MAX, plan, error);
}

static int prepare_average_pool(const struct problem *problem, const struct opened_library *opened,
                                void **plan, struct error *error)
{
    return prepare_pool(problem, opened,
                        LETTER(count_include_pad) ? ONEDNN_POOLING_MEAN_WITH_PADDING
                                                  : ONEDNN_POOLING_MEAN,
                        plan, error);
}

static int prepare_global_average_pool(const struct problem *problem,
                                       const struct opened_library *opened, void **plan,
                                       struct error *error)
{
    const struct images in = images_of(problem);
    const struct onednn_work work = {.kind = ONEDNN_POOLING,
                                     .algorithm = ONEDNN_POOLING_MEAN,
                                     .window = {in.h, in.w},
                                     .step = {1, 1}};
    return prepare(problem, opened, work, 1, 1, plan, error);
}

/* Whether the pixel nearest to each output pixel is the same for oneDNN, which rounds halves up
 * where we round them down, and computes in float. */
static bool nearest_agree(long in, long out)
{
    const double float_rounding = 0x1p-24;
    for (long i = 0; i < out; i++) {
        /* The coordinate + 1/2 is a whole number where it lies between two pixels. */
        const double at = (double)((2 * i + 1) * in % (2 * out)) / (double)(2 * out);
        if (fmin(at, 1 - at) <= 4 * (double)in * float_rounding)
            return false;
    }
    return true;
}

static int prepare_resize(const struct problem *problem, const struct opened_library *opened,
                          void **plan, struct error *error)
{
    const struct images in = images_of(problem);
    const long p = LETTER(p), q = LETTER(q);
    const bool linear = LETTER(mode);
    if (!linear && !(nearest_agree(in.h, p) && nearest_agree(in.w, q)))
        return error_skip(error,
                          "an output pixel of '%s' lies in the middle between two input pixels, of "
                          "which oneDNN takes the other one",
                          problem->kernel->name);
    const struct onednn_work work = {.kind = ONEDNN_RESAMPLING,
                                     .algorithm = linear ? ONEDNN_RESAMPLING_LINEAR
                                                         : ONEDNN_RESAMPLING_NEAREST};
    return prepare(problem, opened, work, p, q, plan, error);
}

const struct routine onednn_batchnorm = ONEDNN_ROUTINE(prepare_batchnorm);
const struct routine onednn_max_pool = ONEDNN_ROUTINE(prepare_max_pool);
const struct routine onednn_average_pool = ONEDNN_ROUTINE(prepare_average_pool);
const struct routine onednn_global_average_pool = ONEDNN_ROUTINE(prepare_global_average_pool);
const struct routine onednn_resize = ONEDNN_ROUTINE(prepare_resize);
