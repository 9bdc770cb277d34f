// peers_kernels.c - our kernels against the libraries that this machine has, in one process, and
// beyond the caches against what memory can do.
//
// All contestants of one work are open at the same time and sampled in every round, in an order
// drawn anew, so that none has the better minute or always the same predecessor.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench_row.h"
#include "collection.h"
#include "interrupt.h"
#include "peers.h"
#include "run.h"

enum { ROUNDS = 21, CONTESTANTS_MAX = 8 };

/* Of a sample, where one call is shorter. */
static const double sample_seconds = 2e-3;

/* Works that a group compares: NULL-ended shapes of a kernel, those that `make bench` runs where
 * NULL, in the formats of the mask. A shape may be "layers@collection,letter=value,...": all of a
 * collection with `layers` in their names. */
enum { F32 = 1 << DTYPE_f32, F64 = 1 << DTYPE_f64 };
struct works {
    const char *kernel;
    int dtypes;
    const char *const *shapes;
};

struct contestant {
    struct run run; /* open */
    struct work work;
    double rate[ROUNDS];
};

/* One work in one format with one number of threads. */
struct match {
    struct contestant contestant[CONTESTANTS_MAX]; /* the first is ours */
    int count, rounds;
    const struct gauge *gauge; /* of the arithmetic that bounds them, or NULL */
    double peak[ROUNDS];
    bool by_bytes; /* compared, else by FLOP where there are any */
};

static enum isa best_isa(const struct variant *variant, enum isa isa, enum dtype dtype)
{
    while (isa > 0 && !variant->routine && !(isa_supported(isa) && variant->bodies[isa][dtype]))
        isa--;
    return isa;
}

/* Adds a variant whose result was compared with the reference. SKIPPED where it cannot. What is
 * wanted has the widest instruction set that it may use. */
static int enter(struct match *match, const struct run *wanted, const struct variant *variant,
                 struct error *error)
{
    struct contestant *contestant = &match->contestant[match->count];
    *contestant = (struct contestant){.run = *wanted};
    struct run *run = &contestant->run;
    double error_rel;
    run->variant = variant;
    run->isa = best_isa(variant, wanted->isa, run->dtype);
    int result = run_open(run, error);
    if (result != OK)
        return result;
    if (run_verify(run, &error_rel, error) != OK) {
        run_close(run);
        return FAILED;
    }
    const char *level = host_level(run->host, run->operand_bytes, run->threads);
    contestant->work = run_work(run, strcmp(level, "DRAM") != 0);
    measure_calibrate(&contestant->work, &run->repeats, sample_seconds);
    match->count++;
    return OK;
}

static void leave_all(struct match *match)
{
    while (match->count > 0)
        run_close(&match->contestant[--match->count].run);
}

/* BLIS takes an instruction set only as a number, which differs between its versions. */
static bool is_held(const struct run *wanted, const struct variant *variant)
{
    return wanted->isa == isa_best() || strcmp(variant->name, "blis") != 0;
}

/* Ours, then every library that can; one that computes something else is said and left out. */
static int enter_all(struct match *match, const struct run *wanted, struct error *error)
{
    const struct variant *variants = wanted->kernel->variants;
    match->count = match->rounds = 0;
    int result = enter(match, wanted, &variants[0], error);
    for (const struct variant *v = variants; v->name && result == OK; v++)
        if (v->routine && match->count < CONTESTANTS_MAX && is_held(wanted, v) &&
            enter(match, wanted, v, error) == FAILED) {
            if (error->fault == FAULT_WRONG)
                warn("%s", error->text);
            else
                result = FAILED;
        }
    if (result == FAILED)
        leave_all(match);
    return result;
}

/* A random order by Fisher and Yates; the state is that of xorshift32 (Marsaglia 2003,
 * doi:10.18637/jss.v008.i14). */
