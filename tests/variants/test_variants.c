// test_variants.c - every kernel x variant x ISA x format x members computes what its reference
// does, touches no byte beyond its operands, and models the work that it says.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel.h"
#include "verify.h"

enum { MEMBERS_MAX = 3 };

/* Bytes that end where an unreadable page begins, so that reading or writing past them ends the
 * test. Their start is as aligned as `alignment` and their size allow. */
struct fenced {
    char *mapping;
    size_t mapping_bytes;
    void *bytes;
};

static struct fenced fence(double size_bytes, size_t alignment)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (size_t)size_bytes;
    size = (size + alignment - 1) / alignment * alignment;
    struct fenced fenced = {.mapping_bytes = (size + page - 1) / page * page + page};
    fenced.mapping = mmap(NULL, fenced.mapping_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(fenced.mapping != MAP_FAILED);
    char *end = fenced.mapping + fenced.mapping_bytes - page;
    assert_int_equal(mprotect(end, page, PROT_NONE), 0);
    fenced.bytes = end - size;
    return fenced;
}

static void unfence(struct fenced *fenced)
{
    munmap(fenced->mapping, fenced->mapping_bytes);
}

/* One implementation called for one shape. */
struct trial {
    const struct kernel *kernel;
    const struct variant *variant;
    enum isa isa;
    enum dtype dtype;
    int members;
    struct shape shape;
    struct cache_sizes caches;
    struct call call;
    int operand_count;
    struct fenced operand[KERNEL_OPERANDS_MAX], workspace;
};

/* Caches so small that every block loop runs, and so large that none does: non-temporal stores with
 * the first. */
static const struct cache_sizes tiny_caches = {1024, 8192, 16384, 64};
static const struct cache_sizes ample_caches = {32768, 1 << 20, 1 << 24, 1 << 24};

static void open_trial(struct trial *trial)
{
    struct operand operand[KERNEL_OPERANDS_MAX];
    int element_bytes = dtype_bytes(trial->dtype);
    trial->operand_count = trial->kernel->operands(&trial->shape, operand);
    trial->call = (struct call){
        .shape = &trial->shape, .outputs = (long)operand[0].elements, .caches = trial->caches};
    for (int i = 0; i < trial->operand_count; i++) {
        trial->operand[i] = fence(operand[i].elements * element_bytes, 1);
        trial->call.operand[i] = trial->operand[i].bytes;
        verify_fill(&operand[i], i, trial->dtype, (struct part){0, (long)operand[i].elements},
                    trial->call.operand[i]);
    }
    double bytes = 0;
    if (trial->variant->workspace)
        bytes = trial->variant->workspace(&trial->shape, trial->isa, trial->dtype, trial->members,
                                          &trial->caches);
    trial->workspace = fence(bytes, 64);
    memset(trial->workspace.bytes, 0xff, (size_t)bytes); /* NaNs: nothing may rely on zeros */
    trial->call.workspace = trial->workspace.bytes;
}

static void close_trial(struct trial *trial)
{
    for (int i = 0; i < trial->operand_count; i++)
        unfence(&trial->operand[i]);
    unfence(&trial->workspace);
}

static void call_body(void *context, struct member member)
{
    struct trial *trial = context;
    struct call call = trial->call;
    call.member = member;
    trial->variant->bodies[trial->isa][trial->dtype](&call);
}

static double trial_error(struct trial *trial)
{
    team_run(call_body, trial, trial->members);
    long count = verify_count(trial->kernel, &trial->shape, trial->call.outputs);
    return deviation_rel(
        verify_part(trial->kernel, &trial->call, trial->dtype, count, (struct part){0, count}));
}

/* Whether VARIANTS_ISA, where it is set, names this one: an emulated CPU need not repeat what a
 * lesser one did. */
static bool isa_wanted(enum isa isa)
{
    const char *only = getenv("VARIANTS_ISA");
    return !only || strcmp(only, isa_name(isa)) == 0;
}

