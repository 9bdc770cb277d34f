// turn_values.c - constants and images in another layout.
#include <stdio.h>
#include <string.h>

#include "turn.h"

/* ---- constants ---- */

/* An operand's dims in a layout, and how far apart its elements are along each. */
struct order {
    struct type type;
    long steps[TURN_RANK + 1];
};

static void add_dim(struct order *order, long dim, long step)
{
    order->type.dims[order->type.rank] = dim;
    order->steps[order->type.rank++] = step;
}

/* Channels that are broadcast are so in blocks, too. */
static struct order order_of(const struct type *first, enum layout layout)
{
    const long channels = first->dims[1], block = channels > 1 ? LAYOUT_BLOCK : 1;
    struct order order = {.type = {.element = first->element, .rank = 0}};
    long step[TURN_RANK];
    for (int i = 0; i < TURN_RANK; i++)
        step[i] = type_product(first, i + 1, TURN_RANK);
    add_dim(&order, first->dims[0], step[0]);
    if (layout == LAYOUT_NCHWC)
        add_dim(&order, channels / block, step[1] * block);
    add_dim(&order, first->dims[2], step[2]);
    add_dim(&order, first->dims[3], step[3]);
    add_dim(&order, layout == LAYOUT_NCHWC ? block : channels, step[1]);
    return order;
}

int turn_constant(struct graph *to, const struct graph *from, int tensor, enum layout layout,
                  struct error *error)
{
    const struct tensor *of = from->tensor[tensor];
    const size_t bytes = element_bytes(of->type.element, 1);
    const int absent = TURN_RANK - of->type.rank;
    struct type first = {.element = of->type.element, .rank = TURN_RANK};
    long at[RANK_MAX] = {0};
    char name[200];
    for (int i = 0; i < TURN_RANK; i++)
        first.dims[i] = i < absent ? 1 : of->type.dims[i - absent];
    const struct order order = order_of(&first, layout);
    const long count = type_elements(&first);
    char *copy = arena_take_array(&to->arena, (size_t)count, bytes);
    if (!copy)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory"), -1;
    for (long i = 0; i < count; i++) {
        const long element = place_offset(order.type.rank, order.steps, at);
        memcpy(copy + (size_t)i * bytes, (const char *)of->data + (size_t)element * bytes, bytes);
        place_next(&order.type, at);
    }
    struct type type = order.type;
    for (; absent > 0 && type.rank > 1 && type.dims[0] == 1; type.rank--)
        memmove(type.dims, type.dims + 1, (RANK_MAX - 1) * sizeof *type.dims);
    snprintf(name, sizeof name, "%.180s_%s", of->name, layout_words[layout]);
    return graph_add_constant(to, name, &type, copy, error);
}

/* ---- images ---- */

bool turn_is_view(const struct type *first, enum layout from, enum layout to)
{
    const bool is_pixel = type_product(first, 2, TURN_RANK) == 1;
    if (from == to || is_pixel)
        return true;
    if (from != LAYOUT_NCHW && to != LAYOUT_NCHW)
        return first->dims[1] == LAYOUT_BLOCK;
    return first->dims[1] == 1;
}

int turn_import(struct graph *graph, struct error *error)
{
    return graph_opset(graph, "roofline") == 0 ? graph_import(graph, "roofline", 1, error) : OK;
}

static int set_transpose(struct graph *graph, int node, enum layout to, struct error *error)
{
    static const long last[] = {0, 2, 3, 1}, first[] = {0, 3, 1, 2};
    return graph_set_integers(graph, node, "perm", to == LAYOUT_NHWC ? last : first, TURN_RANK,
                              error);
}

/* The image under dims that a Shuffle puts into another order: to blocks, or from these. */
static int set_shuffle(struct graph *graph, int node, const struct type *first, enum layout from,
                       enum layout to, struct error *error)
{
    enum { DIMS = TURN_RANK + 1 };
    static const long perm[LAYOUT_COUNT][LAYOUT_COUNT][DIMS] = {
        [LAYOUT_NCHW][LAYOUT_NCHWC] = {0, 1, 3, 4, 2},
        [LAYOUT_NHWC][LAYOUT_NCHWC] = {0, 3, 1, 2, 4},
        [LAYOUT_NCHWC][LAYOUT_NCHW] = {0, 1, 4, 2, 3},
        [LAYOUT_NCHWC][LAYOUT_NHWC] = {0, 2, 3, 1, 4},
    };
    const long n = first->dims[0], c = first->dims[1] / LAYOUT_BLOCK, h = first->dims[2],
               w = first->dims[3];
    const long view[LAYOUT_COUNT][DIMS] = {[LAYOUT_NCHW] = {n, c, LAYOUT_BLOCK, h, w},
                                           [LAYOUT_NHWC] = {n, h, w, c, LAYOUT_BLOCK},
                                           [LAYOUT_NCHWC] = {n, c, h, w, LAYOUT_BLOCK}};
    const struct type made = type_in_layout(first, to);
    return graph_set_integers(graph, node, "view", view[from], DIMS, error) == OK &&
                   graph_set_integers(graph, node, "perm", perm[from][to], DIMS, error) == OK
               ? graph_set_integers(graph, node, "shape", made.dims, made.rank, error)
               : FAILED;
}

int turn_convert(struct graph *graph, int tensor, enum layout from, enum layout to, int before,
                 struct error *error)
{
    const struct type first = type_channels_first(&graph->tensor[tensor]->type, from);
    const struct type made = type_in_layout(&first, to);
    const bool is_blocked = from == LAYOUT_NCHWC || to == LAYOUT_NCHWC;
    const bool is_view = is_blocked && turn_is_view(&first, from, to) &&
                         op_find("", "Reshape", graph_opset(graph, "")) != NULL;
    int inputs[2] = {tensor, -1};
    if (is_view)
        inputs[1] = graph_add_integers(graph, NULL, made.dims, made.rank, error);
    const int block = before < 0 ? 0 : graph->node[before]->block;
    const int output = graph_add_tensor(graph, block, NULL, &made, error);
    const struct node_spec spec = {.type = is_view      ? "Reshape"
                                           : is_blocked ? "Shuffle"
                                                        : "Transpose",
                                   .domain = is_blocked && !is_view ? "roofline" : NULL,
                                   .block = block,
                                   .before = before,
                                   .inputs = inputs,
                                   .input_count = is_view ? 2 : 1,
                                   .outputs = &output,
                                   .output_count = 1};
    if (output < 0 || (is_view && inputs[1] < 0) || (is_blocked && turn_import(graph, error) != OK))
        return -1;
    const int node = graph_add_node(graph, &spec, error);
    int result = node < 0 ? FAILED : OK;
    if (result == OK && !is_view)
        result = is_blocked ? set_shuffle(graph, node, &first, from, to, error)
                            : set_transpose(graph, node, to, error);
    return result == OK ? output : -1;
}
