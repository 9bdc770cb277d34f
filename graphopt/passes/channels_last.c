// channels_last.c - regions of a graph keep their images with channels last, (N, H, W, C), where
// that takes less time than it takes to turn them on the way in and out.
//
// Which nodes turn is a minimum cut. A node that turns saves what its kernel takes less; each image
// that comes from one side and is used on the other costs a Transpose, once. Among equal ways the
// one with the fewest nodes turned is taken, so that a second run finds nothing to do.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "rewrite.h"
#include "turn.h"
#include "turn_cost.h"
#include "two_sides.h"

/* What a region has to save of its time: less is nothing that a model of costs can tell. */
static const double least_gain_rel = 0.01;

/* Costs are whole picoseconds while they are divided, so that sums are exact. */
static const double units_per_second = 1e12;

/* A node that can turn. */
struct spot {
    enum turn_kind kind; /* of nodes that cannot: TURN_NEVER */
    int vertex;
    int region; /* another node of its region; the first one: itself */
    double first_seconds, last_seconds;
    bool turns;
};

struct region {
    int nodes, turned, moves;
    double total_seconds; /* with channels first */
    double saved_seconds; /* by the nodes that turn */
    double moved_seconds; /* in Transposes in and out */
};

struct plan {
    struct rewriting *rewriting;
    struct graph *graph;
    struct turn_costs costs;
    struct two_sides sides;
    int node_count, tensor_count; /* at the begin */
    struct spot *spot;            /* by node */
    struct region *region;        /* by node: of its first */
    double *move_seconds;         /* by tensor; NAN: not asked for */
    int *order;                   /* nodes that turn, each behind those that make its inputs */
    int order_count;
    int *last, last_count; /* by tensor: itself with channels last; -1 */
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
    sides_start(&plan->sides);
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
    sides_free(&plan->sides);
    free(plan->spot);
    free(plan->region);
    free(plan->order);
    free(plan->move_seconds);
    free(plan->last);
}

/* ---- what can turn ---- */

static const struct tensor *tensor_of(const struct plan *plan, int tensor)
{
    return plan->graph->tensor[tensor];
}

