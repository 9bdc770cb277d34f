// turn.c - nodes that can work on images in another layout, and how these are made.
#include "turn.h"

#include <stdio.h>
#include <string.h>

#include "match.h"

/* How a node treats the dims of images. */
enum family {
    FAMILY_NONE,
    FAMILY_LAYOUT,      /* ONNX's operator becomes that of domain roofline with a layout */
    FAMILY_CONVOLUTION, /* the same, with steps' operands behind */
    FAMILY_PLACES,      /* element by element, operands are broadcast */
    FAMILY_ALONE,       /* element by element of input 0 */
    FAMILY_AXIS,        /* attribute `axis`, images only */
    FAMILY_PADS,        /* these and below: channels last alone, as blocks would have to be cut */
    FAMILY_SLICES,
    FAMILY_SHUFFLE, /* channels in groups among each other, on the permutation kernel */
};

static const long to_last[TURN_RANK] = {0, 2, 3, 1}, to_first[TURN_RANK] = {0, 3, 1, 2};

/* ---- which can ---- */

static bool is_known(const struct graph *graph, int tensor)
{
    return tensor >= 0 && tensor_is_known(graph->tensor[tensor]);
}

/* Its type is that of an image of reals, and complete. */
static bool is_image(const struct graph *graph, int tensor)
{
    const struct type *type = tensor >= 0 ? &graph->tensor[tensor]->type : NULL;
    return type && type->rank == TURN_RANK && type_is_complete(type) &&
           element_is_real(type->element);
}

/* Statistics of features, statistics that are made, and places of maxima are for channels first. */
static bool has_layout(const struct node *node)
{
    if (node_is(node, "BatchNormalization"))
        return node_integer(node, "training_mode", 0) == 0 &&
               (node->opset >= 9 || node_integer(node, "spatial", 1) != 0) &&
               node_output(node, 1) < 0;
    return node_output(node, 1) < 0;
}

/* Lists of axes, pads, begins that say which dim they are for; all are known. */
static bool knows_pads(const struct graph *graph, const struct node *node)
{
    int count;
    if (node->opset < 11)
        return node_integers(node, "pads", &count) && count == 2 * TURN_RANK;
    return is_known(graph, node_input(node, 1)) &&
           (node_input(node, 3) < 0 || is_known(graph, node_input(node, 3)));
}

static bool knows_slices(const struct graph *graph, const struct node *node)
{
    int count;
    if (node->opset < 10)
        return node_integers(node, "starts", &count) != NULL;
    const int starts = node_input(node, 1), axes = node_input(node, 3);
    return is_known(graph, starts) && graph->tensor[starts]->type.element == ELEMENT_i64 &&
           (axes < 0 || is_known(graph, axes));
}

/* A list attribute of images, in which one dim may be open, against the elements of the image. */
static bool read_dims(const struct node *node, const char *name, long elements, int rank,
                      long *dims)
{
    int count, open = -1;
    long known = 1;
    const long *given = node_integers(node, name, &count);
    if (!given || count != rank)
        return false;
    for (int i = 0; i < count; i++) {
        dims[i] = given[i];
        if (given[i] == -1)
            open = i;
        else
            known *= given[i];
    }
    if (open >= 0 && known > 0)
        dims[open] = elements / known;
    return known > 0;
}

/* Whether channels alone change places: (N, a, b, H, W) becomes (N, b, a, H, W). */
static bool shuffles_channels(const struct graph *graph, const struct node *node, long view[5])
{
    static const long perm[] = {0, 2, 1, 3, 4};
    const struct type *x = &graph->tensor[node->inputs[0]]->type;
    long shape[TURN_RANK];
    int count;
    const long *given = node_integers(node, "perm", &count);
    if (x->rank != TURN_RANK || !type_is_complete(x) || !given || count != 5 ||
        memcmp(given, perm, sizeof perm) != 0 ||
        !read_dims(node, "view", type_elements(x), 5, view) ||
        !read_dims(node, "shape", type_elements(x), TURN_RANK, shape))
        return false;
    return memcmp(shape, x->dims, sizeof shape) == 0 && view[0] == shape[0] &&
           view[3] == shape[2] && view[4] == shape[3];
}

/* What is made has the graph's version of its domain. */
static bool is_of_version(const struct graph *graph, const struct node *node)
{
    const bool has_one = strcmp(node->domain, "roofline") == 0; /* imported or not yet */
    return has_one || node->opset == graph_opset(graph, node->domain);
}

