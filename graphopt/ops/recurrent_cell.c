// recurrent_cell.c - cells of recurrent networks: activations and one step.
#include <math.h>
#include <strings.h>

#include "recurrent.h"

/* ---- activations ---- */

static double hard_sigmoid(double x, double alpha, double beta)
{
    return fmin(fmax(alpha * x + beta, 0), 1);
}

/* X(name, default alpha, default beta, whether alpha and beta are its own, step of kernel chain,
 * value): the functions and defaults of https://onnx.ai/onnx/operators/onnx__LSTM.html and of the
 * operators of these names. */
#define ACTIVATION_LIST(X)                                                                         \
    X(Relu, 0, 0, false, false, "relu", x < 0 ? 0 : x)                                             \
    X(Tanh, 0, 0, false, false, "tanh", tanh(x))                                                   \
    X(Sigmoid, 0, 0, false, false, "sigmoid", x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)))  \
    X(Affine, 1, 0, true, true, NULL, alpha *x + beta)                                             \
    X(LeakyRelu, 0.01, 0, true, false, NULL, x < 0 ? alpha * x : x)                                \
    X(ThresholdedRelu, 1, 0, true, false, NULL, x > alpha ? x : 0)                                 \
    X(ScaledTanh, 1, 1, true, true, NULL, alpha *tanh(beta *x))                                    \
    X(HardSigmoid, 0.2, 0.5, true, true, NULL, hard_sigmoid(x, alpha, beta))                       \
    X(Elu, 1, 0, true, false, NULL, x < 0 ? alpha * expm1(x) : x)                                  \
    X(Softsign, 0, 0, false, false, NULL, x / (1 + fabs(x)))                                       \
    X(Softplus, 0, 0, false, false, NULL, fmax(x, 0) + log1p(exp(-fabs(x))))

#define X(name, alpha_value, beta_value, has_alpha, has_beta, step, value)                         \
    static double name##_value(double x, double alpha, double beta)                                \
    {                                                                                              \
        (void)alpha, (void)beta;                                                                   \
        return value;                                                                              \
    }
ACTIVATION_LIST(X)
#undef X

static const struct known {
    const char *name;
    struct activation activation;
    bool has_alpha, has_beta;
} known[] = {
#define X(name, alpha_value, beta_value, has_alpha, has_beta, step, value)                         \
    {#name, {name##_value, alpha_value, beta_value, step}, has_alpha, has_beta},
    ACTIVATION_LIST(X)
#undef X
};

static const struct known *find(const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(known[i].name, name) == 0)
            return &known[i];
    return NULL;
}

int cell_gates(enum cell_kind kind)
{
    static const int gates[CELL_KINDS] = {[CELL_RNN] = 1, [CELL_GRU] = 3, [CELL_LSTM] = 4};
    return gates[kind];
}

int cell_activations(enum cell_kind kind)
{
    static const int activations[CELL_KINDS] = {[CELL_RNN] = 1, [CELL_GRU] = 2, [CELL_LSTM] = 3};
    return activations[kind];
}

/* The activation that stands at `slot` of all directions' when none are given. */
static const char *fallback_of(enum cell_kind kind, int slot)
{
    return kind == CELL_RNN || slot % cell_activations(kind) > 0 ? "Tanh" : "Sigmoid";
}

/* Constants are taken in the order of the functions that have them. */
int cell_read_activations(struct cell *cell, const struct node *node, int index,
                          struct error *error)
{
    const int count = cell_activations(cell->kind);
    const struct attribute *names = node_attribute(node, "activations");
    int alphas, betas, alpha = 0, beta = 0;
    const double *alpha_values = node_reals(node, "activation_alpha", &alphas);
    const double *beta_values = node_reals(node, "activation_beta", &betas);
    for (int slot = 0; slot < (index + 1) * count; slot++) {
        const bool is_given = names && names->kind == ATTRIBUTE_TEXTS && slot < names->count;
        const char *name = is_given ? names->texts[slot].bytes : fallback_of(cell->kind, slot);
        const struct known *of_name = find(name);
        if (!of_name)
            return error_set(error, FAULT_IO, "there is no activation '%.40s'", name);
        struct activation activation = of_name->activation;
        if (of_name->has_alpha && alpha < alphas)
            activation.alpha = alpha_values[alpha++];
        if (of_name->has_beta && beta < betas)
            activation.beta = beta_values[beta++];
        if (slot >= index * count)
            cell->activation[slot - index * count] = activation;
    }
    return OK;
}

