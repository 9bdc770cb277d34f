// fused_lower.c - steps as epilogues of kernels and as the kernel chain.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "epilogue.h"
#include "fused_parts.h"
#include "image_layout.h"

/* Elements that steps of one node may take when constants are spread: 1 GiB of f32. */
static const long spread_elements_max = 1L << 28;

int fused_spread(const struct site *site, int i, int from, int to, struct launch_operand *operand,
                 struct error *error)
{
    const struct array *input = &site->input[i];
    const struct type *out = &site->output[0].type;
    struct type part = {.element = out->element, .rank = to - from};
    long stride[RANK_MAX], at[RANK_MAX] = {0};
    enum dtype dtype;
    if (!input->data)
        return error_skip(error, "input %d would have to be spread and is not constant", i);
    if (element_dtype(out->element, &dtype, error) != OK)
        return SKIPPED;
    for (int k = from; k < to; k++)
        part.dims[k - from] = out->dims[k];
    const long elements = type_elements(&part);
    if (elements > spread_elements_max)
        return error_skip(error, "input %d would be spread to %ld elements", i, elements);
    void *data = arena_take_array(site->arena, (size_t)elements, (size_t)dtype_bytes(dtype));
    if (!data)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    broadcast_strides(&input->type, out, stride);
    for (long e = 0; e < elements; e++) {
        real_put(data, dtype, e,
                 real_at(input->data, dtype, place_offset(part.rank, stride + from, at)));
        place_next(&part, at);
    }
    *operand = of_constant(data);
    return OK;
}

/* ---- how an operand lies ---- */

/* Dims [first, end) of the output are those along which the operand has elements, side by side; it
 * is broadcast along the others. False where there are gaps. */
static bool operand_range(const struct type *operand, const struct type *out, int *first, int *end)
{
    long stride[RANK_MAX], expected = 1;
    broadcast_strides(operand, out, stride);
    *first = *end = 0;
    for (int k = 0; k < out->rank; k++)
        if (stride[k] != 0 && out->dims[k] != 1) {
            if (*first == *end)
                *first = k;
            *end = k + 1;
        }
    for (int k = *end - 1; k >= *first; k--) {
        if (out->dims[k] != 1 && stride[k] != expected)
            return false;
        expected *= out->dims[k];
    }
    return true;
}

/* ---- epilogues ---- */

/* A step, or the bias that the launch has already. */
struct link {
    enum step_kind kind;
    enum step_span span;           /* SPAN_column: of a channel */
    bool is_usable;                /* no kernel takes its operand */
    int input;                     /* of the node; -1: none */
    bool is_spread;                /* the operand is a constant that has to be repeated */
    struct launch_operand operand; /* of the bias, which is no input */
    double value;                  /* of a constant of one element, else NAN */
};

static struct link link_of(const struct site *site, const struct fused_step *step, int axis)
{
    const struct type *out = &site->output[0].type;
    struct link link = {.kind = step->kind, .input = step->input, .value = NAN, .is_usable = true};
    if (step->input < 0)
        return link;
    const struct array *input = &site->input[step->input];
    int first, end;
    const bool is_dense = operand_range(&input->type, out, &first, &end);
    link.operand = of_input(step->input);
    link.is_usable = is_dense && input->type.element == out->element;
    if (type_elements(&input->type) == 1 && input->data)
        link.value = element_real(input->data, input->type.element, 0);
    if (end - first <= 1 && (first == axis || first == end)) {
        link.span = SPAN_column;
        link.is_spread = type_elements(&input->type) != out->dims[axis];
        link.is_usable = link.is_usable && (!link.is_spread || input->data);
    } else if (link.is_usable && type_elements(&input->type) == type_elements(out)) {
        link.span = SPAN_element;
    } else {
        link.is_usable = false;
    }
    return link;
}

/* How many links the step of an epilogue takes; 0: it does not fit. Steps with constants are links
 * with operands of one element. */
static int step_takes(const struct step *step, const struct link *link, int links)
{
    if (links > 0 && link[0].is_usable && link[0].kind == step->kind &&
        (!step_is_binary(step->kind) || link[0].span == step->span))
        return 1;
    if (step->kind == STEP_clip && links > 1 && link[0].kind == STEP_max &&
        link[1].kind == STEP_min && link[0].value == step->a && link[1].value == step->b)
        return 2;
    if (step->kind == STEP_leaky_relu && links > 0 && link[0].kind == STEP_prelu &&
        link[0].value == (double)(float)step->a)
        return 1;
    return 0;
}

