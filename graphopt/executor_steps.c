// executor_steps.c - how each node will run: not at all, by kernels, by plain loops, or by its
// subgraphs.
#include <stdio.h>
#include <string.h>

#include "executor_parts.h"
#include "run.h"

/* What a core does in about a microsecond. Less than that is not worth waiting for another core. */
static const double alone_flops = 64e3, alone_bytes = 64e3;

static int out_of_memory(struct error *error)
{
    return error_set(error, FAULT_ENVIRONMENT, "out of memory to run the graph");
}

/* ---- kernels ---- */

/* The first variant for the best instruction set that has a body and takes the shape; NULL. */
static const struct variant *choose_variant(const struct launch *launch, enum isa most,
                                            enum isa *isa)
{
    struct error ignored;
    for (int i = (int)most; i >= 0; i--)
        for (const struct variant *v = launch->kernel->variants; v->name; v++) {
            if (!v->bodies[i][launch->dtype] ||
                (launch->variant && strcmp(launch->variant, v->name) != 0) ||
                (v->supports && v->supports(&launch->shape, &ignored) != OK))
                continue;
            *isa = (enum isa)i;
            return v;
        }
    return NULL;
}

static int choose_threads(const struct launch *launch, int most)
{
    const double bytes = launch->kernel->bytes(&launch->shape, dtype_bytes(launch->dtype));
    return launch->kernel->flops(&launch->shape) < alone_flops && bytes < alone_bytes ? 1 : most;
}

/* From where rows begin that have gaps between them. */
static long bytes_of_rows(const struct executor *executor, int tensor)
{
    return type_bytes(&executor->value[executor->root[tensor]].type) -
           (long)executor->behind[tensor];
}

/* What an operand of a launch has at its disposal; -1: it is not bounded by a type. */
static long bytes_behind(const struct executor *executor, const struct step *step,
                         const struct launch_operand *operand)
{
    const int *outputs = step->site.node->outputs;
    long bytes = -1;
    if (operand->source == SOURCE_INPUT)
        bytes = type_bytes(&step->site.input[operand->index].type);
    else if (operand->source == SOURCE_OUTPUT)
        bytes = step->lowering.is_pitched ? bytes_of_rows(executor, outputs[operand->index])
                                          : type_bytes(&step->site.output[operand->index].type);
    else if (operand->source == SOURCE_SCRATCH)
        bytes = (long)step->lowering.scratch_bytes;
    return bytes < 0 ? -1 : bytes - (long)operand->offset_bytes;
}

/* A launch stays within its arrays: a mistake of lower() is found before it runs. */
static int check_bounds(const struct executor *executor, const struct step *step,
                        const struct launch *launch, struct error *error)
{
    struct operand operand[KERNEL_OPERANDS_MAX];
    const int count = launch->kernel->operands(&launch->shape, operand);
    for (int i = 0; i < count; i++) {
        const double needs =
            operand[i].elements * operand_element_bytes(&operand[i], launch->dtype);
        const long has = bytes_behind(executor, step, &launch->operand[i]);
        if (has >= 0 && needs > (double)has)
            return error_set(error, FAULT_WRONG,
                             "%s: kernel '%s' would use %.0f bytes of '%s', which has %ld",
                             node_label(step->site.graph, step->site.node).text,
                             launch->kernel->name, needs, operand[i].name, has);
    }
    return OK;
}

static double room_of(const struct kernel_call *call, enum isa isa, room_function *room)
{
    const struct launch *launch = call->launch;
    return room ? room(&launch->shape, isa, launch->dtype, call->threads, &call->caches) : 0;
}

static bool operands_equal(const struct launch_operand *a, const struct launch_operand *b)
{
    return a->source == b->source && a->index == b->index && a->offset_bytes == b->offset_bytes &&
           a->constant == b->constant;
}

/* The first call of the node that packs the same weights, its operand k, for the same shape; NULL
 * where it is call i. */
