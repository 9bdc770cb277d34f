// op.h - what an operator is: how its outputs' types follow from its inputs, how to compute it in
// plain loops, and which kernel runs it.
//
// A file of ops/ defines one operator or a family of them, each as `const struct op DOMAIN_Name_op`
// (onnx_Conv_op), and ops.def has a line for each.
#ifndef ROOFLINE_OP_H
#define ROOFLINE_OP_H

#include "graph.h"
#include "kernel.h"

/* One use of an operator, with what is known about its operands: in a graph before it runs, or on
 * arrays. Borrowed for the duration of a call. */
struct site {
    const struct graph *graph; /* for messages and symbols; NULL: none */
    const struct node *node;   /* attributes, opset, which inputs there are */
    /* node->input_count; absent: ELEMENT_NONE and rank -1. `data` NULL: the value is not known yet.
     * Inputs are not to be written to. */
    const struct array *input;
    /* node->output_count. Inference fills in the types; for evaluation the types are complete, and
     * the data may hold anything. */
    struct array *output;
    struct arena *arena; /* for what the operator allocates; lives as long as its outputs */
    bool is_apart;       /* each operand has memory of its own: no lowering may share it */
    /* Elements from one row along the last dim of output 0 to the next that would leave room for
     * the other inputs of a Concat; 0: rows are side by side. */
    long output_pitch;
    const bool *is_placed; /* by input: it stands in output 0 like that already; NULL: none does */
};

/* An operand of a launch: which array the kernel gets. */
enum operand_source {
    SOURCE_INPUT,    /* input `index` of the node */
    SOURCE_OUTPUT,   /* output `index` of the node */
    SOURCE_CONSTANT, /* `constant`: made by lower() from constant inputs, such as int32_t indices
                        from int64_t, or weights in another order */
    SOURCE_SCRATCH,  /* memory between two launches of the node, `offset_bytes` into it */
};

struct launch_operand {
    enum operand_source source;
    int index;
    size_t offset_bytes;  /* behind the array's begin */
    const void *constant; /* of site->arena, or an input's data */
};

/* One kernel call. */
struct launch {
    const struct kernel *kernel;
    const char *variant; /* NULL: the executor chooses */
    struct shape shape;
    enum dtype dtype;
    struct launch_operand operand[KERNEL_OPERANDS_MAX]; /* in the kernel's order */
};

/* How a node runs through kernels/: its launches, one after the other. FLOPs and bytes of a node
 * are the sum of its kernels' models over them. */
struct lowering {
    struct launch *launch; /* of site->arena */
    int launch_count;
    size_t scratch_bytes;
    /* Puts into the scratch what the launches need and only values tell that come with the run
     * (which row an index means): one member calls it before them, each time. FAULT_IO where these
     * cannot be (an index out of range); NULL: there is nothing. `site` has all inputs' data. */
    int (*look_up)(struct site *site, void *scratch, struct error *error);
    /* What no launch moves, because it shares memory, of site->arena. NULL: nothing.
     * By input: at which byte of output 0 its producer writes it; -1: it has memory of its own. */
    long *input_at;
    /* By output: from which byte on it is input 0. */
    long *output_at;
    bool is_pitched; /* output 0 is written with site->output_pitch */
};

enum op_flags {
    OP_RANDOM = 1,  /* two runs give two results: never folded, never merged */
    OP_MOVES = 2,   /* only moves data: no arithmetic, values arrive unchanged */
    OP_VIEW = 4,    /* output 0 has the elements of input 0 in the same order (Reshape, Identity) */
    OP_UNARY = 8,   /* element i of the output comes from element i of input 0 alone */
    OP_BINARY = 16, /* element by element from two inputs with ONNX's broadcasting */
    OP_COMMUTES = 32, /* a binary one whose operands may be swapped */
    OP_TYPES = 128,   /* its value follows from its inputs' types alone (Shape, Size) */
    OP_CONTROL = 64,  /* has subgraphs that the executor runs; no evaluate() */
};

enum { OP_VARIADIC = 1 << 20 };

/* An attribute that the operator has. */
struct attribute_rule {
    const char *name;
    enum attribute_kind kind;
    bool is_required;
};

