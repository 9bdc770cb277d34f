// node.c - what nodes say about themselves: operands, attributes, labels.
#include <stdio.h>
#include <string.h>

#include "graph.h"

bool node_is(const struct node *node, const char *type)
{
    return *node->domain == 0 && strcmp(node->type, type) == 0;
}

int node_input(const struct node *node, int slot)
{
    return slot < node->input_count ? node->inputs[slot] : -1;
}

int node_output(const struct node *node, int slot)
{
    return slot < node->output_count ? node->outputs[slot] : -1;
}

const struct attribute *node_attribute(const struct node *node, const char *name)
{
    for (int i = 0; i < node->attribute_count; i++)
        if (strcmp(node->attributes[i].name, name) == 0)
            return &node->attributes[i];
    return NULL;
}

static const struct attribute *of_kind(const struct node *node, const char *name,
                                       enum attribute_kind kind)
{
    const struct attribute *attribute = node_attribute(node, name);
    return attribute && attribute->kind == kind ? attribute : NULL;
}

long node_integer(const struct node *node, const char *name, long fallback)
{
    const struct attribute *attribute = of_kind(node, name, ATTRIBUTE_INT);
    return attribute ? attribute->integer : fallback;
}

double node_real(const struct node *node, const char *name, double fallback)
{
    const struct attribute *attribute = of_kind(node, name, ATTRIBUTE_REAL);
    return attribute ? attribute->real : fallback;
}

const char *node_text(const struct node *node, const char *name, const char *fallback)
{
    const struct attribute *attribute = of_kind(node, name, ATTRIBUTE_TEXT);
    return attribute ? attribute->text.bytes : fallback;
}

const long *node_integers(const struct node *node, const char *name, int *count)
{
    const struct attribute *attribute = of_kind(node, name, ATTRIBUTE_INTS);
    *count = attribute ? (int)attribute->count : 0;
    return attribute ? attribute->integers : NULL;
}

const double *node_reals(const struct node *node, const char *name, int *count)
{
    const struct attribute *attribute = of_kind(node, name, ATTRIBUTE_REALS);
    *count = attribute ? (int)attribute->count : 0;
    return attribute ? attribute->reals : NULL;
}

struct label node_label(const struct graph *graph, const struct node *node)
{
    struct label label;
    int made = -1;
    for (int i = node->output_count - 1; i >= 0; i--)
        if (node->outputs[i] >= 0)
            made = node->outputs[i];
    if (*node->name || made < 0 || !graph)
        snprintf(label.text, sizeof label.text, "%.60s '%.80s'", node->type, node->name);
    else
        snprintf(label.text, sizeof label.text, "%.50s that makes '%.80s'", node->type,
                 graph->tensor[made]->name);
    return label;
}

bool tensor_is_known(const struct tensor *tensor)
{
    return tensor->data != NULL;
}

bool tensor_is_output(const struct tensor *tensor)
{
    for (int i = 0; i < tensor->use_count; i++)
        if (tensor->uses[i].node == -1)
            return true;
    return false;
}

int tensor_only_user(const struct tensor *tensor)
{
    return tensor->use_count == 1 && tensor->uses[0].node >= 0 ? tensor->uses[0].node : -1;
}
