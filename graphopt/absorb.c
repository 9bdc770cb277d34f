// absorb.c - a node that works element by element becomes part of the one that makes its input.
#include "absorb.h"

#include <string.h>

#include "rewrite.h"
#include "stepwise.h"

static int out_of_memory(struct error *error)
{
    return error_set(error, FAULT_ENVIRONMENT, "out of memory");
}

/* ---- new nodes ---- */

/* Constants that are new become tensors of that element; texts and inputs of the steps. */
static int put_steps(struct graph *graph, int node, const struct stepwise *steps, int first,
                     enum element element, struct error *error)
{
    struct text text[FUSED_STEPS_MAX];
    const struct attribute attribute = {
        .name = "steps", .kind = ATTRIBUTE_TEXTS, .count = steps->count, .texts = text};
    for (int i = 0; i < steps->count; i++) {
        const char *name = fused_kind_name(steps->step[i].kind);
        text[i] = (struct text){name, strlen(name)};
        if (!step_is_binary(steps->step[i].kind))
            continue;
        const int tensor = stepwise_tensor(graph, &steps->step[i].operand, element, error);
        if (tensor < 0 || graph_set_input(graph, node, first++, tensor, error) != OK)
            return FAILED;
    }
    return graph_set_attribute(graph, node, &attribute, error);
}

/* A node of domain roofline with these steps, in front of `before`. */
static int add_fused(struct graph *graph, const char *type, int before, const int *inputs,
                     int input_count, const struct stepwise *steps, int first, struct error *error)
{
    const enum element element = graph->tensor[steps->x]->type.element;
    if (graph_opset(graph, "roofline") == 0 && graph_import(graph, "roofline", 1, error) != OK)
        return -1;
    const int node = rewrite_add(graph, "roofline", type, before, inputs, input_count, error);
    if (node < 0 || put_steps(graph, node, steps, first, element, error) != OK)
        return -1;
    return node;
}

/* Launches of the node; 0: it is evaluated. */
static int count_launches(const struct graph *graph, int node, int *launches, struct error *error)
{
    struct arena arena = {0};
    struct lowering lowering = {0};
    struct site site;
    int result = site_open(&site, graph, graph->node[node], &arena, error);
    if (result == OK)
        result = site_lower(&site, &lowering, error);
    *launches = result == OK ? lowering.launch_count : 0;
    arena_free(&arena);
    return result == FAILED ? FAILED : OK;
}

/* ---- trying before the graph is changed ---- */

static int trial_operand(const struct graph *graph, const struct stepwise_operand *operand,
                         enum element element, struct arena *arena, struct array *array,
                         struct error *error)
{
    if (operand->tensor >= 0) {
        const struct tensor *tensor = graph->tensor[operand->tensor];
        *array = (struct array){tensor->type, (void *)(uintptr_t)tensor->data};
        return OK;
    }
    *array = (struct array){operand->type, NULL};
    array->type.element = element;
    const long count = type_elements(&array->type);
    array->data = arena_take(arena, element_bytes(element, count) + 1);
    if (!array->data)
        return out_of_memory(error);
    for (long i = 0; i < count; i++)
        element_put_real(array->data, element, i, operand->value[i]);
    return OK;
}

/* A node that is in no graph. */
struct trial {
    struct node node;
    struct attribute attribute[16];
    struct text text[FUSED_STEPS_MAX];
    int id[3 + FUSED_STEPS_MAX];
    struct array input[3 + FUSED_STEPS_MAX], output;
    int output_id;
};

static void trial_steps(struct trial *trial, const struct node *like, const struct stepwise *steps)
{
    int count = 0;
    for (int i = 0; like && i < like->attribute_count && count < 15; i++)
        if (strcmp(like->attributes[i].name, "steps") != 0)
            trial->attribute[count++] = like->attributes[i];
    for (int i = 0; i < steps->count; i++) {
        const char *name = fused_kind_name(steps->step[i].kind);
        trial->text[i] = (struct text){name, strlen(name)};
    }
    trial->attribute[count++] = (struct attribute){
        .name = "steps", .kind = ATTRIBUTE_TEXTS, .count = steps->count, .texts = trial->text};
    trial->node.attributes = trial->attribute;
    trial->node.attribute_count = count;
}

