// image_layouts.c - regions of a graph keep their images with channels last, (N, H, W, C), or in
// blocks of channels, (N, C / 16, H, W, 16), where that takes less time than it takes to convert
// them on the way in and out.
//
// Which node has which layout is a labelling. A node takes what its kernel takes there; each image
// that is made in one layout and used in another one costs a conversion, once.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "labelling.h"
#include "rewrite.h"
#include "turn_cost.h"

_Static_assert((int)LABELS == (int)LAYOUT_COUNT, "labels are layouts");

/* What a region has to save of its time, for each conversion if there are several: less is nothing
 * that a model of costs can tell, and a conversion is a node more. */
static const double least_gain_rel = 0.01;

/* Costs are whole picoseconds while they are compared, so that sums are exact. */
static const double units_per_second = 1e12;

/* A node that can turn. */
struct spot {
    struct turning turning; /* of nodes that cannot: TURN_NEVER */
    int label;              /* its number in the labelling */
    int region;             /* another node of its region; the first one: itself */
    double seconds[LAYOUT_COUNT];
    enum layout layout;
};

struct region {
    int nodes, in_layout[LAYOUT_COUNT], moves;
    double total_seconds; /* with channels first */
    double saved_seconds; /* by the nodes that turn */
    double moved_seconds; /* in conversions in and out */
};

/* A tensor in each layout; -1: it is not there. */
struct versions {
    int in[LAYOUT_COUNT];
};

struct plan {
    struct rewriting *rewriting;
    struct graph *graph;
    struct turn_costs costs;
    struct labelling labelling;
    int node_count, tensor_count; /* at the begin */
    struct spot *spot;            /* by node */
    struct region *region;        /* by node: of its first */
    double *move_seconds;         /* by tensor; NAN: not asked for */
    int *order;                   /* nodes that turn, each behind those that make its inputs */
    int order_count;
    struct versions *version; /* by tensor */
    int version_count;
};

static int open_plan(struct plan *plan, struct rewriting *rewriting, struct error *error)
{
    struct graph *graph = rewriting->graph;
    *plan = (struct plan){.rewriting = rewriting,
                          .graph = graph,
                          .node_count = graph->node_count,
                          .tensor_count = graph->tensor_count};
    const size_t nodes = (size_t)graph->node_count + 1, tensors = (size_t)graph->tensor_count + 1;
    plan->spot = calloc(nodes, sizeof *plan->spot);
    plan->region = calloc(nodes, sizeof *plan->region);
    plan->order = calloc(nodes, sizeof *plan->order);
    plan->move_seconds = calloc(tensors, sizeof *plan->move_seconds);
    const int result = turn_costs_open(&plan->costs, graph, rewriting->settings->ceilings, error);
    if (!plan->spot || !plan->region || !plan->order || !plan->move_seconds)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (int i = 0; i < plan->tensor_count; i++)
        plan->move_seconds[i] = NAN;
    return result;
}

static void close_plan(struct plan *plan)
{
    turn_costs_close(&plan->costs);
    labelling_free(&plan->labelling);
    free(plan->spot);
    free(plan->region);
    free(plan->order);
    free(plan->move_seconds);
    free(plan->version);
}

/* ---- what can turn ---- */

static const struct tensor *tensor_of(const struct plan *plan, int tensor)
{
    return plan->graph->tensor[tensor];
}

/* Of nodes that are new, too. */
static enum turn_kind kind_of(const struct plan *plan, int node)
{
    return node >= 0 && node < plan->node_count ? plan->spot[node].turning.kind : TURN_NEVER;
}

static bool turns(const struct plan *plan, int node)
{
    return kind_of(plan, node) != TURN_NEVER && plan->spot[node].layout != LAYOUT_NCHW;
}

/* Whether the node takes the tensor in its layout. */
static bool takes_image(const struct plan *plan, int node, int slot)
{
    return kind_of(plan, node) != TURN_NEVER && turn_role(plan->graph, node, slot) == ROLE_IMAGE;
}

