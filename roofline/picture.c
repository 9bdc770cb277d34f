// picture.c - data files and a constant script for gnuplot, run in a private folder.
#include "picture.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file.h"
#include "layout.h"

extern char **environ;

/* The files in the private folder; removed with it. */
#define FILES(X)                                                                                   \
    X(main_gp)                                                                                     \
    X(body_gp)                                                                                     \
    X(log)                                                                                         \
    X(frame)                                                                                       \
    X(shade)                                                                                       \
    X(ridges)                                                                                      \
    X(slanted)                                                                                     \
    X(flat)                                                                                        \
    X(above)                                                                                       \
    X(theory)                                                                                      \
    X(roof)                                                                                        \
    X(strokes)                                                                                     \
    X(hollow)                                                                                      \
    X(marks_unknown)                                                                               \
    X(marks_memory)                                                                                \
    X(marks_compute)                                                                               \
    X(marks_launch)                                                                                \
    X(svg)                                                                                         \
    X(png)

static const char *const fixed_files[] = {
#define X(name) #name,
    FILES(X)
#undef X
};
static const char *const text_files[] = {
#define STYLE(name, pixels, alignment) "text_" #name,
    TEXT_STYLES(STYLE)
#undef STYLE
};

enum { FIXED_FILES = sizeof fixed_files / sizeof *fixed_files, PNG_SCALE = 2 };

void picture_safe_text(char *text)
{
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                               " _.,=+/()%-";
    for (; *text; text++)
        if (!strchr(safe, *text))
            *text = '?';
}

void picture_stem(const struct figure_key *key, char *stem, size_t capacity)
{
    text_format(stem, capacity, "roofline-%s-%s-%.0ft", key->device, key->dtype, key->threads);
    picture_safe_text(stem);
    for (char *p = stem; *p; p++)
        if (strchr(" /?()%", *p))
            *p = '_';
}

/* Two data files must not be one: the stem is checked, the folder is ours alone (mkdtemp: mode
 * 0700). */
static FILE *create(const char *folder, const char *name, struct error *error)
{
    char path[1024];
    if (path_join(path, sizeof path, folder, name, error) != OK)
        return NULL;
    FILE *file = fopen(path, "wx");
    if (!file)
        error_set(error, FAULT_IO, "cannot write '%s': %s", path, strerror(errno));
    return file;
}

static int finish(FILE *file, const char *name, struct error *error)
{
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        return error_set(error, FAULT_IO, "cannot write gnuplot's file '%s': %s", name,
                         strerror(errno));
    return OK;
}

/* Where a flat line begins (at the fastest memory level) and a slanted one ends (at the highest
 * flat one). */
static void print_line(FILE *file, const struct figure *figure, const struct figure_line *line)
{
    double from = figure->intensity_min, to = figure->intensity_max;
    double top = figure_top(figure, false), fastest = figure_top(figure, true);
    if (line->style == LINE_ROOF) {
        const struct figure_line *other = figure_roof(figure, !line->slanted);
        if (line->slanted && other)
            to = other->value / line->value;
    } else if (line->slanted && top > 0) {
        to = top / line->value;
    }
    if (!line->slanted && fastest > 0)
        from = line->value / fastest;
    if (to > from)
        fprintf(file, "%.9g\t%.9g\n%.9g\t%.9g\n\n", from, line_at(line, from), to,
                line_at(line, to));
}

static const char *line_file(const struct figure_line *line)
{
    switch (line->style) {
    case LINE_ROOF:
        return "roof";
    case LINE_ABOVE:
        return "above";
    case LINE_THEORY:
        return "theory";
    default:
        return line->slanted ? "slanted" : "flat";
    }
}

static int write_lines(const char *folder, const struct figure *figure, const char *name,
                       struct error *error)
{
    FILE *file = create(folder, name, error);
    if (!file)
        return FAILED;
    for (int i = 0; i < figure->line_count; i++)
        if (strcmp(line_file(&figure->line[i]), name) == 0)
            print_line(file, figure, &figure->line[i]);
    return finish(file, name, error);
}

