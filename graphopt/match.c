// match.c - finding patterns.
#include "match.h"

#include <math.h>
#include <string.h>

/* ---- what is asked of single nodes and tensors ---- */

static bool is_named(const struct node *node, const char *name, size_t length)
{
    const size_t domain = strlen(node->domain);
    if (domain > 0) {
        if (length < domain + 2 || strncmp(name, node->domain, domain) != 0 ||
            strncmp(name + domain, "::", 2) != 0)
            return false;
        name += domain + 2;
        length -= domain + 2;
    }
    return strlen(node->type) == length && strncmp(node->type, name, length) == 0;
}

bool node_is_one_of(const struct node *node, const char *names)
{
    for (const char *name = names; *name;) {
        const size_t length = strcspn(name, "|");
        if (is_named(node, name, length))
            return true;
        name += length + (name[length] == '|');
    }
    return false;
}

/* Text, and elements that element_real() does not read, are no numbers. */
static bool is_number(const struct type *type)
{
    return element_is_real(type->element) || element_is_whole(type->element) ||
           type->element == ELEMENT_bool;
}

bool tensor_is_filled(const struct tensor *tensor, double value, double tolerance_rel)
{
    const long count =
        tensor_is_known(tensor) && is_number(&tensor->type) ? type_elements(&tensor->type) : 0;
    for (long i = 0; i < count; i++) {
        const double is = element_real(tensor->data, tensor->type.element, i);
        if (is != value && !(fabs(is - value) <= tolerance_rel * fabs(value)))
            return false;
    }
    return count > 0;
}

bool tensor_scalar(const struct tensor *tensor, double *value)
{
    if (!tensor_is_known(tensor) || !is_number(&tensor->type) || type_elements(&tensor->type) != 1)
        return false;
    *value = element_real(tensor->data, tensor->type.element, 0);
    return true;
}

/* ---- binding ---- */

struct matching {
    const struct pattern *pattern;
    const struct graph *graph;
    struct match *match;
    bool is_bound[PATTERN_TENSORS];
    int block;
};

static bool operand_fits(const struct wanted *operand, const struct tensor *tensor)
{
    double value;
    if (!tensor)
        return operand->flags & OPERAND_OPTIONAL;
    if ((operand->flags & OPERAND_KNOWN) && !tensor_is_known(tensor))
        return false;
    if ((operand->flags & OPERAND_SCALAR) && !tensor_scalar(tensor, &value))
        return false;
    return !(operand->flags & OPERAND_VALUE) || tensor_is_filled(tensor, operand->value, 1e-5);
}

static bool bind(struct matching *m, int number, int tensor)
{
    if (number == ANYTHING)
        return true;
    if (m->is_bound[number])
        return m->match->tensor[number] == tensor;
    if (!operand_fits(&m->pattern->operand[number], tensor >= 0 ? m->graph->tensor[tensor] : NULL))
        return false;
    m->is_bound[number] = true;
    m->match->tensor[number] = tensor;
    return true;
}

static bool bind_inputs(struct matching *m, const struct term *term, const struct node *node,
                        bool is_swapped)
{
    int count = 0;
    for (; count < PATTERN_INPUTS && term->inputs[count] != 0; count++) {
        const int slot = is_swapped && count < 2 ? 1 - count : count;
        if (!bind(m, term->inputs[count], node_input(node, slot)))
            return false;
    }
    for (int i = count; i < node->input_count && !(term->flags & TERM_MORE); i++)
        if (node->inputs[i] >= 0)
            return false;
    return true;
}

static bool bind_outputs(struct matching *m, const struct term *term, const struct node *node)
{
    int count = 0;
    for (; count < PATTERN_OUTPUTS && term->outputs[count] != 0; count++)
        if (!bind(m, term->outputs[count], node_output(node, count)))
            return false;
    for (int i = count; i < node->output_count && !(term->flags & TERM_ANY_OUTPUTS); i++)
        if (node->outputs[i] >= 0 && m->graph->tensor[node->outputs[i]]->use_count > 0)
            return false;
    return true;
}

/* The node of a term behind the first: what makes that of its results which is bound. */
static int maker(const struct matching *m, const struct term *term)
{
    for (int i = 0; i < PATTERN_OUTPUTS && term->outputs[i] != 0; i++) {
        const int number = term->outputs[i];
        if (number != ANYTHING && m->is_bound[number] && m->match->tensor[number] >= 0)
            return m->graph->tensor[m->match->tensor[number]]->producer;
    }
    return -1;
}

/* ---- what is left between the nodes ---- */

static bool is_inside(const struct matching *m, int terms, int node)
{
    for (int t = 0; t < terms; t++)
        if (m->match->node[t] == node)
            return true;
    return false;
}

/* Results in the middle are used by nodes of the match alone. */
static bool is_closed(const struct matching *m, int terms)
{
    for (int t = 1; t < terms; t++)
        for (int i = 0; i < PATTERN_OUTPUTS && m->pattern->term[t].outputs[i] != 0; i++) {
            const int number = m->pattern->term[t].outputs[i];
            if (number == ANYTHING || (m->pattern->operand[number].flags & OPERAND_SHARED) ||
                m->match->tensor[number] < 0)
                continue;
            const struct tensor *tensor = m->graph->tensor[m->match->tensor[number]];
            for (int u = 0; u < tensor->use_count; u++)
                if (tensor->uses[u].node < 0 || !is_inside(m, terms, tensor->uses[u].node))
                    return false;
        }
    return true;
}

/* ---- terms ---- */

static bool match_from(struct matching *m, int index, int id)
{
    const struct term *term = &m->pattern->term[index];
    if (index == PATTERN_TERMS || term->outputs[0] == 0)
        return is_closed(m, index);
    if (index > 0)
        id = maker(m, term);
    const struct node *node = id >= 0 ? m->graph->node[id] : NULL;
    if (!node || node->block != m->block || (term->op && !node_is_one_of(node, term->op)) ||
        (term->guard && !term->guard(m->graph, node)))
        return false;
    const struct match kept = *m->match;
    bool is_bound[PATTERN_TENSORS];
    memcpy(is_bound, m->is_bound, sizeof is_bound);
    for (int order = 0; order < (term->flags & TERM_COMMUTES ? 2 : 1); order++) {
        m->match->node[index] = id;
        if (bind_outputs(m, term, node) && bind_inputs(m, term, node, order == 1) &&
            match_from(m, index + 1, -1))
            return true;
        *m->match = kept;
        memcpy(m->is_bound, is_bound, sizeof is_bound);
    }
    return false;
}

bool pattern_match(const struct pattern *pattern, const struct graph *graph, int root,
                   struct match *match)
{
    struct matching m = {
        .pattern = pattern, .graph = graph, .match = match, .block = graph->node[root]->block};
    const struct term *first = &pattern->term[0];
    if (first->op && !node_is_one_of(graph->node[root], first->op))
        return false;
    for (int i = 0; i < PATTERN_TERMS; i++)
        match->node[i] = -1;
    for (int i = 0; i < PATTERN_TENSORS; i++)
        match->tensor[i] = -1;
    return match_from(&m, 0, root);
}
