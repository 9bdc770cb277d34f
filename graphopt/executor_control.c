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

/* The array's texts move to that arena: where they are, a turn's are gone after it. */
static int copy_texts(struct executor *executor, struct arena *arena, const struct array *array)
{
    struct text *text = array->data;
    const long count = array->type.element == ELEMENT_text ? type_elements(&array->type) : 0;
    for (long i = 0; i < count; i++) {
        text[i].bytes = text[i].length ? arena_copy(arena, text[i].bytes, text[i].length + 1) : "";
        if (!text[i].bytes)
            return out_of_memory(executor);
    }
    return OK;
}

/* A copy in that arena, through *copy. */
static int copy_array(struct executor *executor, struct arena *arena, const struct array *from,
                      struct array *copy)
{
    *copy = *from;
    copy->data = arena_copy(arena, from->data, (size_t)type_bytes(&from->type));
    return copy->data ? copy_texts(executor, arena, copy) : out_of_memory(executor);
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
    bool is_batched; /* a Scan before opset 9: all steps of the first of a batch, then the next */
    int first;       /* inputs of the node in front of the states: count and condition; lengths */
    int before;      /* inputs of the block in front of the states: count and condition */
    int skipped;     /* outputs of the block in front of the states: the condition */
    int states, stacked; /* results that go into the next turn, and that are stacked */
    long at, most;       /* turns done, and to be done */
    long steps;          /* of one of a batch */
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
    const int scanned = turns->first + turns->states;
    for (int i = scanned; i < turns->node->input_count; i++) {
        const struct type *type = &value_of(turns->executor, turns->node->inputs[i])->type;
        int axis;
        if (axis_of(turns, "scan_input_axes", i - scanned, type->rank, &axis) != OK)
            return FAILED;
        if (turns->is_batched && type->rank < 2)
            return complain(turns, "what is scanned has no batch and steps");
        const long count = turns->is_batched ? type->dims[0] * type->dims[1] : type->dims[axis];
        if (i > scanned && count != turns->most)
            return complain(turns, "its inputs have different numbers of steps");
        turns->most = count;
        turns->steps = turns->is_batched ? type->dims[1] : count;
    }
    return OK;
}

/* A Scan before opset 9 has lengths, of which only that all are whole is carried out, and
 * directions. */
