// weights.c - values that follow from names.
#include "weights.h"

#include <math.h>
#include <string.h>

#include "graph_parts.h"

/* http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t fnv1a(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return hash;
}

static const uint64_t increment = 0x9e3779b97f4a7c15u; /* splitmix64's */

static double uniform(uint64_t hash, long i)
{
    uint64_t z = hash + ((uint64_t)i + 1) * increment;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (double)(z >> 40) * 0x1p-24;
}

void weight_fill(const char *name, const struct type *type, struct weight_rule rule, void *data)
{
    const uint64_t hash = fnv1a(name);
    const long count = type_elements(type);
    const double reach = sqrt(6 / rule.fan_in);
    for (long i = 0; i < count; i++) {
        const double u = uniform(hash, i);
        double value = (2 * u - 1) * 0.1;
        if (rule.role == WEIGHT_PRODUCTS)
            value = (2 * u - 1) * reach * rule.gain;
        else if (rule.role == WEIGHT_FACTOR)
            value = 0.75 + 0.5 * u;
        element_put_real(data, type->element, i, value);
    }
}

static bool is_gemm_operand(const struct graph *graph, struct use use)
{
    return use.node >= 0 && node_is(graph->node[use.node], "Gemm");
}

/* Scale and variance; X, scale, B, mean, var are the inputs. */
static bool is_factor(const struct graph *graph, struct use use)
{
    if (use.node < 0)
        return false;
    const struct node *node = graph->node[use.node];
    if (node_is(node, "Mul") ||
        (node_is(node, "BatchNormalization") && (use.slot == 1 || use.slot == 4)))
        return true;
    const int made = node_output(node, 0);
    if (!node_is(node, "Unsqueeze") || made < 0)
        return false;
    for (int i = 0; i < graph->tensor[made]->use_count; i++) {
        const int next = graph->tensor[made]->uses[i].node;
        if (next >= 0 && node_is(graph->node[next], "Mul"))
            return true;
    }
    return false;
}

struct weight_rule weight_rule_of(const struct graph *graph, int id, double gemm_gain)
{
    const struct tensor *tensor = graph->tensor[id];
    struct weight_rule rule = {WEIGHT_OFFSET, 1, 1};
    bool is_untransposed = false;
    for (int i = 0; i < tensor->use_count; i++) {
        const struct use use = tensor->uses[i];
        if (is_factor(graph, use))
            rule.role = WEIGHT_FACTOR;
        if (!is_gemm_operand(graph, use))
            continue;
        rule.gain = gemm_gain;
        is_untransposed = is_untransposed ||
                          (use.slot == 1 && node_integer(graph->node[use.node], "transB", 0) == 0);
    }
    if (tensor->type.rank < 2)
        return rule;
    rule.role = WEIGHT_PRODUCTS;
    rule.fan_in = (double)(is_untransposed ? tensor->type.dims[0]
                                           : type_product(&tensor->type, 1, tensor->type.rank));
    return rule;
}

/* Type of what the node makes; false where it is no f32, or the shape no constant. */
static bool find_type(const struct graph *graph, const struct node *node, struct type *type)
{
    const int made = node_output(node, 0), shape = node_input(node, 0);
    const struct attribute *value = node_attribute(node, "value");
    if (node->is_dead || !node_is(node, "ConstantOfShape") || made < 0 || shape < 0)
        return false;
    const struct tensor *dims = graph->tensor[shape];
    const enum element element =
        value && value->kind == ATTRIBUTE_TENSOR ? value->tensor->type.element : ELEMENT_f32;
    if (element != ELEMENT_f32 || !tensor_is_known(dims) || dims->type.element != ELEMENT_i64 ||
        type_elements(&dims->type) < 0 || type_elements(&dims->type) > RANK_MAX)
        return false;
    *type = (struct type){.element = element, .rank = (int)type_elements(&dims->type)};
    for (int i = 0; i < type->rank; i++)
        type->dims[i] = element_whole(dims->data, ELEMENT_i64, i);
    return true;
}

static int name_output(struct graph *graph, int node, const struct type *type, double gemm_gain,
                       struct error *error)
{
    const int made = node_output(graph->node[node], 0);
    struct tensor *tensor = graph->tensor[made];
    if (type_check(type, tensor->name, error) != OK)
        return FAILED;
    tensor->type = *type;
    if (type_elements(type) < 0)
        return error_set(error, FAULT_IO, "weight '%s' has a dimension of -1", tensor->name);
    void *data = arena_take(&graph->arena, (size_t)type_bytes(type));
    if (!data)
        return graph_exhausted(graph, error), FAILED;
    weight_fill(tensor->name, type, weight_rule_of(graph, made, gemm_gain), data);
    if (graph_make_constant(graph, made, data, error) != OK)
        return FAILED;
    graph_remove_node(graph, node);
    return OK;
}

int weights_name(struct graph *graph, double gemm_gain, int *count, struct error *error)
{
    int named = 0, result = OK;
    for (int id = 0; id < graph->node_count && result == OK; id++) {
        struct type type;
        if (!find_type(graph, graph->node[id], &type))
            continue;
        result = name_output(graph, id, &type, gemm_gain, error);
        named++;
    }
    if (count)
        *count = named;
    graph_sweep(graph); /* the shapes */
    /* Small values that followed from what the nodes made are others now. */
    return result == OK && named > 0 ? graph_infer(graph, error) : result;
}
