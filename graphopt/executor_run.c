// executor_run.c - one run: all members of the team walk over the steps together and meet where one
// needs what another has made.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "alone.h"
#include "executor_parts.h"

/* ---- meetings ---- */

int walker_meet(struct walker *walker)
{
    if (walker->member.count > 1)
        team_barrier();
    walker->meetings++;
    walker->is_apart = false;
    /* A fault of member 0 after this meeting is for the next one: all leave at the same. */
    const long failed_at = __atomic_load_n(&walker->executor->failed_at, __ATOMIC_ACQUIRE);
    return failed_at && failed_at <= walker->meetings ? FAILED : OK;
}

void walker_fail(struct walker *walker)
{
    if (!walker->executor->failed_at)
        __atomic_store_n(&walker->executor->failed_at, walker->meetings + 1, __ATOMIC_RELEASE);
}

int walker_agree(struct walker *walker, bool own, bool *common)
{
    struct executor *executor = walker->executor;
    if (walker->member.index == 0)
        executor->agreed[(walker->meetings + 1) % 2] = own;
    if (walker_meet(walker) != OK)
        return FAILED;
    *common = executor->agreed[walker->meetings % 2];
    return OK;
}

/* ---- kernels ---- */

void *step_operand(const struct executor *executor, const struct step *step,
                   const struct launch_operand *operand)
{
    const struct node *node = step->site.node;
    const char *base = NULL;
    switch (operand->source) {
    case SOURCE_INPUT:
        base = executor->value[node->inputs[operand->index]].data;
        break;
    case SOURCE_OUTPUT:
        base = executor->value[node->outputs[operand->index]].data;
        break;
    case SOURCE_CONSTANT:
        base = operand->constant;
        break;
    case SOURCE_SCRATCH:
        base = step->scratch;
        break;
    }
    return (void *)(uintptr_t)(base + operand->offset_bytes);
}

struct calling {
    const struct kernel_call *call;
    struct call arguments;
};

static struct calling calling_of(const struct executor *executor, const struct step *step,
                                 const struct kernel_call *call)
{
    struct calling calling = {.call = call,
                              .arguments = {.shape = &call->launch->shape,
                                            .outputs = call->outputs,
                                            .kept = call->kept,
                                            .workspace = call->workspace,
                                            .caches = call->caches}};
    for (int i = 0; i < call->operand_count; i++)
        calling.arguments.operand[i] = step_operand(executor, step, &call->launch->operand[i]);
    return calling;
}

static void run_alone(void *context, struct member member)
{
    struct calling *calling = context;
    calling->arguments.member = member;
    if (calling->call->prepare && !calling->call->is_packed)
        calling->call->prepare(&calling->arguments);
    calling->call->body(&calling->arguments);
}

static int walk_call(struct walker *walker, const struct step *step, const struct kernel_call *call)
{
    if (call->threads == 1) {
        if (walker->member.index == 0 && !walker->executor->failed_at) {
            struct calling calling = calling_of(walker->executor, step, call);
            team_alone(run_alone, &calling);
        }
        walker->is_apart = true;
        return OK;
    }
    if (walker->is_apart && walker_meet(walker) != OK)
        return FAILED;
    struct calling calling = calling_of(walker->executor, step, call);
    calling.arguments.member = walker->member;
    if (call->prepare && !call->is_packed) {
        call->prepare(&calling.arguments);
        if (walker_meet(walker) != OK)
            return FAILED;
    }
    call->body(&calling.arguments);
    return walker_meet(walker);
}

static void prepare_alone(void *context, struct member member)
{
    struct calling *calling = context;
    calling->arguments.member = member;
    calling->call->prepare(&calling->arguments);
}

static void pack(const struct walker *walker, const struct step *step,
                 const struct kernel_call *call)
{
    struct calling calling = calling_of(walker->executor, step, call);
    calling.arguments.member = walker->member;
    if (call->threads > 1)
        call->prepare(&calling.arguments);
    else if (walker->member.index == 0)
        team_alone(prepare_alone, &calling);
}

