// executor_share.c - whose memory each value lies in: views in their input's, parts of an array in
// the array's, and what a Concat joins in its result's.
#include "executor_parts.h"
#include "in_place.h"

/* Whether a tensor's memory is the same in all runs and what the graph makes there. */
static bool has_own_memory(const struct executor *executor, int tensor)
{
    const struct tensor *root = executor->graph->tensor[executor->root[tensor]];
    return executor->is_planned[tensor] && root->producer >= 0 && !root->data;
}

/* Whether `view` may lie in the memory of `tensor`: an output of the graph must not be an input's
 * memory, which the user may set anew, or the graph's own. */
static bool may_view(const struct executor *executor, int tensor, int view)
{
    return tensor >= 0 && executor->is_planned[tensor] &&
           (has_own_memory(executor, tensor) || !tensor_is_output(executor->graph->tensor[view]));
}

void share_view(struct executor *executor, int tensor, int view, long at)
{
    executor->root[view] = executor->root[tensor];
    executor->behind[view] = executor->behind[tensor] + (size_t)at;
}

/* A view needs no step. */
bool share_is_view(const struct executor *executor, const struct node *node)
{
    return node->op->flags & OP_VIEW && node->output_count == 1 &&
           may_view(executor, node->inputs[0], node->outputs[0]);
}

/* The whole of a memory can be moved into the output's. */
static bool may_move(const struct executor *executor, int tensor, int output)
{
    const struct graph *graph = executor->graph;
    const int root = executor->root[tensor];
    return has_own_memory(executor, tensor) && executor->is_planned[root] && root != output &&
           graph->tensor[root]->block == graph->tensor[output]->block &&
           executor->behind[tensor] == 0 &&
           type_bytes(&executor->value[tensor].type) == type_bytes(&executor->value[root].type);
}

/* Whether an input before `slot` is to be moved, too, and is the same memory: a Transpose that
 * changes nothing is where its input is. */
static bool is_moved_twice(const struct executor *executor, const struct step *step, int slot)
{
    const int *inputs = step->site.node->inputs;
    for (int i = 0; i < slot; i++)
        if (step->lowering.input_at[i] >= 0 &&
            executor->root[inputs[i]] == executor->root[inputs[slot]])
            return true;
    return false;
}

/* Constants lie anywhere in a file, not on lines of the caches. */
bool share_fits(const struct executor *executor, const struct step *step)
{
    const struct node *node = step->site.node;
    const struct lowering *lowering = &step->lowering;
    for (int i = 0; lowering->input_at && i < node->input_count; i++)
        if (lowering->input_at[i] >= 0 && !executor->is_placed[node->inputs[i]] &&
            (!may_move(executor, node->inputs[i], node->outputs[0]) ||
             is_moved_twice(executor, step, i)))
            return false;
    for (int i = 0; lowering->output_at && i < node->output_count; i++)
        if (lowering->output_at[i] >= 0 &&
            (!may_view(executor, node->inputs[0], node->outputs[i]) ||
             executor->graph->tensor[executor->root[node->inputs[0]]]->data))
            return false;
    return true;
}

static void move_memory(struct executor *executor, int root, int output, long at)
{
    for (int i = 0; i < executor->graph->tensor_count; i++)
        if (executor->root[i] == root) {
            executor->root[i] = output;
            executor->behind[i] += (size_t)at;
        }
}

/* Room between rows, for a Concat; and which of its inputs made use of that. Where results are
 * looked at all of them have to be arrays. */
int share_offer(const struct executor *executor, struct step *step, struct error *error)
{
    const struct node *node = step->site.node;
    struct in_place_rows rows;
    if (node->output_count == 1 && node->outputs[0] >= 0 && !executor->setup.keeps_results &&
        in_place_rows(executor->graph, node->outputs[0], &rows))
        step->site.output_pitch = rows.pitch;
    if (!node_is(node, "Concat"))
        return OK;
    bool *is_placed =
        arena_take_array(step->site.arena, (size_t)node->input_count, sizeof *is_placed);
    for (int i = 0; is_placed && i < node->input_count; i++)
        is_placed[i] = node->inputs[i] >= 0 && executor->is_placed[node->inputs[i]];
    step->site.is_placed = is_placed;
    return is_placed ? OK : error_set(error, FAULT_ENVIRONMENT, "out of memory to run the graph");
}

void share_rows(struct executor *executor, int tensor)
{
    const int bytes = (int)element_bytes(executor->graph->tensor[tensor]->type.element, 1);
    struct in_place_rows rows;
    if (in_place_rows(executor->graph, tensor, &rows)) {
        executor->root[tensor] = rows.output;
        executor->behind[tensor] = (size_t)(rows.begin * bytes);
        executor->is_placed[tensor] = true;
    }
}

void share_rows_back(struct executor *executor, int tensor)
{
    executor->root[tensor] = tensor;
    executor->behind[tensor] = 0;
    executor->is_placed[tensor] = false;
}

void share_take(struct executor *executor, const struct step *step)
{
    const struct node *node = step->site.node;
    const struct lowering *lowering = &step->lowering;
    for (int i = 0; lowering->input_at && i < node->input_count; i++)
        if (lowering->input_at[i] >= 0 && !executor->is_placed[node->inputs[i]])
            move_memory(executor, executor->root[node->inputs[i]], node->outputs[0],
                        lowering->input_at[i]);
    for (int i = 0; lowering->output_at && i < node->output_count; i++)
        if (lowering->output_at[i] >= 0)
            share_view(executor, node->inputs[0], node->outputs[i], lowering->output_at[i]);
}
