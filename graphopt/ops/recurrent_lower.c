// recurrent_lower.c - LSTM, GRU and RNN as calls of kernels: one product for the inputs of all
// steps, then for each step one for its state, and chains for the gates.
//
// Gates lie one behind the other for all items of a batch, each as an array like the state, so that
// a chain does several of them at once. Products make them item by item: with several items they
// are transposed.
#include <stdio.h>

#include "epilogue.h"
#include "launches.h"
#include "recurrent.h"

struct plan {
    const struct site *site;
    struct lowering *lowering;
    struct error *error;
    struct recurrent sizes;
    struct cell cell; /* its activations alone */
    enum dtype dtype;
    bool resets_last;  /* GRU: the reset gate is applied to the product, not to the state */
    long gates, state; /* so many gates; elements of a state of all items */
    struct launch_operand product, swapped; /* of a state, as it is made and as gates lie */
    struct launch_operand gate;             /* behind their activations, but for the last one */
    struct launch_operand candidate, cell_state;
    struct launch_operand hidden; /* where Y is not wanted */
};

/* One direction of it. */
struct way {
    int direction;
    struct launch_operand projected; /* inputs of all steps: by step, gate and item */
    struct launch_operand h, c;      /* of the step before */
};

/* ---- launches ---- */

/* A step of a chain; `operand` is NULL where the step has none. */
struct link {
    const char *word;
    const struct launch_operand *operand;
};

static int add_chain(const struct plan *plan, long elements, struct launch_operand to,
                     struct launch_operand from, const struct link *links, int count)
{
    struct launch *launch =
        launches_add(plan->site, plan->lowering, "chain", plan->dtype, plan->error);
    if (!launch)
        return FAILED;
    launch_letter(launch, "rows", 1);
    launch_letter(launch, "columns", elements);
    bool is_known = launch_word(launch, "chain", "given");
    launch->operand[0] = to;
    launch->operand[1] = from;
    for (int i = 0, operand = 2; i < count; i++) {
        char letter[16];
        snprintf(letter, sizeof letter, "step%d", i + 1);
        is_known = is_known && launch_word(launch, letter, links[i].word);
        if (links[i].operand)
            launch->operand[operand++] = *links[i].operand;
    }
    return is_known ? OK
                    : error_skip(plan->error, "kernel 'chain' does not have the steps of a cell");
}

#define ADD_CHAIN(plan, elements, to, from, ...)                                                   \
    add_chain(plan, elements, to, from, (const struct link[]){__VA_ARGS__},                        \
              (int)(sizeof((const struct link[]){__VA_ARGS__}) / sizeof(struct link)))

static int add_copy(const struct plan *plan, struct launch_operand from, int output, int direction)
{
    if (node_output(plan->site->node, output) < 0)
        return OK;
    struct launch *launch =
        launches_add(plan->site, plan->lowering, "copy", plan->dtype, plan->error);
    if (!launch)
        return FAILED;
    launch_letter(launch, "n", plan->state);
    launch->operand[0] = operand_behind(of_output(output), direction * plan->state, plan->dtype);
    launch->operand[1] = from;
    return OK;
}

/* c = a b^T + bias: so many rows of b, and as many elements of a direction's part of input B. */
struct product {
    struct launch_operand c, a, b;
    bool is_turned; /* b is transposed already */
    long m, n, k, bias;
};

static int add_product(const struct plan *plan, int direction, const struct product *product)
{
    const long rows = plan->gates * plan->sizes.hidden;
    struct launch *launch =
        launches_add(plan->site, plan->lowering, "gemm", plan->dtype, plan->error);
    if (!launch)
        return FAILED;
    launch_letter(launch, "m", product->m);
    launch_letter(launch, "n", product->n);
    launch_letter(launch, "k", product->k);
    launch_letter(launch, "transb", !product->is_turned);
    launch->operand[0] = product->c;
    launch->operand[1] = product->a;
    launch->operand[2] = product->b;
    if (site_input(plan->site, INPUT_B)) {
        launch_letter(launch, "epilogue", EPILOGUE_bias);
        launch->operand[3] =
            operand_behind(of_input(INPUT_B), direction * 2 * rows + product->bias, plan->dtype);
    }
    return OK;
}

