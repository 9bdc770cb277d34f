// image.h - operators that make an image of an image, channel by channel: every layout as planes,
// output written row after row.
#ifndef ROOFLINE_IMAGE_H
#define ROOFLINE_IMAGE_H

#include "image_layout.h"
#include "kernel.h"
#include "lengths.h"

/* What does not mix channels sees an image in any layout as planes of rows x columns x inner
 * elements: an inner of 1 in nchw, of all channels in nhwc, of a block in nchwc. Nothing here asks
 * which channels are filling: they go the way of the others, and 0 stays 0. */
struct planes {
    long count, inner;
};

static inline struct planes planes_of(enum layout layout, long n, long c)
{
    switch (layout) {
    case LAYOUT_NHWC:
        return (struct planes){n, c};
    case LAYOUT_NCHWC:
        return (struct planes){n * layout_channels(layout, c) / LAYOUT_BLOCK, LAYOUT_BLOCK};
    default:
        return (struct planes){n * c, 1};
    }
}

/* An element of a planes x rows x columns x inner array, taken apart. */
struct position {
    long plane, y, x, channel;
};

static inline struct position position_of(long element, long rows, long columns, long inner)
{
    return (struct position){element / inner / columns / rows, element / inner / columns % rows,
                             element / inner % columns, element % inner};
}

/* Output is written in segments: so many rows, or of long rows so many columns, that they and what
 * they are made of stay in L1. Beyond the last cache they wait in a buffer until they fill lines
 * that can be streamed past the caches. */
enum { IMAGE_SEGMENT_BYTES = 1024, IMAGE_LINE_BYTES = 64 };

static inline long image_lines(long elements, int element_bytes)
{
    const long line = IMAGE_LINE_BYTES / element_bytes;
    return (elements + line - 1) / line * line;
}

/* Rows and columns of a segment. */
struct extent {
    long rows, columns;
};

static inline struct extent segment_extent(long columns, long inner, int element_bytes)
{
    long pixels = IMAGE_SEGMENT_BYTES / element_bytes / inner;
    pixels = pixels > 1 ? pixels : 1;
    return pixels < columns ? (struct extent){1, pixels}
                            : (struct extent){pixels / columns, columns};
}

/* Elements of that buffer: a line that is not full, a segment, a vector that sticks out. */
static inline long segment_buffer(long columns, long inner, int element_bytes)
{
    struct extent extent = segment_extent(columns, inner, element_bytes);
    return image_lines(extent.rows * extent.columns * inner, element_bytes) +
           2 * IMAGE_LINE_BYTES / element_bytes;
}

#ifdef ISA

#include <stdbool.h>

#include "vec.h"

enum { IMAGE_LINE = IMAGE_LINE_BYTES / REAL_BYTES };

/* Columns [begin, end) of `rows` rows of the output, from `row` on, be written at `to`, one after
 * the other: more than one row only where these are all columns. Vectors that begin inside may end
 * behind it, up to `limit`: what comes there is written later. */
struct segment {
    long row, rows, begin, end;
    real *to, *limit;
};

typedef void write_segment(const void *job, const struct segment *segment);

/* A vector that begins before `end` and has only the elements before it. */
ALWAYS_INLINE vec load_until(const real *p, const real *end)
{
    return end - p >= VLEN ? vec_load(p) : vec_load_first(p, end - p);
}

ALWAYS_INLINE void store_until(real *p, vec v, const real *end)
{
    if (end - p >= VLEN)
        vec_store(p, v);
    else
        vec_store_first(p, v, end - p);
}

/* Past the caches or not, a constant where this is inlined. */
ALWAYS_INLINE void write_vector(const bool stream, real *to, vec value)
{
    if (stream)
        vec_stream(to, value);
    else
        vec_store(to, value);
}

/* What reads an image asks for the lines that lie so far behind: it pauses while it calculates, and
 * processors fetch ahead no further than a page. */
enum { IMAGE_AHEAD = 8192 / REAL_BYTES };

/* Output on its way past the caches. */
struct stream {
    real *line; /* of memory, where the buffer goes: aligned */
    real *buffer;
    long first, count; /* of the buffer, [first, count) are written */
};

/* Streams the lines that are full; the rest moves to the front. */
static void stream_drain(struct stream *stream)
{
    const long whole = stream->count / IMAGE_LINE * IMAGE_LINE;
    if (whole == 0)
        return;
    long i = 0;
    if (stream->first > 0)
        for (i = IMAGE_LINE; stream->first < i; stream->first++)
            stream->line[stream->first] = stream->buffer[stream->first];
    for (; i < whole; i += VLEN)
        vec_stream(stream->line + i, vec_load(stream->buffer + i));
    for (i = 0; i < IMAGE_LINE; i += VLEN)
        vec_store(stream->buffer + i, vec_load(stream->buffer + whole + i));
    stream->line += whole;
    stream->count -= whole;
    stream->first = 0;
}

static void stream_close(struct stream *stream)
{
    for (; stream->first < stream->count; stream->first++)
        stream->line[stream->first] = stream->buffer[stream->first];
    vec_stream_fence();
}

/* The rows of an output. */
struct rows {
    real *out;
    long count, columns, inner;
    bool stream;  /* past the caches */
    real *buffer; /* of segment_buffer() elements, aligned, where it is streamed */
};

/* Whether operands of so many elements lie beyond the last cache. */
static inline bool rows_are_streamed(const struct call *call, double elements)
{
    return VEC_CAN_STREAM && elements * REAL_BYTES > call->caches.last_level_bytes;
}

/* The member's rows of the output. */
ALWAYS_INLINE void rows_write(const struct call *call, const struct rows *rows,
                              write_segment *write, const void *job)
{
    const struct part part = member_part(call->member, rows->count, 1);
    const long length = rows->columns * rows->inner;
    const struct extent extent = segment_extent(rows->columns, rows->inner, REAL_BYTES);
    real *out = rows->out + part.begin * length, *const end = rows->out + part.end * length;
    real *const buffer_end = rows->buffer + segment_buffer(rows->columns, rows->inner, REAL_BYTES);
    const long first = (long)((uintptr_t)out % IMAGE_LINE_BYTES / REAL_BYTES);
    struct stream stream = {out - first, rows->buffer, first, first};
    for (long row = part.begin; row < part.end; row += extent.rows)
        for (long column = 0; column < rows->columns; column += extent.columns) {
            struct segment segment = {.row = row,
                                      .rows = smaller(extent.rows, part.end - row),
                                      .begin = column,
                                      .end = smaller(column + extent.columns, rows->columns),
                                      .to = out,
                                      .limit = end};
            const long count = segment.rows * (segment.end - segment.begin) * rows->inner;
            if (rows->stream) {
                segment.to = stream.buffer + stream.count;
                segment.limit = buffer_end;
            }
            write(job, &segment);
            out += count;
            stream.count += count;
            if (rows->stream)
                stream_drain(&stream);
        }
    if (rows->stream)
        stream_close(&stream);
}

#endif
#endif
