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

/* Elements [begin, end), at most CHUNK of them. */
static struct deviation compare_range(const struct kernel *kernel, const struct operand *operand,
                                      const struct call *call, enum dtype dtype, long begin,
                                      long end)
{
    double expected[CHUNK];
    for (long i = begin; operand->role == ROLE_UPDATE && i < end; i++) {
        double value = initial_value(operand, 0, i);
        expected[i - begin] = dtype == DTYPE_f32 ? (float)value : value; /* as it was stored */
    }
    kernel->reference(call, dtype, begin, end, expected);
    struct deviation largest = {0, 0};
    for (long i = begin; i < end; i++)
        largest = deviation_larger(
            largest, compare(real_at(call->operand[0], dtype, i), expected[i - begin]));
    return largest;
}

struct deviation verify_part(const struct kernel *kernel, const struct call *call, enum dtype dtype,
                             long count, struct part part)
{
    struct operand operand[KERNEL_OPERANDS_MAX];
    kernel->operands(call->shape, operand);
    struct deviation largest = {0, 0};
    long step = count == call->outputs ? CHUNK : 1;
    for (long i = part.begin; i < part.end; i += step) {
        long begin = i, end = i + step < part.end ? i + step : part.end;
        if (step == 1) { /* stratum i, a random element of it */
            double width = (double)call->outputs / (double)count;
            begin = (long)(((double)i + 0x1p-32 * hash((uint64_t)i)) * width);
            begin = begin < call->outputs ? begin : call->outputs - 1;
            end = begin + 1;
        }
        largest =
            deviation_larger(largest, compare_range(kernel, operand, call, dtype, begin, end));
    }
    return largest;
}
