// kernel.h - what a kernel is: letters, work model, operands, reference and the bodies compiled per
// ISA.
#ifndef ROOFLINE_KERNEL_H
#define ROOFLINE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "isa.h"
#include "library.h"
#include "shape.h"
#include "team.h"

enum { KERNEL_OPERANDS_MAX = 8 };

enum role { ROLE_INPUT, ROLE_OUTPUT, ROLE_UPDATE /* read and written */ };

/* A dense array of the kernel's dtype, or of int32_t. Operand 0 is the one that is written, the
 * only one. */
struct operand {
    const char *name;
    enum role role;
    double elements;
    double low, high; /* initial values are uniform in [low, high) */
    bool is_index;    /* int32_t, whole numbers in [low, high) */
};

/* Sizes that blocking depends on, of the machine that runs it. */
struct cache_sizes {
    double l1_bytes, l2_bytes; /* per core */
    double l3_bytes; /* share of one working thread; of the outermost cache where there is no L3 */
    double last_level_bytes; /* all of the outermost cache: beyond it non-temporal stores pay */
};

/* One call, as every member of the team sees it. Members may meet by team_barrier(). A member may
 * enter the next call while others are still in this one: meet before overwriting what others read
 * in the workspace. */
struct call {
    const struct shape *shape;
    void *operand[KERNEL_OPERANDS_MAX];
    long outputs; /* elements of operand 0 */
    /* Shared by the members, 64-byte aligned; NULL where there are 0 bytes. */
    void *kept;      /* variant->kept() bytes, as prepare() left them */
    void *workspace; /* variant->workspace() bytes, which other calls use in between */
    struct cache_sizes caches;
    struct member member;
};

typedef void body(const struct call *call);

/* Elements [begin, end) of operand 0 as they should be after a call: out[i - begin]. On entry out
 * holds what was there before the call where operand 0 is an update. Plain loops, accumulated in
 * double. */
typedef void reference_function(const struct call *call, enum dtype dtype, long begin, long end,
                                double *out);

/* What a library is asked to do; all of it is borrowed until the plan is closed. */
struct problem {
    const struct kernel *kernel;
    const struct shape *shape;
    enum dtype dtype;
    int threads; /* that the library may use */
    void *const *operand;
};

/* An implementation that is a library's. Its functions are called by one thread outside of any
 * parallel region; the library brings its own threads. */
struct routine {
    const struct library *library;
    /* Everything that a user of the library would do once for many calls; `plan` gets what run()
     * needs. SKIPPED with a reason where the library cannot. Nothing is held unless it returns OK.
     */
    int (*prepare)(const struct problem *problem, const struct opened_library *opened, void **plan,
                   struct error *error);
    void (*run)(void *plan); /* one call */
    /* Brings the result to operand 0 where run() leaves it in another layout; NULL: it is there. */
    void (*deliver)(void *plan);
    void (*close)(void *plan);
};

/* Bytes of memory beside the operands. */
typedef double room_function(const struct shape *shape, enum isa isa, enum dtype dtype, int threads,
                             const struct cache_sizes *caches);

/* An implementation. bodies[isa][dtype]; NULL where there is none. */
struct variant {
    const char *name;
    const char *summary;
    body *bodies[ISA_COUNT][DTYPE_COUNT];
    /* Called once by all members before the first call and not timed: what a network does when it
     * is loaded. May keep constant operands, such as weights, in call->kept in the order in which
     * the body reads them. NULL: nothing to prepare. */
    body *prepare[ISA_COUNT][DTYPE_COUNT];
    const struct routine *routine; /* instead of bodies */
    /* Bytes that last from prepare() over all calls, and that a call needs; NULL: none. */
    room_function *kept, *workspace;
    /* FLOP that it does by a method which takes another number than the model counts: rates are
     * the model's, the roof is judged by this; NULL: the model's. */
    double (*flops)(const struct shape *shape);
    /* Where it rounds more than the kernel's tolerance allows for; NULL: that one. */
    double (*tolerance)(const struct shape *shape, double unit);
    /* SKIPPED with a reason when the variant cannot do this shape; NULL: does all. */
    int (*supports)(const struct shape *shape, struct error *error);
};

