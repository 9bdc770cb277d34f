// image_layout.h - the orders in which images lie in memory.
#ifndef ROOFLINE_IMAGE_LAYOUT_H
#define ROOFLINE_IMAGE_LAYOUT_H

#include <stddef.h>

/* Of n images, c channels, h rows and w columns the last named runs fastest. nchwc has the channels
 * in blocks of 16, (n, c / 16, h, w, 16); the last block is filled up with zeros. */
enum layout { LAYOUT_NCHW, LAYOUT_NHWC, LAYOUT_NCHWC };
enum { LAYOUT_BLOCK = 16 };

/* Of the input of what has its output in a layout: as that says, or nchw, as a network's images
 * come.
 */
enum image_source { SOURCE_ALIKE, SOURCE_NCHW };

/* Channels of an image in nchw whose pixels are put together at once (interleave.h). */
enum { LAYOUT_PLANES_FEW = 4 };

#ifndef ISA
static const char *const layout_words[] = {"nchw", "nhwc", "nchwc", NULL};
#endif

static inline enum layout layout_of_input(enum layout layout, long source)
{
    return source == SOURCE_NCHW ? LAYOUT_NCHW : layout;
}

/* Channels of an image with their filling. */
static inline long layout_channels(enum layout layout, long channels)
{
    return layout == LAYOUT_NCHWC ? (channels + LAYOUT_BLOCK - 1) / LAYOUT_BLOCK * LAYOUT_BLOCK
                                  : channels;
}

/* Where a pixel's channel is within its image of so many channels and pixels. */
static inline long layout_index(enum layout layout, long channels, long pixels, long channel,
                                long pixel)
{
    return layout == LAYOUT_NCHW ? channel * pixels + pixel
           : layout == LAYOUT_NHWC
               ? pixel * channels + channel
               : (channel / LAYOUT_BLOCK * pixels + pixel) * LAYOUT_BLOCK + channel % LAYOUT_BLOCK;
}

#ifndef ISA
/* The inverse: of an element of an image, the channel, which may be a filling one, and the pixel.
 */
struct place {
    long channel, pixel;
};

static inline struct place layout_place(enum layout layout, long channels, long pixels,
                                        long element)
{
    if (layout == LAYOUT_NCHW)
        return (struct place){element / pixels, element % pixels};
    if (layout == LAYOUT_NHWC)
        return (struct place){element % channels, element / channels};
    return (struct place){element / (pixels * LAYOUT_BLOCK) * LAYOUT_BLOCK + element % LAYOUT_BLOCK,
                          element / LAYOUT_BLOCK % pixels};
}
#endif

#endif