/* Images that come from another block cannot be turned there. */
static bool is_within_block(const struct plan *plan, int id)
{
    const struct node *node = plan->graph->node[id];
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] >= 0 && turn_role(plan->graph, id, i) == ROLE_IMAGE &&
            tensor_of(plan, node->inputs[i])->block != node->block)
            return false;
    return true;
}

static long units_of(double seconds)
{
    return lround(fmin(seconds, 1e3) * units_per_second);
}

static int add_spot(struct plan *plan, int id, struct error *error)
{
    struct spot *spot = &plan->spot[id];
    long cost[LABELS];
    int others = 0;
    const struct turning turning = turn_of(plan->graph, id);
    if (turning.kind == TURN_NEVER || !is_within_block(plan, id))
        return OK;
    if (turn_costs_node(&plan->costs, id, &turning, spot->seconds, error) != OK)
        return FAILED;
    for (int i = 0; i < LABELS; i++) {
        cost[i] = isnan(spot->seconds[i]) ? SIDES_NEVER : units_of(spot->seconds[i]);
        others += i != LAYOUT_NCHW && cost[i] < SIDES_NEVER;
    }
    if (others == 0 || isnan(spot->seconds[LAYOUT_NCHW]))
        return OK;
    if (turning.kind != TURN_NODE) /* a conversion is in its layout whether it is needed or not */
        cost[LAYOUT_NCHW] = SIDES_NEVER;
    spot->turning = turning;
    return labelling_add_node(&plan->labelling, cost, &spot->label, error);
}

static int find_spots(struct plan *plan, struct error *error)
{
    int result = OK;
    for (int id = 0; id < plan->node_count && result == OK; id++) {
        plan->spot[id].region = id;
        if (!plan->graph->node[id]->is_dead)
            result = add_spot(plan, id, error);
    }
    return result;
}

/* ---- the choice ---- */

static int region_of(struct plan *plan, int node)
{
    while (plan->spot[node].region != node)
        node = plan->spot[node].region = plan->spot[plan->spot[node].region].region;
    return node;
}

/* The node that makes the tensor where it can have another layout; -1. */
static int maker_of_image(const struct plan *plan, int tensor)
{
    const int producer = tensor_of(plan, tensor)->producer;
    const enum turn_kind kind = kind_of(plan, producer);
    return kind == TURN_NODE || kind == TURN_FROM ? producer : -1;
}

/* One conversion serves all that use the tensor in a layout. A view costs next to nothing, so that
 * none is there for nothing. */
static int add_value(struct plan *plan, int tensor, int maker, struct error *error)
{
    const struct tensor *of = tensor_of(plan, tensor);
    struct label_moves moves;
    if (turn_costs_move(&plan->costs, tensor, &plan->move_seconds[tensor], error) != OK)
        return FAILED;
    for (int from = 0; from < LABELS; from++)
        for (int to = 0; to < LABELS; to++)
            moves.cost[from][to] = turn_is_view(&of->type, (enum layout)from, (enum layout)to)
                                       ? from != to
                                       : units_of(plan->move_seconds[tensor]);
    int region = maker;
    int result = labelling_add_value(
        &plan->labelling, maker >= 0 ? plan->spot[maker].label : LABELLED_OUTSIDE, &moves, error);
    for (int i = 0; i < of->use_count && result == OK; i++) {
        const struct use use = of->uses[i];
        const bool is_image = takes_image(plan, use.node, use.slot);
        if (is_image && region < 0)
            region = use.node;
        if (is_image)
            plan->spot[region_of(plan, use.node)].region = region_of(plan, region);
        result = labelling_add_user(
            &plan->labelling, is_image ? plan->spot[use.node].label : LABELLED_OUTSIDE, error);
    }
    return result;
}