/* What no measured ceiling allows. */
static int write_shade(const char *folder, const struct figure *figure, struct error *error)
{
    FILE *file = create(folder, "shade", error);
    if (!file)
        return FAILED;
    double flat = figure_top(figure, false), fastest = figure_top(figure, true);
    if (flat > 0 && fastest > 0)
        fprintf(file, "%.9g\t%.9g\n%.9g\t%.9g\n%.9g\t%.9g\n%.9g\t%.9g\n%.9g\t%.9g\n",
                figure->intensity_min, figure->flops_max, figure->intensity_min,
                fmax(fastest * figure->intensity_min, figure->flops_min),
                fmax(flat / fastest, figure->intensity_min), flat, figure->intensity_max, flat,
                figure->intensity_max, figure->flops_max);
    return finish(file, "shade", error);
}

static int write_ridges(const char *folder, const struct figure *figure, struct error *error)
{
    FILE *file = create(folder, "ridges", error);
    if (!file)
        return FAILED;
    const struct figure_line *flat = figure_roof(figure, false);
    for (int i = 0; i < figure->line_count && flat; i++) {
        const struct figure_line *line = &figure->line[i];
        double ridge = ridge_flops_per_byte(flat->value, line->value);
        if (line->slanted && line->style != LINE_THEORY)
            fprintf(file, "%.9g\t%.9g\n%.9g\t%.9g\n\n", ridge, figure->flops_min, ridge,
                    flat->value);
    }
    return finish(file, "ridges", error);
}

static void print_corner(FILE *file, const struct mark *mark, double angle, double reach)
{
    fprintf(file, "%.9g\t%.9g\t%u\n", mark->x + reach * cos(angle), mark->y + reach * sin(angle),
            bound_rgb(mark->bound));
}

/* A polygon of its own for every badge: point sizes differ between gnuplot's terminals, coordinates
 * do not. */
static void print_polygon(FILE *file, const struct mark *mark)
{
    static const struct {
        int corners;
        double turn, reach; /* reach: the corner's distance from the centre, in radii */
    } shapes[] = {
        [BOUND_UNKNOWN] = {4, 0, 1.3},
        [BOUND_MEMORY] = {36, 0, 1},
        [BOUND_COMPUTE] = {4, M_PI / 4, 1.3},
        [BOUND_LAUNCH] = {3, M_PI / 2, 1.5},
    };
    const int corners = shapes[mark->bound].corners;
    for (int i = 0; i <= corners; i++) /* back to the first one: outlines are closed */
        print_corner(file, mark, shapes[mark->bound].turn + 2 * M_PI * (i % corners) / corners,
                     mark->radius * shapes[mark->bound].reach);
    fputc('\n', file);
}

static int write_hollow(const char *folder, const struct layout *layout, struct error *error)
{
    FILE *file = create(folder, "hollow", error);
    if (!file)
        return FAILED;
    for (int i = 0; i < layout->mark_count; i++)
        if (layout->mark[i].is_hollow)
            print_polygon(file, &layout->mark[i]);
    return finish(file, "hollow", error);
}

static int write_marks(const char *folder, const struct layout *layout, enum bound bound,
                       struct error *error)
{
    char name[32];
    text_format(name, sizeof name, "marks_%s",
                bound == BOUND_UNKNOWN ? "unknown" : bound_name(bound));
    FILE *file = create(folder, name, error);
    if (!file)
        return FAILED;
    /* Backwards: the small dots of badges that stand aside were added last and lie below. */
    for (int i = layout->mark_count - 1; i >= 0; i--)
        if (layout->mark[i].bound == bound && !layout->mark[i].is_hollow)
            print_polygon(file, &layout->mark[i]);
    return finish(file, name, error);
}

static int write_strokes(const char *folder, const struct layout *layout, struct error *error)
{
    FILE *file = create(folder, "strokes", error);
    if (!file)
        return FAILED;
    for (int i = 0; i < layout->stroke_count; i++) {
        const struct stroke *stroke = &layout->stroke[i];
        fprintf(file, "%.9g\t%.9g\t%.9g\t%.9g\t%u\n", stroke->x0, stroke->y0,
                stroke->x1 - stroke->x0, stroke->y1 - stroke->y0, stroke->rgb);
    }
    return finish(file, "strokes", error);
}