/* Launches that a fused node would take, 0: none, as it is evaluated. `like` (may be NULL) has the
 * attributes. */
static int try_fused(const struct graph *graph, const char *type, const struct node *like,
                     const int *inputs, int input_count, const struct stepwise *steps,
                     struct arena *arena, int *launches, struct error *error)
{
    struct lowering lowering = {0};
    const struct type *result = &graph->tensor[steps->x]->type;
    struct trial *trial = arena_take(arena, sizeof *trial);
    if (!trial)
        return out_of_memory(error);
    int count = input_count;
    *trial = (struct trial){.node = {.op = op_find("roofline", type, 1),
                                     .type = type,
                                     .domain = "roofline",
                                     .name = "",
                                     .opset = 1,
                                     .inputs = trial->id,
                                     .outputs = &trial->output_id,
                                     .output_count = 1},
                            .output = {*result, NULL}};
    for (int i = 0; i < input_count; i++) {
        const struct tensor *tensor = inputs[i] >= 0 ? graph->tensor[inputs[i]] : NULL;
        trial->id[i] = tensor ? 0 : -1;
        trial->input[i] = tensor ? (struct array){tensor->type, (void *)(uintptr_t)tensor->data}
                                 : (struct array){UNKNOWN_TYPE, NULL};
    }
    for (int i = 0; i < steps->count; i++)
        if (step_is_binary(steps->step[i].kind) &&
            trial_operand(graph, &steps->step[i].operand, result->element, arena,
                          &trial->input[count++], error) != OK)
            return FAILED;
    trial->node.input_count = count;
    trial_steps(trial, like, steps);
    const struct site site = {.graph = graph,
                              .node = &trial->node,
                              .input = trial->input,
                              .output = &trial->output,
                              .arena = arena};
    const int answer = site_lower(&site, &lowering, error);
    *launches = answer == OK ? lowering.launch_count : 0;
    return answer == FAILED ? FAILED : OK;
}

/* ---- folding into weights and bias ---- */

/* A convolution or product. */
struct producer {
    const struct node *node;
    int id;
    const char *type; /* without the domain */
    int inputs[3], input_count, base_inputs;
    bool is_fused;
    int axis; /* of the output: its channels, or columns */
    long channels;
};

static struct producer producer_of(const struct graph *graph, int id)
{
    const struct node *node = graph->node[id];
    const struct type *out = &graph->tensor[node->outputs[0]]->type;
    struct producer producer = {.node = node, .id = id, .type = node->type};
    if (strcmp(node->type, "FusedMatMul") == 0)
        producer.type = "MatMul";
    producer.is_fused = strcmp(node->domain, "roofline") == 0;
    producer.base_inputs = strcmp(producer.type, "MatMul") == 0 ? 2 : 3;
    for (int i = 0; i < 3; i++)
        producer.inputs[i] = i < producer.base_inputs ? node_input(node, i) : -1;
    producer.input_count = producer.inputs[2] >= 0 ? 3 : 2;
    producer.axis = strncmp(node->type, "Conv", 4) == 0 ? 1 : out->rank - 1;
    producer.channels =
        producer.axis >= 0 && producer.axis < out->rank ? out->dims[producer.axis] : 0;
    return producer;
}

/* Whether weights, or a bias, are constants that can be written anew. */
static bool is_foldable(const struct graph *graph, const struct producer *producer, int input)
{
    const int tensor = producer->inputs[input];
    if (tensor < 0 || !tensor_is_known(graph->tensor[tensor]) || producer->is_fused)
        return false;
    const struct type *type = &graph->tensor[tensor]->type;
    if (!element_is_real(type->element) ||
        type->element != graph->tensor[producer->inputs[0]]->type.element)
        return false;
    if (input == 1)
        return type->rank >= 2 && (strcmp(producer->type, "MatMul") != 0 ||
                                   (!node_integer(producer->node, "transB", 0) &&
                                    !node_integer(producer->node, "transBatchB", 0)));
    const long count = type_elements(type);
    return count == 1 || (count == producer->channels && type->dims[type->rank - 1] == count);
}

