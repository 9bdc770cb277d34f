// twins.c - what is computed twice is computed once.
#include <string.h>

#include "rewrite.h"

/* Constants of up to so many bytes that hold the same count as one: shapes and factors, and not
 * weights, which would all have to be read. */
enum { SMALL_BYTES = 1024 };

/* Open addressing over ids. */
struct twins {
    const struct graph *graph;
    int *node, *constant; /* slots; -1: free */
    size_t mask;
    int *first; /* of each tensor: the constant that counts for it */
};

/* FNV-1a over words. */
static size_t mix(size_t hash, size_t word)
{
    return (hash ^ word) * 1099511628211U;
}

static size_t mix_bytes(size_t hash, const void *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = mix(hash, ((const unsigned char *)bytes)[i]);
    return hash;
}

static size_t mix_text(size_t hash, const char *text)
{
    return mix_bytes(hash, text, strlen(text));
}

/* ---- constants ---- */

static bool is_small(const struct tensor *tensor)
{
    const long bytes = type_bytes(&tensor->type);
    return !tensor->is_dead && tensor->producer < 0 && tensor->data && bytes >= 0 &&
           bytes <= SMALL_BYTES && tensor->type.element != ELEMENT_text;
}

static bool are_same_values(const struct tensor *a, const struct tensor *b)
{
    return type_equal(&a->type, &b->type) &&
           memcmp(a->data, b->data, (size_t)type_bytes(&a->type)) == 0;
}

static void find_constants(struct twins *twins)
{
    const struct graph *graph = twins->graph;
    for (int id = 0; id < graph->tensor_count; id++) {
        const struct tensor *tensor = graph->tensor[id];
        twins->first[id] = id;
        if (!is_small(tensor))
            continue;
        size_t at =
            mix_bytes(14695981039346656037U, tensor->data, (size_t)type_bytes(&tensor->type)) &
            twins->mask;
        for (; twins->constant[at] >= 0; at = (at + 1) & twins->mask)
            if (are_same_values(graph->tensor[twins->constant[at]], tensor))
                break;
        if (twins->constant[at] < 0)
            twins->constant[at] = id;
        twins->first[id] = twins->constant[at];
    }
}

/* ---- nodes ---- */

static int input_of(const struct twins *twins, const struct node *node, int slot)
{
    return node->inputs[slot] >= 0 ? twins->first[node->inputs[slot]] : -1;
}

static bool commutes(const struct node *node)
{
    return (node->op->flags & OP_COMMUTES) && node->input_count == 2;
}

static bool has_same_inputs(const struct twins *twins, const struct node *a, const struct node *b)
{
    if (a->input_count != b->input_count)
        return false;
    bool are_same = true;
    for (int i = 0; i < a->input_count; i++)
        are_same = are_same && input_of(twins, a, i) == input_of(twins, b, i);
    return are_same || (commutes(a) && input_of(twins, a, 0) == input_of(twins, b, 1) &&
                        input_of(twins, a, 1) == input_of(twins, b, 0));
}

static bool are_twins(const struct twins *twins, const struct node *a, const struct node *b)
{
    if (a->op != b->op || a->opset != b->opset || a->block != b->block ||
        a->attribute_count != b->attribute_count || a->output_count != b->output_count ||
        !has_same_inputs(twins, a, b))
        return false;
    for (int i = 0; i < a->attribute_count; i++)
        if (!attribute_equal(&a->attributes[i], node_attribute(b, a->attributes[i].name)))
            return false;
    for (int i = 0; i < b->output_count; i++) /* the first has to make what the second makes */
        if (b->outputs[i] >= 0 && a->outputs[i] < 0)
            return false;
    return true;
}

/* Attributes are left to the comparison. */
static size_t hash_node(const struct twins *twins, const struct node *node)
{
    size_t hash = mix_text(14695981039346656037U, node->type), inputs = 0;
    for (int i = 0; i < node->input_count; i++) {
        const size_t word =
            mix(1 + (commutes(node) ? 0 : (size_t)i), (size_t)(input_of(twins, node, i) + 1));
        inputs += word * word; /* in any order */
    }
    return mix(mix(hash, inputs), (size_t)node->block);
}

/* Users of b's results take a's; how many results were. */
static int merge(struct graph *graph, const struct node *a, const struct node *b, int *merged,
                 struct error *error)
{
    int result = OK;
    *merged = 0;
    for (int i = 0; i < b->output_count && result != FAILED; i++) {
        if (b->outputs[i] < 0 || graph->tensor[b->outputs[i]]->use_count == 0)
            continue;
        result = graph_replace(graph, b->outputs[i], a->outputs[i], error);
        *merged += result == OK;
    }
    return result == FAILED ? FAILED : OK;
}

/* The node as the first of its kind, or its users given to the one that is. */
static int enter(struct twins *twins, struct graph *graph, int id, int *count, struct error *error)
{
    const struct node *node = graph->node[id];
    if (!node->op || (node->op->flags & (OP_RANDOM | OP_CONTROL)))
        return OK;
    size_t at = hash_node(twins, node) & twins->mask;
    for (; twins->node[at] >= 0; at = (at + 1) & twins->mask)
        if (are_twins(twins, graph->node[twins->node[at]], node))
            break;
    if (twins->node[at] < 0) {
        twins->node[at] = id;
        return OK;
    }
    int merged;
    if (merge(graph, graph->node[twins->node[at]], node, &merged, error) != OK)
        return FAILED;
    if (rewrite_remove(graph, id, error) != OK)
        return FAILED;
    *count += merged > 0 || node->is_dead;
    return OK;
}

static int run(struct rewriting *rewriting, int *count, struct error *error)
{
    struct graph *graph = rewriting->graph;
    struct arena arena = {0};
    size_t room = 64;
    while (room < 2 * (size_t)(graph->node_count + graph->tensor_count))
        room *= 2;
    struct twins twins = {
        .graph = graph,
        .node = arena_take_array(&arena, room, sizeof *twins.node),
        .constant = arena_take_array(&arena, room, sizeof *twins.constant),
        .mask = room - 1,
        .first = arena_take_array(&arena, (size_t)graph->tensor_count, sizeof *twins.first),
    };
    int result = twins.node && twins.constant && twins.first
                     ? OK
                     : error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (size_t i = 0; i < room && result == OK; i++)
        twins.node[i] = twins.constant[i] = -1;
    if (result == OK)
        find_constants(&twins);
    for (int block = 0; block < graph->block_count && result == OK; block++)
        for (int id = graph->block[block]->first, next; id >= 0 && result == OK; id = next) {
            next = graph->node[id]->next;
            result = enter(&twins, graph, id, count, error);
        }
    arena_free(&arena);
    return result;
}

const struct pass twins_pass = {
    .name = "common-subexpressions",
    .group = GROUP_ELIMINATION,
    .summary = "a second node with the operator, attributes and inputs of a first one, or with "
               "the inputs of a commuting one swapped: the first one's results",
    .refuses = "results are random; subgraphs are attributes; it is in another subgraph; the "
               "operator is not known; both results are outputs of the graph",
    .run = run,
};