/* Whether the node takes the tensor with channels last where it turns. */
static bool takes_image(const struct plan *plan, int node, int slot)
{
    return node >= 0 && node < plan->node_count && plan->spot[node].kind != TURN_NEVER &&
           turn_role(plan->graph, node, slot) == ROLE_IMAGE;
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

static int find_spots(struct plan *plan, int *count, struct error *error)
{
    for (int id = 0; id < plan->node_count; id++) {
        struct spot *spot = &plan->spot[id];
        spot->region = id;
        if (plan->graph->node[id]->is_dead)
            continue;
        const enum turn_kind kind = turn_kind(plan->graph, id);
        if (kind == TURN_NEVER || !is_within_block(plan, id))
            continue;
        if (turn_costs_node(&plan->costs, id, &spot->first_seconds, &spot->last_seconds, error) !=
            OK)
            return FAILED;
        if (isnan(spot->first_seconds) || isnan(spot->last_seconds))
            continue;
        spot->kind = kind;
        spot->vertex = sides_add(&plan->sides);
        ++*count;
    }
    return OK;
}

/* ---- the cut ---- */

static int region_of(struct plan *plan, int node)
{
    while (plan->spot[node].region != node)
        node = plan->spot[node].region = plan->spot[plan->spot[node].region].region;
    return node;
}

/* The node that makes the tensor where it can have channels last; -1. */
static int maker_of_image(const struct plan *plan, int tensor)
{
    const int producer = tensor_of(plan, tensor)->producer;
    const enum turn_kind kind =
        producer >= 0 && producer < plan->node_count ? plan->spot[producer].kind : TURN_NEVER;
    return kind == TURN_NODE || kind == TURN_FIRST ? producer : -1;
}

static int cost_units(struct plan *plan, int near, int far, double seconds, struct error *error)
{
    const long units = lround(fmin(seconds, 1e3) * units_per_second);
    return units > 0 ? sides_cost(&plan->sides, near, far, units, error) : OK;
}

static int never(struct plan *plan, int near, int far, struct error *error)
{
    return sides_cost(&plan->sides, near, far, SIDES_NEVER, error);
}

/* One Transpose serves all that use the tensor on the other side of the node that makes it, or of
 * the graph's input: they are of one region, which gains together or not at all. */
static int add_tensor(struct plan *plan, int tensor, struct error *error)
{
    const struct tensor *of = tensor_of(plan, tensor);
    const int maker = maker_of_image(plan, tensor);
    const int made = maker >= 0 ? plan->spot[maker].vertex : SIDE_FAR;
    int images = 0, neighbour = maker;
    for (int i = 0; i < of->use_count; i++)
        images += takes_image(plan, of->uses[i].node, of->uses[i].slot);
    if (images == 0 && maker < 0)
        return OK;
    if (turn_costs_move(&plan->costs, tensor, &plan->move_seconds[tensor], error) != OK)
        return FAILED;
    const int to_first = sides_add(&plan->sides), to_last = sides_add(&plan->sides);
    int result = cost_units(plan, to_last, made, plan->move_seconds[tensor], error);
    if (result == OK && maker >= 0)
        result = cost_units(plan, made, to_first, plan->move_seconds[tensor], error);
    for (int i = 0; i < of->use_count && result == OK; i++) {
        const struct use use = of->uses[i];
        const bool is_image = takes_image(plan, use.node, use.slot);
        const int user = is_image ? plan->spot[use.node].vertex : SIDE_FAR;
        if (is_image && neighbour >= 0)
            plan->spot[region_of(plan, use.node)].region = region_of(plan, neighbour);
        if (is_image) {
            neighbour = use.node;
            result = never(plan, user, to_last, error);
        }
        if (result == OK && maker >= 0)
            result = never(plan, to_first, user, error);
    }
    return result;
}

static int divide(struct plan *plan, struct error *error)
{
    int result = OK;
    for (int id = 0; id < plan->node_count && result == OK; id++) {
        const struct spot *spot = &plan->spot[id];
        if (spot->kind == TURN_NEVER)
            continue;
        result = cost_units(plan, SIDE_NEAR, spot->vertex, spot->first_seconds - spot->last_seconds,
                            error);
        if (result == OK)
            result = cost_units(plan, spot->vertex, SIDE_FAR,
                                spot->last_seconds - spot->first_seconds, error);
    }
    for (int i = 0; i < plan->tensor_count && result == OK; i++)
        if (!tensor_of(plan, i)->is_dead && !tensor_is_known(tensor_of(plan, i)))
            result = add_tensor(plan, i, error);
    if (result != OK)
        return result;
    bool *is_near = malloc((size_t)plan->sides.vertex_count * sizeof *is_near);
    if (!is_near)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    result = sides_divide(&plan->sides, is_near, error);
    for (int id = 0; id < plan->node_count && result == OK; id++)
        plan->spot[id].turns = plan->spot[id].kind != TURN_NEVER && is_near[plan->spot[id].vertex];
    free(is_near);
    return result;
}

/* ---- regions ---- */

/* Adds the Transpose that the tensor needs to the region that needs it. */
static void count_move(struct plan *plan, int tensor)
{
    const struct tensor *of = tensor_of(plan, tensor);
    const int maker = maker_of_image(plan, tensor);
    const bool is_last = maker >= 0 && plan->spot[maker].turns;
    int region = is_last ? region_of(plan, maker) : -1;
    bool moves = false;
    for (int i = 0; i < of->use_count; i++) {
        const struct use use = of->uses[i];
        const bool wants_last = takes_image(plan, use.node, use.slot) && plan->spot[use.node].turns;
        moves = moves || wants_last != is_last;
        if (wants_last)
            region = region_of(plan, use.node);
    }
    if (region < 0 || !moves)
        return;
    plan->region[region].moves += plan->move_seconds[tensor] > 0;
    plan->region[region].moved_seconds += plan->move_seconds[tensor];
}

static bool is_worth_it(const struct region *region)
{
    return region->saved_seconds - region->moved_seconds >= least_gain_rel * region->total_seconds;
}

static void explain(const struct plan *plan, int first, const struct region *region)
{
    const struct pass_settings *settings = plan->rewriting->settings;
    char words[512];
    if (!settings->explain)
        return;
    snprintf(
        words, sizeof words,
        "%d operators around %s: %d would have channels last and save %.1f us of %.1f us, with "
        "%d Transposes that take %.1f us; %s",
        region->nodes, node_label(plan->graph, plan->graph->node[first]).text, region->turned,
        region->saved_seconds * 1e6, region->total_seconds * 1e6, region->moves,
        region->moved_seconds * 1e6, is_worth_it(region) ? "done" : "left, as it is less than 1 %");
    settings->explain(settings->explain_context, plan->rewriting->pass->name, words);
}

/* Regions that gain too little stay. */
static void choose_regions(struct plan *plan)
{
    for (int id = 0; id < plan->node_count; id++) {
        const struct spot *spot = &plan->spot[id];
        if (spot->kind == TURN_NEVER)
            continue;
        struct region *region = &plan->region[region_of(plan, id)];
        region->nodes++;
        region->total_seconds += spot->first_seconds;
        region->turned += spot->turns;
        if (spot->turns)
            region->saved_seconds += spot->first_seconds - spot->last_seconds;
    }
    for (int i = 0; i < plan->tensor_count; i++)
        if (!isnan(plan->move_seconds[i]))
            count_move(plan, i);
    for (int id = 0; id < plan->node_count; id++) {
        if (plan->region[id].turned > 0)
            explain(plan, id, &plan->region[id]);
        plan->spot[id].turns =
            plan->spot[id].turns && is_worth_it(&plan->region[region_of(plan, id)]);
    }
}

/* ---- the rewriting ---- */

/* Where the tensor with channels last is noted; NULL when memory is out. */
static int *last_of(struct plan *plan, int tensor, struct error *error)
{
    if (tensor >= plan->last_count) {
        const int count = 2 * plan->graph->tensor_count;
        int *last = realloc(plan->last, (size_t)count * sizeof *last);
        if (!last)
            return error_set(error, FAULT_ENVIRONMENT, "out of memory"), NULL;
        for (int i = plan->last_count; i < count; i++)
            last[i] = -1;
        plan->last = last;
        plan->last_count = count;
    }
    return &plan->last[tensor];
}

/* The tensor with channels last, for node `user`; -1. */
static int with_channels_last(struct plan *plan, int tensor, int user, struct error *error)
{
    const int *known = last_of(plan, tensor, error);
    if (!known || *known >= 0)
        return known ? *known : -1;
    const int made = tensor_is_known(tensor_of(plan, tensor))
                         ? turn_constant(plan->graph, plan->graph, tensor, error)
                         : turn_transpose(plan->graph, tensor, true, user, error);
    if (made >= 0) /* not through `known`: there are more tensors now, but the list is as it was */
        plan->last[tensor] = made;
    return made;
}

static int note_last(struct plan *plan, int tensor, int made, struct error *error)
{
    int *last = last_of(plan, tensor, error);
    if (last)
        *last = made;
    return last ? OK : FAILED;
}

static int turn(struct plan *plan, int id, struct error *error)
{
    struct graph *graph = plan->graph;
    const struct node *node = graph->node[id];
    int *inputs = arena_take_array(&graph->arena, (size_t)node->input_count, sizeof *inputs);
    if (!inputs)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (int i = 0; i < node->input_count; i++) {
        const enum turn_role role = turn_role(graph, id, i);
        inputs[i] = node->inputs[i];
        if (role == ROLE_IMAGE || role == ROLE_CONSTANT)
            inputs[i] = with_channels_last(plan, inputs[i], id, error);
        if (inputs[i] < 0 && node->inputs[i] >= 0)
            return FAILED;
    }
    const int made = turn_node(graph, graph, id, inputs, id, error);
    for (int i = 0; made >= 0 && i < node->output_count; i++)
        if (node->outputs[i] >= 0 &&
            note_last(plan, node->outputs[i], graph->node[made]->outputs[i], error) != OK)
            return FAILED;
    return made < 0 ? FAILED : OK;
}

/* A Shuffle's result is the tensor that has channels last, in another shape. */
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

/* The result of a Transpose that puts channels last is the tensor that has them there. Where that
 * cannot take the name of a graph's output, it is copied. */
static int bypass(struct plan *plan, int id, struct error *error)
{
    struct graph *graph = plan->graph;
    const struct node *node = graph->node[id];
    const int tensor = with_channels_last(plan, node->inputs[0], id, error);
    if (tensor >= 0 && !node_is(node, "Transpose"))
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
            if (id >= plan->node_count || !plan->spot[id].turns)
                continue;
            const struct node *node = plan->graph->node[id];
            const enum turn_kind kind = plan->spot[id].kind;
            plan->order[plan->order_count++] = id;
            result = kind == TURN_NODE ? turn(plan, id, error)
                     : kind == TURN_LAST
                         ? bypass(plan, id, error)
                         : note_last(plan, node->outputs[0], node->inputs[0], error);
        }
    }
    return result;
}

