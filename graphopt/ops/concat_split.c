// concat_split.c - Concat and Split: arrays side by side along one axis, and cut apart again.
#include "in_place.h"
#include "moves.h"

/* Of kernel 'join'. */
enum { JOIN_ARRAYS = KERNEL_OPERANDS_MAX - 1 };

/* ---- Concat ---- */

static int read_axis(const struct site *site, int rank, int *axis, struct error *error)
{
    if (!node_attribute(site->node, "axis") && site->node->opset >= 4)
        return error_set(error, FAULT_IO, "it lacks the attribute 'axis'");
    return axis_resolve(node_integer(site->node, "axis", 1), rank, axis, error);
}

/* One input more: `out` is what is known from those before. */
static int join(struct type *out, const struct type *in, int axis, struct error *error)
{
    for (int i = 0; i < out->rank; i++) {
        if (i == axis) {
            const bool is_known = out->dims[i] >= 0 && in->dims[i] >= 0;
            out->dims[i] = is_known ? out->dims[i] + in->dims[i] : -1;
            out->symbol[i] = 0;
            if (out->dims[i] > ELEMENTS_MAX)
                return error_set(error, FAULT_IO, "the inputs together are longer than %ld",
                                 ELEMENTS_MAX);
        } else if (out->dims[i] < 0) {
            if (in->dims[i] >= 0 || !out->symbol[i])
                dim_copy(out, i, in, i);
        } else if (in->dims[i] >= 0 && in->dims[i] != out->dims[i]) {
            return error_set(error, FAULT_IO,
                             "dimension %d is %ld in one input and %ld in another; only that of "
                             "axis %d may differ",
                             i, out->dims[i], in->dims[i], axis);
        }
    }
    return OK;
}

static int infer_concat(struct site *site, struct error *error)
{
    struct type *out = &site->output[0].type;
    int axis = 0;
    bool is_open = false; /* along the axis */
    if (site_needs_all(site, error) != OK)
        return FAILED;
    for (int i = 0; i < site->node->input_count; i++) {
        const struct type in = site_type(site, i);
        if (elements_agree(out->element, in.element, error) != OK)
            return FAILED;
        if (out->element == ELEMENT_NONE)
            out->element = in.element;
        if (in.rank < 0) {
            is_open = true;
            continue;
        }
        if (out->rank < 0) {
            const enum element element = out->element;
            *out = in;
            out->element = element;
            if (read_axis(site, in.rank, &axis, error) != OK)
                return FAILED;
            continue;
        }
        if (in.rank != out->rank)
            return error_set(error, FAULT_IO, "inputs have %d and %d dimensions", out->rank,
                             in.rank);
        if (join(out, &in, axis, error) != OK)
            return FAILED;
    }
    if (is_open && out->rank >= 0) {
        out->dims[axis] = -1;
        out->symbol[axis] = 0;
    }
    return OK;
}

static int evaluate_concat(struct site *site, struct error *error)
{
    const struct array *out = &site->output[0];
    const struct type *type = &out->type;
    int axis;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    if (read_axis(site, type->rank, &axis, error) != OK)
        return FAILED;
    const long rows = type_product(type, 0, axis), pitch = type_product(type, axis, type->rank);
    long to = 0;
    for (int i = 0; i < site->node->input_count; i++) {
        const struct array *in = &site->input[i];
        const long run = type_product(&in->type, axis, type->rank);
        for (long row = 0; row < rows && run > 0; row++)
            elements_copy(out->data, row * pitch + to, in->data, row * run, run, type->element);
        to += run;
    }
    return OK;
}

/* What a Concat joins: a run of each input, one after the other, in each row of the output. */
struct joint {
    const struct site *site;
    struct lowering *lowering;
    enum dtype dtype;
    long rows, pitch; /* rows of the output, elements of one */
    struct error *error;
};

/* Neighbours in the output that one launch of kernel 'join' writes. */
struct neighbours {
    int count, input[JOIN_ARRAYS];
    long run[JOIN_ARRAYS];
    long begin; /* of the first in a row */
};

static int add_join(const struct joint *joint, const struct neighbours *of)
{
    if (of->count == 0)
        return OK;
    struct launch *launch =
        launches_add(joint->site, joint->lowering, "join", joint->dtype, joint->error);
    if (!launch)
        return FAILED;
    launch_letter(launch, "rows", joint->rows);
    launch_letter(launch, "to", joint->pitch);
    launch->operand[0] = operand_behind(of_output(0), of->begin, joint->dtype);
    for (int i = 0; i < of->count; i++) {
        const char letter[] = {'n', (char)('1' + i), 0};
        launch_letter(launch, letter, of->run[i]);
        launch->operand[1 + i] = of_input(of->input[i]);
    }
    return OK;
}

