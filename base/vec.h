// vec.h - the vocabulary of code that is compiled once per ISA and format: vectors of VLEN reals.
//
// Included only by ISA bodies, which the Makefile compiles with -DISA=avx2 -DDTYPE=f32 and the
// flags of that ISA.
#ifndef ROOFLINE_VEC_H
#define ROOFLINE_VEC_H

#include <stdint.h>
#include <string.h>

#if !defined(ISA) || !defined(DTYPE)
#error "vec.h is for ISA bodies: compile with -DISA=... -DDTYPE=..."
#endif

#define VEC_PASTE_(a, b, c) a##_##b##_##c
#define VEC_PASTE(a, b, c) VEC_PASTE_(a, b, c)
/* The symbol of this compilation: NAME(gemm) is gemm_f32_avx2. */
#define NAME(symbol) VEC_PASTE(symbol, DTYPE, ISA)
/* With vectors of 512 bits: that of the instruction set with vectors of half as many. */
#define HALF_NAME(symbol) VEC_PASTE(symbol, DTYPE, avx2)

/* Numbers for #if: DTYPE and ISA are words. */
#define VEC_DTYPE_f32 1
#define VEC_DTYPE_f64 2
#define VEC_CAT_(a, b) a##b
#define VEC_CAT(a, b) VEC_CAT_(a, b)
#define VEC_IS_F32 (VEC_CAT(VEC_DTYPE_, DTYPE) == 1)
#define VEC_BYTES_scalar 0
#define VEC_BYTES_sse2 16
#define VEC_BYTES_avx 32
#define VEC_BYTES_avx2 32
#define VEC_BYTES_avx512 64
#define VEC_BYTES_neon 16
#define VEC_BYTES VEC_CAT(VEC_BYTES_, ISA)
/* x86's; Arm's are always there. */
#define VEC_FMA_scalar 0
#define VEC_FMA_sse2 0
#define VEC_FMA_avx 0
#define VEC_FMA_avx2 1
#define VEC_FMA_avx512 1
#define VEC_FMA_neon 0
#define VEC_HAS_FMA VEC_CAT(VEC_FMA_, ISA)
/* Architectural vector registers: decides tile sizes. */
#if defined(__aarch64__)
#define VEC_REGISTERS_scalar 32
#else
#define VEC_REGISTERS_scalar 16
#endif
#define VEC_REGISTERS_sse2 16
#define VEC_REGISTERS_avx 16
#define VEC_REGISTERS_avx2 16
#define VEC_REGISTERS_avx512 32
#define VEC_REGISTERS_neon 32
#define VEC_REGISTERS VEC_CAT(VEC_REGISTERS_, ISA)

#if VEC_IS_F32
typedef float real;
typedef int32_t real_bits;
#define REAL_BYTES 4
#define VEC_SUFFIX "s" /* of x86 instructions */
#else
typedef double real;
typedef int64_t real_bits;
#define REAL_BYTES 8
#define VEC_SUFFIX "d"
#endif

#if VEC_BYTES == 0
#define VLEN 1
typedef real vec;
typedef real uvec;
typedef real_bits vec_bits;
#else
#define VLEN (VEC_BYTES / REAL_BYTES)
typedef real vec __attribute__((vector_size(VEC_BYTES), may_alias));
/* The same at any address. */
typedef real uvec __attribute__((vector_size(VEC_BYTES), aligned(REAL_BYTES), may_alias));
typedef real_bits vec_bits __attribute__((vector_size(VEC_BYTES), may_alias));
#endif

/* In front of a loop whose bound is known after inlining: no loop is left, so that an array of
 * accumulators becomes registers. -O2 alone leaves it rolled and the array on the stack. Of nested
 * loops Clang 14 sees too late that what they index with are constants, unless it looks at them
 * twice: the bounds are then constants in a function ALWAYS_INLINE, which another one calls. */
