// random.c - RandomUniform, RandomNormal, their Like forms, Bernoulli, Multinomial and Dropout.
//
// A seed gives the same numbers each time. Without one they follow from the name of what the node
// makes, so that two runs of a graph can be compared.
#include <math.h>
#include <string.h>

#include "moves.h"
#include "twister.h"

static uint32_t seed_of(const struct site *site)
{
    const struct attribute *given = node_attribute(site->node, "seed");
    if (given && given->kind == ATTRIBUTE_INT)
        return (uint32_t)(uint64_t)given->integer;
    if (given && given->kind == ATTRIBUTE_REAL && fabs(given->real) < 0x1p32)
        return (uint32_t)(int64_t)given->real;
    /* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
    const int made = node_output(site->node, 0);
    const char *name = site->graph && made >= 0 ? site->graph->tensor[made]->name : "";
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash;
}

/* `dtype`, else the fallback. */
static int read_element(const struct site *site, enum element fallback, enum element *element,
                        struct error *error)
{
    const long dtype = node_integer(site->node, "dtype", fallback);
    *element = (enum element)dtype;
    if (dtype < 0 || dtype >= ELEMENT_END || dtype == ELEMENT_text)
        return error_set(error, FAULT_IO, "'dtype' %ld is no type of numbers", dtype);
    return OK;
}

/* ---- uniform and normal ---- */

static int infer_shape(struct site *site, struct error *error)
{
    struct type *out = &site->output[0].type;
    int count;
    const long *shape = node_integers(site->node, "shape", &count);
    if (rank_check(count, error) != OK ||
        read_element(site, ELEMENT_f32, &out->element, error) != OK)
        return FAILED;
    dims_unknown(out, count);
    for (int i = 0; i < count; i++) {
        out->dims[i] = shape[i];
        if (shape[i] < 0)
            return error_set(error, FAULT_IO, "dimension %d is asked to be %ld", i, shape[i]);
    }
    return OK;
}

static int infer_like(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    site->output[0].type = in;
    return read_element(site, in.element, &site->output[0].type.element, error);
}

static int evaluate_uniform(struct site *site, struct error *error)
{
    const struct array *out = &site->output[0];
    const double low = node_real(site->node, "low", 0), high = node_real(site->node, "high", 1);
    struct twister twister;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    const long count = type_elements(&out->type);
    twister_seed(&twister, seed_of(site));
    for (long i = 0; i < count; i++)
        element_put_real(out->data, out->type.element, i,
                         low + (high - low) * twister_uniform(&twister));
    return OK;
}

static int evaluate_normal(struct site *site, struct error *error)
{
    const struct array *out = &site->output[0];
    const double mean = node_real(site->node, "mean", 0), scale = node_real(site->node, "scale", 1);
    struct twister twister;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    const long count = type_elements(&out->type);
    twister_seed(&twister, seed_of(site));
    for (long i = 0; i < count; i++)
        element_put_real(out->data, out->type.element, i, mean + scale * twister_normal(&twister));
    return OK;
}

/* ---- Bernoulli and Multinomial ---- */

static int evaluate_bernoulli(struct site *site, struct error *error)
{
    const struct array *out = &site->output[0], *in = &site->input[0];
    struct twister twister;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    const long count = type_elements(&out->type);
    twister_seed(&twister, seed_of(site));
    for (long i = 0; i < count; i++)
        element_put_real(out->data, out->type.element, i,
                         twister_uniform(&twister) < element_real(in->data, in->type.element, i));
    return OK;
}

static int infer_multinomial(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    struct type *out = &site->output[0].type;
    const long samples = node_integer(site->node, "sample_size", 1);
    if (in.rank >= 0 && in.rank != 2)
        return error_set(error, FAULT_IO, "the input has %d dimensions; it needs batch and classes",
                         in.rank);
    if (samples < 0)
        return error_set(error, FAULT_IO, "'sample_size' is %ld", samples);
    if (in.rank == 2 && in.dims[1] == 0)
        return error_set(error, FAULT_IO, "there is no class to draw");
    dims_unknown(out, 2);
    if (in.rank == 2)
        dim_copy(out, 0, &in, 0);
    out->dims[1] = samples;
    return read_element(site, ELEMENT_i32, &out->element, error);
}

/* The class of a row of logarithms where the running sum of probabilities passes the draw. */
static long draw_class(const struct array *in, long row, double draw)
{
    const long classes = in->type.dims[1];
    double largest = -INFINITY, total = 0, sum = 0;
    for (long i = 0; i < classes; i++)
        largest = fmax(largest, element_real(in->data, in->type.element, row * classes + i));
    for (long i = 0; i < classes; i++)
        total += exp(element_real(in->data, in->type.element, row * classes + i) - largest);
    for (long i = 0; i < classes - 1; i++) {
        sum += exp(element_real(in->data, in->type.element, row * classes + i) - largest);
        if (draw * total < sum)
            return i;
    }
    return classes - 1;
}

static int evaluate_multinomial(struct site *site, struct error *error)
{
    const struct array *out = &site->output[0];
    struct twister twister;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    const long samples = out->type.dims[1], count = type_elements(&out->type);
    twister_seed(&twister, seed_of(site));
    for (long i = 0; i < count; i++)
        element_put_whole(out->data, out->type.element, i,
                          draw_class(&site->input[0], i / samples, twister_uniform(&twister)));
    return OK;
}

/* ---- Dropout ---- */

/* The share of elements that are dropped: 0 unless it trains, which is an input from opset 12 on,
 * and the absence of `is_test` before 7. SKIPPED where it is not known yet. */
static int read_ratio(const struct site *site, double *ratio, struct error *error)
{
    const struct node *node = site->node;
    const struct array *training = site_input(site, 2);
    *ratio = 0;
    if (node->opset < 12 && (node->opset >= 7 || node_integer(node, "is_test", 0)))
        return OK;
    if (node->opset >= 12 && !training)
        return OK;
    if (training && (!training->data || type_elements(&training->type) < 1))
        return error_skip(error, "whether it trains is not known before it runs");
    if (training && !element_whole(training->data, training->type.element, 0))
        return OK;
    if (site_real(site, 1, node_real(node, "ratio", 0.5), ratio, error) != OK)
        return SKIPPED;
    if (!(*ratio >= 0 && *ratio < 1))
        return error_set(error, FAULT_IO, "the ratio is %g; it has to be in [0, 1)", *ratio);
    return OK;
}

static int infer_dropout(struct site *site, struct error *error)
{
    const struct type in = site_type(site, 0);
    (void)error;
    site->output[0].type = in;
    if (site->node->output_count > 1) {
        site->output[1].type = in;
        if (site->node->opset >= 10)
            site->output[1].type.element = ELEMENT_bool;
    }
    return OK;
}

static int evaluate_dropout(struct site *site, struct error *error)
{
    const struct array *out = &site->output[0], *in = &site->input[0];
    const struct array *mask = site->node->output_count > 1 ? &site->output[1] : NULL;
    struct twister twister;
    double ratio;
    if (outputs_check(site, error) != OK)
        return SKIPPED;
    const int result = read_ratio(site, &ratio, error);
    if (result != OK)
        return result;
    const long count = type_elements(&out->type);
    const enum element element = out->type.element;
    elements_copy(out->data, 0, in->data, 0, count, element);
    twister_seed(&twister, seed_of(site));
    for (long i = 0; i < count && (ratio > 0 || mask); i++) {
        const bool is_kept = ratio == 0 || twister_uniform(&twister) >= ratio;
        if (ratio > 0)
            element_put_real(out->data, element, i,
                             is_kept ? element_real(in->data, element, i) / (1 - ratio) : 0);
        if (mask)
            element_put_whole(mask->data, mask->type.element, i, is_kept);
    }
    return OK;
}

static int lower_dropout(const struct site *site, struct lowering *lowering, struct error *error)
{
    double ratio;
    const int result = read_ratio(site, &ratio, error);
    if (result != OK)
        return result;
    if (ratio > 0)
        return error_skip(error, "no kernel drops elements at random");
    if (node_output(site->node, 1) >= 0)
        return error_skip(error, "no kernel makes the mask");
    return view_lower(site, lowering, error);
}

static const struct attribute_rule uniform_attributes[] = {
    {"dtype", ATTRIBUTE_INT, false},  {"low", ATTRIBUTE_REAL, false},
    {"high", ATTRIBUTE_REAL, false},  {"seed", ATTRIBUTE_REAL, false},
    {"shape", ATTRIBUTE_INTS, false}, {0}};
static const struct attribute_rule normal_attributes[] = {
    {"dtype", ATTRIBUTE_INT, false},  {"mean", ATTRIBUTE_REAL, false},
    {"scale", ATTRIBUTE_REAL, false}, {"seed", ATTRIBUTE_REAL, false},
    {"shape", ATTRIBUTE_INTS, false}, {0}};
static const struct attribute_rule draw_attributes[] = {{"dtype", ATTRIBUTE_INT, false},
                                                        {"seed", ATTRIBUTE_REAL, false},
                                                        {"sample_size", ATTRIBUTE_INT, false},
                                                        {0}};
static const struct attribute_rule dropout_attributes[] = {{"ratio", ATTRIBUTE_REAL, false},
                                                           {"is_test", ATTRIBUTE_INT, false},
                                                           {"seed", ATTRIBUTE_INT, false},
                                                           {0}};

#define RANDOM(member, words, inputs, rules, infer_it, evaluate_it)                                \
    const struct op onnx_##member##_op = {                                                         \
        .domain = "",                                                                              \
        .name = #member,                                                                           \
        .summary = words,                                                                          \
        .flags = OP_RANDOM,                                                                        \
        .inputs_min = inputs,                                                                      \
        .inputs_max = inputs,                                                                      \
        .outputs_min = 1,                                                                          \
        .outputs_max = 1,                                                                          \
        .attributes = rules,                                                                       \
        .infer = infer_it,                                                                         \
        .evaluate = evaluate_it,                                                                   \
    };

