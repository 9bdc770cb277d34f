// convolution.c - which implementation a convolution takes, and what is common to its kernels.
#include "convolution.h"

/* Fewer output channels than this share what is loaded of their inputs too rarely for a tile. */
enum { CHANNELS_OF_TILE = 4 };

/* Of a plane with shorter rows more vectors are whole across channels, even with both ways of the
 * transposition: than a block of them. */
enum { ROW_OF_PLANES = LAYOUT_BLOCK };

static inline bool prefers_depthwise(const struct convolution *conv)
{
    return convolution_is_depthwise(conv) && conv->k_pitch == 0 && conv->source == conv->layout &&
           (conv->layout != LAYOUT_NCHW ||
            (conv->columns.out < ROW_OF_PLANES && conv->c >= LAYOUT_BLOCK));
}

/* Images of a 1x1 kernel as they lie are B of a product, with whole vectors of pixels: of less than
 * a few vectors of 16 the last one is too much of the work. A stride would have them copied. */
static inline bool prefers_packed(const struct convolution *conv)
{
    enum { PIXELS_MIN = 96 };
    return conv->taps == 1 && conv->rows.stride == 1 && conv->columns.stride == 1 &&
           conv->pixels >= PIXELS_MIN;
}

#define CHOOSE(conv, packed, planes, stencil, depthwise, direct)                                   \
    (convolution_is_stencil(conv)         ? (stencil)                                              \
     : prefers_depthwise(conv)            ? (depthwise)                                            \
     : (conv)->layout != LAYOUT_NCHW      ? (direct)                                               \
     : (conv)->k_group < CHANNELS_OF_TILE ? (planes)                                               \
     : prefers_packed(conv)               ? (packed)                                               \
                                          : (direct))

#ifndef ISA

double convolution_auto_kept(const struct convolution *conv, enum isa isa, enum dtype dtype,
                             int threads, const struct cache_sizes *caches)
{
    return CHOOSE(conv, convolution_packed_kept, convolution_planes_kept, convolution_stencil_kept,
                  convolution_depthwise_kept,
                  convolution_direct_kept)(conv, isa, dtype, threads, caches);
}

double convolution_auto_workspace(const struct convolution *conv, enum isa isa, enum dtype dtype,
                                  int threads, const struct cache_sizes *caches)
{
    return CHOOSE(conv, convolution_packed_workspace, convolution_planes_workspace,
                  convolution_stencil_workspace, convolution_depthwise_workspace,
                  convolution_direct_workspace)(conv, isa, dtype, threads, caches);
}

int convolution_auto_supports(const struct convolution *conv, struct error *error)
{
    (void)conv, (void)error;
    return OK;
}

int convolution_operands(const struct convolution *conv,
                         struct operand operand[KERNEL_OPERANDS_MAX])
{
    const double inputs =
        (double)conv->n * (double)conv->c_stored * (double)conv->rows.in * (double)conv->columns.in;
    /* What lies between the pixels stays, and there is none of it behind the last. */
    const double outputs = (double)conv->n * (double)conv->k_stored * (double)conv->rows.out *
                               (double)conv->columns.out -
                           (conv->k_pitch > 0 ? (double)(conv->k_pitch - conv->k) : 0);
    operand[0] =
        reals("output", conv->k_pitch > conv->k ? ROLE_UPDATE : ROLE_OUTPUT, outputs, 0.5, 1.5);
    operand[1] = reals("input", ROLE_INPUT, inputs, 0.5, 1.5);
    operand[2] = reals("weights", ROLE_INPUT,
                       (double)conv->k * (double)conv->c_group * (double)conv->taps, 0.5, 1.5);
    return epilogue_operands(conv->epilogue, (double)conv->k, outputs,
                             (double)convolution_depth(conv), operand, 3);
}

double convolution_tolerance(const struct convolution *conv, double unit)
{
    const double depth = (double)convolution_depth(conv);
    return 4 * (depth + 1) * unit * epilogue_tolerance(conv->epilogue, depth);
}

#else
#include "vec.h"

void NAME(convolution_auto_prepare)(const struct convolution *conv, const struct call *call)
{
    CHOOSE(conv, NAME(convolution_packed_prepare), NAME(convolution_planes_prepare),
           NAME(convolution_stencil_prepare), NAME(convolution_depthwise_prepare),
           NAME(convolution_direct_prepare))
    (conv, call);
}

void NAME(convolution_auto)(const struct convolution *conv, const struct call *call)
{
    CHOOSE(conv, NAME(convolution_packed), NAME(convolution_planes), NAME(convolution_stencil),
           NAME(convolution_depthwise), NAME(convolution_direct))
    (conv, call);
}

#endif
