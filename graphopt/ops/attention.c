// attention.c - Attention (opset 23 on): softmax(q k' scale + bias) v for every head, in plain
// loops.
#include "attention.h"

#include <math.h>

#include "expand.h"
#include "operands.h"

/* ---- types ---- */

/* Heads and size of an input of 4 dims, or of 3 with the attribute that says its heads. */
static int read_heads(const struct site *site, int i, const char *attribute, long *heads,
                      long *length, long *size, struct error *error)
{
    const struct type type = site_type(site, i);
    *heads = node_integer(site->node, attribute, -1);
    *length = *size = -1;
    if (type.rank == 4) {
        *heads = type.dims[1];
        *length = type.dims[2];
        *size = type.dims[3];
        return OK;
    }
    if (type.rank != 3)
        return type.rank < 0
                   ? OK
                   : error_set(error, FAULT_IO, "input %d has %d dimensions; it takes 3 or 4", i,
                               type.rank);
    if (*heads < 1)
        return error_set(error, FAULT_IO,
                         "attribute '%s' has to be at least 1 where inputs have 3 dimensions",
                         attribute);
    if (type.dims[2] >= 0 && type.dims[2] % *heads != 0)
        return error_set(error, FAULT_IO, "input %d has rows of %ld elements for %ld heads", i,
                         type.dims[2], *heads);
    *length = type.dims[1];
    *size = type.dims[2] < 0 ? -1 : type.dims[2] / *heads;
    return OK;
}

/* Makes them equal where one is unknown. */
static int agree(long *a, long b, const char *what, struct error *error)
{
    if (*a < 0)
        *a = b;
    if (b >= 0 && *a != b)
        return error_set(error, FAULT_IO, "the inputs do not agree about %s: %ld and %ld", what, *a,
                         b);
    return OK;
}

/* Past keys and values, [batch, heads, past, size]. */
static int read_past(const struct site *site, struct attention *attention, struct error *error)
{
    const struct array *key = site_input(site, ATTENTION_PAST_KEY),
                       *value = site_input(site, ATTENTION_PAST_VALUE);
    attention->past = 0;
    if (!key != !value)
        return error_set(error, FAULT_IO,
                         "past_key and past_value are given together or not at all");
    if (!key)
        return OK;
    if (site_input(site, ATTENTION_LENGTHS))
        return error_set(error, FAULT_IO, "nonpad_kv_seqlen does not go with past_key");
    attention->past = -1;
    for (int i = 0; i < 2; i++) {
        const struct type *type = i ? &value->type : &key->type;
        long *size = i ? &attention->value_size : &attention->size;
        if (type->rank < 0)
            continue;
        if (type->rank != 4)
            return error_set(error, FAULT_IO, "past_%s has %d dimensions, not 4",
                             i ? "value" : "key", type->rank);
        if (agree(&attention->batch, type->dims[0], "the batch", error) != OK ||
            agree(&attention->kv_heads, type->dims[1], "the heads of keys", error) != OK ||
            agree(&attention->past, type->dims[2], "the past", error) != OK ||
            agree(size, type->dims[3], "the size of a head", error) != OK)
            return FAILED;
    }
    return OK;
}

static int check_window(const struct node *node, struct error *error)
{
    if (node_integer(node, "left_window_size", -1) < -1 ||
        node_integer(node, "right_window_size", -1) < -1)
        return error_set(error, FAULT_IO, "a window's size is -1 (no end) or a number of keys");
    return OK;
}

