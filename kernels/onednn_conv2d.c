// onednn_conv2d.c - convolution by oneDNN.
#include "onednn.h"
#include "onednn_plan.h"

#define LETTER(name) kernel_letter(problem->kernel, problem->shape, #name)

/* Weights as they lie, k x (c / groups) x r x s, in groups where there are several. */
static struct onednn_tensor *append_weights(struct onednn_work *work, const struct problem *problem)
{
    const int64_t c = LETTER(c), k = LETTER(k), r = LETTER(r), s = LETTER(s);
    const int64_t groups = LETTER(groups);
    void *weights = problem->operand[2];
    return groups > 1 ? onednn_append(work, ONEDNN_WEIGHTS, weights, 5,
                                      (onednn_sizes){groups, k / groups, c / groups, r, s})
                      : onednn_append(work, ONEDNN_WEIGHTS, weights, 4, (onednn_sizes){k, c, r, s});
}

static int prepare(const struct problem *problem, const struct opened_library *opened, bool any,
                   bool reorders, void **plan, struct error *error)
{
    const enum layout layout = (enum layout)LETTER(layout);
    const enum layout source = layout_of_input(layout, LETTER(source));
    const struct slide rows = ROW_SLIDE(LETTER), columns = COLUMN_SLIDE(LETTER);
    if (LETTER(pitch) > 0)
        return error_skip(error, "pixels of its images are not described apart; drop 'pitch'");
    struct onednn_work work = {
        .kind = ONEDNN_CONVOLUTION, .reorders = reorders, .refuses_reference = true};
    onednn_slide(&work, &rows, &columns);
    onednn_append_images(&work, ONEDNN_SOURCE, problem->operand[1], source,
                         (onednn_sizes){LETTER(n), LETTER(c), rows.in, columns.in})
        ->any = any;
    struct onednn_tensor *weights = append_weights(&work, problem);
    weights->any = weights->constant = true;
    onednn_append_images(
        &work, ONEDNN_DESTINATION, problem->operand[0], layout,
        (onednn_sizes){LETTER(n), LETTER(k), slide_places(&rows), slide_places(&columns)})
        ->any = any;
    onednn_append_epilogue(&work, problem, 3, 1);
    return onednn_prepare(problem, opened, &work, plan, error);
}

static int prepare_given(const struct problem *problem, const struct opened_library *opened,
                         void **plan, struct error *error)
{
    return prepare(problem, opened, false, false, plan, error);
}

static int prepare_any(const struct problem *problem, const struct opened_library *opened,
                       void **plan, struct error *error)
{
    return prepare(problem, opened, true, false, plan, error);
}

static int prepare_reordered(const struct problem *problem, const struct opened_library *opened,
                             void **plan, struct error *error)
{
    return prepare(problem, opened, true, true, plan, error);
}

const struct routine onednn_conv2d = ONEDNN_ROUTINE(prepare_given);
const struct routine onednn_conv2d_any = ONEDNN_ROUTINE(prepare_any);
const struct routine onednn_conv2d_reordered = ONEDNN_ROUTINE(prepare_reordered);
