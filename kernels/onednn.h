// onednn.h - oneDNN as variants of kernels.
#ifndef ROOFLINE_ONEDNN_H
#define ROOFLINE_ONEDNN_H

#include "kernel.h"

/* dnnl_sgemm, and the primitive matmul, which has epilogues. */
extern const struct routine onednn_gemm, onednn_matmul;
/* Of one array and of two; the kernel is named as the function. */
extern const struct routine onednn_eltwise, onednn_binary;
extern const struct routine onednn_softmax, onednn_log_softmax, onednn_layernorm, onednn_reduce;
/* Of images in each of our layouts; its blocks of 16 channels are those of nchwc. */
extern const struct routine onednn_batchnorm, onednn_resize;
extern const struct routine onednn_max_pool, onednn_average_pool, onednn_global_average_pool;
/* Input and output as the operands are; in layouts of oneDNN's choice; the same with input and
 * output reordered in each call. */
extern const struct routine onednn_conv2d, onednn_conv2d_any, onednn_conv2d_reordered;

#endif