static int read_dims(const struct site *site, struct attention *attention, struct error *error)
{
    const struct type q = site_type(site, ATTENTION_Q), k = site_type(site, ATTENTION_K),
                      v = site_type(site, ATTENTION_V);
    long heads, length, size;
    if ((k.rank >= 0 && q.rank >= 0 && k.rank != q.rank) ||
        (v.rank >= 0 && q.rank >= 0 && v.rank != q.rank))
        return error_set(error, FAULT_IO,
                         "q, k and v have %d, %d and %d dimensions; all have 3 "
                         "or all 4",
                         q.rank, k.rank, v.rank);
    attention->is_flat = q.rank == 3 || k.rank == 3 || v.rank == 3;
    attention->batch = -1;
    for (int i = ATTENTION_Q; i <= ATTENTION_V; i++) {
        const struct type type = site_type(site, i);
        if (type.rank > 0 && agree(&attention->batch, type.dims[0], "the batch", error) != OK)
            return FAILED;
    }
    if (read_heads(site, ATTENTION_Q, "q_num_heads", &attention->q_heads, &attention->queries,
                   &attention->size, error) != OK ||
        read_heads(site, ATTENTION_K, "kv_num_heads", &attention->kv_heads, &attention->incoming,
                   &size, error) != OK ||
        agree(&attention->size, size, "the size of a head", error) != OK ||
        read_heads(site, ATTENTION_V, "kv_num_heads", &heads, &length, &attention->value_size,
                   error) != OK ||
        agree(&attention->kv_heads, heads, "the heads of keys", error) != OK ||
        agree(&attention->incoming, length, "the length of keys", error) != OK)
        return FAILED;
    if (q.rank > 0) {
        attention->batch_symbol = q.symbol[0];
        attention->queries_symbol = q.symbol[q.rank - 2];
    }
    return OK;
}

/* Products of sizes stay within a long, also beside one of 0 that hides them in a type. */
static int check_sizes(const struct attention *attention, struct error *error)
{
    const long of_q[] = {attention->batch, attention->q_heads, attention->queries, attention->keys};
    const long of_k[] = {attention->batch, attention->kv_heads, attention->keys,
                         attention->size > attention->value_size ? attention->size
                                                                 : attention->value_size};
    double scores = 1, values = 1;
    for (int i = 0; i < 4; i++) {
        scores *= of_q[i] > 0 ? (double)of_q[i] : 1;
        values *= of_k[i] > 0 ? (double)of_k[i] : 1;
    }
    const double width = (double)attention->q_heads * (double)attention->value_size;
    if (scores > (double)ELEMENTS_MAX || values > (double)ELEMENTS_MAX ||
        width > (double)ELEMENTS_MAX)
        return error_set(error, FAULT_IO,
                         "it is too large: %ld heads of %ld queries and %ld keys, %ld items",
                         attention->q_heads, attention->queries, attention->keys, attention->batch);
    return OK;
}

int attention_read(const struct site *site, struct attention *attention, struct error *error)
{
    *attention = (struct attention){.keys = -1};
    if (check_window(site->node, error) != OK || read_dims(site, attention, error) != OK ||
        read_past(site, attention, error) != OK)
        return FAILED;
    const long q_heads = attention->q_heads, kv_heads = attention->kv_heads;
    if (q_heads >= 0 && kv_heads >= 0 && (kv_heads == 0 || q_heads % kv_heads != 0))
        return error_set(error, FAULT_IO,
                         "%ld heads of queries cannot be shared out to %ld of keys", q_heads,
                         kv_heads);
    if (attention->past >= 0 && attention->incoming >= 0)
        attention->keys = attention->past + attention->incoming;
    return check_sizes(attention, error);
}

static int check_mask(const struct site *site, const struct attention *attention,
                      struct error *error)
{
    const struct type mask = site_type(site, ATTENTION_MASK);
    const long dims[4] = {attention->batch, attention->q_heads, attention->queries,
                          attention->keys};
    if (mask.rank < 0)
        return OK;
    bool fits = mask.rank >= 1 && mask.rank <= 4;
    for (int i = 0; fits && i < mask.rank; i++) {
        const long of_mask = mask.dims[i], wanted = dims[i + 4 - mask.rank];
        if (i == mask.rank - 1) /* may have fewer keys */
            fits = of_mask < 0 || wanted < 0 || of_mask <= wanted;
        else
            fits = of_mask < 0 || of_mask == 1 || wanted < 0 || of_mask == wanted;
    }
    if (!fits)
        return error_set(
            error, FAULT_IO,
            "mask %s does not broadcast to batch %ld, heads %ld, queries %ld, keys %ld",
            type_format(site->graph, &mask).text, dims[0], dims[1], dims[2], dims[3]);
    return OK;
}