struct kernel {
    const char *name;
    const char *summary; /* the formula of what it computes */
    const struct letter *letters;
    int letter_count;
    bool quick; /* the quick budget runs it without being asked by name */
    /* NULL-ended: what `make bench` runs, in cache and in DRAM. One letter of a shape may be @L1,
     * @L2, @L3 or @DRAM: the size at which the operands lie there (kernels/run.h). */
    const char *const *shapes;
    double (*flops)(const struct shape *shape);
    const char *flops_formula;
    double (*bytes)(const struct shape *shape, double element_bytes);
    const char *bytes_formula;
    const char *model_note; /* what the model counts: FMA, padding, in-place traffic */
    /* Constraints between letters (c divisible by groups, output not empty): FAULT_USAGE. NULL:
     * none. */
    int (*check)(const struct shape *shape, struct error *error);
    int (*operands)(const struct shape *shape, struct operand operand[KERNEL_OPERANDS_MAX]);
    /* Largest allowed max|out - reference| / max|reference|, with `unit` = 2^-24 or 2^-53. */
    double (*tolerance)(const struct shape *shape, double unit);
    reference_function *reference;
    /* FLOP that the reference takes for one element alone, where the elements of a row share sums
     * that each must have; NULL: flops / elements. */
    double (*reference_flops)(const struct shape *shape);
    const struct variant *variants; /* ends with a NULL name; the first is the default */
};

/* A formula and its text from the same tokens: MODEL(flops, 2 * m * n * k) makes flops_model() and
 * flops_formula. Inside the expression the letters are doubles; before it the kernel file defines
 * LETTERS(X), a row X(name, fallback, minimum, meaning) or X(name, fallback, 0, meaning, words) for
 * each, and DERIVED, declarations of what it derives from them (may be empty). */
