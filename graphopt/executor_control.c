// executor_control.c - If, Loop and Scan: all members walk through the subgraphs, member 0 decides
// and moves what goes in and comes out.
#include <limits.h>
#include <string.h>

#include "executor_parts.h"

static int out_of_memory(struct executor *executor)
{
    return error_set(&executor->error, FAULT_ENVIRONMENT, "out of memory in a subgraph");
}

static int block_of(const struct node *node, const char *attribute)
{
    return node_attribute(node, attribute)->block;
}

/* A copy in that arena, through *copy. Texts stay where they are. */
static int copy_array(struct executor *executor, struct arena *arena, const struct array *from,
                      struct array *copy)
{
    *copy = *from;
    copy->data = arena_copy(arena, from->data, (size_t)type_bytes(&from->type));
    return copy->data ? OK : out_of_memory(executor);
}

static struct array *value_of(const struct executor *executor, int tensor)
{
    return &executor->value[tensor];
}

/* The truth of tensor `i`, which has one element. */
static bool truth_of(const struct executor *executor, int tensor)
{
    const struct array *value = value_of(executor, tensor);
    return type_elements(&value->type) > 0 && element_whole(value->data, value->type.element, 0);
}

/* ---- If ---- */

static int walk_if(struct walker *walker, const struct step *step)
{
    struct executor *executor = walker->executor;
    const struct node *node = step->site.node;
    const bool decides = walker->member.index == 0 && !executor->failed_at;
    bool yes;
    if (walker_agree(walker, decides && truth_of(executor, node->inputs[0]), &yes) != OK)
        return FAILED;
    const int id = block_of(node, yes ? "then_branch" : "else_branch");
    if (walk_block(walker, id) != OK)
        return FAILED;
    walker->is_apart = true;
    const struct block *block = executor->graph->block[id];
    for (int i = 0; i < node->output_count; i++)
        if (walker->member.index == 0 && !executor->failed_at && node->outputs[i] >= 0 &&
            copy_array(executor, executor->found, value_of(executor, block->outputs[i]),
                       value_of(executor, node->outputs[i])) != OK)
            walker_fail(walker);
    return OK;
}

/* ---- Loop and Scan ---- */

/* What member 0 knows of the turns. */
struct turns {
    struct executor *executor;
    const struct node *node;
    const struct block *block;
    bool is_scan;
    int before;          /* inputs of node and block in front of the states: count, condition */
    int skipped;         /* outputs of the block in front of the states: the condition */
    int states, stacked; /* results that go into the next turn, and that are stacked */
    long at, most;       /* turns done, and to be done */
    bool goes_on;
    struct arena carried[2]; /* states of even and of odd turns */
    struct arena found;      /* what one turn finds */
    struct arena kept;       /* what is to be stacked, and `state` */
    struct arena *outer;
    struct array *state;
    struct array **results; /* by turn: what it adds to the stacks */
    long results_room;
};

static int complain(struct turns *turns, const char *what)
{
    return error_set(&turns->executor->error, FAULT_IO, "%s: %s",
                     node_label(turns->executor->graph, turns->node).text, what);
}

/* Axis `i` of a list, 0 where there is none; of an array of that rank. */
static int axis_of(struct turns *turns, const char *attribute, int i, int rank, int *axis)
{
    int count;
    const long *axes = node_integers(turns->node, attribute, &count);
    return axis_resolve(axes && i < count ? axes[i] : 0, rank, axis, &turns->executor->error);
}

static bool is_backward(const struct turns *turns, const char *attribute, int i)
{
    int count;
    const long *directions = node_integers(turns->node, attribute, &count);
    return directions && i < count && directions[i] == 1;
}

/* How many slices there are to scan: all inputs have as many, as inference has seen. */
static int count_slices(struct turns *turns)
{
    for (int i = turns->states; i < turns->node->input_count; i++) {
        const struct type *type = &value_of(turns->executor, turns->node->inputs[i])->type;
        int axis;
        if (axis_of(turns, "scan_input_axes", i - turns->states, type->rank, &axis) != OK)
            return FAILED;
        if (i > turns->states && type->dims[axis] != turns->most)
            return complain(turns, "its inputs have different numbers of steps");
        turns->most = type->dims[axis];
    }
    return OK;
}

static int turns_open(struct turns *turns)
{
    struct executor *executor = turns->executor;
    const struct node *node = turns->node;
    turns->most = LONG_MAX;
    turns->goes_on = true;
    turns->outer = executor->found;
    if (turns->is_scan && count_slices(turns) != OK)
        return FAILED;
    if (!turns->is_scan && node_input(node, 0) >= 0) {
        const struct array *count = value_of(executor, node->inputs[0]);
        turns->most = element_whole(count->data, count->type.element, 0);
    }
    if (!turns->is_scan && node_input(node, 1) >= 0)
        turns->goes_on = truth_of(executor, node->inputs[1]);
    turns->state = arena_take_array(&turns->kept, (size_t)turns->states + 1, sizeof *turns->state);
    if (!turns->state)
        return out_of_memory(executor);
    for (int i = 0; i < turns->states; i++)
        if (copy_array(executor, &turns->carried[0],
                       value_of(executor, node->inputs[turns->before + i]), &turns->state[i]) != OK)
            return FAILED;
    return OK;
}