/* How an epilogue fits what is to be done. */
struct fit {
    enum epilogue epilogue;
    int links;                     /* that it does; 0: none */
    bool adds_bias;                /* it begins with a bias that the links lack */
    int step_link[EPILOGUE_STEPS]; /* of each step with an operand */
};

static bool is_channel_add(enum step_kind kind, enum step_span span)
{
    return kind == STEP_add && span == SPAN_column;
}

static struct fit fit_of(enum epilogue epilogue, const struct link *link, int links)
{
    const struct step *step = epilogue_pattern(epilogue);
    struct fit fit = {.epilogue = epilogue};
    fit.adds_bias = is_channel_add(step->kind, step->span) &&
                    !(links > 0 && is_channel_add(link[0].kind, link[0].span));
    for (int i = fit.adds_bias; step[i].kind != STEP_END; i++) {
        const int taken = step_takes(&step[i], link + fit.links, links - fit.links);
        if (taken == 0)
            return (struct fit){0};
        fit.step_link[i] = fit.links;
        fit.links += taken;
    }
    return fit;
}

static struct fit best_fit(const struct link *link, int links)
{
    struct fit best = {0};
    for (int i = 0; epilogue_words[i]; i++) {
        const struct fit fit = fit_of((enum epilogue)i, link, links);
        if (fit.links > best.links ||
            (fit.links == best.links && fit.links > 0 && best.adds_bias && !fit.adds_bias))
            best = fit;
    }
    return best;
}

static int put_operands(const struct site *site, struct launch *launch, const struct fit *fit,
                        const struct link *link, int axis, struct error *error)
{
    const struct step *step = epilogue_pattern(fit->epilogue);
    const long channels = site->output[0].type.dims[axis];
    int operand = 3, result = OK;
    for (int i = 0; step[i].kind != STEP_END && result == OK; i++) {
        if (!step_is_binary(step[i].kind))
            continue;
        struct launch_operand *at = &launch->operand[operand++];
        const struct link *from = &link[fit->step_link[i]];
        if (i == 0 && fit->adds_bias)
            result = launches_fill(site, at, channels, 0, launch->dtype, error);
        else if (from->is_spread)
            result = fused_spread(site, from->input, axis, axis + 1, at, error);
        else
            *at = from->operand;
    }
    launch_letter(launch, "epilogue", fit->epilogue);
    return result;
}

/* The launch that alone makes the output, by a kernel with epilogues; NULL: there is none. */
static struct launch *epilogue_launch(const struct lowering *lowering)
{
    struct launch *last = &lowering->launch[lowering->launch_count - 1];
    const char *name = last->kernel->name;
    for (int i = 0; i < lowering->launch_count - 1; i++)
        if (lowering->launch[i].operand[0].source == SOURCE_OUTPUT)
            return NULL;
    if (last->operand[0].source != SOURCE_OUTPUT || last->operand[0].offset_bytes != 0)
        return NULL;
    return strcmp(name, "conv2d") == 0 || strcmp(name, "conv_transpose2d") == 0 ||
                   strcmp(name, "gemm") == 0
               ? last
               : NULL;
}

int fused_lower_epilogue(const struct site *site, struct lowering *lowering,
                         const struct fused_steps *steps, int axis, int *done, struct error *error)
{
    struct launch *launch = epilogue_launch(lowering);
    struct link link[FUSED_STEPS_MAX + 2];
    int links = 0, own = 0;
    *done = 0;
    if (!launch || axis < 0)
        return OK;
    /* What the base has as its epilogue comes first. */
    const enum epilogue before =
        (enum epilogue)kernel_letter(launch->kernel, &launch->shape, "epilogue");
    const struct step *step = epilogue_pattern(before);
    for (; step[own].kind != STEP_END; own++)
        link[links++] = (struct link){.kind = step[own].kind,
                                      .span = step[own].span,
                                      .is_usable = true,
                                      .input = -1,
                                      .operand = launch->operand[3 + own],
                                      .value = NAN};
    for (int i = 0; i < steps->count; i++)
        link[links++] = link_of(site, &steps->step[i], axis);
    const struct fit fit = best_fit(link, links);
    if (fit.links <= own)
        return OK;
    *done = fit.links - own;
    return put_operands(site, launch, &fit, link, axis, error);
}

