// border.c - Pad: elements added around an array, or taken away where the border is negative.
#include <string.h>

#include "launches.h"
#include "moves.h"

enum mode { MODE_CONSTANT, MODE_REFLECT, MODE_EDGE, MODE_WRAP };

static const char *const mode_words[] = {"constant", "reflect", "edge", "wrap", NULL};

/* The border of each dim. */
struct border {
    enum mode mode;
    long before[RANK_MAX], after[RANK_MAX];
    bool is_known[RANK_MAX];
};

static int read_mode(const struct node *node, enum mode *mode, struct error *error)
{
    int which;
    const int result = word_read(node, "mode", mode_words, &which, error);
    *mode = (enum mode)which;
    return result;
}

/* The dims that the pads are for, in their order, counted from the first. */
struct padded {
    bool is_known;
    long axis[RANK_MAX];
    int count;
};

static int read_padded(const struct site *site, int rank, struct padded *padded,
                       struct error *error)
{
    struct integers list;
    bool marked[RANK_MAX];
    *padded = (struct padded){.is_known = true, .count = rank};
    for (int i = 0; i < rank; i++)
        padded->axis[i] = i;
    if (integers_read(site, NULL, 3, &list, error) != OK)
        return FAILED;
    if (!list.is_given)
        return OK;
    if (list.length > rank)
        return error_set(error, FAULT_IO, "%ld axes are padded of %d dimensions", list.length,
                         rank);
    padded->is_known = list.values != NULL;
    padded->count = list.count;
    if (axes_mark(list.values, list.count, rank, marked, error) != OK)
        return FAILED;
    for (int i = 0; i < list.count; i++)
        padded->axis[i] = list.values[i] < 0 ? list.values[i] + rank : list.values[i];
    return OK;
}

static int read_border(const struct site *site, int rank, struct border *border,
                       struct error *error)
{
    struct integers pads;
    struct padded padded;
    *border = (struct border){0};
    if (read_mode(site->node, &border->mode, error) != OK ||
        read_padded(site, rank, &padded, error) != OK ||
        integers_read(site, "pads", 1, &pads, error) != OK)
        return FAILED;
    if (!pads.is_given)
        return error_set(error, FAULT_IO,
                         "it lacks 'pads': an attribute before opset 11, then input 1");
    if (padded.is_known && pads.length >= 0 && pads.length != 2L * padded.count)
        return error_set(error, FAULT_IO, "%ld pads are given for %d dimensions; each needs two",
                         pads.length, padded.count);
    for (int i = 0; i < rank; i++)
        border->is_known[i] = padded.is_known;
    for (int i = 0; padded.is_known && i < padded.count; i++) {
        const long axis = padded.axis[i];
        border->is_known[axis] = pads.values != NULL;
        if (!pads.values)
            continue;
        const long before = pads.values[i], after = pads.values[padded.count + i];
        if (before < -ELEMENTS_MAX || before > ELEMENTS_MAX || after < -ELEMENTS_MAX ||
            after > ELEMENTS_MAX)
            return error_set(error, FAULT_IO, "pads %ld and %ld of dimension %ld are too large",
                             before, after, axis);
        border->before[axis] = before;
        border->after[axis] = after;
    }
    return OK;
}

static int infer(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    struct type *out = &site->output[0].type;
    struct border border;
    out->element = in.element;
    if (elements_agree(in.element, site_type(site, 2).element, error) != OK)
        return FAILED;
    if (in.rank < 0)
        return OK;
    if (read_border(site, in.rank, &border, error) != OK)
        return FAILED;
    dims_unknown(out, in.rank);
    for (int i = 0; i < in.rank; i++) {
        const long added = border.before[i] + border.after[i];
        if (border.is_known[i] && border.before[i] == 0 && border.after[i] == 0)
            dim_copy(out, i, &in, i);
        if (!border.is_known[i] || in.dims[i] < 0)
            continue;
        out->dims[i] = in.dims[i] + added;
        if (out->dims[i] < 0)
            return error_set(error, FAULT_IO,
                             "pads %ld and %ld take more than the %ld that dimension %d has",
                             border.before[i], border.after[i], in.dims[i], i);
        if (border.mode != MODE_CONSTANT && in.dims[i] == 0 && out->dims[i] > 0)
            return error_set(error, FAULT_IO, "dimension %d has no element to repeat", i);
    }
    return OK;
}

/* ---- plain loops ---- */