/* Whether the input is written where it belongs: rows of it are, or it is one piece there that
 * begins on a line. */
static bool is_placed(const struct joint *joint, int input, long begin)
{
    const struct site *site = joint->site;
    if (site->is_placed && site->is_placed[input])
        return true;
    return !site->is_apart && site->graph && joint->rows == 1 &&
           begin * dtype_bytes(joint->dtype) % LINE_BYTES == 0 &&
           in_place_input(site->graph, site->node, input);
}

static int place(const struct joint *joint, int input, long begin)
{
    struct lowering *lowering = joint->lowering;
    if (!lowering->input_at)
        lowering->input_at = lowering_places(joint->site, joint->site->node->input_count);
    if (!lowering->input_at)
        return error_set(joint->error, FAULT_ENVIRONMENT, "out of memory");
    lowering->input_at[input] = begin * dtype_bytes(joint->dtype);
    return OK;
}

static int lower_inputs(const struct joint *joint, int axis)
{
    struct neighbours next = {.count = 0};
    int result = OK;
    long begin = 0;
    for (int i = 0; i < joint->site->node->input_count && result == OK; i++) {
        const struct type *type = &joint->site->input[i].type;
        const long run = type_product(type, axis, type->rank);
        const bool placed = run > 0 && is_placed(joint, i, begin);
        if (placed || next.count == JOIN_ARRAYS) {
            result = add_join(joint, &next);
            next.count = 0;
        }
        if (result == OK && placed)
            result = place(joint, i, begin);
        else if (run > 0) {
            next.begin = next.count == 0 ? begin : next.begin;
            next.input[next.count] = i;
            next.run[next.count++] = run;
        }
        begin += run;
    }
    return result == OK ? add_join(joint, &next) : result;
}

static int lower_concat(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct type *type = &site->output[0].type;
    struct joint joint = {.site = site, .lowering = lowering, .error = error};
    int axis;
    if (element_moved_dtype(type->element, &joint.dtype, error) != OK)
        return SKIPPED;
    if (type_elements(type) == 0)
        return error_skip(error, "there is nothing to move");
    if (read_axis(site, type->rank, &axis, error) != OK)
        return FAILED;
    joint.rows = type_product(type, 0, axis);
    joint.pitch = type_product(type, axis, type->rank);
    if (site->node->input_count >= JOIN_ARRAYS * LAUNCHES_MAX)
        return error_skip(error, "%d inputs would take more launches than they are worth",
                          site->node->input_count);
    return lower_inputs(&joint, axis);
}

/* ---- Split ---- */

/* Sizes that were asked for. */
static int take_sizes(const struct integers *sizes, long dim, int outputs, long *length,
                      struct error *error)
{
    long sum = 0;
    if (sizes->count != outputs)
        return error_set(error, FAULT_IO, "%d sizes are given for %d outputs", sizes->count,
                         outputs);
    for (int i = 0; i < outputs; i++) {
        length[i] = sizes->values[i];
        if (length[i] < 0 || length[i] > ELEMENTS_MAX || sum > ELEMENTS_MAX - length[i])
            return error_set(error, FAULT_IO, "size %ld of output %d is negative or too large",
                             length[i], i);
        sum += length[i];
    }
    if (dim >= 0 && sum != dim)
        return error_set(error, FAULT_IO,
                         "the sizes sum up to %ld, but the dimension that is split is %ld", sum,
                         dim);
    return OK;
}

/* Equal ones; from opset 18 on the last may be smaller. */
static int equal_sizes(const struct node *node, long dim, long *length, struct error *error)
{
    const int outputs = node->output_count;
    const long asked = node_integer(node, "num_outputs", outputs);
    if (asked != outputs)
        return error_set(error, FAULT_IO, "'num_outputs' is %ld, but there are %d outputs", asked,
                         outputs);
    if (dim < 0) {
        for (int i = 0; i < outputs; i++)
            length[i] = -1;
        return OK;
    }
    const long chunk = (dim + outputs - 1) / outputs, last = dim - chunk * (outputs - 1);
    if (last < 0 || (node->opset < 18 && last != chunk))
        return error_set(error, FAULT_IO,
                         "a dimension of %ld cannot be split into %d equal parts; give the sizes",
                         dim, outputs);
    for (int i = 0; i < outputs; i++)
        length[i] = i < outputs - 1 ? chunk : last;
    return OK;
}

