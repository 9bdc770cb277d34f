// along_axis.c - Softmax, LogSoftmax, Hardmax and LpNormalization: lines of an array, along one
// axis, each made into another.
#include "launches.h"
#include "normalized.h"

/* A line: `length` elements `pitch` apart. */
struct line {
    const struct array *x, *out;
    long first, pitch, length;
    long p; /* of the norm */
};

static double at(const struct line *line, long i)
{
    return array_real(line->x, line->first + i * line->pitch);
}

static void put(const struct line *line, long i, double value)
{
    array_put(line->out, line->first + i * line->pitch, value);
}

/* The first of the largest. */
static long largest(const struct line *line)
{
    long best = 0;
    for (long i = 1; i < line->length; i++)
        if (at(line, i) > at(line, best))
            best = i;
    return best;
}

static double sum_of_exponentials(const struct line *line, double maximum)
{
    double sum = 0;
    for (long i = 0; i < line->length; i++)
        sum += exp(at(line, i) - maximum);
    return sum;
}

static void softmax(const struct line *line)
{
    const double maximum = at(line, largest(line)), sum = sum_of_exponentials(line, maximum);
    for (long i = 0; i < line->length; i++)
        put(line, i, exp(at(line, i) - maximum) / sum);
}

static void log_softmax(const struct line *line)
{
    const double maximum = at(line, largest(line));
    const double shift = log(sum_of_exponentials(line, maximum));
    for (long i = 0; i < line->length; i++)
        put(line, i, at(line, i) - maximum - shift);
}

static void hardmax(const struct line *line)
{
    const long best = largest(line);
    for (long i = 0; i < line->length; i++)
        put(line, i, i == best);
}

/* A line of zeros stays one. */
static void divide_by_norm(const struct line *line)
{
    double norm = 0;
    for (long i = 0; i < line->length; i++)
        norm += line->p == 1 ? fabs(at(line, i)) : at(line, i) * at(line, i);
    norm = line->p == 1 ? norm : sqrt(norm);
    for (long i = 0; i < line->length; i++)
        put(line, i, norm == 0 ? 0 : at(line, i) / norm);
}

/* A member of the family. */
struct along {
    void (*change)(const struct line *line);
    double flops;       /* per element */
    bool is_coerced;    /* up to opset 12 the dims from the axis on are one line, and the axis is 1
                           where it is not given */
    const char *kernel; /* of rows; NULL: none */
};

static bool is_coerced(const struct site *site)
{
    return ((const struct along *)site->node->op->detail)->is_coerced && site->node->opset < 13;
}

/* Elements before, along and behind the axis; -1: unknown. */
static int cut(const struct site *site, long *outer, long *length, long *inner, struct error *error)
{
    const struct type x = site_type(site, 0);
    const bool is_matrix = is_coerced(site);
    const long given = node_integer(site->node, "axis", is_matrix ? 1 : -1);
    int axis = x.rank;
    /* Of a matrix all dims may be the rows. */
    if ((!is_matrix || given != x.rank) && axis_resolve(given, x.rank, &axis, error) != OK)
        return FAILED;
    *outer = type_product(&x, 0, axis);
    *length = type_product(&x, axis, is_matrix ? x.rank : axis + 1);
    *inner = type_product(&x, is_matrix ? x.rank : axis + 1, x.rank);
    return OK;
}

static int infer(struct site *site, struct error *error)
{
    const struct type x = site_type(site, 0);
    const long p = node_integer(site->node, "p", 2);
    long outer, length, inner;
    if (check_real(site, 0, error) != OK)
        return FAILED;
    if (p != 1 && p != 2)
        return error_set(error, FAULT_IO, "'p' is %ld; it may be 1 or 2", p);
    if (x.rank >= 0 && cut(site, &outer, &length, &inner, error) != OK)
        return FAILED;
    site->output[0].type = x;
    return OK;
}

static int evaluate(struct site *site, struct error *error)
{
    const struct along *along = site->node->op->detail;
    long outer, length, inner;
    if (cut(site, &outer, &length, &inner, error) != OK)
        return FAILED;
    for (long i = 0; i < outer * inner && length > 0; i++) {
        const struct line line = {.x = &site->input[0],
                                  .out = &site->output[0],
                                  .first = i / inner * length * inner + i % inner,
                                  .pitch = inner,
                                  .length = length,
                                  .p = node_integer(site->node, "p", 2)};
        along->change(&line);
    }
    return OK;
}

