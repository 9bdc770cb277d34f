// test_theory.c - published numbers come out exactly; what is not known is never guessed.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "formula.h"
#include "theory.h"

#define MACHINE(name) TEST_SOURCE_DIR "/golden/machines/" name ".xml"

static const struct what_if as_it_is = {NAN, NAN, NAN, NAN, NAN};
static const struct theory_filter all_isas = {"all", "", false}, widest = {"", "", false};

static void check(int status, const struct error *error)
{
    if (status != OK)
        fail_msg("%s", error->text);
}

/* Rows of a published machine, changed by a question. */
static void spec_rows(const char *name, struct what_if ask, const struct theory_filter *filter,
                      struct table *table)
{
    struct error error;
    struct spec spec;
    table_init(table, &ceiling_schema);
    check(spec_read(&spec, embedded_specs, "SPEC", name, &error), &error);
    if (strcmp(spec_note(&spec, "kind"), "gpu") == 0) {
        check(theory_gpu_rows(&spec, &ask, filter, table, &error), &error);
        return;
    }
    struct theory_cpu cpu;
    struct microarchitecture core;
    check(theory_of_spec(&cpu, &core, &spec, &error), &error);
    check(theory_cpu_ask(&cpu, &ask, &error), &error);
    check(theory_cpu_rows(&cpu, filter, table, &error), &error);
}

/* The row of a key whose source holds the words; fails the test where there is none. */
static const struct ceiling *find(const struct table *table, const char *level, const char *kind,
                                  const char *dtype, const char *isa, const char *words)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct ceiling *row = table_ceiling(table, i);
        if (strcmp(row->level, level) == 0 && strcmp(row->kind, kind) == 0 &&
            strcmp(row->dtype, dtype) == 0 && (!isa || strcmp(row->isa, isa) == 0) &&
            strstr(row->source, words))
            return row;
    }
    fail_msg("no row %s %s %s %s with '%s'", level, kind, dtype, isa ? isa : "", words);
    return NULL;
}

/* Value as a person reads it, and the same words at the end of the formula. */
static void check_row(const struct table *table, const char *level, const char *kind,
                      const char *dtype, const char *words, double value)
{
    const struct ceiling *row = find(table, level, kind, dtype, NULL, words);
    if (fabs(row->value / value - 1) > 1e-9)
        fail_msg("%s: %.12g instead of %.12g", row->source, row->value, value);
}

static void formula_text_and_value_come_from_the_same_factors(void **state)
{
    (void)state;
    struct formula formula = {0};
    char text[128];
    assert_true(isnan(formula_value(&formula)));
    formula_times(&formula, 0.877, 1e9, "GHz");
    formula_times(&formula, 2, 1, "(DDR)");
    formula_times(&formula, 4096, 1, "bit");
    formula_over(&formula, 8, "");
    formula_text(&formula, 1e9, "GB/s", text, sizeof text);
    assert_string_equal(text, "0.877 GHz x 2 (DDR) x 4096 bit / 8 = 898 GB/s");
    assert_true(fabs(formula_value(&formula) - 898.048e9) < 1);
    formula_text(&formula, 1e9, "GB/s", text, 12);
    assert_string_equal(text, "0.877 GHz x");
}

static void two_xeon_e5_2697_v2_give_1036_8_and_119_4(void **state)
{
    (void)state;
    struct table table;
    spec_rows("xeon-e5-2697-v2", as_it_is, &widest, &table);
    check_row(&table, "mul+add", "compute", "f32",
              "2 sockets x 12 cores x 2.7 GHz base x 8 SP lanes x 2 (ADD and MUL side by side; no "
              "FMA) = 1036.8 GFLOP/s",
              1036.8e9);
    check_row(&table, "mul+add", "compute", "f64", "= 518.4 GFLOP/s", 518.4e9);
    check_row(&table, "mul+add", "compute", "f32", "3.5 GHz boost", 1344e9);
    check_row(&table, "DRAM", "bandwidth", "",
              "2 sockets x 4 channels x 1866 MT/s x 8 B = 119.4 GB/s", 119.424e9);
    for (size_t i = 0; i < table.count; i++)
        assert_string_not_equal(table_ceiling(&table, i)->level, "fma");
    table_free(&table);
}

