// stepwise.c - nodes that work element by element, seen as steps.
#include "stepwise.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "match.h"
#include "op.h"

/* Constants beyond this are not looked into: 8 MiB of doubles. */
static const long values_max = 1L << 20;

static int out_of_memory(struct error *error)
{
    return error_set(error, FAULT_ENVIRONMENT, "out of memory");
}

/* ---- operands ---- */

/* The values of a known tensor, where they are few. */
static int operand_of(const struct graph *graph, int tensor, struct arena *arena,
                      struct stepwise_operand *operand, struct error *error)
{
    const struct tensor *from = graph->tensor[tensor];
    const long count = type_elements(&from->type);
    *operand = (struct stepwise_operand){tensor, from->type, NULL};
    if (!tensor_is_known(from) || count < 0 || count > values_max)
        return OK;
    double *value = arena_take_array(arena, (size_t)count + 1, sizeof *value);
    if (!value)
        return out_of_memory(error);
    for (long i = 0; i < count; i++)
        value[i] = element_real(from->data, from->type.element, i);
    operand->value = value;
    return OK;
}

/* A new constant of `count` values; along dim `axis` of `rank` dims, or (rank 0) a single one. */
static double *new_operand(struct arena *arena, int rank, int axis, long count,
                           struct stepwise_operand *operand)
{
    double *value = arena_take_array(arena, (size_t)count + 1, sizeof *value);
    *operand = (struct stepwise_operand){-1, {.rank = rank > axis ? rank - axis : 0}, value};
    for (int i = 0; i < operand->type.rank; i++)
        operand->type.dims[i] = i == 0 ? count : 1;
    return value;
}

int stepwise_tensor(struct graph *graph, const struct stepwise_operand *operand,
                    enum element element, struct error *error)
{
    struct type type = operand->type;
    if (operand->tensor >= 0)
        return operand->tensor;
    type.element = element;
    const long count = type_elements(&type);
    void *data = arena_take(&graph->arena, element_bytes(element, count) + 1);
    if (!data) {
        out_of_memory(error);
        return -1;
    }
    for (long i = 0; i < count; i++)
        element_put_real(data, element, i, operand->value[i]);
    return graph_add_constant(graph, NULL, &type, data, error);
}

/* ---- reading nodes ---- */

struct reading {
    const struct graph *graph;
    const struct node *node;
    struct arena *arena;
    struct stepwise *steps;
    struct error *error;
};

static int put_unary(const struct reading *reading, enum step_kind kind)
{
    struct stepwise *steps = reading->steps;
    if (steps->count == FUSED_STEPS_MAX)
        return SKIPPED;
    steps->step[steps->count].kind = kind;
    steps->step[steps->count++].operand = (struct stepwise_operand){-1, UNKNOWN_TYPE, NULL};
    return OK;
}

static int put_scalar(const struct reading *reading, enum step_kind kind, double value)
{
    if (put_unary(reading, kind) != OK)
        return SKIPPED;
    struct stepwise_operand *operand = &reading->steps->step[reading->steps->count - 1].operand;
    double *values = new_operand(reading->arena, 0, 0, 1, operand);
    if (!values)
        return out_of_memory(reading->error);
    values[0] = value;
    return OK;
}

static int put_tensor(const struct reading *reading, enum step_kind kind, int tensor)
{
    if (put_unary(reading, kind) != OK)
        return SKIPPED;
    return operand_of(reading->graph, tensor, reading->arena,
                      &reading->steps->step[reading->steps->count - 1].operand, reading->error);
}

/* Clip as its opset has it: bounds that are attributes, or known inputs. */
static int read_clip(const struct reading *reading)
{
    const struct node *node = reading->node;
    double bound[] = {-INFINITY, INFINITY};
    if (node->opset < 11) {
        bound[0] = node_real(node, "min", -INFINITY);
        bound[1] = node_real(node, "max", INFINITY);
    }
    for (int i = 0; i < 2 && node->opset >= 11; i++) {
        const int tensor = node_input(node, 1 + i);
        if (tensor >= 0 && !tensor_scalar(reading->graph->tensor[tensor], &bound[i]))
            return SKIPPED;
    }
    if (bound[0] == 0 && bound[1] > 3e38)
        return put_unary(reading, STEP_relu);
    const int result = put_scalar(reading, STEP_max, bound[0]);
    return result == OK ? put_scalar(reading, STEP_min, bound[1]) : result;
}