RANDOM(RandomUniform, "numbers uniform in [low, high)", 0, uniform_attributes, infer_shape,
       evaluate_uniform)
RANDOM(RandomNormal, "numbers normal around `mean`", 0, normal_attributes, infer_shape,
       evaluate_normal)
RANDOM(RandomUniformLike, "numbers uniform in [low, high), as many as x has", 1, uniform_attributes,
       infer_like, evaluate_uniform)
RANDOM(RandomNormalLike, "numbers normal around `mean`, as many as x has", 1, normal_attributes,
       infer_like, evaluate_normal)
RANDOM(Bernoulli, "1 with the probability x, else 0", 1, draw_attributes, infer_like,
       evaluate_bernoulli)
RANDOM(Multinomial, "classes drawn by the logarithms of their probabilities", 1, draw_attributes,
       infer_multinomial, evaluate_multinomial)

const struct op onnx_Dropout_op = {
    .domain = "",
    .name = "Dropout",
    .summary = "x as it is; where it trains, with elements at random set to 0 and the rest scaled",
    .flags = OP_RANDOM,
    .inputs_min = 1,
    .inputs_max = 3,
    .outputs_min = 1,
    .outputs_max = 2,
    .attributes = dropout_attributes,
    .infer = infer_dropout,
    .evaluate = evaluate_dropout,
    .lower = lower_dropout,
};