/* ---- the kernels ---- */

/* What a launch takes from an operand to another. */
struct plan {
    const struct site *site;
    struct lowering *lowering;
    enum dtype dtype;
    struct error *error;
};

static int add_rows(const struct plan *plan, const char *kernel, long rows, long columns,
                    struct launch_operand from, struct launch_operand to)
{
    struct launch *launch =
        launches_add(plan->site, plan->lowering, kernel, plan->dtype, plan->error);
    if (!launch)
        return FAILED;
    launch_letter(launch, "rows", rows);
    launch_letter(launch, "columns", columns);
    launch->operand[0] = to;
    launch->operand[1] = from;
    return OK;
}

/* So many matrices, each with its rows as columns. */
static int add_turn(const struct plan *plan, long matrices, long rows, long columns,
                    struct launch_operand from, struct launch_operand to)
{
    return launches_transpose(plan->site, plan->lowering,
                              (const long[]){1, matrices, rows, columns}, "0132", from, to,
                              plan->dtype, plan->error);
}

/* Lines of elements that are apart, turned so that they are neighbours, and turned back. The
 * output has them in between; the kernel itself needs another array than that. */
static int lower_apart(const struct plan *plan, const char *kernel, long outer, long length,
                       long inner)
{
    const struct launch_operand made =
        launches_scratch(plan->lowering, outer * length * inner, plan->dtype);
    int result = add_turn(plan, outer, length, inner, of_input(0), of_output(0));
    if (result == OK)
        result = add_rows(plan, kernel, outer * inner, length, of_output(0), made);
    return result == OK ? add_turn(plan, outer, inner, length, made, of_output(0)) : result;
}

static int lower(const struct site *site, struct lowering *lowering, struct error *error)
{
    const struct along *along = site->node->op->detail;
    struct plan plan = {.site = site, .lowering = lowering, .error = error};
    long outer, length, inner;
    if (!along->kernel)
        return error_skip(error, "no kernel computes it");
    if (element_dtype(site->input[0].type.element, &plan.dtype, error) != OK)
        return SKIPPED;
    if (cut(site, &outer, &length, &inner, error) != OK)
        return FAILED;
    /* Of one element, or of none at all, they need no turning. */
    if (inner > 1 && length > 1 && outer > 0)
        return lower_apart(&plan, along->kernel, outer, length, inner);
    return add_rows(&plan, along->kernel, outer * inner, length, of_input(0), of_output(0));
}

static double flops(const struct site *site)
{
    const struct type x = site_type(site, 0);
    return ((const struct along *)site->node->op->detail)->flops * (double)type_elements(&x);
}

static const struct attribute_rule axis_attributes[] = {{"axis", ATTRIBUTE_INT, false}, {0}};
static const struct attribute_rule norm_attributes[] = {
    {"axis", ATTRIBUTE_INT, false}, {"p", ATTRIBUTE_INT, false}, {0}};

#define MEMBER(member, function, work, coerced, kernel_name, rules, formula)                       \
    static const struct along member##_along = {function, work, coerced, kernel_name};             \
    const struct op onnx_##member##_op = {                                                         \
        .domain = "",                                                                              \
        .name = #member,                                                                           \
        .summary = formula,                                                                        \
        .inputs_min = 1,                                                                           \
        .inputs_max = 1,                                                                           \
        .outputs_min = 1,                                                                          \
        .outputs_max = 1,                                                                          \
        .attributes = rules,                                                                       \
        .infer = infer,                                                                            \
        .evaluate = evaluate,                                                                      \
        .lower = lower,                                                                            \
        .flops = flops,                                                                            \
        .detail = &member##_along,                                                                 \
    };

MEMBER(Softmax, softmax, 5, true, "softmax", axis_attributes,
       "y = exp(x - maximum) / sum of exp(x - maximum), along an axis")
MEMBER(LogSoftmax, log_softmax, 5, true, "log_softmax", axis_attributes,
       "y = x - maximum - log(sum of exp(x - maximum)), along an axis")
MEMBER(Hardmax, hardmax, 1, true, NULL, axis_attributes,
       "1 for the first maximum along an axis, else 0")
MEMBER(LpNormalization, divide_by_norm, 3, false, NULL, norm_attributes,
       "y = x / norm of x along an axis")