/* The place in the input that place i, counted from its first, shows; -1: none. */
static long shown_place(long i, long dim, enum mode mode)
{
    const long period = mode == MODE_REFLECT ? 2 * (dim - 1) : dim;
    if (i >= 0 && i < dim)
        return i;
    switch (mode) {
    case MODE_EDGE:
        return i < 0 ? 0 : dim - 1;
    case MODE_WRAP:
    case MODE_REFLECT:
        if (period == 0)
            return 0;
        i = i % period + (i % period < 0 ? period : 0);
        return i < dim ? i : period - i;
    default:
        return -1;
    }
}

/* What is taken away goes first, and what is left is repeated. */
static void find_shown(long *shown, long lines, long dim, const struct border *border, int axis)
{
    const long before = border->before[axis], after = border->after[axis];
    long cut = before < 0 ? -before : 0, left = dim - cut + (after < 0 ? after : 0);
    if (left < 1) { /* more than there is is taken away, and added on the other side */
        cut = 0;
        left = dim;
    }
    for (long i = 0; i < lines; i++) {
        const long place = shown_place(i - before - cut, left, border->mode);
        shown[i] = place < 0 ? -1 : place + cut;
    }
}

/* What stands in a border of constants. */
static int read_value(const struct site *site, void *value, struct error *error)
{
    const struct array *given = site_input(site, 2);
    const enum element element = site->output[0].type.element;
    if (given && type_elements(&given->type) != 1)
        return error_set(error, FAULT_IO, "the constant value has %ld elements; it needs one",
                         type_elements(&given->type));
    if (given && !given->data)
        return error_skip(error, "its constant value is not known before it runs");
    if (given)
        elements_copy(value, 0, given->data, 0, 1, element);
    else if (element == ELEMENT_text)
        *(struct text *)value = (struct text){"", 0};
    else
        element_put_real(value, element, 0, node_real(site->node, "value", 0));
    return OK;
}

/* One line of the output along its last dim; `from`: where the line of the input begins, or -1. */
static void pad_line(const struct array *out, long to, const struct array *in, long from,
                     const long *shown, long length, const void *value)
{
    for (long i = 0, run; i < length; i += run) {
        run = 1;
        if (from < 0 || shown[i] < 0) {
            elements_copy(out->data, to + i, value, 0, 1, out->type.element);
            continue;
        }
        while (i + run < length && shown[i + run] == shown[i] + run)
            run++;
        elements_copy(out->data, to + i, in->data, from + shown[i], run, out->type.element);
    }
}

static int evaluate(struct site *site, struct error *error)
{
    const struct array *out = &site->output[0], *in = &site->input[0];
    const struct type *type = &out->type;
    struct border border;
    struct text value = {0}; /* the largest element, and aligned for any */
    long *shown[RANK_MAX] = {0}, at[RANK_MAX] = {0};
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    const int known = read_value(site, &value, error);
    if (known != OK || read_border(site, type->rank, &border, error) != OK)
        return known == SKIPPED ? SKIPPED : FAILED;
    const long total = type_elements(type);
    if (type->rank == 0)
        elements_copy(out->data, 0, in->data, 0, 1, type->element);
    if (type->rank == 0 || total == 0)
        return OK;
    for (int i = 0; i < type->rank; i++) {
        shown[i] = arena_take_array(site->arena, (size_t)type->dims[i], sizeof **shown);
        if (!shown[i])
            return error_set(error, FAULT_ENVIRONMENT, "out of memory");
        find_shown(shown[i], type->dims[i], in->type.dims[i], &border, i);
    }
    const int last = type->rank - 1;
    struct type lines = *type;
    lines.rank = last;
    for (long to = 0; to < total; to += type->dims[last]) {
        long from = 0;
        for (int i = 0; i < last && from >= 0; i++)
            from = shown[i][at[i]] < 0 ? -1 : from * in->type.dims[i] + shown[i][at[i]];
        pad_line(out, to, in, from < 0 ? -1 : from * in->type.dims[last], shown[last],
                 type->dims[last], &value);
        place_next(&lines, at);
    }
    return OK;
}

/* ---- kernel ---- */

static int check_kernel(const struct type *in, const struct border *border, int first, int last,
                        struct error *error)
{
    if (border->mode == MODE_WRAP)
        return error_skip(error, "kernel 'pad' does not wrap around");
    if (last - first > 1)
        return error_skip(error, "kernel 'pad' pads two neighbouring dimensions at most");
    for (int i = 0; i < in->rank; i++)
        if (!border->is_known[i] || border->before[i] < 0 || border->after[i] < 0)
            return error_skip(error, "kernel 'pad' takes nothing away, and wants to know how much "
                                     "it adds");
    return OK;
}

