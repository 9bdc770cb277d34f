// graph.c - a graph's life, what it can be asked, and how it is built.
#include "graph.h"

#include <stdio.h>
#include <string.h>

#include "graph_file.h"
#include "graph_parts.h"
#include "op.h"

int graph_exhausted(const struct graph *graph, struct error *error)
{
    error_set(error, FAULT_ENVIRONMENT, "out of memory for graph '%s', which holds %zu bytes",
              graph->name ? graph->name : "", graph->arena.held_bytes);
    return -1;
}

void *arena_room(struct arena *arena, void *items, int count, size_t bytes)
{
    enum { FIRST = 8 };
    /* Lengths at which it moves: 0, 8, 16, 32 ... */
    if (count != 0 && (count < FIRST || (count & (count - 1)) != 0))
        return items;
    void *longer = arena_take_array(arena, count ? 2 * (size_t)count : FIRST, bytes);
    if (longer && count)
        memcpy(longer, items, (size_t)count * bytes);
    return longer;
}

/* Lengthens the array by one zeroed item and evaluates to false when memory is out. */
#define APPEND(graph, array, count)                                                                \
    ((array) = arena_room(&(graph)->arena, (array), (count), sizeof *(array)), (array) != NULL)

int graph_init(struct graph *graph, const char *name, struct error *error)
{
    *graph = (struct graph){.ir_version = 8};
    graph->name = arena_copy_text(&graph->arena, name);
    graph->names = arena_take(&graph->arena, sizeof *graph->names);
    if (!graph->name || !graph->names)
        return graph_exhausted(graph, error), FAILED;
    return graph_add_block(graph, -1, name, error) < 0 ? FAILED : OK;
}

void graph_free(struct graph *graph)
{
    for (struct graph_holding *held = graph->holding; held; held = held->next)
        held->release(held);
    arena_free(&graph->arena);
    *graph = (struct graph){0};
}