void walk_packing(struct walker *walker)
{
    const struct executor *executor = walker->executor;
    for (int b = 0; b < executor->graph->block_count; b++)
        for (int i = 0; i < executor->sequence[b].count; i++) {
            const struct step *step = &executor->sequence[b].steps[i];
            for (int k = 0; k < step->lowering.launch_count; k++)
                if (step->calls[k].prepare && step->calls[k].is_packed && !step->calls[k].packed_by)
                    pack(walker, step, &step->calls[k]);
        }
}

/* ---- what member 0 does alone ---- */

static void give_inputs(const struct executor *executor, const struct step *step)
{
    const struct node *node = step->site.node;
    for (int i = 0; i < node->input_count; i++)
        step->input[i] = node->inputs[i] >= 0 ? executor->value[node->inputs[i]]
                                              : (struct array){UNKNOWN_TYPE, NULL};
}

static void say_where(struct executor *executor, const struct step *step)
{
    struct error *error = &executor->error;
    char words[sizeof error->text];
    snprintf(words, sizeof words, "%s", error->text);
    snprintf(error->text, sizeof error->text, "%s: %.*s",
             node_label(executor->graph, step->site.node).text,
             (int)(sizeof error->text - sizeof(struct label) - 3), words);
}

/* What the kernels of the step need of values. */
static void look_up(struct walker *walker, const struct step *step)
{
    struct executor *executor = walker->executor;
    walker->is_apart = true;
    if (walker->member.index != 0 || executor->failed_at)
        return;
    struct site site = step->site;
    site.input = step->input;
    site.arena = &executor->scratch;
    give_inputs(executor, step);
    if (step->lowering.look_up(&site, step->scratch, &executor->error) != OK) {
        say_where(executor, step);
        walker_fail(walker);
    }
    arena_reset(&executor->scratch);
}

/* ---- plain loops, by member 0 ---- */

/* Into the memory that the plan has for the results. */
static int evaluate(struct executor *executor, const struct step *step)
{
    const struct node *node = step->site.node;
    struct site site = step->site;
    site.input = step->input;
    site.output = step->output;
    site.arena = &executor->scratch;
    give_inputs(executor, step);
    for (int i = 0; i < node->output_count; i++) {
        struct array *output = &site.output[i];
        output->type = step->site.output[i].type;
        output->data = node->outputs[i] >= 0 ? executor->value[node->outputs[i]].data : NULL;
        if (!output->data && type_bytes(&output->type) >= 0 &&
            site_output(&site, i, &executor->error) != OK)
            return FAILED;
    }
    const int result = node->op->evaluate(&site, &executor->error);
    for (int i = 0; i < node->output_count && result == OK; i++) {
        const struct array *value =
            node->outputs[i] >= 0 ? &executor->value[node->outputs[i]] : NULL;
        if (value && site.output[i].data != value->data)
            memcpy(value->data, site.output[i].data, (size_t)type_bytes(&value->type));
    }
    arena_reset(&executor->scratch);
    return result;
}

/* Into memory that is found now. What the file claims about the result has to hold, because other
 * steps count on it. */
static int evaluate_open(struct executor *executor, const struct step *step)
{
    const struct graph *graph = executor->graph;
    const struct node *node = step->site.node;
    struct site site = step->site;
    site.input = step->input;
    site.output = step->output;
    site.arena = executor->found;
    give_inputs(executor, step);
    const int result = site_evaluate(&site, (size_t)ELEMENTS_MAX, &executor->error);
    for (int i = 0; i < node->output_count && result == OK; i++) {
        if (node->outputs[i] < 0)
            continue;
        struct type claimed = graph->tensor[node->outputs[i]]->type;
        if (type_merge(&claimed, &site.output[i].type) != OK)
            return error_set(&executor->error, FAULT_IO, "%s: output %d is %s, said to be %s",
                             node_label(graph, node).text, i,
                             type_format(graph, &site.output[i].type).text,
                             type_format(graph, &graph->tensor[node->outputs[i]]->type).text);
        executor->value[node->outputs[i]] = site.output[i];
    }
    return result;
}

static void walk_plain(struct walker *walker, const struct step *step)
{
    struct executor *executor = walker->executor;
    walker->is_apart = true;
    if (walker->member.index != 0 || executor->failed_at)
        return;
    const int result =
        step->kind == STEP_OPEN ? evaluate_open(executor, step) : evaluate(executor, step);
    if (result == OK)
        return;
    if (step->kind == STEP_PLAIN) /* the other way the words have the label already */
        say_where(executor, step);
    if (result == SKIPPED)
        executor->error.fault = FAULT_IO;
    walker_fail(walker);
}

