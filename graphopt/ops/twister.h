// twister.h - random numbers: MT19937, doi:10.1145/272991.272995, and reals from it as
// numpy.random.RandomState makes them, so that a seed gives what ONNX's own tests expect.
#ifndef ROOFLINE_TWISTER_H
#define ROOFLINE_TWISTER_H

#include <stdbool.h>
#include <stdint.h>

enum { TWISTER_WORDS = 624 };

struct twister {
    uint32_t word[TWISTER_WORDS];
    int used;
    bool has_normal; /* normal ones come in pairs */
    double normal;
};

void twister_seed(struct twister *twister, uint32_t seed);

/* Uniform in [0, 1), with 53 bits. */
double twister_uniform(struct twister *twister);

/* Normal with mean 0 and deviation 1. */
double twister_normal(struct twister *twister);

#endif