static const struct kernel_call *find_packed(const struct step *step, int i, int k)
{
    const struct kernel_call *call = &step->calls[i];
    const struct launch *launch = call->launch;
    for (const struct kernel_call *other = step->calls; other < call; other++)
        if (operands_equal(&other->launch->operand[k], &launch->operand[k]) && other->is_packed &&
            other->variant == call->variant && other->launch->dtype == launch->dtype &&
            memcmp(&other->launch->shape, &launch->shape, sizeof launch->shape) == 0)
            return other;
    return NULL;
}

static int open_call(const struct executor *executor, struct step *step, int i, struct error *error)
{
    const struct launch *launch = &step->lowering.launch[i];
    struct kernel_call *call = &step->calls[i];
    enum isa isa;
    struct operand operand[KERNEL_OPERANDS_MAX];
    *call = (struct kernel_call){.launch = launch};
    call->variant = choose_variant(launch, executor->setup.isa, &isa);
    if (!call->variant)
        return error_skip(error, "no variant of kernel '%s' takes this shape",
                          launch->kernel->name);
    if (check_bounds(executor, step, launch, error) != OK)
        return FAILED;
    step->variants[i] = call->variant->name;
    call->body = call->variant->bodies[isa][launch->dtype];
    call->prepare = call->variant->prepare[isa][launch->dtype];
    call->threads = choose_threads(launch, executor->setup.threads);
    call->caches = run_caches(executor->setup.host, call->threads);
    call->operand_count = launch->kernel->operands(&launch->shape, operand);
    call->outputs = (long)operand[0].elements;
    for (int k = 0; k < call->operand_count && call->prepare; k++) {
        const struct launch_operand *from = &launch->operand[k];
        if (strcmp(operand[k].name, "weights") != 0)
            continue;
        call->is_packed = from->source == SOURCE_CONSTANT ||
                          (from->source == SOURCE_INPUT && step->site.input[from->index].data);
        call->packed_by = call->is_packed ? find_packed(step, i, k) : NULL;
    }
    call->kept_bytes = room_of(call, isa, call->variant->kept);
    call->workspace_bytes = room_of(call, isa, call->variant->workspace);
    return OK;
}

/* SKIPPED with the reason where no kernel runs it. */
static int open_calls(struct executor *executor, struct step *step, struct error *error)
{
    int result = share_offer(executor, step, error);
    if (result == OK)
        result = site_lower(&step->site, &step->lowering, error);
    if (result == OK && !share_fits(executor, step)) {
        step->site.is_apart = true;
        result = site_lower(&step->site, &step->lowering, error);
    }
    if (result != OK)
        return result;
    if (step->lowering.is_pitched)
        share_rows(executor, step->site.node->outputs[0]);
    const size_t count = (size_t)step->lowering.launch_count;
    step->calls = arena_take_array(&executor->arena, count, sizeof *step->calls);
    step->variants = arena_take_array(&executor->arena, count, sizeof *step->variants);
    if (!step->calls || !step->variants)
        return out_of_memory(error);
    for (size_t i = 0; i < count; i++) {
        const int opened = open_call(executor, step, (int)i, error);
        if (opened != OK)
            return opened;
    }
    return OK;
}

/* ---- nodes ---- */

/* Whether every result that is wanted is known before the graph runs. */
static bool is_known(const struct graph *graph, const struct node *node)
{
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] >= 0 && !tensor_is_known(graph->tensor[node->outputs[i]]))
            return false;
    return node->op && !(node->op->flags & (OP_CONTROL | OP_RANDOM));
}

static bool has_known_types(const struct site *site)
{
    const struct node *node = site->node;
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] >= 0 && !type_is_complete(&site->input[i].type))
            return false;
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] >= 0 && (!type_is_complete(&site->output[i].type) ||
                                      site->output[i].type.element == ELEMENT_NONE ||
                                      site->output[i].type.element == ELEMENT_text))
            return false;
    return true;
}

static void mark_planned(struct executor *executor, const struct step *step)
{
    const struct node *node = step->site.node;
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] >= 0) {
            executor->is_planned[node->outputs[i]] = true;
            executor->value[node->outputs[i]].type = step->site.output[i].type;
        }
}

