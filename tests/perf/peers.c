// peers.c - ours against what others wrote: `make perf-peers [ONLY=GROUP] [ISA=avx2]`.
#include "peers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interrupt.h"
#include "provenance.h"
#include "stats.h"

static const struct peer_group *const groups[] = {
    &ceilings_group,   &gemm_group,           &conv_nchw_group, &conv_nhwc_group,
    &conv_nchwc_group, &conv_depthwise_group, &epilogues_group, &elementwise_group,
    &rows_group,       &images_group,         &memory_group,    &fusion_group,
    &graph_group};
enum { GROUP_COUNT = sizeof groups / sizeof *groups };

#define TEXT(name, capacity, meaning)                                                              \
    {#name, FIELD_TEXT, offsetof(struct peer_row, name), capacity, meaning},
#define REAL(name, unit, meaning)                                                                  \
    {#name, FIELD_REAL, offsetof(struct peer_row, name), sizeof(double), unit ": " meaning},
static const struct field peer_fields[] = {PEER_COLUMNS};
#undef TEXT
#undef REAL

static const struct schema peer_schema = {
    .name = "peers",
    .version = 1,
    .fields = peer_fields,
    .field_count = sizeof peer_fields / sizeof *peer_fields,
    .row_bytes = sizeof(struct peer_row),
};

static const struct peer_row *row_at(const struct table *table, size_t i)
{
    return (const struct peer_row *)table->rows + i;
}

/* Of the quotients a / b, round by round. */
static struct quartiles quotients_of(const double *a, const double *b, int rounds)
{
    double quotient[PEER_ROUNDS_MAX];
    for (int i = 0; i < rounds; i++)
        quotient[i] = a[i] / b[i];
    return quartiles_of(quotient, (size_t)rounds);
}

static double median_of(const double *values, int rounds)
{
    double sorted[PEER_ROUNDS_MAX];
    memcpy(sorted, values, (size_t)rounds * sizeof *values);
    return quartiles_of(sorted, (size_t)rounds).median;
}

int peer_append(struct comparison *comparison, const struct peer_row *key,
                const struct pairs *pairs, struct error *error)
{
    const int rounds = pairs->rounds;
    struct peer_row *row = table_append(&comparison->rows);
    if (!row)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for the rows of peers.csv");
    const struct quartiles ratios = quotients_of(pairs->ours, pairs->peer, rounds);
    *row = *key;
    row->ours_value = median_of(pairs->ours, rounds);
    row->peer_value = median_of(pairs->peer, rounds);
    row->ratio = ratios.median;
    row->rounds = rounds;
    row->spread_rel = spread_rel(&ratios);
    row->ours_of_peak = row->peer_of_peak = NAN;
    if (pairs->has_peak) {
        row->ours_of_peak = quotients_of(pairs->ours, pairs->peak, rounds).median;
        row->peer_of_peak = quotients_of(pairs->peer, pairs->peak, rounds).median;
    }
    return OK;
}

/* ---- the process that starts other programs ---- */

static int launcher_start(struct launcher *launcher, struct error *error)
{
    int down[2], up[2];
    if (pipe(down) != 0 || pipe(up) != 0 || (launcher->child = fork()) < 0)
        return error_set(error, FAULT_ENVIRONMENT, "cannot start a process for other programs");
    bool is_child = launcher->child == 0;
    close(down[is_child]);
    close(up[!is_child]);
    FILE *in = fdopen(is_child ? down[0] : up[0], "r"),
         *out = fdopen(is_child ? up[1] : down[1], "w");
    if (!in || !out)
        return error_set(error, FAULT_ENVIRONMENT, "cannot open pipes to other programs");
    if (is_child) {
        launcher_serve(in, out);
        _exit(0);
    }
    launcher->answers = in;
    launcher->requests = out;
    return OK;
}

static void launcher_stop(struct launcher *launcher)
{
    fclose(launcher->requests);
    fclose(launcher->answers);
    waitpid(launcher->child, NULL, 0);
}

/* ---- on equal terms: ISA= holds ours and the libraries to an instruction set ---- */

/* What the libraries call the instruction sets that they can be held to, by the environment. */
static const struct {
    const char *isa, *onednn, *openblas, *mkl;
} terms[] = {
    {"sse2", "SSE41", "Core2", "SSE4_2"},
    {"avx", "AVX", "Sandybridge", "AVX"},
    {"avx2", "AVX2", "Zen", "AVX2"},
};

/* Before a library is opened: each looks once. */
static int hold_all(struct comparison *comparison, const char *word, struct error *error)
{
    comparison->isa = isa_best();
    if (!word || !*word)
        return OK;
    if (isa_parse(word, &comparison->isa, error) != OK)
        return FAILED;
    if (!isa_supported(comparison->isa))
        return error_set(error, FAULT_ENVIRONMENT, "this CPU lacks '%s'; the best it has is ISA=%s",
                         word, isa_name(isa_best()));
    if (comparison->isa == isa_best())
        return OK;
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++)
        if (strcmp(terms[i].isa, word) == 0) {
            setenv("ONEDNN_MAX_CPU_ISA", terms[i].onednn, true);
            setenv("DNNL_MAX_CPU_ISA", terms[i].onednn, true);
            setenv("OPENBLAS_CORETYPE", terms[i].openblas, true);
            setenv("MKL_ENABLE_INSTRUCTIONS", terms[i].mkl, true);
            return OK;
        }
    return error_set(error, FAULT_USAGE, "libraries cannot be held to '%s'", word);
}

/* ---- what it comes to ---- */

static bool same_work(const struct peer_row *a, const struct peer_row *b)
{
    return strcmp(a->group, b->group) == 0 && strcmp(a->work, b->work) == 0 &&
           strcmp(a->shape, b->shape) == 0 && strcmp(a->dtype, b->dtype) == 0 &&
           a->threads == b->threads;
}

static bool same_class(const struct peer_row *a, const struct peer_row *b)
{
    return strcmp(a->group, b->group) == 0 && strcmp(a->dtype, b->dtype) == 0 &&
           a->threads == b->threads;
}

/* Whether no other peer is better at the same work. */
static bool is_best(const struct table *rows, size_t i)
{
    for (size_t j = 0; j < rows->count; j++)
        if (same_work(row_at(rows, i), row_at(rows, j)) &&
            (row_at(rows, j)->ratio < row_at(rows, i)->ratio ||
             (row_at(rows, j)->ratio == row_at(rows, i)->ratio && j < i)))
            return false;
    return true;
}

/* Of all works of one group, dtype and number of threads the geometric mean and the worst of ours /
 * best peer. */
static void print_class(const struct table *rows, size_t first)
{
    const struct peer_row *class = row_at(rows, first), *worst = class;
    double logarithms = 0, ours_of_peak = 0, peer_of_peak = 0;
    int works = 0;
    for (size_t i = 0; i < rows->count; i++) {
        const struct peer_row *row = row_at(rows, i);
        if (!same_class(class, row) || !is_best(rows, i))
            continue;
        logarithms += log(row->ratio);
        ours_of_peak += log(row->ours_of_peak);
        peer_of_peak += log(row->peer_of_peak);
        works++;
        worst = works == 1 || row->ratio < worst->ratio ? row : worst;
    }
    printf("%s %s, %.0f thread%s: ours / best peer: geometric mean %.3f of %d, worst %.3f (%s %s "
           "against %s)\n",
           class->group, class->dtype, class->threads, class->threads == 1 ? "" : "s",
           exp(logarithms / works), works, worst->ratio, worst->work, worst->shape, worst->peer);
    if (!isnan(ours_of_peak))
        printf(
            "    of the FMAs that registers allow, in the same rounds: ours %.3f, best peer %.3f "
            "(geometric means)\n",
            exp(ours_of_peak / works), exp(peer_of_peak / works));
}

static void print_classes(const struct table *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        size_t j = 0;
        while (!same_class(row_at(rows, i), row_at(rows, j)))
            j++;
        if (j == i)
            print_class(rows, i);
    }
}