static enum family family_of(const struct graph *graph, const struct node *node)
{
    const int flags = node->op ? node->op->flags : 0;
    const bool is_own = node->domain[0] == '\0';
    if (!node->op || !is_of_version(graph, node) || flags & OP_RANDOM)
        return FAMILY_NONE;
    if (node_is_one_of(node, "Conv|ConvTranspose|roofline::Conv|roofline::ConvTranspose"))
        return node_attribute(node, "layout") || !op_find("roofline", node->type, 1)
                   ? FAMILY_NONE
                   : FAMILY_CONVOLUTION;
    if (node_is_one_of(node, "MaxPool|AveragePool|GlobalAveragePool|BatchNormalization|Resize|"
                             "Upsample|GridSample"))
        return has_layout(node) ? FAMILY_LAYOUT : FAMILY_NONE;
    if (is_own && flags & OP_BINARY && node->opset < 7)
        return FAMILY_NONE; /* operands count dims from an axis on, PRelu's from the channels */
    if ((is_own && flags & OP_BINARY) || node_is_one_of(node, "Sum|Max|Min|Mean|roofline::Chain"))
        return FAMILY_PLACES;
    if ((is_own && flags & OP_UNARY) || node_is(node, "Clip"))
        return FAMILY_ALONE;
    if (node_is_one_of(node, "Concat|Split") ||
        (node->opset >= 13 && node_is_one_of(node, "Softmax|LogSoftmax")))
        return FAMILY_AXIS;
    if (node_is_one_of(node, "roofline::Shuffle"))
        return shuffles_channels(graph, node, (long[5]){0}) ? FAMILY_SHUFFLE : FAMILY_NONE;
    if (node_is(node, "Pad"))
        return knows_pads(graph, node) ? FAMILY_PADS : FAMILY_NONE;
    if (node_is(node, "Slice"))
        return knows_slices(graph, node) ? FAMILY_SLICES : FAMILY_NONE;
    return FAMILY_NONE;
}

/* A tensor beside images: itself one, or a constant, or a single element that fits either way. */
static enum turn_role role_of_operand(const struct graph *graph, int tensor)
{
    const struct type *type = &graph->tensor[tensor]->type;
    if (!type_is_complete(type) || type->rank > TURN_RANK)
        return ROLE_MISFIT;
    if (type->rank == 0 || (type->rank == 1 && type->dims[0] == 1))
        return ROLE_KEPT;
    if (is_known(graph, tensor))
        return element_bits(type->element) >= 8 ? ROLE_CONSTANT : ROLE_MISFIT;
    return type->rank == TURN_RANK ? ROLE_IMAGE : ROLE_MISFIT;
}

/* Whether a node reads an input of the graph as fast with channels first as in the layout of its
 * result: few channels, which a convolution copies on the way to its tiles. */
static bool reads_planes(const struct graph *graph, const struct node *node)
{
    const struct tensor *x = graph->tensor[node->inputs[0]];
    return node_is_one_of(node, "Conv|roofline::Conv") && node_integer(node, "group", 1) == 1 &&
           x->producer < 0 && !tensor_is_known(x) && is_image(graph, node->inputs[0]) &&
           x->type.dims[1] <= LAYOUT_PLANES_FEW;
}

static enum turn_role role_in(const struct graph *graph, const struct node *node,
                              enum family family, int slot)
{
    const int tensor = node_input(node, slot);
    bool is_operand = slot == 0;
    if (tensor < 0)
        return ROLE_KEPT;
    if (family == FAMILY_PLACES || node_is(node, "Concat"))
        is_operand = true;
    else if (family == FAMILY_CONVOLUTION)
        is_operand = slot > 2 || (slot == 0 && !reads_planes(graph, node));
    return is_operand ? role_of_operand(graph, tensor) : ROLE_KEPT;
}

/* ---- conversions that are there ---- */

static bool is_permutation(const struct node *node, const long *perm, int rank)
{
    int count;
    const long *given = node_integers(node, "perm", &count);
    return given && count == rank && memcmp(given, perm, (size_t)rank * sizeof *perm) == 0;
}

/* A Shuffle that sees its input under these dims and puts them into that order. */
static bool is_shuffle(const struct graph *graph, const struct node *node, const long *dims,
                       const long *perm, int rank)
{
    long view[RANK_MAX];
    return node_is_one_of(node, "roofline::Shuffle") && is_permutation(node, perm, rank) &&
           read_dims(node, "view", type_elements(&graph->tensor[node->inputs[0]]->type), rank,
                     view) &&
           memcmp(view, dims, (size_t)rank * sizeof *view) == 0;
}

bool turn_has_blocks(const struct graph *graph, int tensor)
{
    if (!is_image(graph, tensor))
        return false;
    const struct type *type = &graph->tensor[tensor]->type;
    return type->dims[1] % LAYOUT_BLOCK == 0 && type_elements(type) > 0;
}

