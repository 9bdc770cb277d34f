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
    ceilings.level[0] = (struct cost_level){"L1", 0x1p15 * 0.75 * threads, 2 * full, 0};
    ceilings.level[1] = (struct cost_level){"L2", 0x1p20 * 0.75 * threads, full, 0};
    ceilings.level[2] = (struct cost_level){"L3", 0x1p21 * 0.75 * threads, full / 3, 0};
    ceilings.level[3] =
        (struct cost_level){"DRAM", INFINITY, threads * channel_bytes_per_second, 0};
    return ceilings;
}

/* FLOP that the launch does, where its variant does them by another method than the kernel counts.
 */
static double flops_done(const struct launch *launch, const char *name)
{
    const struct variant *variant = variant_find(launch->kernel, name);
    return variant && variant->flops ? variant->flops(&launch->shape)
                                     : launch->kernel->flops(&launch->shape);
}

/* ---- what kernels reach ---- */

static const char *variant_of(const struct launch *launch, const char *chosen)
{
    return chosen ? chosen : launch->variant ? launch->variant : launch->kernel->variants[0].name;
}

/* The word of the launch's letter `layout`; "" where its kernel has none. */
static const char *layout_of(const struct launch *launch)
{
    const struct kernel *kernel = launch->kernel;
    for (int i = 0; i < kernel->letter_count; i++)
        if (strcmp(kernel->letters[i].name, "layout") == 0)
            return kernel->letters[i].words[launch->shape.value[i]];
    return "";
}

/* By rates; 1 where nobody measured it. A row of the variant counts more than one of the layout.
 */