/* Gates of `steps` steps in the order in which they are used. */
static int add_swap(const struct plan *plan, long steps, long gates, struct launch_operand from,
                    struct launch_operand to)
{
    const long dims[4] = {steps, plan->sizes.batch, gates, plan->sizes.hidden};
    return launches_transpose(plan->site, plan->lowering, dims, "0213", from, to, plan->dtype,
                              plan->error);
}

/* ---- one step ---- */

/* Rows of the recurrent matrix, turned round where they are constant. */
struct rows {
    long first, count;
    struct launch_operand matrix;
    bool is_turned;
};

/* `gates` of the state's products with these rows, in the order in which they are used. */
static int multiply_state(const struct plan *plan, const struct way *way, const struct rows *rows,
                          struct launch_operand state, struct launch_operand *gates)
{
    const struct recurrent *sizes = &plan->sizes;
    const long count = rows->count / sizes->hidden;
    const struct product product = {.c = plan->product,
                                    .a = state,
                                    .b = rows->matrix,
                                    .is_turned = rows->is_turned,
                                    .m = sizes->batch,
                                    .n = rows->count,
                                    .k = sizes->hidden,
                                    .bias = plan->gates * sizes->hidden + rows->first};
    *gates = plan->product;
    int result = add_product(plan, way->direction, &product);
    if (result == OK && sizes->batch > 1 && count > 1) {
        *gates = plan->swapped;
        result = add_swap(plan, 1, count, plan->product, plan->swapped);
    }
    return result;
}

static struct launch_operand gate_behind(const struct plan *plan, struct launch_operand operand,
                                         long gates)
{
    return operand_behind(operand, gates * plan->state, plan->dtype);
}

static int step_rnn(const struct plan *plan, const struct way *way, const struct rows *rows,
                    struct launch_operand x, struct launch_operand h)
{
    struct launch_operand gates;
    const int result = multiply_state(plan, way, &rows[0], way->h, &gates);
    if (result != OK)
        return result;
    return ADD_CHAIN(plan, plan->state, h, gates, {"add_element", &x},
                     {plan->cell.activation[0].step, NULL});
}

/* h = (1 - z) n + z h is n + z (h - n). */
static int step_gru(const struct plan *plan, const struct way *way, const struct rows *rows,
                    struct launch_operand x, struct launch_operand h)
{
    const struct launch_operand z = plan->gate, r = gate_behind(plan, z, 1), n = plan->candidate;
    const struct launch_operand x_of_n = gate_behind(plan, x, 2);
    const char *const of_gates = plan->cell.activation[0].step;
    const char *const of_n = plan->cell.activation[1].step;
    struct launch_operand gates, last;
    int result = multiply_state(plan, way, &rows[0], way->h, &gates);
    if (result == OK)
        result = ADD_CHAIN(plan, 2 * plan->state, z, gates, {"add_element", &x}, {of_gates, NULL});
    if (result == OK && plan->resets_last) {
        result = ADD_CHAIN(plan, plan->state, n, gate_behind(plan, gates, 2), {"mul_element", &r},
                           {"add_element", &x_of_n}, {of_n, NULL});
    } else if (result == OK) {
        result = ADD_CHAIN(plan, plan->state, r, r, {"mul_element", &way->h});
        if (result == OK)
            result = multiply_state(plan, way, &rows[1], r, &last);
        if (result == OK)
            result = ADD_CHAIN(plan, plan->state, n, last, {"add_element", &x_of_n}, {of_n, NULL});
    }
    if (result != OK)
        return result;
    return ADD_CHAIN(plan, plan->state, h, way->h, {"sub_element", &n}, {"mul_element", &z},
                     {"add_element", &n});
}

/* Gates i, o, f at once, then c. */
static int step_lstm(const struct plan *plan, const struct way *way, const struct rows *rows,
                     struct launch_operand x, struct launch_operand h)
{
    const struct activation *activation = plan->cell.activation;
    const struct launch_operand i = plan->gate, o = gate_behind(plan, i, 1),
                                f = gate_behind(plan, i, 2), new = plan->candidate;
    const struct launch_operand x_of_c = gate_behind(plan, x, 3);
    struct launch_operand gates;
    int result = multiply_state(plan, way, &rows[0], way->h, &gates);
    if (result == OK)
        result = ADD_CHAIN(plan, 3 * plan->state, i, gates, {"add_element", &x},
                           {activation[0].step, NULL});
    if (result == OK)
        result =
            ADD_CHAIN(plan, plan->state, new, gate_behind(plan, gates, 3), {"add_element", &x_of_c},
                      {activation[1].step, NULL}, {"mul_element", &i});
    if (result == OK)
        result = ADD_CHAIN(plan, plan->state, plan->cell_state, f, {"mul_element", &way->c},
                           {"add_element", &new});
    if (result != OK)
        return result;
    return ADD_CHAIN(plan, plan->state, h, plan->cell_state, {activation[2].step, NULL},
                     {"mul_element", &o});
}