static void v100_gives_15_7_and_898(void **state)
{
    (void)state;
    struct table table;
    spec_rows("nvidia-v100-sxm2", as_it_is, &widest, &table);
    check_row(&table, "fma", "compute", "f32",
              "5120 FP32 cores (80 SMs x 64) x 1.53 GHz boost x 2 (FMA) = 15.7 TFLOP/s",
              5120 * 1.53e9 * 2);
    check_row(&table, "fma", "compute", "f64", "= 7.8 TFLOP/s", 2560 * 1.53e9 * 2);
    check_row(&table, "tensor", "compute", "f16", "= 125.3 TFLOP/s", 40960 * 1.53e9 * 2);
    check_row(&table, "DRAM", "bandwidth", "", "0.877 GHz x 2 (DDR) x 4096 bit / 8 = 898 GB/s",
              898.048e9);
    check_row(&table, "NVLINK", "bandwidth", "", "= 150 GB/s each way", 150e9);
    table_free(&table);
}

/* Figures of the vendors' data sheets, as they round them. */
static void published_figures_come_out(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *level, *dtype, *words;
    } figures[] = {
        {"xeon-platinum-8280", "fma", "f32", "= 9676.8 GFLOP/s"},
        {"xeon-platinum-8280", "fma", "f64", "= 4838.4 GFLOP/s"},
        {"xeon-platinum-8280", "fma", "f64", "1.8 GHz AVX-512 base"},
        {"xeon-platinum-8280", "DRAM", "", "= 281.6 GB/s"},
        {"xeon-platinum-8480+", "DRAM", "", "= 614.4 GB/s"},
        {"epyc-7763", "fma", "f32", "= 10035.2 GFLOP/s"},
        {"epyc-7763", "fma+add", "f32", "= 15052.8 GFLOP/s"},
        {"epyc-7763", "DRAM", "", "= 409.6 GB/s"},
        {"epyc-9654", "DRAM", "", "= 921.6 GB/s"},
        {"ampere-altra-q80-30", "fma", "f32", "= 3840 GFLOP/s"},
        {"ampere-altra-q80-30", "DRAM", "", "= 204.8 GB/s"},
        {"nvidia-v100-pcie", "fma", "f32", "= 14.1 TFLOP/s"},
        {"nvidia-v100-pcie", "tensor", "f16", "= 113 TFLOP/s"},
        {"nvidia-a100-sxm-80gb", "fma", "f32", "= 19.5 TFLOP/s"},
        {"nvidia-a100-sxm-80gb", "fma", "f64", "= 9.7 TFLOP/s"},
        {"nvidia-a100-sxm-80gb", "tensor", "f64", "= 19.5 TFLOP/s"},
        {"nvidia-a100-sxm-80gb", "tensor", "bf16", "= 311.9 TFLOP/s"},
        {"nvidia-a100-sxm-80gb", "tensor", "i8", "= 623.7 TOP/s"},
        {"nvidia-a100-sxm-80gb", "DRAM", "", "= 2039 GB/s"},
        {"nvidia-a100-sxm-40gb", "DRAM", "", "= 1555.2 GB/s"},
        {"nvidia-a100-pcie-80gb", "DRAM", "", "= 1935.4 GB/s"},
        {"nvidia-h100-sxm", "fma", "f32", "1.98 GHz boost x 2 (FMA) = 66.9 TFLOP/s"},
        {"nvidia-h100-sxm", "tensor", "f16", "1.83 GHz tensor boost x 2 (FMA) = 989.4 TFLOP/s"},
        {"nvidia-h100-sxm", "tensor", "f64", "= 66.9 TFLOP/s"},
        {"nvidia-h100-sxm", "DRAM", "", "= 3352.3 GB/s"},
        {"nvidia-h100-pcie", "tensor", "bf16", "= 756.4 TFLOP/s"},
        {"nvidia-h200", "DRAM", "", "= 4916.7 GB/s"},
        {"nvidia-rtx-4090", "fma", "f32", "= 82.6 TFLOP/s"},
        {"nvidia-rtx-4090", "DRAM", "", "= 1008.1 GB/s"},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        struct table table;
        spec_rows(figures[i].spec, as_it_is, &widest, &table);
        find(&table, figures[i].level, figures[i].dtype[0] ? "compute" : "bandwidth",
             figures[i].dtype, NULL, figures[i].words);
        table_free(&table);
    }
}

