// cost.c - predicted time of nodes: each launch takes what the larger of arithmetic and traffic
// needs, and a launch on top.
#include "cost.h"

#include <math.h>
#include <string.h>

#include "in_place.h"

const char *cost_bound_name(enum cost_bound bound)
{
    static const char *const names[] = {
        [COST_UNKNOWN] = "",
        [COST_COMPUTE] = "compute",
        [COST_MEMORY] = "memory",
        [COST_LAUNCH] = "launch",
    };
    return names[bound];
}

struct ceilings ceilings_nominal(int threads)
{
    /* A core at 3 GHz with two 256-bit FMA units (16 f32 lanes in all), 32 KiB of L1, 1 MiB of L2,
     * 2 MiB of a shared cache, and a channel of DDR4-3200 for every core. Bandwidths are what such
     * cores sustain: a vector per cycle from L1, half of it from L2, a sixth from L3. */
    const double hertz = 3e9, lanes = 16, vector_bytes = 32, channel_bytes_per_second = 25.6e9;
    struct ceilings ceilings = {
        .threads = threads, .level_count = 4, .launch_seconds = threads > 1 ? 1e-6 : 1e-7};
    const double full = threads * hertz * vector_bytes;
    ceilings.flops_per_second[DTYPE_f32] = 2 * lanes * hertz * threads;
    ceilings.flops_per_second[DTYPE_f64] = lanes * hertz * threads;
    ceilings.level[0] = (struct cost_level){"L1", 0x1p15 * 0.75 * threads, 2 * full};
    ceilings.level[1] = (struct cost_level){"L2", 0x1p20 * 0.75 * threads, full};
    ceilings.level[2] = (struct cost_level){"L3", 0x1p21 * 0.75 * threads, full / 3};
    ceilings.level[3] = (struct cost_level){"DRAM", INFINITY, threads * channel_bytes_per_second};
    return ceilings;
}

const struct cost_level *cost_level_of(const struct ceilings *ceilings, double set_bytes)
{
    int i = 0;
    while (i + 1 < ceilings->level_count && set_bytes > ceilings->level[i].set_bytes)
        i++;
    return &ceilings->level[i];
}

/* FLOP that the launch does, where its variant does them by another method than the kernel counts.
 */
static double flops_done(const struct launch *launch, const char *chosen)
{
    const char *name = chosen ? chosen : launch->variant;
    const struct variant *variant = name ? variant_find(launch->kernel, name) : NULL;
    return variant && variant->flops ? variant->flops(&launch->shape)
                                     : launch->kernel->flops(&launch->shape);
}

const char *cost_layout(const struct launch *launch)
{
    const struct kernel *kernel = launch->kernel;
    for (int i = 0; i < kernel->letter_count; i++)
        if (strcmp(kernel->letters[i].name, "layout") == 0)
            return kernel->letters[i].words[launch->shape.value[i]];
    return "";
}

/* What of its roof a kernel reaches; 1 where nobody measured it. A row of the variant counts more
 * than one of the layout. */
static double reached(const struct ceilings *ceilings, const struct launch *launch,
                      const char *chosen, enum cost_bound bound)
{
    const char *variant = chosen            ? chosen
                          : launch->variant ? launch->variant
                                            : launch->kernel->variants[0].name;
    const char *layout = cost_layout(launch);
    double found = 1;
    int best = -1;
    for (int i = 0; i < ceilings->rate_count; i++) {
        const struct cost_rate *rate = &ceilings->rate[i];
        const double part = bound == COST_COMPUTE ? rate->of_compute : rate->of_memory;
        const int fits = 2 * (rate->variant[0] != 0) + (rate->layout[0] != 0);
        if (rate->dtype != launch->dtype || !(part > 0) ||
            strcmp(rate->kernel, launch->kernel->name) != 0 || fits <= best ||
            (rate->variant[0] && strcmp(rate->variant, variant) != 0) ||
            (rate->layout[0] && strcmp(rate->layout, layout) != 0))
            continue;
        found = part;
        best = fits;
    }
    return found;
}

/* Whether the values of that operand were there before the graph ran. */
static bool is_constant(const struct site *site, const struct launch_operand *operand)
{
    return operand->source == SOURCE_CONSTANT ||
           (operand->source == SOURCE_INPUT && site->input[operand->index].data);
}

/* What one piece of work takes under the roof, and which ceiling it is. */
struct piece {
    double computing, moving; /* seconds */
    const struct cost_level *level;
};