/* Lengths along the axis, one of each output; of the arena. -1: not known. */
static int find_lengths(const struct site *site, long dim, long **length, struct error *error)
{
    const int outputs = site->node->output_count;
    struct integers sizes;
    *length = arena_take_array(site->arena, (size_t)outputs, sizeof **length);
    if (!*length)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    if (integers_read(site, "split", 1, &sizes, error) != OK)
        return FAILED;
    if (!sizes.is_given)
        return equal_sizes(site->node, dim, *length, error);
    if (sizes.values)
        return take_sizes(&sizes, dim, outputs, *length, error);
    for (int i = 0; i < outputs; i++)
        (*length)[i] = -1;
    return OK;
}

static int infer_split(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    long *length;
    int axis;
    for (int i = 0; i < site->node->output_count; i++)
        site->output[i].type.element = in.element;
    if (in.rank < 0)
        return OK;
    if (axis_resolve(node_integer(site->node, "axis", 0), in.rank, &axis, error) != OK ||
        find_lengths(site, in.dims[axis], &length, error) != OK)
        return FAILED;
    for (int i = 0; i < site->node->output_count; i++) {
        struct type *out = &site->output[i].type;
        *out = in;
        out->dims[axis] = length[i];
        out->symbol[axis] = 0;
    }
    return OK;
}

/* Output i shows elements from `from` on along the axis. */
static struct move part_move(const struct type *in, const struct type *out, int axis, long from)
{
    const long inner = type_product(in, axis + 1, in->rank);
    struct move move = {.base = from * inner};
    move_dim(&move, type_product(in, 0, axis), in->dims[axis] * inner);
    move_dim(&move, out->dims[axis] * inner, 1);
    return move;
}

static int evaluate_split(struct site *site, struct error *error)
{
    const struct array *in = &site->input[0];
    long from = 0;
    int axis;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    if (axis_resolve(node_integer(site->node, "axis", 0), in->type.rank, &axis, error) != OK)
        return FAILED;
    for (int i = 0; i < site->node->output_count; i++) {
        const struct move move = part_move(&in->type, &site->output[i].type, axis, from);
        move_evaluate(&move, &site->output[i], in);
        from += site->output[i].type.dims[axis];
    }
    return OK;
}

static int lower_split(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct type *in = &site->input[0].type;
    const int outputs = site->node->output_count;
    long from = 0;
    int axis, result = OK;
    if (axis_resolve(node_integer(site->node, "axis", 0), in->rank, &axis, error) != OK)
        return FAILED;
    for (int i = 0; i < outputs && result == OK; i++) {
        const struct type *out = &site->output[i].type;
        const struct move move = part_move(in, out, axis, from);
        if (site->node->outputs[i] >= 0 && type_elements(out) > 0)
            result = move_lower(site, lowering, &move, 0, i, error);
        from += out->dims[axis];
    }
    return result == OK && !lowering->launch_count && !lowering->output_at
               ? error_skip(error, "there is nothing to move")
               : result;
}

static const struct attribute_rule concat_attributes[] = {{"axis", ATTRIBUTE_INT, false}, {0}};
static const struct attribute_rule split_attributes[] = {{"axis", ATTRIBUTE_INT, false},
                                                         {"split", ATTRIBUTE_INTS, false},
                                                         {"num_outputs", ATTRIBUTE_INT, false},
                                                         {0}};

const struct op onnx_Concat_op = {
    .domain = "",
    .name = "Concat",
    .summary = "the inputs one after the other along `axis`",
    .flags = OP_MOVES,
    .inputs_min = 1,
    .inputs_max = OP_VARIADIC,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = concat_attributes,
    .infer = infer_concat,
    .evaluate = evaluate_concat,
    .lower = lower_concat,
};

const struct op onnx_Split_op = {
    .domain = "",
    .name = "Split",
    .summary = "x cut along `axis` into parts of the given sizes, else into equal ones",
    .flags = OP_MOVES,
    .inputs_min = 1,
    .inputs_max = 2,
    .outputs_min = 1,
    .outputs_max = OP_VARIADIC,
    .attributes = split_attributes,
    .infer = infer_split,
    .evaluate = evaluate_split,
    .lower = lower_split,
};
