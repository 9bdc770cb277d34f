// theory.c - what the formulas need, from a spec or from this machine; the probe that appends them
// to machine.csv.
#include "theory.h"

#include <math.h>
#include <string.h>

#include "isa.h"
#include "measure.h"
#include "nominal_clock.h"
#include "probe.h"

static void cpu_init(struct theory_cpu *cpu)
{
    *cpu = (struct theory_cpu){.sockets = NAN,
                               .cores_per_socket = NAN,
                               .channels = NAN,
                               .transfers_per_second = NAN,
                               .bus_bytes = NAN,
                               .memory_bytes = NAN};
    text_copy(cpu->device, sizeof cpu->device, "cpu");
}

static void add_clock(struct theory_cpu *cpu, const char *word, double hertz, const char *isa,
                      const char *source)
{
    struct theory_clock *clock = &cpu->clock[cpu->clock_count++];
    *clock = (struct theory_clock){.hertz = hertz};
    text_copy(clock->word, sizeof clock->word, word);
    text_copy(clock->isa, sizeof clock->isa, isa);
    text_copy(clock->source, sizeof clock->source, source);
}

static void add_cache(struct theory_cpu *cpu, int level, double size_bytes, double cores)
{
    if (isnan(size_bytes) || cpu->cache_count == THEORY_CACHES_MAX)
        return;
    cpu->cache[cpu->cache_count].level = level;
    cpu->cache[cpu->cache_count].size_bytes = size_bytes;
    cpu->cache[cpu->cache_count++].cores = cores;
}

int theory_of_spec(struct theory_cpu *cpu, struct microarchitecture *core, const struct spec *spec,
                   struct error *error)
{
    static const struct {
        const char *quantity, *word, *isa;
    } clocks[] = {{"clock_base", "base", ""},
                  {"clock_boost", "boost", ""},
                  {"clock_avx2_base", "AVX2 base", "avx2"},
                  {"clock_avx512_base", "AVX-512 base", "avx512"}};
    const struct quantity *sockets, *cores, *base, *channels, *transfers, *bus;
    if (spec_require(spec, "sockets", &sockets, error) != OK ||
        spec_require(spec, "cores_per_socket", &cores, error) != OK ||
        spec_require(spec, "clock_base", &base, error) != OK ||
        spec_require(spec, "memory_channels", &channels, error) != OK ||
        spec_require(spec, "memory_transfers", &transfers, error) != OK ||
        spec_require(spec, "memory_bus", &bus, error) != OK ||
        microarchitecture_read(core, spec_note(spec, "microarchitecture"), error) != OK)
        return FAILED;
    cpu_init(cpu);
    cpu->core = core;
    text_format(cpu->origin, sizeof cpu->origin, "spec %s, microarchitecture %s", spec->name,
                core->spec.name);
    cpu->sockets = sockets->value;
    cpu->cores_per_socket = cores->value;
    cpu->workers[0] = (int)(cpu->sockets * cpu->cores_per_socket);
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++)
        if (spec_value(spec, clocks[i].quantity) > 0)
            add_clock(cpu, clocks[i].word, spec_value(spec, clocks[i].quantity), clocks[i].isa,
                      spec_find(spec, clocks[i].quantity)->source);
    cpu->channels = channels->value;
    cpu->transfers_per_second = spec_value(spec, "memory_transfers");
    cpu->bus_bytes = bus->value;
    add_cache(cpu, 1, spec_value(spec, "l1d"), 1);
    add_cache(cpu, 2, spec_value(spec, "l2"), 1);
    add_cache(cpu, 3, spec_value(spec, "l3"),
              cpu->cores_per_socket / fmax(1, spec_value(spec, "l3_per_socket")));
    return OK;
}

static bool has_feature(const void *host, const char *feature)
{
    return host_has_feature(host, feature);
}

static bool host_runs(const char *word)
{
    struct error ignored;
    enum isa isa;
    return isa_parse(word, &isa, &ignored) == OK && isa_supported(isa);
}

/* The largest of a few readings: an interruption can only lower one. */
static double measured_clock(void)
{
    double best = 0;
    for (int i = 0; i < 5; i++)
        best = fmax(best, clock_hertz_now());
    return best;
}

static void add_host_clocks(struct theory_cpu *cpu, const struct host *host)
{
    if (!host->captured)
        add_clock(cpu, "measured", measured_clock(), "",
                  "chains of dependent instructions, just now");
    struct nominal_clock base = nominal_clock_base(host), boost = nominal_clock_boost(host);
    add_clock(cpu, "base", base.hertz, "", base.source);
    add_clock(cpu, "boost", boost.hertz, "", boost.source);
}

static void take_memory(struct theory_cpu *cpu, const struct host *host)
{
    cpu->memory_bytes = host->memory_bytes;
    cpu->channels = host->memory_channels;
    cpu->channels_in_all = true;
    cpu->transfers_per_second = host->memory_transfers_per_second;
    cpu->bus_bytes = host->memory_bus_bytes;
    text_copy(cpu->memory_unknown, sizeof cpu->memory_unknown,
              host->memory_source[0] ? host->memory_source
                                     : "memory unknown: give --channels and --mts");
}