static int add_values(struct plan *plan, struct error *error)
{
    int result = OK;
    for (int i = 0; i < plan->tensor_count && result == OK; i++) {
        const struct tensor *of = tensor_of(plan, i);
        bool is_image = false;
        if (of->is_dead || tensor_is_known(of))
            continue;
        const int maker = maker_of_image(plan, i);
        for (int k = 0; k < of->use_count; k++)
            is_image = is_image || takes_image(plan, of->uses[k].node, of->uses[k].slot);
        if (is_image || maker >= 0)
            result = add_value(plan, i, maker, error);
    }
    return result;
}

/* The layout that the tensor is made in. */
static enum layout layout_made(const struct plan *plan, int tensor)
{
    const int maker = maker_of_image(plan, tensor);
    return maker >= 0 ? plan->spot[maker].layout : LAYOUT_NCHW;
}

/* Whether a conversion that is there is one of those that are needed: to a layout of what has
 * channels first, for nobody else, or from one for those alone that have channels first. */
static bool stays(const struct plan *plan, int id)
{
    const struct spot *spot = &plan->spot[id];
    const bool is_to = spot->turning.kind == TURN_TO;
    const struct node *node = plan->graph->node[id];
    const int tensor = is_to ? node->inputs[0] : node->outputs[0];
    const struct tensor *of = tensor_of(plan, tensor);
    if (is_to && layout_made(plan, tensor) != LAYOUT_NCHW)
        return false;
    for (int i = 0; i < of->use_count; i++) {
        const struct use use = of->uses[i];
        if (!takes_image(plan, use.node, use.slot))
            continue;
        const struct spot *user = &plan->spot[use.node];
        if (is_to ? user->turning.kind == TURN_NODE && user->layout == spot->layout
                  : user->layout != LAYOUT_NCHW)
            return false;
    }
    return true;
}

static int choose(struct plan *plan, struct error *error)
{
    int *label = malloc((size_t)plan->labelling.node_count * sizeof *label);
    if (!label)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    const int result = labelling_choose(&plan->labelling, label, error);
    for (int id = 0; id < plan->node_count && result == OK; id++)
        if (kind_of(plan, id) != TURN_NEVER)
            plan->spot[id].layout = (enum layout)label[plan->spot[id].label];
    for (int id = 0; id < plan->node_count && result == OK; id++) {
        const enum turn_kind kind = kind_of(plan, id);
        if ((kind == TURN_TO || kind == TURN_FROM) && stays(plan, id))
            plan->spot[id].layout = LAYOUT_NCHW;
    }
    free(label);
    return result;
}

/* ---- regions ---- */

/* Whether a node makes one pixel per image, and can say that it has channels first: it lies as it
 * does. */
static bool names_result(const struct plan *plan, int id)
{
    return id >= 0 && node_is(plan->graph->node[id], "GlobalAveragePool");
}

/* Adds the conversions that the tensor needs to the region. */
static void count_moves(struct plan *plan, int tensor)
{
    const struct tensor *of = tensor_of(plan, tensor);
    const enum layout from = layout_made(plan, tensor);
    bool is_used[LAYOUT_COUNT] = {false};
    int region = maker_of_image(plan, tensor);
    for (int i = 0; i < of->use_count; i++) {
        const struct use use = of->uses[i];
        const bool is_image = takes_image(plan, use.node, use.slot);
        is_used[is_image ? plan->spot[use.node].layout : LAYOUT_NCHW] = true;
        if (is_image)
            region = use.node;
    }
    struct region *in = &plan->region[region_of(plan, region)];
    for (int i = 0; i < LAYOUT_COUNT; i++)
        if (is_used[i] && from != (enum layout)i &&
            (i != LAYOUT_NCHW || is_used[from] ||
             !names_result(plan, maker_of_image(plan, tensor)))) {
            in->moves++;
            if (!turn_is_view(&of->type, from, (enum layout)i))
                in->moved_seconds += plan->move_seconds[tensor];
        }
}

