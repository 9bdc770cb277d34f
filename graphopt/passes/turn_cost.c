// turn_cost.c - what nodes take with their images in each layout: by the model of costs, and by
// what the model does not see.
#include "turn_cost.h"

#include <math.h>
#include <string.h>

#include "convolution.h"
#include "match.h"

int turn_costs_open(struct turn_costs *costs, const struct graph *graph,
                    const struct ceilings *ceilings, struct error *error)
{
    *costs =
        (struct turn_costs){.graph = graph, .ceilings = ceilings ? *ceilings : ceilings_nominal(1)};
    int result = graph_init(&costs->trial, "trial", error);
    for (int i = 0; i < graph->opset_count && result == OK; i++)
        result =
            graph_import(&costs->trial, graph->opset[i].domain, graph->opset[i].version, error);
    return result;
}

void turn_costs_close(struct turn_costs *costs)
{
    graph_free(&costs->trial);
    arena_free(&costs->arena);
}

/* ---- by layout ---- */

static long letter(const struct launch *launch, const char *name)
{
    return kernel_letter(launch->kernel, &launch->shape, name);
}

static bool is_depthwise(const struct launch *launch)
{
    const long groups = letter(launch, "groups");
    return groups == letter(launch, "c") && groups == letter(launch, "k");
}

static bool is_point(const struct launch *launch)
{
    return letter(launch, "r") == 1 && letter(launch, "s") == 1;
}

/* Whether a convolution in nchw sums vectors along the columns of the images where they lie
 * (docs/kernels.md: variants `packed` of 1x1 kernels, `stencil`, `planes`). */
static bool reads_rows(const struct launch *launch, double out_pixels)
{
    const long groups = letter(launch, "groups"), stride = letter(launch, "stride");
    if (is_depthwise(launch)) /* convolution_is_stencil(), by the letters that tell most */
        return letter(launch, "r") == 3 && letter(launch, "s") == 3 && stride <= 2 &&
               letter(launch, "pad") == 1 && letter(launch, "dilation") == 1;
    return (groups > 1 && letter(launch, "k") / groups < 4) ||
           (is_point(launch) && stride == 1 && out_pixels >= 96);
}

/* Whether a convolution in another layout copies its input, as groups have parts of blocks of
 * channels. */
static bool has_parts(const struct launch *launch)
{
    const long groups = letter(launch, "groups");
    return groups > 1 && !is_depthwise(launch) &&
           (letter(launch, "c") / groups % LAYOUT_BLOCK != 0 ||
            letter(launch, "k") / groups % LAYOUT_BLOCK != 0);
}

/* In nchw vectors of a product are of pixels, and its weights broadcast, more than the others have
 * elements to broadcast; and vectors of a window are every so many elements of rows, which pools
 * sort out (docs/kernels.md, what a layout costs). What that takes more, of the time of all that
 * they do. */
static const double product_of_rows_more = 0.05, windows_of_rows_more = 0.5;

/* What the kernel's models of work and bytes do not say: convolutions that sum vectors of channels
 * copy image and result once each where these are nchw, and else the image where groups have parts
 * of blocks, within a level of caches that holds a part of them (docs/kernels.md, conv2d), and what
 * is above. All other kernels take as long in one layout as in another, as far as their models go.
 * `seconds` is by the models. */
