// graph.h - an operator graph: tensors and nodes by id, in an order of execution, and how to edit
// it.
//
// Tensors, nodes and blocks are numbered from 0 by graph->tensor[id], graph->node[id] and
// graph->block[id]; an id stays valid, and so does the pointer behind it, until graph_free(). What
// is removed is marked dead and stays where it was. Block 0 is the graph itself; the others are
// subgraphs of nodes such as If, which may use all tensors of the blocks around them by id: a
// tensor that is used inside a subgraph counts as used.
//
// Everything of a graph lives in its arena. Functions that return an id return -1 with the error
// set when they fail, which is FAULT_ENVIRONMENT (out of memory) where nothing else is said.
#ifndef ROOFLINE_GRAPH_H
#define ROOFLINE_GRAPH_H

#include <stdbool.h>

#include "arena.h"
#include "element.h"
#include "error.h"

/* Models that exist have up to 9. */
enum { RANK_MAX = 10 };

/* Elements of one tensor at most: products with an element's bytes stay within a long. */
#define ELEMENTS_MAX (1L << 48)

/* What is known of a tensor without its values. UNKNOWN_TYPE for nothing. */
struct type {
    enum element element; /* ELEMENT_NONE: unknown */
    int rank;             /* -1: unknown, and so are the dims */
    long dims[RANK_MAX];  /* -1: unknown */
    int symbol[RANK_MAX]; /* index + 1 into graph->symbol of an unknown dim that has a name, else 0:
                             dims of equal symbols are equal */
};
#define UNKNOWN_TYPE ((struct type){.element = ELEMENT_NONE, .rank = -1})

/* A dense array in row-major order. */
struct array {
    struct type type;
    void *data; /* element_bytes() of all elements; owner and lifetime are said where it is used */
};

/* A name of dims, "batch". */
struct symbol {
    const char *name;
    long value; /* -1: not bound */
};

/* One place where a tensor is used. */
struct use {
    int node; /* id; an output of block b: -1 - b */
    int slot; /* of the node's inputs or the block's outputs */
};

struct tensor {
    const char *name; /* unique within the graph, never empty */
    struct type type;
    /* Its value where that is known before the graph runs, else NULL: of a constant, or of a small
     * result that inference computed (producer >= 0). Borrowed: from the arena, from the file that
     * the graph holds, or from the graph that this one was copied from. Not to be written to. */
    const void *data;
    int block;           /* where it is made; constants: 0 */
    int producer;        /* node; -1: a constant or an input */
    int slot;            /* of the producer's outputs; of an input: of the block's inputs */
    bool is_input;       /* of its block */
    bool is_overridable; /* an input that has a value too, which whoever runs the graph may replace:
                            `data` is NULL and `fallback` is the value */
    const void *fallback;
    bool is_dead;
    struct use *uses; /* in no particular order */
    int use_count, use_capacity;
};

enum attribute_kind {
    ATTRIBUTE_INT,
    ATTRIBUTE_REAL,
    ATTRIBUTE_TEXT,
    ATTRIBUTE_TENSOR,
    ATTRIBUTE_BLOCK,
    ATTRIBUTE_INTS,
    ATTRIBUTE_REALS,
    ATTRIBUTE_TEXTS,
    ATTRIBUTE_OTHER, /* what is not kept, such as lists of tensors: its node is opaque */
};

/* All pointers are of the graph's arena or of its file. Reals have the values of floats, as in
 * ONNX. */
struct attribute {
    const char *name;
    enum attribute_kind kind;
    long count; /* of the lists */
    union {
        long integer;
        double real;
        struct text text;
        const struct array *tensor;
        int block;
        const long *integers;
        const double *reals;
        const struct text *texts;
    };
};

struct op;

struct node {
    const struct op *op;        /* NULL: opaque, an operator that this program does not know */
    const char *type;           /* "Conv" */
    const char *domain;         /* "" is ONNX's own, never "ai.onnx" */
    const char *name;           /* may be empty */
    int opset;                  /* version of the domain whose rules hold for it */
    int *inputs, input_count;   /* tensors; -1: an optional one that is absent */
    int *outputs, output_count; /* tensors; -1: not wanted */
    struct attribute *attributes;
    int attribute_count;
    int block;
    int previous, next; /* in the block's order of execution; -1: none */
    bool is_dead;
};

struct block {
    const char *name;
    int owner;       /* node that it is an attribute of; -1: block 0 */
    int first, last; /* node; -1: none */
    int *inputs, input_count;
    int *outputs, output_count;
    bool is_dead;
};

struct opset {
    const char *domain;
    int version;
};

struct graph {
    struct arena arena;
    const char *name;
    int ir_version; /* of the ONNX file, else that of the newest features in use */
    struct opset *opset;
    int opset_count;
    struct symbol *symbol;
    int symbol_count;
    struct tensor **tensor;
    int tensor_count;
    struct node **node;
    int node_count;
    struct block **block;
    int block_count;
    struct graph_names *names;     /* owned: which tensor has a name */
    struct graph_holding *holding; /* owned; NULL: none. What constants are borrowed from */
};