static void shuffle(int *order, int count, uint32_t *state)
{
    for (int i = 0; i < count; i++)
        order[i] = i;
    for (int i = count - 1; i > 0; i--) {
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        int j = (int)(*state % (uint32_t)(i + 1)), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

/* FLOP, or the bytes of what only moves data or is compared by them. */
static double work_of(const struct match *match, const struct run *run)
{
    return run->flops > 0 && !match->by_bytes ? run->flops : run->bytes;
}

static void sample_rounds(struct match *match)
{
    uint32_t state = 2463534242u;
    int order[CONTESTANTS_MAX];
    for (int round = 0; round < ROUNDS; round++) {
        shuffle(order, match->count, &state);
        for (int i = 0; i < match->count; i++) {
            struct contestant *contestant = &match->contestant[order[i]];
            const struct run *run = &contestant->run;
            if (interrupted())
                return;
            double seconds = measure_sample(&contestant->work).seconds;
            contestant->rate[round] = (double)run->repeats * work_of(match, run) / seconds;
        }
        if (match->gauge)
            match->peak[round] = gauge_sample(match->gauge).rate;
        match->rounds = round + 1;
    }
}

static int append_rows(struct comparison *comparison, const char *group, const char *text,
                       const struct match *match, struct error *error)
{
    const struct contestant *ours = &match->contestant[0];
    const struct run *run = &ours->run;
    struct peer_row key = {.threads = run->threads};
    text_copy(key.group, sizeof key.group, group);
    text_copy(key.work, sizeof key.work, run->kernel->name);
    text_copy(key.shape, sizeof key.shape, text);
    text_copy(key.dtype, sizeof key.dtype, dtype_name(run->dtype));
    text_format(key.ours, sizeof key.ours, "%s %s", run->variant->name, isa_name(run->isa));
    text_copy(key.unit, sizeof key.unit, run->flops > 0 && !match->by_bytes ? "flop/s" : "byte/s");
    for (int i = 1; i < match->count && match->rounds > 0; i++) {
        const struct contestant *peer = &match->contestant[i];
        struct pairs pairs = {.has_peak = match->gauge != NULL, .rounds = match->rounds};
        memcpy(pairs.ours, ours->rate, sizeof ours->rate);
        memcpy(pairs.peer, peer->rate, sizeof peer->rate);
        memcpy(pairs.peak, match->peak, sizeof match->peak);
        text_copy(key.peer, sizeof key.peer,
                  match->by_bytes ? peer->run.kernel->name : peer->run.variant->name);
        if (peer_append(comparison, &key, &pairs, error) != OK)
            return FAILED;
    }
    return OK;
}

/* Ours, then the copy or triad of as many bytes that says what memory can do. */
static int enter_ceiling(struct match *match, const struct run *wanted, struct error *error)
{
    const struct kernel *kernel = wanted->kernel;
    const char *const name =
        strcmp(kernel->name, "add") == 0 || strcmp(kernel->name, "mul") == 0 ? "triad" : "copy";
    struct run ceiling = *wanted;
    char text[32];
    match->count = match->rounds = 0;
    int result = enter(match, wanted, &kernel->variants[0], error);
    if (result != OK)
        return result;
    ceiling.kernel = kernel_find(name);
    text_format(text, sizeof text, "n=%.0f",
                match->contestant[0].run.bytes /
                    ((strcmp(name, "triad") == 0 ? 3 : 2) * dtype_bytes(wanted->dtype)));
    result = run_shape(&ceiling.shape, ceiling.kernel, text, ceiling.dtype, NULL, error);
    if (result == OK)
        result = enter(match, &ceiling, &ceiling.kernel->variants[0], error);
    if (result != OK)
        leave_all(match);
    return result;
}

static int compare_work(struct comparison *comparison, const char *group, struct run *wanted,
                        const char *text, struct error *error)
{
    struct match match = {.by_bytes = strcmp(group, memory_group.name) == 0};
    const struct kernel *kernel = wanted->kernel;
    char resolved[sizeof((struct peer_row){0}).shape];
    const struct level_bytes levels = bench_levels(wanted->host, wanted->threads);
    int result = run_shape(&wanted->shape, kernel, text, wanted->dtype, &levels, error);
    if (result == OK && strchr(text, '@')) {
        shape_format(&wanted->shape, kernel->letters, kernel->letter_count, resolved,
                     sizeof resolved);
        text = resolved;
    }
    if (result == OK)
        result = match.by_bytes ? enter_ceiling(&match, wanted, error)
                                : enter_all(&match, wanted, error);
    if (result == SKIPPED) {
        warn("%s %s: skipped, %s", kernel->name, text, error->text);
        return OK;
    }
    if (result != OK)
        return FAILED;
    if (comparison->peaks)
        match.gauge =
            probe_find_gauge(comparison->peaks, isa_fuses(comparison->isa) ? "fma" : "mul+add",
                             dtype_name(wanted->dtype), isa_name(comparison->isa), wanted->threads);
    if (match.count > 1)
        sample_rounds(&match);
    result = append_rows(comparison, group, text, &match, error);
    leave_all(&match);
    return result;
}

/* The libraries there are; what is missing is named. Returns how many. */
static int note_libraries(struct comparison *comparison, const struct works *works,
                          struct error *error)
{
    int found = 0;
    const char *noted = "";
    for (; works->kernel; noted = works->kernel, works++)
        for (const struct variant *v = kernel_find(works->kernel)->variants; v->name; v++) {
            struct opened_library opened;
            if (!v->routine || strcmp(works->kernel, noted) == 0)
                continue;
            team_spread(comparison->host.threads);
            if (library_open(v->routine->library, &opened, error) == OK)
                found += table_note(&comparison->rows, v->name, opened.version, error) == OK;
            else
                warn("%s: skipped, %s", v->name, error->text);
        }
    return found;
}

static const char *const *shapes_of(const struct works *works)
{
    return works->shapes ? works->shapes : kernel_find(works->kernel)->shapes;
}

/* One shape in one format with each number of threads. */
static int compare_shape(struct comparison *comparison, const char *group, const char *kernel,
                         enum dtype dtype, const char *text, struct error *error)
{
    const struct request request = {.isa = -1, .dtype = -1};
    const struct probe_run probe = {.host = &comparison->host, .request = &request};
    int threads[PROBE_WORKER_COUNTS], counts = probe_worker_counts(&probe, threads);
    for (int i = 0; i < counts && !interrupted(); i++) {
        struct run wanted = {.host = &comparison->host,
                             .kernel = kernel_find(kernel),
                             .isa = comparison->isa,
                             .dtype = dtype,
                             .threads = threads[i]};
        progress(text, i, counts);
        if (compare_work(comparison, group, &wanted, text, error) != OK)
            return FAILED;
    }
    return OK;
}

/* A shape, or those of the kernel in the collection that `text` names. */
static int compare_shapes(struct comparison *comparison, const char *group, const char *kernel,
                          enum dtype dtype, const char *text, struct error *error)
{
    const char *argument = strchr(text, '@');
    if (!argument || (argument > text && argument[-1] == '='))
        return compare_shape(comparison, group, kernel, dtype, text, error);
    char layers[32];
    text_format(layers, sizeof layers, "%.*s", (int)(argument - text), text);
    struct collection collection;
    int result = collection_read(&collection, argument, error), found = 0;
    for (int i = 0; result == OK && i < collection.shape_count; i++) {
        const struct collected *collected = &collection.shape[i];
        char shape[COLLECTION_TEXT_MAX];
        if (strcmp(collected->kernel, kernel) != 0 || !strstr(collected->name, layers))
            continue;
        found++;
        result = collection_shape(collected, argument, shape, error);
        if (result == OK)
            result = compare_shape(comparison, group, kernel, dtype, shape, error);
    }
    if (result == OK && found == 0)
        return error_set(error, FAULT_USAGE, "no shape of %s is named '%s' in '%s'", kernel, layers,
                         argument);
    return result;
}

static int compare_works(struct comparison *comparison, const char *group,
                         const struct works *works, struct error *error)
{
    if (team_pin(&comparison->host, comparison->host.threads, error) != OK)
        return FAILED;
    if (note_libraries(comparison, works, error) == 0) /* the last one's reason is in the error */
        return SKIPPED;
    int result = OK;
    for (; works->kernel; works++)
        for (int dtype = 0; dtype < DTYPE_COUNT; dtype++)
            for (int i = 0; works->dtypes >> dtype & 1 && shapes_of(works)[i] && result == OK; i++)
                result = compare_shapes(comparison, group, works->kernel, (enum dtype)dtype,
                                        shapes_of(works)[i], error);
    return result;
}

/* The same of what arithmetic bounds: its peak is sampled in every round, too, so that a row says
 * how far from it both are. */
static int compare_products(struct comparison *comparison, const char *group,
                            const struct works *works, struct error *error)
{
    static const char *const names[] = {"compute", NULL};
    const struct request request = {
        .budget = BUDGET_STANDARD, .isa = (int)comparison->isa, .dtype = -1};
    struct table machine;
    table_init(&machine, &ceiling_schema);
    struct probe_run run = {.host = &comparison->host, .request = &request, .machine = &machine};
    int result = probe_collect(&run, names, error);
    comparison->peaks = &run;
    if (result == OK)
        result = compare_works(comparison, group, works, error);
    comparison->peaks = NULL;
    probe_free(&run);
    table_free(&machine);
    return result;
}

/* Squares, then products of networks: recurrent layers of DeepBench
 * (github.com/baidu-research/DeepBench, code/kernels/gemm_problems.h), BERT (arXiv:1810.04805), a
 * fully connected layer of one image, and ResNet-50's convolutions as products. */
static const char *const squares[] = {"m=64,n=64,k=64",       "m=128,n=128,k=128",
                                      "m=256,n=256,k=256",    "m=512,n=512,k=512",
                                      "m=1024,n=1024,k=1024", NULL};
static const char *const products[] = {"m=2048,n=2048,k=2048",
                                       "m=16,n=1760,k=1760",
                                       "m=32,n=1760,k=1760",
                                       "m=64,n=1760,k=1760",
                                       "m=128,n=768,k=768",
                                       "m=512,n=3072,k=768",
                                       "m=1,n=4096,k=4096",
                                       "m=49,n=512,k=4608",
                                       "m=700,n=35,k=2048",
                                       "m=3136,n=64,k=576",
                                       NULL};

static int compare_gemm(struct comparison *comparison, struct error *error)
{
    static const struct works works[] = {
        {"gemm", F32 | F64, squares}, {"gemm", F32, products}, {0}};
    return compare_products(comparison, gemm_group.name, works, error);
}
const struct peer_group gemm_group = {"gemm", compare_gemm};

/* One group per layout, as libraries differ in what they make of each; in nchwc both choose. */
static int compare_layout(struct comparison *comparison, const struct peer_group *group,
                          const char *const *batches, struct error *error)
{
    const struct works works[] = {{"conv2d", F32, batches}, {0}};
    return compare_products(comparison, group->name, works, error);
}

static int compare_nchw(struct comparison *comparison, struct error *error)
{
    static const char *const batches[] = {"@resnet50", "@resnet50,n=16", NULL};
    return compare_layout(comparison, &conv_nchw_group, batches, error);
}
const struct peer_group conv_nchw_group = {"conv_nchw", compare_nchw};

static int compare_nhwc(struct comparison *comparison, struct error *error)
{
    static const char *const batches[] = {"@resnet50,layout=nhwc", "@resnet50,n=16,layout=nhwc",
                                          NULL};
    return compare_layout(comparison, &conv_nhwc_group, batches, error);
}
const struct peer_group conv_nhwc_group = {"conv_nhwc", compare_nhwc};

static int compare_nchwc(struct comparison *comparison, struct error *error)
{
    /* All but the first layer, conv1: three channels do not make a block, and oneDNN has only its
     * reference for them, of which a call takes a minute. */
    static const char *const batches[] = {"_@resnet50,layout=nchwc", "_@resnet50,n=16,layout=nchwc",
                                          NULL};
    return compare_layout(comparison, &conv_nchwc_group, batches, error);
}
const struct peer_group conv_nchwc_group = {"conv_nchwc", compare_nchwc};

static int compare_depthwise(struct comparison *comparison, struct error *error)
{
    static const char *const layouts[] = {"depthwise@mobilenetv2",
                                          "depthwise@mobilenetv2,layout=nhwc",
                                          "depthwise@mobilenetv2,layout=nchwc", NULL};
    static const struct works works[] = {{"conv2d", F32, layouts}, {0}};
    return compare_products(comparison, conv_depthwise_group.name, works, error);
}
const struct peer_group conv_depthwise_group = {"conv_depthwise", compare_depthwise};

/* Layers with what follows them: the 1x1 convolutions of ResNet-50's blocks, the last of which adds
 * the residual, those of MobileNetV2 (arXiv:1801.04381), and the feed-forward layer of BERT. */
static const char *const fused_layers[] = {
    "c=64,h=56,w=56,k=64,r=1,s=1,epilogue=bias_relu",
    "c=64,h=56,w=56,k=256,r=1,s=1,epilogue=bias_add_relu",
    "c=512,h=28,w=28,k=128,r=1,s=1,epilogue=bias_relu",
    "c=128,h=28,w=28,k=512,r=1,s=1,epilogue=bias_add_relu",
    "c=256,h=14,w=14,k=1024,r=1,s=1,epilogue=bias_add_relu",
    "c=2048,h=7,w=7,k=512,r=1,s=1,epilogue=bias_relu",
    "c=64,h=56,w=56,k=256,r=1,s=1,epilogue=bias_add_relu,layout=nhwc",
    "c=256,h=14,w=14,k=1024,r=1,s=1,epilogue=bias_add_relu,layout=nhwc",
    "c=64,h=56,w=56,k=256,r=1,s=1,epilogue=bias_add_relu,layout=nchwc",
    "c=32,h=56,w=56,k=192,r=1,s=1,epilogue=bias_relu6",
    NULL};
static const char *const fused_products[] = {"m=128,n=768,k=768,epilogue=bias_add",
                                             "m=128,n=3072,k=768,epilogue=bias_gelu",
                                             "m=128,n=3072,k=768,epilogue=bias_gelu_tanh", NULL};

static int compare_epilogues(struct comparison *comparison, struct error *error)
{
    static const struct works works[] = {
        {"conv2d", F32, fused_layers}, {"gemm", F32, fused_products}, {0}};
    return compare_products(comparison, epilogues_group.name, works, error);
}
const struct peer_group epilogues_group = {"epilogues", compare_epilogues};

static const char *const arrays[] = {"n=@L2", "n=@DRAM", NULL};

static int compare_elementwise(struct comparison *comparison, struct error *error)
{
    static const struct works works[] = {{"add", F32, arrays},     {"mul", F32, arrays},
                                         {"div", F32, arrays},     {"relu", F32, arrays},
                                         {"clip", F32, arrays},    {"hardswish", F32, arrays},
                                         {"exp", F32, arrays},     {"log", F32, arrays},
                                         {"sqrt", F32, arrays},    {"tanh", F32, arrays},
                                         {"sigmoid", F32, arrays}, {"silu", F32, arrays},
                                         {"gelu", F32, arrays},    {"gelu_tanh", F32, arrays},
                                         {"mish", F32, arrays},    {0}};
    return compare_works(comparison, elementwise_group.name, works, error);
}
const struct peer_group elementwise_group = {"elementwise", compare_elementwise};

static int compare_rows(struct comparison *comparison, struct error *error)
{
    static const struct works works[] = {{"softmax", F32, NULL},
                                         {"log_softmax", F32, NULL},
                                         {"layernorm", F32, NULL},
                                         {"reduce", F32, NULL},
                                         {0}};
    return compare_works(comparison, rows_group.name, works, error);
}
const struct peer_group rows_group = {"rows", compare_rows};

static int compare_images(struct comparison *comparison, struct error *error)
{
    static const struct works works[] = {
        {"batchnorm", F32, NULL},           {"max_pool", F32, NULL}, {"average_pool", F32, NULL},
        {"global_average_pool", F32, NULL}, {"resize", F32, NULL},   {0}};
    return compare_works(comparison, images_group.name, works, error);
}
const struct peer_group images_group = {"images", compare_images};

/* Of each kernel the shapes beyond the caches, against the ceiling in the same rounds. */
static int compare_memory(struct comparison *comparison, struct error *error)
{
    static const char *const names[] = {
        "add",      "mul",          "relu",    "scale",       "sigmoid",   "tanh",
        "gelu",     "silu",         "softmax", "log_softmax", "layernorm", "batchnorm",
        "max_pool", "average_pool", "resize",  "transpose",   "chain",     NULL};
    if (team_pin(&comparison->host, comparison->host.threads, error) != OK)
        return FAILED;
    int result = OK;
    for (int i = 0; names[i] && result == OK; i++) {
        const char *const *shapes = kernel_find(names[i])->shapes;
        for (int j = 0; shapes[j] && result == OK; j++)
            if (strstr(shapes[j], "@DRAM"))
                result = compare_shape(comparison, memory_group.name, names[i], DTYPE_f32,
                                       shapes[j], error);
    }
    return result;
}
const struct peer_group memory_group = {"memory", compare_memory};