static int write_texts(const char *folder, const struct layout *layout, int style,
                       struct error *error)
{
    FILE *file = create(folder, text_files[style], error);
    if (!file)
        return FAILED;
    for (int i = 0; i < layout->text_count; i++) {
        struct text text = layout->text[i];
        if ((int)text.style != style)
            continue;
        picture_safe_text(text.text);
        fprintf(file, "%.9g\t%.9g\t%s\t%u\n", text_anchor(&text), text.box.y, text.text, text.rgb);
    }
    return finish(file, text_files[style], error);
}

static int write_frame(const char *folder, const struct figure *figure, struct error *error)
{
    FILE *file = create(folder, "frame", error);
    if (!file)
        return FAILED;
    fprintf(file, "%.9g\t%.9g\n%.9g\t%.9g\n", figure->intensity_min, figure->flops_min,
            figure->intensity_max, figure->flops_min);
    return finish(file, "frame", error);
}

/* The numbers of the script: all that is not constant in it, with a decimal point (gnuplot divides
 * integers as such). F scales pixels of the layout to font sizes. */
static int write_main(const char *folder, const struct layout *layout, struct error *error)
{
    FILE *file = create(folder, "main_gp", error);
    if (!file)
        return FAILED;
    const struct figure *figure = layout->figure;
    fprintf(
        file,
        "WIDTH = %#.9g\nHEIGHT = %#.9g\nLEFT = %#.9g\nRIGHT = %#.9g\nBOTTOM = %#.9g\nTOP = %#.9g\n"
        "SLOPE = %.9g\nXMIN = %.9g\nXMAX = %.9g\nYMIN = %.9g\nYMAX = %.9g\nSCALE = %d\n",
        layout->width, layout->height, layout->left, layout->right, layout->bottom, layout->top,
        layout->slope * 180 / M_PI, figure->intensity_min, figure->intensity_max, figure->flops_min,
        figure->flops_max, PNG_SCALE);
    fputs("set encoding utf8\n"
          "set terminal svg size WIDTH,HEIGHT dynamic font 'DejaVu Sans,12' background '#ffffff'\n"
          "set output 'svg'\n"
          "F = 1.0\n"
          "load 'body_gp'\n"
          "set terminal pngcairo size SCALE*WIDTH,SCALE*HEIGHT linewidth SCALE "
          "font 'DejaVu Sans,12' background '#ffffff'\n"
          "set output 'png'\n"
          "F = 0.75 * SCALE\n" /* pngcairo's sizes are points of 1/72 inch at 96 pixels an inch */
          "load 'body_gp'\n",
          file);
    return finish(file, "main_gp", error);
}

static const char body_axes[] =
    "set datafile separator '\\t'\n"
    "set datafile commentschars ''\n"
    "unset key\n"
    "set multiplot\n"
    "set lmargin at screen LEFT/WIDTH\nset rmargin at screen RIGHT/WIDTH\n"
    "set bmargin at screen BOTTOM/HEIGHT\nset tmargin at screen TOP/HEIGHT\n"
    "set logscale xy\nset xrange [XMIN:XMAX]\nset yrange [YMIN:YMAX]\n"
    "set tics out nomirror\n"
    "set border 3 lw 1.2 lc rgb '#444444'\n"
    "set xtics font 'DejaVu Sans,'.sprintf('%g', 15*F) ('1' 1)\n"
    "do for [i=1:20] { set xtics add (sprintf('1/%d', 2**i) 2.0**-i, sprintf('%d', 2**i) 2.0**i) "
    "}\n"
    "set format y '%.0s %cFLOP/s'\n"
    "set ytics font 'DejaVu Sans,'.sprintf('%g', 15*F) (1e3)\n"
    "do for [i=3:19] { set ytics add (10.0**i, 2*10.0**i, 5*10.0**i) }\n"
    "set grid xtics ytics lt 1 dt 1 lw 1 lc rgb '#e2e2e2'\n"
    "set label 1 'Arithmetic intensity  [FLOP / byte of compulsory traffic]' "
    "at screen (LEFT+RIGHT)/2/WIDTH, screen 22/HEIGHT center font 'DejaVu Sans,'.sprintf('%g', "
    "16*F)\n"
    "set label 2 'Performance' at screen 18/WIDTH, screen (BOTTOM+TOP)/2/HEIGHT center rotate by "
    "90 "
    "font 'DejaVu Sans,'.sprintf('%g', 16*F)\n"
    "plot 'shade' using 1:2 with filledcurves closed fs solid noborder fc rgb '#f2f2f2', "
    "'frame' using 1:2 with lines lw 1 lc rgb '#444444', "
    "'ridges' using 1:2 with lines dt (2,3) lw 1.5 lc rgb '#666666', "
    "'theory' using 1:2 with lines dt (12,4,2,4) lw 1.2 lc rgb '#009E73', "
    "'slanted' using 1:2 with lines lw 1.5 lc rgb '#8a8a8a', "
    "'flat' using 1:2 with lines dt (8,5) lw 1.3 lc rgb '#8a8a8a', "
    "'above' using 1:2 with lines dt (3,2) lw 1.6 lc rgb '#444444', "
    "'roof' using 1:2 with lines lw 3 lc rgb '#000000'\n";

