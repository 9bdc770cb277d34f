// spatial.h - the window that convolutions and pools move over an image of any number of
// dimensions: what their attributes say of it.
#ifndef ROOFLINE_SPATIAL_H
#define ROOFLINE_SPATIAL_H

#include "launches.h"

/* Dims of an image are those of the tensor behind batch and channels: N C D1 D2 ... */
struct spatial {
    int rank;                                           /* of the image, at least 1 */
    long in[RANK_MAX], window[RANK_MAX], out[RANK_MAX]; /* lines per dim; -1: unknown */
    long stride[RANK_MAX], dilation[RANK_MAX];
    long before[RANK_MAX], after[RANK_MAX]; /* lines of padding */
    bool is_padded_by_size; /* auto_pad SAME_*: the padding follows from the input's size, and is 0
                               here for a dim that is unknown */
};

/* So large that no image has more, so small that products of two are numbers. */
enum { LINES_MAX = 1 << 30 };

/* The attribute of that name. FAULT_IO for other words. */
enum auto_pad { AUTO_PAD_NOTSET, AUTO_PAD_SAME_UPPER, AUTO_PAD_SAME_LOWER, AUTO_PAD_VALID };
int spatial_auto_pad(const struct node *node, enum auto_pad *auto_pad, struct error *error);

/* A list attribute of `length` numbers from `least` to LINES_MAX; a missing one is all `fallback`.
 * FAULT_IO where it is another. */
int spatial_list(const struct node *node, const char *name, int length, long fallback, long least,
                 long *values, struct error *error);

/* Reads strides, dilations, pads and auto_pad of the node, and finds the output's dims from those
 * of the image and of the window (-1: unknown). FAULT_IO for lists of another length, strides or
 * dilations below 1, negative pads, and windows that do not fit. With ceil_mode the last window may
 * reach beyond the padding, but begins before the padding behind. */
int spatial_read(struct spatial *spatial, const struct node *node, int rank, const long *in,
                 const long *window, struct error *error);

/* Whether the window goes along dim i line by line, none of them with others. */
bool spatial_passes_over(const struct spatial *spatial, int i);

/* Of more dims than two, neighbours of which the window does not care for the second go together,
 * until two are left or no others do. */
void spatial_join(struct spatial *spatial);

/* Dims [first, first + count) alone. */
struct spatial spatial_part(const struct spatial *spatial, int first, int count);

/* The same as rows and columns: dims are joined, and a single one becomes columns of one row.
 * SKIPPED where more than two are left. */
int spatial_image(struct spatial *spatial, struct error *error);

/* Letters of the image kernels: the image's h and w, the window's r and s, and how it moves. */
void spatial_letters(const struct spatial *spatial, struct launch *launch);

#endif