static struct turning turning_to(enum turn_kind kind, enum layout layout)
{
    struct turning turning = {kind, {[LAYOUT_NCHW] = true}};
    turning.can[layout] = true;
    return turning;
}

static bool puts_last(const struct graph *graph, const struct node *node)
{
    const struct type *x = &graph->tensor[node->inputs[0]]->type;
    return (node_is(node, "Transpose") && is_permutation(node, to_last, TURN_RANK)) ||
           is_shuffle(graph, node, x->dims, to_last, TURN_RANK);
}

static bool puts_in_blocks(const struct graph *graph, const struct node *node)
{
    static const long perm[] = {0, 1, 3, 4, 2};
    const long *x = graph->tensor[node->inputs[0]]->type.dims;
    const long dims[] = {x[0], x[1] / LAYOUT_BLOCK, LAYOUT_BLOCK, x[2], x[3]};
    return turn_has_blocks(graph, node->inputs[0]) && is_shuffle(graph, node, dims, perm, 5);
}

static bool takes_from_blocks(const struct graph *graph, const struct node *node)
{
    static const long perm[] = {0, 1, 4, 2, 3};
    if (!turn_has_blocks(graph, node->outputs[0]))
        return false;
    const struct type in = type_in_layout(&graph->tensor[node->outputs[0]]->type, LAYOUT_NCHWC);
    return type_equal(&in, &graph->tensor[node->inputs[0]]->type) &&
           is_shuffle(graph, node, in.dims, perm, in.rank);
}

/* What may stay of a Shuffle is a Reshape. */
static struct turning conversion_of(const struct graph *graph, const struct node *node)
{
    const bool is_transpose = node_is(node, "Transpose");
    const bool is_one = is_transpose || (node_is_one_of(node, "roofline::Shuffle") &&
                                         op_find("", "Reshape", graph_opset(graph, "")));
    if (is_one && is_image(graph, node->inputs[0]) && puts_last(graph, node))
        return turning_to(TURN_TO, LAYOUT_NHWC);
    if (is_one && puts_in_blocks(graph, node))
        return turning_to(TURN_TO, LAYOUT_NCHWC);
    if (is_transpose && is_image(graph, node->inputs[0]) &&
        is_permutation(node, to_first, TURN_RANK))
        return turning_to(TURN_FROM, LAYOUT_NHWC);
    if (is_one && takes_from_blocks(graph, node))
        return turning_to(TURN_FROM, LAYOUT_NCHWC);
    return (struct turning){TURN_NEVER, {false}};
}

/* ---- nodes ---- */

/* Whether all roles can be, and one is that of an image. */
static bool is_turnable(const struct graph *graph, const struct node *node, enum family family)
{
    int images = 0;
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] >= 0 && !is_image(graph, node->outputs[i]))
            return false;
    for (int i = 0; i < node->input_count && family != FAMILY_NONE; i++) {
        const enum turn_role role = role_in(graph, node, family, i);
        if (role == ROLE_MISFIT)
            return false;
        images += role == ROLE_IMAGE;
    }
    return images > 0 || (family == FAMILY_CONVOLUTION && reads_planes(graph, node));
}

/* The same in blocks: all images have whole ones. Beside these only what runs as steps takes a
 * constant by channel without one for each pixel. */
static bool is_blockable(const struct graph *graph, const struct node *node, enum family family)
{
    const bool has_steps = family == FAMILY_CONVOLUTION || node_is_one_of(node, "roofline::Chain");
    if (family >= FAMILY_PADS || node_is_one_of(node, "Softmax|LogSoftmax"))
        return false;
    for (int i = 0; i < node->output_count; i++)
        if (!turn_has_blocks(graph, node->outputs[i]))
            return false;
    for (int i = 0; i < node->input_count; i++) {
        const enum turn_role role = role_in(graph, node, family, i);
        if ((role == ROLE_IMAGE && !turn_has_blocks(graph, node->inputs[i])) ||
            (role == ROLE_CONSTANT && !has_steps))
            return false;
    }
    return true;
}

struct turning turn_of(const struct graph *graph, int id)
{
    const struct node *node = graph->node[id];
    if (node_output(node, 0) < 0)
        return (struct turning){TURN_NEVER, {false}};
    const struct turning conversion = conversion_of(graph, node);
    const enum family family = conversion.kind == TURN_NEVER ? family_of(graph, node) : FAMILY_NONE;
    if (!is_turnable(graph, node, family))
        return conversion;
    struct turning turning = turning_to(TURN_NODE, LAYOUT_NHWC);
    turning.can[LAYOUT_NCHWC] = is_blockable(graph, node, family);
    return turning;
}

