// terminal.c - a roofline in characters: Braille or ASCII lines, kernels as numbers.
#include "terminal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

enum { AXIS_COLUMNS = 9, COLUMNS_MIN = 60, ROWS_MIN = 12, BELOW_ROWS = 4, DOTS_X = 2, DOTS_Y = 4 };

/* Inks in ascending right to the cell: a later one covers an earlier one. The colours are the
 * nearest ones of the 256-colour palette to Okabe and Ito's. */
enum ink {
    INK_NONE,
    INK_THEORY,
    INK_CEILING,
    INK_ROOF,
    INK_ARROW,
    INK_TEXT,
    INK_UNKNOWN, /* this and the next three by enum bound */
    INK_MEMORY,
    INK_COMPUTE,
    INK_LAUNCH,
    INK_HOLLOW_UNKNOWN, /* so are these: where something stood before a graph's passes */
    INK_HOLLOW_MEMORY,
    INK_HOLLOW_COMPUTE,
    INK_HOLLOW_LAUNCH
};
static const char *const colours[] = {
    [INK_NONE] = "",
    [INK_THEORY] = "\033[38;5;36m",
    [INK_CEILING] = "\033[38;5;245m",
    [INK_ROOF] = "\033[1m",
    [INK_ARROW] = "\033[38;5;245m",
    [INK_TEXT] = "",
    [INK_UNKNOWN] = "\033[7m",
    [INK_MEMORY] = "\033[48;5;25;38;5;231;1m",
    [INK_COMPUTE] = "\033[48;5;166;38;5;231;1m",
    [INK_LAUNCH] = "\033[48;5;175;38;5;16;1m",
    [INK_HOLLOW_UNKNOWN] = "\033[1m",
    [INK_HOLLOW_MEMORY] = "\033[38;5;32;1m",
    [INK_HOLLOW_COMPUTE] = "\033[38;5;166;1m",
    [INK_HOLLOW_LAUNCH] = "\033[38;5;175;1m",
};

/* Of a place before the passes, in ASCII and in UTF-8 (U+25CB, a circle). */
static const char *const hollow[] = {"o", "\xE2\x97\x8B"};

struct cell {
    char character; /* 0: dots, or nothing */
    bool is_hollow; /* the character is hollow[] */
    unsigned char dots;
    enum ink ink;
};

struct canvas {
    const struct figure *figure;
    const struct terminal *terminal;
    int columns, rows;  /* of the plot area */
    struct cell *cells; /* owned; row 0 is the top */
};

static struct cell *cell_at(const struct canvas *canvas, int column, int row)
{
    if (column < 0 || column >= canvas->columns || row < 0 || row >= canvas->rows)
        return NULL;
    return &canvas->cells[row * canvas->columns + column];
}

/* Position in cells, from the left and from the top. */
static double column_of(const struct canvas *canvas, double intensity_flops_per_byte)
{
    const struct figure *figure = canvas->figure;
    return log(intensity_flops_per_byte / figure->intensity_min) /
           log(figure->intensity_max / figure->intensity_min) * canvas->columns;
}

static double row_of(const struct canvas *canvas, double flops_per_second)
{
    const struct figure *figure = canvas->figure;
    return log(figure->flops_max / flops_per_second) / log(figure->flops_max / figure->flops_min) *
           canvas->rows;
}

static void draw_point(struct canvas *canvas, double column, double row, enum ink ink, bool slanted)
{
    /* Dots of a Braille cell as Unicode numbers them: ISO/IEC 10646, block U+2800. */
    static const unsigned char bits[DOTS_Y][DOTS_X] = {{1, 8}, {2, 16}, {4, 32}, {64, 128}};
    struct cell *cell = cell_at(canvas, (int)floor(column), (int)floor(row));
    if (!cell || cell->character)
        return;
    int x = (int)((column - floor(column)) * DOTS_X), y = (int)((row - floor(row)) * DOTS_Y);
    if (canvas->terminal->utf8)
        cell->dots |= bits[y][x];
    else if (ink > cell->ink)
        cell->dots = ink == INK_ARROW ? '.' : slanted ? '/' : ink == INK_ROOF ? '=' : '-';
    if (ink > cell->ink)
        cell->ink = ink;
}

static enum ink line_ink(const struct figure_line *line)
{
    return line->style == LINE_ROOF     ? INK_ROOF
           : line->style == LINE_THEORY ? INK_THEORY
                                        : INK_CEILING;
}

