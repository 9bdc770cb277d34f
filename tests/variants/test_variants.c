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

#include "image_layout.h"
#include "kernel.h"
#include "special_values.h"
#include "verify.h"

enum { MEMBERS_MAX = 4 };

/* Alone, a prime, and a grid of two by two; where time is short the last alone. */
static const int team_sizes[] = {1, 3, MEMBERS_MAX};
enum { TEAM_SIZES = sizeof team_sizes / sizeof *team_sizes };

/* Bytes that end where an unreadable page begins, so that reading or writing past them ends the
 * test. Their start is as aligned as `alignment` and their size allow. VARIANTS_SLACK is how many
 * bytes an emulator reads too far by itself, on either side. */
struct fenced {
    char *mapping;
    size_t mapping_bytes;
    void *bytes;
};

static struct fenced fence(double size_bytes, size_t alignment)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (size_t)size_bytes;
    size = (size + alignment - 1) / alignment * alignment;
    const char *slack_word = getenv("VARIANTS_SLACK");
    const size_t slack = slack_word ? strtoul(slack_word, NULL, 10) : 0;
    size += slack;
    struct fenced fenced = {.mapping_bytes = (slack + size + page - 1) / page * page + page};
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

/* What the reference makes of one shape in each format: the same for all variants, ISAs, members
 * and caches. */
struct expectation {
    double *values[DTYPE_COUNT];
};

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
    struct fenced operand[KERNEL_OPERANDS_MAX], kept, workspace;
    size_t workspace_bytes;
};

/* Caches so small that every block loop runs, and so large that none does: non-temporal stores with
 * the first. */
static const struct cache_sizes tiny_caches = {1024, 8192, 16384, 64};
static const struct cache_sizes ample_caches = {32768, 1 << 20, 1 << 24, 1 << 24};

static size_t room_of(const struct trial *trial, room_function *room)
{
    return room ? (size_t)room(&trial->shape, trial->isa, trial->dtype, trial->members,
                               &trial->caches)
                : 0;
}

/* NaNs, and as indices far outside: nothing may rely on what is there. */
enum { UNKNOWN_BYTE = 0x7f };

static void open_trial(struct trial *trial)
{
    struct operand operand[KERNEL_OPERANDS_MAX];
    trial->operand_count = trial->kernel->operands(&trial->shape, operand);
    trial->call = (struct call){
        .shape = &trial->shape, .outputs = (long)operand[0].elements, .caches = trial->caches};
    for (int i = 0; i < trial->operand_count; i++) {
        trial->operand[i] =
            fence(operand[i].elements * operand_element_bytes(&operand[i], trial->dtype), 1);
        trial->call.operand[i] = trial->operand[i].bytes;
        verify_fill(&operand[i], i, trial->dtype, (struct part){0, (long)operand[i].elements},
                    trial->call.operand[i]);
    }
    const size_t kept_bytes = room_of(trial, trial->variant->kept);
    trial->kept = fence((double)kept_bytes, 64);
    memset(trial->kept.bytes, UNKNOWN_BYTE, kept_bytes);
    trial->call.kept = trial->kept.bytes;
    trial->workspace_bytes = room_of(trial, trial->variant->workspace);
    trial->workspace = fence((double)trial->workspace_bytes, 64);
    trial->call.workspace = trial->workspace.bytes;
}

static void close_trial(struct trial *trial)
{
    for (int i = 0; i < trial->operand_count; i++)
        unfence(&trial->operand[i]);
    unfence(&trial->kept);
    unfence(&trial->workspace);
}

static void prepare_body(void *context, struct member member)
{
    struct trial *trial = context;
    struct call call = trial->call;
    call.member = member;
    trial->variant->prepare[trial->isa][trial->dtype](&call);
}

static void call_body(void *context, struct member member)
{
    struct trial *trial = context;
    struct call call = trial->call;
    call.member = member;
    trial->variant->bodies[trial->isa][trial->dtype](&call);
}

/* `known` holds the reference's values from the first trial on. */
static double trial_error(struct trial *trial, struct expectation *known)
{
    const long count = verify_count(trial->kernel, &trial->shape, trial->call.outputs);
    const struct part all = {0, count};
    double **values = &known->values[trial->dtype];
    if (!*values) {
        *values = malloc((size_t)count * sizeof **values);
        assert_non_null(*values);
        verify_expect(trial->kernel, &trial->call, trial->dtype, count, all, *values);
    }
    if (trial->variant->prepare[trial->isa][trial->dtype])
        team_run(prepare_body, trial, trial->members);
    memset(trial->call.workspace, UNKNOWN_BYTE, trial->workspace_bytes);
    team_run(call_body, trial, trial->members);
    return deviation_rel(verify_compare(&trial->call, trial->dtype, count, all, *values));
}

