// op.c - the operators there are, and a node of a graph as one of their sites.
#include "op.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define OP(file, domain, name) extern const struct op domain##_##name##_op;
#include "ops.def"
#undef OP

const struct op *const ops[] = {
#define OP(file, domain, name) &domain##_##name##_op,
#include "ops.def"
#undef OP
    NULL,
};

const struct op *op_find(const char *domain, const char *name, int opset)
{
    /* The first letter first: strcmp() was an eighth of the time of all passes. */
    for (const struct op *const *op = ops; *op; op++)
        if ((*op)->name[0] == name[0] && strcmp((*op)->name, name) == 0 &&
            strcmp((*op)->domain, domain) == 0)
            return opset >= (*op)->since ? *op : NULL;
    return NULL;
}

/* ---- sites ---- */

static int out_of_memory(struct error *error)
{
    return error_set(error, FAULT_ENVIRONMENT, "out of memory");
}

/* The node's label in front of the words. */
static int label_words(const struct site *site, int result, struct error *error)
{
    char text[sizeof error->text];
    snprintf(text, sizeof text, "%s", error->text);
    snprintf(error->text, sizeof error->text, "%s: %.*s", node_label(site->graph, site->node).text,
             (int)(sizeof error->text - sizeof(struct label) - 3), text);
    return result;
}

int site_open(struct site *site, const struct graph *graph, const struct node *node,
              struct arena *arena, struct error *error)
{
    struct array *input = arena_take_array(arena, (size_t)node->input_count, sizeof *input);
    struct array *output = arena_take_array(arena, (size_t)node->output_count, sizeof *output);
    if (!input || !output)
        return out_of_memory(error);
    for (int i = 0; i < node->input_count; i++) {
        const struct tensor *tensor = node->inputs[i] >= 0 ? graph->tensor[node->inputs[i]] : NULL;
        /* Nobody writes to an input: op.h. */
        input[i] = tensor ? (struct array){tensor->type, (void *)(uintptr_t)tensor->data}
                          : (struct array){UNKNOWN_TYPE, NULL};
    }
    for (int i = 0; i < node->output_count; i++)
        output[i].type =
            node->outputs[i] >= 0 ? graph->tensor[node->outputs[i]]->type : UNKNOWN_TYPE;
    *site = (struct site){
        .graph = graph, .node = node, .input = input, .output = output, .arena = arena};
    return OK;
}

/* A dim that is known has no symbol. */
static void tidy(struct type *type)
{
    for (int i = 0; i < type->rank; i++)
        if (type->dims[i] >= 0)
            type->symbol[i] = 0;
}

static int check_operands(const struct op *op, const struct node *node, struct error *error)
{
    if (node->input_count > op->inputs_max)
        return error_set(error, FAULT_IO, "it has %d inputs, more than the %d of the operator",
                         node->input_count, op->inputs_max);
    for (int i = 0; i < op->inputs_min; i++)
        if (node_input(node, i) < 0)
            return error_set(error, FAULT_IO, "it lacks input %d of %d", i, op->inputs_min);
    if (node->output_count < op->outputs_min || node->output_count > op->outputs_max)
        return error_set(error, FAULT_IO, "it has %d outputs; the operator has %d to %d",
                         node->output_count, op->outputs_min, op->outputs_max);
    return OK;
}

static int check_attributes(const struct op *op, const struct node *node, struct error *error)
{
    for (const struct attribute_rule *rule = op->attributes; rule && rule->name; rule++) {
        const struct attribute *attribute = node_attribute(node, rule->name);
        if (!attribute && rule->is_required)
            return error_set(error, FAULT_IO, "it lacks the attribute '%s'", rule->name);
        if (attribute && attribute->kind != rule->kind)
            return error_set(error, FAULT_IO, "the attribute '%s' is of another type", rule->name);
    }
    return OK;
}

static int infer_checked(struct site *site, struct error *error)
{
    const struct op *op = site->node->op;
    if (check_operands(op, site->node, error) != OK ||
        check_attributes(op, site->node, error) != OK)
        return FAILED;
    return op->infer ? op->infer(site, error) : OK;
}

int site_infer(struct site *site, struct error *error)
{
    for (int i = 0; i < site->node->output_count; i++)
        site->output[i].type = UNKNOWN_TYPE;
    if (!site->node->op)
        return OK;
    int result = infer_checked(site, error);
    for (int i = 0; i < site->node->output_count && result == OK; i++) {
        char name[32];
        snprintf(name, sizeof name, "output %d", i);
        result = type_check(&site->output[i].type, name, error);
        tidy(&site->output[i].type);
    }
    return result == OK ? OK : label_words(site, result, error);
}

/* SKIPPED with the first input that has no value, or an operator without plain loops. */
static int check_evaluable(const struct site *site, struct error *error)
{
    const struct op *op = site->node->op;
    if (!op)
        return error_skip(error, "the operator is not known; only a graph without it can run");
    if (!op->evaluate)
        return error_skip(error, "it cannot be evaluated by itself");
    for (int i = 0; i < site->node->input_count && !(op->flags & OP_TYPES); i++)
        if (site->node->inputs[i] >= 0 && !site->input[i].data &&
            type_elements(&site->input[i].type) != 0)
            return error_skip(error, "input %d has no value yet", i);
    return OK;
}