/* ---- the walk ---- */

static int walk_step(struct walker *walker, const struct step *step)
{
    int result = OK;
    switch (step->kind) {
    case STEP_NOTHING:
        break;
    case STEP_KERNELS:
        if (step->lowering.look_up)
            look_up(walker, step);
        for (int i = 0; i < step->lowering.launch_count && result == OK; i++)
            result = walk_call(walker, step, &step->calls[i]);
        break;
    case STEP_PLAIN:
    case STEP_OPEN:
        walk_plain(walker, step);
        break;
    case STEP_CONTROL:
        result = walk_control(walker, step);
        break;
    }
    return result;
}

int walk_block(struct walker *walker, int block)
{
    const struct executor *executor = walker->executor;
    const struct sequence *sequence = &executor->sequence[block];
    double *ended = block == 0 && walker->member.index == 0 ? executor->ended : NULL;
    for (int i = 0; i < sequence->count; i++) {
        if (walk_step(walker, &sequence->steps[i]) != OK)
            return FAILED;
        if (ended)
            ended[i] = seconds_now();
    }
    return OK;
}

static void walk_whole(void *context, struct member member)
{
    struct executor *executor = context;
    struct walker walker = {.executor = executor, .member = member};
    if (member.index == 0 && executor->ended)
        executor->began = seconds_now();
    if (walk_block(&walker, 0) == OK)
        walker_meet(&walker); /* of a fault since the last one */
}

static void start(struct executor *executor)
{
    arena_reset(&executor->run);
    executor->found = &executor->run;
    executor->failed_at = 0;
}

int executor_run(struct executor *executor, struct error *error)
{
    start(executor);
    team_run(walk_whole, executor, executor->setup.threads);
    if (executor->failed_at) {
        *error = executor->error;
        return FAILED;
    }
    executor->has_run = true;
    return OK;
}

/* ---- timing ---- */

static void work_whole(void *context, struct member member)
{
    struct executor_job *job = context;
    struct executor *executor = job->executor;
    struct walker walker = {.executor = executor, .member = member};
    for (long i = 0; i < job->repeats; i++) {
        if (member.index == 0)
            start(executor);
        if (walk_block(&walker, 0) != OK || walker_meet(&walker) != OK)
            break;
    }
}

/* What the step finds memory for lives until it runs again; other nodes keep what the whole run
 * found for them. */
static void exchange_found(struct executor *executor, const struct step *step)
{
    const struct node *node = executor->graph->node[step->node];
    for (int i = 0; i < node->output_count; i++) {
        if (node->outputs[i] < 0 || (step->kind != STEP_OPEN && step->kind != STEP_CONTROL))
            continue;
        const struct array other = step->kept[i];
        step->kept[i] = executor->value[node->outputs[i]];
        executor->value[node->outputs[i]] = other;
    }
}

static void work_step(void *context, struct member member)
{
    struct executor_job *job = context;
    struct executor *executor = job->executor;
    struct walker walker = {.executor = executor, .member = member};
    const struct step *step = &executor->sequence[0].steps[job->at];
    for (long i = 0; i < job->repeats; i++) {
        if (member.index == 0) {
            executor->found = &executor->again;
            exchange_found(executor, step);
        }
        const int result = walk_step(&walker, step);
        if (member.index == 0) {
            exchange_found(executor, step);
            arena_reset(&executor->again);
            executor->found = &executor->run;
        }
        if (result != OK)
            break;
    }
}

struct work executor_work(struct executor_job *job)
{
    return (struct work){.run = job->at < 0 ? work_whole : work_step,
                         .context = job,
                         .threads = job->executor->setup.threads};
}

void executor_clock(struct executor *executor, bool is_on)
{
    executor->ended = NULL;
    if (is_on)
        executor->ended = arena_take_array(
            &executor->arena, (size_t)executor->sequence[0].count + 1, sizeof *executor->ended);
}

double executor_seconds(const struct executor *executor, int at)
{
    if (!executor->ended)
        return NAN;
    return executor->ended[at] - (at > 0 ? executor->ended[at - 1] : executor->began);
}
