// casts.c - Cast and CastLike: elements as those of another type.
//
// Rules of https://onnx.ai/onnx/operators/onnx__Cast.html: reals to whole numbers are cut off,
// whole numbers wrap, and what an 8-bit real cannot hold is its largest number or, without
// `saturate`, NAN or infinity.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "operands.h"

/* ---- types ---- */

static int read_target(const struct site *site, enum element *element, struct error *error)
{
    if (node_is(site->node, "CastLike")) {
        *element = site_type(site, 1).element;
        return OK;
    }
    const long to = node_integer(site->node, "to", 0);
    if (to <= ELEMENT_NONE || to >= ELEMENT_END)
        return error_set(error, FAULT_IO, "'to' is %ld, which is no element type", to);
    *element = (enum element)to;
    return OK;
}

static bool is_castable(enum element element)
{
    return element != ELEMENT_c64 && element != ELEMENT_c128;
}

static int infer(struct site *site, struct error *error)
{
    struct type *out = &site->output[0].type;
    enum element element = ELEMENT_NONE;
    if (read_target(site, &element, error) != OK)
        return FAILED;
    *out = site_type(site, 0);
    if (!is_castable(out->element) || !is_castable(element))
        return error_set(error, FAULT_IO, "complex numbers are not cast ('%s' to '%s')",
                         element_name(out->element), element_name(element));
    out->element = element;
    return OK;
}

/* ---- reals of 8 bits ---- */

enum rounding { ROUNDING_UP, ROUNDING_DOWN, ROUNDING_NEAREST };

struct cast {
    enum element from, to;
    bool saturates;
    enum rounding rounding;
};

/* The largest number of a format, and from where on a value rounds to more than that: half a step
 * above it, itself included where the largest is odd. */
static bool is_beyond(enum element element, double magnitude, double *largest)
{
    const bool is_e4m3 = element == ELEMENT_f8e4m3fn;
    *largest = is_e4m3 ? 448 : element == ELEMENT_f8e4m3fnuz ? 240 : 57344;
    const double limit = is_e4m3 ? 464 : element == ELEMENT_f8e4m3fnuz ? 248 : 61440;
    return is_e4m3 ? magnitude > limit : magnitude >= limit;
}

static double round_small(const struct cast *cast, double value)
{
    double largest;
    const bool beyond = is_beyond(cast->to, fabs(value), &largest);
    if (isnan(value))
        return value;
    if (cast->saturates)
        return fabs(value) > largest ? copysign(largest, value) : value;
    if (!beyond)
        return value;
    return cast->to == ELEMENT_f8e5m2 ? copysign(INFINITY, value) : NAN;
}

/* To a power of two; what is below 0 has none, and is taken without its sign. */
static double round_scale(const struct cast *cast, double value)
{
    static const double least = 0x1p-127, largest = 0x1p127;
    const double magnitude = fabs(value);
    if (isnan(value))
        return value;
    if (magnitude < least || magnitude > largest)
        return !cast->saturates ? NAN : magnitude < least ? least : largest;
    int exponent;
    const double fraction = frexp(magnitude, &exponent); /* in [1/2, 1) */
    const bool up = cast->rounding == ROUNDING_UP        ? fraction > 0.5
                    : cast->rounding == ROUNDING_NEAREST ? fraction >= 0.75
                                                         : false;
    return ldexp(1, exponent - (up ? 0 : 1));
}

static void put_real(const struct cast *cast, void *out, long i, double value)
{
    if (cast->to >= ELEMENT_f8e4m3fn && cast->to <= ELEMENT_f8e5m2fnuz)
        value = round_small(cast, value);
    else if (cast->to == ELEMENT_f8e8m0)
        value = round_scale(cast, value);
    element_put_real(out, cast->to, i, value);
}

/* ---- texts ---- */

static int from_text(const struct cast *cast, void *out, long i, const struct text *text,
                     struct error *error)
{
    char *end, *whole_end;
    const double value = strtod(text->bytes, &end);
    const long whole = strtol(text->bytes, &whole_end, 10);
    if (end == text->bytes || (size_t)(end - text->bytes) != text->length)
        return error_set(error, FAULT_IO, "'%.40s' is no number", text->bytes);
    if (!element_is_real(cast->to) && whole_end == end && fabs(value) < 0x1p63)
        element_put_whole(out, cast->to, i, whole);
    else
        put_real(cast, out, i, value);
    return OK;
}