/* Zeros the kernel has itself; another value is an operand, which may be known only when it runs.
 */
static int set_value(const struct site *site, struct launch *launch, struct error *error)
{
    static const char zeros[sizeof(struct text)];
    const struct array *given = site_input(site, 2);
    struct text *value = arena_take(site->arena, sizeof *value);
    if (!value)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    memset(value, 0, sizeof *value);
    const int known = read_value(site, value, error);
    if (known == FAILED || (known == OK && memcmp(value, zeros, sizeof *value) == 0))
        return known;
    launch->operand[2] = known == OK || !given ? of_constant(value) : of_input(2);
    launch_word(launch, "mode", "value");
    return OK;
}

/* A border that only takes away leaves what a Slice would; false where one adds something. */
static bool find_rest(const struct type *in, const struct border *border, struct move *rest)
{
    *rest = (struct move){0};
    for (int i = 0; i < in->rank; i++) {
        const long step = type_product(in, i + 1, in->rank);
        if (!border->is_known[i] || border->before[i] > 0 || border->after[i] > 0)
            return false;
        move_dim(rest, in->dims[i] + border->before[i] + border->after[i], step);
        rest->base -= border->before[i] * step;
    }
    return true;
}

static void set_letters(struct launch *launch, const struct type *in, const struct border *border,
                        int first, int last)
{
    const long outer = type_product(in, 0, first), inner = type_product(in, last + 1, in->rank);
    launch_word(launch, "mode", mode_words[border->mode]);
    if (first == last && inner == 1) { /* one dim: lines */
        launch_letter(launch, "c", outer);
        launch_letter(launch, "h", 1);
        launch_letter(launch, "w", in->dims[last]);
        launch_letter(launch, "left", border->before[last]);
        launch_letter(launch, "right", border->after[last]);
        return;
    }
    launch_letter(launch, "top", border->before[first]);
    launch_letter(launch, "bottom", border->after[first]);
    launch_letter(launch, "h", in->dims[first]);
    if (first == last) { /* one dim of whole rows */
        launch_letter(launch, "c", outer);
        launch_letter(launch, "w", inner);
        return;
    }
    launch_letter(launch, "w", in->dims[last]);
    launch_letter(launch, "left", border->before[last]);
    launch_letter(launch, "right", border->after[last]);
    launch_word(launch, "layout", inner == 1 ? "nchw" : "nhwc");
    launch_letter(launch, inner == 1 ? "c" : "n", outer);
    if (inner != 1)
        launch_letter(launch, "c", inner);
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct type *in = &site->input[0].type, *out = &site->output[0].type;
    struct border border;
    struct move rest;
    enum dtype dtype;
    int first = in->rank, last = -1;
    if (element_moved_dtype(out->element, &dtype, error) != OK)
        return SKIPPED;
    if (read_border(site, in->rank, &border, error) != OK)
        return FAILED;
    if (find_rest(in, &border, &rest))
        return move_lower(site, lowering, &rest, 0, 0, error);
    for (int i = 0; i < in->rank; i++)
        if (border.before[i] != 0 || border.after[i] != 0) {
            first = first < i ? first : i;
            last = i;
        }
    if (check_kernel(in, &border, first, last, error) != OK)
        return SKIPPED;
    struct launch *launch = launches_add(site, lowering, "pad", dtype, error);
    if (!launch)
        return FAILED;
    set_letters(launch, in, &border, first, last);
    launch->operand[0] = of_output(0);
    launch->operand[1] = of_input(0);
    return border.mode == MODE_CONSTANT ? set_value(site, launch, error) : OK;
}

static const struct attribute_rule attributes[] = {{"mode", ATTRIBUTE_TEXT, false},
                                                   {"pads", ATTRIBUTE_INTS, false},
                                                   {"value", ATTRIBUTE_REAL, false},
                                                   {0}};

const struct op onnx_Pad_op = {
    .domain = "",
    .name = "Pad",
    .summary = "x with a border of a constant, its mirror image, its edge or itself again",
    .since = 2,
    .inputs_min = 1,
    .inputs_max = 4,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer,
    .evaluate = evaluate,
    .lower = lower,
};
