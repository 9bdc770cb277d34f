// element.c - elements of tensors: names, sizes, values.
#include "element.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const struct kind {
    const char *name;
    int bits;
} kinds[ELEMENT_END] = {
#define X(name, number, bits) [number] = {#name, bits},
    ELEMENT_LIST(X)
#undef X
};

static bool is_known(enum element element)
{
    return element > ELEMENT_NONE && element < ELEMENT_END;
}

const char *element_name(enum element element)
{
    return is_known(element) ? kinds[element].name : "?";
}

enum element element_find(const char *name, size_t length)
{
    for (int i = ELEMENT_NONE + 1; i < ELEMENT_END; i++)
        if (strlen(kinds[i].name) == length && strncmp(kinds[i].name, name, length) == 0)
            return (enum element)i;
    return ELEMENT_NONE;
}

int element_bits(enum element element)
{
    return is_known(element) ? kinds[element].bits : 0;
}

size_t element_bytes(enum element element, long count)
{
    const size_t bits = (size_t)element_bits(element);
    return bits >= 8 ? bits / 8 * (size_t)count : ((size_t)count * bits + 7) / 8;
}

bool element_is_real(enum element element)
{
    switch (element) {
    case ELEMENT_f16:
    case ELEMENT_bf16:
    case ELEMENT_f32:
    case ELEMENT_f64:
    case ELEMENT_f8e4m3fn:
    case ELEMENT_f8e4m3fnuz:
    case ELEMENT_f8e5m2:
    case ELEMENT_f8e5m2fnuz:
    case ELEMENT_f4e2m1:
    case ELEMENT_f8e8m0:
        return true;
    default:
        return false;
    }
}

bool element_is_signed(enum element element)
{
    switch (element) {
    case ELEMENT_i2:
    case ELEMENT_i4:
    case ELEMENT_i8:
    case ELEMENT_i16:
    case ELEMENT_i32:
    case ELEMENT_i64:
        return true;
    default:
        return false;
    }
}

bool element_is_whole(enum element element)
{
    switch (element) {
    case ELEMENT_u2:
    case ELEMENT_u4:
    case ELEMENT_u8:
    case ELEMENT_u16:
    case ELEMENT_u32:
    case ELEMENT_u64:
        return true;
    default:
        return element_is_signed(element);
    }
}

/* ---- reals of 16 bits and less ---- */

enum specials {
    SPECIALS_IEEE,  /* infinities and NANs at the highest exponent */
    SPECIALS_NAN,   /* no infinity; NAN where all bits but the sign are set */
    SPECIALS_UZ,    /* no infinity and no -0, whose bits are NAN */
    SPECIALS_NONE,  /* neither infinity nor NAN */
    SPECIALS_SCALE, /* only an exponent; NAN where all bits are set */
};

/* The formats of https://onnx.ai/onnx/technical/float8.html and float4.html; bf16 and f16 are the
 * upper half of IEEE 754 binary32, and binary16. */
struct small_format {
    int exponent_bits, fraction_bits, bias;
    enum specials specials;
};

static struct small_format small_format_of(enum element element)
{
    switch (element) {
    case ELEMENT_f16:
        return (struct small_format){5, 10, 15, SPECIALS_IEEE};
    case ELEMENT_bf16:
        return (struct small_format){8, 7, 127, SPECIALS_IEEE};
    case ELEMENT_f8e4m3fn:
        return (struct small_format){4, 3, 7, SPECIALS_NAN};
    case ELEMENT_f8e4m3fnuz:
        return (struct small_format){4, 3, 8, SPECIALS_UZ};
    case ELEMENT_f8e5m2:
        return (struct small_format){5, 2, 15, SPECIALS_IEEE};
    case ELEMENT_f8e5m2fnuz:
        return (struct small_format){5, 2, 16, SPECIALS_UZ};
    case ELEMENT_f8e8m0:
        return (struct small_format){8, 0, 127, SPECIALS_SCALE};
    default:
        return (struct small_format){2, 1, 1, SPECIALS_NONE};
    }
}

