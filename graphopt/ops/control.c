// control.c - If, Loop and Scan, whose blocks the executor runs: what is known of their results.
#include "op.h"

/* ---- blocks ---- */

/* The block of that attribute; NULL where the node has none. */
static const struct block *block_of(const struct site *site, const char *name)
{
    const struct attribute *attribute = node_attribute(site->node, name);
    if (!site->graph || !attribute || attribute->kind != ATTRIBUTE_BLOCK)
        return NULL;
    return site->graph->block[attribute->block];
}

static struct type output_type(const struct site *site, const struct block *block, int i)
{
    return i < block->output_count ? site->graph->tensor[block->outputs[i]]->type : UNKNOWN_TYPE;
}

/* What holds of both. */
static struct type common_type(const struct type *a, const struct type *b)
{
    struct type common = {.element = a->element == b->element ? a->element : ELEMENT_NONE,
                          .rank = a->rank == b->rank ? a->rank : -1};
    for (int i = 0; i < common.rank; i++) {
        const bool is_same = a->dims[i] == b->dims[i];
        common.dims[i] = is_same ? a->dims[i] : -1;
        common.symbol[i] = is_same && a->symbol[i] == b->symbol[i] ? a->symbol[i] : 0;
    }
    return common;
}

/* With a dim in front of `axis`, or without that one. */
static struct type with_dim(const struct type *type, int axis, long dim, int symbol)
{
    struct type longer = *type;
    longer.rank = type->rank + 1;
    for (int i = longer.rank - 1; i > axis; i--) {
        longer.dims[i] = type->dims[i - 1];
        longer.symbol[i] = type->symbol[i - 1];
    }
    longer.dims[axis] = dim;
    longer.symbol[axis] = symbol;
    return longer;
}

static int check_counts(const struct block *block, int inputs, int outputs, struct error *error)
{
    if (block->input_count != inputs || block->output_count != outputs)
        return error_set(error, FAULT_IO,
                         "block '%s' has %d inputs and %d outputs; the node needs %d and %d",
                         block->name, block->input_count, block->output_count, inputs, outputs);
    return OK;
}

/* ---- If ---- */

/* Of output i, by the branch that is taken where that is known. */
static int infer_output(struct site *site, int i, const struct block *yes, const struct block *no,
                        struct error *error)
{
    const struct array *condition = &site->input[0];
    const struct type a = output_type(site, yes, i), b = output_type(site, no, i);
    struct type *out = &site->output[i].type;
    if (condition->data && type_elements(&condition->type) == 1) {
        *out = element_whole(condition->data, condition->type.element, 0) ? a : b;
        return OK;
    }
    if (a.element != b.element && a.element != ELEMENT_NONE && b.element != ELEMENT_NONE)
        return error_set(error, FAULT_IO,
                         "output %d has elements '%s' in one branch, '%s' in the other", i,
                         element_name(a.element), element_name(b.element));
    *out = common_type(&a, &b);
    if (out->element == ELEMENT_NONE)
        out->element = a.element != ELEMENT_NONE ? a.element : b.element;
    return OK;
}

static int infer_if(struct site *site, struct error *error)
{
    const struct block *yes = block_of(site, "then_branch"), *no = block_of(site, "else_branch");
    const struct type condition = site_type(site, 0);
    const int count = site->node->output_count;
    if (condition.element != ELEMENT_NONE && condition.element != ELEMENT_bool)
        return error_set(error, FAULT_IO, "the condition has elements '%s', not bool",
                         element_name(condition.element));
    if (!yes || !no)
        return OK;
    if (check_counts(yes, 0, count, error) != OK || check_counts(no, 0, count, error) != OK)
        return FAILED;
    for (int i = 0; i < count; i++)
        if (infer_output(site, i, yes, no, error) != OK)
            return FAILED;
    return OK;
}

/* ---- Loop ---- */

/* Scan outputs: one step's with the number of steps in front, which only the run knows. */
static int stack_outputs(struct site *site, const struct block *block, int states, int skipped,
                         struct error *error)
{
    for (int i = states; i < site->node->output_count; i++) {
        const struct type step = output_type(site, block, i + skipped);
        site->output[i].type = step;
        if (step.rank < 0)
            continue;
        if (step.rank == RANK_MAX)
            return error_set(error, FAULT_IO,
                             "output %d would have %d dimensions; at most %d can be handled", i,
                             RANK_MAX + 1, RANK_MAX);
        site->output[i].type = with_dim(&step, 0, -1, 0);
    }
    return OK;
}

/* States may change their dims from step to step, and may stay what they were. */
static int infer_loop(struct site *site, struct error *error)
{
    const struct block *block = block_of(site, "body");
    const int states = site->node->input_count > 2 ? site->node->input_count - 2 : 0;
    if (!block)
        return OK;
    if (states > site->node->output_count)
        return error_set(error, FAULT_IO, "%d states go in and only %d outputs come out", states,
                         site->node->output_count);
    if (check_counts(block, states + 2, site->node->output_count + 1, error) != OK)
        return FAILED;
    for (int i = 0; i < states; i++) {
        const struct type first = site_type(site, i + 2), last = output_type(site, block, i + 1);
        site->output[i].type = common_type(&first, &last);
    }
    return stack_outputs(site, block, states, 1, error);
}

