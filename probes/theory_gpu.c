// theory_gpu.c - the formulas of an NVIDIA GPU: SMs x lanes x clock x 2, memory clock x data rate x
// bus width.
#include <math.h>
#include <string.h>

#include "formula.h"
#include "theory.h"

/* What the rows are made from, and where they go. */
struct gpu {
    const struct spec *spec;
    const struct what_if *ask;
    const struct theory_filter *filter;
    struct table *table;
    double sms; /* as published, or asked for */
};

static struct ceiling *append(const struct gpu *gpu, const char *level, const char *kind,
                              const char *unit, struct error *error)
{
    struct ceiling *row = table_append(gpu->table);
    if (!row) {
        error_set(error, FAULT_ENVIRONMENT, "out of memory for the theoretical ceilings of '%s'",
                  gpu->spec->name);
        return NULL;
    }
    text_copy(row->device, sizeof row->device, "gpu0");
    text_copy(row->level, sizeof row->level, level);
    text_copy(row->kind, sizeof row->kind, kind);
    text_copy(row->unit, sizeof row->unit, unit);
    text_copy(row->basis, sizeof row->basis, "derived");
    text_copy(row->status, sizeof row->status, "ok");
    return row;
}

static void set(const struct gpu *gpu, struct ceiling *row, const struct formula *formula,
                double scale, const char *unit)
{
    char text[sizeof row->source];
    formula_text(formula, scale, unit, text, sizeof text);
    row->value = formula_value(formula);
    text_format(row->source, sizeof row->source, gpu->filter->bare ? "%s" : "%s; spec %s", text,
                gpu->spec->name);
}

/* What executes one FMA per unit, SM and clock. */
static const struct engine {
    const char *level, *dtype, *quantity;
    const char *unit; /* noun of one of them */
    bool tensor;
} engines[] = {
    {"fma", "f64", "f64_cores", "FP64 core", false},
    {"fma", "f32", "f32_cores", "FP32 core", false},
    {"fma", "bf16", "bf16_fma", "BF16 lane", false},
    {"fma", "f16", "f16_fma", "FP16 lane", false},
    {"tensor", "f64", "tensor_f64", "FP64 tensor lane", true},
    {"tensor", "tf32", "tensor_tf32", "TF32 tensor lane", true},
    {"tensor", "bf16", "tensor_bf16", "BF16 tensor lane", true},
    {"tensor", "f16", "tensor_f16", "FP16 tensor lane", true},
    {"tensor", "f8", "tensor_f8", "FP8 tensor lane", true},
    {"tensor", "i8", "tensor_i8", "INT8 tensor lane", true},
};

/* GPU-wide count of a unit, "5120 FP32 cores (80 SMs x 64)". */
static void times_lanes(struct formula *formula, double sms, double per_sm, const char *unit)
{
    formula_times(formula, sms * per_sm, 1, "%ss (%g SMs x %g)", unit, sms, per_sm);
}

static int engine_row(const struct gpu *gpu, const struct engine *engine, const char *word,
                      double gigahertz, struct error *error)
{
    struct ceiling *row = append(gpu, engine->level, "compute", "flop/s", error);
    if (!row)
        return FAILED;
    text_copy(row->dtype, sizeof row->dtype, engine->dtype);
    row->workers = gpu->sms;
    row->clock_hertz = gigahertz * 1e9;
    struct formula formula = {0};
    times_lanes(&formula, gpu->sms, spec_value(gpu->spec, engine->quantity), engine->unit);
    formula_times(&formula, gigahertz, 1e9, "GHz %s", word);
    formula_times(&formula, 2, 1, "(FMA)");
    set(gpu, row, &formula, 1e12, strcmp(engine->dtype, "i8") == 0 ? "TOP/s" : "TFLOP/s");
    return OK;
}

/* The clocks of one engine: what was asked for, else base, boost, and for tensor cores the lower
 * boost that some vendors' tables quote them at. */
static int engine_rows(const struct gpu *gpu, const struct engine *engine, struct error *error)
{
    if (!isnan(gpu->ask->gigahertz))
        return engine_row(gpu, engine, "given", gpu->ask->gigahertz, error);
    static const struct {
        const char *quantity, *word;
    } clocks[] = {
        {"clock_base", "base"}, {"clock_boost", "boost"}, {"clock_tensor", "tensor boost"}};
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        double hertz = spec_value(gpu->spec, clocks[i].quantity);
        bool tensor_clock = strcmp(clocks[i].quantity, "clock_tensor") == 0;
        /* FP64 tensor work runs at the full boost: NVIDIA H100 whitepaper, table of clocks. */
        bool slower = engine->tensor && strcmp(engine->dtype, "f64") != 0;
        if (isnan(hertz) || (tensor_clock && !slower))
            continue;
        if (engine_row(gpu, engine, clocks[i].word, hertz / 1e9, error) != OK)
            return FAILED;
    }
    return OK;
}

/* Memory: the clock that the driver reports x 2 transfers per cycle (DDR) x bus width. */
static int dram_row(const struct gpu *gpu, struct error *error)
{
    const struct quantity *clock, *rate, *width;
    if (spec_require(gpu->spec, "memory_clock", &clock, error) != OK ||
        spec_require(gpu->spec, "memory_data_rate", &rate, error) != OK ||
        spec_require(gpu->spec, "memory_bus_width", &width, error) != OK)
        return FAILED;
    struct ceiling *row = append(gpu, "DRAM", "bandwidth", "byte/s", error);
    if (!row)
        return FAILED;
    struct formula formula = {0};
    if (isnan(gpu->ask->megatransfers)) {
        formula_times(&formula, spec_value(gpu->spec, "memory_clock") / 1e9, 1e9, "GHz");
        formula_times(&formula, rate->value, 1, rate->value == 2 ? "(DDR)" : "transfers per cycle");
    } else {
        formula_times(&formula, gpu->ask->megatransfers, 1e6, "MT/s");
    }
    formula_times(&formula, width->value, 1, "bit");
    formula_over(&formula, 8, "");
    set(gpu, row, &formula, 1e9, "GB/s");
    text_copy(row->why, sizeof row->why, spec_note(gpu->spec, "caveat"));
    return OK;
}

