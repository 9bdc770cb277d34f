// recurrent.h - what LSTM, GRU and RNN are about: sizes, activations, and one step of their cells
// in double.
#ifndef ROOFLINE_RECURRENT_H
#define ROOFLINE_RECURRENT_H

#include "op.h"

enum cell_kind { CELL_RNN, CELL_GRU, CELL_LSTM, CELL_KINDS };

enum { CELL_ACTIVATIONS_MAX = 3, CELL_GATES_MAX = 4 };

enum recurrent_input {
    INPUT_X,
    INPUT_W,
    INPUT_R,
    INPUT_B,
    INPUT_LENGTHS,
    INPUT_H,
    INPUT_C,
    INPUT_P
};
enum recurrent_output { OUTPUT_Y, OUTPUT_H, OUTPUT_C };

/* Sizes; -1: unknown. */
struct recurrent {
    enum cell_kind kind;
    long steps, batch, inputs, hidden, directions;
    int steps_symbol, batch_symbol;
    bool is_batch_first;
};

/* FAULT_IO for a direction that ONNX does not have, or no hidden state. */
int recurrent_read(const struct site *site, struct recurrent *sizes, struct error *error);

/* Whether direction `index` goes from the last step to the first. */
bool recurrent_is_reverse(const struct node *node, int index);

/* As struct op has it. */
int recurrent_lower(const struct site *site, struct lowering *lowering, struct error *error);

struct activation {
    double (*function)(double x, double alpha, double beta);
    double alpha, beta;
    const char *step; /* of kernel chain that does the same; NULL: none */
};

/* What all steps of one direction share. Matrices are row-major, gates one behind the other in
 * ONNX's order: i (RNN); z r h (GRU); i o f c (LSTM). */
struct cell {
    enum cell_kind kind;
    long inputs, hidden;
    const double *w;         /* gates * hidden x inputs */
    const double *r;         /* gates * hidden x hidden */
    const double *bias_w;    /* gates * hidden; NULL: 0 */
    const double *bias_r;    /* likewise */
    const double *peepholes; /* LSTM: i o f, each of `hidden`; NULL: 0 */
    struct activation activation[CELL_ACTIVATIONS_MAX];
    double clip; /* what goes into gates is cut to [-clip, clip]; INFINITY: it is not */
    bool couples_input_forget, applies_reset_last;
};

/* Gates and activations of a kind. */
int cell_gates(enum cell_kind kind);
int cell_activations(enum cell_kind kind);

/* Activations of direction `index` from the node's attributes, or the kind's own. FAULT_IO names
 * one that ONNX does not have. */
int cell_read_activations(struct cell *cell, const struct node *node, int index,
                          struct error *error);

/* One step: h and c (of an LSTM) become those after x. `work`: (gates + 1) * hidden doubles. */
void cell_step(const struct cell *cell, const double *x, double *h, double *c, double *work);

#endif