/* Two points per dot along the line, so that no dot is left out. */
static void draw_line(struct canvas *canvas, const struct figure_line *line)
{
    const struct figure *figure = canvas->figure;
    double top = figure_top(figure, false), fastest = figure_top(figure, true);
    const struct figure_line *flat = figure_roof(figure, false);
    double end = line->style == LINE_ROOF && flat ? flat->value : top;
    int steps = canvas->columns * DOTS_X * 4;
    double octaves = log2(figure->intensity_max / figure->intensity_min);
    for (int i = 0; i < steps; i++) {
        /* Inner levels and lower ceilings are dotted, so that they differ from the roof without
         * colour. */
        double intensity = figure->intensity_min * exp2(octaves * (i + 0.5) / steps);
        double value = line_at(line, intensity);
        bool drawn = line->slanted ? !(value > end * 1.001) : !(value > fastest * intensity);
        bool dotted = line->style != LINE_ROOF && (i / 4) % 2;
        if (drawn && !dotted)
            draw_point(canvas, column_of(canvas, intensity), row_of(canvas, value), line_ink(line),
                       line->slanted);
    }
}

static bool is_free(const struct canvas *canvas, int column, int row, int length)
{
    for (int i = -1; i <= length; i++) {
        const struct cell *cell = cell_at(canvas, column + i, row);
        if (!cell ? i >= 0 && i < length : cell->character != 0)
            return false;
    }
    return true;
}

static void draw_words(struct canvas *canvas, int column, int row, const char *words, enum ink ink)
{
    for (int i = 0; words[i]; i++) {
        struct cell *cell = cell_at(canvas, column + i, row);
        if (cell)
            *cell = (struct cell){.character = words[i], .ink = ink};
    }
}

/* Words on a place, or on the nearest free one: rings of rows and columns around it. */
static void draw_near(struct canvas *canvas, double flops_per_byte, double flops_per_second,
                      const char *words, enum ink ink)
{
    int length = (int)strlen(words);
    int column = (int)floor(column_of(canvas, flops_per_byte)) - length / 2;
    int row = (int)floor(row_of(canvas, flops_per_second));
    for (int ring = 0; ring < canvas->rows; ring++)
        for (int down = -ring; down <= ring; down++)
            for (int right = -2 * ring; right <= 2 * ring; right++) {
                bool edge = abs(down) == ring || abs(right) >= 2 * ring - 1;
                if (edge && is_free(canvas, column + right, row + down, length)) {
                    draw_words(canvas, column + right, row + down, words, ink);
                    return;
                }
            }
}

/* A kernel's number; in brackets where it stood before a graph's passes, which left none of it. */
static void draw_dot(struct canvas *canvas, int i)
{
    const struct figure_dot *dot = &canvas->figure->dot[i];
    const int number = canvas->figure->dots_before + i + 1, bound = (int)dot->bound;
    char words[16];
    text_format(words, sizeof words, dot->is_gone ? "(%d)" : "%d", number);
    if (dot->is_gone && dot_has_before(dot))
        draw_near(canvas, dot->before_flops_per_byte, dot->before_flops_per_second, words,
                  (enum ink)(INK_HOLLOW_UNKNOWN + bound));
    else if (dot_is_drawn(dot))
        draw_near(canvas, dot->intensity_flops_per_byte, dot->flops_per_second, words,
                  (enum ink)(INK_UNKNOWN + bound));
}

/* From where an operator stood before a graph's passes to where it stands now, dotted. */
static void draw_arrow(struct canvas *canvas, const struct figure_dot *dot)
{
    if (!dot_is_drawn(dot) || !dot_has_before(dot))
        return;
    const double column = column_of(canvas, dot->before_flops_per_byte),
                 row = row_of(canvas, dot->before_flops_per_second);
    const double right = column_of(canvas, dot->intensity_flops_per_byte) - column,
                 down = row_of(canvas, dot->flops_per_second) - row;
    const int steps = (int)ceil(fmax(fabs(right) * DOTS_X, fabs(down) * DOTS_Y));
    for (int i = 0; i < steps; i += 2)
        draw_point(canvas, column + right * i / steps, row + down * i / steps, INK_ARROW, false);
}