static int shared_row(const struct gpu *gpu, double gigahertz, const char *word,
                      struct error *error)
{
    struct ceiling *row = append(gpu, "SHARED", "bandwidth", "byte/s", error);
    if (!row)
        return FAILED;
    row->workers = gpu->sms;
    row->clock_hertz = gigahertz * 1e9;
    struct formula formula = {0};
    formula_count(&formula, gpu->sms, "SM");
    formula_times(&formula, gigahertz, 1e9, "GHz %s", word);
    formula_times(&formula, spec_value(gpu->spec, "shared_bandwidth"), 1, "B per cycle");
    set(gpu, row, &formula, 1e9, "GB/s");
    return OK;
}

/* Links, each direction alone. */
static int link_rows(const struct gpu *gpu, struct error *error)
{
    double lanes = spec_value(gpu->spec, "pcie_lanes"),
           transfers = spec_value(gpu->spec, "pcie_transfers");
    if (lanes > 0 && transfers > 0) {
        struct ceiling *row = append(gpu, "PCIE", "bandwidth", "byte/s", error);
        if (!row)
            return FAILED;
        struct formula formula = {0};
        formula_count(&formula, lanes, "lane");
        formula_times(&formula, transfers / 1e9, 1e9, "GT/s");
        /* 128b/130b line code of PCIe 3.0 to 5.0: PCI Express Base Specification 5.0, 4.2.2. */
        formula_times(&formula, 128, 1, "bit");
        formula_over(&formula, 130, "(line code)");
        formula_over(&formula, 8, "");
        set(gpu, row, &formula, 1e9, "GB/s each way");
    }
    double links = spec_value(gpu->spec, "nvlink_links"),
           rate = spec_value(gpu->spec, "nvlink_rate");
    if (links > 0 && rate > 0) {
        struct ceiling *row = append(gpu, "NVLINK", "bandwidth", "byte/s", error);
        if (!row)
            return FAILED;
        struct formula formula = {0};
        formula_count(&formula, links, "link");
        formula_times(&formula, rate / 1e9, 1e9, "GB/s");
        set(gpu, row, &formula, 1e9, "GB/s each way");
    }
    return OK;
}

static int capacity_rows(const struct gpu *gpu, struct error *error)
{
    static const struct {
        const char *quantity, *level, *whose;
    } capacities[] = {{"shared", "SHARED", " per SM"}, {"l2", "L2", ""}, {"memory", "DRAM", ""}};
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        const struct quantity *quantity = spec_find(gpu->spec, capacities[i].quantity);
        if (!quantity)
            continue;
        struct ceiling *row = append(gpu, capacities[i].level, "capacity", "byte", error);
        if (!row)
            return FAILED;
        row->value = spec_value(gpu->spec, capacities[i].quantity);
        text_format(row->source, sizeof row->source, "%g %s%s%s%s", quantity->value, quantity->unit,
                    capacities[i].whose, gpu->filter->bare ? "" : "; spec ",
                    gpu->filter->bare ? "" : gpu->spec->name);
    }
    return OK;
}

/* SMs of the question: --cores counts FP32 cores, as data sheets do. */
static int ask_sms(const struct spec *spec, const struct what_if *ask, double *sms,
                   struct error *error)
{
    const struct quantity *own, *cores;
    if (spec_require(spec, "sms", &own, error) != OK ||
        spec_require(spec, "f32_cores", &cores, error) != OK || what_if_check(ask, error) != OK)
        return FAILED;
    if (!isnan(ask->sockets) || !isnan(ask->channels))
        return error_set(error, FAULT_USAGE,
                         "%s does not apply to '%s': a GPU has SMs and one memory bus; --cores, "
                         "--ghz and --mts do",
                         isnan(ask->sockets) ? "--channels" : "--sockets", spec->name);
    *sms = isnan(ask->cores) ? own->value : ask->cores / cores->value;
    if (*sms != floor(*sms))
        return error_set(error, FAULT_USAGE,
                         "--cores '%g' is not a whole number of SMs of %g FP32 cores", ask->cores,
                         cores->value);
    return OK;
}

int theory_gpu_rows(const struct spec *spec, const struct what_if *ask,
                    const struct theory_filter *filter, struct table *table, struct error *error)
{
    struct gpu gpu = {spec, ask, filter, table, NAN};
    if (ask_sms(spec, ask, &gpu.sms, error) != OK)
        return FAILED;
    if (filter->isa[0])
        return error_set(error, FAULT_USAGE, "--isa does not apply to '%s': a GPU", spec->name);
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++)
        if (spec_value(spec, engines[i].quantity) > 0 &&
            (!filter->dtype[0] || strcmp(filter->dtype, engines[i].dtype) == 0) &&
            engine_rows(&gpu, &engines[i], error) != OK)
            return FAILED;
    bool given = !isnan(ask->gigahertz);
    double clock = given ? ask->gigahertz : spec_value(spec, "clock_boost") / 1e9;
    if (spec_value(spec, "shared_bandwidth") > 0 && clock > 0 &&
        shared_row(&gpu, clock, given ? "given" : "boost", error) != OK)
        return FAILED;
    if (dram_row(&gpu, error) != OK || link_rows(&gpu, error) != OK)
        return FAILED;
    return capacity_rows(&gpu, error);
}