static int read_hard_sigmoid(const struct reading *reading)
{
    const struct {
        enum step_kind kind;
        double value;
    } parts[] = {{STEP_mul, node_real(reading->node, "alpha", 0.2)},
                 {STEP_add, node_real(reading->node, "beta", 0.5)},
                 {STEP_max, 0},
                 {STEP_min, 1}};
    int result = OK;
    for (int i = 0; i < 4 && result == OK; i++)
        result = put_scalar(reading, parts[i].kind, parts[i].value);
    return result;
}

/* x * a + b by channel, from constants. */
static int read_normalization(const struct reading *reading)
{
    const struct graph *graph = reading->graph;
    const struct node *node = reading->node;
    struct stepwise_operand given[4];
    const int rank = graph->tensor[reading->steps->x]->type.rank;
    if (node->output_count > 1 || rank < 2 ||
        (node->opset >= 14 && node_integer(node, "training_mode", 0)) ||
        (node->opset < 9 && !node_integer(node, "spatial", 1)) || reading->steps->count > 0)
        return SKIPPED;
    for (int i = 0; i < 4; i++) {
        if (operand_of(graph, node_input(node, 1 + i), reading->arena, &given[i], reading->error) !=
            OK)
            return FAILED;
        if (!given[i].value)
            return SKIPPED;
    }
    const long channels = type_elements(&given[0].type);
    const double epsilon = node_real(node, "epsilon", 1e-5);
    if (put_unary(reading, STEP_mul) != OK || put_unary(reading, STEP_add) != OK)
        return SKIPPED;
    double *factor =
        new_operand(reading->arena, rank, 1, channels, &reading->steps->step[0].operand);
    double *addend =
        new_operand(reading->arena, rank, 1, channels, &reading->steps->step[1].operand);
    if (!factor || !addend)
        return out_of_memory(reading->error);
    for (long c = 0; c < channels; c++) {
        factor[c] = given[0].value[c] / sqrt(given[3].value[c] + epsilon);
        addend[c] = given[1].value[c] - given[2].value[c] * factor[c];
        if (!real_fits_float(factor[c]) || !(fabs(addend[c]) <= FLT_MAX))
            return SKIPPED; /* a variance of 0 without an epsilon: as it stands */
    }
    return OK;
}

/* Steps that the node names, with operands from input `first` on. */
static int read_fused(const struct reading *reading, int first)
{
    const struct node *node = reading->node;
    const struct attribute *attribute = node_attribute(node, "steps");
    int input = first, result = OK;
    for (int i = 0; attribute && i < attribute->count && result == OK; i++) {
        const struct text *name = &attribute->texts[i];
        const enum step_kind kind = fused_kind(name->bytes, name->length);
        result = step_is_binary(kind) ? put_tensor(reading, kind, node_input(node, input++))
                                      : put_unary(reading, kind);
    }
    return result;
}

int stepwise_read_fused(const struct graph *graph, int node, int first, struct arena *arena,
                        struct stepwise *steps, struct error *error)
{
    const struct reading reading = {graph, graph->node[node], arena, steps, error};
    return read_fused(&reading, first);
}

/* Two inputs or more: the other ones are operands. */
static int read_operands(const struct reading *reading, enum step_kind kind)
{
    const struct node *node = reading->node;
    int result = OK;
    for (int i = 0; i < node->input_count && result == OK; i++)
        if (node->inputs[i] != reading->steps->x)
            result = put_tensor(reading, kind, node->inputs[i]);
    return result;
}

/* Of several arrays the largest or smallest. Of bounds that are numbers none is NaN, so that they
 * are those that epilogues have. */
static int read_extreme(const struct reading *reading, enum step_kind bound, enum step_kind any)
{
    const struct node *node = reading->node;
    int result = OK;
    for (int i = 0; i < node->input_count && result == OK; i++) {
        if (node->inputs[i] == reading->steps->x)
            continue;
        result = put_tensor(reading, any, node->inputs[i]);
        if (result != OK)
            return result;
        const struct stepwise_operand *operand =
            &reading->steps->step[reading->steps->count - 1].operand;
        bool is_bound = operand->value != NULL;
        for (long k = 0; is_bound && k < type_elements(&operand->type); k++)
            is_bound = !isnan(operand->value[k]);
        if (is_bound)
            reading->steps->step[reading->steps->count - 1].kind = bound;
    }
    return result;
}

