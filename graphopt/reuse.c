// reuse.c - distances between uses, by pages: the stack distances of Mattson et al. (1970,
// doi:10.1147/sj.92.0078), counted with a tree over the moments of last uses as Bennett and Kruskal
// do (1975, doi:10.1147/rd.194.0353).
#include "reuse.h"

#include <math.h>
#include <stdlib.h>

/* Pages are of 4 KiB, of more where memory is large: distances are for choosing between caches, and
 * a graph of gigabytes should not take longer. */
static const double least_page_bytes = 4096, most_touches = 1 << 18;

/* ---- pages ---- */

/* Where a span lies, in pages. */
struct pages {
    uintptr_t first;
    long count;
};

static struct pages pages_of(const struct reuse *reuse, const struct span *span)
{
    const uintptr_t page = (uintptr_t)reuse->page_bytes;
    const uintptr_t first = (uintptr_t)span->begin / page;
    if (!(span->bytes > 0))
        return (struct pages){first, 0};
    const uintptr_t last = ((uintptr_t)span->begin + (uintptr_t)span->bytes - 1) / page;
    return (struct pages){first, (long)(last - first) + 1};
}

static int compare_pages(const void *a, const void *b)
{
    const uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return x < y ? -1 : x > y;
}

/* Its number among all pages; those of a span follow each other. */
static long page_number(const struct reuse *reuse, uintptr_t page)
{
    const uintptr_t *found =
        bsearch(&page, reuse->page, (size_t)reuse->page_count, sizeof page, compare_pages);
    return found ? (long)(found - reuse->page) : -1;
}

static void list_pages(struct reuse *reuse, const struct span *spans, int count)
{
    long listed = 0, kept = 0;
    for (int i = 0; i < count; i++) {
        const struct pages pages = pages_of(reuse, &spans[i]);
        for (long k = 0; k < pages.count; k++)
            reuse->page[listed++] = pages.first + (uintptr_t)k;
    }
    qsort(reuse->page, (size_t)listed, sizeof *reuse->page, compare_pages);
    for (long i = 0; i < listed; i++)
        if (kept == 0 || reuse->page[kept - 1] != reuse->page[i])
            reuse->page[kept++] = reuse->page[i];
    reuse->page_count = kept;
}

int reuse_open(struct reuse *reuse, const struct span *spans, int count, int touches,
               struct error *error)
{
    double bytes = 0;
    long listed = 0;
    *reuse = (struct reuse){.page_bytes = least_page_bytes};
    for (int i = 0; i < count; i++)
        bytes += spans[i].bytes;
    while (bytes / reuse->page_bytes > most_touches)
        reuse->page_bytes *= 2;
    for (int i = 0; i < count; i++)
        listed += pages_of(reuse, &spans[i]).count;
    reuse->moments = listed * touches;
    reuse->page = calloc((size_t)listed + 1, sizeof *reuse->page);
    reuse->touched = calloc((size_t)listed + 1, sizeof *reuse->touched);
    reuse->later = calloc((size_t)reuse->moments + 1, sizeof *reuse->later);
    if (!reuse->page || !reuse->touched || !reuse->later)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the distances between uses");
    list_pages(reuse, spans, count);
    return OK;
}

void reuse_close(struct reuse *reuse)
{
    free(reuse->page);
    free(reuse->touched);
    free(reuse->later);
    *reuse = (struct reuse){.page_bytes = 0};
}

/* ---- distances ---- */

static void mark(struct reuse *reuse, long moment, int change)
{
    for (; moment <= reuse->moments; moment += moment & -moment)
        reuse->later[moment] += change;
}

/* Pages whose last touch was at that moment or before. */
static long marks_until(const struct reuse *reuse, long moment)
{
    long sum = 0;
    for (; moment > 0; moment -= moment & -moment)
        sum += reuse->later[moment];
    return sum;
}

/* Pages touched since this one was, with itself; NAN the first time. */
static double touch_page(struct reuse *reuse, long page)
{
    const long before = reuse->touched[page];
    double pages = NAN;
    if (before > 0) {
        pages = (double)(marks_until(reuse, reuse->moment) - marks_until(reuse, before - 1));
        mark(reuse, before, -1);
    }
    reuse->touched[page] = ++reuse->moment;
    mark(reuse, reuse->moment, 1);
    return pages;
}

void reuse_touch(struct reuse *reuse, const struct span *spans, int count, double *distance_bytes)
{
    long most = 0;
    for (int i = 0; i < count; i++) {
        const long pages = pages_of(reuse, &spans[i]).count;
        most = pages > most ? pages : most;
        distance_bytes[i] = 0;
    }
    for (long turn = 0; turn < most; turn++)
        for (int i = 0; i < count; i++) {
            const struct pages pages = pages_of(reuse, &spans[i]);
            const long begin = turn * pages.count / most, end = (turn + 1) * pages.count / most;
            const long first = begin < end ? page_number(reuse, pages.first) : 0;
            for (long k = begin; k < end; k++)
                distance_bytes[i] += touch_page(reuse, first + k) * reuse->page_bytes;
        }
    for (int i = 0; i < count; i++)
        distance_bytes[i] /= (double)pages_of(reuse, &spans[i]).count;
}
