// twister.c - MT19937 by the recurrence of its paper, doi:10.1145/272991.272995; seeding by the
// linear recurrence of the authors' revision of 2002.
#include "twister.h"

#include <math.h>

enum { SHIFT_WORDS = 397 };

void twister_seed(struct twister *twister, uint32_t seed)
{
    *twister = (struct twister){.used = TWISTER_WORDS};
    for (int i = 0; i < TWISTER_WORDS; i++) {
        twister->word[i] = seed;
        seed = 1812433253u * (seed ^ seed >> 30) + (uint32_t)i + 1;
    }
}

static void twist(struct twister *twister)
{
    uint32_t *word = twister->word;
    for (int i = 0; i < TWISTER_WORDS; i++) {
        const uint32_t joined =
            (word[i] & 0x80000000u) | (word[(i + 1) % TWISTER_WORDS] & 0x7fffffffu);
        word[i] =
            word[(i + SHIFT_WORDS) % TWISTER_WORDS] ^ joined >> 1 ^ (joined & 1 ? 0x9908b0dfu : 0);
    }
    twister->used = 0;
}

static uint32_t next_word(struct twister *twister)
{
    if (twister->used == TWISTER_WORDS)
        twist(twister);
    uint32_t y = twister->word[twister->used++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

double twister_uniform(struct twister *twister)
{
    const uint32_t high = next_word(twister) >> 5, low = next_word(twister) >> 6;
    return (high * 0x1p26 + low) * 0x1p-53;
}

/* Marsaglia's polar method, doi:10.1137/1006063. */
double twister_normal(struct twister *twister)
{
    if (twister->has_normal) {
        twister->has_normal = false;
        return twister->normal;
    }
    double x, y, square;
    do {
        x = 2 * twister_uniform(twister) - 1;
        y = 2 * twister_uniform(twister) - 1;
        square = x * x + y * y;
    } while (square >= 1 || square == 0);
    const double factor = sqrt(-2 * log(square) / square);
    twister->has_normal = true;
    twister->normal = factor * x;
    return factor * y;
}
