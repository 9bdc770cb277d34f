// direct_tile.h - the register tile of direct convolution: output pixels x vectors of output
// channels, summed over taps and input channels.
#ifndef ROOFLINE_DIRECT_TILE_H
#define ROOFLINE_DIRECT_TILE_H

/* The pixels of a tile are two runs of neighbours in rows, as images are as narrow as 7 pixels and
 * the run of a narrow one goes with that of the next row. 6 pixels x 4 vectors of sums, the vectors
 * of weights and an input element take 29 of 32 registers, 6 x 2 take 15 of 16; few loads per FMA
 * matter more than more sums: 14 x 2 was 7 % slower. */
enum { RUN_PIXELS = 3, TILE_RUNS = 2 };
#define TILE_VECTORS_OF(registers) ((registers) >= 32 ? 4 : 2)

#ifdef ISA

#include "steps_apply.h"
#include "vec.h"

enum { TILE_VECTORS = TILE_VECTORS_OF(VEC_REGISTERS), PANEL = TILE_VECTORS * VLEN };

/* What all tiles of a block of a panel have in common. */
struct sums {
    const real *weights;
    const long *tap;
    long taps, tap_step;             /* of the taps, those that begin */
    long pieces, piece_step, length; /* `pieces` stretches of `length` input elements */
    long in_pitch, out_pitch;        /* between the pixels of a run */
    long out_at[TILE_VECTORS];       /* where the vectors of a pixel are */
    bool accumulate;
    /* Steps of which the simple ones at the beginning are applied to the tile before it is stored,
     * or NULL; the channel of the first vector, and the output. */
    const struct step *steps;
    long channel;
    const real *output;
    long ahead_bytes; /* fetched of the next block per four steps */
    bool far;         /* the output is, so that its lines are asked for before they are due */
};

/* Where the runs of one tile are, and what is to be fetched meanwhile. */
struct place {
    const real *in[TILE_RUNS];
    real *out[TILE_RUNS];
    const char *ahead;
};

/* One input channel of one tap. */
ALWAYS_INLINE void sum_step(const int pixels, const int runs, const int vectors,
                            const real *const in[TILE_RUNS], long pitch, const real *weights,
                            vec sum[TILE_RUNS][RUN_PIXELS][TILE_VECTORS])
{
    vec weight[TILE_VECTORS];
    UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++) {
        weight[j] = vec_load(weights + j * VLEN);
        PIN(weight[j]); /* else GCC folds the load into every use */
    }
    UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++)
        UNROLL(RUN_PIXELS)
    for (int i = 0; i < pixels; i++) {
        vec x = vec_all(in[run][i * pitch]);
        UNROLL(TILE_VECTORS)
        for (int j = 0; j < vectors; j++)
            sum[run][i][j] += x * weight[j];
    }
}

/* The sums, behind those of the blocks before, and with the steps, into the output. */
ALWAYS_INLINE void finish_sums(const int pixels, const int runs, const int vectors,
                               const struct sums *sums, const struct place *place,
                               vec sum[TILE_RUNS][RUN_PIXELS][TILE_VECTORS])
{
    if (sums->accumulate)
        UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++)
        UNROLL(RUN_PIXELS)
    for (int i = 0; i < pixels; i++)
        UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++)
        sum[run][i][j] += vec_load(place->out[run] + i * sums->out_pitch + sums->out_at[j]);
    if (sums->steps)
        UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++)
        steps_apply_tile(
            sums->steps, sum[run][0], pixels, vectors, TILE_VECTORS,
            (struct step_place){0, sums->channel, place->out[run] - sums->output + sums->out_at[0]},
            sums->out_pitch, vectors > 1 ? sums->out_at[1] - sums->out_at[0] : VLEN);
    UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++)
        UNROLL(RUN_PIXELS)
    for (int i = 0; i < pixels; i++)
        UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++)
        vec_store(place->out[run] + i * sums->out_pitch + sums->out_at[j], sum[run][i][j]);
}

/* `runs` runs of `pixels` pixels, constants where this is inlined. */
ALWAYS_INLINE void sum_tile(const int pixels, const int runs, const int vectors,
                            const struct sums *sums, const struct place *place)
{
    vec sum[TILE_RUNS][RUN_PIXELS][TILE_VECTORS];
    UNROLL(TILE_RUNS)
    for (int run = 0; run < runs; run++)
        UNROLL(RUN_PIXELS)
    for (int i = 0; i < pixels; i++)
        UNROLL(TILE_VECTORS)
    for (int j = 0; j < vectors; j++)
        sum[run][i][j] = vec_all(0);
    const real *weights = sums->weights;
    const char *ahead = place->ahead;
    enum { STEPS = 4 };
    int asked = sums->far ? 0 : pixels * runs;
    for (long tap = 0; tap < sums->taps; tap += sums->tap_step)
        for (long piece = 0; piece < sums->pieces; piece++) {
            const long offset = sums->tap[tap] + piece * sums->piece_step;
            const real *in[TILE_RUNS] = {place->in[0] + offset, place->in[runs - 1] + offset};
            long rest = sums->length;
            for (; rest >= STEPS; rest -= STEPS) {
                if (asked < pixels * runs) { /* a pixel at a time: all would delay the loads */
                    const real *out = place->out[asked / pixels] + asked % pixels * sums->out_pitch;
                    UNROLL(TILE_VECTORS)
                    for (int j = 0; j < vectors; j++)
                        __builtin_prefetch(out + sums->out_at[j], 1);
                    asked++;
                }
                __builtin_prefetch(ahead, 0, 2);
                ahead += sums->ahead_bytes;
                UNROLL(STEPS)
                for (int step = 0; step < STEPS; step++) {
                    sum_step(pixels, runs, vectors, in, sums->in_pitch, weights, sum);
                    in[0]++, in[1]++, weights += vectors * VLEN;
                }
            }
            for (; rest > 0; rest--) {
                sum_step(pixels, runs, vectors, in, sums->in_pitch, weights, sum);
                in[0]++, in[1]++, weights += vectors * VLEN;
            }
        }
    finish_sums(pixels, runs, vectors, sums, place, sum);
}

/* A function for each number of pixels, runs and vectors. */
#define TILE(pixels, runs, vectors)                                                                \
    static void tile_##pixels##_##runs##_##vectors(const struct sums *sums,                        \
                                                   const struct place *place)                      \
    {                                                                                              \
        sum_tile(pixels, runs, vectors, sums, place);                                              \
    }
#if TILE_VECTORS_OF(VEC_REGISTERS) == 4
#define EACH_WIDTH(X, pixels, runs)                                                                \
    X(pixels, runs, 1) X(pixels, runs, 2) X(pixels, runs, 3) X(pixels, runs, 4)
#else
#define EACH_WIDTH(X, pixels, runs) X(pixels, runs, 1) X(pixels, runs, 2)
#endif
#define TILE_NAME(pixels, runs, vectors) tile_##pixels##_##runs##_##vectors,
#define TILES(pixels) EACH_WIDTH(TILE, pixels, 1) EACH_WIDTH(TILE, pixels, 2)
#define TILE_NAMES(pixels) {{EACH_WIDTH(TILE_NAME, pixels, 1)}, {EACH_WIDTH(TILE_NAME, pixels, 2)}},
TILES(1)
TILES(2) TILES(3) typedef void tile_function(const struct sums *sums, const struct place *place);
static tile_function *const tiles[RUN_PIXELS][TILE_RUNS][TILE_VECTORS] = {
    TILE_NAMES(1) TILE_NAMES(2) TILE_NAMES(3)};

#endif
#endif