#define KERNEL_LETTER_INDEX(name, ...) LETTER_##name,
#define KERNEL_LETTER_ROW(letter, fallback_value, least, ...)                                      \
    {.name = #letter, .fallback = fallback_value, .minimum = least, .meaning = __VA_ARGS__},
#define KERNEL_LETTER_DOUBLE(name, ...)                                                            \
    const double name = (double)shape->value[LETTER_##name];                                       \
    (void)name;
#define KERNEL_LETTER_LONG(name, ...)                                                              \
    const long name = shape->value[LETTER_##name];                                                 \
    (void)name;

#define MODEL_flops_PARAMETERS const struct shape *shape
#define MODEL_bytes_PARAMETERS const struct shape *shape, const double element_bytes
#define MODEL(what, ...)                                                                           \
    static const char what##_formula[] = #__VA_ARGS__;                                             \
    static double what##_model(MODEL_##what##_PARAMETERS)                                          \
    {                                                                                              \
        LETTERS(KERNEL_LETTER_DOUBLE)                                                              \
        DERIVED                                                                                    \
        return __VA_ARGS__;                                                                        \
    }

/* The bodies of one implementation, over all ISAs and formats: symbol_f32_avx2 and so on. */
#define BODY_DECLARE(symbol, isa) body symbol##_f32_##isa, symbol##_f64_##isa;
#define BODY_ROW(symbol, isa)                                                                      \
    [ISA_##isa] = {[DTYPE_f32] = symbol##_f32_##isa, [DTYPE_f64] = symbol##_f64_##isa},
#if defined(__x86_64__)
#define BODIES_DECLARE(symbol)                                                                     \
    BODY_DECLARE(symbol, scalar)                                                                   \
    BODY_DECLARE(symbol, sse2)                                                                     \
    BODY_DECLARE(symbol, avx) BODY_DECLARE(symbol, avx2) BODY_DECLARE(symbol, avx512)
#define BODIES(symbol)                                                                             \
    {                                                                                              \
        BODY_ROW(symbol, scalar)                                                                   \
        BODY_ROW(symbol, sse2)                                                                     \
        BODY_ROW(symbol, avx) BODY_ROW(symbol, avx2) BODY_ROW(symbol, avx512)                      \
    }
#elif defined(__aarch64__)
#define BODIES_DECLARE(symbol) BODY_DECLARE(symbol, scalar) BODY_DECLARE(symbol, neon)
#define BODIES(symbol)                                                                             \
    {                                                                                              \
        BODY_ROW(symbol, scalar) BODY_ROW(symbol, neon)                                            \
    }
#else
#define BODIES_DECLARE(symbol) BODY_DECLARE(symbol, scalar)
#define BODIES(symbol)                                                                             \
    {                                                                                              \
        BODY_ROW(symbol, scalar)                                                                   \
    }
#endif

/* The reference as a variant that can be timed: REFERENCE_BODIES(gemm_reference), then
 * REFERENCE_VARIANT(...). */
#define REFERENCE_BODIES(function)                                                                 \
    static void function##_f32(const struct call *call)                                            \
    {                                                                                              \
        reference_run(function, call, DTYPE_f32);                                                  \
    }                                                                                              \
    static void function##_f64(const struct call *call)                                            \
    {                                                                                              \
        reference_run(function, call, DTYPE_f64);                                                  \
    }
#define REFERENCE_VARIANT(function)                                                                \
    {                                                                                              \
        .name = "reference", .summary = "the plain loops that every variant is checked against",   \
        .bodies = {                                                                                \
            [ISA_scalar] = {[DTYPE_f32] = function##_f32, [DTYPE_f64] = function##_f64}            \
        }                                                                                          \
    }

/* Runs a reference over the member's part of operand 0, whose length call->outputs is. */
void reference_run(reference_function *function, const struct call *call, enum dtype dtype);

/* Element i of an array of that format. */
static inline double real_at(const void *reals, enum dtype dtype, long i)
{
    return dtype == DTYPE_f32 ? ((const float *)reals)[i] : ((const double *)reals)[i];
}

static inline void real_put(void *reals, enum dtype dtype, long i, double value)
{
    if (dtype == DTYPE_f32)
        ((float *)reals)[i] = (float)value;
    else
        ((double *)reals)[i] = value;
}

/* Rows of operands(): uniform reals, and whole numbers below `count`. */
static inline struct operand reals(const char *name, enum role role, double elements, double low,
                                   double high)
{
    return (struct operand){
        .name = name, .role = role, .elements = elements, .low = low, .high = high};
}

static inline struct operand indices(const char *name, double elements, double count)
{
    return (struct operand){
        .name = name, .role = ROLE_INPUT, .elements = elements, .high = count, .is_index = true};
}

static inline long index_at(const void *indices, long i)
{
    return ((const int32_t *)indices)[i];
}

static inline int operand_element_bytes(const struct operand *operand, enum dtype dtype)
{
    return operand->is_index ? (int)sizeof(int32_t) : dtype_bytes(dtype);
}

/* The variant's tolerance where it has one, else the kernel's. */
double variant_tolerance(const struct kernel *kernel, const struct variant *variant,
                         const struct shape *shape, enum dtype dtype);

/* All kernels, NULL-ended, in the order of kernels/kernels.def. */
extern const struct kernel *const kernels[];

/* NULL when there is none of that name. */
const struct kernel *kernel_find(const char *name);

/* The kernel's variant of that name, NULL when there is none. */
const struct variant *variant_find(const struct kernel *kernel, const char *name);

/* Value of the letter of that name, which the kernel must have. */
long kernel_letter(const struct kernel *kernel, const struct shape *shape, const char *name);

/* Relative rounding unit of a format: 2^-24, 2^-53. */
double dtype_rounding(enum dtype dtype);

#endif