/* Gives input `i` of the block a value. Its steps count on the type, where it is known. */
static int give(struct turns *turns, int i, const struct array *value)
{
    const int tensor = turns->block->inputs[i];
    struct type claimed = turns->executor->graph->tensor[tensor]->type;
    if (type_merge(&claimed, &value->type) != OK)
        return complain(turns, "a state has other dimensions than its subgraph says");
    *value_of(turns->executor, tensor) = *value;
    return OK;
}

/* A whole number or a truth as one element, under the dims that the block asks for. */
static int give_number(struct turns *turns, int i, enum element element, long number)
{
    const struct type *wanted = &turns->executor->graph->tensor[turns->block->inputs[i]]->type;
    struct array value = {.type = {.element = element, .rank = 0}};
    if (wanted->rank == 1) {
        value.type.rank = 1;
        value.type.dims[0] = 1;
    }
    value.data = arena_take(&turns->found, sizeof(int64_t));
    if (!value.data)
        return out_of_memory(turns->executor);
    element_put_whole(value.data, element, 0, number);
    return give(turns, i, &value);
}

/* Copies slice `at` of `count` between a slice by itself and an array that has them along `axis`.
 */
static void move_slice(const struct array *whole, void *slice, int axis, long at, bool is_in)
{
    const enum element element = whole->type.element;
    const long outer = type_product(&whole->type, 0, axis), count = whole->type.dims[axis];
    const long inner = type_product(&whole->type, axis + 1, whole->type.rank);
    const size_t bytes = element_bytes(element, inner);
    for (long i = 0; i < outer; i++) {
        char *of_whole = (char *)whole->data + (size_t)(i * count + at) * bytes;
        char *of_slice = (char *)slice + (size_t)i * bytes;
        memcpy(is_in ? of_whole : of_slice, is_in ? of_slice : of_whole, bytes);
    }
}

/* The slice of scanned input `i` for this turn. */
static int give_slice(struct turns *turns, int i)
{
    const int input = turns->states + i;
    const struct array *whole = value_of(turns->executor, turns->node->inputs[input]);
    struct array slice = {.type = {.element = whole->type.element, .rank = whole->type.rank - 1}};
    int axis;
    if (axis_of(turns, "scan_input_axes", i, whole->type.rank, &axis) != OK)
        return FAILED;
    for (int d = 0; d < slice.type.rank; d++)
        slice.type.dims[d] = whole->type.dims[d < axis ? d : d + 1];
    slice.data = arena_take(&turns->found, (size_t)type_bytes(&slice.type));
    if (!slice.data)
        return out_of_memory(turns->executor);
    const bool is_backward_ = is_backward(turns, "scan_input_directions", i);
    move_slice(whole, slice.data, axis, is_backward_ ? turns->most - 1 - turns->at : turns->at,
               false);
    return give(turns, input, &slice);
}

/* What the block gets for this turn. */
static int turn_begin(struct turns *turns)
{
    arena_reset(&turns->found);
    turns->executor->found = &turns->found;
    if (!turns->is_scan && (give_number(turns, 0, ELEMENT_i64, turns->at) != OK ||
                            give_number(turns, 1, ELEMENT_bool, turns->goes_on) != OK))
        return FAILED;
    for (int i = 0; i < turns->states; i++)
        if (give(turns, turns->before + i, &turns->state[i]) != OK)
            return FAILED;
    for (int i = 0; turns->is_scan && turns->states + i < turns->node->input_count; i++)
        if (give_slice(turns, i) != OK)
            return FAILED;
    return OK;
}

/* Room for the results of one more turn. */
static int grow_results(struct turns *turns)
{
    if (turns->at < turns->results_room)
        return OK;
    const long room = turns->results_room ? 2 * turns->results_room : 16;
    struct array **results = arena_take_array(&turns->kept, (size_t)room, sizeof *results);
    if (!results)
        return out_of_memory(turns->executor);
    if (turns->at)
        memcpy(results, turns->results, (size_t)turns->at * sizeof *results);
    turns->results = results;
    turns->results_room = room;
    return OK;
}

