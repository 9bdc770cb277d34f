// follow.c - what follows a convolution or a product goes into its weights, its bias or its
// kernel's epilogue.
#include "absorb.h"

enum { Y = 1 };

#define ANY_OF(names)                                                                              \
    {                                                                                              \
        .term = { {names, {Y}, {0}, TERM_MORE, NULL} }                                             \
    }

static const struct pattern scales = ANY_OF("BatchNormalization|Mul|Div"),
                            adds = ANY_OF("Add|Sum|Sub"),
                            activations =
                                ANY_OF("Relu|Clip|LeakyRelu|PRelu|Sigmoid|Tanh|HardSigmoid|"
                                       "HardSwish|Swish|Gelu|com.microsoft::Gelu|Mish|"
                                       "roofline::Chain");

static int follow_convolution(struct rewriting *rewriting, const struct match *match,
                              struct error *error)
{
    return absorb_follower(rewriting, match->node[0], ABSORB_CONVOLUTIONS, error);
}

static int follow_product(struct rewriting *rewriting, const struct match *match,
                          struct error *error)
{
    return absorb_follower(rewriting, match->node[0], ABSORB_PRODUCTS, error);
}

#define FOLLOW(pass_symbol, pass_name, follower, apply_function, words, trap)                      \
    static const struct rule pass_symbol##_rules[] = {{&(follower), apply_function}, {0}};         \
    const struct pass pass_symbol##_pass = {                                                       \
        .name = pass_name,                                                                         \
        .group = GROUP_FUSION,                                                                     \
        .summary = words,                                                                          \
        .refuses = trap,                                                                           \
        .rules = pass_symbol##_rules,                                                              \
    };

FOLLOW(conv_batchnorm, "conv-batchnorm", scales, follow_convolution,
       "Conv or ConvTranspose, then BatchNormalization, Mul or Div by constants of channels: into "
       "weights and bias, computed in double; Mul by a tensor of the result's shape: a gate of the "
       "kernel's epilogue",
       "the convolution's result is used elsewhere or is an output; statistics or weights are not "
       "constant; training; statistics per feature (spatial = 0); factors along other axes")
FOLLOW(conv_add, "conv-add", adds, follow_convolution,
       "Conv or ConvTranspose, then Add, Sum or Sub: constants of channels into the bias, a tensor "
       "of the result's shape as addend of the kernel's epilogue, also behind an activation",
       "the convolution's result is used elsewhere or is an output; the addend is broadcast along "
       "other axes than all but the channels (a constant [C] is along W), or makes the result "
       "larger; the kernel has no such epilogue")
FOLLOW(conv_activation, "conv-activation", activations, follow_convolution,
       "Conv or ConvTranspose, then an activation: Relu, Clip, LeakyRelu, PRelu, Sigmoid, Tanh, "
       "HardSigmoid, HardSwish, SiLU, GELU, Mish, as the kernel's epilogue, also behind an addend",
       "the convolution's result is used elsewhere or is an output; bounds of Clip that are not "
       "constant; slopes of PRelu along other axes than the channels; the kernel has no such "
       "epilogue")
FOLLOW(gemm_scale, "gemm-scale", scales, follow_product,
       "Gemm or MatMul, then BatchNormalization, Mul or Div by constants of columns, or by one: "
       "into constant weights and bias, computed in double; Mul by a tensor of the result's shape: "
       "a gate of the kernel's epilogue",
       "the product's result is used elsewhere or is an output; weights or factors are not "
       "constant; factors by row")
FOLLOW(gemm_add, "gemm-add", adds, follow_product,
       "Gemm or MatMul, then Add, Sum or Sub: constants of columns into Gemm's bias, else bias or "
       "addend of the kernel's epilogue",
       "the product's result is used elsewhere or is an output; the addend makes the result "
       "larger or is broadcast along columns; whole numbers")
FOLLOW(gemm_activation, "gemm-activation", activations, follow_product,
       "Gemm or MatMul, then an activation as of conv-activation, as the kernel's epilogue",
       "the product's result is used elsewhere or is an output; bounds that are not constant; the "
       "kernel has no such epilogue")
