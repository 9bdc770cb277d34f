// kernels.c - the kernels there are, and what all of them share.
#include "kernel.h"

#include <string.h>

#define KERNEL(name) extern const struct kernel name##_kernel;
#include "kernels.def"
#undef KERNEL

const struct kernel *const kernels[] = {
#define KERNEL(name) &name##_kernel,
#include "kernels.def"
#undef KERNEL
    NULL,
};

const struct kernel *kernel_find(const char *name)
{
    const struct kernel *const *kernel = kernels;
    while (*kernel && strcmp((*kernel)->name, name) != 0)
        kernel++;
    return *kernel;
}

const struct variant *variant_find(const struct kernel *kernel, const char *name)
{
    const struct variant *variant = kernel->variants;
    while (variant->name && strcmp(variant->name, name) != 0)
        variant++;
    return variant->name ? variant : NULL;
}

long kernel_letter(const struct kernel *kernel, const struct shape *shape, const char *name)
{
    int letter = 0;
    while (strcmp(kernel->letters[letter].name, name) != 0)
        letter++;
    return shape->value[letter];
}

double dtype_rounding(enum dtype dtype)
{
    return dtype == DTYPE_f32 ? 0x1p-24 : 0x1p-53;
}

double variant_tolerance(const struct kernel *kernel, const struct variant *variant,
                         const struct shape *shape, enum dtype dtype)
{
    double unit = dtype_rounding(dtype);
    return variant->tolerance ? variant->tolerance(shape, unit) : kernel->tolerance(shape, unit);
}

void reference_run(reference_function *function, const struct call *call, enum dtype dtype)
{
    enum { CHUNK = 256 };
    double out[CHUNK];
    struct part part = member_part(call->member, call->outputs, 64 / dtype_bytes(dtype));
    for (long begin = part.begin; begin < part.end; begin += CHUNK) {
        long end = part.end - begin < CHUNK ? part.end : begin + CHUNK;
        for (long i = begin; i < end; i++)
            out[i - begin] = real_at(call->operand[0], dtype, i);
        function(call, dtype, begin, end, out);
        for (long i = begin; i < end; i++)
            real_put(call->operand[0], dtype, i, out[i - begin]);
    }
}