enum turn_role turn_role(const struct graph *graph, int id, int slot)
{
    const struct node *node = graph->node[id];
    const enum turn_kind kind = turn_of(graph, id).kind;
    if (kind == TURN_TO)
        return ROLE_IMAGE;
    return kind == TURN_NODE ? role_in(graph, node, family_of(graph, node), slot) : ROLE_KEPT;
}

/* ---- axes ---- */

/* Which dim of an image in the layout an axis is, counted from the end or not; of channels that of
 * the blocks. */
static long turned_axis(long axis, enum layout layout)
{
    const long from_begin = (axis + TURN_RANK) % TURN_RANK;
    return layout == LAYOUT_NHWC ? to_first[from_begin] : from_begin;
}

static bool is_axis(long axis)
{
    return axis >= -TURN_RANK && axis < TURN_RANK;
}

/* The axes that input `slot` of the node or the attribute lists, else the first `count`. How many,
 * or -1 where they are none of images. */
static int read_axes(const struct graph *graph, const struct node *node, int slot, int count,
                     long axes[TURN_RANK])
{
    const int tensor = node_input(node, slot);
    int given_count;
    const long *given = node_integers(node, "axes", &given_count);
    if (tensor >= 0)
        given_count = (int)type_elements(&graph->tensor[tensor]->type);
    else if (!given)
        given_count = count;
    if (given_count > TURN_RANK)
        return -1;
    for (int i = 0; i < given_count; i++) {
        axes[i] = tensor >= 0 ? element_whole(graph->tensor[tensor]->data,
                                              graph->tensor[tensor]->type.element, i)
                  : given     ? given[i]
                              : i;
        if (!is_axis(axes[i]))
            return -1;
        axes[i] = turned_axis(axes[i], LAYOUT_NHWC);
    }
    return given_count;
}

/* Makes input `slot` a list of whole numbers. */
static int set_list(struct graph *graph, int node, int slot, const long *values, int count,
                    struct error *error)
{
    const int list = graph_add_integers(graph, NULL, values, count, error);
    return list < 0 ? FAILED : graph_set_input(graph, node, slot, list, error);
}

static int turn_pads(struct graph *to, int made, const struct graph *from, const struct node *node,
                     struct error *error)
{
    long pads[2 * TURN_RANK], axes[TURN_RANK];
    if (node_input(node, 3) >= 0) {
        const int count = read_axes(from, node, 3, 0, axes);
        return count < 0 ? error_set(error, FAULT_IO, "an axis is none of an image's")
                         : set_list(to, made, 3, axes, count, error);
    }
    int count;
    const long *given = node_integers(node, "pads", &count);
    const struct tensor *list = given ? NULL : from->tensor[node_input(node, 1)];
    if (list && type_elements(&list->type) != 2 * TURN_RANK)
        return error_set(error, FAULT_IO, "there are not two pads for each dimension");
    for (int i = 0; i < 2 * TURN_RANK; i++) {
        const long at = i / TURN_RANK * TURN_RANK + to_last[i % TURN_RANK];
        pads[i] = given ? given[at] : element_whole(list->data, list->type.element, at);
    }
    return given ? graph_set_integers(to, made, "pads", pads, 2 * TURN_RANK, error)
                 : set_list(to, made, 1, pads, 2 * TURN_RANK, error);
}

static int turn_slices(struct graph *to, int made, const struct graph *from,
                       const struct node *node, struct error *error)
{
    long axes[TURN_RANK];
    int starts;
    const bool is_attribute = node_integers(node, "starts", &starts) != NULL;
    if (!is_attribute)
        starts = (int)type_elements(&from->tensor[node_input(node, 1)]->type);
    const int count = read_axes(from, node, 3, starts, axes);
    if (count < 0)
        return error_set(error, FAULT_IO, "an axis is none of an image's");
    return is_attribute ? graph_set_integers(to, made, "axes", axes, count, error)
                        : set_list(to, made, 3, axes, count, error);
}

/* Sizes that a Split says, in blocks. */
static int turn_sizes(struct graph *to, int made, const struct graph *from, const struct node *node,
                      struct error *error)
{
    const int count = node->output_count;
    long *sizes = arena_take_array(&to->arena, (size_t)count, sizeof *sizes);
    if (!sizes)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (int i = 0; i < count; i++)
        sizes[i] = from->tensor[node->outputs[i]]->type.dims[1] / LAYOUT_BLOCK;
    if (node_attribute(node, "split"))
        return graph_set_integers(to, made, "split", sizes, count, error);
    return node_input(node, 1) >= 0 ? set_list(to, made, 1, sizes, count, error) : OK;
}