/* ---- life ---- */

/* An empty graph with block 0; graph_free() also after a failure. */
int graph_init(struct graph *graph, const char *name, struct error *error);
void graph_free(struct graph *graph);

/* Initialises `graph` as a copy of `from` with the same ids. Values are borrowed: `from` must live
 * longer. */
int graph_copy(struct graph *graph, const struct graph *from, struct error *error);

/* ---- asking ---- */

/* The tensor of that name; -1. */
int graph_find(const struct graph *graph, const char *name);

/* Version of the domain; 0: the graph does not import it. */
int graph_opset(const struct graph *graph, const char *domain);

/* Nodes of all blocks that are not dead. */
int graph_live_nodes(const struct graph *graph);

/* Whether the value is there, once and for all: a constant, or a result that inference computed. */
bool tensor_is_known(const struct tensor *tensor);

/* Whether it is an output of block 0, whose name and value users of the graph see. */
bool tensor_is_output(const struct tensor *tensor);

/* The only node that uses the tensor, once, and no block has it as output; -1 otherwise. */
int tensor_only_user(const struct tensor *tensor);

/* Whether the node is of that type in ONNX's own domain. */
bool node_is(const struct node *node, const char *type);

/* Input or output `slot`; -1 where it is absent or the node has fewer. */
int node_input(const struct node *node, int slot);
int node_output(const struct node *node, int slot);

/* NULL when the node has none of that name. */
const struct attribute *node_attribute(const struct node *node, const char *name);

/* The value, or the fallback where the attribute is absent or of another kind (the verifier refuses
 * a wrong kind). */
long node_integer(const struct node *node, const char *name, long fallback);
double node_real(const struct node *node, const char *name, double fallback);
const char *node_text(const struct node *node, const char *name, const char *fallback);

/* NULL and a count of 0 where it is absent. */
const long *node_integers(const struct node *node, const char *name, int *count);
const double *node_reals(const struct node *node, const char *name, int *count);

/* Whether both say the same; of subgraphs and of what is not kept that is not known: false, as
 * where `b` is NULL. */
bool attribute_equal(const struct attribute *a, const struct attribute *b);

/* "Conv 'name'", or "Conv that makes 'tensor'" where the node has no name: for messages. */
struct label {
    char text[160];
};
struct label node_label(const struct graph *graph, const struct node *node);

/* ---- types ---- */

/* Elements; -1 where a dim is unknown. */
long type_elements(const struct type *type);

/* Bytes of the dense array; -1 where element or a dim is unknown. */
long type_bytes(const struct type *type);

/* Product of dims [from, to); -1 where one is unknown. */
long type_product(const struct type *type, int from, int to);

/* FAULT_IO where a dim is negative but for -1, or the elements are more than ELEMENTS_MAX; `name`
 * is for the message. */
int type_check(const struct type *type, const char *name, struct error *error);

bool type_equal(const struct type *a, const struct type *b);

/* Rank and all dims known. */
bool type_is_complete(const struct type *type);

/* Adds to `type` what only `other` knows; FAILED (no words) where they contradict each other. */
int type_merge(struct type *type, const struct type *other);

/* "f32[1,batch,?]", "?" where nothing is known. */
struct type_text {
    char text[160];
};
struct type_text type_format(const struct graph *graph, const struct type *type);

/* ---- building ---- */

/* `domain` at that version; a second time sets another version. */
int graph_import(struct graph *graph, const char *domain, int version, struct error *error);

/* Index + 1 of the symbol of that name, made where it is new. */
int graph_symbol(struct graph *graph, const char *name, struct error *error);

/* Gives all dims of that symbol a value; FAULT_USAGE names the graph's symbols where it has none of
 * that name. Run inference again afterwards. */
int graph_bind(struct graph *graph, const char *name, long value, struct error *error);

/* A subgraph of the node; graph_set_attribute() then makes it one of its attributes. */
int graph_add_block(struct graph *graph, int owner, const char *name, struct error *error);

/* A tensor without producer. The name is copied; where it is taken or NULL, a number behind it (or
 * behind "t") makes it unique. The type is copied too. */
int graph_add_tensor(struct graph *graph, int block, const char *name, const struct type *type,
                     struct error *error);

/* A constant; the data are borrowed and must live as long as the graph (graph->arena). */
int graph_add_constant(struct graph *graph, const char *name, const struct type *type,
                       const void *data, struct error *error);

/* Constants of one dimension and of none; the values are copied. */
int graph_add_integers(struct graph *graph, const char *name, const long *values, int count,
                       struct error *error);
int graph_add_real(struct graph *graph, const char *name, enum element element, double value,
                   struct error *error);

/* An input of the block. */
int graph_add_input(struct graph *graph, int block, const char *name, const struct type *type,
                    struct error *error);