/* One shape on all ISAs of this CPU, both formats, one to three members. */
static void try_shape(const struct kernel *kernel, const struct variant *variant, const char *text,
                      const struct cache_sizes *caches)
{
    struct trial trial = {.kernel = kernel, .variant = variant, .caches = *caches};
    struct error error;
    if (shape_parse(&trial.shape, text, kernel->letters, kernel->letter_count, kernel->name,
                    &error) != OK ||
        (kernel->check && kernel->check(&trial.shape, &error) != OK))
        fail_msg("%s", error.text);
    for (int isa = 0; isa < ISA_COUNT; isa++)
        for (int dtype = 0; dtype < DTYPE_COUNT; dtype++)
            for (int members = 1; members <= MEMBERS_MAX; members++) {
                if (!isa_supported((enum isa)isa) || !isa_wanted((enum isa)isa) ||
                    !variant->bodies[isa][dtype])
                    continue;
                trial.isa = (enum isa)isa;
                trial.dtype = (enum dtype)dtype;
                trial.members = members;
                open_trial(&trial);
                double allowed = kernel->tolerance(&trial.shape, dtype_rounding(trial.dtype));
                double found = trial_error(&trial);
                close_trial(&trial);
                if (!(found <= allowed))
                    fail_msg("%s %s %s %s, %d members, %s: error %g, allowed %g", kernel->name,
                             variant->name, isa_name(trial.isa), dtype_name(trial.dtype), members,
                             text, found, allowed);
            }
}

static void try_shapes(const char *kernel_name, const char *const *shapes)
{
    const struct kernel *kernel = kernel_find(kernel_name);
    assert_non_null(kernel);
    for (const struct variant *variant = kernel->variants; variant->name; variant++)
        for (const char *const *text = shapes; *text; text++) {
            try_shape(kernel, variant, *text, &tiny_caches);
            try_shape(kernel, variant, *text, &ample_caches);
        }
}

/* None, one, around every VLEN (1 to 16) and every unrolled step of 4 VLEN, primes, several lines
 * per member. */
static void elementwise_kernels_match_their_reference(void **state)
{
    (void)state;
    static const char *const names[] = {"triad", "axpy", "add", "mul", "scale", "relu", NULL};
    static const char *const shapes[] = {"n=0",  "n=1",   "n=2",   "n=3",   "n=4",    "n=5",
                                         "n=7",  "n=8",   "n=9",   "n=15",  "n=16",   "n=17",
                                         "n=31", "n=33",  "n=63",  "n=64",  "n=65",   "n=67",
                                         "n=97", "n=127", "n=129", "n=191", "n=1009", NULL};
    for (const char *const *name = names; *name; name++)
        try_shapes(*name, shapes);
}

/* Empty, single, around the tiles of every ISA (6 and 8 rows; 2 to 48 columns), primes, more than
 * one block of depth, thin and flat; the last two are large enough for three members, who share
 * rows of the first and columns of the second. */
static void gemm_matches_its_reference(void **state)
{
    (void)state;
    static const char *const shapes[] = {
        "m=0,n=5,k=5",    "m=5,n=0,k=5",       "m=5,n=5,k=0",      "m=1,n=1,k=1",
        "m=1,n=17,k=3",   "m=17,n=1,k=3",      "m=5,n=15,k=1",     "m=6,n=16,k=8",
        "m=7,n=17,k=9",   "m=8,n=48,k=16",     "m=9,n=49,k=17",    "m=13,n=31,k=29",
        "m=23,n=47,k=53", "m=97,n=101,k=11",   "m=11,n=13,k=1031", "m=64,n=2,k=64",
        "m=2,n=97,k=127", "m=131,n=113,k=127", "m=11,n=409,k=389", NULL};
    try_shapes("gemm", shapes);
}

/* Padding within and beyond the kernel, strides within and beyond it, dilation, groups, one channel
 * per group, few and many channels per group, one row or column, rows shorter and longer than
 * vectors, several images. */
static void conv2d_matches_its_reference(void **state)
{
    (void)state;
    static const char *const shapes[] = {
        "c=1,h=1,w=1,k=1,r=1,s=1",
        "c=1,h=1,w=1,k=1,r=1,s=1,pad=2",
        "c=5,h=1,w=17,k=7,r=1,s=1",
        "c=17,h=13,w=1,k=8,r=1,s=1",
        "c=3,h=7,w=11,k=9,r=3,s=3",
        "c=3,h=7,w=11,k=9,r=3,s=3,pad=1",
        "c=2,h=5,w=5,k=6,r=3,s=3,pad=4",
        "c=2,h=9,w=19,k=8,r=2,s=5,pad=1,stride=2",
        "c=4,h=11,w=13,k=5,r=1,s=1,stride=3",
        "c=4,h=11,w=13,k=5,r=2,s=2,stride=5,pad=3",
        "c=1,h=3,w=3,k=4,r=3,s=3,stride=97,pad=1",
        "c=3,h=15,w=14,k=4,r=3,s=2,dilation=3,pad=2",
        "c=3,h=15,w=14,k=4,r=3,s=3,dilation=2,stride=2,pad=5",
        "c=6,h=8,w=9,k=9,r=3,s=3,pad=1,groups=3",
        "c=8,h=9,w=10,k=16,r=3,s=3,pad=1,stride=2,groups=2",
        "c=7,h=9,w=33,k=7,r=3,s=3,pad=1,groups=7",
        "c=7,h=9,w=10,k=14,r=3,s=3,pad=2,stride=2,dilation=2,groups=7",
        "n=2,c=5,h=6,w=7,k=3,r=3,s=3,pad=1",
        "n=5,c=3,h=6,w=7,k=11,r=3,s=3,pad=1",
        "n=3,c=4,h=5,w=9,k=4,r=2,s=2,groups=4",
        "c=61,h=6,w=9,k=19,r=3,s=3,pad=1",
        NULL};
    try_shapes("conv2d", shapes);
}