/* The layout's pixels as axes over the whole picture. */
static const char body_overlay[] =
    "unset logscale\nunset border\nunset xtics\nunset ytics\nunset grid\nunset label\n"
    "set lmargin at screen 0\nset rmargin at screen 1\nset bmargin at screen 0\n"
    "set tmargin at screen 1\nset xrange [0:WIDTH]\nset yrange [0:HEIGHT]\n"
    "plot 'strokes' using 1:2:3:4:5 with vectors nohead lw 1.2 lc rgb variable, "
    "'hollow' using 1:2 with filledcurves closed fs solid noborder fc rgb '#ffffff', "
    "'hollow' using 1:2:3 with lines lw 1.8 lc rgb variable, "
    "'marks_unknown' using 1:2 with filledcurves closed fs solid noborder fc rgb "
    "MARK_UNKNOWN, "
    "'marks_memory' using 1:2 with filledcurves closed fs solid noborder fc rgb "
    "MARK_MEMORY, "
    "'marks_compute' using 1:2 with filledcurves closed fs solid noborder fc rgb "
    "MARK_COMPUTE, "
    "'marks_launch' using 1:2 with filledcurves closed fs solid noborder fc rgb "
    "MARK_LAUNCH";

static const char *rotation(enum text_style style)
{
    return style == STYLE_slanted ? "rotate by SLOPE" : style == STYLE_ridge ? "rotate by 90" : "";
}

static int write_body(const char *folder, struct error *error)
{
    FILE *file = create(folder, "body_gp", error);
    if (!file)
        return FAILED;
    fputs(body_axes, file);
    fprintf(file, "MARK_UNKNOWN = %u\nMARK_MEMORY = %u\nMARK_COMPUTE = %u\nMARK_LAUNCH = %u\n",
            bound_rgb(BOUND_UNKNOWN), bound_rgb(BOUND_MEMORY), bound_rgb(BOUND_COMPUTE),
            bound_rgb(BOUND_LAUNCH));
    fputs(body_overlay, file);
#define STYLE(name, pixels, alignment)                                                             \
    fprintf(file,                                                                                  \
            ", 'text_%s' using 1:2:(strcol(3)):4 with labels %s noenhanced %s "                    \
            "font 'DejaVu Sans,'.sprintf('%%g', %d*F) tc rgb variable",                            \
            #name, #alignment, rotation(STYLE_##name), pixels);
    TEXT_STYLES(STYLE)
#undef STYLE
    fputs("\nunset multiplot\nset output\nreset\n", file);
    return finish(file, "body_gp", error);
}

static int write_inputs(const char *folder, const struct layout *layout, struct error *error)
{
    static const char *const lines[] = {"slanted", "flat", "above", "theory", "roof"};
    const struct figure *figure = layout->figure;
    if (write_main(folder, layout, error) != OK || write_body(folder, error) != OK ||
        write_frame(folder, figure, error) != OK || write_shade(folder, figure, error) != OK ||
        write_ridges(folder, figure, error) != OK || write_strokes(folder, layout, error) != OK ||
        write_hollow(folder, layout, error) != OK)
        return FAILED;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (write_lines(folder, figure, lines[i], error) != OK)
            return FAILED;
    for (int bound = BOUND_UNKNOWN; bound <= BOUND_LAUNCH; bound++)
        if (write_marks(folder, layout, (enum bound)bound, error) != OK)
            return FAILED;
    for (int style = 0; style < STYLE_COUNT; style++)
        if (write_texts(folder, layout, style, error) != OK)
            return FAILED;
    return OK;
}

/* The first line of the log in which gnuplot names an error, else its first line. */
static void read_log(const char *folder, char *line, size_t capacity)
{
    char path[1024];
    struct error ignored;
    snprintf(line, capacity, "no message");
    if (path_join(path, sizeof path, folder, "log", &ignored) != OK)
        return;
    FILE *log = fopen(path, "r");
    if (!log)
        return;
    for (char text[256]; fgets(text, sizeof text, log);) {
        text[strcspn(text, "\n")] = '\0';
        if (strstr(text, "line ") && !strstr(text, "warning")) {
            snprintf(line, capacity, "%s", text);
            break;
        }
    }
    fclose(log);
}

static int run_gnuplot(const char *folder, struct error *error)
{
    char *arguments[] = {"gnuplot", "-d", "main_gp", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, folder);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "log", O_WRONLY | O_CREAT, 0600);
    pid_t child;
    int failure = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failure == ENOENT)
        return error_skip(error, "no picture: 'gnuplot' is not installed; apt-get install "
                                 "gnuplot-nox, or draw here with 'roofline plot --terminal'");
    if (failure)
        return error_set(error, FAULT_ENVIRONMENT, "cannot start 'gnuplot': %s", strerror(failure));
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return OK;
    char line[256];
    read_log(folder, line, sizeof line);
    return error_set(error, FAULT_ENVIRONMENT,
                     "'gnuplot' failed: %s; 'roofline plot --terminal' works without it", line);
}