static void forget(struct expectation *known)
{
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++)
        free(known->values[dtype]);
    *known = (struct expectation){{NULL}};
}

/* Where the operands serve one trial alone. */
static double only_trial_error(struct trial *trial)
{
    struct expectation known = {{NULL}};
    const double error = trial_error(trial, &known);
    forget(&known);
    return error;
}

/* Whether VARIANTS_ISA, where it is set, names this one: an emulated CPU need not repeat what a
 * lesser one did. */
static bool isa_wanted(enum isa isa)
{
    const char *only = getenv("VARIANTS_ISA");
    return !only || strcmp(only, isa_name(isa)) == 0;
}

/* Emulated, what does not depend on the ISA is left to the native run: other teams than the largest
 * and shapes of more than VARIANTS_BRIEF operations. */
static bool is_brief(void)
{
    return getenv("VARIANTS_BRIEF") != NULL;
}

static bool is_too_large(const struct kernel *kernel, const struct shape *shape)
{
    const char *limit = getenv("VARIANTS_BRIEF");
    struct operand operand[KERNEL_OPERANDS_MAX];
    kernel->operands(shape, operand);
    return limit && kernel->flops(shape) + operand[0].elements > strtod(limit, NULL);
}

/* One implementation called for one shape by one ISA: as the reference, or the test ends. */
static void try_body(struct trial *trial, const char *text, struct expectation *known)
{
    open_trial(trial);
    double allowed = variant_tolerance(trial->kernel, trial->variant, &trial->shape, trial->dtype);
    double found = trial_error(trial, known);
    close_trial(trial);
    if (!(found <= allowed))
        fail_msg("%s %s %s %s, %d members, %s: error %g, allowed %g", trial->kernel->name,
                 trial->variant->name, isa_name(trial->isa), dtype_name(trial->dtype),
                 trial->members, text, found, allowed);
}

/* One shape on all ISAs of this CPU, in both formats. Says whether it was tried. */
static bool try_shape(const struct kernel *kernel, const struct variant *variant, const char *text,
                      const struct cache_sizes *caches, int members, struct expectation *known)
{
    struct trial trial = {
        .kernel = kernel, .variant = variant, .caches = *caches, .members = members};
    struct error error;
    if (shape_parse(&trial.shape, text, kernel->letters, kernel->letter_count, kernel->name,
                    &error) != OK ||
        (kernel->check && kernel->check(&trial.shape, &error) != OK))
        fail_msg("%s", error.text);
    if ((variant->supports && variant->supports(&trial.shape, &error) == SKIPPED) ||
        is_too_large(kernel, &trial.shape))
        return false;
    for (int isa = 0; isa < ISA_COUNT; isa++)
        for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
            trial.isa = (enum isa)isa;
            trial.dtype = (enum dtype)dtype;
            if (isa_supported(trial.isa) && isa_wanted(trial.isa) && variant->bodies[isa][dtype])
                try_body(&trial, text, known);
        }
    return true;
}

/* Members outermost: OpenMP ends and starts threads where their number changes. */
static int try_variants(const struct kernel *kernel, const char *text)
{
    int tried = 0;
    struct expectation known = {{NULL}};
    for (int size = is_brief() ? TEAM_SIZES - 1 : 0; size < TEAM_SIZES; size++)
        for (const struct variant *variant = kernel->variants; variant->name; variant++) {
            const int members = team_sizes[size];
            tried += try_shape(kernel, variant, text, &tiny_caches, members, &known);
            tried += try_shape(kernel, variant, text, &ample_caches, members, &known);
        }
    forget(&known);
    return tried;
}

static void try_model(const struct kernel *kernel, const char *text)
{
    char shape_text[256];
    double element_bytes, flops, bytes;
    struct shape shape;
    struct error error;
    if (sscanf(text, "%255s %lf %lf %lf", shape_text, &element_bytes, &flops, &bytes) != 4)
        fail_msg("model of %s: '%s' is not SHAPE ELEMENT_BYTES FLOP BYTES", kernel->name, text);
    if (shape_parse(&shape, shape_text, kernel->letters, kernel->letter_count, kernel->name,
                    &error) != OK)
        fail_msg("%s", error.text);
    if (kernel->flops(&shape) != flops || kernel->bytes(&shape, element_bytes) != bytes)
        fail_msg("%s %s: %g FLOP, %g bytes; by hand %g, %g", kernel->name, shape_text,
                 kernel->flops(&shape), kernel->bytes(&shape, element_bytes), flops, bytes);
}

