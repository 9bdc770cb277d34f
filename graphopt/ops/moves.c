// moves.c - data that moves: by plain loops, and by the kernels that fit.
#include "moves.h"

#include <string.h>

#include "launches.h"

enum {
    KERNEL_DIMS = 4,   /* of kernel 'transpose' */
    TWO_STEP_DIMS = 6, /* 720 orders are tried */
};

void move_dim(struct move *move, long dim, long step)
{
    move->dims[move->rank] = dim;
    move->steps[move->rank++] = step;
}

struct move move_broadcast(const struct type *from, const struct type *to)
{
    long strides[RANK_MAX];
    struct move move = {0};
    broadcast_strides(from, to, strides);
    for (int i = 0; i < to->rank; i++)
        move_dim(&move, to->dims[i], strides[i]);
    return move;
}

struct move move_whole(long elements)
{
    return (struct move){.rank = 1, .dims = {elements}, .steps = {1}};
}

static long move_elements(const struct move *move)
{
    long product = 1;
    for (int i = 0; i < move->rank; i++)
        product *= move->dims[i];
    return product;
}

/* Without dims of 1, and those merged that the input has side by side. */
static struct move simplify(const struct move *from)
{
    struct move move = {.base = from->base};
    for (int i = 0; i < from->rank; i++) {
        const int last = move.rank - 1;
        if (from->dims[i] == 1)
            continue;
        if (last >= 0 && move.steps[last] == from->steps[i] * from->dims[i]) {
            move.dims[last] *= from->dims[i];
            move.steps[last] = from->steps[i];
        } else {
            move_dim(&move, from->dims[i], from->steps[i]);
        }
    }
    return move;
}

/* ---- plain loops ---- */

/* Element j of those smaller than a byte. */
static void copy_packed(uint8_t *out, long i, const uint8_t *in, long j, int bits)
{
    const long per_byte = 8 / bits;
    const int ones = (1 << bits) - 1, to = (int)(i % per_byte) * bits;
    const int value = in[j / per_byte] >> (int)(j % per_byte) * bits & ones;
    out[i / per_byte] = (uint8_t)((out[i / per_byte] & ~(ones << to)) | value << to);
}

void elements_copy(void *out, long i, const void *in, long j, long count, enum element element)
{
    const int bits = element_bits(element);
    const size_t bytes = (size_t)bits / 8;
    if (bits == 0)
        return;
    if (bits >= 8 && count > 0)
        memcpy((char *)out + (size_t)i * bytes, (const char *)in + (size_t)j * bytes,
               (size_t)count * bytes);
    for (long k = 0; bits < 8 && k < count; k++)
        copy_packed(out, i + k, in, j + k, bits);
}

void element_clear(void *out, long i, enum element element)
{
    static const struct text blank = {"", 0}, zeros = {NULL, 0}; /* no element is longer */
    elements_copy(out, i, element == ELEMENT_text ? &blank : &zeros, 0, 1, element);
}

void elements_fill(void *out, long count, const void *value, enum element element)
{
    /* Whole bytes first, then what is there once more, and so on. */
    const long bits = element_bits(element), least = bits < 8 ? 8 / bits : 1;
    long done = 0;
    for (; done < least && done < count; done++)
        elements_copy(out, done, value, 0, 1, element);
    for (long some; done < count; done += some) {
        some = done < count - done ? done : count - done;
        elements_copy(out, done, out, 0, some, element);
    }
}

/* `count` elements that are `step` apart. */
static void copy_steps(void *out, long i, const void *in, long j, long count, long step,
                       enum element element)
{
    const uint32_t *in_words = in;
    uint32_t *out_words = out;
    if (step == 1)
        elements_copy(out, i, in, j, count, element);
    else if (element_bits(element) == 32)
        for (long k = 0; k < count; k++)
            out_words[i + k] = in_words[j + k * step];
    else
        for (long k = 0; k < count; k++)
            elements_copy(out, i + k, in, j + k * step, 1, element);
}