static void questions_change_the_numbers(void **state)
{
    (void)state;
    struct table table;
    struct what_if ask = {
        .sockets = 1, .cores = 10, .gigahertz = 3, .channels = 2, .megatransfers = 1600};
    spec_rows("xeon-e5-2697-v2", ask, &widest, &table);
    check_row(&table, "mul+add", "compute", "f32", "10 cores x 3 GHz given x 8 SP lanes", 480e9);
    check_row(&table, "DRAM", "bandwidth", "", "2 channels x 1600 MT/s x 8 B = 25.6 GB/s", 25.6e9);
    table_free(&table);

    ask = as_it_is;
    ask.cores = 4608;
    ask.gigahertz = 1.38;
    ask.megatransfers = 2214;
    spec_rows("nvidia-v100-sxm2", ask, &widest, &table);
    check_row(&table, "fma", "compute", "f32", "(72 SMs x 64) x 1.38 GHz given", 4608 * 1.38e9 * 2);
    check_row(&table, "DRAM", "bandwidth", "", "2214 MT/s x 4096 bit / 8", 2214e6 * 512);
    table_free(&table);
}

static void senseless_questions_are_refused(void **state)
{
    (void)state;
    static const double bad[] = {0, -1, INFINITY, -INFINITY, 1e7};
    struct error error;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct what_if ask = as_it_is;
        ask.gigahertz = bad[i];
        assert_int_equal(what_if_check(&ask, &error), FAILED);
        assert_int_equal(error.fault, FAULT_USAGE);
        assert_non_null(strstr(error.text, "--ghz"));
    }
    struct what_if ask = as_it_is;
    ask.cores = 2.5;
    assert_int_equal(what_if_check(&ask, &error), FAILED);
    assert_int_equal(what_if_check(&as_it_is, &error), OK);

    struct spec spec;
    struct table table;
    table_init(&table, &ceiling_schema);
    check(spec_read(&spec, embedded_specs, "SPEC", "nvidia-h200", &error), &error);
    ask.cores = 100;
    assert_int_equal(theory_gpu_rows(&spec, &ask, &widest, &table, &error), FAILED);
    assert_non_null(strstr(error.text, "whole number of SMs"));
    ask = as_it_is;
    ask.sockets = 2;
    assert_int_equal(theory_gpu_rows(&spec, &ask, &widest, &table, &error), FAILED);
    assert_non_null(strstr(error.text, "--sockets"));
    table_free(&table);
}

static void every_spec_parses_and_every_number_has_a_source(void **state)
{
    (void)state;
    int count = 0;
    for (const struct embedded_file *file = embedded_specs; file->name; file++, count++) {
        struct spec spec;
        struct error error;
        struct table table;
        check(spec_parse(&spec, file->name, file->text, &error), &error);
        assert_true(spec_note(&spec, "title")[0] != 0);
        assert_true(spec.quantity_count >= 8);
        for (int i = 0; i < spec.quantity_count; i++)
            assert_true(spec.quantity[i].source[0] && spec.quantity[i].value > 0);
        bool gpu = strcmp(spec_note(&spec, "kind"), "gpu") == 0;
        spec_rows(file->name, as_it_is, gpu ? &widest : &all_isas, &table);
        for (size_t i = 0; i < table.count; i++) {
            const struct ceiling *row = table_ceiling(&table, i);
            assert_string_equal(row->status, "ok");
            assert_string_equal(row->basis, "derived");
            assert_true(isfinite(row->value) && row->value > 0 && row->source[0]);
            assert_null(strstr(row->source, "..."));
        }
        table_free(&table);
    }
    assert_true(count >= 8);
}

