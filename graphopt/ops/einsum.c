// einsum.c - Einsum: products of operands summed over the labels that the result does not have.
#include "einsum.h"

#include "launches.h"

/* Steps of the plain loops at most: some minutes. */
static const double steps_max = 0x1p34;

static int infer(struct site *site, struct error *error)
{
    struct type *out = &site->output[0].type;
    struct equation equation;
    if (site_needs_all(site, error) != OK)
        return FAILED;
    for (int i = 0; i < site->node->input_count; i++) {
        const enum element element = site_type(site, i).element;
        if (element == ELEMENT_NONE)
            continue;
        if ((!element_is_real(element) && !element_is_whole(element)) ||
            (out->element != ELEMENT_NONE && out->element != element))
            return error_set(error, FAULT_IO,
                             "input %d has elements '%s'; all have to be of one kind of number", i,
                             element_name(element));
        out->element = element;
    }
    if (equation_read(site, &equation, error) != OK)
        return FAILED;
    out->rank = equation.result.rank;
    for (int d = 0; d < out->rank; d++) {
        out->dims[d] = equation.size[equation.result.label[d]];
        out->symbol[d] = equation.symbol[equation.result.label[d]];
    }
    return OK;
}

/* ---- plain loops ---- */

/* Labels in the order of the loops, those of the result first. */
struct loops {
    int label[EINSUM_LABELS], count;
    long (*stride)[EINSUM_LABELS]; /* of each operand */
    long inner;                    /* steps for one element of the result */
};

static int plan_loops(const struct site *site, const struct equation *equation, struct loops *loops,
                      struct error *error)
{
    bool is_out[EINSUM_LABELS] = {false};
    double steps = 1;
    *loops = (struct loops){.count = 0};
    loops->stride =
        arena_take_array(site->arena, (size_t)equation->operand_count, sizeof *loops->stride);
    if (!loops->stride)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (int i = 0; i < equation->operand_count; i++)
        equation_strides(site, equation, i, loops->stride[i]);
    for (int d = 0; d < equation->result.rank; d++) {
        loops->label[loops->count++] = equation->result.label[d];
        is_out[equation->result.label[d]] = true;
    }
    for (int label = 0; label < EINSUM_LABELS; label++)
        if (equation->is_used[label] && !is_out[label])
            loops->label[loops->count++] = label;
    for (int i = 0; i < loops->count; i++)
        steps *= (double)equation->size[loops->label[i]];
    if (steps > steps_max)
        return error_skip(error, "it would take %.3g steps one by one", steps);
    loops->inner = steps > 0; /* else a size of 0 hides others that overflow */
    for (int i = equation->result.rank; steps > 0 && i < loops->count; i++)
        loops->inner *= equation->size[loops->label[i]];
    return OK;
}

/* The next step: moves `at` and the places in all operands. */
static void advance(const struct equation *equation, const struct loops *loops, long *at,
                    long *place)
{
    for (int i = loops->count - 1; i >= 0; i--) {
        const int label = loops->label[i];
        const long size = equation->size[label], back = ++at[i] < size ? 0 : size;
        for (int k = 0; k < equation->operand_count; k++)
            place[k] += loops->stride[k][label] * (1 - back);
        if (!back)
            return;
        at[i] = 0;
    }
}

static void sum_up(const struct site *site, const struct equation *equation,
                   const struct loops *loops, long *at, long *place)
{
    const struct array *out = &site->output[0];
    const enum element element = out->type.element;
    const long count = type_elements(&out->type);
    const bool is_whole = element_is_whole(element);
    for (long i = 0; i < count; i++) {
        double sum = 0;
        uint64_t whole_sum = 0;
        for (long step = 0; step < loops->inner; step++) {
            double product = 1;
            uint64_t whole_product = 1;
            for (int k = 0; k < equation->operand_count; k++)
                if (is_whole)
                    whole_product *=
                        (uint64_t)element_whole(site->input[k].data, element, place[k]);
                else
                    product *= element_real(site->input[k].data, element, place[k]);
            sum += product;
            whole_sum += whole_product;
            advance(equation, loops, at, place);
        }
        if (is_whole)
            element_put_whole(out->data, element, i, (int64_t)whole_sum);
        else
            element_put_real(out->data, element, i, sum);
    }
}

static int evaluate(struct site *site, struct error *error)
{
    struct equation equation;
    struct loops loops;
    if (equation_read(site, &equation, error) != OK)
        return FAILED;
    const int result = plan_loops(site, &equation, &loops, error);
    if (result != OK)
        return result;
    long at[EINSUM_LABELS] = {0};
    long *place = arena_take_array(site->arena, (size_t)equation.operand_count, sizeof *place);
    if (!place)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    sum_up(site, &equation, &loops, at, place);
    return OK;
}

/* ---- the kernel ---- */

/* Labels one behind the other. */
struct labels {
    int label[3 * RANK_MAX], count;
    long size; /* the product of theirs */
};

static void append(struct labels *labels, const struct labels *more)
{
    for (int i = 0; i < more->count; i++)
        labels->label[labels->count++] = more->label[i];
}

static bool has(const struct term *term, int label)
{
    for (int d = 0; d < term->rank; d++)
        if (term->label[d] == label)
            return true;
    return false;
}

/* Labels of `from` with more than one element that stand in `in` and not in `out`, in the order of
 * `from`; NULL: no condition. */
