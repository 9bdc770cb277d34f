// image_layout.h - the orders in which images lie in memory.
#ifndef ROOFLINE_IMAGE_LAYOUT_H
#define ROOFLINE_IMAGE_LAYOUT_H

#include <stddef.h>

/* Of n images, c channels, h rows and w columns the last named runs fastest. nchwc has the channels
 * in blocks of 16, (n, c / 16, h, w, 16); the last block is filled up, and the filling of what a
 * kernel writes is 0. */
enum layout { LAYOUT_NCHW, LAYOUT_NHWC, LAYOUT_NCHWC };
enum { LAYOUT_BLOCK = 16 };

#ifndef ISA
static const char *const layout_words[] = {"nchw", "nhwc", "nchwc", NULL};
#endif

/* Channels of an image with their filling. */
static inline long layout_channels(enum layout layout, long channels)
{
    return layout == LAYOUT_NCHWC ? (channels + LAYOUT_BLOCK - 1) / LAYOUT_BLOCK * LAYOUT_BLOCK
                                  : channels;
}

#endif
