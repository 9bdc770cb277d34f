// matmul_transpose.c - products of matrices that are transposed on the way in or out.
#include <string.h>

#include "permutation.h"
#include "rewrite.h"

#define PRODUCTS "MatMul|Gemm|com.microsoft::FusedMatMul"

enum { X = 1, MOVED, OTHER, PRODUCT, A, B, Y };

/* Whether the last two dims change places and no other does. */
static bool swaps_last_two(const struct graph *graph, int node)
{
    long perm[RANK_MAX];
    const int rank = permutation_read(graph, node, perm);
    for (int i = 0; i < rank; i++)
        if (perm[i] != (i < rank - 2 ? i : i == rank - 2 ? rank - 1 : rank - 2))
            return false;
    return rank >= 2;
}

/* Matrices of reals, of which no batch takes part in the transposing. */
static bool is_plain(const struct graph *graph, const struct node *node)
{
    for (int i = 0; i < 2; i++) {
        const int input = node_input(node, i);
        if (input < 0 || graph->tensor[input]->type.rank < 2 ||
            !element_is_real(graph->tensor[input]->type.element))
            return false;
    }
    return node_integer(node, "transBatchA", 0) == 0 && node_integer(node, "transBatchB", 0) == 0;
}

/* ---- an operand ---- */

static const struct pattern first = {
    .term = {{PRODUCTS, {Y}, {MOVED, OTHER}, TERM_MORE, is_plain},
             {"Transpose", {MOVED}, {X}, 0, NULL}},
};
static const struct pattern second = {
    .term = {{PRODUCTS, {Y}, {OTHER, MOVED}, TERM_MORE, is_plain},
             {"Transpose", {MOVED}, {X}, 0, NULL}},
};

/* A product in front of `node` that can have its operands transposed, with the attributes that it
 * has. */
static int add_product(struct graph *graph, int node, int inputs[3], struct error *error)
{
    const struct node *old = graph->node[node];
    const bool are_matrices =
        graph->tensor[inputs[0]]->type.rank == 2 && graph->tensor[inputs[1]]->type.rank == 2;
    const bool is_gemm = strcmp(old->type, "Gemm") == 0 || (node_is(old, "MatMul") && are_matrices);
    if (is_gemm && inputs[2] < 0 && rewrite_gemm_addend(graph, inputs[0], &inputs[2], error) != OK)
        return -1;
    const int made =
        rewrite_add(graph, is_gemm ? NULL : "com.microsoft", is_gemm ? "Gemm" : "FusedMatMul", node,
                    inputs, inputs[2] >= 0 ? 3 : 2, error);
    return made < 0 || rewrite_copy_attributes(graph, made, node, error) != OK ? -1 : made;
}

static int turn_operand(struct rewriting *rewriting, const struct match *match, int slot,
                        struct error *error)
{
    struct graph *graph = rewriting->graph;
    const struct node *old = graph->node[match->node[0]];
    const char *name = slot == 0 ? "transA" : "transB";
    int inputs[3];
    if (!swaps_last_two(graph, match->node[1]))
        return SKIPPED;
    for (int i = 0; i < 3; i++)
        inputs[i] = i == slot ? match->tensor[X] : node_input(old, i);
    const int node = add_product(graph, match->node[0], inputs, error);
    if (node < 0 ||
        graph_set_integer(graph, node, name, node_integer(old, name, 0) == 0, error) != OK)
        return FAILED;
    return rewrite_replace_by(graph, match->tensor[Y], node, error);
}

static int turn_first(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    return turn_operand(rewriting, match, 0, error);
}

static int turn_second(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    return turn_operand(rewriting, match, 1, error);
}

/* ---- the result ---- */

static const struct pattern result_moved = {
    .term = {{"Transpose", {Y}, {PRODUCT}, 0, NULL}, {PRODUCTS, {PRODUCT}, {A, B}, 0, is_plain}},
};

/* (a b)' = b' a' */
static int turn_result(struct rewriting *rewriting, const struct match *match, struct error *error)
{
    struct graph *graph = rewriting->graph;
    const struct node *old = graph->node[match->node[1]];
    if (!swaps_last_two(graph, match->node[0]))
        return SKIPPED;
    int inputs[3] = {match->tensor[B], match->tensor[A], -1};
    const int node = add_product(graph, match->node[1], inputs, error);
    if (node < 0 ||
        graph_set_integer(graph, node, "transA", node_integer(old, "transB", 0) == 0, error) !=
            OK ||
        graph_set_integer(graph, node, "transB", node_integer(old, "transA", 0) == 0, error) != OK)
        return FAILED;
    return rewrite_replace_by(graph, match->tensor[Y], node, error);
}

static const struct rule rules[] = {
    {&first, turn_first}, {&second, turn_second}, {&result_moved, turn_result}, {0}};

const struct pass matmul_transpose_pass = {
    .name = "matmul-transpose",
    .group = GROUP_TRANSFORM,
    .summary = "Transpose of the last two dims in front of MatMul, Gemm or FusedMatMul, or behind "
               "it: transA, transB, with operands swapped for the result; MatMul becomes Gemm, of "
               "more than two dims com.microsoft's FusedMatMul",
    .refuses = "a permutation that moves other dims or none; vectors; whole numbers; the "
               "transposed array has other users; a Gemm whose result is transposed adds c",
    .rules = rules,
};