static void every_microarchitecture_parses_and_adds_up(void **state)
{
    (void)state;
    for (const struct embedded_file *file = embedded_microarchitectures; file->name; file++) {
        struct microarchitecture core;
        struct error error;
        check(microarchitecture_read(&core, file->name, &error), &error);
        assert_true(spec_note(&core.spec, "match")[0] && spec_note(&core.spec, "architecture")[0]);
        for (int w = 0; w < WIDTH_COUNT; w++) {
            const struct pipes *pipes = &core.pipes[w];
            if (isnan(pipes->all))
                continue;
            assert_true(pipes->all >= pipes->fma && pipes->all >= pipes->mul &&
                        pipes->all >= pipes->add && pipes->add > 0);
            struct issue fma = pipes_issue(pipes, MIX_FMA), both = pipes_issue(pipes, MIX_FMA_ADD);
            assert_true(issue_flops(&both) >= issue_flops(&fma));
        }
        for (int i = 0; i < core.spec.quantity_count; i++)
            assert_true(core.spec.quantity[i].source[0] != 0);
    }
}

static double flops(const char *name, enum width width, enum mix mix)
{
    struct microarchitecture core;
    struct error error;
    check(microarchitecture_read(&core, name, &error), &error);
    struct issue issue = pipes_issue(&core.pipes[width], mix);
    return issue_flops(&issue);
}

/* FLOP per lane and cycle. */
static void pipes_give_the_known_mixes(void **state)
{
    (void)state;
    assert_true(flops("ivy-bridge", WIDTH_256, MIX_MUL_ADD) == 2);
    assert_true(flops("ivy-bridge", WIDTH_256, MIX_FMA) == 0);
    assert_true(flops("ivy-bridge", WIDTH_256, MIX_FMA_ADD) == 0);
    assert_true(flops("haswell", WIDTH_256, MIX_FMA) == 4);
    assert_true(flops("haswell", WIDTH_256, MIX_ADD) == 1); /* p1 alone */
    assert_true(flops("haswell", WIDTH_256, MIX_MUL_ADD) == 2);
    assert_true(flops("skylake", WIDTH_256, MIX_FMA_ADD) == 4); /* ADD shares the FMA pipes */
    assert_true(flops("skylake-sp", WIDTH_512, MIX_FMA) == 4);
    assert_true(flops("skylake-sp-one-fma", WIDTH_512, MIX_FMA) == 2);
    assert_true(flops("sapphire-rapids", WIDTH_256, MIX_FMA_ADD) == 5);
    assert_true(flops("sapphire-rapids", WIDTH_256, MIX_MUL_ADD) == 3);
    assert_true(flops("sapphire-rapids", WIDTH_512, MIX_FMA_ADD) == 4);
    assert_true(flops("zen", WIDTH_256, MIX_FMA) == 2);
    assert_true(flops("zen3", WIDTH_256, MIX_FMA) == 4);
    assert_true(flops("zen3", WIDTH_256, MIX_FMA_ADD) == 6);
    assert_true(flops("zen3", WIDTH_256, MIX_MUL_ADD) == 4);
    assert_true(flops("zen4", WIDTH_512, MIX_FMA_ADD) == 3); /* two halves */
    assert_true(flops("zen5", WIDTH_512, MIX_FMA_ADD) == 6);
    assert_true(flops("neoverse-v2", WIDTH_128, MIX_FMA) == 8);
}

static void accesses_share_their_ports(void **state)
{
    (void)state;
    const struct accesses golden_cove = {3, 2, 5}, zen1 = {2, 1, 2};
    assert_true(accesses_per_cycle(&golden_cove, 1, 0) == 3);
    assert_true(accesses_per_cycle(&golden_cove, 0, 1) == 2);
    assert_true(accesses_per_cycle(&golden_cove, 1, 1) == 4);
    assert_true(accesses_per_cycle(&zen1, 1, 1) == 2);
    assert_true(accesses_per_cycle(&zen1, 2, 1) == 2);
}

/* Whether a word is in a text of words. */
static bool in_words(const void *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0))
            return true;
    return false;
}