/* What the block has made in this turn. */
static int turn_end(struct turns *turns)
{
    struct executor *executor = turns->executor;
    const int *outputs = turns->block->outputs;
    struct arena *next = &turns->carried[(turns->at + 1) % 2];
    if (turns->skipped)
        turns->goes_on = truth_of(executor, outputs[0]);
    arena_reset(next);
    for (int i = 0; i < turns->states; i++)
        if (copy_array(executor, next, value_of(executor, outputs[turns->skipped + i]),
                       &turns->state[i]) != OK)
            return FAILED;
    if (grow_results(turns) != OK)
        return FAILED;
    struct array *result =
        arena_take_array(&turns->kept, (size_t)turns->stacked + 1, sizeof *result);
    if (!result)
        return out_of_memory(executor);
    for (int i = 0; i < turns->stacked; i++)
        if (copy_array(executor, &turns->kept,
                       value_of(executor, outputs[turns->skipped + turns->states + i]),
                       &result[i]) != OK)
            return FAILED;
    turns->results[turns->at++] = result;
    return OK;
}

/* Result `i` of all turns along an axis. */
static int stack(struct turns *turns, int i, struct array *whole)
{
    const struct executor *executor = turns->executor;
    const int output = turns->block->outputs[turns->skipped + turns->states + i];
    struct type step =
        turns->at ? turns->results[0][i].type : executor->graph->tensor[output]->type;
    int axis;
    if (step.rank < 0)
        step.rank = 0; /* nothing is known of what was never made */
    if (step.rank == RANK_MAX || element_bits(step.element) < 8)
        return complain(turns, "results of such a type cannot be stacked");
    if (axis_of(turns, "scan_output_axes", i, step.rank + 1, &axis) != OK)
        return FAILED;
    whole->type = (struct type){.element = step.element, .rank = step.rank + 1};
    for (int d = 0; d < step.rank; d++)
        whole->type.dims[d < axis ? d : d + 1] = step.dims[d] < 0 ? 0 : step.dims[d];
    whole->type.dims[axis] = turns->at;
    whole->data = arena_take(turns->outer, (size_t)type_bytes(&whole->type));
    if (!whole->data)
        return out_of_memory(turns->executor);
    for (long t = 0; t < turns->at; t++) {
        if (!type_equal(&turns->results[t][i].type, &step))
            return complain(turns, "results of its steps have different dimensions");
        const bool turned = is_backward(turns, "scan_output_directions", i);
        move_slice(whole, turns->results[t][i].data, axis, turned ? turns->at - 1 - t : t, true);
    }
    return OK;
}

static int turns_deliver(struct turns *turns)
{
    struct executor *executor = turns->executor;
    const struct node *node = turns->node;
    executor->found = turns->outer;
    for (int i = 0; i < turns->states; i++)
        if (node->outputs[i] >= 0 && copy_array(executor, turns->outer, &turns->state[i],
                                                value_of(executor, node->outputs[i])) != OK)
            return FAILED;
    for (int i = 0; i < turns->stacked; i++)
        if (node->outputs[turns->states + i] >= 0 &&
            stack(turns, i, value_of(executor, node->outputs[turns->states + i])) != OK)
            return FAILED;
    return OK;
}

static void turns_close(struct turns *turns)
{
    turns->executor->found = turns->outer;
    arena_free(&turns->carried[0]);
    arena_free(&turns->carried[1]);
    arena_free(&turns->found);
    arena_free(&turns->kept);
}

/* Member 0 does what is asked for, unless there was a fault before. */
static void by_first(struct walker *walker, struct turns *turns, int (*task)(struct turns *))
{
    walker->is_apart = true;
    if (walker->member.index == 0 && !walker->executor->failed_at && task(turns) != OK)
        walker_fail(walker);
}

static int walk_turns(struct walker *walker, const struct step *step, struct turns *turns)
{
    int result = OK;
    if (walker->member.index == 0)
        turns->outer = walker->executor->found;
    by_first(walker, turns, turns_open);
    for (;;) {
        bool goes_on;
        result = walker_agree(walker, turns->goes_on && turns->at < turns->most, &goes_on);
        if (result != OK || !goes_on)
            break;
        by_first(walker, turns, turn_begin);
        result = walk_block(walker, block_of(step->site.node, "body"));
        if (result != OK)
            break;
        by_first(walker, turns, turn_end);
    }
    if (result == OK)
        by_first(walker, turns, turns_deliver);
    if (walker->member.index == 0)
        turns_close(turns);
    return result;
}

int walk_control(struct walker *walker, const struct step *step)
{
    const struct node *node = step->site.node;
    if (node_is(node, "If"))
        return walk_if(walker, step);
    struct turns turns = {.executor = walker->executor, .node = node};
    turns.block = walker->executor->graph->block[block_of(node, "body")];
    turns.is_scan = node_is(node, "Scan");
    turns.before = turns.is_scan ? 0 : 2;
    turns.skipped = turns.is_scan ? 0 : 1;
    turns.states = turns.is_scan ? node->input_count - (int)node_integer(node, "num_scan_inputs", 0)
                                 : (node->input_count > 2 ? node->input_count - 2 : 0);
    turns.stacked = node->output_count - turns.states;
    return walk_turns(walker, step, &turns);
}