static bool is_worth_it(const struct region *region)
{
    const double least_rel = least_gain_rel * fmax(region->moves, 1);
    return region->saved_seconds - region->moved_seconds >= least_rel * region->total_seconds;
}

static void explain(const struct plan *plan, int first, const struct region *region)
{
    const struct pass_settings *settings = plan->rewriting->settings;
    char words[512];
    if (!settings->explain)
        return;
    snprintf(words, sizeof words,
             "%d operators around %s: %d would have channels last and %d blocks of %d, and save "
             "%.1f us of %.1f us, with %d conversions that take %.1f us; %s",
             region->nodes, node_label(plan->graph, plan->graph->node[first]).text,
             region->in_layout[LAYOUT_NHWC], region->in_layout[LAYOUT_NCHWC], LAYOUT_BLOCK,
             region->saved_seconds * 1e6, region->total_seconds * 1e6, region->moves,
             region->moved_seconds * 1e6,
             is_worth_it(region) ? "done" : "left, as that is less than 1 % for each");
    settings->explain(settings->explain_context, plan->rewriting->pass->name, words);
}

/* Regions that gain too little stay. */
static void choose_regions(struct plan *plan)
{
    for (int id = 0; id < plan->node_count; id++) {
        const struct spot *spot = &plan->spot[id];
        if (kind_of(plan, id) == TURN_NEVER)
            continue;
        struct region *region = &plan->region[region_of(plan, id)];
        region->nodes++;
        region->in_layout[spot->layout]++;
        region->total_seconds += spot->seconds[LAYOUT_NCHW];
        region->saved_seconds += spot->seconds[LAYOUT_NCHW] - spot->seconds[spot->layout];
    }
    for (int i = 0; i < plan->tensor_count; i++)
        if (!isnan(plan->move_seconds[i]))
            count_moves(plan, i);
    for (int id = 0; id < plan->node_count; id++) {
        const struct region *region = &plan->region[region_of(plan, id)];
        const bool is_turned = region->in_layout[LAYOUT_NCHW] < region->nodes;
        if (is_turned && region_of(plan, id) == id)
            explain(plan, id, region);
        if (!is_worth_it(region))
            plan->spot[id].layout = LAYOUT_NCHW;
    }
}

/* ---- the rewriting ---- */

/* The versions of the tensor; NULL when memory is out. */
static struct versions *versions_of(struct plan *plan, int tensor, struct error *error)
{
    if (tensor >= plan->version_count) {
        const int count = 2 * plan->graph->tensor_count;
        struct versions *version = realloc(plan->version, (size_t)count * sizeof *version);
        if (!version)
            return error_set(error, FAULT_ENVIRONMENT, "out of memory"), NULL;
        for (int i = plan->version_count; i < count; i++)
            version[i] = (struct versions){{i, -1, -1}};
        plan->version = version;
        plan->version_count = count;
    }
    return &plan->version[tensor];
}

static int note_version(struct plan *plan, int tensor, enum layout layout, int made,
                        struct error *error)
{
    struct versions *versions = versions_of(plan, tensor, error);
    if (versions)
        versions->in[layout] = made;
    return versions ? OK : FAILED;
}

/* The tensor in the layout, for node `user`; -1. */
static int in_layout(struct plan *plan, int tensor, enum layout layout, int user,
                     struct error *error)
{
    const struct versions *known = versions_of(plan, tensor, error);
    if (!known || known->in[layout] >= 0)
        return known ? known->in[layout] : -1;
    const enum layout from = layout_made(plan, tensor);
    const int made = tensor_is_known(tensor_of(plan, tensor))
                         ? turn_constant(plan->graph, plan->graph, tensor, layout, error)
                         : turn_convert(plan->graph, known->in[from], from, layout, user, error);
    return made >= 0 && note_version(plan, tensor, layout, made, error) == OK ? made : -1;
}

