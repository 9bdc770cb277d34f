// plane.h - planes transposed: the core of transpose and layout.
//
// Included by ISA bodies.
#ifndef ROOFLINE_PLANE_H
#define ROOFLINE_PLANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "interleave.h"
#include "kernel.h"
#include "transposed.h"
#include "vec.h"

/* Planes of the input, each written transposed: element (row, column) of a plane lies at
 * row * in_pitch + column of the input and at column * out_pitch + row of the output. A plane may
 * be `filled` with zeros: rows beyond `rows` that the output has and the input has not. */
struct planes {
    long rows, columns;
    long in_pitch, out_pitch;
    long filled; /* rows of the output with the filling; `rows` without */
    struct {
        long count, in_step, out_step;
    } batch[2];
};

/* A tile, of which L1 holds two and one on its way to the output. Two lines of the output high:
 * with one, output is written in pieces too short for memory; with more, rows of the input are read
 * in such, and more of them than the hardware follows. */
enum { TILE_ELEMENTS = 16384 / REAL_BYTES, TILE_ROWS = 2 * LINE };

/* Rows [row, end_row) and columns [column, end_column) of one plane. */
struct tile {
    const real *in; /* the plane */
    real *out;
    long row, end_row, column, end_column;
};

/* The zeros of a filled plane. */
static void fill_columns(real *out, long out_pitch, long rows, long filled, long columns)
{
    for (long column = 0; column < columns && rows < filled; column++)
        for (long row = rows; row < filled; row++)
            out[column * out_pitch + row] = 0;
}

/* Elements from p to the next line. */
ALWAYS_INLINE long line_distance(const real *p)
{
    return (long)(-(uintptr_t)p % 64 / REAL_BYTES);
}

/* `count` elements past the caches, but for the lines at both ends that others share. Then `fetch`
 * goes on by half as many lines. */
static void stream_run(real *out, const real *in, long count, struct fetch *fetch)
{
    long i = 0, head = line_distance(out);
    for (; i < count && i < head; i++)
        out[i] = in[i];
    for (; i + LINE <= count; i += LINE) {
        UNROLL(16)
        for (long j = i; j < i + LINE; j += VLEN)
            vec_stream(out + j, vec_load(in + j));
    }
    for (; i < count; i++)
        out[i] = in[i];
    fetch_more(fetch, count / LINE / 2);
}

/* How one member goes through its planes. */
struct pass {
    const struct planes *planes;
    bool packed;               /* columns of the output lie side by side and are short */
    bool aligned;              /* all columns of the output start a line */
    long height, width, strip; /* rows and columns of a tile; columns that go out together */
    long across, down;         /* tiles of a plane */
};

static struct pass pass_of(const struct planes *planes, const real *out)
{
    struct pass pass = {.planes = planes, .strip = LINE};
    /* Taller ones are read in longer pieces when they are cut. */
    pass.packed = planes->out_pitch == planes->filled && planes->filled <= TILE_ROWS;
    pass.aligned = planes->out_pitch % LINE == 0 && line_distance(out) == 0;
    for (int i = 0; i < 2; i++)
        pass.aligned &= planes->batch[i].out_step % LINE == 0;
    if (pass.packed) {
        pass.height = planes->rows;
        pass.width = TILE_ELEMENTS / planes->filled / LINE * LINE;
        pass.strip = TILE_ELEMENTS / planes->filled / LINE * LINE;
    } else {
        const long width = TILE_ELEMENTS / TILE_ROWS;
        pass.width = planes->columns < width ? planes->columns : width;
        pass.height = TILE_ELEMENTS / pass.width / LINE * LINE;
    }
    pass.down = (planes->rows + pass.height - 1) / pass.height;
    pass.across = (planes->columns + pass.width - 1) / pass.width;
    return pass;
}

static long tile_count(const struct pass *pass)
{
    return pass->planes->batch[0].count * pass->planes->batch[1].count * pass->across * pass->down;
}

/* Along the rows of the input first: what the hardware fetches beyond a tile is of the next one. */
static struct tile tile_at(const struct pass *pass, const real *in, real *out, long index)
{
    const struct planes *planes = pass->planes;
    long column = index % pass->across * pass->width;
    long row = index / pass->across % pass->down * pass->height;
    long plane = index / (pass->across * pass->down);
    long inner = plane % planes->batch[1].count, outer = plane / planes->batch[1].count;
    return (struct tile){
        .in = in + outer * planes->batch[0].in_step + inner * planes->batch[1].in_step,
        .out = out + outer * planes->batch[0].out_step + inner * planes->batch[1].out_step,
        .row = row,
        .end_row = row + pass->height < planes->rows ? row + pass->height : planes->rows,
        .column = column,
        .end_column =
            column + pass->width < planes->columns ? column + pass->width : planes->columns};
}