/* A line of kernels/NAME.txt: "shape TEXT", which every variant computes as the reference does, or
 * "model TEXT ELEMENT_BYTES FLOP BYTES", computed by hand. Returns how many shapes were tried. */
static int try_line(const struct kernel *kernel, char *line)
{
    int tried = 0;
    line[strcspn(line, "\n")] = 0;
    if (strncmp(line, "shape ", 6) == 0)
        tried = try_variants(kernel, line + 6);
    else if (strncmp(line, "model ", 6) == 0)
        try_model(kernel, line + 6);
    else if (*line && *line != '#')
        fail_msg("'%s' in the test of %s is neither 'shape ...' nor 'model ...'", line,
                 kernel->name);
    return tried;
}

static void kernel_matches_its_reference_and_models(void **state)
{
    const struct kernel *kernel = *state;
    char path[1024], line[512];
    snprintf(path, sizeof path, "%s/variants/kernels/%s.txt", TEST_SOURCE_DIR, kernel->name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("a kernel without a test: write '%s'", path);
    int tried = 0;
    while (fgets(line, sizeof line, file))
        tried += try_line(kernel, line);
    fclose(file);
    if (tried == 0)
        fail_msg("no shape of '%s' was tried", path);
}

static void expect_specials(const struct trial *trial, const struct special *row)
{
    for (long i = 0; i < trial->call.outputs; i++) {
        double out = real_at(trial->call.operand[0], trial->dtype, i);
        double expected = row->expected[i % SPECIAL_COUNT];
        if (isnan(expected) ? !isnan(out) : out != expected || signbit(out) != signbit(expected))
            fail_msg("%s %s: %s(%g) is %g, not %g", isa_name(trial->isa), dtype_name(trial->dtype),
                     row->kernel, specials[i % SPECIAL_COUNT], out, expected);
    }
}

static void try_specials(const struct special *row, enum isa isa, enum dtype dtype,
                         const struct cache_sizes *caches)
{
    struct trial trial = {.kernel = kernel_find(row->kernel),
                          .isa = isa,
                          .dtype = dtype,
                          .members = 1,
                          .caches = *caches};
    trial.variant = trial.kernel->variants;
    trial.shape.value[0] = SPECIAL_COUNT * 23 + 3; /* vectors, lanes and tails */
    open_trial(&trial);
    for (long i = 0; i < trial.call.outputs; i++) {
        real_put(trial.call.operand[1], dtype, i, specials[i % SPECIAL_COUNT]);
        if (trial.operand_count > 2)
            real_put(trial.call.operand[2], dtype, i, 2);
    }
    team_run(call_body, &trial, 1);
    expect_specials(&trial, row);
    close_trial(&trial);
}

static void special_values_pass_as_the_formula_says(void **state)
{
    (void)state;
    for (size_t row = 0; row < sizeof special_rows / sizeof *special_rows; row++)
        for (int isa = 0; isa < ISA_COUNT; isa++)
            for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
                if (!isa_supported((enum isa)isa))
                    continue;
                try_specials(&special_rows[row], (enum isa)isa, (enum dtype)dtype, &ample_caches);
                try_specials(&special_rows[row], (enum isa)isa, (enum dtype)dtype, &tiny_caches);
            }
}

/* In turn a row as it was, with a NaN, with an infinity, of -infinity but for one, of only that. */
static void spoil_rows(const struct trial *trial, long rows, long columns)
{
    for (long i = 0; i < rows; i++) {
        const long place = i * columns + i * 7 % columns;
        for (long j = i * columns; i % 5 > 2 && j < (i + 1) * columns; j++)
            if (i % 5 == 4 || j != place)
                real_put(trial->call.operand[1], trial->dtype, j, -INFINITY);
        if (i % 5 == 1 || i % 5 == 2)
            real_put(trial->call.operand[1], trial->dtype, place, i % 5 == 1 ? NAN : INFINITY);
    }
}