struct op {
    const char *domain; /* "" for ONNX's own */
    const char *name;
    const char *summary;        /* what it computes, for people */
    int flags;                  /* of enum op_flags */
    int since;                  /* first opset; 0: always. Earlier nodes are opaque */
    int inputs_min, inputs_max; /* OP_VARIADIC: any number */
    int outputs_min, outputs_max;
    const struct attribute_rule *attributes; /* ends with a NULL name; NULL: it has none */
    /* What is above has been checked before any of these is called.
     *
     * Fills in site->output[].type as far as it is known from input types, attributes and known
     * input values, by the rules of node->opset; they are UNKNOWN_TYPE before. Everything unknown
     * in an input is no error. FAULT_IO for inputs that cannot be (ranks, dims, elements); the
     * caller puts the node's label in front of the words. With complete types and values of all
     * inputs the outputs' are complete, unless they depend on the data. */
    int (*infer)(struct site *site, struct error *error);
    /* Plain loops over arrays of any element that ONNX allows (SKIPPED with the element where not),
     * accumulated in double: for folding, as reference, and where no kernel fits. An output whose
     * dims depend on the data is still incomplete: set its type, then site_output(). NULL: cannot
     * be evaluated. */
    int (*evaluate)(struct site *site, struct error *error);
    /* Fills in the lowering; all types are complete, constants have data. SKIPPED with a reason
     * where no kernel fits (whole numbers, odd broadcasts), then evaluate() runs. NULL: always
     * evaluated. */
    int (*lower)(const struct site *site, struct lowering *lowering, struct error *error);
    /* FLOP of one evaluation, where it does arithmetic; NULL: 0. Not used where it is lowered. */
    double (*flops)(const struct site *site);
    /* For operators that ONNX does not have (domain roofline): adds to `body` nodes of ONNX's own
     * operators that compute the same, and an output for each of the node's. `body` has the
     * graph's opsets and one input of the type known for each input of the node, those that are
     * absent too (body->block[0]->inputs[i]); constants that it needs besides are of its own, and
     * each output is made by a node. So a
     * graph with such nodes can be written as a file that others run, and evaluate() be checked.
     * NULL: cannot be said so. */
    int (*expand)(const struct site *site, struct graph *body, struct error *error);
    const void *detail; /* what the file of a family keeps about each member */
};

/* All operators, NULL-ended, in the order of ops.def. */
extern const struct op *const ops[];

/* NULL when there is none of that name, or none at that opset. */
const struct op *op_find(const char *domain, const char *name, int opset);

/* ---- a node of a graph as a site ---- */

/* Fills in inputs and outputs of the node from the graph's tensors; outputs' types are what the
 * graph knows. Arrays are of the arena. */
int site_open(struct site *site, const struct graph *graph, const struct node *node,
              struct arena *arena, struct error *error);

/* Checks that the node has the operands and attributes that its operator expects, infers the types
 * of the outputs, from UNKNOWN_TYPE, and checks them (type_check()). Of an opaque node nothing is
 * known. Words begin with the node's label. */
int site_infer(struct site *site, struct error *error);

/* Infers, allocates the outputs from the site's arena and evaluates; every input that is there must
 * have data. SKIPPED where it cannot be evaluated, or where outputs would take more than
 * `most_bytes`. Words begin with the node's label. */
int site_evaluate(struct site *site, size_t most_bytes, struct error *error);

/* The kernel calls; SKIPPED with a reason where there are none, or where the kernel does not take
 * the shape. Words begin with the node's label. */
int site_lower(const struct site *site, struct lowering *lowering, struct error *error);

/* FLOP of the node, by its launches (lowering NULL: by its evaluation), and the bytes that they
 * move at least (evaluated: all inputs and outputs once). */
double site_flops(const struct site *site, const struct lowering *lowering);
double site_bytes(const struct site *site, const struct lowering *lowering);

/* ---- for the files of ops/ ---- */

/* Input `i`; NULL where it is absent. */
const struct array *site_input(const struct site *site, int i);

/* Type of input i; UNKNOWN_TYPE where it is absent. */
struct type site_type(const struct site *site, int i);

/* FAILED where an input is absent, of an operator none of whose inputs may be. */
int site_needs_all(const struct site *site, struct error *error);

/* The values of a whole input (i32, i64) as longs, of the arena. OK with *values NULL where the
 * input is absent or not known; FAULT_IO where it is of another element or has more than one
 * dimension. */
int site_integers(const struct site *site, int i, const long **values, int *count,
                  struct error *error);

/* From the attribute of that name where the node has it, else from input i (i < 0: no input). */
int site_integers_either(const struct site *site, const char *attribute, int i, const long **values,
                         int *count, struct error *error);

/* The first value of input i as a double, or the fallback where it is absent. OK, or SKIPPED where
 * it is not known. */
int site_real(const struct site *site, int i, double fallback, double *value, struct error *error);

/* Allocates output `i`, whose type has just been completed by evaluate(). */
int site_output(struct site *site, int i, struct error *error);

/* `axis` counted from the end where it is negative; FAULT_IO where it is not in [-rank, rank). */
int axis_resolve(long axis, int rank, int *resolved, struct error *error);

/* ONNX's broadcasting of two types to a third; the element is a's. FAULT_IO where dims differ and
 * none is 1. */
int type_broadcast(const struct type *a, const struct type *b, struct type *out,
                   struct error *error);

/* How far apart in an array of type `from` neighbours along each dim of `to` are: 0 where it is
 * broadcast. Both complete. */
void broadcast_strides(const struct type *from, const struct type *to, long strides[RANK_MAX]);

/* Moves `at` to the next place in row-major order; false after the last one, when it is at the
 * first again. */
bool place_next(const struct type *type, long at[RANK_MAX]);

/* Where the element of that place is in an array with these strides. */
long place_offset(int rank, const long *strides, const long *at);

/* A lowering of one launch with the kernel's default letters; then set letters by launch_letter(),
 * and the operands in the kernel's order. */
int lowering_start(const struct site *site, struct lowering *lowering, const char *kernel,
                   enum dtype dtype, struct error *error);
void launch_letter(struct launch *launch, const char *letter, long value);

/* f32 and f64 as a kernel's dtype; SKIPPED for other elements. */
int element_dtype(enum element element, enum dtype *dtype, struct error *error);

#endif
