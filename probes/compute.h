// compute.h - register-only loops of the arithmetic ceilings, as the ISA objects offer them.
#ifndef ROOFLINE_COMPUTE_H
#define ROOFLINE_COMPUTE_H

#include <stdbool.h>

/* One loop: `run` does `iterations` passes of `flops` FLOP each. */
struct compute_loop {
    const char *mix;  /* fma, mul+add, add, fma+add */
    const char *form; /* chains and operations of one pass, for the row's source */
    int flops;
    double multiplying_rel; /* FMA and MUL among all instructions */
    bool needs_fma;
    void (*run)(long iterations);
};

/* The loops of one ISA and format end with a NULL mix. Several forms of one mix are candidates: the
 * fastest on the machine at hand is its ceiling, because which chains and order fill the ports
 * differs between cores. */
#define COMPUTE_LOOPS_DECLARE(dtype, isa)                                                          \
    extern const struct compute_loop compute_loops_##dtype##_##isa[];

#endif