static int turn_axis(struct graph *to, int made, const struct graph *from, const struct node *node,
                     enum layout layout, struct error *error)
{
    const bool is_split = node_is(node, "Split");
    const long fallback = is_split ? 0 : node_is(node, "Concat") ? 1 : -1;
    const long axis = node_integer(node, "axis", fallback);
    if (!is_axis(axis))
        return error_set(error, FAULT_IO, "axis %ld is none of an image's", axis);
    const long turned = turned_axis(axis, layout);
    if (is_split && layout == LAYOUT_NCHWC && turned == 1 &&
        turn_sizes(to, made, from, node, error) != OK)
        return FAILED;
    return graph_set_integer(to, made, "axis", turned, error);
}

/* (N, H, W, a, b) becomes (N, H, W, b, a). */
static int turn_shuffle(struct graph *to, int made, const struct graph *from,
                        const struct node *node, struct error *error)
{
    static const long perm[] = {0, 1, 2, 4, 3};
    long view[5];
    shuffles_channels(from, node, view);
    const long turned[] = {view[0], view[3], view[4], view[1], view[2]};
    const long shape[] = {view[0], view[3], view[4], view[1] * view[2]};
    return graph_set_integers(to, made, "view", turned, 5, error) == OK &&
                   graph_set_integers(to, made, "perm", perm, 5, error) == OK
               ? graph_set_integers(to, made, "shape", shape, TURN_RANK, error)
               : FAILED;
}

/* ---- what is made ---- */

static int turned_output(struct graph *to, const struct graph *from, int tensor, enum layout layout,
                         int block, struct error *error)
{
    const struct type type = type_in_layout(&from->tensor[tensor]->type, layout);
    char name[200];
    snprintf(name, sizeof name, "%.180s_%s", from->tensor[tensor]->name, layout_words[layout]);
    return graph_add_tensor(to, block, name, &type, error);
}

static int turn_attributes(struct graph *to, int made, const struct graph *from,
                           const struct node *node, enum layout layout, struct error *error)
{
    const enum family family = family_of(from, node);
    int result = OK;
    for (int i = 0; i < node->attribute_count && result == OK; i++)
        result = graph_set_attribute(to, made, &node->attributes[i], error);
    if (result != OK)
        return FAILED;
    switch (family) {
    case FAMILY_LAYOUT:
        return graph_set_integer(to, made, "opset", node->opset, error) == OK
                   ? graph_set_text(to, made, "layout", layout_words[layout], error)
                   : FAILED;
    case FAMILY_CONVOLUTION:
        if (reads_planes(from, node) &&
            graph_set_text(to, made, "source", layout_words[LAYOUT_NCHW], error) != OK)
            return FAILED;
        return graph_set_text(to, made, "layout", layout_words[layout], error);
    case FAMILY_AXIS:
        return turn_axis(to, made, from, node, layout, error);
    case FAMILY_PADS:
        return turn_pads(to, made, from, node, error);
    case FAMILY_SLICES:
        return turn_slices(to, made, from, node, error);
    case FAMILY_SHUFFLE:
        return turn_shuffle(to, made, from, node, error);
    default:
        return OK;
    }
}

int turn_node(struct graph *to, const struct graph *from, int id, enum layout layout,
              const int *inputs, int before, struct error *error)
{
    const struct node *node = from->node[id];
    const enum family family = family_of(from, node);
    const bool is_ours = family == FAMILY_LAYOUT || family == FAMILY_CONVOLUTION;
    const int block = before < 0 ? 0 : to->node[before]->block;
    int *outputs = arena_take_array(&to->arena, (size_t)node->output_count, sizeof *outputs);
    if (!outputs)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory"), -1;
    for (int i = 0; i < node->output_count; i++) {
        outputs[i] = node->outputs[i];
        if (outputs[i] >= 0)
            outputs[i] = turned_output(to, from, node->outputs[i], layout, block, error);
        if (outputs[i] < 0 && node->outputs[i] >= 0)
            return -1;
    }
    if (is_ours && turn_import(to, error) != OK)
        return -1;
    const struct node_spec spec = {.type = node->type,
                                   .domain = is_ours ? "roofline" : node->domain,
                                   .name = node->name,
                                   .block = block,
                                   .before = before,
                                   .inputs = inputs,
                                   .input_count = node->input_count,
                                   .outputs = outputs,
                                   .output_count = node->output_count};
    const int made = graph_add_node(to, &spec, error);
    return made < 0 || turn_attributes(to, made, from, node, layout, error) != OK ? -1 : made;
}