static int choose_kind(struct executor *executor, struct step *step, struct error *error)
{
    const struct node *node = step->site.node;
    const bool is_static = has_known_types(&step->site);
    if (is_static && share_is_view(executor, node)) {
        step->kind = STEP_NOTHING;
        share_view(executor, node->inputs[0], node->outputs[0], 0);
        return OK;
    }
    const int result = open_calls(executor, step, error);
    step->kind = step->lowering.launch_count > 0 ? STEP_KERNELS : STEP_NOTHING;
    if (result == OK)
        share_take(executor, step);
    if (result != SKIPPED)
        return result;
    step->kind = is_static ? STEP_PLAIN : STEP_OPEN;
    if (step->lowering.is_pitched)
        share_rows_back(executor, node->outputs[0]);
    step->calls = NULL;
    step->lowering = (struct lowering){0};
    step->reason = arena_copy_text(&executor->arena, error->text);
    if (!step->reason)
        return out_of_memory(error);
    if (!node->op->evaluate)
        return error_set(error, FAULT_IO, "%s: no kernel runs it and it has no plain loops: %s",
                         node_label(executor->graph, node).text, step->reason);
    return OK;
}

static int open_block(struct executor *executor, int block, struct error *error);

static int open_control(struct executor *executor, struct step *step, struct error *error)
{
    const struct node *node = step->site.node;
    step->kind = STEP_CONTROL;
    step->reason = "its subgraphs run";
    for (int i = 0; i < node->attribute_count; i++)
        if (node->attributes[i].kind == ATTRIBUTE_BLOCK &&
            block_may_run(executor->graph, node->attributes[i].block) &&
            open_block(executor, node->attributes[i].block, error) != OK)
            return FAILED;
    step->end = executor->moments++;
    return OK;
}

static int open_step(struct executor *executor, struct step *step, struct error *error)
{
    const struct graph *graph = executor->graph;
    const struct node *node = graph->node[step->node];
    step->begin = step->end = executor->moments++;
    if (!node->op)
        return error_set(error, FAULT_IO, "%s: this program does not know the operator%s%s",
                         node_label(graph, node).text, *node->domain ? " of domain " : "",
                         node->domain);
    if (site_open(&step->site, graph, node, &executor->arena, error) != OK ||
        site_infer(&step->site, error) != OK)
        return FAILED;
    const size_t inputs = (size_t)node->input_count, outputs = (size_t)node->output_count;
    step->input = arena_take_array(&executor->arena, inputs, sizeof *step->input);
    step->output = arena_take_array(&executor->arena, outputs, sizeof *step->output);
    step->kept = arena_take_array(&executor->arena, outputs, sizeof *step->kept);
    if (!step->input || !step->output || !step->kept)
        return out_of_memory(error);
    if (node->op->flags & OP_CONTROL)
        return open_control(executor, step, error);
    if (is_known(graph, node)) {
        step->kind = STEP_NOTHING;
        return OK;
    }
    if (choose_kind(executor, step, error) != OK)
        return FAILED;
    if (step->kind != STEP_OPEN)
        mark_planned(executor, step);
    return OK;
}

static int open_block(struct executor *executor, int block, struct error *error)
{
    const struct graph *graph = executor->graph;
    struct sequence *sequence = &executor->sequence[block];
    for (int id = graph->block[block]->first; id >= 0; id = graph->node[id]->next)
        sequence->count++;
    sequence->steps =
        arena_take_array(&executor->arena, (size_t)sequence->count, sizeof *sequence->steps);
    if (!sequence->steps)
        return out_of_memory(error);
    int i = 0;
    for (int id = graph->block[block]->first; id >= 0; id = graph->node[id]->next) {
        sequence->steps[i].node = id;
        if (open_step(executor, &sequence->steps[i++], error) != OK)
            return FAILED;
    }
    return OK;
}

int steps_open(struct executor *executor, struct error *error)
{
    const struct graph *graph = executor->graph;
    for (int i = 0; i < graph->tensor_count; i++) {
        const struct tensor *tensor = graph->tensor[i];
        executor->root[i] = i;
        executor->value[i].type = tensor->type;
        executor->is_planned[i] =
            tensor_is_known(tensor) || (tensor->is_input && tensor->block == 0);
    }
    executor->moments = 1; /* moment 0: inputs are set */
    return open_block(executor, 0, error);
}