static int turn(struct plan *plan, int id, struct error *error)
{
    struct graph *graph = plan->graph;
    const struct node *node = graph->node[id];
    const enum layout layout = plan->spot[id].layout;
    int *inputs = arena_take_array(&graph->arena, (size_t)node->input_count, sizeof *inputs);
    if (!inputs)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (int i = 0; i < node->input_count; i++) {
        const enum turn_role role = turn_role(graph, id, i);
        inputs[i] = node->inputs[i];
        if (role == ROLE_IMAGE || role == ROLE_CONSTANT)
            inputs[i] = in_layout(plan, inputs[i], layout, id, error);
        if (inputs[i] < 0 && node->inputs[i] >= 0)
            return FAILED;
    }
    const int made = turn_node(graph, graph, id, layout, inputs, id, error);
    for (int i = 0; made >= 0 && i < node->output_count; i++)
        if (node->outputs[i] >= 0 && note_version(plan, node->outputs[i], layout,
                                                  graph->node[made]->outputs[i], error) != OK)
            return FAILED;
    return made < 0 ? FAILED : OK;
}

/* A Shuffle's result is the tensor in the layout, in another shape. */
static int reshape(struct plan *plan, int id, int tensor, struct error *error)
{
    struct graph *graph = plan->graph;
    const int output = graph->node[id]->outputs[0];
    int made;
    if (rewrite_add_reshape(graph, tensor, &graph->tensor[output]->type, id, &made, error) != OK ||
        graph_infer_node(graph, made, error) != OK)
        return FAILED;
    return graph_replace(graph, output, graph->node[made]->outputs[0], error) == OK ? OK : FAILED;
}

/* The result of a conversion to the layout is the tensor that has it. Where that cannot take the
 * name of a graph's output, it is copied. */
static int bypass(struct plan *plan, int id, struct error *error)
{
    struct graph *graph = plan->graph;
    const struct node *node = graph->node[id];
    const int tensor = in_layout(plan, node->inputs[0], plan->spot[id].layout, id, error);
    if (tensor >= 0 && !node_is(node, "Transpose") &&
        !type_equal(&tensor_of(plan, tensor)->type, &tensor_of(plan, node->outputs[0])->type))
        return reshape(plan, id, tensor, error);
    const int result = tensor < 0 ? FAILED : graph_replace(graph, node->outputs[0], tensor, error);
    if (result != SKIPPED)
        return result;
    const int copy = rewrite_add(graph, NULL, "Identity", id, &tensor, 1, error);
    if (copy < 0 || graph_infer_node(graph, copy, error) != OK)
        return FAILED;
    return graph_replace(graph, node->outputs[0], graph->node[copy]->outputs[0], error) == OK
               ? OK
               : FAILED;
}

static int turn_all(struct plan *plan, struct error *error)
{
    int result = OK;
    for (int b = 0; b < plan->graph->block_count; b++) {
        if (plan->graph->block[b]->is_dead)
            continue;
        for (int id = plan->graph->block[b]->first; id >= 0 && result == OK;
             id = plan->graph->node[id]->next) {
            if (!turns(plan, id))
                continue;
            const struct node *node = plan->graph->node[id];
            const enum turn_kind kind = kind_of(plan, id);
            plan->order[plan->order_count++] = id;
            result = kind == TURN_NODE ? turn(plan, id, error)
                     : kind == TURN_TO ? bypass(plan, id, error)
                                       : note_version(plan, node->outputs[0], plan->spot[id].layout,
                                                      node->inputs[0], error);
        }
    }
    return result;
}

/* Whether something that stays uses the tensor. */
static bool is_needed_first(const struct plan *plan, int tensor)
{
    const struct tensor *of = tensor_of(plan, tensor);
    for (int i = 0; i < of->use_count; i++) {
        const struct use use = of->uses[i];
        if (!turns(plan, use.node) || !takes_image(plan, use.node, use.slot))
            return true;
    }
    return false;
}