/* A constant becomes an input of the block, with its value as fallback. */
int graph_make_overridable(struct graph *graph, int tensor, int block, struct error *error);

/* All inputs that have a fallback become constants, for who will not replace them. */
void graph_fix_overridable(struct graph *graph);

/* Makes the tensor the block's next output. */
int graph_add_output(struct graph *graph, int block, int tensor, struct error *error);

/* What graph_add_node() is told; texts are copied. */
struct node_spec {
    const char *type;
    const char *domain; /* NULL: "" */
    const char *name;   /* NULL: "" */
    int block;
    int before; /* the node that it is put in front of, of the same block; 0 is a node, so say -1
                   for the end of the block */
    const int *inputs;
    int input_count;
    /* Tensors without producer, of graph_add_tensor(). */
    const int *outputs;
    int output_count;
};

/* The operator is looked up by type and domain, the opset is the graph's of that domain. */
int graph_add_node(struct graph *graph, const struct node_spec *spec, struct error *error);

/* Adds or replaces an attribute: the name and all that it points to are copied, but for the data of
 * a tensor, which are borrowed. Reals are rounded to float. With ATTRIBUTE_OTHER the node
 * becomes opaque. */
int graph_set_attribute(struct graph *graph, int node, const struct attribute *attribute,
                        struct error *error);
int graph_set_integer(struct graph *graph, int node, const char *name, long value,
                      struct error *error);
int graph_set_integers(struct graph *graph, int node, const char *name, const long *values,
                       int count, struct error *error);
int graph_set_real(struct graph *graph, int node, const char *name, double value,
                   struct error *error);
int graph_set_text(struct graph *graph, int node, const char *name, const char *value,
                   struct error *error);
void graph_remove_attribute(struct graph *graph, int node, const char *name);

/* ---- rewriting ---- */

/* Makes `tensor` (-1: absent) input `slot`; slots up to there are added where there are fewer. */
int graph_set_input(struct graph *graph, int node, int slot, int tensor, struct error *error);

/* Drops the inputs from `count` on. */
void graph_cut_inputs(struct graph *graph, int node, int count);

/* Everything that uses `old` uses `tensor` from now on, but for the node that makes `tensor`, so
 * that a node can be put behind `old`. Outputs of block 0 keep their names: where `old` is one,
 * `tensor` takes its name and `old` gets another. OK, or SKIPPED with nothing changed where that
 * cannot be, because `tensor` is an input, a constant or an output itself (then an Identity would
 * have to stay) or is made in another block. The caller sees to it that `tensor` is made before it
 * is used (graph_sort()). */
int graph_replace(struct graph *graph, int old, int tensor, struct error *error);

/* `tensor` takes the name of `old`, which gets another. */
int graph_pass_name(struct graph *graph, int old, int tensor, struct error *error);

/* The tensor, whose value is now known, becomes a constant: its producer no longer makes it. An
 * output of block 0 can become one too. */
int graph_make_constant(struct graph *graph, int tensor, const void *data, struct error *error);

/* Removes a node, its subgraphs and its outputs; these must not be in use. */
void graph_remove_node(struct graph *graph, int node);

/* Moves a node in front of another one of the same block; -1: to the end. */
void graph_move_node(struct graph *graph, int node, int before);

/* Removes nodes none of whose outputs are used, over and over, and constants that nobody uses;
 * returns how many nodes. */
int graph_sweep(struct graph *graph);

/* Puts the nodes of all blocks in an order in which everything is made before it is used, as near
 * to the present order as can be. FAULT_IO names a node of a cycle. */
int graph_sort(struct graph *graph, struct error *error);

/* False in the branch that an If whose condition is known does not take. What stands there need not
 * be possible, and nobody infers or runs it: exporters write "where this dim is 1, squeeze it". */
bool block_may_run(const struct graph *graph, int block);

/* Puts the nodes of an If whose condition is known in its place, and removes the If; over and over.
 * How many there were through *count (may be NULL). */
int graph_inline_ifs(struct graph *graph, int *count, struct error *error);

/* ---- checking ---- */

/* Runs inference over all nodes: completes the types of their outputs and computes small values
 * that are known (shapes, mostly). Where a file says other dims of a tensor than follow from its
 * operator, these hold: exporters get them wrong, and runtimes go by the operator. FAULT_IO names
 * the node whose inputs cannot be, or which makes other elements than the graph says. */
int graph_infer(struct graph *graph, struct error *error);

/* The same for one node whose inputs' types are known, without its subgraphs. */
int graph_infer_node(struct graph *graph, int node, struct error *error);

/* What holds of every graph between two passes: every tensor is produced once, before it is used
 * and where it is seen; uses are complete; names are unique; no dead thing is used; nodes have the
 * inputs, outputs and attributes that their operators expect; types agree with inference. FAULT_IO
 * names the node. */
int graph_verify(const struct graph *graph, struct error *error);

#endif