static double rate_of(const struct ceilings *ceilings, const struct launch *launch,
                      const char *variant, enum cost_bound bound)
{
    const char *layout = layout_of(launch);
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

struct cost_trial cost_trial_of_launch(const struct launch *launch, const char *variant)
{
    return (struct cost_trial){.kernel = launch->kernel,
                               .variant = variant_of(launch, variant),
                               .shape = launch->shape,
                               .dtype = launch->dtype};
}

struct cost_trial cost_trial_of_site(const struct site *site)
{
    return (struct cost_trial){.op = site->node->op,
                               .variant = "",
                               .flops = site_flops(site, NULL),
                               .bytes = site_bytes(site, NULL)};
}

static double apart(double a, double b)
{
    return fabs(log((a + 1) / (b + 1)));
}

/* A word that differs is like a size that is twice as large. */
double cost_trial_distance(const struct cost_trial *a, const struct cost_trial *b)
{
    const struct kernel *kernel = a->kernel;
    double sum = 0;
    if (kernel != b->kernel || a->op != b->op || a->dtype != b->dtype ||
        strcmp(a->variant, b->variant) != 0)
        return INFINITY;
    if (!kernel)
        return apart(a->flops, b->flops) + apart(a->bytes, b->bytes);
    for (int i = 0; i < kernel->letter_count; i++) {
        const long own = a->shape.value[i], other = b->shape.value[i];
        if (own != other)
            sum += kernel->letters[i].words ? log(2) : apart((double)own, (double)other);
    }
    return sum;
}

/* Between trials, in logarithms: Shepard's interpolation (1968, doi:10.1145/800186.810616), each
 * weighed by its distance^-2. NAN where none says anything. */
static double trials_of(const struct ceilings *ceilings, const struct cost_trial *like)
{
    double sum = 0, weights = 0;
    for (int i = 0; i < ceilings->trial_count; i++) {
        const struct cost_trial *trial = &ceilings->trial[i];
        const double distance = cost_trial_distance(trial, like);
        if (distance <= 0)
            return trial->of_roof;
        sum += log(trial->of_roof) / (distance * distance);
        weights += 1 / (distance * distance);
    }
    return weights > 0 ? exp(sum / weights) : NAN;
}

/* ---- traffic ---- */

/* What one piece of work takes under the roof, and which level bounds its traffic. */
struct piece {
    double computing, moving; /* seconds */
    const struct cost_level *level;
    double bytes_per_second; /* of the level */
};

/* Bytes that move, and how far back their last use lies. */
struct traffic {
    double bytes[KERNEL_OPERANDS_MAX], distance_bytes[KERNEL_OPERANDS_MAX];
    int count;
    bool updates; /* reads and writes the same memory */
};

/* Of bytes that come back after so many others, those that a cache of that size cannot have kept,
 * whatever it gives up: of memory that is swept over and over it keeps its own size. */
static double beyond(double distance_bytes, double set_bytes)
{
    return distance_bytes > set_bytes ? 1 - set_bytes / distance_bytes : 0;
}

/* Each level has to carry what comes from it and from further out. */
static void move(struct piece *piece, const struct traffic *traffic,
                 const struct ceilings *ceilings)
{
    piece->level = &ceilings->level[0];
    for (int i = 0; i < ceilings->level_count && !isnan(piece->moving); i++) {
        const struct cost_level *level = &ceilings->level[i];
        const bool updates = traffic->updates && level->updates_per_second > 0;
        const double rate = updates ? level->updates_per_second : level->bytes_per_second;
        double bytes = 0;
        for (int k = 0; k < traffic->count; k++)
            bytes += traffic->bytes[k] *
                     (i > 0 ? beyond(traffic->distance_bytes[k], level[-1].set_bytes) : 1);
        if (i > 0 && (bytes <= 0 || bytes / rate <= piece->moving))
            continue;
        piece->moving = bytes / rate;
        piece->level = level;
        piece->bytes_per_second = rate;
    }
}

/* Kernels' models say how much moves in all, operands how it is shared between them. */
static struct traffic traffic_of(const struct launch *launch, const struct operand_reuse *reuse)
{
    struct operand operand[KERNEL_OPERANDS_MAX];
    const int count = launch->kernel->operands(&launch->shape, operand);
    struct traffic traffic = {.count = count, .updates = operand[0].role == ROLE_UPDATE};
    double set_bytes = 0;
    for (int i = 0; i < count; i++) {
        traffic.bytes[i] = operand[i].elements * operand_element_bytes(&operand[i], launch->dtype);
        traffic.updates = traffic.updates || (reuse && reuse[i].is_target);
        set_bytes += traffic.bytes[i];
    }
    const double bytes = launch->kernel->bytes(&launch->shape, dtype_bytes(launch->dtype));
    for (int i = 0; i < count; i++) {
        traffic.bytes[i] *= set_bytes > 0 ? bytes / set_bytes : 0;
        traffic.distance_bytes[i] = reuse ? reuse[i].distance_bytes : set_bytes;
    }
    return traffic;
}

static struct piece piece_of_launch(const struct launch *launch, const char *variant,
                                    const struct operand_reuse *reuse,
                                    const struct ceilings *ceilings)
{
    const struct traffic traffic = traffic_of(launch, reuse);
    struct piece piece = {.computing = flops_done(launch, variant) /
                                       ceilings->flops_per_second[launch->dtype]};
    move(&piece, &traffic, ceilings);
    return piece;
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

static void note_level(struct cost *cost, const struct piece *piece, enum dtype dtype)
{
    memcpy(cost->level, piece->level->name, sizeof cost->level);
    cost->bytes_per_second = piece->bytes_per_second;
    cost->dtype = dtype;
}

static void add_launches(struct cost *cost, const struct lowering *lowering,
                         const char *const *variants, const struct operand_reuse *reuse,
                         const struct ceilings *ceilings)
{
    struct sums sums = {{0}};
    double longest = 0;
    cost->launches = lowering->launch_count;
    cost->is_lowered = true;
    for (int i = 0; i < lowering->launch_count; i++) {
        const struct launch *launch = &lowering->launch[i];
        const char *variant = variant_of(launch, variants ? variants[i] : NULL);
        const struct piece piece = piece_of_launch(
            launch, variant, reuse ? &reuse[i * KERNEL_OPERANDS_MAX] : NULL, ceilings);
        const struct cost_trial like = cost_trial_of_launch(launch, variant);
        const double tried = trials_of(ceilings, &like), before = cost->roof_seconds;
        add_piece(cost, &sums, &piece,
                  tried > 0 ? tried : rate_of(ceilings, launch, variant, COST_COMPUTE),
                  tried > 0 ? tried : rate_of(ceilings, launch, variant, COST_MEMORY));
        if (i == 0 || cost->roof_seconds - before > longest) {
            longest = cost->roof_seconds - before;
            note_level(cost, &piece, launch->dtype);
        }
    }
    finish(cost, &sums, ceilings->launch_seconds);
}

/* Plain loops on one thread are judged by the same roof. They are far from it: how far, trials say.
 */
static void add_evaluation(struct cost *cost, const struct site *site,
                           const struct operand_reuse *reuse, const struct ceilings *ceilings)
{
    struct sums sums = {{0}};
    enum dtype dtype = DTYPE_f32;
    for (int i = 0; i < site->node->output_count && dtype == DTYPE_f32; i++)
        dtype = site->output[i].type.element == ELEMENT_f64 ? DTYPE_f64 : DTYPE_f32;
    const struct traffic traffic = {
        .count = 1,
        .bytes = {cost->bytes},
        .distance_bytes = {reuse ? reuse->distance_bytes : cost->bytes},
    };
    const struct cost_trial like = cost_trial_of_site(site);
    const double tried = trials_of(ceilings, &like), reached = tried > 0 ? tried : 1;
    struct piece piece = {.computing = cost->flops / ceilings->flops_per_second[dtype]};
    move(&piece, &traffic, ceilings);
    cost->launches = 1;
    note_level(cost, &piece, dtype);
    add_piece(cost, &sums, &piece, reached, reached);
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
                         const char *const *variants, const struct operand_reuse *reuse,
                         const struct ceilings *ceilings)
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
        add_launches(&cost, lowering, variants, reuse, ceilings);
    else
        add_evaluation(&cost, site, reuse, ceilings);
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
    *cost = cost_of_site(&site, result == OK ? &lowering : NULL, NULL, NULL, ceilings);
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