/* A bias is known, or could be there. */
static bool has_room_for_bias(const struct graph *graph, const struct producer *producer)
{
    return producer->base_inputs == 3 && !producer->is_fused &&
           (producer->inputs[2] < 0 || is_foldable(graph, producer, 2));
}

/* Takes what can be folded from the beginning of the list. */
static int plan_folding(const struct graph *graph, const struct producer *producer,
                        struct stepwise *steps, struct stepwise_affine *folding,
                        struct arena *arena, struct error *error)
{
    *folding = (struct stepwise_affine){.factor = NULL};
    if (producer->is_fused || producer->channels <= 0)
        return OK;
    const struct type *out = &graph->tensor[producer->node->outputs[0]]->type;
    const bool has_bias = producer->inputs[2] >= 0;
    const bool may_scale =
        is_foldable(graph, producer, 1) && (!has_bias || is_foldable(graph, producer, 2));
    return stepwise_take_affine(steps, out, producer->axis, may_scale,
                                has_room_for_bias(graph, producer), folding, arena, error);
}

/* How weights lie around their output channels: outer x channels x inner, of each of the groups. */
struct weight_order {
    long groups, outer, channels, inner;
};

static struct weight_order order_of(const struct producer *producer, const struct type *type)
{
    const long count = type_elements(type), groups = node_integer(producer->node, "group", 1);
    const long last = type->dims[type->rank - 1];
    if (strcmp(producer->type, "Conv") == 0)
        return (struct weight_order){1, 1, type->dims[0], type_product(type, 1, type->rank)};
    if (strcmp(producer->type, "ConvTranspose") == 0)
        return (struct weight_order){groups, type->dims[0] / groups, type->dims[1],
                                     type_product(type, 2, type->rank)};
    if (node_integer(producer->node, "transB", 0))
        return (struct weight_order){1, 1, type->dims[0], last};
    return (struct weight_order){1, last > 0 ? count / last : 0, last, 1};
}

/* Elements [at, at + count) of the weights times the factor. */
static void scale_run(void *to, const struct tensor *from, long at, long count, double factor)
{
    const enum element element = from->type.element;
    if (element == ELEMENT_f32) { /* millions of them: not one by one through a switch */
        const float *values = (const float *)from->data + at;
        float *out = (float *)to + at;
        /* -O2 alone makes no vectors of it. */
#pragma omp simd
        for (long i = 0; i < count; i++)
            out[i] = (float)(factor * values[i]);
        return;
    }
    for (long i = at; i < at + count; i++)
        element_put_real(to, element, i, factor * element_real(from->data, element, i));
}

static int fold_weights(struct graph *graph, const struct producer *producer, int node,
                        const struct stepwise_affine *folding, struct error *error)
{
    const struct tensor *weights = graph->tensor[producer->inputs[1]];
    const struct type type = weights->type;
    const struct weight_order order = order_of(producer, &type);
    void *data = arena_take(&graph->arena, (size_t)type_bytes(&type) + 1);
    long at = 0;
    if (!data)
        return out_of_memory(error);
    for (long g = 0; g < order.groups; g++)
        for (long o = 0; o < order.outer; o++)
            for (long c = 0; c < order.channels; c++, at += order.inner)
                scale_run(data, weights, at, order.inner, folding->factor[g * order.channels + c]);
    const int tensor = graph_add_constant(graph, weights->name, &type, data, error);
    return tensor < 0 ? FAILED : graph_set_input(graph, node, 1, tensor, error);
}