/* y / x, and 1 / x. */
static int read_quotient(const struct reading *reading)
{
    const struct node *node = reading->node;
    return node_is(node, "Reciprocal")            ? put_scalar(reading, STEP_rdiv, 1)
           : node->inputs[0] == reading->steps->x ? put_tensor(reading, STEP_div, node->inputs[1])
                                                  : put_tensor(reading, STEP_rdiv, node->inputs[0]);
}

/* x - y, and y - x = x * -1 + y. */
static int read_difference(const struct reading *reading)
{
    if (reading->node->inputs[0] == reading->steps->x)
        return put_tensor(reading, STEP_sub, reading->node->inputs[1]);
    const int result = put_scalar(reading, STEP_mul, -1);
    return result == OK ? put_tensor(reading, STEP_add, reading->node->inputs[0]) : result;
}

/* Operators whose first input the steps are applied to. */
static int read_first(const struct reading *reading)
{
    static const struct {
        const char *names;
        enum step_kind kind;
    } functions[] = {
        {"Relu", STEP_relu}, {"Sigmoid", STEP_sigmoid},     {"Tanh", STEP_tanh}, {"Exp", STEP_exp},
        {"Sqrt", STEP_sqrt}, {"HardSwish", STEP_hardswish}, {"Mish", STEP_mish}, {"Abs", STEP_abs},
    };
    const struct node *node = reading->node;
    if (node->inputs[0] != reading->steps->x)
        return SKIPPED;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (node_is_one_of(node, functions[i].names))
            return put_unary(reading, functions[i].kind);
    if (node_is_one_of(node, "com.microsoft::Gelu"))
        return graph_opset(reading->graph, "") >= 9 /* has Erf, by which files say it */
                   ? put_unary(reading, STEP_gelu)
                   : SKIPPED;
    if (node_is(node, "Gelu"))
        return put_unary(reading, strcmp(node_text(node, "approximate", "none"), "tanh") == 0
                                      ? STEP_gelu_tanh
                                      : STEP_gelu);
    if (node_is(node, "Swish") && node_real(node, "alpha", 1) == 1)
        return put_unary(reading, STEP_silu);
    if (node_is(node, "Neg"))
        return put_scalar(reading, STEP_mul, -1);
    if (node_is(node, "Clip"))
        return read_clip(reading);
    if (node_is(node, "LeakyRelu"))
        return put_scalar(reading, STEP_prelu, node_real(node, "alpha", 0.01));
    if (node_is(node, "Elu"))
        return put_scalar(reading, STEP_elu, node_real(node, "alpha", 1));
    if (node_is(node, "PRelu"))
        return put_tensor(reading, STEP_prelu, node->inputs[1]);
    if (node_is(node, "HardSigmoid"))
        return read_hard_sigmoid(reading);
    if (node_is(node, "BatchNormalization"))
        return read_normalization(reading);
    return node_is_one_of(node, "roofline::Chain") ? read_fused(reading, 1) : SKIPPED;
}

static int read_node(const struct reading *reading)
{
    if (node_is_one_of(reading->node, "Add|Sum"))
        return read_operands(reading, STEP_add);
    if (node_is(reading->node, "Mul"))
        return read_operands(reading, STEP_mul);
    if (node_is(reading->node, "Sub"))
        return read_difference(reading);
    if (node_is_one_of(reading->node, "Div|Reciprocal"))
        return read_quotient(reading);
    if (node_is(reading->node, "Max"))
        return read_extreme(reading, STEP_max, STEP_larger);
    if (node_is(reading->node, "Min"))
        return read_extreme(reading, STEP_min, STEP_smaller);
    return read_first(reading);
}

/* Whether the operand meets the steps' values without making them more. */
static bool fits(const struct type *operand, const struct type *x)
{
    if (operand->rank < 0 || operand->rank > x->rank)
        return false;
    for (int i = 0; i < operand->rank; i++) {
        const long dim = operand->dims[i];
        if (dim != 1 && dim != x->dims[x->rank - operand->rank + i])
            return false;
    }
    return true;
}