static int allocate_outputs(struct site *site, size_t most_bytes, struct error *error)
{
    size_t bytes = 0;
    for (int i = 0; i < site->node->output_count; i++) {
        struct array *output = &site->output[i];
        const long needed = type_bytes(&output->type);
        output->data = NULL;
        if (needed < 0)
            continue; /* depends on the data */
        bytes += (size_t)needed;
        if (bytes > most_bytes)
            return error_skip(error, "its results would take more than %zu bytes", most_bytes);
        if (site_output(site, i, error) != OK)
            return FAILED;
    }
    return OK;
}

int site_evaluate(struct site *site, size_t most_bytes, struct error *error)
{
    int result = check_evaluable(site, error);
    if (result == OK)
        result = site_infer(site, error);
    else
        return label_words(site, result, error);
    if (result != OK)
        return result;
    result = allocate_outputs(site, most_bytes, error);
    if (result == OK)
        result = site->node->op->evaluate(site, error);
    return result == OK ? OK : label_words(site, result, error);
}

/* Whether the kernel takes the launch's shape: SKIPPED where not. */
static int check_launch(const struct launch *launch, struct error *error)
{
    const struct kernel *kernel = launch->kernel;
    for (int i = 0; i < kernel->letter_count; i++) {
        const long value = launch->shape.value[i];
        if (value < kernel->letters[i].minimum || value > SHAPE_VALUE_MAX)
            return error_skip(error, "kernel '%s' does not take %s=%ld", kernel->name,
                              kernel->letters[i].name, value);
    }
    if (kernel->check && kernel->check(&launch->shape, error) != OK) {
        error->fault = FAULT_NONE;
        return SKIPPED;
    }
    return OK;
}

/* SKIPPED where a type is not complete. */
static int check_types(const struct site *site, struct error *error)
{
    for (int i = 0; i < site->node->input_count; i++)
        if (site->node->inputs[i] >= 0 && !type_is_complete(&site->input[i].type))
            return error_skip(error, "the type of input %d is not known: %s", i,
                              type_format(site->graph, &site->input[i].type).text);
    for (int i = 0; i < site->node->output_count; i++)
        if (site->node->outputs[i] >= 0 && !type_is_complete(&site->output[i].type))
            return error_skip(error, "the type of output %d is not known: %s", i,
                              type_format(site->graph, &site->output[i].type).text);
    return OK;
}

int site_lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    *lowering = (struct lowering){0};
    const struct op *op = site->node->op;
    int result = !op          ? error_skip(error, "the operator is not known")
                 : !op->lower ? error_skip(error, "no kernel does what it does")
                              : check_types(site, error);
    if (result == OK)
        result = op->lower(site, lowering, error);
    for (int i = 0; i < lowering->launch_count && result == OK; i++)
        result = check_launch(&lowering->launch[i], error);
    return result == OK ? OK : label_words(site, result, error);
}

double site_flops(const struct site *site, const struct lowering *lowering)
{
    double flops = 0;
    if (!lowering)
        return site->node->op && site->node->op->flops ? site->node->op->flops(site) : 0;
    for (int i = 0; i < lowering->launch_count; i++)
        flops += lowering->launch[i].kernel->flops(&lowering->launch[i].shape);
    return flops;
}

double site_bytes(const struct site *site, const struct lowering *lowering)
{
    double bytes = 0;
    for (int i = 0; lowering && i < lowering->launch_count; i++) {
        const struct launch *launch = &lowering->launch[i];
        bytes += launch->kernel->bytes(&launch->shape, dtype_bytes(launch->dtype));
    }
    for (int i = 0; !lowering && i < site->node->input_count; i++)
        if (type_bytes(&site->input[i].type) > 0)
            bytes += (double)type_bytes(&site->input[i].type);
    for (int i = 0; !lowering && i < site->node->output_count; i++)
        if (type_bytes(&site->output[i].type) > 0)
            bytes += (double)type_bytes(&site->output[i].type);
    return bytes;
}

/* ---- for the files of ops/ ---- */

const struct array *site_input(const struct site *site, int i)
{
    const bool there = i >= 0 && i < site->node->input_count && site->node->inputs[i] >= 0;
    return there ? &site->input[i] : NULL;
}

struct type site_type(const struct site *site, int i)
{
    const struct array *input = site_input(site, i);
    return input ? input->type : UNKNOWN_TYPE;
}

int site_needs_all(const struct site *site, struct error *error)
{
    for (int i = 0; i < site->node->input_count; i++)
        if (!site_input(site, i))
            return error_set(error, FAULT_IO, "input %d is left out; all of them are needed", i);
    return OK;
}