static int check_lengths(const struct site *site, const struct attention *attention,
                         struct error *error)
{
    const struct type lengths = site_type(site, ATTENTION_LENGTHS);
    if (lengths.rank < 0 || (lengths.rank == 1 && (lengths.dims[0] < 0 || attention->batch < 0 ||
                                                   lengths.dims[0] == attention->batch)))
        return OK;
    return error_set(error, FAULT_IO,
                     "nonpad_kv_seqlen is %s; it has one number for each of the "
                     "batch's %ld items",
                     type_format(site->graph, &lengths).text, attention->batch);
}

static struct type type_of_output(const struct attention *attention, int output,
                                  enum element element)
{
    const long hidden = attention->q_heads < 0 || attention->value_size < 0
                            ? -1
                            : attention->q_heads * attention->value_size;
    struct type type = {.element = element, .rank = 4, .dims = {attention->batch}};
    type.symbol[0] = attention->batch_symbol;
    if (output == ATTENTION_Y && attention->is_flat) {
        type.rank = 3;
        type.dims[1] = attention->queries;
        type.symbol[1] = attention->queries_symbol;
        type.dims[2] = hidden;
        return type;
    }
    const bool is_present = output == ATTENTION_PRESENT_KEY || output == ATTENTION_PRESENT_VALUE;
    type.dims[1] = is_present ? attention->kv_heads : attention->q_heads;
    type.dims[2] = is_present ? attention->keys : attention->queries;
    type.symbol[2] = is_present ? 0 : attention->queries_symbol;
    type.dims[3] = output == ATTENTION_PRESENT_KEY ? attention->size
                   : output == ATTENTION_SCORES    ? attention->keys
                                                   : attention->value_size;
    return type;
}

/* Keys are as queries, values may be others, and the past is as what it goes before. */
static int check_elements(const struct site *site, struct error *error)
{
    static const int pairs[][2] = {{ATTENTION_Q, ATTENTION_K},
                                   {ATTENTION_K, ATTENTION_PAST_KEY},
                                   {ATTENTION_V, ATTENTION_PAST_VALUE}};
    for (int i = ATTENTION_Q; i <= ATTENTION_V; i++) {
        const enum element element = site_type(site, i).element;
        if (element != ELEMENT_NONE && !element_is_real(element))
            return error_set(error, FAULT_IO, "input %d has elements '%s'; it takes reals", i,
                             element_name(element));
    }
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (elements_agree(site_type(site, pairs[i][0]).element,
                           site_type(site, pairs[i][1]).element, error) != OK)
            return FAILED;
    return OK;
}

static int infer(struct site *site, struct error *error)
{
    struct attention attention;
    if (attention_read(site, &attention, error) != OK ||
        check_mask(site, &attention, error) != OK || check_lengths(site, &attention, error) != OK ||
        check_elements(site, error) != OK)
        return FAILED;
    const enum element element = site_type(site, ATTENTION_Q).element;
    const enum element of_value = site_type(site, ATTENTION_V).element;
    const int rank = site_type(site, ATTENTION_Q).rank;
    for (int i = 0; i < site->node->output_count; i++) {
        const enum element of_output = i == ATTENTION_PRESENT_VALUE ? of_value : element;
        site->output[i].type = type_of_output(&attention, i, of_output);
        if (i == ATTENTION_Y && rank < 0 && !attention.is_flat &&
            site_type(site, ATTENTION_K).rank < 0 && site_type(site, ATTENTION_V).rank < 0) {
            site->output[i].type = UNKNOWN_TYPE;
            site->output[i].type.element = of_output;
        }
    }
    return OK;
}

/* ---- bias ---- */