/* Addends lie as the output does, and depthwise the pixels of both are alike. */
void fused_lower_pitch(const struct site *site, struct lowering *lowering)
{
    struct launch *launch = epilogue_launch(lowering);
    if (!launch || strcmp(launch->kernel->name, "conv2d") != 0 ||
        kernel_letter(launch->kernel, &launch->shape, "layout") != LAYOUT_NHWC ||
        (kernel_letter(launch->kernel, &launch->shape, "groups") ==
             kernel_letter(launch->kernel, &launch->shape, "c") &&
         kernel_letter(launch->kernel, &launch->shape, "groups") ==
             kernel_letter(launch->kernel, &launch->shape, "k")))
        return;
    const struct step *step =
        epilogue_pattern((enum epilogue)kernel_letter(launch->kernel, &launch->shape, "epilogue"));
    for (; step->kind != STEP_END; step++)
        if (step_is_binary(step->kind) && step->span == SPAN_element)
            return;
    launch_letter(launch, "pitch", site->output_pitch);
    lowering->is_pitched = true;
}

/* ---- chains ---- */

enum { CHAIN_STEPS = 6 };

/* An operand of a chain whose output is cut into rows of the dims from `cut` on. */
struct placing {
    enum step_span span;
    bool is_spread; /* a constant over dims [from, to) */
    int from, to;
    long channels; /* of an operand by row */
    bool repeats;  /* by column: the last dim over and over, other ones for each channel */
};

/* Whether the operand varies along the last dim and side by side along some in front of the cut
 * alone: an operand by channel beside images in blocks. */
static bool place_repeated(const struct type *operand, const struct type *out, int cut,
                           struct placing *placing)
{
    const int last = out->rank - 1;
    long stride[RANK_MAX], expected = LAYOUT_BLOCK;
    int first = cut;
    broadcast_strides(operand, out, stride);
    if (cut < 1 || cut >= last || out->dims[last] != LAYOUT_BLOCK || stride[last] != 1)
        return false;
    for (; first > 0 && (out->dims[first - 1] == 1 || stride[first - 1] == expected); first--)
        expected *= out->dims[first - 1];
    for (int k = 0; k < last; k++)
        if ((k < first || k >= cut) && out->dims[k] != 1 && stride[k] != 0)
            return false;
    *placing = (struct placing){
        .span = SPAN_column, .channels = type_product(out, first, cut), .repeats = true};
    return true;
}

static bool place_operand(const struct array *input, const struct type *out, int cut,
                          struct placing *placing)
{
    int first, end;
    const bool is_dense = operand_range(&input->type, out, &first, &end);
    *placing = (struct placing){SPAN_row, false, cut, cut, 1, false};
    if (first == end) /* one element */
        return true;
    if (is_dense && first >= cut && type_product(out, cut, first) == 1 &&
        type_product(out, end, out->rank) == 1) {
        placing->span = SPAN_column;
        return true;
    }
    if (is_dense && end <= cut && type_product(out, end, cut) == 1) {
        placing->channels = type_product(out, first, cut);
        placing->from = first;
        return true;
    }
    if (is_dense && type_product(out, 0, first) == 1 && type_product(out, end, out->rank) == 1) {
        placing->span = SPAN_element;
        return true;
    }
    if (place_repeated(&input->type, out, cut, placing))
        return true;
    placing->is_spread = true;
    placing->span = first >= cut ? SPAN_column : end <= cut ? SPAN_row : SPAN_element;
    placing->from = first >= cut ? cut : end <= cut ? first : 0;
    placing->to = end <= cut ? cut : out->rank;
    if (placing->span == SPAN_row)
        placing->channels = type_product(out, placing->from, cut);
    return input->data != NULL;
}

/* Steps of one launch. */
struct run {
    const struct fused_step *step;
    int count, cut;
    struct placing placing[CHAIN_STEPS];
    long channels;
    bool repeats; /* its operands by column do, all of them */
};

/* Whether the operand fits those that repeat, if there are some. */
static bool fits_repeated(const struct run *run, const struct placing *placing)
{
    return !run->repeats || placing->span != SPAN_column ||
           (placing->repeats && placing->channels == run->channels);
}

