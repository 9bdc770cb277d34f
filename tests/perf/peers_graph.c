// peers_graph.c - whole networks: ours with every pass against ONNX Runtime with all of its
// optimisations, in one process.
//
// MODELS names the files, with blanks between; else those of ../shared/models are taken.
#include <glob.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench_row.h"
#include "executor.h"
#include "interrupt.h"
#include "onnx.h"
#include "onnx_write.h"
#include "optimize.h"
#include "peers.h"
#include "peers_onnxruntime.h"
#include "weights.h"

enum { ROUNDS = 21, INPUTS_MAX = 16 };

static const char *const standard_models = "../shared/models/light/*/*.onnx "
                                           "../shared/models/real/Ultraface*/*.onnx "
                                           "../shared/models/real/hyd_squeezenet/*.onnx";

/* Threads of a pool spin before they sleep: 20 ms behind a run of ONNX Runtime 1.32 they still took
 * a core from ours. */
static const struct timespec pause_between = {.tv_nsec = 200000000};

/* A network that both can run. */
struct network {
    const char *path;
    char copy[64]; /* the file that ONNX Runtime reads: with the weights that the model lacks */
    struct graph graph, optimized;
    struct arena arena; /* of inputs and names */
    struct array input[INPUTS_MAX];
    const char *input_name[INPUTS_MAX], *output_name[INPUTS_MAX];
    int inputs, outputs;
};

/* One number of threads. */
struct race {
    struct executor *ours;
    struct executor_job job;
    struct onnxruntime *theirs;
    struct pairs pairs; /* runs per second */
};

/* ---- a network ---- */

/* Deterministic values in [0, 1), by the name of the input. */
static int make_input(struct network *network, int i, struct error *error)
{
    const int id = network->graph.block[0]->inputs[i];
    const struct tensor *tensor = network->graph.tensor[id];
    struct array *input = &network->input[i];
    if (!type_is_complete(&tensor->type) || tensor->type.element != ELEMENT_f32)
        return error_skip(error, "input '%s' is not of f32 with known dims", tensor->name);
    input->type = tensor->type;
    input->data = arena_take(&network->arena, (size_t)type_bytes(&input->type));
    if (!input->data)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    weight_fill(tensor->name, &input->type,
                (struct weight_rule){.role = WEIGHT_PRODUCTS, .fan_in = 6, .gain = 1}, input->data);
    network->input_name[i] = tensor->name;
    return OK;
}

static int describe(struct network *network, struct error *error)
{
    const struct block *block = network->graph.block[0];
    network->inputs = block->input_count;
    network->outputs = block->output_count;
    if (network->inputs > INPUTS_MAX || network->outputs > INPUTS_MAX)
        return error_skip(error, "it has more than %d inputs or outputs", INPUTS_MAX);
    for (int i = 0; i < network->outputs; i++)
        network->output_name[i] = network->graph.tensor[block->outputs[i]]->name;
    int result = OK;
    for (int i = 0; i < network->inputs && result == OK; i++)
        result = make_input(network, i, error);
    return result;
}

/* The graph with weights, the file that ONNX Runtime reads, and the optimised graph. */
static int prepare(struct network *network, struct error *error)
{
    struct pass_set all;
    int result = onnx_read(&network->graph, network->path, error);
    /* Small factors keep the softmax behind a Gemm unsaturated. */
    if (result == OK)
        result = weights_name(&network->graph, 0x1p-17, NULL, error);
    if (result == OK)
        graph_fix_overridable(&network->graph);
    if (result == OK)
        result = graph_infer(&network->graph, error);
    if (result == OK)
        result = describe(network, error);
    if (result == OK)
        result = onnx_write(&network->graph, network->copy, error);
    if (result == OK)
        result = graph_copy(&network->optimized, &network->graph, error);
    if (result == OK)
        result = pass_set_parse(&all, "all", error);
    if (result == OK)
        result = graph_optimize(&network->optimized, &all, NULL, NULL, error);
    return result;
}

/* ---- both of them ---- */

static int enter_ours(struct race *race, const struct network *network, const struct host *host,
                      int threads, struct error *error)
{
    const struct executor_setup setup = {.host = host, .threads = threads, .isa = isa_best()};
    int result = executor_open(&race->ours, &network->optimized, &setup, error);
    for (int i = 0; i < network->inputs && result == OK; i++)
        result = executor_set_input(race->ours, i, &network->input[i], error);
    if (result == OK)
        result = executor_run(race->ours, error);
    race->job = (struct executor_job){.executor = race->ours, .at = -1, .repeats = 1};
    return result;
}

static int enter_theirs(struct race *race, const struct network *network,
                        const struct opened_library *library, int threads, struct error *error)
{
    team_spread(threads);
    int result = onnxruntime_open(library, network->copy, threads, &race->theirs, error);
    if (result == OK)
        result = onnxruntime_bind(race->theirs, network->input_name, network->input,
                                  network->inputs, network->output_name, network->outputs, error);
    if (result == OK)
        result = onnxruntime_run(race->theirs, error);
    return result;
}