#define VEC_PRAGMA(x) _Pragma(#x)
#if defined(ROLLED)
#define UNROLL(n)
#elif defined(__clang__)
#define UNROLL(n) VEC_PRAGMA(clang loop unroll(full))
#else
#define UNROLL(n) VEC_PRAGMA(GCC unroll n)
#endif

/* Builds with sanitizers say ROLLED: compiled with their checks, what is unrolled and inlined for
 * speed takes twenty times as long (in clang with the square of the body). */
#if defined(ROLLED)
#define ALWAYS_INLINE static inline
#else
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#endif

ALWAYS_INLINE vec vec_load(const real *p)
{
    return *(const uvec *)p;
}

ALWAYS_INLINE void vec_store(real *p, vec v)
{
    *(uvec *)p = v;
}

/* All lanes x. An initialiser list, because `(vec){} + x` costs an add without -ffast-math. */
ALWAYS_INLINE vec vec_all(real x)
{
#if VLEN == 1
    return x;
#elif VLEN == 2
    return (vec){x, x};
#elif VLEN == 4
    return (vec){x, x, x, x};
#elif VLEN == 8
    return (vec){x, x, x, x, x, x, x, x};
#elif VLEN == 16
    return (vec){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
#endif
}

/* Lanes of a where the mask is all ones, of b where it is 0; one blend where the ISA has it. */
ALWAYS_INLINE vec vec_select(vec_bits mask, vec a, vec b)
{
#if VLEN == 1
    return mask ? a : b;
#else
    return (vec)(((vec_bits)a & mask) | ((vec_bits)b & ~mask));
#endif
}

/* *sum += a * b, rounded once where the ISA can. GCC 12 chooses the form of an FMA, and so the
 * register of its result, anew in each loop: between two loops it copies all sums, two dozen of
 * them. Told the form it keeps them where they are. No load of a or b is folded into it then.
 * Without FMA both compilers compute products ahead and have no registers for sums; with SSE2, of
 * whose two operands one is lost, clang has fewer in memory when it is not told. */
ALWAYS_INLINE void vec_add_product(vec *sum, vec a, vec b)
{
#if defined(__x86_64__) && !defined(__clang__) && VEC_HAS_FMA
    __asm__("vfmadd231p" VEC_SUFFIX " %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b));
#elif defined(__x86_64__) && !VEC_HAS_FMA && VEC_BYTES == 32
    vec product;
    __asm__("vmulp" VEC_SUFFIX " %3, %2, %1\n\tvaddp" VEC_SUFFIX " %1, %0, %0"
            : "+x"(*sum), "=&x"(product)
            : "x"(a), "x"(b));
#elif defined(__x86_64__) && !defined(__clang__) && VEC_BYTES == 16
    vec product;
    __asm__("movap" VEC_SUFFIX " %3, %1\n\tmulp" VEC_SUFFIX " %2, %1\n\taddp" VEC_SUFFIX " %1, %0"
            : "+x"(*sum), "=&x"(product)
            : "x"(a), "x"(b));
#else
    *sum += a * b;
#endif
}

/* The same with VLEN elements in memory as b, which the product reads itself: else compilers read
 * what several products have once, into one more register. */
ALWAYS_INLINE void vec_add_product_of(vec *sum, vec a, const real *b)
{
#if defined(__x86_64__) && VEC_HAS_FMA
    __asm__("vfmadd231p" VEC_SUFFIX " %2, %1, %0" : "+v"(*sum) : "v"(a), "m"(*(const uvec *)b));
#elif defined(__x86_64__) && VEC_BYTES == 32
    vec product;
    __asm__("vmulp" VEC_SUFFIX " %3, %2, %1\n\tvaddp" VEC_SUFFIX " %1, %0, %0"
            : "+x"(*sum), "=&x"(product)
            : "x"(a), "m"(*(const uvec *)b));
#elif defined(__x86_64__) && VEC_BYTES == 16
    vec product;
    __asm__("movup" VEC_SUFFIX " %3, %1\n\tmulp" VEC_SUFFIX " %2, %1\n\taddp" VEC_SUFFIX " %1, %0"
            : "+x"(*sum), "=&x"(product)
            : "x"(a), "m"(*(const uvec *)b));
#else
    *sum += a * vec_load(b);
#endif
}

/* a > b ? a : b and a < b ? a : b of every lane: b where one is NaN or both are 0, as MAXPS and
 * MINPS of x86 (Intel SDM vol. 2). clang finds them, GCC 12 compares and masks. */
#if VLEN == 1
ALWAYS_INLINE vec vec_max(vec a, vec b)
{
    return a > b ? a : b;
}
ALWAYS_INLINE vec vec_min(vec a, vec b)
{
    return a < b ? a : b;
}
#elif defined(__x86_64__) && !defined(__clang__)
/* The result takes the place of b where it may, as a is often a constant; with AVX alone tiles of
 * convolution_direct.c would then keep sums in memory. */
#if VEC_BYTES == 16
#define VEC_EXTREME(instruction)                                                                   \
    __asm__(instruction VEC_SUFFIX " %2, %0" : "=x"(extreme) : "0"(a), "x"(b))
#elif !VEC_HAS_FMA
#define VEC_EXTREME(instruction)                                                                   \
    __asm__("v" instruction VEC_SUFFIX " %2, %0, %0" : "=x"(extreme) : "0"(a), "x"(b))
#else
#define VEC_EXTREME(instruction)                                                                   \
    __asm__("v" instruction VEC_SUFFIX " %0, %2, %0" : "=v"(extreme) : "0"(b), "v"(a))
#endif
ALWAYS_INLINE vec vec_max(vec a, vec b)
{
    vec extreme;
    VEC_EXTREME("maxp");
    return extreme;
}
ALWAYS_INLINE vec vec_min(vec a, vec b)
{
    vec extreme;
    VEC_EXTREME("minp");
    return extreme;
}
#else
ALWAYS_INLINE vec vec_max(vec a, vec b)
{
    return vec_select((vec_bits)(a > b), a, b);
}
ALWAYS_INLINE vec vec_min(vec a, vec b)
{
    return vec_select((vec_bits)(a < b), a, b);
}
#endif

/* Larger and smaller of each pair; NaN where one is NaN, as maximum and minimum of IEEE 754-2019
 * (9.6). */
#if VLEN == 1
ALWAYS_INLINE vec vec_larger(vec a, vec b)
{
    return a > b || a != a ? a : b;
}
ALWAYS_INLINE vec vec_smaller(vec a, vec b)
{
    return a < b || a != a ? a : b;
}
#elif VEC_BYTES == 64
#define VEC_PROPAGATING(instruction, a, b)                                                         \
    uint16_t ordered;                                                                              \
    __asm__("vcmpordp" VEC_SUFFIX " %0, %0, %1\n\t" instruction VEC_SUFFIX " %2, %0, %0%{%1%}"     \
            : "+v"(a), "=&Yk"(ordered)                                                             \
            : "v"(b))
ALWAYS_INLINE vec vec_larger(vec a, vec b)
{
    VEC_PROPAGATING("vmaxp", a, b);
    return a;
}
ALWAYS_INLINE vec vec_smaller(vec a, vec b)
{
    VEC_PROPAGATING("vminp", a, b);
    return a;
}
#else
/* Each keeps the NaN of one side; else they are the same, and zeros of either sign are a zero. */
ALWAYS_INLINE vec vec_larger(vec a, vec b)
{
    return (vec)((vec_bits)vec_max(a, b) | (vec_bits)vec_max(b, a));
}
ALWAYS_INLINE vec vec_smaller(vec a, vec b)
{
    return (vec)((vec_bits)vec_min(a, b) | (vec_bits)vec_min(b, a));
}
#endif

/* x < 0 ? 0 : x of every lane, so that NaN and -0 pass: a NaN stays visible behind an activation.
 */
ALWAYS_INLINE vec vec_relu(vec v)
{
    return vec_max(vec_all(0), v);
}

/* Lanes [begin, end) of those that begin at p, not one byte more; the others load as 0. */
ALWAYS_INLINE vec vec_load_part(const real *p, long begin, long end)
{
#if VEC_BYTES == 64
    vec v;
    const uint16_t part = (uint16_t)((1u << end) - (1u << begin));
    __asm__("vmovup" VEC_SUFFIX " %2, %0%{%1%}%{z%}"
            : "=v"(v)
            : "Yk"(part), "m"(*(const real(*)[VLEN])p));
    return v;
#elif VEC_BYTES == 32
    static const real lane[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    const vec lanes = vec_load(lane);
    vec v, part = (vec)((lanes >= vec_all((real)begin)) & (lanes < vec_all((real)end)));
    __asm__("vmaskmovp" VEC_SUFFIX " %2, %1, %0"
            : "=x"(v)
            : "x"(part), "m"(*(const real(*)[VLEN])p));
    return v;
#else
    real lanes[VLEN] __attribute__((aligned(sizeof(vec)))) = {0};
    for (long i = begin; i < end; i++)
        lanes[i] = p[i];
    return *(const vec *)lanes;
#endif
}

/* The first `count` <= VLEN lanes from or to memory, not one byte more; the other lanes load as 0.
 */
ALWAYS_INLINE vec vec_load_first(const real *p, long count)
{
    return vec_load_part(p, 0, count);
}

/* Masked stores of 256 bits take AMD's cores 20 to 40 operations, pieces three. */
ALWAYS_INLINE void vec_store_first(real *p, vec v, long count)
{
#if VEC_BYTES == 64
    const uint16_t first = (uint16_t)((1u << count) - 1);
    __asm__("vmovup" VEC_SUFFIX " %2, %0%{%1%}" : "+m"(*(real(*)[VLEN])p) : "Yk"(first), "v"(v));
#else
    real lanes[VLEN] __attribute__((aligned(sizeof(vec))));
    *(vec *)lanes = v;
    long i = 0;
#define VEC_STORE_PIECE(piece)                                                                     \
    if (VLEN >= (piece) && (count & (piece))) {                                                    \
        memcpy(p + i, lanes + i, (piece) * sizeof *p);                                             \
        i += (piece);                                                                              \
    }
    VEC_STORE_PIECE(8)
    VEC_STORE_PIECE(4)
    VEC_STORE_PIECE(2)
    VEC_STORE_PIECE(1)
#undef VEC_STORE_PIECE
#endif
}

/* Whether vec_stream() is more than a plain store. */
#if defined(__x86_64__) && VEC_BYTES > 0
#define VEC_CAN_STREAM 1
#else
#define VEC_CAN_STREAM 0
#endif

/* Stores past the caches to an address that is a multiple of VEC_BYTES; a plain store where the ISA
 * has none. */
ALWAYS_INLINE void vec_stream(real *p, vec v)
{
#if defined(__clang__) && VLEN > 1
    __builtin_nontemporal_store(v, (vec *)p);
#elif VEC_BYTES == 16 && defined(__SSE2__)
    __asm__ volatile("movntps %1, %0" : "=m"(*(vec *)p) : "x"(v));
#elif VEC_BYTES >= 32
    __asm__ volatile("vmovntps %1, %0" : "=m"(*(vec *)p) : "v"(v));
#else
    *(vec *)p = v;
#endif
}

/* Orders streamed stores before what follows. */
ALWAYS_INLINE void vec_stream_fence(void)
{
#if defined(__x86_64__)
    __asm__ volatile("sfence" ::: "memory");
#endif
}

/* Makes a value opaque: the compiler may neither fold nor hoist what feeds it, and keeps it in a
 * register. */
#if defined(__aarch64__)
#define PIN(v) __asm__ volatile("" : "+w"(v))
#elif defined(__x86_64__)
#define PIN(v) __asm__ volatile("" : "+v"(v))
#else
#define PIN(v) __asm__ volatile("" : "+m"(v))
#endif
/* The same of a pointer or a whole number: it is not derived anew from others. */
#define PIN_WORD(v) __asm__ volatile("" : "+r"(v))

#endif