static void rows_with_special_values_are_as_of_the_reference(void **state)
{
    (void)state;
    static const struct {
        const char *kernel, *shape;
        long rows, columns;
    } cases[] = {{"softmax", "rows=90,columns=37", 90, 37},
                 {"softmax", "rows=90,columns=144", 90, 144},
                 {"softmax", "rows=5,columns=9001", 5, 9001},
                 {"log_softmax", "rows=90,columns=37", 90, 37},
                 {"log_softmax", "rows=90,columns=4", 90, 4},
                 {"log_softmax", "rows=5,columns=9001", 5, 9001},
                 {"layernorm", "rows=90,columns=37", 90, 37},
                 {"reduce", "outer=90,axis=37,op=max", 90, 37},
                 {"reduce", "outer=5,axis=1009,op=min", 5, 1009},
                 {"reduce", "outer=10,axis=9,inner=3,op=max", 10, 27},
                 {"reduce", "outer=10,axis=3,inner=67,op=sum", 10, 201},
                 {"resize", "c=16,h=9,w=12,p=3,q=4,layout=nhwc", 9, 192},
                 {"resize", "c=16,h=8,w=12,p=5,q=4,layout=nchwc", 8, 192},
                 {"resize", "c=17,h=9,w=12,p=5,q=25,layout=nhwc", 9, 204},
                 {"resize", "c=67,h=9,w=12,p=9,q=25,layout=nhwc", 9, 804},
                 {"resize", "c=2,h=9,w=22,p=18,q=44", 18, 22},
                 {"resize", "c=2,h=9,w=12,p=9,q=12", 18, 12},
                 {"resize", "c=2,h=9,w=21,p=9,q=7", 18, 21},
                 {"max_pool", "c=2,h=9,w=37,r=3,s=3,pad=1", 18, 37},
                 {"max_pool", "c=16,h=9,w=12,r=3,s=3,stride=2,pad=1,layout=nhwc", 9, 192}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int choice = 0; choice < 4 * ISA_COUNT * DTYPE_COUNT; choice++) {
            struct trial trial = {.kernel = kernel_find(cases[i].kernel),
                                  .members = 1 + choice % 2,
                                  .caches = choice / 2 % 2 ? tiny_caches : ample_caches,
                                  .dtype = (enum dtype)(choice / 4 % DTYPE_COUNT),
                                  .isa = (enum isa)(choice / 4 / DTYPE_COUNT)};
            trial.variant = trial.kernel->variants;
            struct error error;
            if (!isa_supported(trial.isa))
                continue;
            assert_int_equal(shape_parse(&trial.shape, cases[i].shape, trial.kernel->letters,
                                         trial.kernel->letter_count, cases[i].kernel, &error),
                             OK);
            if (is_too_large(trial.kernel, &trial.shape))
                continue;
            open_trial(&trial);
            spoil_rows(&trial, cases[i].rows, cases[i].columns);
            double found = only_trial_error(&trial);
            close_trial(&trial);
            if (!(found <=
                  variant_tolerance(trial.kernel, trial.variant, &trial.shape, trial.dtype)))
                fail_msg("%s %s %s %s: error %g", cases[i].kernel, cases[i].shape,
                         isa_name(trial.isa), dtype_name(trial.dtype), found);
        }
}

/* Sum of the products of the elements of two operands. */
static double dot(const void *a, const void *b, double count, enum dtype dtype)
{
    double sum = 0;
    for (long i = 0; i < (long)count; i++)
        sum += real_at(a, dtype, i) * real_at(b, dtype, i);
    return sum;
}

/* <conv(x), y> = <x, conv_transpose(y)>, where the weights are the same array: (k, c / groups, r,
 * s) of the one is (c, k / groups, r, s) of the other. All is positive, so that nothing cancels. */
static void expect_adjoint(struct trial trial[2])
{
    struct operand x[KERNEL_OPERANDS_MAX], y[KERNEL_OPERANDS_MAX];
    for (int i = 0; i < 2; i++) {
        open_trial(&trial[i]);
        assert_true(only_trial_error(&trial[i]) >= 0);
    }
    trial[0].kernel->operands(&trial[0].shape, x);
    trial[1].kernel->operands(&trial[1].shape, y);
    assert_true(x[0].elements == y[1].elements && x[1].elements == y[0].elements);
    assert_true(x[2].elements == y[2].elements);
    const enum dtype dtype = trial[0].dtype;
    const double there =
        dot(trial[0].operand[0].bytes, trial[1].operand[1].bytes, x[0].elements, dtype);
    const double back =
        dot(trial[0].operand[1].bytes, trial[1].operand[0].bytes, x[1].elements, dtype);
    const double allowed = trial[0].kernel->tolerance(&trial[0].shape, dtype_rounding(dtype)) +
                           trial[1].kernel->tolerance(&trial[1].shape, dtype_rounding(dtype));
    close_trial(&trial[0]);
    close_trial(&trial[1]);
    if (!(there > 0 && fabs(there - back) <= allowed * there))
        fail_msg("%s %s: %.17g there, %.17g back", isa_name(trial[0].isa), dtype_name(dtype), there,
                 back);
}

