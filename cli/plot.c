// plot.c - `roofline plot`: rooflines of a results directory as pictures or in the terminal.
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "graph_results.h"
#include "picture.h"
#include "terminal.h"

static const char usage[] =
    "usage: roofline plot DIR [--terminal] [--help]\n"
    "\n"
    "Draws what machine.csv and bench.csv of DIR hold: one roofline for each device, number\n"
    "format and thread count. Writes DIR/roofline-cpu-f32-1t.svg and .png and so on with\n"
    "gnuplot, prints their names, and writes DIR/summary.csv: rates, intensity, bound and\n"
    "fraction of roof of every kernel. More than 32 kernels go on in roofline-cpu-f32-1t-2.svg\n"
    "and so on, under the same ceilings and axes; the numbers are those of the report.\n"
    "\n"
    "Where DIR holds graph.csv ('roofline graph MODEL --out DIR'), graph-roofline-cpu-f32-1t.svg\n"
    "and .png show its operators: hollow before the passes, filled after, an arrow between; of\n"
    "several batch sizes the whole graphs. Ceilings are those of machine.csv.\n"
    "\n"
    "  --terminal     draw with characters on stdout instead; COLUMNS and LINES set the size,\n"
    "                 NO_COLOR=1 switches colour off, a locale without UTF-8 gives plain ASCII\n"
    "\n"
    "docs/reading-a-roofline.md explains the picture.\n";

/* Rows of the terminal: LINES, the terminal's own answer, else 24. */
static int terminal_rows(void)
{
    const char *lines = getenv("LINES");
    if (lines && atoi(lines) > 0)
        return atoi(lines);
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
        return size.ws_row;
    return 24;
}

static struct terminal terminal_here(void)
{
    setlocale(LC_CTYPE, "");
    return (struct terminal){
        .columns = terminal_columns(),
        .rows = terminal_rows(),
        .colour = colour_wanted(),
        .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
    };
}

/* "roofline-cpu-f32-1t"; of parts after the first "roofline-cpu-f32-1t-2" and so on. */
static void stem_of_part(const struct figure *figure, int part, char *stem, size_t capacity)
{
    const char *prefix = figure->of_graph ? "graph-" : "";
    text_copy(stem, capacity, prefix);
    picture_stem(&figure->key, stem + strlen(prefix), capacity - strlen(prefix));
    size_t length = strlen(stem);
    if (part > 0)
        text_format(stem + length, capacity - length, "-%d", part + 1);
}

static int draw_picture(const struct figure *figure, int part, const char *directory,
                        struct error *error)
{
    char stem[96];
    stem_of_part(figure, part, stem, sizeof stem);
    int result = picture_write(figure, directory, stem, error);
    if (result == OK)
        printf("%s/%s.svg\n%s/%s.png\n", directory, stem, directory, stem);
    return result;
}

/* The parts from `part` on, left by a run of more kernels, would be taken for this one's. */
static void remove_pictures(const struct figure *figure, int part, const char *directory)
{
    char stem[96], path[1024];
    for (bool removed = true; removed; part++) {
        stem_of_part(figure, part, stem, sizeof stem);
        snprintf(path, sizeof path, "%s/%s.png", directory, stem);
        removed = unlink(path) == 0;
        snprintf(path, sizeof path, "%s/%s.svg", directory, stem);
        removed = unlink(path) == 0 || removed;
    }
}

static int draw(const struct figure *figure, const char *directory, const struct terminal *terminal,
                bool first, struct error *error)
{
    int result = OK, parts = figure_parts(figure, FIGURE_DOTS_MOST);
    for (int i = 0; i < parts && result == OK; i++) {
        struct figure part = figure_part(figure, FIGURE_DOTS_MOST, i);
        if (terminal && !(first && i == 0))
            putchar('\n');
        result = terminal ? terminal_plot(&part, terminal, stdout, error)
                          : draw_picture(&part, i, directory, error);
    }
    if (result == OK && !terminal)
        remove_pictures(figure, parts, directory);
    return result;
}

static int draw_all(const struct results *results, const char *directory,
                    const struct terminal *terminal, struct error *error)
{
    struct figure_key *keys;
    int count, result = figure_keys(results, &keys, &count, error);
    if (result == OK && count == 0)
        result = error_set(error, FAULT_IO,
                           "nothing to plot in '%s': no measured row; see 'roofline report %s'",
                           directory, directory);
    for (int i = 0; result == OK && i < count; i++) {
        struct figure figure;
        result = figure_build(&figure, results, &keys[i], error);
        if (result == OK)
            result = draw(&figure, directory, terminal, i == 0, error);
        figure_free(&figure);
    }
    free(keys);
    return result;
}

static int draw_sums(const struct results *sums, const char *directory,
                     const struct terminal *terminal, bool is_alone, struct error *error)
{
    if (terminal && !is_alone)
        putchar('\n');
    if (sums->machine.count == 0)
        warn("no machine.csv in '%s', so no ceilings are drawn; 'roofline probe --out %s' "
             "measures them",
             directory, directory);
    return draw_all(sums, directory, terminal, error);
}

/* Nothing where the directory has no timed graph; that is a fault where it `is_alone`. */
static int draw_graph(const char *directory, const struct terminal *terminal, bool is_alone,
                      struct error *error)
{
    struct results sums;
    int result = graph_results_read(&sums, directory, error);
    if (result == OK && sums.summary.count > 0)
        result = draw_sums(&sums, directory, terminal, is_alone, error);
    else if (result != FAILED && !is_alone)
        result = OK;
    else if (result != FAILED)
        result = error_set(error, FAULT_IO,
                           "nothing to plot in '%s': graph.csv holds no times; run 'roofline "
                           "graph MODEL --out %s' without --no-times",
                           directory, directory);
    results_free(&sums);
    return result;
}

static int run_plot(const char *directory, bool in_terminal)
{
    struct error error;
    struct results results;
    const struct terminal here = terminal_here();
    const struct terminal *terminal = in_terminal ? &here : NULL;
    int result = results_read(&results, directory, &error);
    const bool graph_is_alone =
        results.nodes.count > 0 && results.machine.count + results.bench.count == 0;
    if (result == OK && !graph_is_alone && !in_terminal)
        result = table_write(&results.summary, directory, &error);
    if (result == OK && !graph_is_alone)
        result = draw_all(&results, directory, terminal, &error);
    results_free(&results);
    if (result == OK)
        result = draw_graph(directory, terminal, graph_is_alone, &error);
    return result == OK ? FAULT_NONE : complain(&error);
}

static int run_command(int argc, char **argv)
{
    int in_terminal = 0;
    const struct option longs[] = {{"terminal", no_argument, &in_terminal, 1}, OPTIONS_HELP, {0}};
    struct options options;
    struct error error;
    if (options_parse(&options, longs, WORDS_DIRECTORY, argc, argv, &error) != OK)
        return complain(&error);
    if (options.help) {
        fputs(usage, stdout);
        return FAULT_NONE;
    }
    return run_plot(argv[optind], in_terminal);
}

extern const struct command plot_command;
const struct command plot_command = {
    .name = "plot",
    .summary = "rooflines of a results directory, as SVG and PNG or in the terminal",
    .usage = usage,
    .run = run_command,
};