struct bias attention_bias(const struct site *site, const struct attention *attention)
{
    const struct node *node = site->node;
    struct bias bias = {.mask = site_input(site, ATTENTION_MASK),
                        .lengths = site_input(site, ATTENTION_LENGTHS),
                        .is_causal = node_integer(node, "is_causal", 0) != 0,
                        .left = node_integer(node, "left_window_size", -1),
                        .right = node_integer(node, "right_window_size", -1),
                        .queries = attention->queries,
                        .past = attention->past};
    if (!bias.mask)
        return bias;
    const struct type *mask = &bias.mask->type;
    struct type whole = {.element = mask->element,
                         .rank = 4,
                         .dims = {attention->batch, attention->q_heads, attention->queries}};
    whole.dims[3] = bias.mask_keys = mask->dims[mask->rank - 1];
    long stride[RANK_MAX];
    broadcast_strides(mask, &whole, stride);
    for (int i = 0; i < 4; i++)
        bias.mask_stride[i] = stride[i];
    return bias;
}

static bool is_hidden(const struct bias *bias, long batch, long query, long key)
{
    const long length =
        bias->lengths ? element_whole(bias->lengths->data, bias->lengths->type.element, batch) : 0;
    /* Keys in front of the first query; a length can be any number. */
    const double offset =
        bias->lengths ? (double)length - (double)bias->queries : (double)bias->past;
    const double place = offset + (double)query;
    return (bias->lengths && key >= length) || (bias->is_causal && (double)key > place) ||
           (bias->left >= 0 && (double)key < place - (double)bias->left) ||
           (bias->right >= 0 && (double)key > place + (double)bias->right);
}

double bias_at(const struct bias *bias, long batch, long head, long query, long key)
{
    if (is_hidden(bias, batch, query, key) || (bias->mask && key >= bias->mask_keys))
        return -INFINITY;
    if (!bias->mask)
        return 0;
    const long at = batch * bias->mask_stride[0] + head * bias->mask_stride[1] +
                    query * bias->mask_stride[2] + key * bias->mask_stride[3];
    const double value = element_real(bias->mask->data, bias->mask->type.element, at);
    return bias->mask->type.element != ELEMENT_bool ? value : value != 0 ? 0 : -INFINITY;
}

double attention_scale(const struct site *site, const struct attention *attention)
{
    const double fallback = attention->size > 0 ? 1 / sqrt((double)attention->size) : 1;
    return node_real(site->node, "scale", fallback);
}

/* ---- plain loops ---- */

/* Strides of batch, head and row of an operand; elements of a row are neighbours. */
struct rows {
    const struct array *array;
    long batch, head, row;
};

static struct rows rows_of(const struct array *array, bool is_flat, long heads, long length,
                           long size)
{
    return (struct rows){array, heads * length * size, is_flat ? size : length * size,
                         is_flat ? heads * size : size};
}

/* Keys or values [batch, kv_heads, keys, size], past and incoming, in double. */
static double *gather(struct site *site, const struct attention *attention, int input, int past,
                      long size)
{
    const long heads = attention->kv_heads, keys = attention->keys;
    const long total = attention->batch * heads * keys * size;
    double *all = arena_take_array(site->arena, (size_t)total, sizeof *all);
    const struct rows old = rows_of(site_input(site, past), false, heads, attention->past, size);
    const struct rows new =
        rows_of(site_input(site, input), attention->is_flat, heads, attention->incoming, size);
    for (long i = 0; all && i < total; i++) {
        const long column = i % size, key = i / size % keys, head = i / size / keys % heads,
                   batch = i / size / keys / heads;
        const struct rows *rows = key < attention->past ? &old : &new;
        const long row = key < attention->past ? key : key - attention->past;
        all[i] = element_real(rows->array->data, rows->array->type.element,
                              batch * rows->batch + head * rows->head + row * rows->row + column);
    }
    return all;
}

struct run {
    struct attention sizes;
    struct bias bias;
    struct rows q, y;
    const double *key, *value;
    double scale, cap;
    long mode; /* of the scores that are an output */
    double *score;
};