/* Its begin, unless something stands there. */
static void draw_hollow(struct canvas *canvas, const struct figure_dot *dot)
{
    if (dot->is_gone || !dot_has_before(dot))
        return;
    struct cell *cell = cell_at(canvas, (int)floor(column_of(canvas, dot->before_flops_per_byte)),
                                (int)floor(row_of(canvas, dot->before_flops_per_second)));
    if (cell && !cell->character)
        *cell = (struct cell){.character = hollow[0][0],
                              .is_hollow = true,
                              .ink = (enum ink)(INK_HOLLOW_UNKNOWN + (int)dot->before_bound)};
}

static void draw_dots(struct canvas *canvas)
{
    const struct figure *figure = canvas->figure;
    for (int i = 0; i < figure->dot_count; i++)
        draw_arrow(canvas, &figure->dot[i]);
    for (int i = 0; i < figure->dot_count; i++)
        draw_dot(canvas, i);
    for (int i = 0; i < figure->dot_count; i++)
        draw_hollow(canvas, &figure->dot[i]);
}

/* Names stand at the right end of horizontal lines and at the low end of slanted ones, where there
 * is room. */
static void name_line(struct canvas *canvas, const struct figure_line *line)
{
    const struct figure *figure = canvas->figure;
    char value[32], words[96];
    si_format(line->value, line->slanted ? "B/s" : "FLOP/s", value, sizeof value);
    text_format(words, sizeof words, "%s %s", line->label, value);
    int length = (int)strlen(words);
    if (!line->slanted) {
        int row = (int)floor(row_of(canvas, line->value));
        for (int column = canvas->columns - length; column > canvas->columns / 3; column--)
            for (int lift = 1; lift >= -1; lift -= 2)
                if (is_free(canvas, column, row - lift, length)) {
                    draw_words(canvas, column, row - lift, words, line_ink(line));
                    return;
                }
        return;
    }
    for (int row = canvas->rows - 1; row >= 0; row--) {
        double flops = figure->flops_max *
                       pow(figure->flops_min / figure->flops_max, (row + 0.5) / canvas->rows);
        int column = (int)floor(column_of(canvas, flops / line->value)) + 1;
        if (column >= 0 && is_free(canvas, column, row, length)) {
            draw_words(canvas, column, row, words, line_ink(line));
            return;
        }
    }
}

static void print_cell(const struct canvas *canvas, const struct cell *cell, FILE *out)
{
    if (cell->is_hollow && canvas->terminal->utf8)
        fputs(hollow[1], out);
    else if (cell->character)
        fputc(cell->character, out);
    else if (!cell->dots)
        fputc(' ', out);
    else if (canvas->terminal->utf8) /* U+2800 + dots */
        fprintf(out, "\xE2%c%c", 0xA0 | cell->dots >> 6, 0x80 | (cell->dots & 0x3F));
    else
        fputc(cell->dots, out);
}

/* The tick that belongs into a row: 1, 2 or 5 times a power of ten, one per row at most. */
static void row_label(const struct canvas *canvas, int row, char *label, size_t capacity)
{
    label[0] = '\0';
    for (int exponent = 0; exponent < 19; exponent++)
        for (int i = 0; i < 3; i++) {
            static const double steps[] = {5, 2, 1};
            double value = steps[i] * pow(10, exponent);
            if ((int)floor(row_of(canvas, value)) == row)
                si_format(value, "", label, capacity);
        }
    /* "10.0 G" -> "10 G": ticks are round. */
    char *point = strchr(label, '.');
    if (point)
        memmove(point, strchr(point, ' '), strlen(strchr(point, ' ')) + 1);
}

static void print_plot(const struct canvas *canvas, FILE *out)
{
    const struct terminal *terminal = canvas->terminal;
    for (int row = 0; row < canvas->rows; row++) {
        char label[32];
        enum ink ink = INK_NONE;
        row_label(canvas, row, label, sizeof label);
        fprintf(out, "%*s %s", AXIS_COLUMNS - 2, label,
                !terminal->utf8 ? "|"
                : label[0]      ? "\xE2\x94\xA4"
                                : "\xE2\x94\x82");
        for (int column = 0; column < canvas->columns; column++) {
            const struct cell *cell = cell_at(canvas, column, row);
            if (terminal->colour && cell->ink != ink) {
                fprintf(out, "%s%s", ink == INK_NONE ? "" : "\033[0m", colours[cell->ink]);
                ink = cell->ink;
            }
            print_cell(canvas, cell, out);
        }
        fputs(terminal->colour && ink != INK_NONE ? "\033[0m\n" : "\n", out);
    }
}