static int identify(const char *vendor, const char *model, int family, int number,
                    const char *features, struct microarchitecture *core, char how[200],
                    struct error *error)
{
    struct cpu cpu = {vendor, model, family, number, features ? in_words : NULL, features};
    return microarchitecture_identify(core, &cpu, how, 200, error);
}

static void check_identity(const char *vendor, const char *model, int family, int number,
                           const char *features, const char *name)
{
    struct microarchitecture core;
    struct error error;
    char how[200];
    check(identify(vendor, model, family, number, features, &core, how, &error), &error);
    assert_string_equal(core.spec.name, name);
}

static void model_numbers_identify(void **state)
{
    (void)state;
    const char *intel = "GenuineIntel", *amd = "AuthenticAMD";
    check_identity(intel, "", 6, 62, "avx f16c", "ivy-bridge");
    check_identity(intel, "", 6, 63, "avx2 fma", "haswell");
    check_identity(intel, "Intel(R) Xeon(R) Platinum 8280 CPU @ 2.70GHz", 6, 85, "avx512f",
                   "skylake-sp");
    check_identity(intel, "Intel(R) Xeon(R) Silver 4214 CPU @ 2.20GHz", 6, 85, "avx512f",
                   "skylake-sp-one-fma");
    check_identity(intel, "Intel(R) Xeon(R) Gold 5122 CPU @ 3.60GHz", 6, 85, "avx512f",
                   "skylake-sp");
    check_identity(intel, "", 6, 143, "avx2 fma", "sapphire-rapids"); /* AVX-512 hidden */
    check_identity(amd, "", 23, 49, "avx2", "zen2");
    check_identity(amd, "", 25, 1, "avx2 vaes", "zen3");
    check_identity(amd, "", 25, 17, "avx512f", "zen4");
    check_identity(amd, "", 26, 68, "avx512f avx512_vp2intersect", "zen5");
    check_identity(amd, "", 26, 0x24, "avx512f avx512_vp2intersect", "zen5-strix-point");
    check_identity("0x41", "", 8, 0xd0c, NULL, "neoverse-n1");
}

static void masked_model_is_identified_by_features(void **state)
{
    (void)state;
    const char *features = "avx2 fma hypervisor avx512f avx512_vbmi2 avx512_fp16 amx_tile";
    struct microarchitecture core;
    struct error error;
    char how[200];
    check(identify("GenuineIntel", "", 6, 167, features, &core, how, &error), &error);
    assert_string_equal(core.spec.name, "sapphire-rapids");
    assert_non_null(strstr(how, "identified by features; the model number is masked"));
    check_identity("GenuineIntel", "", 6, 167, "avx2 fma avx512f avx512_vbmi2", "rocket-lake");
    /* A Zen 4 that calls itself a Zen 2. */
    check_identity("AuthenticAMD", "", 23, 49, "avx2 hypervisor vaes avx512f avx512_bf16", "zen4");
}

static void unknown_cpu_is_skipped_with_words(void **state)
{
    (void)state;
    struct microarchitecture core;
    struct error error;
    char how[200];
    assert_int_equal(identify("GenuineIntel", "", 6, 1, "avx2 fma", &core, how, &error), SKIPPED);
    assert_non_null(strstr(error.text, "'GenuineIntel' family 6 model 1"));
    /* On bare metal the model number is believed, also when it is new. */
    assert_int_equal(
        identify("GenuineIntel", "", 6, 250, "avx512f avx512_fp16 amx_tile", &core, how, &error),
        SKIPPED);
    assert_int_equal(identify("", "", -1, -1, NULL, &core, how, &error), SKIPPED);
    assert_int_equal(identify("GenuineIntel", "", 6, 158, "avx512f", &core, how, &error), SKIPPED);
    assert_non_null(strstr(error.text, "would be 'skylake'"));
}

