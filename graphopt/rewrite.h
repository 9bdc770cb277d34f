// rewrite.h - steps that rules are made of.
#ifndef ROOFLINE_REWRITE_H
#define ROOFLINE_REWRITE_H

#include "pass.h"

/* A node of one result in front of node `before`, in its block; the result's type is inferred once
 * its attributes are set: graph_infer_node(). Inputs of -1 are absent. A domain that the
 * graph does not import yet is imported at version 1. The result's id is
 * graph->node[id]->outputs[0]. Returns the node. */
int rewrite_add(struct graph *graph, const char *domain, const char *type, int before,
                const int *inputs, int input_count, struct error *error);

/* Gives node `to` all attributes of `from` but its subgraphs. */
int rewrite_copy_attributes(struct graph *graph, int to, int from, struct error *error);

/* `tensor` takes the place of `old` and learns what its type says, and what nobody uses any more
 * because of that is removed: the node that makes `old`, and in turn what made its inputs. SKIPPED,
 * with nothing changed, where `tensor` cannot have an output's name, or where types that are known
 * differ. */
int rewrite_replace(struct graph *graph, int old, int tensor, struct error *error);

/* The same by the result of a node that rewrite_add() made, which takes the name of `old`, too; the
 * node is removed where the answer is SKIPPED, also because the graph's opset has no such operator.
 * Infers it first. */
int rewrite_replace_by(struct graph *graph, int old, int node, struct error *error);

/* Removes the node, where none of its results is used, and in turn what made its inputs. */
int rewrite_remove(struct graph *graph, int node, struct error *error);

/* ---- what rules ask ---- */

/* Whether arrays of these types have the same element and the same dims: each known, or of one
 * symbol. */
bool types_surely_equal(const struct type *a, const struct type *b);

/* The type of result 0 by the operator's rules alone, whatever else a file says about it;
 * UNKNOWN_TYPE for an opaque node. */
int rewrite_type(const struct graph *graph, int node, struct type *type, struct error *error);

/* The values of a known tensor of whole numbers with one dimension; false where it is none, or is
 * longer than RANK_MAX. */
bool tensor_integers(const struct tensor *tensor, long values[RANK_MAX], int *count);

/* The list that an attribute (NULL: none) or else input `slot` gives, as above. */
bool node_list(const struct graph *graph, const struct node *node, const char *attribute, int slot,
               long values[RANK_MAX], int *count);

/* ---- rules of several passes ---- */

/* The numbers of the operands in the patterns of rules that apply rewrite_drop(). */
enum { DROP_X = 1, DROP_Y, DROP_C };

/* DROP_X takes the place of DROP_Y. */
int rewrite_drop(struct rewriting *rewriting, const struct match *match, struct error *error);

/* The same, where inference says that both are of one type: an operator that at most changes dims
 * has changed nothing then. */
int rewrite_drop_same(struct rewriting *rewriting, const struct match *match, struct error *error);

/* *addend is c of a Gemm without one: -1, or before opset 11, where it was not optional, a constant
 * of the element of `like`. */
int rewrite_gemm_addend(struct graph *graph, int like, int *addend, struct error *error);

/* A Reshape of `input` to the dims of `type` in front of node `before`: at most one that is not
 * known, but for those that `input` has at the same place. SKIPPED where more are not known, a dim
 * of 0 cannot be said, or the graph's opset has no such Reshape. */
int rewrite_add_reshape(struct graph *graph, int input, const struct type *type, int before,
                        int *node, struct error *error);

#endif