/* ONLY= is how names of groups begin, `kernels` all groups that compare variants of kernels. */
static bool is_selected(const struct peer_group *group, const char *only)
{
    return !only || strncmp(only, group->name, strlen(only)) == 0 ||
           (strcmp(only, "kernels") == 0 && group != &ceilings_group && group != &memory_group &&
            group != &fusion_group && group != &graph_group);
}

static int compare_groups(struct comparison *comparison, const char *only, struct error *error)
{
    int selected = 0, compared = 0, result = OK;
    struct error reason;
    for (int i = 0; i < GROUP_COUNT && result == OK && !interrupted(); i++) {
        if (!is_selected(groups[i], only))
            continue;
        selected++;
        result = groups[i]->compare(comparison, error);
        compared += result == OK;
        if (result == SKIPPED) {
            warn("%s: skipped, %s", groups[i]->name, error->text);
            reason = *error;
            result = OK;
        }
    }
    if (selected == 0) {
        char names[256] = "kernels";
        for (int i = 0; i < GROUP_COUNT; i++) {
            const size_t length = strlen(names);
            text_format(names + length, sizeof names - length, " %s", groups[i]->name);
        }
        return error_set(error, FAULT_USAGE, "unknown group '%s'; there are: %s", only, names);
    }
    if (result == OK && compared == 0)
        return error_set(error, FAULT_ENVIRONMENT, "nothing to compare with: %s", reason.text);
    return result;
}

static int run_peers(const char *folder, const char *only, int argc, char **argv,
                     struct error *error)
{
    struct comparison comparison = {.peaks = NULL};
    if (hold_all(&comparison, getenv("ISA"), error) != OK ||
        launcher_start(&comparison.launcher, error) != OK ||
        host_read(&comparison.host, NULL, error) != OK)
        return FAILED;
    table_init(&comparison.rows, &peer_schema);
    int result = provenance_gather(&comparison.rows, &comparison.host, argc, argv, error);
    if (result == OK)
        result = compare_groups(&comparison, only, error);
    if (result == OK)
        result = table_write(&comparison.rows, folder, error);
    if (result == OK)
        result = print_table(&comparison.rows, OUTPUT_TEXT, error);
    if (result == OK)
        print_classes(&comparison.rows);
    launcher_stop(&comparison.launcher);
    table_free(&comparison.rows);
    host_free(&comparison.host);
    return result;
}

int main(int argc, char **argv)
{
    struct error error;
    if (argc != 2 && argc != 3) {
        error_set(&error, FAULT_USAGE, "usage: peers FOLDER [GROUP]: writes FOLDER/peers.csv");
        return complain(&error);
    }
    interrupt_watch();
    if (run_peers(argv[1], argv[2], argc, argv, &error) != OK)
        return complain(&error);
    return interrupted();
}
