// recurrent.c - LSTM, GRU and RNN over a sequence: types, directions, layouts, lengths.
#include "recurrent.h"

#include <math.h>
#include <string.h>

#include "operands.h"

/* Larger ones are refused: products with the gates stay far from the end of a long. */
static const long hidden_max = 1L << 40;

static enum cell_kind kind_of(const struct site *site)
{
    return *(const enum cell_kind *)site->node->op->detail;
}

/* ---- types ---- */

static long known_dim(const struct type *type, int dim)
{
    return type->rank > dim ? type->dims[dim] : -1;
}

static int read_directions(const struct node *node, struct recurrent *sizes, struct error *error)
{
    static const char *const words[] = {"forward", "reverse", "bidirectional", NULL};
    int which;
    if (word_read(node, "direction", words, &which, error) != OK)
        return FAILED;
    sizes->directions = which == 2 ? 2 : 1;
    return OK;
}

int recurrent_read(const struct site *site, struct recurrent *sizes, struct error *error)
{
    const struct node *node = site->node;
    const struct type x = site_type(site, INPUT_X), w = site_type(site, INPUT_W),
                      r = site_type(site, INPUT_R);
    *sizes = (struct recurrent){.kind = kind_of(site),
                                .is_batch_first = node_integer(node, "layout", 0) != 0};
    if (read_directions(node, sizes, error) != OK)
        return FAILED;
    const int of_steps = sizes->is_batch_first, of_batch = !of_steps;
    sizes->steps = known_dim(&x, of_steps);
    sizes->batch = known_dim(&x, of_batch);
    sizes->inputs = known_dim(&x, 2);
    if (x.rank == 3) {
        sizes->steps_symbol = x.symbol[of_steps];
        sizes->batch_symbol = x.symbol[of_batch];
    }
    if (sizes->inputs < 0)
        sizes->inputs = known_dim(&w, 2);
    sizes->hidden = node_integer(node, "hidden_size", known_dim(&r, 2));
    if (sizes->hidden < 0 && known_dim(&w, 1) >= 0)
        sizes->hidden = known_dim(&w, 1) / cell_gates(sizes->kind);
    if (sizes->hidden == 0 || sizes->hidden < -1 || sizes->hidden > hidden_max)
        return error_set(error, FAULT_IO, "hidden_size is %ld; it has to be at least 1",
                         sizes->hidden);
    return OK;
}

bool recurrent_is_reverse(const struct node *node, int index)
{
    return index == 1 || strcmp(node_text(node, "direction", "forward"), "reverse") == 0;
}

/* Input `i`, where it is there, has these dims (-1: any). */
static int check_dims(const struct site *site, int i, int rank, const long *dims,
                      struct error *error)
{
    static const char *const names[] = {"X",         "W",         "R", "B", "sequence_lens",
                                        "initial_h", "initial_c", "P"};
    const struct type type = site_type(site, i);
    if (type.rank < 0)
        return OK;
    bool fits = type.rank == rank;
    for (int d = 0; fits && d < rank; d++)
        fits = type.dims[d] < 0 || dims[d] < 0 || type.dims[d] == dims[d];
    if (fits)
        return OK;
    const struct type wanted = {.element = type.element,
                                .rank = rank,
                                .dims = {dims[0], rank > 1 ? dims[1] : 0, rank > 2 ? dims[2] : 0}};
    return error_set(error, FAULT_IO, "input %s is %s, it has to be %s", names[i],
                     type_format(site->graph, &type).text, type_format(site->graph, &wanted).text);
}

static int check_elements(const struct site *site, enum element *element, struct error *error)
{
    *element = ELEMENT_NONE;
    for (int i = 0; i < site->node->input_count; i++) {
        const enum element of_input = site_type(site, i).element;
        if (of_input == ELEMENT_NONE)
            continue;
        if (i == INPUT_LENGTHS && (of_input == ELEMENT_i32 || of_input == ELEMENT_i64))
            continue;
        if (i == INPUT_LENGTHS || !element_is_real(of_input) ||
            (*element != ELEMENT_NONE && *element != of_input))
            return error_set(
                error, FAULT_IO,
                "input %d has elements '%s'; all are of one kind of reals, lengths i32", i,
                element_name(of_input));
        *element = of_input;
    }
    return OK;
}

static int check_inputs(const struct site *site, const struct recurrent *sizes, struct error *error)
{
    const long directions = sizes->directions, hidden = sizes->hidden, batch = sizes->batch;
    const long rows = hidden < 0 ? -1 : cell_gates(sizes->kind) * hidden;
    const long first = sizes->is_batch_first ? batch : directions,
               second = sizes->is_batch_first ? directions : batch;
    const struct {
        int input, rank;
        long dims[3];
    } rules[] = {{INPUT_X, 3, {-1, -1, sizes->inputs}},
                 {INPUT_W, 3, {directions, rows, sizes->inputs}},
                 {INPUT_R, 3, {directions, rows, hidden}},
                 {INPUT_B, 2, {directions, rows < 0 ? -1 : 2 * rows}},
                 {INPUT_LENGTHS, 1, {batch}},
                 {INPUT_H, 3, {first, second, hidden}},
                 {INPUT_C, 3, {first, second, hidden}},
                 {INPUT_P, 2, {directions, hidden < 0 ? -1 : 3 * hidden}}};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (check_dims(site, rules[i].input, rules[i].rank, rules[i].dims, error) != OK)
            return FAILED;
    return OK;
}

