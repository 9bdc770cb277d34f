// gathers.c - Gather, GatherElements, GatherND: elements by index.
#include "table_rows.h"

static int axis_of(const struct site *site, const struct type *data, int *axis, struct error *error)
{
    return axis_resolve(node_integer(site->node, "axis", 0), data->rank, axis, error);
}

static int infer_gather(struct site *site, struct error *error)
{
    const struct type data = site_type(site, 0), indices = site_type(site, 1);
    struct type *out = &site->output[0].type;
    int axis;
    out->element = data.element;
    if (index_element_check(indices.element, error) != OK)
        return FAILED;
    if (data.rank < 0)
        return OK;
    if (axis_of(site, &data, &axis, error) != OK)
        return FAILED;
    if (indices.rank < 0)
        return OK;
    if (rank_check(data.rank - 1 + indices.rank, error) != OK)
        return FAILED;
    out->rank = 0;
    for (int i = 0; i < axis; i++)
        dim_copy(out, out->rank++, &data, i);
    for (int i = 0; i < indices.rank; i++)
        dim_copy(out, out->rank++, &indices, i);
    for (int i = axis + 1; i < data.rank; i++)
        dim_copy(out, out->rank++, &data, i);
    return OK;
}

static int infer_elements(struct site *site, struct error *error)
{
    const struct type data = site_type(site, 0), indices = site_type(site, 1);
    struct type *out = &site->output[0].type;
    int axis = 0;
    if (index_element_check(indices.element, error) != OK ||
        (data.rank >= 0 && axis_of(site, &data, &axis, error) != OK) ||
        rows_check_elements(&data, &indices, axis, error) != OK)
        return FAILED;
    *out = indices;
    out->element = data.element;
    return OK;
}

/* 'batch_dims' beyond any rank is refused as such by rows_check_tuples(). */
static int batch_of(const struct site *site)
{
    const long batch = node_integer(site->node, "batch_dims", 0);
    return batch < 0 || batch > RANK_MAX ? RANK_MAX : (int)batch;
}

static int infer_nd(struct site *site, struct error *error)
{
    const struct type data = site_type(site, 0), indices = site_type(site, 1);
    struct type *out = &site->output[0].type;
    const int batch = batch_of(site);
    out->element = data.element;
    if (index_element_check(indices.element, error) != OK ||
        rows_check_tuples(&data, &indices, batch, error) != OK)
        return FAILED;
    if (data.rank < 0 || indices.rank < 0 || indices.dims[indices.rank - 1] < 0)
        return OK;
    const int length = (int)indices.dims[indices.rank - 1];
    if (rank_check(indices.rank - 1 + data.rank - batch - length, error) != OK)
        return FAILED;
    out->rank = 0;
    for (int i = 0; i < indices.rank - 1; i++)
        dim_copy(out, out->rank++, &indices, i);
    for (int i = batch + length; i < data.rank; i++)
        dim_copy(out, out->rank++, &data, i);
    return OK;
}

static int find_rows(const struct site *site, struct table_rows *rows, struct error *error)
{
    const struct type *data = &site->input[0].type;
    const struct array *indices = &site->input[1];
    int axis;
    if (node_is(site->node, "GatherND"))
        return rows_of_tuples(site, data, indices, batch_of(site), rows, error);
    if (axis_of(site, data, &axis, error) != OK)
        return FAILED;
    return node_is(site->node, "Gather") ? rows_of_axis(site, data, indices, axis, rows, error)
                                         : rows_of_elements(site, data, indices, axis, rows, error);
}

static int evaluate(struct site *site, struct error *error)
{
    const struct array *out = &site->output[0];
    struct table_rows rows;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    if (type_elements(&out->type) == 0)
        return OK;
    if (find_rows(site, &rows, error) != OK)
        return FAILED;
    for (long i = 0; i < rows.count; i++)
        elements_copy(out->data, i * rows.columns, site->input[0].data, rows.row[i] * rows.columns,
                      rows.columns, out->type.element);
    return OK;
}

