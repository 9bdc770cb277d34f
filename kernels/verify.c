// verify.c - known operands and the comparison of what a body made of them with the reference.
#include "verify.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* FLOP that checking one call may take: some 50 ms of one core. */
static const double sampled_flops = 0x1p25;
/* Up to so many FLOP per element the reference costs no more than filling the operands did. */
static const double cheap_flops_per_element = 8;
/* At least 256 elements, but for those that take so much each that this would take seconds. */
enum { COUNT_MIN = 256, COSTLY_COUNT_MIN = 16, CHUNK = 256 };
static const double costly_flops = 0x1p30;

/* The finaliser of MurmurHash3 (public domain, https://github.com/aappleby/smhasher): every bit of
 * the key changes every bit of the result with probability 1/2. */
static inline uint32_t hash(uint64_t key)
{
    uint32_t h = (uint32_t)(key ^ key >> 32);
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

static inline double initial_value(const struct operand *operand, int index, long i)
{
    uint64_t key = (uint64_t)i + (uint64_t)index * 0x9e3779b97f4a7c15u;
    return operand->low + (operand->high - operand->low) * 0x1p-32 * hash(key);
}

void verify_fill(const struct operand *operand, int index, enum dtype dtype, struct part part,
                 void *elements)
{
    for (long i = part.begin; i < part.end; i++)
        if (operand->is_index)
            ((int32_t *)elements)[i] = (int32_t)floor(initial_value(operand, index, i));
        else
            real_put(elements, dtype, i, initial_value(operand, index, i));
}

long verify_count(const struct kernel *kernel, const struct shape *shape, long outputs)
{
    double flops = kernel->flops(shape);
    if (kernel->reference_flops)
        flops = kernel->reference_flops(shape) * (double)outputs;
    if (flops <= sampled_flops || flops <= cheap_flops_per_element * (double)outputs)
        return outputs;
    double each = flops / (double)outputs, least = fmin(COUNT_MIN, costly_flops / each);
    double count = fmax(sampled_flops / each, fmax(least, COSTLY_COUNT_MIN));
    return count < (double)outputs ? (long)count : outputs;
}

struct deviation deviation_larger(struct deviation a, struct deviation b)
{
    return (struct deviation){fmax(a.difference, b.difference), fmax(a.magnitude, b.magnitude)};
}

double deviation_rel(struct deviation deviation)
{
    return deviation.difference == 0 ? 0 : deviation.difference / deviation.magnitude;
}

static struct deviation compare(double out, double expected)
{
    if (isfinite(out) && isfinite(expected))
        return (struct deviation){fabs(out - expected), fabs(expected)};
    bool same = (isnan(out) && isnan(expected)) || out == expected;
    return (struct deviation){same ? 0 : INFINITY, 0};
}

/* The element of stratum i that is compared: where there are as many strata as elements its only
 * one, else a random one. */
static long stratum_element(long outputs, long count, long i)
{
    if (count == outputs)
        return i;
    double width = (double)outputs / (double)count;
    long element = (long)(((double)i + 0x1p-32 * hash((uint64_t)i)) * width);
    return element < outputs ? element : outputs - 1;
}

void verify_expect(const struct kernel *kernel, const struct call *call, enum dtype dtype,
                   long count, struct part part, double *expected)
{
    struct operand operand[KERNEL_OPERANDS_MAX];
    kernel->operands(call->shape, operand);
    /* Neighbours at once, as many as the arrays inside a reference hold. */
    const long step = count == call->outputs ? CHUNK : 1;
    for (long i = part.begin; i < part.end; i += step) {
        const long begin = stratum_element(call->outputs, count, i);
        const long end = begin + (i + step < part.end ? step : part.end - i);
        double *values = expected + (i - part.begin);
        for (long j = begin; operand->role == ROLE_UPDATE && j < end; j++) {
            double value = initial_value(operand, 0, j);
            values[j - begin] = dtype == DTYPE_f32 ? (float)value : value; /* as it was stored */
        }
        kernel->reference(call, dtype, begin, end, values);
    }
}

struct deviation verify_compare(const struct call *call, enum dtype dtype, long count,
                                struct part part, const double *expected)
{
    struct deviation largest = {0, 0};
    for (long i = part.begin; i < part.end; i++) {
        const double out =
            real_at(call->operand[0], dtype, stratum_element(call->outputs, count, i));
        largest = deviation_larger(largest, compare(out, expected[i - part.begin]));
    }
    return largest;
}

struct deviation verify_part(const struct kernel *kernel, const struct call *call, enum dtype dtype,
                             long count, struct part part)
{
    double expected[CHUNK];
    struct deviation largest = {0, 0};
    for (long i = part.begin; i < part.end; i += CHUNK) {
        const struct part chunk = {i, i + CHUNK < part.end ? i + CHUNK : part.end};
        verify_expect(kernel, call, dtype, count, chunk, expected);
        largest = deviation_larger(largest, verify_compare(call, dtype, count, chunk, expected));
    }
    return largest;
}