/* ---- one direction ---- */

/* What all gates get from the inputs, for all steps. */
static int project(const struct plan *plan, struct way *way)
{
    const struct recurrent *sizes = &plan->sizes;
    const long items = sizes->steps * sizes->batch, rows = plan->gates * sizes->hidden;
    const struct product product = {
        .c = launches_scratch(plan->lowering, items * rows, plan->dtype),
        .a = of_input(INPUT_X),
        .b = operand_behind(of_input(INPUT_W), way->direction * rows * sizes->inputs, plan->dtype),
        .m = items,
        .n = rows,
        .k = sizes->inputs};
    way->projected = product.c;
    int result = add_product(plan, way->direction, &product);
    if (result == OK && sizes->batch > 1 && plan->gates > 1) {
        way->projected = launches_scratch(plan->lowering, items * rows, plan->dtype);
        result = add_swap(plan, sizes->steps, plan->gates, product.c, way->projected);
    }
    return result;
}

/* The first state: an input, or zeros. */
static int begin_state(const struct plan *plan, const struct way *way, int input,
                       struct launch_operand *state)
{
    *state = operand_behind(of_input(input), way->direction * plan->state, plan->dtype);
    return site_input(plan->site, input)
               ? OK
               : launches_fill(plan->site, state, plan->state, 0, plan->dtype, plan->error);
}

/* These rows, which begin at that element of the input. Constant ones are turned round beforehand,
 * as the kernel would do it in each step. */
static int read_rows(const struct plan *plan, long at, struct rows *rows)
{
    const long n = rows->count, k = plan->sizes.hidden;
    const void *from = plan->site->input[INPUT_R].data;
    rows->matrix = operand_behind(of_input(INPUT_R), at, plan->dtype);
    rows->is_turned = from != NULL;
    if (!from)
        return OK;
    const int result = launches_fill(plan->site, &rows->matrix, n * k, 0, plan->dtype, plan->error);
    if (result != OK)
        return result;
    void *to = (void *)(uintptr_t)rows->matrix.constant; /* ours until now */
    for (long i = 0; i < n; i++)
        for (long j = 0; j < k; j++)
            real_put(to, plan->dtype, j * n + i, real_at(from, plan->dtype, at + i * k + j));
    return OK;
}

/* Which rows of the recurrent matrix meet the state together: all of them, or the last gate's by
 * themselves, as these meet the state behind the reset gate. */
static int split_rows(const struct plan *plan, const struct way *way, struct rows rows[2])
{
    const long hidden = plan->sizes.hidden, all = plan->gates * hidden;
    const bool apart = plan->sizes.kind == CELL_GRU && !plan->resets_last;
    rows[0] = (struct rows){.count = apart ? all - hidden : all};
    rows[1] = (struct rows){.first = rows[0].count, .count = all - rows[0].count};
    int result = OK;
    for (int i = 0; i < 2 && result == OK; i++)
        result = read_rows(plan, (way->direction * all + rows[i].first) * hidden, &rows[i]);
    return result;
}

typedef int step_function(const struct plan *plan, const struct way *way, const struct rows *rows,
                          struct launch_operand x, struct launch_operand h);

