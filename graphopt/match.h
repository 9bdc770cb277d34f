// match.h - patterns of nodes as data, and where in a graph they are.
//
// A pattern is a list of terms, one per node, the node that makes the result first. Operands are
// numbers that the pattern's file gives them in an enum, from 1; where one number stands twice, it
// is the same tensor. A term behind the first makes one of the operands of those in front of it.
//
//   enum { X = 1, GATE, Y };
//   static const struct pattern silu = {
//       .term = {{"Mul", {Y}, {X, GATE}, TERM_COMMUTES}, {"Sigmoid", {GATE}, {X}}},
//   };
#ifndef ROOFLINE_MATCH_H
#define ROOFLINE_MATCH_H

#include "graph.h"

enum { PATTERN_TERMS = 24, PATTERN_INPUTS = 6, PATTERN_OUTPUTS = 3, PATTERN_TENSORS = 40 };

/* As the number of an operand: whatever it is, absent too. */
enum { ANYTHING = -1 };

enum term_flags {
    TERM_COMMUTES = 1,    /* the first two inputs in either order */
    TERM_MORE = 2,        /* may have inputs behind those listed; without it these must be absent */
    TERM_ANY_OUTPUTS = 4, /* other outputs may be in use; without it only those listed are */
};

struct term {
    const char *op; /* of ONNX's domain, "Add"; one of several, "Add|Sum"; of another domain,
                       "roofline::Conv"; NULL: any */
    int outputs[PATTERN_OUTPUTS]; /* numbers of operands, in order; 0 ends the list */
    int inputs[PATTERN_INPUTS];   /* the same */
    int flags;                    /* of enum term_flags */
    /* Whether the node will do, by its attributes and opset; NULL: it will. Inputs of the terms
     * behind it are not bound yet: what depends on these is up to the rewrite. */
    bool (*guard)(const struct graph *graph, const struct node *node);
};

/* What an operand has to be. Results of terms but the first are used by nodes of the match alone,
 * and are no output of the graph, unless they are OPERAND_SHARED. */
enum operand_flags {
    OPERAND_KNOWN = 1,    /* a constant, or its value is known */
    OPERAND_SCALAR = 2,   /* known, with one element */
    OPERAND_VALUE = 4,    /* known, and all its elements are `value`, but for 1e-5 of it */
    OPERAND_OPTIONAL = 8, /* may be absent: -1 in the match */
    OPERAND_SHARED = 16,
};

struct wanted {
    int flags;
    double value;
};

struct pattern {
    struct term term[PATTERN_TERMS];        /* ends with one that has no output */
    struct wanted operand[PATTERN_TENSORS]; /* by number; {0}: any tensor */
};

/* Where a pattern was found. */
struct match {
    int node[PATTERN_TERMS];     /* by term */
    int tensor[PATTERN_TENSORS]; /* by number; -1: absent, or not in the pattern */
};

/* Whether the pattern is at the node, as its first term. All nodes of a match are of one block. */
bool pattern_match(const struct pattern *pattern, const struct graph *graph, int root,
                   struct match *match);

/* Whether the node is one of `names`: "Add", "Add|Sum", "roofline::Conv|Conv". */
bool node_is_one_of(const struct node *node, const char *names);

/* Whether the value is known and all elements are `value`, but for `tolerance_rel` of it. An empty
 * tensor is none. */
bool tensor_is_filled(const struct tensor *tensor, double value, double tolerance_rel);

/* The known value of a tensor of one element, as a double; false where that is not so. */
bool tensor_scalar(const struct tensor *tensor, double *value);

#endif
