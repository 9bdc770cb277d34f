// einsum_equation.c - equations of Einsum: "bij,bjk->bik", with ellipses and without a result.
#include <string.h>

#include "einsum.h"

/* "ABC...XYZabc...xyz" as 0 to 51; -1 for what is no letter. */
static int label_of(char letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    return letter >= 'a' && letter <= 'z' ? 26 + letter - 'a' : -1;
}

static int bad_equation(const char *text, const char *why, struct error *error)
{
    return error_set(error, FAULT_IO, "equation '%.100s': %s", text, why);
}

/* One term as it is written: letters, and where among them an ellipsis stands (-1: none). */
struct written {
    int label[RANK_MAX];
    int count, ellipsis_at;
};

/* Reads up to a comma, an arrow or the end; *at moves there. */
static int read_term(const char *text, const char **at, struct written *term, struct error *error)
{
    *term = (struct written){.ellipsis_at = -1};
    for (; **at && **at != ',' && **at != '-'; ++*at) {
        if (**at == ' ')
            continue;
        if (strncmp(*at, "...", 3) == 0) {
            if (term->ellipsis_at >= 0)
                return bad_equation(text, "a term has two ellipses", error);
            term->ellipsis_at = term->count;
            *at += 2;
            continue;
        }
        if (label_of(**at) < 0)
            return bad_equation(text, "terms are made of letters, spaces and an ellipsis", error);
        if (term->count == RANK_MAX)
            return bad_equation(text, "a term has more letters than a tensor can have dimensions",
                                error);
        term->label[term->count++] = label_of(**at);
    }
    return OK;
}

/* Labels of the term where its ellipsis stands for `hidden` dims (-1: unknown). */
static void expand(const struct written *written, int hidden, struct term *term)
{
    *term = (struct term){.rank = -1};
    if (written->ellipsis_at >= 0 && hidden < 0)
        return;
    term->rank = 0;
    for (int i = 0; i <= written->count; i++) {
        for (int k = 0; i == written->ellipsis_at && k < hidden; k++)
            term->label[term->rank++] = EINSUM_LETTERS + hidden - 1 - k;
        if (i < written->count)
            term->label[term->rank++] = written->label[i];
    }
}

/* What is known about one dim joins what is known about its label; 1 broadcasts. */
static int join_dim(struct equation *equation, int label, long dim, int symbol, struct error *error)
{
    long *size = &equation->size[label];
    if (!equation->is_used[label]) {
        equation->is_used[label] = true;
        *size = dim;
        equation->symbol[label] = dim < 0 ? symbol : 0;
        return OK;
    }
    if (dim > 1 && *size > 1 && dim != *size)
        return error_set(error, FAULT_IO, "dimensions of one label have %ld and %ld elements",
                         *size, dim);
    if ((dim == 0 && *size > 1) || (*size == 0 && dim > 1))
        return error_set(error, FAULT_IO, "dimensions of one label have %ld and %ld elements",
                         *size, dim);
    if (*size == 1 || (dim >= 0 && dim != 1)) { /* the other one decides */
        *size = dim;
        equation->symbol[label] = dim < 0 ? symbol : 0;
    } else if (*size < 0 && dim < 0 && equation->symbol[label] != symbol)
        equation->symbol[label] = 0;
    return OK;
}

static int read_operand(const struct site *site, struct equation *equation, int i,
                        const struct written *written, const char *text, struct error *error)
{
    const struct type type = site_type(site, i);
    struct term *term = &equation->operand[i];
    const int hidden = type.rank - written->count;
    if (type.rank >= 0 && (hidden < 0 || (hidden > 0 && written->ellipsis_at < 0)))
        return error_set(error, FAULT_IO,
                         "equation '%.100s' has %d letters for input %d, which has %d dimensions",
                         text, written->count, i, type.rank);
    expand(written, type.rank < 0 ? -1 : hidden, term);
    for (int d = 0; d < term->rank; d++) {
        const long dim = type.rank < 0 ? -1 : type.dims[d];
        const int symbol = type.rank < 0 ? 0 : type.symbol[d];
        if (join_dim(equation, term->label[d], dim, symbol, error) != OK)
            return FAILED;
    }
    return OK;
}

