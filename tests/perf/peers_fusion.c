// peers_fusion.c - a convolution with what follows it in one call, against the convolution and then
// one pass over as much: what fusing gains, on every 1x1 layer of ResNet-50. The two calls are
// timed by themselves, each with its own operands in the caches, and their times are added.
#include <string.h>

#include "collection.h"
#include "interrupt.h"
#include "peers.h"
#include "run.h"

enum { ROUNDS = 21 };

/* Of a sample, where one call is shorter. */
static const double sample_seconds = 2e-3;

/* What follows, as conv2d's epilogue and the chain call it. */
static const char *const followers[] = {"bias_relu", "bias_add_relu", NULL};

/* The three calls of a match. */
enum { FUSED, CONVOLUTION, CHAIN, CALLS };
struct contest {
    struct run run[CALLS]; /* open */
    struct work work[CALLS];
};

/* Opens and verifies a call of a kernel's first variant. */
static int open_call(struct contest *contest, int which, struct run wanted, const char *kernel,
                     const char *shape, struct error *error)
{
    struct run *run = &contest->run[which];
    double error_rel;
    *run = wanted;
    run->kernel = kernel_find(kernel);
    run->variant = &run->kernel->variants[0];
    int result = run_shape(&run->shape, run->kernel, shape, run->dtype, NULL, error);
    if (result == OK)
        result = run_open(run, error);
    if (result != OK)
        return FAILED;
    if (run_verify(run, &error_rel, error) != OK) {
        run_close(run);
        return FAILED;
    }
    contest->work[which] = run_work(run, true);
    measure_calibrate(&contest->work[which], &run->repeats, sample_seconds);
    return OK;
}

static int open_all(struct contest *contest, const struct run *wanted, const char *layer,
                    const char *follower, struct error *error)
{
    char fused[COLLECTION_TEXT_MAX], plain[COLLECTION_TEXT_MAX], chain[COLLECTION_TEXT_MAX];
    text_format(fused, sizeof fused, "%s,epilogue=%s", layer, follower);
    text_copy(plain, sizeof plain, layer);
    int result = open_call(contest, FUSED, *wanted, "conv2d", fused, error), opened = result == OK;
    if (result == OK) {
        result = open_call(contest, CONVOLUTION, *wanted, "conv2d", plain, error);
        opened += result == OK;
    }
    if (result == OK) {
        const struct run *run = &contest->run[CONVOLUTION];
        const long k = kernel_letter(run->kernel, &run->shape, "k");
        text_format(chain, sizeof chain, "rows=%.0f,columns=%ld,chain=%s",
                    run->operand[0].elements / (double)k, k, follower);
        result = open_call(contest, CHAIN, *wanted, "chain", chain, error);
    }
    while (result != OK && opened > 0)
        run_close(&contest->run[--opened]);
    return result;
}

/* FLOP per second of both ways; the calls of a round in an order that turns. */
static void sample_rounds(struct contest *contest, struct pairs *pairs)
{
    const double flops = contest->run[FUSED].flops;
    for (int round = 0; round < ROUNDS && !interrupted(); round++) {
        double seconds[CALLS];
        for (int i = 0; i < CALLS; i++) {
            const int which = (i + round) % CALLS;
            seconds[which] =
                measure_sample(&contest->work[which]).seconds / (double)contest->run[which].repeats;
        }
        pairs->ours[round] = flops / seconds[FUSED];
        pairs->peer[round] = flops / (seconds[CONVOLUTION] + seconds[CHAIN]);
        pairs->rounds = round + 1;
    }
}

static int compare_layer(struct comparison *comparison, const char *layer, const char *follower,
                         int threads, struct error *error)
{
    struct contest contest;
    struct pairs pairs = {.rounds = 0};
    const struct run wanted = {
        .host = &comparison->host, .isa = comparison->isa, .dtype = DTYPE_f32, .threads = threads};
    if (open_all(&contest, &wanted, layer, follower, error) != OK)
        return FAILED;
    sample_rounds(&contest, &pairs);
    for (int i = 0; i < CALLS; i++)
        run_close(&contest.run[i]);
    if (pairs.rounds == 0)
        return OK;
    struct peer_row key = {.threads = threads};
    text_copy(key.group, sizeof key.group, fusion_group.name);
    text_copy(key.work, sizeof key.work, "conv2d");
    text_format(key.shape, sizeof key.shape, "%s,epilogue=%s", layer, follower);
    text_copy(key.dtype, sizeof key.dtype, dtype_name(DTYPE_f32));
    text_format(key.ours, sizeof key.ours, "fused %s", isa_name(comparison->isa));
    text_copy(key.peer, sizeof key.peer, "conv2d, then chain");
    text_copy(key.unit, sizeof key.unit, "flop/s");
    return peer_append(comparison, &key, &pairs, error);
}

static int compare(struct comparison *comparison, struct error *error)
{
    static const char *const argument = "@resnet50,layout=nhwc";
    const struct request request = {.isa = -1, .dtype = -1};
    const struct probe_run probe = {.host = &comparison->host, .request = &request};
    int threads[PROBE_WORKER_COUNTS], counts = probe_worker_counts(&probe, threads);
    struct collection collection;
    int result = team_pin(&comparison->host, comparison->host.threads, error);
    if (result == OK)
        result = collection_read(&collection, argument, error);
    for (int i = 0; result == OK && i < collection.shape_count; i++) {
        char layer[COLLECTION_TEXT_MAX];
        if (!strstr(collection.shape[i].shape, ",r=1,s=1"))
            continue;
        result = collection_shape(&collection.shape[i], argument, layer, error);
        for (int j = 0; result == OK && followers[j]; j++)
            for (int k = 0; result == OK && k < counts && !interrupted(); k++)
                result = compare_layer(comparison, layer, followers[j], threads[k], error);
    }
    return result;
}

const struct peer_group fusion_group = {"fusion", compare};