/* Has the node that made the tensor say that its result has channels first. */
static int name_first(struct plan *plan, int output, int turned, struct error *error)
{
    struct graph *graph = plan->graph;
    const int made = tensor_of(plan, turned)->producer;
    graph->tensor[turned]->type = graph->tensor[output]->type;
    if (!tensor_is_output(graph->tensor[output]) && /* else the name goes with it */
        graph_pass_name(graph, output, turned, error) != OK)
        return FAILED;
    return graph_set_text(graph, made, "result", layout_words[LAYOUT_NCHW], error) == OK &&
                   graph_replace(graph, output, turned, error) == OK
               ? OK
               : FAILED;
}

static int turn_back(struct plan *plan, int id, struct error *error)
{
    struct graph *graph = plan->graph;
    const struct node *node = graph->node[id];
    const enum layout layout = plan->spot[id].layout;
    for (int i = 0; i < node->output_count; i++) {
        const int output = node->outputs[i];
        if (output < 0 || !is_needed_first(plan, output))
            continue;
        const int turned = plan->version[output].in[layout];
        if (names_result(plan, id) && tensor_of(plan, turned)->use_count == 0) {
            if (name_first(plan, output, turned, error) != OK)
                return FAILED;
            continue;
        }
        const int first = turn_convert(graph, turned, layout, LAYOUT_NCHW, id, error);
        if (first < 0 || graph_replace(graph, output, first, error) != OK)
            return FAILED;
    }
    return OK;
}

static int rewrite(struct plan *plan, struct error *error)
{
    int result = turn_all(plan, error);
    for (int i = 0; i < plan->order_count && result == OK; i++)
        if (kind_of(plan, plan->order[i]) == TURN_NODE)
            result = turn_back(plan, plan->order[i], error);
    for (int i = plan->order_count - 1; i >= 0 && result == OK; i--) {
        const struct node *node = plan->graph->node[plan->order[i]];
        bool is_used = false;
        for (int k = 0; k < node->output_count; k++)
            is_used = is_used ||
                      (node->outputs[k] >= 0 && tensor_of(plan, node->outputs[k])->use_count > 0);
        if (!is_used)
            graph_remove_node(plan->graph, plan->order[i]);
    }
    if (plan->order_count > 0) /* else what nobody needs would go uncounted */
        graph_sweep(plan->graph);
    return result;
}

static int run(struct rewriting *rewriting, int *count, struct error *error)
{
    struct plan plan;
    *count = 0;
    int result = open_plan(&plan, rewriting, error);
    if (result == OK)
        result = find_spots(&plan, error);
    if (result != OK || plan.labelling.node_count == 0)
        goto out;
    result = add_values(&plan, error);
    if (result == OK)
        result = choose(&plan, error);
    if (result != OK)
        goto out;
    choose_regions(&plan);
    result = rewrite(&plan, error);
    *count = plan.order_count;
out:
    close_plan(&plan);
    return result;
}

const struct pass image_layouts_pass = {
    .name = "image-layouts",
    .group = GROUP_LAYOUT,
    .summary = "convolutions, pools, BatchNormalization, Resize and GridSample, and what works "
               "element by element or along one axis between them: the same over images with "
               "channels last or in blocks of 16 channels, with conversions where they come and "
               "go, wherever that takes less time by the model of costs; axes, pads and constants "
               "follow",
    .refuses =
        "an input or output of the graph keeps its order; Reshape, Flatten and all that "
        "mixes axes; dims that are not known; Softmax before opset 13; InstanceNormalization; "
        "MaxPool with places; a kernel that has channels first only; blocks where channels are no "
        "multiple of 16, and for Softmax, Pad, Slice, shuffles of channels and constants by "
        "channel but of steps; less than 1 % of a region's time to gain for each "
        "conversion",
    .run = run,
};