void move_evaluate(const struct move *move, struct array *out, const struct array *in)
{
    const struct move simple = simplify(move);
    const int inner = simple.rank - 1;
    const long run = inner >= 0 ? simple.dims[inner] : 1;
    const long total = move_elements(&simple);
    long at[MOVE_DIMS_MAX] = {0}, from = simple.base;
    for (long i = 0; i < total; i += run) {
        copy_steps(out->data, i, in->data, from, run, inner >= 0 ? simple.steps[inner] : 1,
                   out->type.element);
        for (int k = inner - 1; k >= 0; k--) {
            from += simple.steps[k];
            if (++at[k] < simple.dims[k])
                break;
            from -= simple.steps[k] * simple.dims[k];
            at[k] = 0;
        }
    }
}

/* ---- kernels ---- */

int element_moved_dtype(enum element element, enum dtype *dtype, struct error *error)
{
    const int bits = element_bits(element);
    if (bits != 32 && bits != 64)
        return error_skip(error, "kernels have no elements of the size of '%s'",
                          element_name(element));
    *dtype = bits == 32 ? DTYPE_f32 : DTYPE_f64;
    return OK;
}

/* What a move is lowered from and to. */
struct plan {
    const struct site *site;
    struct lowering *lowering;
    enum dtype dtype;
    struct launch_operand out, in;
    struct error *error;
};

static struct launch *start(const struct plan *plan, const char *kernel)
{
    struct launch *launch =
        launches_add(plan->site, plan->lowering, kernel, plan->dtype, plan->error);
    if (!launch)
        return NULL;
    launch->operand[0] = plan->out;
    launch->operand[1] = plan->in;
    return launch;
}

/* An output of the graph cannot be an input's memory. */
static bool joins_ends(const struct site *site, int output)
{
    struct tensor *const *tensor = site->graph->tensor;
    const int made = node_output(site->node, output);
    return made >= 0 && tensor[site->node->inputs[0]]->producer < 0 &&
           tensor_is_output(tensor[made]);
}

/* What lies in one piece of an input that is made while the graph runs needs no memory of its own,
 * where it begins on a line. */
static bool is_part(const struct plan *plan, const struct move *move, int input, int output)
{
    const struct site *site = plan->site;
    const bool is_piece = move->rank == 0 || (move->rank == 1 && move->steps[0] == 1);
    return is_piece && !site->is_apart && site->graph && input == 0 && !site->input[0].data &&
           move->base * dtype_bytes(plan->dtype) % LINE_BYTES == 0 && !joins_ends(site, output);
}

static int lower_part(const struct plan *plan, const struct move *move, int output)
{
    struct lowering *lowering = plan->lowering;
    if (!lowering->output_at)
        lowering->output_at = lowering_places(plan->site, plan->site->node->output_count);
    if (!lowering->output_at)
        return error_set(plan->error, FAULT_ENVIRONMENT, "out of memory");
    lowering->output_at[output] = move->base * dtype_bytes(plan->dtype);
    return OK;
}

/* Rows of one length at one distance. */
static bool find_rows(const struct move *move, long *rows, long *length, long *distance)
{
    const bool has_runs = move->rank > 0 && move->steps[move->rank - 1] == 1;
    *length = has_runs ? move->dims[move->rank - 1] : 1;
    if (move->rank != 1 + has_runs)
        return false;
    *rows = move->dims[0];
    *distance = move->steps[0];
    return *distance > *length;
}

static int lower_rows(const struct plan *plan, long rows, long length, long distance)
{
    struct launch *launch = start(plan, "join");
    if (!launch)
        return FAILED;
    launch_letter(launch, "rows", rows);
    launch_letter(launch, "n1", length);
    launch_letter(launch, "from", distance);
    return OK;
}

/* What kernel 'tile' does. */
struct tiling {
    long outer_repeats, outer, inner_repeats, inner;
};

/* [outer_repeats, outer, inner_repeats, inner], any of which may be missing. */
static bool find_tiling(const struct move *move, struct tiling *tiling)
{
    int i = move->rank - 1;
    *tiling = (struct tiling){1, 1, 1, 1};
    if (i >= 0 && move->steps[i] == 1)
        tiling->inner = move->dims[i--];
    if (i >= 0 && move->steps[i] == 0)
        tiling->inner_repeats = move->dims[i--];
    if (i >= 0 && move->steps[i] == tiling->inner)
        tiling->outer = move->dims[i--];
    if (i >= 0 && move->steps[i] == 0)
        tiling->outer_repeats = move->dims[i--];
    return i < 0;
}