static double unseen_seconds(const struct launch *launch, double seconds,
                             const struct ceilings *ceilings)
{
    struct operand operand[KERNEL_OPERANDS_MAX];
    const char *name = launch->kernel->name;
    const bool is_pool = strcmp(name, "max_pool") == 0 || strcmp(name, "average_pool") == 0;
    const bool is_convolution =
        strcmp(name, "conv2d") == 0 || strcmp(name, "conv_transpose2d") == 0;
    if ((!is_pool && !is_convolution) || letter(launch, "h") * letter(launch, "w") == 1)
        return 0; /* a pixel lies the same in all */
    if (is_pool)
        return letter(launch, "layout") == LAYOUT_NCHW ? windows_of_rows_more * seconds : 0;
    launch->kernel->operands(&launch->shape, operand);
    const bool is_first = letter(launch, "layout") == LAYOUT_NCHW;
    const double outputs = operand[0].elements, inputs = operand[1].elements;
    const double pixels = outputs / (double)(letter(launch, "n") * letter(launch, "k"));
    if (is_first && reads_rows(launch, pixels))
        return is_point(launch) ? product_of_rows_more * seconds : 0;
    const bool reads_first = strcmp(name, "conv2d") == 0 && letter(launch, "source") == SOURCE_NCHW;
    const double copied = is_first                           ? inputs + outputs
                          : reads_first || has_parts(launch) ? inputs
                                                             : 0;
    const struct cost_level *level = &ceilings->level[ceilings->level_count > 1];
    return 2 * copied * dtype_bytes(launch->dtype) / level->bytes_per_second;
}

/* ---- nodes ---- */

static double site_seconds(const struct turn_costs *costs, const struct site *site,
                           const struct lowering *lowering)
{
    const double seconds = cost_of_site(site, lowering, NULL, NULL, &costs->ceilings).seconds;
    double unseen = 0;
    for (int i = 0; lowering && i < lowering->launch_count; i++)
        unseen += unseen_seconds(&lowering->launch[i], seconds / lowering->launch_count,
                                 &costs->ceilings);
    return seconds + unseen;
}

/* What no kernel runs, though it is no view, does not run. Inputs that a Concat need not join may
 * leave more launches than all of them in one. A trial knows nothing of the nodes around it, so
 * that it seemed to gain by this, and what has been turned would be turned again. */
static int node_seconds(struct turn_costs *costs, const struct graph *graph,
                        const struct node *node, const bool *is_placed, double *seconds, bool *runs,
                        struct error *error)
{
    struct site site;
    struct lowering lowering;
    struct error reason;
    arena_reset(&costs->arena);
    if (site_open(&site, graph, node, &costs->arena, error) != OK)
        return FAILED;
    site.is_placed = is_placed;
    const int result = site_lower(&site, &lowering, &reason);
    if (result == FAILED) {
        *error = reason;
        return FAILED;
    }
    *seconds = site_seconds(costs, &site, result == OK ? &lowering : NULL);
    *runs = result == OK || cost_of_site(&site, NULL, NULL, NULL, &costs->ceilings).launches == 0;
    site.is_apart = true;
    if (result == OK && lowering.input_at && site_lower(&site, &lowering, &reason) == OK)
        *seconds = fmin(*seconds, site_seconds(costs, &site, &lowering));
    return OK;
}

/* An input of the trial like `tensor`, in the layout or as it is. */
static int trial_input(struct turn_costs *costs, int tensor, enum turn_role role,
                       enum layout layout, struct error *error)
{
    const struct tensor *from = costs->graph->tensor[tensor];
    struct type type = from->type;
    if (role == ROLE_CONSTANT)
        return turn_constant(&costs->trial, costs->graph, tensor, layout, error);
    if (tensor_is_known(from))
        return graph_add_constant(&costs->trial, NULL, &type, from->data, error);
    if (role == ROLE_IMAGE)
        type = type_in_layout(&type, layout);
    memset(type.symbol, 0, sizeof type.symbol); /* they are of the other graph */
    return graph_add_input(&costs->trial, 0, NULL, &type, error);
}

/* Whether the node joins or cuts along channels, or images. */
static bool is_outer(const struct node *node)
{
    const long axis = node_integer(node, "axis", node_is(node, "Concat"));
    return node_is_one_of(node, "Concat|Split") && (axis + TURN_RANK) % TURN_RANK <= 1;
}

/* Whether, with channels last, the node that makes the tensor leaves room between the pixels for
 * what a Concat has beside them (in_place_rows(), and fused_lower_pitch()): a Conv whose steps have
 * no operand of its output's size. */