static void print_axis(const struct canvas *canvas, FILE *out)
{
    const struct figure *figure = canvas->figure;
    char *labels = calloc((size_t)canvas->columns + 16, 1);
    fprintf(out, "%*s %s", AXIS_COLUMNS - 2, "FLOP/s",
            canvas->terminal->utf8 ? "\xE2\x94\x94" : "+");
    for (int column = 0; column < canvas->columns; column++)
        fputs(canvas->terminal->utf8 ? "\xE2\x94\x80" : "-", out);
    fputc('\n', out);
    if (!labels)
        return;
    memset(labels, ' ', (size_t)canvas->columns + 15);
    int end = 0; /* of the last label */
    for (int power = (int)log2(figure->intensity_min); power <= (int)log2(figure->intensity_max);
         power++) {
        char label[16];
        text_format(label, sizeof label, power < 0 ? "1/%.0f" : "%.0f", exp2(abs(power)));
        int column = (int)column_of(canvas, exp2(power));
        if (column < end || column + (int)strlen(label) > canvas->columns + 1)
            continue;
        memcpy(labels + column, label, strlen(label));
        end = column + (int)strlen(label) + 1;
    }
    labels[canvas->columns + 1] = '\0';
    fprintf(out, "%*s%s\n%*sFLOP / byte of compulsory traffic\n", AXIS_COLUMNS - 1, "", labels,
            AXIS_COLUMNS, "");
    free(labels);
}

static void print_row(const struct figure *figure, int i, const struct terminal *terminal,
                      int name_width, FILE *out)
{
    const struct figure_dot *dot = &figure->dot[i];
    char fraction[16] = "", rate[32], number[16];
    dot_rate_format(dot, rate, sizeof rate);
    if (!isnan(dot->roof_fraction))
        text_format(fraction, sizeof fraction, "%.0f %%", 100 * dot->roof_fraction);
    text_format(number, sizeof number, "%2d", figure->dots_before + i + 1);
    const int first = dot->is_gone ? INK_HOLLOW_UNKNOWN : INK_UNKNOWN;
    const char *colour = terminal->colour ? colours[first + (int)dot->bound] : "";
    int length = name_break(dot->name, name_width);
    fprintf(out, "%*s%s%s%s  %-*.*s %9s %10s %-8s %s\n", strlen(number) < 3 ? 1 : 0, "", colour,
            number, terminal->colour ? "\033[0m" : "", name_width, length, dot->name, rate,
            fraction, dot->of, dot->is_gone ? "" : bound_name(dot->bound));
    for (const char *rest = dot->name + length; *rest; rest += length) {
        rest += strspn(rest, " ");
        length = name_break(rest, name_width);
        fprintf(out, "%*s%.*s\n", 5, "", length, rest);
    }
}

static void print_table(const struct figure *figure, const struct terminal *terminal, FILE *out)
{
    int name_width = terminal->columns - 44;
    fprintf(out, "\n  #  %-*s %9s %10s %-8s %s\n", name_width, figure_head(figure), "GFLOP/s",
            "of roof", "", "bound by");
    for (int i = 0; i < figure->dot_count; i++)
        print_row(figure, i, terminal, name_width, out);
    if (figure->of_graph)
        fprintf(out, "\n%s before the passes, dotted to after them; (n) gone after them\n",
                hollow[terminal->utf8]);
}

int terminal_plot(const struct figure *figure, const struct terminal *terminal, FILE *out,
                  struct error *error)
{
    struct terminal used = *terminal;
    used.columns = used.columns < COLUMNS_MIN ? COLUMNS_MIN : used.columns;
    used.rows = used.rows < ROWS_MIN ? ROWS_MIN : used.rows;
    struct canvas canvas = {
        .figure = figure,
        .terminal = &used,
        .columns = used.columns - AXIS_COLUMNS - 1,
        .rows = used.rows - BELOW_ROWS,
    };
    canvas.cells = calloc((size_t)canvas.columns * (size_t)canvas.rows, sizeof *canvas.cells);
    if (!canvas.cells)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for a plot of %d x %d characters",
                         canvas.columns, canvas.rows);
    for (int i = 0; i < figure->line_count; i++)
        draw_line(&canvas, &figure->line[i]);
    draw_dots(&canvas);
    for (int i = 0; i < figure->line_count; i++)
        name_line(&canvas, &figure->line[i]);
    fprintf(out, "%.*s\n", used.columns, figure->title);
    print_plot(&canvas, out);
    print_axis(&canvas, out);
    if (figure->dot_count > 0)
        print_table(figure, &used, out);
    free(canvas.cells);
    return OK;
}