/* Whether something that stays uses the tensor. */
static bool is_needed_first(const struct plan *plan, int tensor)
{
    const struct tensor *of = tensor_of(plan, tensor);
    for (int i = 0; i < of->use_count; i++) {
        const int user = of->uses[i].node;
        if (user < 0 || user >= plan->node_count || !plan->spot[user].turns ||
            plan->spot[user].kind == TURN_FIRST || !takes_image(plan, user, of->uses[i].slot))
            return true;
    }
    return false;
}

static int turn_back(struct plan *plan, int id, struct error *error)
{
    struct graph *graph = plan->graph;
    const struct node *node = graph->node[id];
    for (int i = 0; i < node->output_count; i++) {
        const int output = node->outputs[i];
        if (output < 0 || !is_needed_first(plan, output))
            continue;
        const int first = turn_transpose(graph, plan->last[output], false, id, error);
        if (first < 0 || graph_replace(graph, output, first, error) != OK)
            return FAILED;
    }
    return OK;
}

static int rewrite(struct plan *plan, struct error *error)
{
    int result = turn_all(plan, error);
    for (int i = 0; i < plan->order_count && result == OK; i++)
        if (plan->spot[plan->order[i]].kind == TURN_NODE)
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
    graph_sweep(plan->graph);
    return result;
}

static int run(struct rewriting *rewriting, int *count, struct error *error)
{
    struct plan plan;
    int spots = 0;
    *count = 0;
    int result = open_plan(&plan, rewriting, error);
    if (result == OK)
        result = find_spots(&plan, &spots, error);
    if (result != OK || spots == 0)
        goto out;
    result = divide(&plan, error);
    if (result != OK)
        goto out;
    choose_regions(&plan);
    result = rewrite(&plan, error);
    *count = plan.order_count;
out:
    close_plan(&plan);
    return result;
}

const struct pass channels_last_pass = {
    .name = "channels-last",
    .group = GROUP_LAYOUT,
    .summary = "convolutions, pools, BatchNormalization, Resize and GridSample, and what works "
               "element by element or along one axis between them: the same over images with "
               "channels last, with Transposes where they come and go, wherever that takes less "
               "time by the model of costs; axes, pads and constants follow",
    .refuses =
        "an input or output of the graph keeps its order; Reshape, Flatten and all that "
        "mixes axes; dims that are not known; Softmax before opset 13; InstanceNormalization; "
        "MaxPool with places; a kernel that has channels first only; less than 1 % of a region's "
        "time "
        "to gain",
    .run = run,
};