static void put_scores(struct site *site, const struct run *run, long at, long stage)
{
    if (site->node->output_count <= ATTENTION_SCORES || run->mode != stage)
        return;
    const struct array *out = &site->output[ATTENTION_SCORES];
    for (long j = 0; out->data && j < run->sizes.keys; j++)
        element_put_real(out->data, out->type.element, at + j, run->score[j]);
}

/* A row without a key that is seen is 0. */
static void softmax(double *score, long count, bool sees_any)
{
    double largest = -INFINITY, sum = 0;
    for (long j = 0; j < count; j++)
        largest = score[j] > largest || isnan(score[j]) ? score[j] : largest;
    for (long j = 0; j < count; j++)
        sum += exp(score[j] - largest);
    for (long j = 0; j < count; j++)
        score[j] = sees_any ? exp(score[j] - largest) / sum : 0;
}

static void attend(struct site *site, struct run *run, long batch, long head, long query)
{
    const struct attention *sizes = &run->sizes;
    const long kv = batch * sizes->kv_heads + head / (sizes->q_heads / sizes->kv_heads);
    const double *key = run->key + kv * sizes->keys * sizes->size;
    const double *value = run->value + kv * sizes->keys * sizes->value_size;
    const long from = batch * run->q.batch + head * run->q.head + query * run->q.row;
    const long to = batch * run->y.batch + head * run->y.head + query * run->y.row;
    const long at = ((batch * sizes->q_heads + head) * sizes->queries + query) * sizes->keys;
    bool sees_any = false;
    for (long j = 0; j < sizes->keys; j++) {
        double sum = 0;
        for (long d = 0; d < sizes->size; d++)
            sum += element_real(run->q.array->data, run->q.array->type.element, from + d) *
                   key[j * sizes->size + d];
        run->score[j] = run->scale * sum;
    }
    put_scores(site, run, at, 0);
    for (long j = 0; j < sizes->keys && run->cap > 0; j++)
        run->score[j] = run->cap * tanh(run->score[j] / run->cap);
    put_scores(site, run, at, 1);
    for (long j = 0; j < sizes->keys; j++) {
        const double bias = bias_at(&run->bias, batch, head, query, j);
        run->score[j] += bias;
        sees_any = sees_any || bias != -INFINITY;
    }
    put_scores(site, run, at, 2);
    softmax(run->score, sizes->keys, sees_any);
    put_scores(site, run, at, 3);
    for (long d = 0; d < sizes->value_size; d++) {
        double sum = 0;
        for (long j = 0; j < sizes->keys; j++)
            sum += run->score[j] * value[j * sizes->value_size + d];
        element_put_real(run->y.array->data, run->y.array->type.element, to + d, sum);
    }
}

static void put_present(struct site *site, int output, const double *values)
{
    if (site->node->output_count <= output || !site->output[output].data)
        return;
    const struct array *out = &site->output[output];
    const long count = type_elements(&out->type);
    for (long i = 0; i < count; i++)
        element_put_real(out->data, out->type.element, i, values[i]);
}

static int prepare(struct site *site, struct run *run, struct error *error)
{
    struct attention *sizes = &run->sizes;
    if (attention_read(site, sizes, error) != OK)
        return FAILED;
    const long size = sizes->size, value_size = sizes->value_size;
    run->bias = attention_bias(site, sizes);
    run->q =
        rows_of(&site->input[ATTENTION_Q], sizes->is_flat, sizes->q_heads, sizes->queries, size);
    run->y = rows_of(&site->output[ATTENTION_Y], sizes->is_flat, sizes->q_heads, sizes->queries,
                     value_size);
    run->key = gather(site, sizes, ATTENTION_K, ATTENTION_PAST_KEY, size);
    run->value = gather(site, sizes, ATTENTION_V, ATTENTION_PAST_VALUE, value_size);
    run->score = arena_take_array(site->arena, (size_t)sizes->keys, sizeof *run->score);
    run->scale = attention_scale(site, sizes);
    run->cap = node_real(site->node, "softcap", 0);
    run->mode = node_integer(site->node, "qk_matmul_output_mode", 0);
    if (!run->key || !run->value || !run->score)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    return OK;
}

