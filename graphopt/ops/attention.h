// attention.h - what one Attention node computes: sizes, and which key a query sees.
#ifndef ROOFLINE_ATTENTION_H
#define ROOFLINE_ATTENTION_H

#include "op.h"

enum {
    ATTENTION_Q,
    ATTENTION_K,
    ATTENTION_V,
    ATTENTION_MASK,
    ATTENTION_PAST_KEY,
    ATTENTION_PAST_VALUE,
    ATTENTION_LENGTHS,
};
enum { ATTENTION_Y, ATTENTION_PRESENT_KEY, ATTENTION_PRESENT_VALUE, ATTENTION_SCORES };

/* -1: unknown. */
struct attention {
    bool is_flat; /* inputs [batch, length, heads * size] instead of [batch, heads, length, size] */
    long batch, q_heads, kv_heads, queries, size, value_size;
    long incoming, past, keys; /* keys = past + incoming */
    int batch_symbol, queries_symbol;
};

/* FAULT_IO where inputs or attributes contradict each other. */
int attention_read(const struct site *site, struct attention *attention, struct error *error);

/* What is added to the score of a query and a key, from mask, causality, window and lengths:
 * -INFINITY where the query does not see it. All inputs that it depends on have values. */
struct bias {
    const struct array *mask, *lengths;
    long mask_stride[4], mask_keys; /* keys that the mask has */
    bool is_causal;
    long left, right; /* of the window; -1: no end */
    long queries, past;
};
struct bias attention_bias(const struct site *site, const struct attention *attention);
double bias_at(const struct bias *bias, long batch, long head, long query, long key);

double attention_scale(const struct site *site, const struct attention *attention);

int attention_lower(const struct site *site, struct lowering *lowering, struct error *error);

#endif