/* Dims of the longest ellipsis; -1 where one is unknown. */
static int hidden_dims(const struct equation *equation)
{
    int hidden = 0;
    for (int i = 0; i < equation->operand_count; i++)
        if (equation->operand[i].rank < 0)
            return -1;
    for (int k = 0; k < RANK_MAX; k++)
        if (equation->is_used[EINSUM_LETTERS + k])
            hidden = k + 1;
    return hidden;
}

/* Without a result: the ellipsis, then all letters that stand there once. */
static int imply_result(const int *times, struct written *result, const char *text,
                        struct error *error)
{
    *result = (struct written){.ellipsis_at = 0};
    for (int label = 0; label < EINSUM_LETTERS; label++) {
        if (times[label] != 1)
            continue;
        if (result->count == RANK_MAX)
            return bad_equation(text, "the result has too many dimensions", error);
        result->label[result->count++] = label;
    }
    return OK;
}

static int check_result(const struct equation *equation, const int *times,
                        const struct written *result, const char *text, struct error *error)
{
    for (int i = 0; i < result->count; i++) {
        if (times[result->label[i]] == 0)
            return bad_equation(text, "the result has a letter that no input has", error);
        for (int k = 0; k < i; k++)
            if (result->label[k] == result->label[i])
                return bad_equation(text, "the result has a letter twice", error);
    }
    const int hidden = result->ellipsis_at < 0 ? 0 : hidden_dims(equation);
    if (result->count + (hidden > 0 ? hidden : 0) > RANK_MAX)
        return bad_equation(text, "the result has too many dimensions", error);
    return OK;
}

static int read_operands(const struct site *site, struct equation *equation, const char *text,
                         const char **at, int *times, struct error *error)
{
    for (int i = 0; i < equation->operand_count; i++) {
        struct written written;
        if (read_term(text, at, &written, error) != OK ||
            read_operand(site, equation, i, &written, text, error) != OK)
            return FAILED;
        for (int k = 0; k < written.count; k++)
            times[written.label[k]]++;
        const bool is_last = i == equation->operand_count - 1;
        if (is_last ? **at == ',' : **at != ',')
            return bad_equation(text, "it has another number of terms than there are inputs",
                                error);
        *at += !is_last;
    }
    return OK;
}

int equation_read(const struct site *site, struct equation *equation, struct error *error)
{
    const char *text = node_text(site->node, "equation", ""), *at = text;
    int times[EINSUM_LETTERS] = {0};
    struct written result;
    *equation = (struct equation){.operand_count = site->node->input_count};
    equation->operand =
        arena_take_array(site->arena, (size_t)equation->operand_count, sizeof *equation->operand);
    if (!equation->operand)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    if (read_operands(site, equation, text, &at, times, error) != OK)
        return FAILED;
    if (*at == 0) {
        if (imply_result(times, &result, text, error) != OK)
            return FAILED;
    } else {
        if (strncmp(at, "->", 2) != 0)
            return bad_equation(text, "the result follows on '->'", error);
        at += 2;
        if (read_term(text, &at, &result, error) != OK)
            return FAILED;
        if (*at)
            return bad_equation(text, "there is only one result", error);
    }
    if (check_result(equation, times, &result, text, error) != OK)
        return FAILED;
    expand(&result, hidden_dims(equation), &equation->result);
    return OK;
}

void equation_strides(const struct site *site, const struct equation *equation, int operand,
                      long stride[EINSUM_LABELS])
{
    const struct type *type = &site->input[operand].type;
    const struct term *term = &equation->operand[operand];
    long step = 1;
    for (int label = 0; label < EINSUM_LABELS; label++)
        stride[label] = 0;
    for (int d = type->rank - 1; d >= 0; d--) {
        if (type->dims[d] != 1)
            stride[term->label[d]] += step;
        step *= type->dims[d];
    }
}
