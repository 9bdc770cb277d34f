// instance_norm.c - each channel of each image normalised (Ulyanov, Vedaldi and Lempitsky 2016,
// arXiv:1607.08022).
#define GROUP_NORM instance_norm
#define SUMMARY                                                                                    \
    "y = (x - mean) / sqrt(variance + epsilon) * scale[c] + bias[c], NCHW, mean and variance by "  \
    "image and channel"
#define LETTERS(X)                                                                                 \
    X(n, 1, 1, "images")                                                                           \
    X(c, -1, 1, "channels, each normalised")                                                       \
    X(h, -1, 1, "rows")                                                                            \
    X(w, -1, 1, "columns")
#define GROUPS c
/* Small images, and more than the caches hold. */
#define SHAPES "c=256,h=14,w=14", "n=@DRAM,c=64,h=56,w=56"

#include "group_norm.h"
