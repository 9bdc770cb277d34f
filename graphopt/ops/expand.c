// expand.c - nodes of ONNX's own operators, for operators that say themselves in these.
#include "expand.h"

/* The node that makes the tensor. */
static int maker(const struct graph *graph, int tensor)
{
    return graph->tensor[tensor]->producer;
}

int expand_node(struct graph *graph, const char *type, int a, int b, struct error *error)
{
    const int output = a < 0 ? -1 : graph_add_tensor(graph, 0, NULL, &UNKNOWN_TYPE, error);
    const int inputs[] = {a, b};
    const struct node_spec spec = {.type = type,
                                   .before = -1,
                                   .inputs = inputs,
                                   .input_count = b >= 0 ? 2 : 1,
                                   .outputs = &output,
                                   .output_count = 1};
    if (output < 0 || graph_add_node(graph, &spec, error) < 0)
        return -1;
    return output;
}

int expand_real(struct graph *graph, const char *type, int a, enum element element, double value,
                struct error *error)
{
    const int constant = a < 0 ? -1 : graph_add_real(graph, NULL, element, value, error);
    return constant < 0 ? -1 : expand_node(graph, type, a, constant, error);
}

int expand_mean(struct graph *graph, int a, int first, int rank, struct error *error)
{
    long axes[RANK_MAX];
    int list = -1;
    const bool is_input = graph_opset(graph, "") >= 18;
    for (int i = first; i < rank; i++)
        axes[i - first] = i;
    if (is_input)
        list = graph_add_integers(graph, NULL, axes, rank - first, error);
    if (is_input && list < 0)
        return -1;
    const int mean = expand_node(graph, "ReduceMean", a, list, error);
    if (mean >= 0 && !is_input &&
        graph_set_integers(graph, maker(graph, mean), "axes", axes, rank - first, error) != OK)
        return -1;
    return mean;
}

int expand_transpose(struct graph *graph, int a, const long *perm, int rank, struct error *error)
{
    const int moved = expand_node(graph, "Transpose", a, -1, error);
    if (moved >= 0 &&
        graph_set_integers(graph, maker(graph, moved), "perm", perm, rank, error) != OK)
        return -1;
    return moved;
}

int expand_swap(struct graph *graph, int a, int rank, struct error *error)
{
    long perm[RANK_MAX];
    for (int i = 0; i < rank; i++)
        perm[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return expand_transpose(graph, a, perm, rank, error);
}