static void transposed_convolution_is_the_adjoint_of_convolution(void **state)
{
    (void)state;
    static const char *const shapes[][2] = {
        {"c=5,h=9,w=20,k=7,r=3,s=3,pad=1", "c=7,h=9,w=20,k=5,r=3,s=3,pad=1"},
        {"c=5,h=9,w=19,k=7,r=3,s=3,pad=1,stride=2", "c=7,h=5,w=10,k=5,r=3,s=3,pad=1,stride=2"},
        {"c=6,h=10,w=20,k=9,r=3,s=3,pad=1,stride=2,groups=3",
         "c=9,h=5,w=10,k=6,r=3,s=3,pad=1,stride=2,groups=3,output_pad=1"},
        {"n=2,c=4,h=11,w=13,k=3,r=2,s=3,pad=2,stride=3,dilation=2",
         "n=2,c=3,h=5,w=5,k=4,r=2,s=3,pad=2,stride=3,dilation=2"},
        {"c=9,h=8,w=8,k=9,r=1,s=1,stride=3,groups=9",
         "c=9,h=3,w=3,k=9,r=1,s=1,stride=3,groups=9,output_pad=1"}};
    for (int choice = 0; choice < 3 * ISA_COUNT * DTYPE_COUNT; choice++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            struct trial trial[2];
            for (int j = 0; j < 2; j++) {
                const char *name = j ? "conv_transpose2d" : "conv2d";
                char text[128];
                struct error error;
                snprintf(text, sizeof text, "%s,layout=%s", shapes[i][j], layout_words[choice % 3]);
                trial[j] = (struct trial){.kernel = kernel_find(name),
                                          .members = 2,
                                          .caches = i % 2 ? tiny_caches : ample_caches,
                                          .dtype = (enum dtype)(choice / 3 % DTYPE_COUNT),
                                          .isa = (enum isa)(choice / 3 / DTYPE_COUNT)};
                trial[j].variant = trial[j].kernel->variants;
                if (shape_parse(&trial[j].shape, text, trial[j].kernel->letters,
                                trial[j].kernel->letter_count, name, &error) != OK ||
                    trial[j].kernel->check(&trial[j].shape, &error) != OK)
                    fail_msg("%s", error.text);
            }
            if (isa_supported(trial[0].isa) && isa_wanted(trial[0].isa))
                expect_adjoint(trial);
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
        double found = only_trial_error(&trial);
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
    assert_true(only_trial_error(&trial) <= allowed);
    for (long i = 0; i < 512; i++)
        ((float *)trial.call.operand[0])[511 * 512 + i] *= 1.01f;
    double found = deviation_rel(
        verify_part(trial.kernel, &trial.call, trial.dtype, count, (struct part){0, count}));
    close_trial(&trial);
    assert_true(found > allowed);
}

int main(int argc, char **argv)
{
    /* More members than cores: an OpenMP thread that spins at a barrier holds up the one it waits
     * for. The runtime reads its environment before main(), hence the second start; where that
     * cannot be, the test is only slow. */
    if (argc > 0 && !getenv("OMP_WAIT_POLICY") && setenv("OMP_WAIT_POLICY", "passive", 1) == 0)
        execv(argv[0], argv);
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(wrong_bodies_are_caught),
        cmocka_unit_test(a_wrong_row_is_caught_by_sampling),
        cmocka_unit_test(special_values_pass_as_the_formula_says),
        cmocka_unit_test(rows_with_special_values_are_as_of_the_reference),
        cmocka_unit_test(transposed_convolution_is_the_adjoint_of_convolution),
    };
    enum { OTHERS = sizeof others / sizeof *others, TESTS_MAX = 128 };
    struct CMUnitTest tests[TESTS_MAX] = {{0}};
    size_t count = OTHERS;
    memcpy(tests, others, sizeof others);
    for (size_t i = 0; kernels[i] && count < TESTS_MAX; i++)
        tests[count++] = (struct CMUnitTest){.name = kernels[i]->name,
                                             .test_func = kernel_matches_its_reference_and_models,
                                             .initial_state = (void *)(uintptr_t)kernels[i]};
    return _cmocka_run_group_tests("variants", tests, count, NULL, NULL);
}