/* As few digits as bring the number back. */
static const char *print_real(struct arena *arena, const void *in, enum element element, long i)
{
    const double value = element_real(in, element, i);
    char *text = NULL;
    if (isnan(value))
        return arena_copy_text(arena, "NaN");
    if (isinf(value))
        return arena_copy_text(arena, value < 0 ? "-INF" : "INF");
    for (int digits = 1; digits <= 17; digits++) {
        double again = 0; /* as large as any real element */
        text = arena_print(arena, "%.*g", digits, value);
        if (!text)
            return NULL;
        element_put_real(&again, element, 0, strtod(text, NULL));
        if (element_real(&again, element, 0) == value)
            break;
    }
    return text;
}

static int to_text(const struct site *site, enum element from, struct text *out, long i,
                   struct error *error)
{
    const void *in = site->input[0].data;
    const long long whole = element_whole(in, from, i);
    out->bytes = element_is_real(from) ? print_real(site->arena, in, from, i)
                 : from == ELEMENT_u64 ? arena_print(site->arena, "%llu", (unsigned long long)whole)
                                       : arena_print(site->arena, "%lld", whole);
    if (!out->bytes)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    out->length = strlen(out->bytes);
    return OK;
}

/* ---- evaluation ---- */

static int read_cast(const struct site *site, struct cast *cast, struct error *error)
{
    static const char *const words[] = {"up", "down", "nearest", NULL};
    int which;
    const int result = word_read(site->node, "round_mode", words, &which, error);
    *cast = (struct cast){.from = site->input[0].type.element,
                          .to = site->output[0].type.element,
                          .saturates = node_integer(site->node, "saturate", 1) != 0,
                          .rounding = (enum rounding)which};
    return result;
}

static int put(const struct site *site, const struct cast *cast, long i, struct error *error)
{
    const void *in = site->input[0].data;
    void *out = site->output[0].data;
    const struct text *texts = in;
    if (cast->from == ELEMENT_text && cast->to == ELEMENT_text)
        ((struct text *)out)[i] = texts[i];
    else if (cast->from == ELEMENT_text)
        return from_text(cast, out, i, &texts[i], error);
    else if (cast->to == ELEMENT_text)
        return to_text(site, cast->from, (struct text *)out + i, i, error);
    else if (cast->to == ELEMENT_f32 && cast->from == ELEMENT_i64) /* a double would round first */
        ((float *)out)[i] = (float)((const int64_t *)in)[i];
    else if (cast->to == ELEMENT_f32 && cast->from == ELEMENT_u64)
        ((float *)out)[i] = (float)((const uint64_t *)in)[i];
    else if (element_is_real(cast->from) || element_is_real(cast->to))
        put_real(cast, out, i, element_real(in, cast->from, i));
    else
        element_put_whole(out, cast->to, i, element_whole(in, cast->from, i));
    return OK;
}

static int evaluate(struct site *site, struct error *error)
{
    struct cast cast;
    if (!site->output[0].data)
        return error_skip(error, "the element type to cast to is not known");
    if (read_cast(site, &cast, error) != OK)
        return FAILED;
    const long count = type_elements(&site->output[0].type);
    for (long i = 0; i < count; i++)
        if (put(site, &cast, i, error) != OK)
            return FAILED;
    return OK;
}

static const struct attribute_rule cast_attributes[] = {{"to", ATTRIBUTE_INT, true},
                                                        {"saturate", ATTRIBUTE_INT, false},
                                                        {"round_mode", ATTRIBUTE_TEXT, false},
                                                        {0}};
static const struct attribute_rule like_attributes[] = {
    {"saturate", ATTRIBUTE_INT, false}, {"round_mode", ATTRIBUTE_TEXT, false}, {0}};

const struct op onnx_Cast_op = {
    .domain = "",
    .name = "Cast",
    .summary = "x as elements of the type `to`",
    .flags = OP_UNARY,
    .since = 6,
    .inputs_min = 1,
    .inputs_max = 1,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = cast_attributes,
    .infer = infer,
    .evaluate = evaluate,
};

const struct op onnx_CastLike_op = {
    .domain = "",
    .name = "CastLike",
    .summary = "x as elements of the second input's type",
    .flags = OP_UNARY,
    .since = 15,
    .inputs_min = 2,
    .inputs_max = 2,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = like_attributes,
    .infer = infer,
    .evaluate = evaluate,
};