/* ---- steps ---- */

static double activated(const struct cell *cell, int slot, double x)
{
    const struct activation *activation = &cell->activation[slot];
    return activation->function(x, activation->alpha, activation->beta);
}

/* Of what goes into a gate; the state of an LSTM is not cut, as in ONNX Runtime. */
static double gated(const struct cell *cell, int slot, double x)
{
    return activated(cell, slot, x > cell->clip ? cell->clip : x < -cell->clip ? -cell->clip : x);
}

static double dot(const double *a, const double *b, long count)
{
    double sum = 0;
    for (long i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Row `j` of all gates: from x, and from h. */
static double from_x(const struct cell *cell, const double *x, long j)
{
    return dot(cell->w + j * cell->inputs, x, cell->inputs) + (cell->bias_w ? cell->bias_w[j] : 0);
}

static double from_h(const struct cell *cell, const double *h, long j)
{
    return dot(cell->r + j * cell->hidden, h, cell->hidden) + (cell->bias_r ? cell->bias_r[j] : 0);
}

static void step_rnn(const struct cell *cell, const double *x, double *h, double *work)
{
    for (long j = 0; j < cell->hidden; j++)
        work[j] = gated(cell, 0, from_x(cell, x, j) + from_h(cell, h, j));
    for (long j = 0; j < cell->hidden; j++)
        h[j] = work[j];
}

/* work: z, r, h, and r * h as it goes into the last gate. */
static void step_gru(const struct cell *cell, const double *x, double *h, double *work)
{
    const long hidden = cell->hidden;
    double *z = work, *r = work + hidden, *candidate = work + 2 * hidden;
    double *reset = work + 3 * hidden;
    for (long j = 0; j < 2 * hidden; j++)
        work[j] = gated(cell, 0, from_x(cell, x, j) + from_h(cell, h, j));
    for (long j = 0; j < hidden; j++)
        reset[j] = r[j] * h[j];
    for (long j = 0; j < hidden; j++) {
        const long row = 2 * hidden + j;
        const double recurrent =
            cell->applies_reset_last ? r[j] * from_h(cell, h, row) : from_h(cell, reset, row);
        candidate[j] = gated(cell, 1, from_x(cell, x, row) + recurrent);
    }
    for (long j = 0; j < hidden; j++)
        h[j] = (1 - z[j]) * candidate[j] + z[j] * h[j];
}

static double peep(const struct cell *cell, int gate, long j, double c)
{
    return cell->peepholes ? cell->peepholes[gate * cell->hidden + j] * c : 0;
}

static void step_lstm(const struct cell *cell, const double *x, double *h, double *c, double *work)
{
    const long hidden = cell->hidden;
    for (long j = 0; j < 4 * hidden; j++)
        work[j] = from_x(cell, x, j) + from_h(cell, h, j);
    for (long j = 0; j < hidden; j++) {
        const double i = gated(cell, 0, work[j] + peep(cell, 0, j, c[j]));
        const double f = cell->couples_input_forget
                             ? 1 - i
                             : gated(cell, 0, work[2 * hidden + j] + peep(cell, 2, j, c[j]));
        c[j] = f * c[j] + i * gated(cell, 1, work[3 * hidden + j]);
        const double o = gated(cell, 0, work[hidden + j] + peep(cell, 1, j, c[j]));
        h[j] = o * activated(cell, 2, c[j]);
    }
}

void cell_step(const struct cell *cell, const double *x, double *h, double *c, double *work)
{
    switch (cell->kind) {
    case CELL_RNN:
        step_rnn(cell, x, h, work);
        break;
    case CELL_GRU:
        step_gru(cell, x, h, work);
        break;
    default:
        step_lstm(cell, x, h, c, work);
    }
}
