// slice.c - Slice: a range of some dims, with steps that may go backwards.
#include "moves.h"

/* What is taken of one dim. */
struct range {
    long start, step, length; /* length -1: not known */
    bool is_whole;            /* the dim as it is, also where it is not known */
};

static const struct range whole_range = {.start = 0, .step = 1, .length = -1, .is_whole = true};

static long clamp(long value, long low, long high)
{
    return value < low ? low : value > high ? high : value;
}

/* No dim is longer than ELEMENTS_MAX: an end beyond it is the end of any. */
static struct range range_of_unknown(long start, long end, long step)
{
    struct range range = {.step = step, .length = -1};
    range.is_whole = step == 1 && (start == 0 || start <= -ELEMENTS_MAX) && end >= ELEMENTS_MAX;
    return range;
}

/* Ends are exclusive; both ends count from the dim's end where negative, and are clamped to what
 * there is. */
static struct range range_of(long dim, long start, long end, long step)
{
    struct range range = {.step = step};
    start += start < 0 ? dim : 0;
    end += end < 0 ? dim : 0;
    if (step > 0) {
        range.start = clamp(start, 0, dim);
        end = clamp(end, 0, dim);
        range.length = end > range.start ? (end - range.start - 1) / step + 1 : 0;
    } else {
        range.start = clamp(start, 0, dim - 1);
        end = clamp(end, -1, dim - 1);
        range.length = dim > 0 && end < range.start ? (end - range.start + 1) / step + 1 : 0;
    }
    range.is_whole = step == 1 && range.length == dim;
    return range;
}

struct lists {
    struct integers starts, ends, axes, steps;
};

static int read_lists(const struct site *site, struct lists *lists, struct error *error)
{
    if (integers_read(site, "starts", 1, &lists->starts, error) != OK ||
        integers_read(site, "ends", 2, &lists->ends, error) != OK ||
        integers_read(site, "axes", 3, &lists->axes, error) != OK ||
        integers_read(site, NULL, 4, &lists->steps, error) != OK)
        return FAILED;
    if (!lists->starts.is_given || !lists->ends.is_given)
        return error_set(error, FAULT_IO,
                         "it lacks 'starts' or 'ends': attributes before opset 10, then inputs");
    const long count = lists->starts.length;
    const struct integers *const others[] = {&lists->ends, &lists->axes, &lists->steps};
    for (int i = 0; i < 3; i++)
        if (count >= 0 && others[i]->is_given && others[i]->length >= 0 &&
            others[i]->length != count)
            return error_set(error, FAULT_IO,
                             "'starts', 'ends', 'axes' and 'steps' have to be equally long; there "
                             "are %ld and %ld",
                             count, others[i]->length);
    return OK;
}

/* Which dims are cut; *is_known false where that is not known yet. */
static int find_axes(const struct lists *lists, int rank, long axes[RANK_MAX], int *count,
                     bool *is_known, struct error *error)
{
    bool marked[RANK_MAX];
    *is_known = lists->axes.is_given ? lists->axes.values != NULL : lists->starts.length >= 0;
    if (!*is_known)
        return OK;
    const long given = lists->axes.is_given ? lists->axes.count : lists->starts.length;
    if (given > rank)
        return error_set(error, FAULT_IO, "%ld ranges are given for %d dimensions", given, rank);
    *count = (int)given;
    for (int i = 0; i < *count; i++)
        axes[i] = lists->axes.is_given ? lists->axes.values[i] : i;
    if (axes_mark(axes, *count, rank, marked, error) != OK)
        return FAILED;
    for (int i = 0; i < *count; i++)
        axes[i] += axes[i] < 0 ? rank : 0;
    return OK;
}

/* A range of each dim of the input. */
static int find_ranges(const struct site *site, const struct type *in, struct range range[RANK_MAX],
                       struct error *error)
{
    struct lists lists;
    long axes[RANK_MAX];
    int count = 0;
    bool is_known;
    if (read_lists(site, &lists, error) != OK ||
        find_axes(&lists, in->rank, axes, &count, &is_known, error) != OK)
        return FAILED;
    for (int i = 0; i < in->rank; i++)
        range[i] = is_known ? whole_range : (struct range){.step = 1, .length = -1};
    for (int i = 0; i < in->rank; i++)
        if (is_known)
            range[i].length = in->dims[i];
    for (int i = 0; i < count; i++) {
        const bool has_values = lists.starts.values && lists.ends.values &&
                                (!lists.steps.is_given || lists.steps.values);
        struct range *of = &range[axes[i]];
        *of = (struct range){.step = 1, .length = -1};
        if (!has_values)
            continue;
        const long start = lists.starts.values[i], end = lists.ends.values[i];
        const long step = lists.steps.is_given ? lists.steps.values[i] : 1;
        if (step == 0)
            return error_set(error, FAULT_IO, "the step of axis %ld is 0", axes[i]);
        *of = in->dims[axes[i]] < 0 ? range_of_unknown(start, end, step)
                                    : range_of(in->dims[axes[i]], start, end, step);
    }
    return OK;
}

static int infer(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    struct type *out = &site->output[0].type;
    struct range range[RANK_MAX];
    out->element = in.element;
    if (in.rank < 0)
        return OK;
    if (find_ranges(site, &in, range, error) != OK)
        return FAILED;
    out->rank = in.rank;
    for (int i = 0; i < in.rank; i++) {
        out->dims[i] = range[i].length;
        if (range[i].is_whole)
            dim_copy(out, i, &in, i);
    }
    return OK;
}

static int find_move(const struct site *site, struct move *move, struct error *error)
{
    const struct type *in = &site->input[0].type;
    struct range range[RANK_MAX];
    *move = (struct move){0};
    if (find_ranges(site, in, range, error) != OK)
        return FAILED;
    for (int i = 0; i < in->rank; i++) {
        const long step = type_product(in, i + 1, in->rank);
        if (range[i].length < 0)
            return error_skip(error, "its ranges are not known before it runs");
        if (type_elements(in) > 0 && range[i].length > 0)
            move->base += range[i].start * step;
        /* A step beyond the dim takes one element, and would overflow. */
        move_dim(move, range[i].length, range[i].length > 1 ? range[i].step * step : 0);
    }
    return OK;
}

static int evaluate(struct site *site, struct error *error)
{
    struct move move;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    const int result = find_move(site, &move, error);
    if (result == OK)
        move_evaluate(&move, &site->output[0], &site->input[0]);
    return result;
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    struct move move;
    const int result = find_move(site, &move, error);
    if (result != OK)
        return result;
    return move_lower(site, lowering, &move, 0, 0, error);
}

static const struct attribute_rule attributes[] = {{"starts", ATTRIBUTE_INTS, false},
                                                   {"ends", ATTRIBUTE_INTS, false},
                                                   {"axes", ATTRIBUTE_INTS, false},
                                                   {0}};

const struct op onnx_Slice_op = {
    .domain = "",
    .name = "Slice",
    .summary = "x[start : end : step] along `axes`, ends exclusive",
    .flags = OP_MOVES,
    .inputs_min = 1,
    .inputs_max = 5,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer,
    .evaluate = evaluate,
    .lower = lower,
};
