// group_norm.c - channels normalised in groups (Wu and He 2018, arXiv:1803.08494).
#define GROUP_NORM group_norm
#define SUMMARY                                                                                    \
    "y = (x - mean) / sqrt(variance + epsilon) * scale[c] + bias[c], NCHW, mean and variance by "  \
    "image and group of channels"
#define LETTERS(X)                                                                                 \
    X(n, 1, 1, "images")                                                                           \
    X(c, -1, 1, "channels")                                                                        \
    X(h, -1, 1, "rows")                                                                            \
    X(w, -1, 1, "columns")                                                                         \
    X(groups, 32, 1, "groups of channels, each normalised")
#define GROUPS groups
/* A stage of ResNet-50 with the 32 groups of the article; more than the caches hold. */
#define SHAPES "c=256,h=14,w=14", "n=@DRAM,c=256,h=56,w=56"

#include "group_norm.h"