static struct piece piece_of_launch(const struct site *site, const struct launch *launch,
                                    const char *variant, const struct ceilings *ceilings)
{
    struct operand operand[KERNEL_OPERANDS_MAX];
    const int count = launch->kernel->operands(&launch->shape, operand);
    const double element_bytes = dtype_bytes(launch->dtype);
    double set_bytes = 0, constant_bytes = 0;
    for (int i = 0; i < count; i++) {
        const double bytes =
            operand[i].elements * operand_element_bytes(&operand[i], launch->dtype);
        set_bytes += bytes;
        if (is_constant(site, &launch->operand[i]))
            constant_bytes += bytes;
    }
    const struct cost_level *level = cost_level_of(ceilings, set_bytes);
    const double total_bytes = launch->kernel->bytes(&launch->shape, element_bytes);
    constant_bytes = fmin(constant_bytes, total_bytes);
    const struct cost_level *outer = cost_level_of(ceilings, fmax(set_bytes, ceilings->run_bytes));
    return (struct piece){
        .computing = flops_done(launch, variant) / ceilings->flops_per_second[launch->dtype],
        .moving = (total_bytes - constant_bytes) / level->bytes_per_second +
                  constant_bytes / outer->bytes_per_second,
        .level = constant_bytes > total_bytes / 2 ? outer : level,
    };
}

/* Seconds by bound while the pieces of a node are added up. */
struct sums {
    double by[COST_LAUNCH + 1];
};

static void add_piece(struct cost *cost, struct sums *sums, const struct piece *piece,
                      double of_compute, double of_memory)
{
    const double computing = piece->computing / of_compute, moving = piece->moving / of_memory;
    /* fmax() would drop what is not known. */
    const bool known = !isnan(computing) && !isnan(moving);
    cost->roof_seconds += known ? fmax(piece->computing, piece->moving) : NAN;
    sums->by[computing > moving ? COST_COMPUTE : COST_MEMORY] +=
        known ? fmax(computing, moving) : NAN;
}

static void finish(struct cost *cost, struct sums *sums, double launch_seconds)
{
    sums->by[COST_LAUNCH] = cost->launches * launch_seconds;
    cost->seconds = sums->by[COST_COMPUTE] + sums->by[COST_MEMORY] + sums->by[COST_LAUNCH];
    if (isnan(cost->seconds) || cost->launches == 0)
        return;
    cost->bound = COST_COMPUTE;
    for (enum cost_bound bound = COST_MEMORY; bound <= COST_LAUNCH; bound++)
        if (sums->by[bound] > sums->by[cost->bound])
            cost->bound = bound;
}

static void add_launches(struct cost *cost, const struct site *site,
                         const struct lowering *lowering, const char *const *variants,
                         const struct ceilings *ceilings)
{
    struct sums sums = {{0}};
    double longest = 0;
    cost->launches = lowering->launch_count;
    cost->is_lowered = true;
    for (int i = 0; i < lowering->launch_count; i++) {
        const struct launch *launch = &lowering->launch[i];
        const struct piece piece =
            piece_of_launch(site, launch, variants ? variants[i] : NULL, ceilings);
        const double before = cost->roof_seconds;
        const char *variant = variants ? variants[i] : NULL;
        add_piece(cost, &sums, &piece, reached(ceilings, launch, variant, COST_COMPUTE),
                  reached(ceilings, launch, variant, COST_MEMORY));
        if (i == 0 || cost->roof_seconds - before > longest) {
            longest = cost->roof_seconds - before;
            memcpy(cost->level, piece.level->name, sizeof cost->level);
            cost->dtype = launch->dtype;
        }
    }
    finish(cost, &sums, ceilings->launch_seconds);
}

/* Plain loops on one thread: their work is judged by the same roof, which they do not come near. */
static void add_evaluation(struct cost *cost, const struct site *site,
                           const struct ceilings *ceilings)
{
    struct sums sums = {{0}};
    enum dtype dtype = DTYPE_f32;
    for (int i = 0; i < site->node->output_count && dtype == DTYPE_f32; i++)
        dtype = site->output[i].type.element == ELEMENT_f64 ? DTYPE_f64 : DTYPE_f32;
    const struct cost_level *level = cost_level_of(ceilings, cost->bytes);
    const struct piece piece = {.computing = cost->flops / ceilings->flops_per_second[dtype],
                                .moving = cost->bytes / level->bytes_per_second,
                                .level = level};
    cost->launches = 1;
    memcpy(cost->level, level->name, sizeof cost->level);
    cost->dtype = dtype;
    add_piece(cost, &sums, &piece, 1, 1);
    finish(cost, &sums, ceilings->launch_seconds);
}

