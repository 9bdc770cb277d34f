// pool_pixels.h - windows of images whose pixels are whole lines of the caches: output rows are
// written where they belong, past the caches where these do not hold the images.
//
// Included by pool.h, whose job this is.
#ifndef ROOFLINE_POOL_PIXELS_H
#define ROOFLINE_POOL_PIXELS_H

/* A pixel of the output from its columns of the joined line. */
ALWAYS_INLINE void join_pixel(const int taps, const bool stream, const real *line, long tap,
                              long inner, real scale, real *to)
{
    for (long i = 0; i < inner; i += VLEN)
        write_vector(stream, to + i, finish(join_taps(vec_load, taps, line + i, tap), scale));
}

/* An output row of whole pixels from its joined line, which has the image's columns. */
ALWAYS_INLINE void pool_pixels(const bool stream, const struct job *job, const real *line,
                               real scale, struct fetch *next, real *to)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const struct slide *columns = &job->plan.columns;
    const long inner = job->plan.planes.inner, tap = columns->dilation * inner;
    const struct part whole = job->plan.whole;
    const bool border = has_border(job);
    const long lines = stride * w * inner / job->plan.q / LINE + 1;
    for (long x = 0; x < job->plan.q; x++, to += inner) {
        const long first = x * columns->stride - columns->before;
        fetch_more(next, lines);
        struct part taps = {0, s};
        if (x < whole.begin || x >= whole.end)
            taps = taps_in_image(first, s, columns->dilation, w);
        const long count = taps.end - taps.begin;
        const real *const from = line + first * inner + taps.begin * tap;
        if (count == 0) /* a mean of nothing is 0 / 0, but of padding 0 */
            for (long i = 0; i < inner; i++)
                to[i] = !MEAN ? -INFINITY : border ? NAN : 0;
        else
            WITH_TAPS(count, join_pixel, stream, from, tap, inner,
                      border ? scale * (real)s / (real)count : scale, to);
    }
}

/* Output rows of whole pixels, counted through all planes. */
ALWAYS_INLINE void pool_whole_rows(const bool stream, const struct job *job, struct part part,
                                   real *to)
{
    const struct shape *shape = job->shape;
    LETTERS(KERNEL_LETTER_LONG)
    const long inner = job->plan.planes.inner;
    for (long row = part.begin; row < part.end; row++, to += job->plan.q * inner) {
        const long plane = row / job->plan.p, y0 = first_row(&job->plan, row % job->plan.p);
        const struct part taps = rows_inside(&job->plan, y0);
        join_line(job, plane, y0, taps, 0, w, job->lines);
        /* Of the next row what no row has read; stores to memory and loads from it go on together.
         */
        const long due = smaller(plane * h + y0 + (r - 1) * job->plan.rows.dilation + 1,
                                 job->plan.planes.count * h);
        struct fetch next = fetch_block(job->input + greater(due, 0) * w * inner,
                                        job->asks_for_rows, stride * w * inner, 0);
        pool_pixels(stream, job, job->lines, job->scales[COUNT_PAD ? r : taps.end - taps.begin],
                    &next, to);
    }
    if (stream)
        vec_stream_fence();
}

#endif
