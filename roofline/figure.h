// figure.h - what one roofline plot shows: its lines, dots and axes.
//
// The drawing itself is left to picture.c (gnuplot) and terminal.c (characters): both draw the same
// figure.
#ifndef ROOFLINE_FIGURE_H
#define ROOFLINE_FIGURE_H

#include <stdbool.h>

#include "model.h"
#include "summary.h"

/* A default run with three caches has 32 dots; with more their numbers, names and leaders fill a
 * plot. */
enum { FIGURE_LINES_MAX = 32, FIGURE_DOTS_MOST = 32 };

enum line_style {
    LINE_ROOF,    /* the roof: the outermost memory level and the compute ceiling that dots are
                     compared with */
    LINE_CEILING, /* an inner memory level; what a lower ISA or another unit mix reaches */
    LINE_ABOVE,   /* a unit mix above the roof, which ordinary code cannot be compared with */
    LINE_THEORY,  /* by formula, at the formula's clock */
    LINE_STYLES
};

struct figure_line {
    enum line_style style;
    bool slanted;      /* a bandwidth: flop/s = value x intensity */
    double value;      /* flop/s, or byte/s when slanted */
    char label[64];    /* "AVX2 FMA", "DRAM" */
    char last_isa[16]; /* the one named last in the label; "" where none is */
};

struct figure_dot {
    double intensity_flops_per_byte, flops_per_second;
    double gbytes_per_second;     /* as in summary.csv */
    double roof_flops_per_second; /* its own, NAN when not known */
    double roof_fraction;         /* NAN when not known */
    /* Of the operators of a graph also where they stood before its passes, drawn hollow with an
     * arrow to the dot; NAN where there is no such place. */
    double before_flops_per_byte, before_flops_per_second;
    enum bound before_bound;
    bool is_gone; /* none is left after the passes: that place is all there is of it */
    enum bound bound;
    char name[96]; /* kernel and what tells its rows apart */
    char of[16];   /* the ceiling of the fraction: "FMA", "L2" */
};

/* One plot: what is drawn together. */
struct figure_key {
    char device[24], dtype[8];
    double threads;
};

struct figure {
    struct figure_key key;
    char title[192], subtitle[256];
    struct figure_line line[FIGURE_LINES_MAX]; /* horizontal ones first, highest first; then
                                                  slanted, fastest first */
    int line_count;
    struct figure_dot *dot; /* owned; borrowed by parts */
    int dot_count;
    bool of_graph;   /* the dots are operators of a graph */
    int dots_before; /* of the whole figure, in a part of it: dot[0] has the number after them */
    double intensity_min, intensity_max, flops_min,
        flops_max; /* of the axes, NAN free, min < max */
};

/* The plots that results are worth: one for each device, dtype and thread count of bench.csv;
 * without any row there, the device's formats with the most workers of machine.csv. The caller
 * frees *keys. */
int figure_keys(const struct results *results, struct figure_key **keys, int *count,
                struct error *error);

/* Core ceilings are drawn at the median clock of the figure's measurements, so that a host whose
 * clock moved between probing and measuring does not put dots above their roof. */
int figure_build(struct figure *figure, const struct results *results, const struct figure_key *key,
                 struct error *error);
void figure_free(struct figure *figure);

/* What is too much for one plot is drawn in parts of at most `most` dots, under the same lines,
 * axes and numbers. The rows of a kernel stay together where they are no more than that. */
int figure_parts(const struct figure *figure, int most);

/* A part, from 0; its title says which. It borrows the dots: nothing to free. */
struct figure figure_part(const struct figure *figure, int most, int part);

/* The compute and the outermost memory part of the roof; NULL where it is not known. */
const struct figure_line *figure_roof(const struct figure *figure, bool slanted);

/* The highest of the measured lines. */
double figure_top(const struct figure *figure, bool slanted);

/* What the rows of its table are: "kernel", "operator" of a graph. */
const char *figure_head(const struct figure *figure);

/* What line or curve allows at an intensity. */
double line_at(const struct figure_line *line, double intensity_flops_per_byte);

/* Whether a dot has a place on the plot: what computes nothing has no arithmetic intensity, and a
 * logarithmic axis no zero. It stands in the table alone, rated by its bytes. */
bool dot_is_drawn(const struct figure_dot *dot);

/* Whether the place before the passes has one. */
bool dot_has_before(const struct figure_dot *dot);

/* "206.4", or "12.3 GB/s" of a dot that is not drawn, for a column whose head says GFLOP/s; "gone"
 * of what is. */
void dot_rate_format(const struct figure_dot *dot, char *text, size_t capacity);

/* "206 GFLOP/s": three digits and an SI prefix; "" for NAN. */
void si_format(double value, const char *unit, char *text, size_t capacity);

/* "206.4" for a column whose head says GFLOP/s. */
void gflops_format(double flops_per_second, char *text, size_t capacity);

/* Words for people: avx512 -> AVX-512, mul+add -> MUL+ADD, DRAM:copy_nt -> DRAM. */
void isa_words(const char *isa, char *text, size_t capacity);
void ceiling_words(const char *level, char *text, size_t capacity);

#endif