/* Elements that constants are spread to; -1: this cut will not do. */
static long place_all(const struct site *site, struct run *run)
{
    const struct type *out = &site->output[0].type;
    long spread = 0;
    run->channels = 1;
    run->repeats = false;
    for (int i = 0; i < run->count; i++) {
        struct placing *placing = &run->placing[i];
        if (run->step[i].input < 0)
            continue;
        if (!place_operand(&site->input[run->step[i].input], out, run->cut, placing))
            return -1;
        if (placing->channels > run->channels)
            run->channels = placing->channels;
        run->repeats = run->repeats || placing->repeats;
    }
    for (int i = 0; i < run->count; i++) {
        struct placing *placing = &run->placing[i];
        if (run->step[i].input < 0)
            continue;
        if (!fits_repeated(run, placing))
            return -1;
        if (placing->span == SPAN_row && placing->channels != run->channels) {
            if (!site->input[run->step[i].input].data)
                return -1;
            placing->is_spread = true;
            placing->to = run->cut;
            for (placing->from = run->cut;
                 type_product(out, placing->from, run->cut) < run->channels;)
                placing->from--;
        }
        if (placing->is_spread)
            spread += type_product(out, placing->from, placing->to);
    }
    return spread;
}

/* The cut that spreads constants least; of those the first, which has the longest rows. */
static bool choose_cut(const struct site *site, struct run *run)
{
    const int rank = site->output[0].type.rank;
    long least = -1;
    int best = -1;
    for (run->cut = 0; run->cut <= rank; run->cut++) {
        const long spread = place_all(site, run);
        if (spread >= 0 && (best < 0 || spread < least)) {
            least = spread;
            best = run->cut;
        }
    }
    run->cut = best;
    return best >= 0 && place_all(site, run) >= 0;
}

static int launch_run(const struct site *site, struct lowering *lowering, const struct run *run,
                      struct launch_operand from, enum dtype dtype, struct error *error)
{
    static const char *const spans[] = {
        [SPAN_element] = "_element", [SPAN_row] = "_row", [SPAN_column] = "_column"};
    const struct type *out = &site->output[0].type;
    struct launch *launch = launches_add(site, lowering, "chain", dtype, error);
    int operand = 2;
    if (!launch)
        return FAILED;
    launch_letter(launch, "rows", type_product(out, 0, run->cut));
    launch_letter(launch, "columns", type_product(out, run->cut, out->rank));
    launch_letter(launch, "channels", run->channels);
    launch_letter(launch, "period", run->repeats ? LAYOUT_BLOCK : 0);
    launch_word(launch, "chain", "given");
    launch->operand[0] = of_output(0);
    launch->operand[1] = from;
    for (int i = 0; i < run->count; i++) {
        const struct placing *placing = &run->placing[i];
        const int input = run->step[i].input;
        char letter[16], word[32];
        snprintf(letter, sizeof letter, "step%d", i + 1);
        snprintf(word, sizeof word, "%s%s", fused_kind_name(run->step[i].kind),
                 input >= 0 ? spans[placing->span] : "");
        launch_word(launch, letter, word);
        if (input < 0)
            continue;
        struct launch_operand *at = &launch->operand[operand++];
        *at = of_input(input);
        if (!placing->is_spread)
            continue;
        const int result = fused_spread(site, input, placing->from, placing->to, at, error);
        if (result != OK)
            return result;
    }
    return OK;
}

int fused_lower_chain(const struct site *site, struct lowering *lowering,
                      const struct fused_steps *steps, int first, struct launch_operand from,
                      struct error *error)
{
    const struct type *out = &site->output[0].type;
    enum dtype dtype;
    if (element_dtype(out->element, &dtype, error) != OK)
        return SKIPPED;
    for (int i = first; i < steps->count || i == 0;) {
        struct run run = {.step = &steps->step[i], .count = steps->count - i};
        if (run.count > CHAIN_STEPS)
            run.count = CHAIN_STEPS;
        while (run.count > 1 && !choose_cut(site, &run))
            run.count--;
        if (!choose_cut(site, &run))
            return error_skip(error,
                              "an operand is broadcast in a way that kernel 'chain' has not");
        const int result = launch_run(site, lowering, &run, from, dtype, error);
        if (result != OK)
            return result;
        from = of_output(0);
        i += run.count > 0 ? run.count : 1;
    }
    return OK;
}