static void set_dim(struct type *type, long dim, int symbol)
{
    type->dims[type->rank] = dim;
    type->symbol[type->rank++] = symbol;
}

/* Y with all steps, or a last state. */
static struct type type_of_output(const struct recurrent *sizes, enum element element,
                                  bool has_steps)
{
    struct type type = {.element = element, .rank = 0};
    if (sizes->is_batch_first)
        set_dim(&type, sizes->batch, sizes->batch_symbol);
    if (has_steps)
        set_dim(&type, sizes->steps, sizes->steps_symbol);
    set_dim(&type, sizes->directions, 0);
    if (!sizes->is_batch_first)
        set_dim(&type, sizes->batch, sizes->batch_symbol);
    set_dim(&type, sizes->hidden, 0);
    return type;
}

static int infer(struct site *site, struct error *error)
{
    struct recurrent sizes;
    struct cell cell = {.kind = kind_of(site)};
    enum element element;
    if (recurrent_read(site, &sizes, error) != OK || check_elements(site, &element, error) != OK ||
        check_inputs(site, &sizes, error) != OK)
        return FAILED;
    for (int i = 0; i < sizes.directions; i++)
        if (cell_read_activations(&cell, site->node, i, error) != OK)
            return FAILED;
    for (int i = 0; i < site->node->output_count; i++)
        site->output[i].type = type_of_output(&sizes, element, i == OUTPUT_Y);
    return OK;
}

/* ---- plain loops ---- */

/* Input `i` in double; NULL where it is absent. FAILED when memory is out. */
static int read_doubles(struct site *site, int i, const double **values, struct error *error)
{
    const struct array *input = site_input(site, i);
    *values = NULL;
    if (!input)
        return OK;
    const long count = type_elements(&input->type);
    double *copy = arena_take_array(site->arena, (size_t)count, sizeof *copy);
    if (!copy)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (long k = 0; k < count; k++)
        copy[k] = element_real(input->data, input->type.element, k);
    *values = copy;
    return OK;
}

/* Inputs in double, and where a sequence keeps its state. */
struct run {
    struct recurrent sizes;
    const double *input[INPUT_P + 1];
    double *h, *c, *work;
};

static int prepare(struct site *site, struct run *run, struct error *error)
{
    if (recurrent_read(site, &run->sizes, error) != OK)
        return FAILED;
    for (int i = 0; i <= INPUT_P; i++)
        if (i != INPUT_LENGTHS && read_doubles(site, i, &run->input[i], error) != OK)
            return FAILED;
    const size_t hidden = (size_t)run->sizes.hidden;
    run->h = arena_take_array(site->arena, (3 + CELL_GATES_MAX) * hidden, sizeof *run->h);
    if (!run->h)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    run->c = run->h + hidden;
    run->work = run->c + hidden;
    return OK;
}

static int cell_of(const struct site *site, const struct run *run, int direction, struct cell *cell,
                   struct error *error)
{
    const struct node *node = site->node;
    const struct recurrent *sizes = &run->sizes;
    const long rows = cell_gates(sizes->kind) * sizes->hidden;
    *cell = (struct cell){.kind = sizes->kind,
                          .inputs = sizes->inputs,
                          .hidden = sizes->hidden,
                          .w = run->input[INPUT_W] + direction * rows * sizes->inputs,
                          .r = run->input[INPUT_R] + direction * rows * sizes->hidden,
                          .clip = node_real(node, "clip", INFINITY),
                          .couples_input_forget = node_integer(node, "input_forget", 0) != 0,
                          .applies_reset_last = node_integer(node, "linear_before_reset", 0) != 0};
    if (run->input[INPUT_B]) {
        cell->bias_w = run->input[INPUT_B] + direction * 2 * rows;
        cell->bias_r = cell->bias_w + rows;
    }
    if (run->input[INPUT_P])
        cell->peepholes = run->input[INPUT_P] + direction * 3 * sizes->hidden;
    if (!(cell->clip > 0))
        cell->clip = INFINITY;
    return cell_read_activations(cell, node, direction, error);
}

/* Where a state of one direction and item starts, in arrays [directions, batch, hidden]. */
static long state_at(const struct recurrent *sizes, int direction, long item)
{
    const long place = sizes->is_batch_first ? item * sizes->directions + direction
                                             : direction * sizes->batch + item;
    return place * sizes->hidden;
}