static void each_kernel_has_a_test_above(void **state)
{
    (void)state;
    static const char *const tested[] = {"triad", "axpy", "add",  "mul",
                                         "scale", "relu", "gemm", "conv2d"};
    for (size_t i = 0; kernels[i]; i++) {
        assert_true(i < sizeof tested / sizeof *tested);
        assert_string_equal(kernels[i]->name, tested[i]);
    }
}

/* NaN passes, of the zeros each keeps its sign, as kernels/relu.c says. */
static void relu_keeps_nan_and_infinity(void **state)
{
    (void)state;
    static const double in[] = {NAN, -NAN, INFINITY, -INFINITY, -0.0, 0.0, -1, 2};
    static const double expected[] = {NAN, NAN, INFINITY, 0, -0.0, 0.0, 0, 2};
    enum { COUNT = sizeof in / sizeof *in, REPEATS = 17 }; /* in vectors, tails and streams */
    struct trial trial = {.kernel = kernel_find("relu"), .members = 1};
    trial.variant = trial.kernel->variants;
    trial.shape.value[0] = COUNT * REPEATS + 3;
    for (int isa = 0; isa < ISA_COUNT; isa++)
        for (int dtype = 0; dtype < DTYPE_COUNT * 2; dtype++) {
            if (!isa_supported((enum isa)isa))
                continue;
            trial.isa = (enum isa)isa;
            trial.dtype = (enum dtype)(dtype / 2);
            trial.caches = dtype % 2 ? tiny_caches : ample_caches;
            open_trial(&trial);
            for (long i = 0; i < trial.call.outputs; i++)
                real_put(trial.call.operand[1], trial.dtype, i, in[i % COUNT]);
            team_run(call_body, &trial, 1);
            for (long i = 0; i < trial.call.outputs; i++) {
                double out = real_at(trial.call.operand[0], trial.dtype, i);
                double wanted = expected[i % COUNT];
                if (isnan(wanted) ? !isnan(out) : out != wanted || signbit(out) != signbit(wanted))
                    fail_msg("%s %s: relu(%g) is %g, not %g", isa_name(trial.isa),
                             dtype_name(trial.dtype), in[i % COUNT], out, wanted);
            }
            close_trial(&trial);
        }
}

/* The last element is left as it was. */
static void forgetful_body(const struct call *call)
{
    struct call less = *call;
    struct shape shape = *call->shape;
    shape.value[0]--;
    less.shape = &shape;
    kernel_find("add")->variants->bodies[ISA_scalar][DTYPE_f32](&less);
}

/* One ulp of the format beyond the tolerance in one element. */
static void inexact_body(const struct call *call)
{
    kernel_find("add")->variants->bodies[ISA_scalar][DTYPE_f32](call);
    float *out = call->operand[0];
    out[call->outputs / 2] *= 1 + 6 * (float)dtype_rounding(DTYPE_f32);
}

static void nan_body(const struct call *call)
{
    kernel_find("add")->variants->bodies[ISA_scalar][DTYPE_f32](call);
    ((float *)call->operand[0])[0] = NAN;
}

static void wrong_bodies_are_caught(void **state)
{
    (void)state;
    body *const wrong[] = {forgetful_body, inexact_body, nan_body};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct variant variant = {.name = "wrong"};
        variant.bodies[ISA_scalar][DTYPE_f32] = wrong[i];
        struct trial trial = {.kernel = kernel_find("add"),
                              .variant = &variant,
                              .members = 1,
                              .caches = ample_caches};
        /* One element, so that its error is not small beside a larger neighbour. */
        trial.shape.value[0] = 1;
        open_trial(&trial);
        double found = trial_error(&trial);
        close_trial(&trial);
        double allowed = trial.kernel->tolerance(&trial.shape, dtype_rounding(DTYPE_f32));
        if (found <= allowed)
            fail_msg("wrong body %zu passes with error %g, allowed %g", i, found, allowed);
    }
}