/* A captured machine, told its clock and memory, gives what its spec gives. */
static void check_machine(const char *file, const char *name, double gigahertz, double channels,
                          double megatransfers)
{
    struct error error;
    struct host host;
    struct theory_cpu cpu;
    struct microarchitecture core;
    struct table machine, spec;
    struct what_if ask = as_it_is;
    ask.gigahertz = gigahertz;
    ask.channels = channels;
    ask.megatransfers = megatransfers;
    check(host_read(&host, file, &error), &error);
    check(theory_of_host(&cpu, &core, &host, &error), &error);
    check(theory_cpu_ask(&cpu, &ask, &error), &error);
    table_init(&machine, &ceiling_schema);
    check(theory_cpu_rows(&cpu, &all_isas, &machine, &error), &error);
    ask = as_it_is;
    ask.gigahertz = gigahertz;
    spec_rows(name, ask, &all_isas, &spec);
    for (size_t i = 0; i < spec.count; i++) {
        const struct ceiling *want = table_ceiling(&spec, i);
        bool same = false;
        for (size_t k = 0; k < machine.count && !same; k++) {
            const struct ceiling *row = table_ceiling(&machine, k);
            same = strcmp(row->level, want->level) == 0 && strcmp(row->kind, want->kind) == 0 &&
                   strcmp(row->dtype, want->dtype) == 0 && strcmp(row->isa, want->isa) == 0 &&
                   (row->workers == want->workers || isnan(want->workers)) &&
                   fabs(row->value / want->value - 1) < 1e-12;
        }
        if (!same)
            fail_msg("%s: no row like %s %s %s: %s", file, want->kind, want->level, want->isa,
                     want->source);
    }
    table_free(&spec);
    table_free(&machine);
    host_free(&host);
}

static void captured_machines_give_the_theory_of_their_specs(void **state)
{
    (void)state;
    check_machine(MACHINE("xeon-e5-2697-v2-2s"), "xeon-e5-2697-v2", 2.7, 4, 1866);
    check_machine(MACHINE("epyc-7763-2s-nps4"), "epyc-7763", 2.45, 8, 3200);
    check_machine(MACHINE("altra-q80-30"), "ampere-altra-q80-30", 3.0, 8, 3200);
}

static void base_clock_in_the_model_name_is_used(void **state)
{
    (void)state;
    struct error error;
    struct host host;
    struct theory_cpu cpu;
    struct microarchitecture core;
    struct table table;
    check(host_read(&host, MACHINE("xeon-e5-2697-v2-2s"), &error), &error);
    check(theory_of_host(&cpu, &core, &host, &error), &error);
    table_init(&table, &ceiling_schema);
    check(theory_cpu_rows(&cpu, &widest, &table, &error), &error);
    check_row(&table, "mul+add", "compute", "f32", "2 sockets x 12 cores x 2.7 GHz base", 1036.8e9);
    table_free(&table);
    host_free(&host);
}

static void what_a_captured_machine_does_not_say_is_skipped(void **state)
{
    (void)state;
    struct error error;
    struct host host;
    struct theory_cpu cpu;
    struct microarchitecture core;
    struct table table;
    check(host_read(&host, MACHINE("epyc-7763-2s-nps4"), &error), &error);
    check(theory_of_host(&cpu, &core, &host, &error), &error);
    table_init(&table, &ceiling_schema);
    check(theory_cpu_rows(&cpu, &all_isas, &table, &error), &error);
    int clocks = 0, memory = 0;
    for (size_t i = 0; i < table.count; i++) {
        const struct ceiling *row = table_ceiling(&table, i);
        if (strcmp(row->kind, "capacity") == 0)
            continue;
        assert_string_equal(row->status, "skipped");
        assert_true(isnan(row->value));
        clocks += strstr(row->why, "give --ghz") != NULL;
        memory += strstr(row->why, "--channels") != NULL;
    }
    assert_int_equal(clocks, 2);
    assert_int_equal(memory, 1);
    table_free(&table);
    host_free(&host);
}