static double small_decode(struct small_format format, unsigned bits)
{
    const unsigned fraction_ones = (1u << format.fraction_bits) - 1;
    const unsigned exponent_ones = (1u << format.exponent_bits) - 1;
    const unsigned fraction = bits & fraction_ones;
    const unsigned exponent = bits >> format.fraction_bits & exponent_ones;
    const unsigned sign = bits >> (format.fraction_bits + format.exponent_bits);
    if (format.specials == SPECIALS_SCALE)
        return exponent == exponent_ones ? NAN : ldexp(1, (int)exponent - format.bias);
    if (format.specials == SPECIALS_IEEE && exponent == exponent_ones)
        return fraction ? NAN : sign ? -INFINITY : INFINITY;
    if ((format.specials == SPECIALS_NAN && exponent == exponent_ones &&
         fraction == fraction_ones) ||
        (format.specials == SPECIALS_UZ && sign && exponent == 0 && fraction == 0))
        return NAN;
    const unsigned hidden = exponent ? 1u << format.fraction_bits : 0;
    const double value = ldexp(hidden + fraction,
                               (exponent ? (int)exponent : 1) - format.bias - format.fraction_bits);
    return sign ? -value : value;
}

/* Exponent and fraction of the largest number. */
static unsigned small_largest(struct small_format format)
{
    const unsigned ones = (1u << (format.exponent_bits + format.fraction_bits)) - 1;
    switch (format.specials) {
    case SPECIALS_IEEE:
        return ones - (1u << format.fraction_bits);
    case SPECIALS_NAN:
    case SPECIALS_SCALE:
        return ones - 1;
    default:
        return ones;
    }
}

static unsigned small_nan(struct small_format format)
{
    const unsigned ones = (1u << (format.exponent_bits + format.fraction_bits)) - 1;
    switch (format.specials) {
    case SPECIALS_IEEE: /* quiet */
        return ones - (1u << format.fraction_bits) + (1u << (format.fraction_bits - 1));
    case SPECIALS_UZ:
        return ones + 1;
    case SPECIALS_NONE:
        return 0;
    default:
        return ones;
    }
}

/* The magnitude of a finite number, counted from 0 upwards as its bits are. */
static double small_count(struct small_format format, double magnitude)
{
    int exponent;
    if (magnitude == 0)
        return 0;
    frexp(magnitude, &exponent);
    const int lowest = 1 - format.bias;
    const int scale = exponent - 1 < lowest ? lowest : exponent - 1;
    const double steps = rint(ldexp(magnitude, format.fraction_bits - scale));
    return steps + ldexp(scale - lowest, format.fraction_bits);
}

static unsigned small_encode(struct small_format format, double value)
{
    const unsigned largest = small_largest(format);
    const unsigned sign_bit = 1u << (format.exponent_bits + format.fraction_bits);
    if (isnan(value))
        return small_nan(format);
    if (format.specials == SPECIALS_SCALE) { /* the nearest power of two below or at it */
        const double exponent = value > 0 ? floor(log2(value)) + format.bias : 0;
        return exponent < 0 ? 0 : exponent > largest ? largest : (unsigned)exponent;
    }
    const double count = isinf(value) ? INFINITY : small_count(format, fabs(value));
    unsigned bits = count > largest ? largest : (unsigned)count;
    if (count > largest && format.specials == SPECIALS_IEEE)
        bits = largest + 1; /* infinity */
    const bool negative = signbit(value) && !(format.specials == SPECIALS_UZ && bits == 0);
    return negative ? bits | sign_bit : bits;
}

/* ---- values ---- */

/* Element i of those that are smaller than a byte. */
static unsigned packed_at(const void *data, int bits, long i)
{
    const unsigned per_byte = 8u / (unsigned)bits;
    const unsigned byte = ((const uint8_t *)data)[(unsigned long)i / per_byte];
    return byte >> (unsigned long)i % per_byte * (unsigned)bits & ((1u << bits) - 1);
}

static void packed_put(void *data, int bits, long i, unsigned value)
{
    const unsigned per_byte = 8u / (unsigned)bits, ones = (1u << bits) - 1;
    const unsigned shift = (unsigned)((unsigned long)i % per_byte) * (unsigned)bits;
    uint8_t *byte = &((uint8_t *)data)[(unsigned long)i / per_byte];
    *byte = (uint8_t)((*byte & ~(ones << shift)) | (value & ones) << shift);
}

static unsigned small_at(const void *data, enum element element, long i)
{
    switch (element_bits(element)) {
    case 16:
        return ((const uint16_t *)data)[i];
    case 8:
        return ((const uint8_t *)data)[i];
    default:
        return packed_at(data, element_bits(element), i);
    }
}