static int take_picture(const char *folder, const char *name, const char *directory,
                        const char *stem, struct error *error)
{
    char source[1024], leaf[256], target[1024];
    snprintf(leaf, sizeof leaf, "%s.%s", stem, name);
    if (path_join(source, sizeof source, folder, name, error) != OK ||
        path_join(target, sizeof target, directory, leaf, error) != OK)
        return FAILED;
    FILE *picture = fopen(source, "rb");
    if (!picture)
        return error_set(error, FAULT_ENVIRONMENT, "'gnuplot' wrote no %s: %s", name,
                         strerror(errno));
    struct atomic_file file;
    if (atomic_open(&file, target, error) != OK) {
        fclose(picture);
        return FAILED;
    }
    char block[1 << 14];
    size_t bytes, total = 0;
    while ((bytes = fread(block, 1, sizeof block, picture)) > 0)
        total += fwrite(block, 1, bytes, file.stream);
    fclose(picture);
    if (total == 0) {
        atomic_abandon(&file);
        return error_set(error, FAULT_ENVIRONMENT, "'gnuplot' wrote an empty %s", name);
    }
    return atomic_commit(&file, error);
}

static void remove_folder(const char *folder)
{
    char path[1024];
    struct error ignored;
    for (int i = 0; i < FIXED_FILES; i++)
        if (path_join(path, sizeof path, folder, fixed_files[i], &ignored) == OK)
            unlink(path);
    for (int i = 0; i < STYLE_COUNT; i++)
        if (path_join(path, sizeof path, folder, text_files[i], &ignored) == OK)
            unlink(path);
    rmdir(folder);
}

int picture_write(const struct figure *figure, const char *directory, const char *stem,
                  struct error *error)
{
    struct layout layout;
    char folder[1024];
    const char *parent = getenv("TMPDIR");
    if (path_join(folder, sizeof folder, parent && *parent ? parent : "/tmp", "roofline-XXXXXX",
                  error) != OK)
        return FAILED;
    if (!mkdtemp(folder))
        return error_set(error, FAULT_IO, "cannot make the temporary folder '%s': %s; set TMPDIR",
                         folder, strerror(errno));
    int result = layout_build(&layout, figure, error);
    if (result == OK)
        result = write_inputs(folder, &layout, error);
    if (result == OK)
        result = run_gnuplot(folder, error);
    if (result == OK)
        result = take_picture(folder, "svg", directory, stem, error);
    if (result == OK)
        result = take_picture(folder, "png", directory, stem, error);
    layout_free(&layout);
    remove_folder(folder);
    return result;
}