static bool leaves_room(const struct graph *graph, int tensor)
{
    const int producer = graph->tensor[tensor]->producer;
    const struct node *node = producer < 0 ? NULL : graph->node[producer];
    bool leaves = node && tensor_only_user(graph->tensor[tensor]) >= 0 &&
                  node_is_one_of(node, "Conv|roofline::Conv") &&
                  node_integer(node, "group", 1) == 1;
    for (int i = 3; leaves && i < node->input_count; i++)
        leaves = node->inputs[i] < 0 || tensor_is_known(graph->tensor[node->inputs[i]]);
    return leaves;
}

static int turned_seconds(struct turn_costs *costs, int id, enum layout layout, double *seconds,
                          bool *runs, struct error *error)
{
    const struct node *node = costs->graph->node[id];
    const size_t count = (size_t)node->input_count;
    int *inputs = arena_take_array(&costs->trial.arena, count, sizeof *inputs);
    bool *is_placed = arena_take_array(&costs->trial.arena, count, sizeof *is_placed);
    if (!inputs || !is_placed)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (int i = 0; i < node->input_count; i++) {
        inputs[i] = node->inputs[i];
        if (inputs[i] < 0)
            continue;
        is_placed[i] =
            layout == LAYOUT_NHWC && is_outer(node) && leaves_room(costs->graph, inputs[i]);
        inputs[i] = trial_input(costs, inputs[i], turn_role(costs->graph, id, i), layout, error);
        if (inputs[i] < 0)
            return FAILED;
    }
    const int made = turn_node(&costs->trial, costs->graph, id, layout, inputs, -1, error);
    return made < 0 || graph_infer_node(&costs->trial, made, error) != OK
               ? FAILED
               : node_seconds(costs, &costs->trial, costs->trial.node[made], is_placed, seconds,
                              runs, error);
}

int turn_costs_move(struct turn_costs *costs, int tensor, double *seconds, struct error *error)
{
    struct type first = costs->graph->tensor[tensor]->type;
    bool runs;
    *seconds = 0;
    if (turn_is_view(&first, LAYOUT_NCHW, LAYOUT_NHWC)) /* so they are all, as blocks are 16 */
        return OK;
    memset(first.symbol, 0, sizeof first.symbol);
    const int input = graph_add_input(&costs->trial, 0, NULL, &first, error);
    const int output =
        input < 0 ? -1 : turn_convert(&costs->trial, input, LAYOUT_NCHW, LAYOUT_NHWC, -1, error);
    return output < 0 ? FAILED
                      : node_seconds(costs, &costs->trial,
                                     costs->trial.node[costs->trial.tensor[output]->producer], NULL,
                                     seconds, &runs, error);
}

int turn_costs_node(struct turn_costs *costs, int id, const struct turning *turning,
                    double seconds[LAYOUT_COUNT], struct error *error)
{
    const struct node *node = costs->graph->node[id];
    bool runs = false;
    for (int i = 0; i < LAYOUT_COUNT; i++)
        seconds[i] = turning->kind != TURN_NODE && turning->can[i] ? 0 : NAN;
    if (turning->kind != TURN_NODE) /* it takes what those take that come and go, or nothing */
        return turn_costs_move(costs, turning->kind == TURN_TO ? node->inputs[0] : node->outputs[0],
                               &seconds[LAYOUT_NCHW], error);
    if (node_seconds(costs, costs->graph, node, NULL, &seconds[LAYOUT_NCHW], &runs, error) != OK)
        return FAILED;
    for (int i = LAYOUT_NHWC; i < LAYOUT_COUNT && !isnan(seconds[LAYOUT_NCHW]); i++) {
        const enum layout layout = (enum layout)i;
        bool turned_runs = false;
        if (!turning->can[layout])
            continue;
        if (layout == LAYOUT_NCHWC && is_outer(node)) { /* blocks lie as their channels do */
            seconds[layout] = seconds[LAYOUT_NCHW];
            continue;
        }
        if (turned_seconds(costs, id, layout, &seconds[layout], &turned_runs, error) != OK)
            return FAILED;
        if (runs && !turned_runs)
            seconds[layout] = NAN;
    }
    return OK;
}