static int check_batched(struct turns *turns)
{
    const struct node *node = turns->node;
    int count;
    const long *directions = node_integers(node, "directions", &count);
    for (int i = 0; directions && i < count; i++)
        if (directions[i] != 0)
            return complain(turns, "backward steps are not carried out before opset 9");
    if (node->inputs[0] < 0)
        return OK;
    const struct array *lengths = value_of(turns->executor, node->inputs[0]);
    for (long i = 0; i < type_elements(&lengths->type); i++)
        if (element_whole(lengths->data, lengths->type.element, i) != turns->steps)
            return complain(turns, "lengths within a batch are not carried out before opset 9");
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
    if (turns->is_batched && check_batched(turns) != OK)
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
    for (int i = 0; i < turns->states && !turns->is_batched; i++)
        if (copy_array(executor, &turns->carried[0],
                       value_of(executor, node->inputs[turns->first + i]), &turns->state[i]) != OK)
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

/* A new array with slice `at` along an axis. */
static int take_slice(struct turns *turns, const struct array *whole, int axis, long at,
                      struct array *slice)
{
    *slice = (struct array){.type = {.element = whole->type.element}};
    slice->type.rank = whole->type.rank - 1;
    for (int d = 0; d < slice->type.rank; d++)
        slice->type.dims[d] = whole->type.dims[d < axis ? d : d + 1];
    slice->data = arena_take(&turns->found, (size_t)type_bytes(&slice->type));
    if (!slice->data)
        return out_of_memory(turns->executor);
    move_slice(whole, slice->data, axis, at, false);
    return OK;
}

/* With the first two dims as one. */
static struct array merged_batch(struct array whole)
{
    whole.type.dims[1] *= whole.type.dims[0];
    for (int d = 1; d < whole.type.rank; d++)
        whole.type.dims[d - 1] = whole.type.dims[d];
    whole.type.rank--;
    return whole;
}

/* The slice of scanned input `i` for this turn. */
static int give_slice(struct turns *turns, int i)
{
    const int input = turns->first + turns->states + i;
    struct array whole = *value_of(turns->executor, turns->node->inputs[input]), slice;
    int axis;
    if (turns->is_batched)
        whole = merged_batch(whole);
    if (axis_of(turns, "scan_input_axes", i, whole.type.rank, &axis) != OK)
        return FAILED;
    const bool turned = is_backward(turns, "scan_input_directions", i);
    return take_slice(turns, &whole, axis, turned ? turns->most - 1 - turns->at : turns->at,
                      &slice) == OK
               ? give(turns, turns->states + i, &slice)
               : FAILED;
}

/* The states that the next of a batch begins with. */
static int take_states(struct turns *turns)
{
    for (int i = 0; i < turns->states; i++) {
        const int input = turns->node->inputs[turns->first + i];
        if (take_slice(turns, value_of(turns->executor, input), 0, turns->at / turns->steps,
                       &turns->state[i]) != OK)
            return FAILED;
    }
    return OK;
}

/* What the block gets for this turn. */
static int turn_begin(struct turns *turns)
{
    arena_reset(&turns->found);
    turns->executor->found = &turns->found;
    if (!turns->is_scan && (give_number(turns, 0, ELEMENT_i64, turns->at) != OK ||
                            give_number(turns, 1, ELEMENT_bool, turns->goes_on) != OK))
        return FAILED;
    if (turns->is_batched && turns->at % turns->steps == 0 && take_states(turns) != OK)
        return FAILED;
    for (int i = 0; i < turns->states; i++)
        if (give(turns, turns->before + i, &turns->state[i]) != OK)
            return FAILED;
    for (int i = 0; turns->is_scan && turns->states + i < turns->block->input_count; i++)
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
    const size_t results = (size_t)turns->states + (size_t)turns->stacked + 1;
    struct array *result = arena_take_array(&turns->kept, results, sizeof *result);
    if (!result)
        return out_of_memory(executor);
    for (int i = 0; i < turns->states && turns->is_batched; i++)
        if (copy_array(executor, &turns->kept, &turns->state[i], &result[turns->stacked + i]) != OK)
            return FAILED;
    for (int i = 0; i < turns->stacked; i++)
        if (copy_array(executor, &turns->kept,
                       value_of(executor, outputs[turns->skipped + turns->states + i]),
                       &result[i]) != OK)
            return FAILED;
    turns->results[turns->at++] = result;
    return OK;
}

/* The type of `count` results like one along an axis. */
static int stack_type(struct turns *turns, const struct type *one, long count, int axis,
                      struct array *whole)
{
    whole->type = (struct type){.element = one->element, .rank = one->rank + 1};
    for (int d = 0; d < one->rank; d++) /* what was never made has no elements */
        whole->type.dims[d < axis ? d : d + 1] = one->dims[d] < 0 ? 0 : one->dims[d];
    whole->type.dims[axis] = count;
    whole->data = arena_take(turns->outer, (size_t)type_bytes(&whole->type));
    return whole->data ? OK : out_of_memory(turns->executor);
}

/* Result `i` of every `every`th turn along an axis; `output` is the block's that it was. */
static int stack(struct turns *turns, int i, int output, long every, struct array *whole)
{
    const struct executor *executor = turns->executor;
    struct type one = turns->at ? turns->results[0][i].type
                                : executor->graph->tensor[turns->block->outputs[output]]->type;
    int axis;
    if (one.rank < 0)
        one.rank = 0;
    if (one.rank == RANK_MAX || element_bits(one.element) < 8)
        return complain(turns, "results of such a type cannot be stacked");
    if (axis_of(turns, "scan_output_axes", i, one.rank + 1, &axis) != OK)
        return FAILED;
    const long count = turns->at / every;
    if (stack_type(turns, &one, count, axis, whole) != OK)
        return FAILED;
    const bool turned = is_backward(turns, "scan_output_directions", i);
    for (long t = 0; t < count; t++) {
        const struct array *result = &turns->results[(t + 1) * every - 1][i];
        if (!type_equal(&result->type, &one))
            return complain(turns, "results of its steps have different dimensions");
        move_slice(whole, result->data, axis, turned ? count - 1 - t : t, true);
    }
    return copy_texts(turns->executor, turns->outer, whole);
}

/* Batch and steps as two dims again. */
static int split_batch(struct turns *turns, struct array *whole)
{
    if (whole->type.rank == RANK_MAX)
        return complain(turns, "its results have too many dimensions");
    for (int d = whole->type.rank++; d > 1; d--)
        whole->type.dims[d] = whole->type.dims[d - 1];
    whole->type.dims[1] = turns->steps;
    whole->type.dims[0] /= turns->steps ? turns->steps : 1;
    return OK;
}

static int deliver_state(struct turns *turns, int i, struct array *value)
{
    if (!turns->is_batched)
        return copy_array(turns->executor, turns->outer, &turns->state[i], value);
    return stack(turns, turns->stacked + i, i, turns->steps ? turns->steps : 1, value);
}

static int turns_deliver(struct turns *turns)
{
    struct executor *executor = turns->executor;
    const struct node *node = turns->node;
    executor->found = turns->outer;
    for (int i = 0; i < turns->states; i++)
        if (node->outputs[i] >= 0 &&
            deliver_state(turns, i, value_of(executor, node->outputs[i])) != OK)
            return FAILED;
    for (int i = 0; i < turns->stacked; i++) {
        const int tensor = node->outputs[turns->states + i];
        if (tensor < 0)
            continue;
        struct array *value = value_of(executor, tensor);
        if (stack(turns, i, turns->skipped + turns->states + i, 1, value) != OK ||
            (turns->is_batched && split_batch(turns, value) != OK))
            return FAILED;
    }
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
    turns.is_batched = turns.is_scan && node->opset < 9;
    turns.first = turns.is_scan ? turns.is_batched : 2;
    turns.before = turns.is_scan ? 0 : 2;
    turns.skipped = turns.is_scan ? 0 : 1;
    const int scanned = turns.is_scan ? (int)node_integer(node, "num_scan_inputs", 0) : 0;
    turns.states = node->input_count - turns.first - scanned;
    if (turns.states < 0) /* a Loop with neither count nor condition */
        turns.states = 0;
    turns.stacked = node->output_count - turns.states;
    return walk_turns(walker, step, &turns);
}