static int lower_direction(const struct plan *plan, int direction)
{
    static step_function *const functions[CELL_KINDS] = {
        [CELL_RNN] = step_rnn, [CELL_GRU] = step_gru, [CELL_LSTM] = step_lstm};
    const struct recurrent *sizes = &plan->sizes;
    const bool is_reverse = recurrent_is_reverse(plan->site->node, direction);
    struct way way = {.direction = direction};
    struct rows rows[2];
    int result = project(plan, &way);
    if (result == OK)
        result = begin_state(plan, &way, INPUT_H, &way.h);
    if (result == OK && sizes->kind == CELL_LSTM)
        result = begin_state(plan, &way, INPUT_C, &way.c);
    if (result == OK)
        result = split_rows(plan, &way, rows);
    for (long i = 0; i < sizes->steps && result == OK; i++) {
        const long step = is_reverse ? sizes->steps - 1 - i : i;
        const struct launch_operand h =
            node_output(plan->site->node, OUTPUT_Y) < 0
                ? plan->hidden
                : operand_behind(of_output(OUTPUT_Y),
                                 (step * sizes->directions + direction) * plan->state, plan->dtype);
        result = functions[sizes->kind](plan, &way, rows,
                                        gate_behind(plan, way.projected, step * plan->gates), h);
        way.h = h;
        way.c = plan->cell_state;
    }
    if (result == OK)
        result = add_copy(plan, way.h, OUTPUT_H, direction);
    return result == OK && sizes->kind == CELL_LSTM ? add_copy(plan, way.c, OUTPUT_C, direction)
                                                    : result;
}

/* ---- what the kernels do not do ---- */

/* Whether all sequences are as long as the longest may be. */
static bool are_whole(const struct site *site, long steps)
{
    const struct array *lengths = site_input(site, INPUT_LENGTHS);
    bool are = !lengths || lengths->data;
    for (long i = 0; lengths && are && i < type_elements(&lengths->type); i++)
        are = element_whole(lengths->data, lengths->type.element, i) == steps;
    return are;
}

static int check(const struct plan *plan, struct cell cells[2])
{
    const struct node *node = plan->site->node;
    const struct recurrent *sizes = &plan->sizes;
    enum { LAUNCHES_OF_STEP = 8 };
    if (sizes->is_batch_first && sizes->batch > 1)
        return error_skip(plan->error, "kernels have steps in front of items; layout is 1");
    if (!are_whole(plan->site, sizes->steps))
        return error_skip(plan->error, "sequences of several lengths have no kernel");
    if (site_input(plan->site, INPUT_P) || node_integer(node, "input_forget", 0) ||
        node_real(node, "clip", 0) > 0)
        return error_skip(plan->error, "peepholes, coupled gates and clip have no kernel");
    if (sizes->steps * plan->state == 0)
        return error_skip(plan->error, "there is nothing to compute");
    if (sizes->steps > LAUNCHES_MAX / LAUNCHES_OF_STEP / sizes->directions)
        return error_skip(plan->error, "%ld steps would take too many launches", sizes->steps);
    for (int i = 0; i < sizes->directions; i++) {
        cells[i] = (struct cell){.kind = sizes->kind};
        if (cell_read_activations(&cells[i], node, i, plan->error) != OK)
            return FAILED;
        for (int k = 0; k < cell_activations(sizes->kind); k++)
            if (!cells[i].activation[k].step)
                return error_skip(plan->error, "kernel 'chain' has no step like activation %d", k);
    }
    return OK;
}

int recurrent_lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    struct plan plan = {.site = site, .lowering = lowering, .error = error};
    struct cell cells[2];
    if (recurrent_read(site, &plan.sizes, error) != OK)
        return FAILED;
    if (element_dtype(site_type(site, INPUT_X).element, &plan.dtype, error) != OK)
        return SKIPPED;
    plan.gates = cell_gates(plan.sizes.kind);
    plan.state = plan.sizes.batch * plan.sizes.hidden;
    plan.resets_last = node_integer(site->node, "linear_before_reset", 0) != 0;
    int result = check(&plan, cells);
    if (result != OK)
        return result;
    plan.product = launches_scratch(lowering, plan.gates * plan.state, plan.dtype);
    plan.swapped = launches_scratch(lowering, plan.gates * plan.state, plan.dtype);
    plan.gate = launches_scratch(lowering, plan.gates * plan.state, plan.dtype);
    plan.candidate = launches_scratch(lowering, plan.state, plan.dtype);
    plan.cell_state = launches_scratch(lowering, plan.state, plan.dtype);
    plan.hidden = launches_scratch(lowering, plan.state, plan.dtype);
    for (int i = 0; i < plan.sizes.directions && result == OK; i++) {
        plan.cell = cells[i];
        result = lower_direction(&plan, i);
    }
    return result;
}