/* |ours - theirs| <= 1e-5 + 1e-4 |theirs| everywhere; FAULT_WRONG where not. */
static int agree(const struct race *race, const struct network *network, struct error *error)
{
    for (int k = 0; k < network->outputs; k++) {
        const float *theirs;
        const struct array ours = executor_output(race->ours, k);
        if (onnxruntime_output(race->theirs, k, &theirs, error) != OK)
            return SKIPPED;
        for (long i = 0; i < type_elements(&ours.type); i++) {
            const double a = ((const float *)ours.data)[i], b = theirs[i];
            if (!(fabs(a - b) <= 1e-5 + 1e-4 * fabs(b)))
                return error_set(error, FAULT_WRONG, "output '%s'[%ld] is %g, ONNX Runtime has %g",
                                 network->output_name[k], i, a, b);
        }
    }
    return OK;
}

static double rate_of_ours(struct race *race)
{
    const struct work work = executor_work(&race->job);
    return (double)race->job.repeats / measure_sample(&work).seconds;
}

static int rate_of_theirs(struct race *race, int threads, double *rate, struct error *error)
{
    team_spread(threads);
    const double start = seconds_now();
    for (long i = 0; i < race->job.repeats; i++)
        if (onnxruntime_run(race->theirs, error) != OK)
            return FAILED;
    *rate = (double)race->job.repeats / (seconds_now() - start);
    return OK;
}

static int sample_rounds(struct race *race, int threads, struct error *error)
{
    const struct work work = executor_work(&race->job);
    measure_calibrate(&work, &race->job.repeats, 20e-3);
    for (int round = 0; round < ROUNDS && !interrupted(); round++) {
        for (int turn = 0; turn < 2; turn++) {
            nanosleep(&pause_between, NULL);
            if ((round + turn) % 2 == 0)
                race->pairs.ours[round] = rate_of_ours(race);
            else if (rate_of_theirs(race, threads, &race->pairs.peer[round], error) != OK)
                return FAILED;
        }
        race->pairs.rounds = round + 1;
    }
    return OK;
}

static int run_race(struct comparison *comparison, const struct network *network,
                    const struct opened_library *library, int threads, struct error *error)
{
    struct race race = {0};
    struct peer_row key = {.threads = threads};
    text_copy(key.group, sizeof key.group, graph_group.name);
    text_copy(key.work, sizeof key.work, network->graph.name);
    text_copy(key.shape, sizeof key.shape, network->path);
    text_copy(key.dtype, sizeof key.dtype, dtype_name(DTYPE_f32));
    text_format(key.ours, sizeof key.ours, "all passes %s", isa_name(isa_best()));
    text_copy(key.peer, sizeof key.peer, library->version);
    text_copy(key.unit, sizeof key.unit, "run/s");
    int result = enter_ours(&race, network, &comparison->host, threads, error);
    if (result == OK)
        result = enter_theirs(&race, network, library, threads, error);
    if (result == OK)
        result = agree(&race, network, error);
    if (result == OK)
        result = sample_rounds(&race, threads, error);
    if (result == OK && race.pairs.rounds > 0)
        result = peer_append(comparison, &key, &race.pairs, error);
    executor_close(race.ours);
    onnxruntime_close(race.theirs);
    return result;
}

/* ---- all networks ---- */

static int compare_network(struct comparison *comparison, const char *path,
                           const struct opened_library *library, struct error *error)
{
    struct network network = {.path = path};
    const struct request request = {.isa = -1, .dtype = -1};
    const struct probe_run probe = {.host = &comparison->host, .request = &request};
    int threads[PROBE_WORKER_COUNTS], counts = probe_worker_counts(&probe, threads);
    text_copy(network.copy, sizeof network.copy, "/tmp/roofline-peers-XXXXXX");
    const int file = mkstemp(network.copy);
    if (file < 0)
        return error_set(error, FAULT_ENVIRONMENT, "cannot make a file in /tmp");
    close(file);
    int result = prepare(&network, error);
    for (int i = 0; i < counts && result == OK && !interrupted(); i++) {
        progress(path, i, counts);
        result = run_race(comparison, &network, library, threads[i], error);
    }
    unlink(network.copy);
    graph_free(&network.optimized);
    graph_free(&network.graph);
    arena_free(&network.arena);
    if (result != OK) {
        warn("%s: skipped, %s", path, error->text);
        return error->fault == FAULT_WRONG ? FAILED : OK;
    }
    return OK;
}

static int compare_graphs(struct comparison *comparison, struct error *error)
{
    struct opened_library library;
    glob_t found = {0};
    if (comparison->isa != isa_best())
        return error_skip(error, "ONNX Runtime cannot be held to '%s'", isa_name(comparison->isa));
    if (team_pin(&comparison->host, comparison->host.threads, error) != OK)
        return FAILED;
    team_spread(comparison->host.threads);
    int result = onnx_available(error);
    if (result == OK)
        result = onnxruntime_find(&library, error);
    if (result != OK)
        return result;
    const char *models = getenv("MODELS") ? getenv("MODELS") : standard_models;
    char *copy = strdup(models), *rest = NULL;
    for (char *word = copy ? strtok_r(copy, " ", &rest) : NULL; word;
         word = strtok_r(NULL, " ", &rest))
        glob(word, GLOB_APPEND * (found.gl_pathc > 0), NULL, &found);
    free(copy);
    if (found.gl_pathc == 0)
        result = error_skip(error, "no model matches '%s'; name others by MODELS=", models);
    for (size_t i = 0; i < found.gl_pathc && result == OK && !interrupted(); i++)
        result = compare_network(comparison, found.gl_pathv[i], &library, error);
    globfree(&found);
    return result;
}

const struct peer_group graph_group = {"graph", compare_graphs};