/* Where only a sample of the outputs is compared, a wrong row is still seen. */
static void a_wrong_row_is_caught_by_sampling(void **state)
{
    (void)state;
    struct trial trial = {.kernel = kernel_find("gemm"), .members = 1, .caches = ample_caches};
    trial.variant = trial.kernel->variants;
    trial.isa = isa_best();
    struct error error;
    assert_int_equal(shape_parse(&trial.shape, "m=512,n=512,k=128", trial.kernel->letters,
                                 trial.kernel->letter_count, "gemm", &error),
                     OK);
    open_trial(&trial);
    long count = verify_count(trial.kernel, &trial.shape, trial.call.outputs);
    assert_true(count >= 256 && count < trial.call.outputs);
    double allowed = trial.kernel->tolerance(&trial.shape, dtype_rounding(trial.dtype));
    assert_true(trial_error(&trial) <= allowed);
    for (long i = 0; i < 512; i++)
        ((float *)trial.call.operand[0])[511 * 512 + i] *= 1.01f;
    double found = deviation_rel(
        verify_part(trial.kernel, &trial.call, trial.dtype, count, (struct part){0, count}));
    close_trial(&trial);
    assert_true(found > allowed);
}

static void assert_model(const char *name, const char *text, double element_bytes, double flops,
                         double bytes)
{
    const struct kernel *kernel = kernel_find(name);
    struct shape shape;
    struct error error;
    if (shape_parse(&shape, text, kernel->letters, kernel->letter_count, name, &error) != OK)
        fail_msg("%s", error.text);
    if (kernel->flops(&shape) != flops || kernel->bytes(&shape, element_bytes) != bytes)
        fail_msg("%s %s: %g FLOP, %g bytes; by hand %g, %g", name, text, kernel->flops(&shape),
                 kernel->bytes(&shape, element_bytes), flops, bytes);
}

static void models_give_what_a_hand_computes(void **state)
{
    (void)state;
    assert_model("triad", "n=1000", 4, 2000, 12000);
    assert_model("axpy", "n=1000", 8, 2000, 24000);
    assert_model("add", "n=1000", 4, 1000, 12000);
    assert_model("mul", "n=1000", 4, 1000, 12000);
    assert_model("scale", "n=1000", 8, 1000, 16000);
    assert_model("relu", "n=1000", 4, 1000, 8000);
    assert_model("gemm", "m=3,n=5,k=7", 8, 210, (21 + 35 + 15) * 8);
    assert_model("gemm", "m=3,n=5,k=0", 8, 0, 15 * 8);
    /* 5 x 5 outputs; of three kernel rows the outer two miss one output row each: 4 + 5 + 4. */
    assert_model("conv2d", "c=2,h=5,w=5,k=4,r=3,s=3,pad=1", 4, 2 * 4 * 2 * 13 * 13,
                 (2 * 25 + 4 * 2 * 9 + 4 * 25) * 4);
    /* No padding: every tap counts. */
    assert_model("conv2d", "n=2,c=4,h=6,w=7,k=6,r=3,s=2,groups=2", 8,
                 2 * 2 * 6 * 2 * (3 * 4) * (2 * 6),
                 (2 * 4 * 6 * 7 + 6 * 2 * 6 + 2 * 6 * 4 * 6) * 8);
    /* Rows 0, 3, 6 of 7 are read, whole. */
    assert_model("conv2d", "c=1,h=7,w=7,k=1,r=1,s=1,stride=3", 4, 2 * 9, (3 * 7 + 1 + 9) * 4);
}

int main(int argc, char **argv)
{
    /* More members than cores: an OpenMP thread that spins at a barrier holds up the one it waits
     * for. The runtime reads its environment before main(), hence the second start; where that
     * cannot be, the test is only slow. */
    if (argc > 0 && !getenv("OMP_WAIT_POLICY") && setenv("OMP_WAIT_POLICY", "passive", 1) == 0)
        execv(argv[0], argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kernel_has_a_test_above),
        cmocka_unit_test(models_give_what_a_hand_computes),
        cmocka_unit_test(wrong_bodies_are_caught),
        cmocka_unit_test(a_wrong_row_is_caught_by_sampling),
        cmocka_unit_test(relu_keeps_nan_and_infinity),
        cmocka_unit_test(elementwise_kernels_match_their_reference),
        cmocka_unit_test(gemm_matches_its_reference),
        cmocka_unit_test(conv2d_matches_its_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