/* Columns of a tile; a few rows, such as the channels of a picture, are written in turn. */
static void transpose_tile(const struct pass *pass, real *out, long out_pitch, const real *in,
                           long rows, long columns, struct fetch *fetch)
{
    if (rows > 1 && rows <= INTERLEAVED_MOST && rows == out_pitch) {
        interleave(in, pass->planes->in_pitch, rows, rows * columns, out);
        if (fetch)
            fetch_more(fetch, rows * columns / LINE);
    } else {
        transpose_block(out, out_pitch, in, pass->planes->in_pitch, rows, columns, fetch);
    }
}

static void transpose_in_cache(const struct pass *pass, const struct tile *tile)
{
    const struct planes *planes = pass->planes;
    const long rows = tile->end_row - tile->row;
    for (long column = tile->column; column < tile->end_column; column += pass->strip) {
        long columns =
            tile->end_column - column < pass->strip ? tile->end_column - column : pass->strip;
        real *out = tile->out + column * planes->out_pitch + tile->row;
        transpose_tile(pass, out, planes->out_pitch,
                       tile->in + tile->row * planes->in_pitch + column, rows, columns, NULL);
        if (tile->end_row == planes->rows)
            fill_columns(out, planes->out_pitch, rows, planes->filled - tile->row, columns);
    }
}

static struct fetch fetch_of(const struct planes *planes, const struct tile *tile)
{
    return fetch_block(tile->in + tile->row * planes->in_pitch + tile->column,
                       tile->end_row - tile->row, tile->end_column - tile->column,
                       planes->in_pitch);
}

/* Some columns by way of a buffer in L1, so that the output is written in whole lines wherever its
 * columns start: a tile writes the lines that begin in it, which takes some rows of the next one.
 */
static void stream_strip(const struct pass *pass, const struct tile *tile, long column,
                         struct fetch *fetch)
{
    real buffer[TILE_ELEMENTS + LINE * LINE] __attribute__((aligned(64)));
    const struct planes *planes = pass->planes;
    const long columns =
        tile->end_column - column < pass->strip ? tile->end_column - column : pass->strip;
    long end = tile->end_row;
    if (end < planes->rows && !pass->aligned)
        end = end + LINE < planes->rows ? end + LINE : planes->rows;
    const long rows = end - tile->row;
    const long pitch = pass->packed ? planes->filled : pass->height + LINE;
    transpose_tile(pass, buffer, pitch, tile->in + tile->row * planes->in_pitch + column, rows,
                   columns, fetch);
    real *out = tile->out + column * planes->out_pitch + tile->row;
    if (pass->packed) {
        fill_columns(buffer, pitch, rows, planes->filled, columns);
        stream_run(out, buffer, columns * pitch, fetch);
        return;
    }
    for (long i = 0; i < columns; i++, out += planes->out_pitch) {
        long from = tile->row > 0 ? line_distance(out) : 0, to = rows;
        if (tile->end_row < planes->rows)
            to = pass->height + line_distance(out + pass->height);
        stream_run(out + from, buffer + i * pitch + from, (to < rows ? to : rows) - from, fetch);
    }
}

static void transpose_streaming(const struct pass *pass, const struct tile *tile,
                                const struct tile *next)
{
    struct fetch fetch = fetch_of(pass->planes, next);
    for (long column = tile->column; column < tile->end_column; column += pass->strip)
        stream_strip(pass, tile, column, &fetch);
}

/* The member's share of all planes; `stream`: past the caches. */
static void planes_transpose(const struct planes *planes, const struct call *call, real *out,
                             const real *in, bool stream)
{
    if (planes->rows == 0 || planes->columns == 0)
        return;
    const struct pass pass = pass_of(planes, out);
    struct part part = member_part(call->member, tile_count(&pass), 1);
    if (part.begin == part.end)
        return;
    struct tile tile = tile_at(&pass, in, out, part.begin);
    for (long i = part.begin; i < part.end; i++) {
        struct tile next = tile_at(&pass, in, out, i + 1 < part.end ? i + 1 : i);
        if (stream && VEC_CAN_STREAM)
            transpose_streaming(&pass, &tile, &next);
        else
            transpose_in_cache(&pass, &tile);
        tile = next;
    }
    if (stream)
        vec_stream_fence();
}

#endif