static int fold_bias(struct graph *graph, const struct producer *producer, int node,
                     const struct stepwise_affine *folding, struct error *error)
{
    const int old = producer->inputs[2];
    const struct tensor *bias = old >= 0 ? graph->tensor[old] : NULL;
    const struct type type = {.element = graph->tensor[producer->inputs[0]]->type.element,
                              .rank = 1,
                              .dims = {producer->channels}};
    const double beta =
        bias && strcmp(producer->type, "Gemm") == 0 ? node_real(producer->node, "beta", 1) : 1;
    void *data = arena_take(&graph->arena, (size_t)type_bytes(&type) + 1);
    if (!data)
        return out_of_memory(error);
    const bool is_one = bias && type_elements(&bias->type) == 1;
    for (long c = 0; c < producer->channels; c++) {
        const double was =
            bias ? beta * element_real(bias->data, bias->type.element, is_one ? 0 : c) : 0;
        element_put_real(data, type.element, c, was * folding->factor[c] + folding->addend[c]);
    }
    graph_remove_attribute(graph, node, "beta");
    const int tensor = graph_add_constant(graph, bias ? bias->name : NULL, &type, data, error);
    return tensor < 0 ? FAILED : graph_set_input(graph, node, 2, tensor, error);
}

/* ---- absorbing ---- */

/* The producer with the steps behind it, in front of the follower; the id. */
static int add_producer(struct graph *graph, const struct producer *producer, int before,
                        const struct stepwise *steps, struct error *error)
{
    int inputs[3] = {producer->inputs[0], producer->inputs[1], producer->inputs[2]}, node;
    if (steps->count == 0)
        node = rewrite_add(graph, producer->node->domain, producer->node->type, before, inputs,
                           producer->input_count, error);
    else
        node = add_fused(graph, producer->type, before, inputs, producer->base_inputs, steps,
                         producer->base_inputs, error);
    for (int i = 0; node >= 0 && i < producer->node->attribute_count; i++) {
        const struct attribute *attribute = &producer->node->attributes[i];
        if (strcmp(attribute->name, "steps") != 0 &&
            graph_set_attribute(graph, node, attribute, error) != OK)
            return -1;
    }
    return node;
}

static int absorb_steps(struct graph *graph, const struct producer *producer, int follower,
                        struct stepwise *steps, struct arena *arena, struct error *error)
{
    struct stepwise_affine folding;
    int launches = 0, result = plan_folding(graph, producer, steps, &folding, arena, error);
    if (result == OK)
        result = count_launches(graph, producer->id, &launches, error);
    if (result != OK)
        return result;
    if (steps->count > 0 && launches > 0) {
        int fused = 0;
        result = try_fused(graph, producer->type, producer->node, producer->inputs,
                           producer->base_inputs, steps, arena, &fused, error);
        if (result != OK || fused == 0 || fused > launches)
            return result == OK ? SKIPPED : result;
    }
    const int node = add_producer(graph, producer, follower, steps, error);
    if (node < 0)
        return FAILED;
    if (folding.has_factor)
        result = fold_weights(graph, producer, node, &folding, error);
    if (result == OK && (folding.has_addend || (folding.has_factor && producer->inputs[2] >= 0)))
        result = fold_bias(graph, producer, node, &folding, error);
    return result == OK ? rewrite_replace_by(graph, graph->node[follower]->outputs[0], node, error)
                        : result;
}

static int absorb_between(struct graph *graph, int producer_id, int follower, struct arena *arena,
                          struct error *error)
{
    const struct producer producer = producer_of(graph, producer_id);
    const int between = producer.node->outputs[0];
    struct stepwise steps = {.x = between}, more;
    int result = OK;
    if (producer.is_fused)
        result =
            stepwise_read_fused(graph, producer_id, producer.base_inputs, arena, &steps, error);
    if (result == OK)
        result = stepwise_read(graph, follower, between, arena, &more, error);
    if (result == OK && !stepwise_append(&steps, &more))
        result = SKIPPED;
    if (result == OK)
        result = stepwise_merge(&steps, arena, error);
    return result == OK ? absorb_steps(graph, &producer, follower, &steps, arena, error) : result;
}

/* The node that makes the tensor for `user` alone, in the same block; -1. */
static int maker_for(const struct graph *graph, int tensor, int user)
{
    const int id = tensor >= 0 ? graph->tensor[tensor]->producer : -1;
    if (id < 0 || tensor_only_user(graph->tensor[tensor]) != user ||
        graph->node[id]->block != graph->node[user]->block || graph->node[id]->output_count != 1)
        return -1;
    return id;
}