static void load_state(const struct run *run, int input, long at, double *state)
{
    for (long j = 0; j < run->sizes.hidden; j++)
        state[j] = run->input[input] ? run->input[input][at + j] : 0;
}

static void store_state(struct site *site, int output, long at, long hidden, const double *state)
{
    if (output >= site->node->output_count || !site->output[output].data)
        return;
    const struct array *out = &site->output[output];
    for (long j = 0; j < hidden; j++)
        element_put_real(out->data, out->type.element, at + j, state[j]);
}

/* Steps of an item that count. */
static long length_of(const struct site *site, const struct recurrent *sizes, long item)
{
    const struct array *lengths = site_input(site, INPUT_LENGTHS);
    if (!lengths)
        return sizes->steps;
    const long length = element_whole(lengths->data, lengths->type.element, item);
    return length < 0 ? 0 : length > sizes->steps ? sizes->steps : length;
}

/* One sequence in one direction; what is behind its length stays 0. */
static void run_sequence(struct site *site, struct run *run, const struct cell *cell, int direction,
                         long item, bool is_reverse)
{
    const struct recurrent *sizes = &run->sizes;
    const long length = length_of(site, sizes, item), at = state_at(sizes, direction, item);
    load_state(run, INPUT_H, at, run->h);
    load_state(run, INPUT_C, at, run->c);
    for (long i = 0; i < length; i++) {
        const long step = is_reverse ? length - 1 - i : i;
        const long row =
            sizes->is_batch_first ? item * sizes->steps + step : step * sizes->batch + item;
        const long out = sizes->is_batch_first
                             ? row * sizes->directions + direction
                             : (step * sizes->directions + direction) * sizes->batch + item;
        cell_step(cell, run->input[INPUT_X] + row * sizes->inputs, run->h, run->c, run->work);
        store_state(site, OUTPUT_Y, out * sizes->hidden, sizes->hidden, run->h);
    }
    store_state(site, OUTPUT_H, at, sizes->hidden, run->h);
    store_state(site, OUTPUT_C, at, sizes->hidden, run->c);
}

static int evaluate(struct site *site, struct error *error)
{
    struct run run = {.h = NULL};
    if (prepare(site, &run, error) != OK)
        return FAILED;
    if (site->node->output_count > OUTPUT_Y && site->output[OUTPUT_Y].data)
        memset(site->output[OUTPUT_Y].data, 0, (size_t)type_bytes(&site->output[OUTPUT_Y].type));
    for (int direction = 0; direction < run.sizes.directions; direction++) {
        struct cell cell;
        if (cell_of(site, &run, direction, &cell, error) != OK)
            return FAILED;
        for (long item = 0; item < run.sizes.batch; item++)
            run_sequence(site, &run, &cell, direction, item,
                         recurrent_is_reverse(site->node, direction));
    }
    return OK;
}

static double flops(const struct site *site)
{
    struct recurrent sizes;
    struct error unused; /* inference has looked at them */
    if (recurrent_read(site, &sizes, &unused) != OK)
        return 0;
    return 2.0 * cell_gates(sizes.kind) * (double)sizes.hidden *
           (double)(sizes.hidden + sizes.inputs) * (double)sizes.steps * (double)sizes.batch *
           (double)sizes.directions;
}

static const struct attribute_rule attributes[] = {
    {"activation_alpha", ATTRIBUTE_REALS, false},  {"activation_beta", ATTRIBUTE_REALS, false},
    {"activations", ATTRIBUTE_TEXTS, false},       {"clip", ATTRIBUTE_REAL, false},
    {"direction", ATTRIBUTE_TEXT, false},          {"hidden_size", ATTRIBUTE_INT, false},
    {"input_forget", ATTRIBUTE_INT, false},        {"layout", ATTRIBUTE_INT, false},
    {"linear_before_reset", ATTRIBUTE_INT, false}, {0}};

#define RECURRENT(member, cell, most_inputs, most_outputs, formula)                                \
    static const enum cell_kind member##_kind = cell;                                              \
    const struct op onnx_##member##_op = {                                                         \
        .domain = "",                                                                              \
        .name = #member,                                                                           \
        .summary = formula,                                                                        \
        .inputs_min = 3,                                                                           \
        .inputs_max = most_inputs,                                                                 \
        .outputs_min = 0,                                                                          \
        .outputs_max = most_outputs,                                                               \
        .attributes = attributes,                                                                  \
        .infer = infer,                                                                            \
        .evaluate = evaluate,                                                                      \
        .lower = recurrent_lower,                                                                  \
        .flops = flops,                                                                            \
        .detail = &member##_kind,                                                                  \
    };
RECURRENT(RNN, CELL_RNN, 6, 2, "h = f(x W + h R + b), step by step")
RECURRENT(GRU, CELL_GRU, 6, 2, "h = (1 - z) g(x W + (r h) R + b) + z h, step by step")
RECURRENT(LSTM, CELL_LSTM, 8, 3, "c = f c + i g(x W + h R + b), h = o tanh(c), step by step")