/* ---- names ---- */

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static unsigned long hash_name(const char *name)
{
    unsigned long hash = 0xcbf29ce484222325u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

/* Where the name is, or would be. */
static int find_slot(const struct graph *graph, const char *name)
{
    const struct graph_names *names = graph->names;
    int at = (int)(hash_name(name) & (unsigned long)(names->capacity - 1));
    while (names->id[at] >= 0 && strcmp(graph->tensor[names->id[at]]->name, name) != 0)
        at = (at + 1) & (names->capacity - 1);
    return at;
}

static bool widen_names(struct graph *graph)
{
    struct graph_names *names = graph->names;
    const struct graph_names old = *names;
    names->capacity = old.capacity ? 2 * old.capacity : 64;
    names->id = arena_take_array(&graph->arena, (size_t)names->capacity, sizeof *names->id);
    if (!names->id) {
        *names = old;
        return false;
    }
    for (int i = 0; i < names->capacity; i++)
        names->id[i] = -1;
    for (int i = 0; i < old.capacity; i++)
        if (old.id[i] >= 0)
            names->id[find_slot(graph, graph->tensor[old.id[i]]->name)] = old.id[i];
    return true;
}

int graph_enter_name(struct graph *graph, int tensor, struct error *error)
{
    struct graph_names *names = graph->names;
    if (2 * names->count >= names->capacity && !widen_names(graph))
        return graph_exhausted(graph, error), FAILED;
    const int slot = find_slot(graph, graph->tensor[tensor]->name);
    names->count += names->id[slot] < 0;
    names->id[slot] = tensor;
    return OK;
}

const char *graph_fresh_name(struct graph *graph, const char *base)
{
    const char *name = arena_print(&graph->arena, "%s_%d", base, graph->tensor_count);
    for (int i = 1; name && graph_find(graph, name) >= 0; i++)
        name = arena_print(&graph->arena, "%s_%d_%d", base, graph->tensor_count, i);
    return name;
}

/* ---- asking ---- */

int graph_find(const struct graph *graph, const char *name)
{
    return graph->names->capacity ? graph->names->id[find_slot(graph, name)] : -1;
}

int graph_opset(const struct graph *graph, const char *domain)
{
    for (int i = 0; i < graph->opset_count; i++)
        if (strcmp(graph->opset[i].domain, domain) == 0)
            return graph->opset[i].version;
    return 0;
}

int graph_live_nodes(const struct graph *graph)
{
    int count = 0;
    for (int i = 0; i < graph->node_count; i++)
        count += !graph->node[i]->is_dead;
    return count;
}

/* ---- building ---- */

int graph_import(struct graph *graph, const char *domain, int version, struct error *error)
{
    for (int i = 0; i < graph->opset_count; i++)
        if (strcmp(graph->opset[i].domain, domain) == 0) {
            graph->opset[i].version = version;
            return OK;
        }
    const char *copy = arena_copy_text(&graph->arena, domain);
    if (!copy || !APPEND(graph, graph->opset, graph->opset_count))
        return graph_exhausted(graph, error), FAILED;
    graph->opset[graph->opset_count++] = (struct opset){copy, version};
    return OK;
}

int graph_symbol(struct graph *graph, const char *name, struct error *error)
{
    for (int i = 0; i < graph->symbol_count; i++)
        if (strcmp(graph->symbol[i].name, name) == 0)
            return i + 1;
    const char *copy = arena_copy_text(&graph->arena, name);
    if (!copy || !APPEND(graph, graph->symbol, graph->symbol_count))
        return graph_exhausted(graph, error);
    graph->symbol[graph->symbol_count++] = (struct symbol){copy, -1};
    return graph->symbol_count;
}

static void list_symbols(const struct graph *graph, char *text, size_t capacity)
{
    size_t used = 0;
    *text = 0;
    for (int i = 0; i < graph->symbol_count && used < capacity; i++)
        used += (size_t)snprintf(text + used, capacity - used, " %s", graph->symbol[i].name);
}

int graph_bind(struct graph *graph, const char *name, long value, struct error *error)
{
    char known[200];
    int symbol = graph->symbol_count;
    while (symbol > 0 && strcmp(graph->symbol[symbol - 1].name, name) != 0)
        symbol--;
    list_symbols(graph, known, sizeof known);
    if (symbol == 0)
        return error_set(error, FAULT_USAGE, "graph '%s' has no dimension '%s'; it has:%s",
                         graph->name, name, *known ? known : " none with a name");
    if (value < 0 || value > ELEMENTS_MAX)
        return error_set(error, FAULT_USAGE, "dimension '%s' cannot be %ld; give 0 to %ld", name,
                         value, ELEMENTS_MAX);
    graph->symbol[symbol - 1].value = value;
    for (int id = 0; id < graph->tensor_count; id++) {
        struct tensor *tensor = graph->tensor[id];
        for (int i = 0; i < tensor->type.rank; i++)
            if (tensor->type.symbol[i] == symbol) {
                tensor->type.dims[i] = value;
                tensor->type.symbol[i] = 0;
            }
        if (type_check(&tensor->type, tensor->name, error) != OK)
            return FAILED;
    }
    return OK;
}

int graph_add_block(struct graph *graph, int owner, const char *name, struct error *error)
{
    struct block *block = arena_take(&graph->arena, sizeof *block);
    const char *copy = arena_copy_text(&graph->arena, name);
    if (!block || !copy || !APPEND(graph, graph->block, graph->block_count))
        return graph_exhausted(graph, error);
    *block = (struct block){.name = copy, .owner = owner, .first = -1, .last = -1};
    graph->block[graph->block_count] = block;
    return graph->block_count++;
}

int graph_add_tensor(struct graph *graph, int block, const char *name, const struct type *type,
                     struct error *error)
{
    const char *base = name && *name ? name : "t";
    const bool is_free = base == name && graph_find(graph, name) < 0;
    struct tensor *tensor = arena_take(&graph->arena, sizeof *tensor);
    const char *copy =
        is_free ? arena_copy_text(&graph->arena, name) : graph_fresh_name(graph, base);
    if (!tensor || !copy || !APPEND(graph, graph->tensor, graph->tensor_count))
        return graph_exhausted(graph, error);
    if (type_check(type, copy, error) != OK)
        return -1;
    *tensor = (struct tensor){.name = copy, .type = *type, .block = block, .producer = -1};
    graph->tensor[graph->tensor_count++] = tensor;
    return graph_enter_name(graph, graph->tensor_count - 1, error) == OK ? graph->tensor_count - 1
                                                                         : -1;
}

int graph_add_constant(struct graph *graph, const char *name, const struct type *type,
                       const void *data, struct error *error)
{
    const int tensor = graph_add_tensor(graph, 0, name, type, error);
    if (tensor >= 0)
        graph->tensor[tensor]->data = data;
    return tensor;
}

int graph_add_integers(struct graph *graph, const char *name, const long *values, int count,
                       struct error *error)
{
    const struct type type = {.element = ELEMENT_i64, .rank = 1, .dims = {count}};
    int64_t *data = arena_take_array(&graph->arena, (size_t)count, sizeof *data);
    if (!data)
        return graph_exhausted(graph, error);
    for (int i = 0; i < count; i++)
        data[i] = values[i];
    return graph_add_constant(graph, name, &type, data, error);
}

int graph_add_real(struct graph *graph, const char *name, enum element element, double value,
                   struct error *error)
{
    const struct type type = {.element = element, .rank = 0};
    void *data = arena_take(&graph->arena, element_bytes(element, 1));
    if (!data)
        return graph_exhausted(graph, error);
    element_put_real(data, element, 0, value);
    return graph_add_constant(graph, name, &type, data, error);
}

/* The tensor becomes the block's next input; -1 when memory is out. */
static int append_input(struct graph *graph, int block, int id, struct error *error)
{
    struct block *to = graph->block[block];
    if (!APPEND(graph, to->inputs, to->input_count))
        return graph_exhausted(graph, error);
    graph->tensor[id]->is_input = true;
    graph->tensor[id]->slot = to->input_count;
    to->inputs[to->input_count++] = id;
    return id;
}

int graph_add_input(struct graph *graph, int block, const char *name, const struct type *type,
                    struct error *error)
{
    const int id = graph_add_tensor(graph, block, name, type, error);
    return id < 0 ? -1 : append_input(graph, block, id, error);
}

int graph_make_overridable(struct graph *graph, int id, int block, struct error *error)
{
    struct tensor *tensor = graph->tensor[id];
    tensor->fallback = tensor->data;
    tensor->data = NULL;
    tensor->block = block;
    tensor->is_overridable = true;
    return append_input(graph, block, id, error) < 0 ? FAILED : OK;
}

void graph_fix_overridable(struct graph *graph)
{
    for (int b = 0; b < graph->block_count; b++) {
        struct block *block = graph->block[b];
        int kept = 0;
        for (int i = 0; i < block->input_count; i++) {
            struct tensor *input = graph->tensor[block->inputs[i]];
            if (!input->is_overridable) {
                input->slot = kept;
                block->inputs[kept++] = block->inputs[i];
                continue;
            }
            input->data = input->fallback;
            input->fallback = NULL;
            input->is_input = input->is_overridable = false;
            input->block = 0;
        }
        block->input_count = kept;
    }
}

int graph_add_output(struct graph *graph, int block, int tensor, struct error *error)
{
    struct block *to = graph->block[block];
    if (!APPEND(graph, to->outputs, to->output_count))
        return graph_exhausted(graph, error), FAILED;
    to->outputs[to->output_count] = tensor;
    return tensor_add_use(graph, tensor, (struct use){-1 - block, to->output_count++}, error);
}

/* Texts, operands and operator; not yet linked. */
static struct node *make_node(struct graph *graph, const struct node_spec *spec)
{
    struct arena *arena = &graph->arena;
    const char *domain = spec->domain ? spec->domain : "";
    struct node *node = arena_take(arena, sizeof *node);
    if (!node)
        return NULL;
    *node = (struct node){
        .type = arena_copy_text(arena, spec->type),
        .domain = arena_copy_text(arena, domain),
        .name = arena_copy_text(arena, spec->name ? spec->name : ""),
        .opset = graph_opset(graph, domain),
        .inputs = arena_copy(arena, spec->inputs, (size_t)spec->input_count * sizeof(int)),
        .input_count = spec->input_count,
        .outputs = arena_copy(arena, spec->outputs, (size_t)spec->output_count * sizeof(int)),
        .output_count = spec->output_count,
        .block = spec->block,
        .previous = -1,
        .next = -1,
    };
    if (!node->type || !node->domain || !node->name || !node->inputs || !node->outputs)
        return NULL;
    node->op = op_find(node->domain, node->type, node->opset);
    return node;
}

int graph_add_node(struct graph *graph, const struct node_spec *spec, struct error *error)
{
    struct node *node = make_node(graph, spec);
    if (!node || !APPEND(graph, graph->node, graph->node_count))
        return graph_exhausted(graph, error);
    const int id = graph->node_count++;
    graph->node[id] = node;
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] >= 0 &&
            tensor_add_use(graph, node->inputs[i], (struct use){id, i}, error) != OK)
            return -1;
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] >= 0) {
            struct tensor *made = graph->tensor[node->outputs[i]];
            made->producer = id;
            made->slot = i;
            made->block = node->block;
        }
    order_link(graph, id, spec->before);
    return id;
}