int absorb_follower(struct rewriting *rewriting, int follower, const char *producers,
                    struct error *error)
{
    struct graph *graph = rewriting->graph;
    const struct node *node = graph->node[follower];
    int result = SKIPPED;
    if (node->output_count != 1)
        return SKIPPED;
    for (int i = 0; i < node->input_count && result == SKIPPED; i++) {
        const int maker = maker_for(graph, node->inputs[i], follower);
        if (maker < 0 || !node_is_one_of(graph->node[maker], producers))
            continue;
        struct arena arena = {0};
        result = absorb_between(graph, maker, follower, &arena, error);
        arena_free(&arena);
    }
    return result;
}

/* ---- chains ---- */

static int replace_by_chain(struct graph *graph, int follower, struct stepwise *steps,
                            struct arena *arena, struct error *error)
{
    int result = stepwise_merge(steps, arena, error);
    if (result != OK)
        return result;
    int launches = 1;
    result = try_fused(graph, "Chain", NULL, &steps->x, 1, steps, arena, &launches, error);
    if (result != OK || launches != 1)
        return result == OK ? SKIPPED : result;
    const int node = add_fused(graph, "Chain", follower, &steps->x, 1, steps, 1, error);
    return node < 0 ? FAILED
                    : rewrite_replace_by(graph, graph->node[follower]->outputs[0], node, error);
}

/* The node over any of its inputs. */
static int read_any(const struct graph *graph, int node, struct arena *arena,
                    struct stepwise *steps, struct error *error)
{
    int result = SKIPPED;
    for (int i = 0; i < graph->node[node]->input_count && result == SKIPPED; i++) {
        const int x = graph->node[node]->inputs[i];
        if (x >= 0 && !tensor_is_known(graph->tensor[x]))
            result = stepwise_read(graph, node, x, arena, steps, error);
    }
    return result;
}

static int chain_between(struct graph *graph, int maker, int follower, struct arena *arena,
                         struct error *error)
{
    struct stepwise steps, more;
    int result = read_any(graph, maker, arena, &steps, error);
    if (result == OK)
        result =
            stepwise_read(graph, follower, graph->node[maker]->outputs[0], arena, &more, error);
    if (result == OK && !stepwise_append(&steps, &more))
        result = SKIPPED;
    return result == OK ? replace_by_chain(graph, follower, &steps, arena, error) : result;
}

int absorb_into_chain(struct rewriting *rewriting, int follower, struct error *error)
{
    struct graph *graph = rewriting->graph;
    const struct node *node = graph->node[follower];
    int result = SKIPPED;
    if (node->output_count != 1)
        return SKIPPED;
    for (int i = 0; i < node->input_count && result == SKIPPED; i++) {
        const int maker = maker_for(graph, node->inputs[i], follower);
        if (maker < 0)
            continue;
        struct arena arena = {0};
        result = chain_between(graph, maker, follower, &arena, error);
        arena_free(&arena);
    }
    return result;
}

int absorb_as_chain(struct rewriting *rewriting, int node, struct error *error)
{
    struct arena arena = {0};
    struct stepwise steps;
    int result = read_any(rewriting->graph, node, &arena, &steps, error);
    if (result == OK)
        result = replace_by_chain(rewriting->graph, node, &steps, &arena, error);
    arena_free(&arena);
    return result;
}

int absorb_where_evaluated(struct rewriting *rewriting, int node, struct error *error)
{
    const struct graph *graph = rewriting->graph;
    struct arena arena = {0};
    struct stepwise steps;
    int launches = 1, result = SKIPPED;
    if (!node_is_one_of(graph->node[node], "roofline::Chain"))
        result = read_any(graph, node, &arena, &steps, error);
    if (result == OK)
        result = count_launches(graph, node, &launches, error);
    if (result == OK)
        result = launches > 0 ? SKIPPED
                              : replace_by_chain(rewriting->graph, node, &steps, &arena, error);
    arena_free(&arena);
    return result;
}