static int evaluate(struct site *site, struct error *error)
{
    struct run run;
    if (prepare(site, &run, error) != OK)
        return FAILED;
    put_present(site, ATTENTION_PRESENT_KEY, run.key);
    put_present(site, ATTENTION_PRESENT_VALUE, run.value);
    const long heads = run.sizes.q_heads, queries = run.sizes.queries;
    const long rows = run.sizes.batch * heads * queries;
    for (long i = 0; i < rows; i++)
        attend(site, &run, i / queries / heads, i / queries % heads, i % queries);
    return OK;
}

static double flops(const struct site *site)
{
    struct attention sizes;
    struct error unused; /* inference has looked at them */
    if (attention_read(site, &sizes, &unused) != OK)
        return 0;
    return 2 * (double)sizes.batch * (double)sizes.q_heads * (double)sizes.queries *
           (double)sizes.keys * (double)(sizes.size + sizes.value_size);
}

static const struct attribute_rule attributes[] = {{"is_causal", ATTRIBUTE_INT, false},
                                                   {"kv_num_heads", ATTRIBUTE_INT, false},
                                                   {"left_window_size", ATTRIBUTE_INT, false},
                                                   {"q_num_heads", ATTRIBUTE_INT, false},
                                                   {"qk_matmul_output_mode", ATTRIBUTE_INT, false},
                                                   {"right_window_size", ATTRIBUTE_INT, false},
                                                   {"scale", ATTRIBUTE_REAL, false},
                                                   {"softcap", ATTRIBUTE_REAL, false},
                                                   {"softmax_precision", ATTRIBUTE_INT, false},
                                                   {0}};

/* Of inputs of 4 dims, without past and windows: what a pass makes. */
static int expand(const struct site *site, struct graph *own, struct error *error)
{
    const int *inputs = own->block[0]->inputs;
    const enum element element = site->input[ATTENTION_Q].type.element;
    struct attention sizes;
    if (attention_read(site, &sizes, error) != OK)
        return FAILED;
    if (sizes.is_flat || sizes.q_heads != sizes.kv_heads ||
        node_integer(site->node, "is_causal", 0))
        return error_set(error, FAULT_USAGE,
                         "only attention of 4 dims has a form in ONNX's "
                         "older operators");
    const int turned = expand_swap(own, inputs[ATTENTION_K], 4, error);
    int scores = turned < 0 ? -1 : expand_node(own, "MatMul", inputs[ATTENTION_Q], turned, error);
    scores = expand_real(own, "Mul", scores, element, attention_scale(site, &sizes), error);
    if (site_input(site, ATTENTION_MASK))
        scores = expand_node(own, "Add", scores, inputs[ATTENTION_MASK], error);
    const int weights = expand_node(own, "Softmax", scores, -1, error);
    if (weights < 0 ||
        graph_set_integer(own, own->tensor[weights]->producer, "axis", 3, error) != OK)
        return FAILED;
    const int y = expand_node(own, "MatMul", weights, inputs[ATTENTION_V], error);
    return y < 0 ? FAILED : graph_add_output(own, 0, y, error);
}

const struct op onnx_Attention_op = {
    .domain = "",
    .name = "Attention",
    .summary = "y = softmax(q k' scale + bias) v for every head",
    .since = 23,
    .inputs_min = 3,
    .inputs_max = 7,
    .outputs_min = 1,
    .outputs_max = 4,
    .attributes = attributes,
    .infer = infer,
    .evaluate = evaluate,
    .lower = attention_lower,
    .flops = flops,
};

/* For graphs of older opsets. */
const struct op roofline_Attention_op = {
    .domain = "roofline",
    .name = "Attention",
    .summary = "y = softmax(q k' scale + bias) v for every head",
    .inputs_min = 3,
    .inputs_max = 4,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer,
    .evaluate = evaluate,
    .lower = attention_lower,
    .flops = flops,
    .expand = expand,
};