int stepwise_read(const struct graph *graph, int id, int x, struct arena *arena,
                  struct stepwise *steps, struct error *error)
{
    const struct node *node = graph->node[id];
    const struct reading reading = {graph, node, arena, steps, error};
    const struct type *type = &graph->tensor[x]->type;
    int uses = 0;
    *steps = (struct stepwise){.x = x};
    for (int i = 0; i < node->input_count; i++)
        uses += node->inputs[i] == x;
    /* No kernel takes other reals, and constants that are merged would be rounded more. */
    if (!node->op || uses != 1 || !type_is_complete(type) || node->outputs[0] < 0 ||
        (type->element != ELEMENT_f32 && type->element != ELEMENT_f64))
        return SKIPPED;
    if (node->opset < 7 && !*node->domain && node->input_count > 1)
        return SKIPPED; /* second operands stood at an axis of the first */
    const int result = read_node(&reading);
    if (result != OK)
        return result;
    for (int i = 0; i < steps->count; i++)
        if (step_is_binary(steps->step[i].kind) && !fits(&steps->step[i].operand.type, type))
            return SKIPPED;
    return steps->count > 0 ? OK : SKIPPED;
}

/* ---- working on lists ---- */

bool stepwise_append(struct stepwise *steps, const struct stepwise *more)
{
    if (steps->count + more->count > FUSED_STEPS_MAX)
        return false;
    for (int i = 0; i < more->count; i++)
        steps->step[steps->count++] = more->step[i];
    return true;
}

static void remove_step(struct stepwise *steps, int i)
{
    steps->count--;
    memmove(&steps->step[i], &steps->step[i + 1],
            (size_t)(steps->count - i) * sizeof steps->step[0]);
}

/* The step as one of kind `to`, whose operand is made of `from`'s. */
static int convert(struct stepwise *steps, int i, enum step_kind to, enum step_kind from,
                   struct arena *arena, struct error *error)
{
    struct stepwise_operand *operand;
    if (i < 0 || i >= steps->count || !steps->step[i].operand.value ||
        (steps->step[i].kind != to && steps->step[i].kind != from))
        return SKIPPED;
    if (steps->step[i].kind == to)
        return OK;
    operand = &steps->step[i].operand;
    const long count = type_elements(&operand->type);
    double *value = arena_take_array(arena, (size_t)count + 1, sizeof *value);
    if (!value)
        return out_of_memory(error);
    for (long k = 0; k < count; k++) {
        value[k] = from == STEP_div ? 1 / operand->value[k] : -operand->value[k];
        if (!real_fits_float(value[k]))
            return SKIPPED;
    }
    *operand = (struct stepwise_operand){-1, operand->type, value};
    steps->step[i].kind = to;
    return OK;
}

int stepwise_factor(struct stepwise *steps, int i, struct arena *arena, struct error *error)
{
    return convert(steps, i, STEP_mul, STEP_div, arena, error);
}

int stepwise_addend(struct stepwise *steps, int i, struct arena *arena, struct error *error)
{
    return convert(steps, i, STEP_add, STEP_sub, arena, error);
}

/* a * b or a + b, broadcast; SKIPPED where the result has more elements than both. */
static int combine(const struct stepwise_operand *a, const struct stepwise_operand *b,
                   bool is_product, struct stepwise_operand *out, struct arena *arena,
                   struct error *error)
{
    struct type type;
    long of_a[RANK_MAX], of_b[RANK_MAX], at[RANK_MAX] = {0};
    struct error unused;
    if (type_broadcast(&a->type, &b->type, &type, &unused) != OK)
        return SKIPPED;
    const long count = type_elements(&type);
    if (count > type_elements(&a->type) && count > type_elements(&b->type))
        return SKIPPED;
    double *value = arena_take_array(arena, (size_t)count + 1, sizeof *value);
    if (!value)
        return out_of_memory(error);
    broadcast_strides(&a->type, &type, of_a);
    broadcast_strides(&b->type, &type, of_b);
    for (long i = 0; i < count; i++) {
        const double x = a->value[place_offset(type.rank, of_a, at)],
                     y = b->value[place_offset(type.rank, of_b, at)];
        value[i] = is_product ? x * y : x + y;
        if (!real_fits_float(value[i])) /* infinite or nothing is left: as it stands */
            return SKIPPED;
        place_next(&type, at);
    }
    *out = (struct stepwise_operand){-1, type, value};
    return OK;
}

