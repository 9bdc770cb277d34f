// onednn_plan.h - what a file with routines of oneDNN says: the operation and its tensors. Reading
// them as either ABI, memories, executing and releasing are the same for all (onednn.c).
#ifndef ROOFLINE_ONEDNN_PLAN_H
#define ROOFLINE_ONEDNN_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "image_layout.h"
#include "kernel.h"
#include "window.h"

enum { ONEDNN_DIMENSIONS_MAX = 12, ONEDNN_TENSORS_MAX = 8, ONEDNN_POST_OPS_MAX = 6 };
typedef int64_t onednn_sizes[ONEDNN_DIMENSIONS_MAX];

/* What a tensor is to the operation; the values are those of ABI 3. */
enum onednn_argument {
    ONEDNN_SOURCE = 1,
    ONEDNN_SOURCE_1 = 2,
    ONEDNN_DESTINATION = 17,
    ONEDNN_WEIGHTS = 33,
    ONEDNN_BIAS = 41,
    ONEDNN_MEAN = 49,
    ONEDNN_VARIANCE = 50,
    ONEDNN_SCALE = 51,
    ONEDNN_SHIFT = 52,
    ONEDNN_POST_OP = 32768 /* times its number, from 1 on, | ONEDNN_SOURCE_1 */
};

/* Primitives; onednn_abi.c knows their functions. */
enum onednn_kind {
    ONEDNN_CONVOLUTION,
    ONEDNN_MATMUL,
    ONEDNN_ELTWISE,
    ONEDNN_BINARY,
    ONEDNN_SOFTMAX, /* over the last dimension */
    ONEDNN_LOG_SOFTMAX,
    ONEDNN_LAYERNORM,
    ONEDNN_BATCHNORM,
    ONEDNN_POOLING,
    ONEDNN_RESAMPLING,
    ONEDNN_REDUCTION
};

/* Of those that have several; the values are oneDNN's, in both ABIs. */
enum onednn_algorithm {
    ONEDNN_POOLING_MAX = 0x1ff,
    ONEDNN_POOLING_MEAN_WITH_PADDING = 0x2ff,
    ONEDNN_POOLING_MEAN = 0x3ff,
    ONEDNN_RESAMPLING_NEAREST = 0x2fff0,
    ONEDNN_RESAMPLING_LINEAR = 0x2fff1,
    ONEDNN_REDUCTION_MAX = 0x2fff2,
    ONEDNN_REDUCTION_MIN = 0x2fff3,
    ONEDNN_REDUCTION_SUM = 0x2fff4,
    ONEDNN_REDUCTION_MEAN = 0x2fff6,
    ONEDNN_REDUCTION_NORM = 0x2fff8 /* a-th root of the sum of a-th powers */
};

/* An operand of the kernel. */
struct onednn_tensor {
    int argument; /* enum onednn_argument */
    void *bytes;  /* borrowed */
    int rank;
    onednn_sizes sizes, strides;
    bool blocked;  /* not by strides: the channels of images in blocks of 16, innermost */
    bool any;      /* the primitive may have it in a layout of its choice */
    bool constant; /* weights: brought into that layout once */
};

/* What follows the operation before its result is stored. */
struct onednn_post_op {
    enum { ONEDNN_FUNCTION, ONEDNN_WITH_TENSOR, ONEDNN_OLD_RESULT } kind;
    const char *function; /* as in struct onednn_work */
    double a, b;          /* a: factor of what the destination held, too */
};

/* What is asked of the library. */
struct onednn_work {
    enum onednn_kind kind;
    enum onednn_algorithm algorithm;
    const char *function; /* elementwise, as our kernels and steps are called; borrowed */
    double a, b;          /* of the function: slope, low and high; or epsilon of a norm */
    onednn_sizes window, step, dilation; /* dilation: lines left out */
    onednn_sizes before, after;          /* padding */
    struct onednn_tensor tensor[ONEDNN_TENSORS_MAX];
    int tensors;
    struct onednn_post_op post_op[ONEDNN_POST_OPS_MAX];
    int post_ops;
    /* Tensors that are not constant change their layout in each call, not before the first and
     * after the last. */
    bool reorders;
    bool refuses_reference; /* SKIPPED where the library would run its plain loops */
};

/* Appends a tensor of dense elements, the last dimension fastest; `sizes` has `rank` numbers. */
struct onednn_tensor *onednn_append(struct onednn_work *work, int argument, void *bytes, int rank,
                                    const int64_t *sizes);

/* Appends n images of c channels, which lie as the layout says. */
struct onednn_tensor *onednn_append_images(struct onednn_work *work, int argument, void *bytes,
                                           enum layout layout, const onednn_sizes nchw);

/* How the operation's window goes over the images. */
static inline void onednn_slide(struct onednn_work *work, const struct slide *rows,
                                const struct slide *columns)
{
    const struct slide *const slides[] = {rows, columns};
    for (int i = 0; i < 2; i++) {
        work->window[i] = slides[i]->taps;
        work->step[i] = slides[i]->stride;
        work->dilation[i] = slides[i]->dilation - 1;
        work->before[i] = slides[i]->before;
        work->after[i] = slides[i]->after;
    }
}

/* Appends the kernel's epilogue, whose operands are the problem's from `first` on; dimension
 * `channels` of the destination, which is there, is what a bias is indexed by. A bias that comes
 * first is the primitive's own unless other post-ops are before it. */
void onednn_append_epilogue(struct onednn_work *work, const struct problem *problem, int first,
                            int channels);

extern const struct library onednn_library;

/* What every routine begins with: the format, the threads. */
int onednn_begin(const struct problem *problem, const struct opened_library *opened,
                 struct error *error);

/* Plans as `struct routine` has them. */
int onednn_prepare(const struct problem *problem, const struct opened_library *opened,
                   const struct onednn_work *work, void **plan, struct error *error);
void onednn_run(void *plan);
void onednn_deliver(void *plan); /* where a result is in the library's layout */
void onednn_close(void *plan);
#define ONEDNN_ROUTINE(prepare_function)                                                           \
    {                                                                                              \
        .library = &onednn_library, .prepare = prepare_function, .run = onednn_run,                \
        .deliver = onednn_deliver, .close = onednn_close                                           \
    }

#endif