static struct labels select_labels(const struct equation *equation, const struct term *from,
                                   const struct term *in, const struct term *out)
{
    struct labels labels = {.size = 1};
    for (int d = 0; d < from->rank; d++) {
        const int label = from->label[d];
        if (equation->size[label] == 1 || (in && !has(in, label)) || (out && has(out, label)))
            continue;
        labels.label[labels.count++] = label;
        labels.size *= equation->size[label];
    }
    return labels;
}

static bool are_equal(const struct labels *a, const struct labels *b)
{
    bool are = a->count == b->count;
    for (int i = 0; are && i < a->count; i++)
        are = a->label[i] == b->label[i];
    return are;
}

/* 0: batch, rows, columns; 1: batch, columns, rows; -1: neither. */
static int order_of(const struct equation *equation, const struct term *term,
                    const struct labels *batch, const struct labels *rows,
                    const struct labels *columns)
{
    const struct labels all = select_labels(equation, term, NULL, NULL);
    struct labels as_is = *batch, turned = *batch;
    append(&as_is, rows);
    append(&as_is, columns);
    append(&turned, columns);
    append(&turned, rows);
    return are_equal(&all, &as_is) ? 0 : are_equal(&all, &turned) ? 1 : -1;
}

/* Every dim has all elements of its label: nothing is broadcast, no label stands twice. */
static bool is_plain(const struct site *site, const struct equation *equation, int operand)
{
    const struct type *type = &site->input[operand].type;
    const struct term *term = &equation->operand[operand];
    for (int d = 0; d < type->rank; d++) {
        if (type->dims[d] != equation->size[term->label[d]])
            return false;
        for (int k = 0; k < d; k++)
            if (term->label[k] == term->label[d])
                return false;
    }
    return true;
}

/* The product with operand `left` on the left, if it is one. */
static int lower_as(const struct site *site, struct lowering *lowering,
                    const struct equation *equation, int left, enum dtype dtype,
                    struct error *error)
{
    const struct term *a = &equation->operand[left], *b = &equation->operand[1 - left];
    const struct term *out = &equation->result;
    const struct labels of_both = select_labels(equation, a, b, NULL);
    const struct labels inner = select_labels(equation, a, b, out);
    const struct labels rows = select_labels(equation, out, a, b);
    const struct labels columns = select_labels(equation, out, b, a);
    struct labels batch = {.size = 1};
    for (int d = 0; d < out->rank; d++)
        if (equation->size[out->label[d]] != 1 && has(a, out->label[d]) && has(b, out->label[d])) {
            batch.label[batch.count++] = out->label[d];
            batch.size *= equation->size[out->label[d]];
        }
    const int turned_a = order_of(equation, a, &batch, &rows, &inner);
    const int turned_b = order_of(equation, b, &batch, &inner, &columns);
    if (of_both.count != batch.count + inner.count || turned_a < 0 || turned_b < 0 ||
        order_of(equation, out, &batch, &rows, &columns) != 0)
        return error_skip(error, "it is no product of matrices in the order of their dimensions");
    const bool is_by_element = rows.size == 1 && columns.size == 1 && inner.size == 1;
    struct launch *launch =
        launches_add(site, lowering, is_by_element ? "mul" : "gemm", dtype, error);
    if (!launch)
        return FAILED;
    launch_letter(launch, "n", is_by_element ? batch.size : columns.size);
    if (!is_by_element) {
        launch_letter(launch, "m", rows.size);
        launch_letter(launch, "k", inner.size);
        launch_letter(launch, "batch", batch.size);
        launch_letter(launch, "transa", turned_a);
        launch_letter(launch, "transb", turned_b);
    }
    launch->operand[0] = of_output(0);
    launch->operand[1] = of_input(left);
    launch->operand[2] = of_input(1 - left);
    return OK;
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    struct equation equation;
    enum dtype dtype;
    if (element_dtype(site->output[0].type.element, &dtype, error) != OK)
        return SKIPPED;
    if (site->node->input_count != 2)
        return error_skip(error, "kernel 'gemm' multiplies two operands");
    if (equation_read(site, &equation, error) != OK)
        return FAILED;
    if (!is_plain(site, &equation, 0) || !is_plain(site, &equation, 1))
        return error_skip(error, "kernel 'gemm' neither broadcasts nor takes diagonals");
    const int result = lower_as(site, lowering, &equation, 0, dtype, error);
    return result == SKIPPED ? lower_as(site, lowering, &equation, 1, dtype, error) : result;
}

static double flops(const struct site *site)
{
    struct equation equation;
    struct error unused; /* inference has looked at it */
    double steps = site->node->input_count;
    if (equation_read(site, &equation, &unused) != OK)
        return 0;
    for (int label = 0; label < EINSUM_LABELS; label++)
        if (equation.is_used[label])
            steps *= (double)equation.size[label];
    return steps;
}

static const struct attribute_rule attributes[] = {{"equation", ATTRIBUTE_TEXT, true}, {0}};

const struct op onnx_Einsum_op = {
    .domain = "",
    .name = "Einsum",
    .summary = "y = sum over the labels that it does not have of the product of all inputs",
    .since = 12,
    .inputs_min = 1,
    .inputs_max = OP_VARIADIC,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer,
    .evaluate = evaluate,
    .lower = lower,
    .flops = flops,
};