static int lower_tiling(const struct plan *plan, const struct tiling *tiling)
{
    const bool is_copy = tiling->inner_repeats == 1 && tiling->outer_repeats == 1;
    struct launch *launch = start(plan, is_copy ? "copy" : "tile");
    if (!launch)
        return FAILED;
    if (is_copy) {
        launch_letter(launch, "n", tiling->outer * tiling->inner);
        return OK;
    }
    launch_letter(launch, "inner", tiling->inner);
    launch_letter(launch, "inner_repeats", tiling->inner_repeats);
    launch_letter(launch, "outer", tiling->outer);
    launch_letter(launch, "outer_repeats", tiling->outer_repeats);
    return OK;
}

/* The dims of the input, outermost first, as places in the output's order; false where the move is
 * no reordering of a dense array. */
static bool find_order(const struct move *move, int order[MOVE_DIMS_MAX])
{
    for (int i = 0; i < move->rank; i++) {
        int k = i;
        for (; k > 0 && move->steps[order[k - 1]] < move->steps[i]; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    long step = 1;
    for (int i = move->rank - 1; i >= 0; i--) {
        if (move->steps[order[i]] != step)
            return false;
        step *= move->dims[order[i]];
    }
    return true;
}

static int lower_transpose(const struct plan *plan, const struct move *move)
{
    static const char *const letters[] = {"d0", "d1", "d2", "d3"};
    const int shift = KERNEL_DIMS - move->rank;
    char perm[KERNEL_DIMS + 1] = "0123";
    int order[MOVE_DIMS_MAX] = {0};
    find_order(move, order);
    struct launch *launch = start(plan, "transpose");
    if (!launch)
        return FAILED;
    for (int i = 0; i < move->rank; i++) {
        perm[shift + order[i]] = (char)('0' + shift + i);
        launch_letter(launch, letters[shift + i], move->dims[order[i]]);
    }
    launch_word(launch, "perm", perm);
    return OK;
}

static void swap(int *a, int *b)
{
    const int kept = *a;
    *a = *b;
    *b = kept;
}

/* The next of the orders of `count` numbers; false after the last one. */
static bool order_next(int *order, int count)
{
    int i = count - 2, k = count - 1;
    while (i >= 0 && order[i] > order[i + 1])
        i--;
    if (i < 0)
        return false;
    while (order[k] < order[i])
        k--;
    swap(&order[i], &order[k]);
    for (int low = i + 1, high = count - 1; low < high; low++, high--)
        swap(&order[low], &order[high]);
    return true;
}

/* A move by way of an array that has the dims in another order. */
static void split_move(const struct move *move, const int *order, struct move *first,
                       struct move *second)
{
    long step = 1;
    *first = (struct move){.rank = move->rank};
    *second = *move;
    for (int i = move->rank - 1; i >= 0; i--) {
        first->dims[i] = move->dims[order[i]];
        first->steps[i] = move->steps[order[i]];
        second->steps[order[i]] = step;
        step *= move->dims[order[i]];
    }
    *first = simplify(first);
    *second = simplify(second);
}

/* Orders of more dims than the kernel has as two that it can, where there are such. */
static bool find_two_steps(const struct move *move, struct move *first, struct move *second)
{
    int order[TWO_STEP_DIMS];
    if (move->rank > TWO_STEP_DIMS)
        return false;
    for (int i = 0; i < move->rank; i++)
        order[i] = i;
    do {
        split_move(move, order, first, second);
        if (first->rank <= KERNEL_DIMS && second->rank <= KERNEL_DIMS)
            return true;
    } while (order_next(order, move->rank));
    return false;
}

static int lower_two_steps(const struct plan *plan, const struct move *first,
                           const struct move *second)
{
    const struct launch_operand between =
        launches_scratch(plan->lowering, move_elements(first), plan->dtype);
    struct plan to = *plan, from = *plan;
    to.out = between;
    from.in = between;
    return lower_transpose(&to, first) == OK ? lower_transpose(&from, second) : FAILED;
}

long common_divisor(long a, long b)
{
    while (b) {
        const long rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

/* Runs of the output as rows of a table, whose indices are known now. */
static int lower_gather(const struct plan *plan, const struct move *move, long in_elements)
{
    struct error *const error = plan->error;
    const int inner = move->rank - 1;
    const bool has_runs = inner >= 0 && move->steps[inner] == 1;
    long columns = common_divisor(has_runs ? move->dims[inner] : 1, in_elements);
    columns = common_divisor(columns, move->base);
    for (int i = 0; i < inner + !has_runs; i++)
        columns = common_divisor(columns, move->steps[i]);
    const long count = move_elements(move) / columns;
    if (count > MOVE_INDICES_MAX)
        return error_skip(error,
                          "it would take kernel 'gather' %ld indices to move it; at most %d "
                          "are kept",
                          count, MOVE_INDICES_MAX);
    int32_t *indices = arena_take_array(plan->site->arena, (size_t)count, sizeof *indices);
    if (!indices)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    struct move rows = *move;
    if (has_runs) {
        rows.dims[inner] /= columns;
        rows.steps[inner] = columns;
    }
    long at[MOVE_DIMS_MAX] = {0}, from = rows.base;
    for (long i = 0; i < count; i++) {
        indices[i] = (int32_t)(from / columns);
        for (int k = inner; k >= 0; k--) {
            from += rows.steps[k];
            if (++at[k] < rows.dims[k])
                break;
            from -= rows.steps[k] * rows.dims[k];
            at[k] = 0;
        }
    }
    struct launch *launch = start(plan, "gather");
    if (!launch)
        return FAILED;
    launch->operand[1].offset_bytes = 0; /* the indices count from the input's begin */
    launch->operand[2] = of_constant(indices);
    launch_letter(launch, "rows", in_elements / columns);
    launch_letter(launch, "columns", columns);
    launch_letter(launch, "count", count);
    return OK;
}

int move_lower(const struct site *site, struct lowering *lowering, const struct move *move,
               int input, int output, struct error *error)
{
    const long in_elements = type_elements(&site->input[input].type);
    struct plan plan = {.site = site, .lowering = lowering, .error = error};
    struct tiling tiling;
    struct move first, second;
    long rows, length, distance;
    int order[MOVE_DIMS_MAX] = {0};
    if (element_moved_dtype(site->output[output].type.element, &plan.dtype, error) != OK)
        return SKIPPED;
    if (move_elements(move) == 0 || in_elements == 0)
        return error_skip(error, "there is nothing to move");
    plan.out = of_output(output);
    plan.in = operand_behind(of_input(input), move->base, plan.dtype);
    const struct move simple = simplify(move);
    if (is_part(&plan, &simple, input, output))
        return lower_part(&plan, &simple, output);
    if (find_tiling(&simple, &tiling))
        return lower_tiling(&plan, &tiling);
    if (find_rows(&simple, &rows, &length, &distance))
        return lower_rows(&plan, rows, length, distance);
    const bool is_dense = find_order(&simple, order);
    if (is_dense && simple.rank <= KERNEL_DIMS)
        return lower_transpose(&plan, &simple);
    if (is_dense && find_two_steps(&simple, &first, &second))
        return lower_two_steps(&plan, &first, &second);
    return lower_gather(&plan, &simple, in_elements);
}

int found_evaluate(struct site *site, move_find *find, struct error *error)
{
    struct move move;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    if (find(site, &move, error) != OK)
        return FAILED;
    move_evaluate(&move, &site->output[0], &site->input[0]);
    return OK;
}

int found_lower(const struct site *site, struct lowering *lowering, move_find *find,
                struct error *error)
{
    struct move move;
    if (find(site, &move, error) != OK)
        return FAILED;
    return move_lower(site, lowering, &move, 0, 0, error);
}

/* ---- views ---- */

int view_evaluate(struct site *site, struct error *error)
{
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    const struct array *out = &site->output[0];
    elements_copy(out->data, 0, site->input[0].data, 0, type_elements(&out->type),
                  out->type.element);
    return OK;
}

int view_lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct move move = move_whole(type_elements(&site->output[0].type));
    return move_lower(site, lowering, &move, 0, 0, error);
}