int site_integers(const struct site *site, int i, const long **values, int *count,
                  struct error *error)
{
    const struct array *input = site_input(site, i);
    *values = NULL;
    *count = 0;
    if (!input || input->type.rank < 0)
        return OK;
    const enum element element = input->type.element;
    if (input->type.rank > 1 ||
        (element != ELEMENT_NONE && element != ELEMENT_i64 && element != ELEMENT_i32))
        return error_set(error, FAULT_IO, "input %d is %s; it has to be a list of whole numbers", i,
                         type_format(site->graph, &input->type).text);
    const long length = type_elements(&input->type);
    /* An empty list is known without values. */
    if ((!input->data && length != 0) || length < 0 || length > INT_MAX)
        return OK;
    long *list = arena_take_array(site->arena, (size_t)length, sizeof *list);
    if (!list)
        return out_of_memory(error);
    for (long k = 0; k < length; k++)
        list[k] = element_whole(input->data, element, k);
    *values = list;
    *count = (int)length;
    return OK;
}

int site_integers_either(const struct site *site, const char *attribute, int i, const long **values,
                         int *count, struct error *error)
{
    *values = node_integers(site->node, attribute, count);
    return *values ? OK : site_integers(site, i, values, count, error);
}

int site_real(const struct site *site, int i, double fallback, double *value, struct error *error)
{
    const struct array *input = site_input(site, i);
    *value = fallback;
    if (!input)
        return OK;
    if (!input->data || type_elements(&input->type) < 1)
        return error_skip(error, "the value of input %d is not known before it runs", i);
    *value = element_real(input->data, input->type.element, 0);
    return OK;
}

int site_output(struct site *site, int i, struct error *error)
{
    struct array *output = &site->output[i];
    output->data = arena_take(site->arena, (size_t)type_bytes(&output->type));
    return output->data ? OK : out_of_memory(error);
}

int axis_resolve(long axis, int rank, int *resolved, struct error *error)
{
    if (axis < -rank || axis >= rank)
        return error_set(error, FAULT_IO, "axis %ld is not one of the %d dimensions", axis, rank);
    *resolved = (int)(axis < 0 ? axis + rank : axis);
    return OK;
}

int type_broadcast(const struct type *a, const struct type *b, struct type *out,
                   struct error *error)
{
    *out = (struct type){.element = a->element, .rank = -1};
    if (a->rank < 0 || b->rank < 0)
        return OK;
    out->rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 0; i < out->rank; i++) {
        const int of_a = i - (out->rank - a->rank), of_b = i - (out->rank - b->rank);
        const long x = of_a >= 0 ? a->dims[of_a] : 1, y = of_b >= 0 ? b->dims[of_b] : 1;
        const int symbol_x = of_a >= 0 ? a->symbol[of_a] : 0;
        const int symbol_y = of_b >= 0 ? b->symbol[of_b] : 0;
        if (x >= 0 && y >= 0 && x != y && x != 1 && y != 1)
            return error_set(error, FAULT_IO,
                             "dimensions %ld and %ld do not broadcast: equal, or one of them 1", x,
                             y);
        /* An unknown dim beside one that is not 1 has to be that one, or 1. */
        const bool take_y = x == 1 || (x < 0 && y >= 0 && y != 1);
        out->dims[i] = take_y ? y : x;
        out->symbol[i] = take_y ? symbol_y : symbol_x;
        if (x < 0 && y < 0 && symbol_x != symbol_y)
            out->symbol[i] = 0;
    }
    return OK;
}

void broadcast_strides(const struct type *from, const struct type *to, long strides[RANK_MAX])
{
    const int shift = to->rank - from->rank;
    long stride = 1;
    for (int i = to->rank - 1; i >= 0; i--) {
        strides[i] = i < shift || from->dims[i - shift] == 1 ? 0 : stride;
        if (i >= shift)
            stride *= from->dims[i - shift];
    }
}

bool place_next(const struct type *type, long at[RANK_MAX])
{
    for (int i = type->rank - 1; i >= 0; i--) {
        if (++at[i] < type->dims[i])
            return true;
        at[i] = 0;
    }
    return false;
}

long place_offset(int rank, const long *strides, const long *at)
{
    long offset = 0;
    for (int i = 0; i < rank; i++)
        offset += strides[i] * at[i];
    return offset;
}

int lowering_start(const struct site *site, struct lowering *lowering, const char *kernel,
                   enum dtype dtype, struct error *error)
{
    struct launch *launch = arena_take(site->arena, sizeof *launch);
    if (!launch)
        return out_of_memory(error);
    launch->kernel = kernel_find(kernel);
    launch->dtype = dtype;
    for (int i = 0; i < launch->kernel->letter_count; i++)
        launch->shape.value[i] = launch->kernel->letters[i].fallback;
    *lowering = (struct lowering){.launch = launch, .launch_count = 1};
    return OK;
}

void launch_letter(struct launch *launch, const char *letter, long value)
{
    int i = 0;
    while (strcmp(launch->kernel->letters[i].name, letter) != 0)
        i++;
    launch->shape.value[i] = value;
}

int element_dtype(enum element element, enum dtype *dtype, struct error *error)
{
    if (element != ELEMENT_f32 && element != ELEMENT_f64)
        return error_skip(error, "kernels have no elements of '%s'", element_name(element));
    *dtype = element == ELEMENT_f32 ? DTYPE_f32 : DTYPE_f64;
    return OK;
}