static bool types_complete(const struct site *site)
{
    bool complete = true;
    for (int i = 0; i < site->node->input_count; i++)
        complete =
            complete && (site->node->inputs[i] < 0 || type_is_complete(&site->input[i].type));
    for (int i = 0; i < site->node->output_count; i++)
        complete =
            complete && (site->node->outputs[i] < 0 || type_is_complete(&site->output[i].type));
    return complete;
}

struct cost cost_of_site(const struct site *site, const struct lowering *lowering,
                         const char *const *variants, const struct ceilings *ceilings)
{
    struct cost cost = {.flops = 0};
    const int flags = site->node->op ? site->node->op->flags : 0;
    if (flags & OP_VIEW || flags & OP_TYPES)
        return cost;
    cost.moves_only = flags & OP_MOVES;
    if (!types_complete(site)) {
        cost.launches = 1;
        cost.flops = cost.bytes = cost.roof_seconds = cost.seconds = NAN;
        return cost;
    }
    cost.flops = site_flops(site, lowering);
    cost.bytes = site_bytes(site, lowering);
    if (lowering)
        add_launches(&cost, site, lowering, variants, ceilings);
    else
        add_evaluation(&cost, site, ceilings);
    return cost;
}

/* Whether the node that makes the tensor can leave room between its rows. */
static bool is_pitched(const struct graph *graph, int tensor, struct arena *arena)
{
    const int producer = tensor < 0 ? -1 : graph->tensor[tensor]->producer;
    struct in_place_rows rows;
    struct site site;
    struct lowering lowering;
    struct error unused;
    if (producer < 0 || !in_place_rows(graph, tensor, &rows) ||
        site_open(&site, graph, graph->node[producer], arena, &unused) != OK)
        return false;
    site.output_pitch = rows.pitch;
    return site_lower(&site, &lowering, &unused) == OK && lowering.is_pitched;
}

static int find_placed(struct site *site, struct error *error)
{
    const struct node *node = site->node;
    bool *is_placed = arena_take_array(site->arena, (size_t)node->input_count, sizeof *is_placed);
    if (!is_placed)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (int i = 0; i < node->input_count; i++)
        is_placed[i] = is_pitched(site->graph, node->inputs[i], site->arena);
    site->is_placed = is_placed;
    return OK;
}

int cost_of_node(struct cost *cost, const struct graph *graph, const struct node *node,
                 const struct ceilings *ceilings, struct arena *arena, struct error *error)
{
    struct site site;
    struct lowering lowering;
    struct error reason;
    if (site_open(&site, graph, node, arena, error) != OK ||
        (node_is(node, "Concat") && find_placed(&site, error) != OK))
        return FAILED;
    const int result = site_lower(&site, &lowering, &reason);
    if (result == FAILED) {
        *error = reason;
        return FAILED;
    }
    *cost = cost_of_site(&site, result == OK ? &lowering : NULL, NULL, ceilings);
    return OK;
}

void cost_add(struct cost_total *total, const struct cost *cost)
{
    total->nodes++;
    total->launches += cost->launches;
    if (isnan(cost->bytes)) {
        total->unknown++;
        return;
    }
    total->flops += cost->flops;
    total->bytes += cost->bytes;
    total->roof_seconds += cost->roof_seconds;
    total->seconds += cost->seconds;
    if (cost->moves_only) {
        total->moved_bytes += cost->bytes;
        total->moving_seconds += cost->seconds;
    }
}

int cost_of_graph(struct cost_total *total, const struct graph *graph,
                  const struct ceilings *ceilings, struct error *error)
{
    struct arena arena = {0};
    int result = OK;
    *total = (struct cost_total){0};
    for (int i = graph->block[0]->first; i >= 0 && result == OK; i = graph->node[i]->next) {
        struct cost cost;
        result = cost_of_node(&cost, graph, graph->node[i], ceilings, &arena, error);
        if (result == OK)
            cost_add(total, &cost);
        arena_reset(&arena);
    }
    arena_free(&arena);
    return result;
}

double graph_run_bytes(const struct graph *graph)
{
    double bytes = 0;
    for (int i = 0; i < graph->tensor_count; i++) {
        const struct tensor *tensor = graph->tensor[i];
        const struct node *producer = tensor->producer >= 0 ? graph->node[tensor->producer] : NULL;
        const bool is_view = producer && producer->op && producer->op->flags & OP_VIEW;
        const long own =
            tensor->is_dead || is_view || tensor->use_count == 0 ? 0 : type_bytes(&tensor->type);
        bytes += own > 0 ? (double)own : 0;
    }
    return bytes;
}