/* Steps i and i + 1 of the same kind become one; or, behind a product, a sum and a product change
 * places, so that the products meet. */
static int merge_at(struct stepwise *steps, int i, struct arena *arena, struct error *error)
{
    struct stepwise_operand *a = &steps->step[i].operand, *b = &steps->step[i + 1].operand;
    const bool products = stepwise_factor(steps, i, arena, error) == OK &&
                          stepwise_factor(steps, i + 1, arena, error) == OK;
    if (products || (stepwise_addend(steps, i, arena, error) == OK &&
                     stepwise_addend(steps, i + 1, arena, error) == OK)) {
        const int result = combine(a, b, products, a, arena, error);
        if (result == OK)
            remove_step(steps, i + 1);
        return result;
    }
    if (i == 0 || stepwise_factor(steps, i - 1, arena, error) != OK ||
        stepwise_addend(steps, i, arena, error) != OK ||
        stepwise_factor(steps, i + 1, arena, error) != OK)
        return SKIPPED;
    struct stepwise_operand shifted;
    const int result = combine(a, b, true, &shifted, arena, error);
    if (result != OK)
        return result;
    *a = *b;
    *b = shifted;
    steps->step[i].kind = STEP_mul;
    steps->step[i + 1].kind = STEP_add;
    return OK;
}

int stepwise_merge(struct stepwise *steps, struct arena *arena, struct error *error)
{
    for (int i = 0; i + 1 < steps->count;) {
        const int result = merge_at(steps, i, arena, error);
        if (result == FAILED)
            return FAILED;
        i = result == OK ? (i > 0 ? i - 1 : 0) : i + 1;
    }
    return OK;
}

/* ---- what goes into weights ---- */

static int affine_start(struct stepwise_affine *affine, long places, struct arena *arena,
                        struct error *error)
{
    *affine = (struct stepwise_affine){
        .factor = arena_take_array(arena, (size_t)places + 1, sizeof *affine->factor),
        .addend = arena_take_array(arena, (size_t)places + 1, sizeof *affine->addend)};
    if (!affine->factor || !affine->addend)
        return out_of_memory(error);
    for (long i = 0; i < places; i++) {
        affine->factor[i] = 1;
        affine->addend[i] = 0;
    }
    return OK;
}

/* Whether the operand has one finite value, or one per place along the axis. */
static bool is_along(const struct stepwise_operand *operand, const struct type *x, int axis)
{
    for (int i = 0; i < operand->type.rank; i++)
        if (operand->type.dims[i] != 1 && x->rank - operand->type.rank + i != axis)
            return false;
    for (long i = 0; operand->value && i < type_elements(&operand->type); i++)
        if (!isfinite(operand->value[i]))
            return false;
    return operand->value != NULL;
}

int stepwise_take_affine(struct stepwise *steps, const struct type *x, int axis, bool may_scale,
                         bool may_add, struct stepwise_affine *affine, struct arena *arena,
                         struct error *error)
{
    const long places = x->dims[axis];
    if (affine_start(affine, places, arena, error) != OK)
        return FAILED;
    while (steps->count > 0) {
        const struct stepwise_operand *operand = &steps->step[0].operand;
        int result = stepwise_factor(steps, 0, arena, error);
        const bool is_factor = result == OK;
        if (result == SKIPPED)
            result = stepwise_addend(steps, 0, arena, error);
        if (result != OK || !(is_factor ? may_scale : may_add) || !is_along(operand, x, axis))
            return result == FAILED ? FAILED : OK;
        const bool is_one = type_elements(&operand->type) == 1;
        for (long i = 0; i < places; i++) {
            const double value = operand->value[is_one ? 0 : i];
            affine->factor[i] *= is_factor ? value : 1;
            affine->addend[i] = is_factor ? affine->addend[i] * value : affine->addend[i] + value;
        }
        affine->has_factor = affine->has_factor || is_factor;
        affine->has_addend = affine->has_addend || !is_factor;
        remove_step(steps, 0);
    }
    return OK;
}