/* ---- Scan ---- */

/* Axis `i` of a list of axes; 0 where there is none. */
static int axis_of(const struct site *site, const char *attribute, int i, int rank, int *axis,
                   struct error *error)
{
    int count;
    const long *axes = node_integers(site->node, attribute, &count);
    return axis_resolve(axes && i < count ? axes[i] : 0, rank, axis, error);
}

/* The dim that is scanned, of all inputs that know it. */
static int find_steps(const struct site *site, int states, long *steps, int *symbol,
                      struct error *error)
{
    *steps = -1;
    *symbol = 0;
    for (int i = states; i < site->node->input_count; i++) {
        const struct type in = site_type(site, i);
        int axis;
        if (in.rank < 0)
            continue;
        if (axis_of(site, "scan_input_axes", i - states, in.rank, &axis, error) != OK)
            return FAILED;
        if (in.dims[axis] >= 0 && *steps >= 0 && in.dims[axis] != *steps)
            return error_set(error, FAULT_IO, "input %d has %ld steps, another one %ld", i,
                             in.dims[axis], *steps);
        if (in.dims[axis] >= 0)
            *steps = in.dims[axis];
        if (in.symbol[axis])
            *symbol = in.symbol[axis];
    }
    return OK;
}

/* Before opset 9 there was a batch, and lengths as the first input: of it no dims are claimed. */
static int infer_scan(struct site *site, struct error *error)
{
    const struct node *node = site->node;
    const struct block *block = block_of(site, "body");
    const bool is_old = node->opset < 9;
    const long scanned = node_integer(node, "num_scan_inputs", -1);
    const int operands = node->input_count - is_old;
    const long states = scanned >= 1 && scanned <= operands ? operands - scanned : -1;
    if (states < 0 || states > node->output_count)
        return error_set(
            error, FAULT_IO,
            "num_scan_inputs is %ld for %d inputs and %d outputs; it is at least 1 and "
            "leaves a state for each of the first outputs",
            scanned, node->input_count, node->output_count);
    if (!block)
        return OK;
    if (check_counts(block, node->input_count - is_old, node->output_count, error) != OK)
        return FAILED;
    long steps = -1;
    int symbol = 0;
    if (!is_old && find_steps(site, (int)states, &steps, &symbol, error) != OK)
        return FAILED;
    for (int i = 0; i < node->output_count; i++) {
        const struct type step = output_type(site, block, i);
        struct type *out = &site->output[i].type;
        out->element = step.element;
        if (is_old || step.rank < 0)
            continue;
        int axis;
        if (i < states) {
            const struct type first = site_type(site, i);
            *out = common_type(&first, &step);
        } else if (step.rank == RANK_MAX)
            return error_set(error, FAULT_IO,
                             "output %d would have %d dimensions; at most %d can be handled", i,
                             RANK_MAX + 1, RANK_MAX);
        else if (axis_of(site, "scan_output_axes", i - (int)states, step.rank + 1, &axis, error) !=
                 OK)
            return FAILED;
        else
            *out = with_dim(&step, axis, steps, steps < 0 ? symbol : 0);
    }
    return OK;
}

static const struct attribute_rule if_attributes[] = {
    {"then_branch", ATTRIBUTE_BLOCK, true}, {"else_branch", ATTRIBUTE_BLOCK, true}, {0}};
static const struct attribute_rule loop_attributes[] = {{"body", ATTRIBUTE_BLOCK, true}, {0}};
static const struct attribute_rule scan_attributes[] = {
    {"body", ATTRIBUTE_BLOCK, true},
    {"num_scan_inputs", ATTRIBUTE_INT, true},
    {"directions", ATTRIBUTE_INTS, false},
    {"scan_input_axes", ATTRIBUTE_INTS, false},
    {"scan_input_directions", ATTRIBUTE_INTS, false},
    {"scan_output_axes", ATTRIBUTE_INTS, false},
    {"scan_output_directions", ATTRIBUTE_INTS, false},
    {0}};

/* Trip count, condition and lengths, the first inputs of Loop and of old Scans, may be absent. */
#define CONTROL(member, infers, rules, least, most, least_outputs, formula)                        \
    const struct op onnx_##member##_op = {                                                         \
        .domain = "",                                                                              \
        .name = #member,                                                                           \
        .summary = formula,                                                                        \
        .flags = OP_CONTROL,                                                                       \
        .inputs_min = least,                                                                       \
        .inputs_max = most,                                                                        \
        .outputs_min = least_outputs,                                                              \
        .outputs_max = OP_VARIADIC,                                                                \
        .attributes = rules,                                                                       \
        .infer = infers,                                                                           \
    };
CONTROL(If, infer_if, if_attributes, 1, 1, 1, "the results of one of two blocks")
CONTROL(Loop, infer_loop, loop_attributes, 0, OP_VARIADIC, 0,
        "a block over and over: its last states, and its other results stacked")
CONTROL(Scan, infer_scan, scan_attributes, 0, OP_VARIADIC, 1,
        "a block for each slice of the inputs: its last states, and its other results stacked")
