// rewrite.h - steps that rules are made of.
#ifndef ROOFLINE_REWRITE_H
#define ROOFLINE_REWRITE_H

#include "pass.h"

/* A node of one result in front of node `before`, in its block; the result's type is inferred once
 * its attributes are set: graph_infer_node(). Inputs of -1 are absent. The result's id is
 * graph->node[id]->outputs[0]. Returns the node. */
int rewrite_add(struct graph *graph, const char *domain, const char *type, int before,
                const int *inputs, int input_count, struct error *error);

/* `tensor` takes the place of `old` and learns what its type says, and what nobody uses any more
 * because of that is removed: the node that makes `old`, and in turn what made its inputs. SKIPPED,
 * with nothing changed, where `tensor` cannot have an output's name, or where types that are known
 * differ. */
int rewrite_replace(struct graph *graph, int old, int tensor, struct error *error);

/* The same by a node that rewrite_add() made; it is removed where the answer is SKIPPED. Infers it
 * first. */
int rewrite_replace_by(struct graph *graph, int old, int node, struct error *error);

/* Removes the node, where none of its results is used, and in turn what made its inputs. */
int rewrite_remove(struct graph *graph, int node, struct error *error);

#endif