static void broken_specs_are_refused_by_name_and_line(void **state)
{
    (void)state;
#define HEAD "# title: x\nquantity,value,unit,source\n"
    static const struct {
        const char *text, *words;
    } broken[] = {
        {"", "no line 'quantity,value,unit,source'"},
        {"quantity,value\n", "line 1: the columns"},
        {HEAD "sockets,2,count\n", "line 3: not the four fields"},
        {HEAD "sockets,2,count,\n", "'sockets' needs a source"},
        {HEAD "socket,2,count,x\n", "unknown quantity 'socket'"},
        {HEAD "fma_100,2,per cycle,x\n", "unknown quantity 'fma_100'"},
        {HEAD "sockets,2,GHz,x\n", "unit 'GHz' does not fit 'sockets'"},
        {HEAD "sockets,2,dozen,x\n", "unit 'dozen'"},
        {HEAD "sockets,-2,count,x\n", "value '-2'"},
        {HEAD "sockets,nan,count,x\n", "value 'nan'"},
        {HEAD "sockets,inf,count,x\n", "value 'inf'"},
        {HEAD "sockets,,count,x\n", "value ''"},
        {HEAD "sockets,2x,count,x\n", "value '2x'"},
        {HEAD "sockets,2,count,x\nsockets,2,count,x\n", "line 4: 'sockets' is given twice"},
        {HEAD "sockets,2,count,\"x\n", "line 3: not the four fields"},
        {HEAD "sockets,2,count,\"x\"y\n", "line 3: not the four fields"},
        {HEAD "sockets,2,count,x,y\n", "line 3: not the four fields"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct spec spec;
        struct error error = {0};
        assert_int_equal(spec_parse(&spec, "mine", broken[i].text, &error), FAILED);
        assert_int_equal(error.fault, FAULT_USAGE);
        if (!strstr(error.text, broken[i].words) || !strstr(error.text, "'mine'"))
            fail_msg("'%s' lacks '%s'", error.text, broken[i].words);
    }
    struct spec spec;
    struct error error;
    check(spec_parse(&spec, "mine", HEAD "l2,1,MiB,\"a \"\"b\"\", c\"\r\n", &error), &error);
    assert_string_equal(spec.quantity[0].source, "a \"b\", c");
    assert_true(spec_value(&spec, "l2") == 1048576);
    assert_true(isnan(spec_value(&spec, "l3")));
    assert_int_equal(spec_read(&spec, embedded_specs, "SPEC", "v101", &error), FAILED);
    assert_non_null(strstr(error.text, "unknown SPEC 'v101'"));
    assert_non_null(strstr(error.text, "nvidia-v100-sxm2"));
}

static void spec_without_a_needed_number_is_refused(void **state)
{
    (void)state;
    struct spec spec;
    struct error error;
    struct theory_cpu cpu;
    struct microarchitecture core;
    check(spec_parse(&spec, "mine", HEAD "sockets,1,count,x\n", &error), &error);
    assert_int_equal(theory_of_spec(&cpu, &core, &spec, &error), FAILED);
    assert_string_equal(error.text, "spec 'mine' lacks 'cores_per_socket'");
    check(spec_parse(&spec, "mine", HEAD "sockets,0,count,x\n", &error), &error);
    assert_int_equal(theory_of_spec(&cpu, &core, &spec, &error), FAILED);
    assert_non_null(strstr(error.text, "'sockets' must be above 0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formula_text_and_value_come_from_the_same_factors),
        cmocka_unit_test(two_xeon_e5_2697_v2_give_1036_8_and_119_4),
        cmocka_unit_test(v100_gives_15_7_and_898),
        cmocka_unit_test(published_figures_come_out),
        cmocka_unit_test(questions_change_the_numbers),
        cmocka_unit_test(senseless_questions_are_refused),
        cmocka_unit_test(every_spec_parses_and_every_number_has_a_source),
        cmocka_unit_test(every_microarchitecture_parses_and_adds_up),
        cmocka_unit_test(pipes_give_the_known_mixes),
        cmocka_unit_test(accesses_share_their_ports),
        cmocka_unit_test(model_numbers_identify),
        cmocka_unit_test(masked_model_is_identified_by_features),
        cmocka_unit_test(unknown_cpu_is_skipped_with_words),
        cmocka_unit_test(captured_machines_give_the_theory_of_their_specs),
        cmocka_unit_test(base_clock_in_the_model_name_is_used),
        cmocka_unit_test(what_a_captured_machine_does_not_say_is_skipped),
        cmocka_unit_test(broken_specs_are_refused_by_name_and_line),
        cmocka_unit_test(spec_without_a_needed_number_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