int theory_of_host(struct theory_cpu *cpu, struct microarchitecture *core, const struct host *host,
                   struct error *error)
{
    cpu_init(cpu);
    struct cpu who = {.vendor = host->cpu_vendor,
                      .model = host->cpu_model,
                      .family = host->cpu_family,
                      .model_number = host->cpu_model_number,
                      .has = host->captured ? NULL : has_feature,
                      .features = host};
    char how[160];
    struct error unidentified;
    int status = microarchitecture_identify(core, &who, how, sizeof how, &unidentified);
    if (status == FAILED) {
        *error = unidentified;
        return FAILED;
    }
    if (status == OK) {
        cpu->core = core;
        text_format(cpu->origin, sizeof cpu->origin, "microarchitecture %s, %s", core->spec.name,
                    how);
    } else {
        text_copy(cpu->unidentified, sizeof cpu->unidentified, unidentified.text);
    }
    cpu->has_isa = host->captured ? NULL : host_runs;
    bool even = host->sockets > 0 && host->cores % host->sockets == 0;
    cpu->sockets = even ? host->sockets : 1;
    cpu->cores_per_socket = host->cores / cpu->sockets;
    cpu->workers[0] = 1;
    cpu->workers[1] = host->cores > 1 ? host->cores : 0;
    add_host_clocks(cpu, host);
    take_memory(cpu, host);
    for (int i = 0; i < host->cache_count; i++)
        add_cache(cpu, host->cache[i].level, host->cache[i].size_bytes,
                  host->cache[i].cores_sharing);
    return OK;
}

int what_if_check(const struct what_if *ask, struct error *error)
{
    const struct {
        const char *option;
        double value;
        bool whole;
    } questions[] = {{"--sockets", ask->sockets, true},
                     {"--cores", ask->cores, true},
                     {"--ghz", ask->gigahertz, false},
                     {"--channels", ask->channels, true},
                     {"--mts", ask->megatransfers, false}};
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        double value = questions[i].value;
        if (isnan(value))
            continue;
        if (!isfinite(value) || value <= 0 || value > 1e6)
            return error_set(error, FAULT_USAGE, "%s '%g' is not a number above 0 (at most 1e6)",
                             questions[i].option, value);
        if (questions[i].whole && value != floor(value))
            return error_set(error, FAULT_USAGE, "%s '%g' is not a whole number",
                             questions[i].option, value);
    }
    return OK;
}

int theory_cpu_ask(struct theory_cpu *cpu, const struct what_if *ask, struct error *error)
{
    if (what_if_check(ask, error) != OK)
        return FAILED;
    if (!isnan(ask->sockets)) {
        if (cpu->channels_in_all)
            cpu->channels /= cpu->sockets;
        cpu->channels_in_all = false;
        cpu->sockets = ask->sockets;
    }
    if (!isnan(ask->cores))
        cpu->cores_per_socket = ask->cores;
    if (!isnan(ask->sockets) || !isnan(ask->cores)) {
        double cores = cpu->sockets * cpu->cores_per_socket;
        int last = 0;
        while (last + 1 < THEORY_WORKERS_MAX && cpu->workers[last + 1])
            last++;
        cpu->workers[last] = (int)cores;
        for (int i = 0; i < cpu->cache_count; i++)
            cpu->cache[i].cores = fmin(cpu->cache[i].cores, cpu->cores_per_socket);
    }
    if (!isnan(ask->gigahertz)) {
        cpu->clock_count = 0;
        add_clock(cpu, "given", ask->gigahertz * 1e9, "", "--ghz");
    }
    if (!isnan(ask->channels)) {
        cpu->channels = ask->channels;
        cpu->channels_in_all = false;
        /* JEDEC DDR3 and DDR4 channels, and the two 32-bit halves of a DDR5 one, carry 64 data bits
         * (JESD79-3, JESD79-4, JESD79-5). */
        if (isnan(cpu->bus_bytes))
            cpu->bus_bytes = 8;
    }
    if (!isnan(ask->megatransfers))
        cpu->transfers_per_second = ask->megatransfers * 1e6;
    return OK;
}

/* The rows of this machine. The measured clock comes first and for all ISAs, because that is what
 * measurements are held against; base and boost for the widest ISA only: the headline numbers. */
static int collect(struct probe_run *run, struct error *error)
{
    struct microarchitecture core;
    struct theory_cpu cpu;
    if (theory_of_host(&cpu, &core, run->host, error) != OK)
        return FAILED;
    int counts = probe_worker_counts(run, cpu.workers);
    for (int i = counts; i < THEORY_WORKERS_MAX; i++)
        cpu.workers[i] = 0;
    for (int i = 1; i < cpu.clock_count && cpu.core; i++)
        text_copy(cpu.clock[i].isa, sizeof cpu.clock[i].isa, theory_widest_isa(&cpu));
    const struct request *request = run->request;
    struct theory_filter filter = {
        .isa = request->isa < 0 ? "all" : isa_name((enum isa)request->isa),
        .dtype = request->dtype < 0 ? "" : dtype_name((enum dtype)request->dtype)};
    return theory_cpu_rows(&cpu, &filter, run->machine, error);
}

const struct probe theory_probe = {
    "theory", "ceilings by formula: cores x clock x lanes x FLOP, channels x transfers x bytes",
    collect};