static void small_put(void *data, enum element element, long i, unsigned value)
{
    switch (element_bits(element)) {
    case 16:
        ((uint16_t *)data)[i] = (uint16_t)value;
        break;
    case 8:
        ((uint8_t *)data)[i] = (uint8_t)value;
        break;
    default:
        packed_put(data, element_bits(element), i, value);
    }
}

double element_real(const void *data, enum element element, long i)
{
    switch (element) {
    case ELEMENT_f32:
        return ((const float *)data)[i];
    case ELEMENT_f64:
        return ((const double *)data)[i];
    case ELEMENT_c64:
        return ((const float *)data)[2 * i];
    case ELEMENT_c128:
        return ((const double *)data)[2 * i];
    case ELEMENT_u64:
        return (double)((const uint64_t *)data)[i];
    default:
        if (element_is_real(element))
            return small_decode(small_format_of(element), small_at(data, element, i));
        return (double)element_whole(data, element, i);
    }
}

/* Cut off towards 0 and to the range. */
static int64_t whole_of(double value)
{
    if (isnan(value))
        return 0;
    return value >= 0x1p63 ? INT64_MAX : value <= -0x1p63 ? INT64_MIN : (int64_t)value;
}

int64_t element_whole(const void *data, enum element element, long i)
{
    switch (element) {
    case ELEMENT_i64:
    case ELEMENT_u64:
        return ((const int64_t *)data)[i];
    case ELEMENT_i32:
        return ((const int32_t *)data)[i];
    case ELEMENT_u32:
        return ((const uint32_t *)data)[i];
    case ELEMENT_i16:
        return ((const int16_t *)data)[i];
    case ELEMENT_u16:
        return ((const uint16_t *)data)[i];
    case ELEMENT_i8:
        return ((const int8_t *)data)[i];
    case ELEMENT_u8:
        return ((const uint8_t *)data)[i];
    case ELEMENT_bool:
        return ((const uint8_t *)data)[i] != 0;
    case ELEMENT_u4:
    case ELEMENT_u2:
        return packed_at(data, element_bits(element), i);
    case ELEMENT_i4:
        return (int64_t)(packed_at(data, 4, i) ^ 8) - 8;
    case ELEMENT_i2:
        return (int64_t)(packed_at(data, 2, i) ^ 2) - 2;
    case ELEMENT_NONE:
    case ELEMENT_text:
        return 0;
    default:
        return whole_of(element_real(data, element, i));
    }
}

bool real_fits_float(double value)
{
    return value == 0 || (fabs(value) >= FLT_MIN && fabs(value) <= FLT_MAX);
}

void element_put_real(void *data, enum element element, long i, double value)
{
    switch (element) {
    case ELEMENT_f32:
        ((float *)data)[i] = (float)value;
        break;
    case ELEMENT_f64:
        ((double *)data)[i] = value;
        break;
    case ELEMENT_c64:
        ((float *)data)[2 * i] = (float)value;
        ((float *)data)[2 * i + 1] = 0;
        break;
    case ELEMENT_c128:
        ((double *)data)[2 * i] = value;
        ((double *)data)[2 * i + 1] = 0;
        break;
    case ELEMENT_bool:
        ((uint8_t *)data)[i] = value != 0;
        break;
    case ELEMENT_u64:
        ((uint64_t *)data)[i] = value >= 0x1p63 ? (value >= 0x1p64 ? UINT64_MAX : (uint64_t)value)
                                                : (uint64_t)whole_of(value);
        break;
    default:
        if (element_is_real(element))
            small_put(data, element, i, small_encode(small_format_of(element), value));
        else
            element_put_whole(data, element, i, whole_of(value));
    }
}

void element_put_whole(void *data, enum element element, long i, int64_t value)
{
    switch (element) {
    case ELEMENT_i64:
    case ELEMENT_u64:
        ((int64_t *)data)[i] = value;
        break;
    case ELEMENT_i32:
    case ELEMENT_u32:
        ((uint32_t *)data)[i] = (uint32_t)value;
        break;
    case ELEMENT_bool:
        ((uint8_t *)data)[i] = value != 0;
        break;
    case ELEMENT_NONE:
    case ELEMENT_text:
        break;
    default:
        if (element_is_whole(element))
            small_put(data, element, i, (unsigned)value);
        else
            element_put_real(data, element, i, (double)value);
    }
}