/* Neighbours in their order, as a Slice would take them; FAULT_IO names an index out of range. */
static int find_range(const struct site *site, int axis, struct move *move, bool *is_range,
                      struct error *error)
{
    const struct type *data = &site->input[0].type;
    const struct array *indices = &site->input[1];
    const long count = type_elements(&indices->type), lines = data->dims[axis];
    const long columns = type_product(data, axis + 1, data->rank);
    long first = 0;
    *is_range = true;
    for (long i = 0; i < count && *is_range; i++) {
        long line;
        if (index_read(indices, i, lines, &line, error) != OK)
            return FAILED;
        first = i == 0 ? line : first;
        *is_range = line == first + i;
    }
    *move = (struct move){.base = first * columns};
    move_dim(move, type_product(data, 0, axis), lines * columns);
    move_dim(move, count * columns, 1);
    return OK;
}

/* The rows as the kernel takes them. */
static int write_rows(const struct site *site, int32_t *to, struct error *error)
{
    struct table_rows rows;
    if (find_rows(site, &rows, error) != OK)
        return FAILED;
    for (long i = 0; i < rows.count; i++)
        to[i] = (int32_t)rows.row[i];
    return OK;
}

static int look_up(struct site *site, void *scratch, struct error *error)
{
    return write_rows(site, scratch, error);
}

/* The kernel looks up what it is told to: indices are checked now, or else before each run. */
static int name_rows(const struct site *site, struct lowering *lowering, long count,
                     struct launch_operand *operand, struct error *error)
{
    if (!site->input[1].data) {
        *operand = (struct launch_operand){.source = SOURCE_SCRATCH};
        lowering->scratch_bytes = (size_t)count * sizeof(int32_t);
        lowering->look_up = look_up;
        return OK;
    }
    int32_t *indices = arena_take_array(site->arena, (size_t)count, sizeof *indices);
    if (!indices)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    *operand = of_constant(indices);
    return write_rows(site, indices, error);
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const long elements = type_elements(&site->input[0].type);
    struct table_rows rows;
    struct launch_operand index;
    enum dtype dtype;
    if (element_moved_dtype(site->output[0].type.element, &dtype, error) != OK)
        return SKIPPED;
    if (type_elements(&site->output[0].type) == 0)
        return error_skip(error, "there is nothing to move");
    if (elements == 0)
        return error_skip(error, "there is nothing that an index could name");
    if (site->input[1].data && node_is(site->node, "Gather")) {
        struct move move;
        bool is_range;
        int axis;
        if (axis_of(site, &site->input[0].type, &axis, error) != OK ||
            find_range(site, axis, &move, &is_range, error) != OK)
            return FAILED;
        if (is_range)
            return move_lower(site, lowering, &move, 0, 0, error);
    }
    if (find_rows(site, &rows, error) != OK ||
        name_rows(site, lowering, rows.count, &index, error) != OK)
        return FAILED;
    struct launch *launch = launches_add(site, lowering, "gather", dtype, error);
    if (!launch)
        return FAILED;
    launch_letter(launch, "rows", elements / rows.columns);
    launch_letter(launch, "columns", rows.columns);
    launch_letter(launch, "count", rows.count);
    launch->operand[0] = of_output(0);
    launch->operand[1] = of_input(0);
    launch->operand[2] = index;
    return OK;
}

static const struct attribute_rule axis_attributes[] = {{"axis", ATTRIBUTE_INT, false}, {0}};
static const struct attribute_rule nd_attributes[] = {{"batch_dims", ATTRIBUTE_INT, false}, {0}};

const struct op onnx_Gather_op = {
    .domain = "",
    .name = "Gather",
    .summary = "entries of x along `axis` by index",
    .flags = OP_MOVES,
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = axis_attributes,
    .infer = infer_gather,
    .evaluate = evaluate,
    .lower = lower,
};

const struct op onnx_GatherElements_op = {
    .domain = "",
    .name = "GatherElements",
    .summary = "elements of x whose place along `axis` is an index of its own",
    .flags = OP_MOVES,
    .since = 11,
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = axis_attributes,
    .infer = infer_elements,
    .evaluate = evaluate,
    .lower = lower,
};

const struct op onnx_GatherND_op = {
    .domain = "",
    .name = "GatherND",
    .summary = "slices of x at the places that the last dim of the indices names",
    .flags = OP_MOVES,
    .since = 11,
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = nd_attributes,
    .infer = infer_nd,
    .evaluate = evaluate,
    .lower = lower,
};
