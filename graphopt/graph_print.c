// graph_print.c - a graph as text.
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph_text.h"
#include "table.h"
#include "weights.h"

struct printer {
    const struct graph *graph;
    FILE *file;
    long most_values;
};

/* ---- words and values ---- */

static bool is_plain(const char *word)
{
    static const char *const keywords[] = {"graph", "input", "const", "output", "block", "end"};
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strcmp(word, keywords[i]) == 0)
            return false;
    for (const char *c = word; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("_./+-", *c))
            return false;
    return *word && *word != '-';
}

static void print_quoted(FILE *file, const char *bytes, size_t length)
{
    fputc('"', file);
    for (size_t i = 0; i < length; i++) {
        const unsigned char c = (unsigned char)bytes[i];
        if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else if (c < ' ' || c >= 127)
            fprintf(file, "\\x%02x", c);
        else
            fputc(c, file);
    }
    fputc('"', file);
}

static void print_word(FILE *file, const char *word)
{
    if (is_plain(word))
        fputs(word, file);
    else
        print_quoted(file, word, strlen(word));
}

/* Behind a blank, where there is one. */
static void print_name(FILE *file, const char *name)
{
    if (*name) {
        fputc(' ', file);
        print_word(file, name);
    }
}

/* The shortest text that reads back as the same float, without an exponent where it is as short. */
static void float_format(float value, char text[40])
{
    *text = 0;
    for (int digits = 9; digits >= 1; digits--) {
        char shorter[40];
        snprintf(shorter, sizeof shorter, "%.*g", digits, (double)value);
        if (strtof(shorter, NULL) == value && (!*text || strlen(shorter) < strlen(text)))
            strcpy(text, shorter);
    }
}

/* A real that is no whole number to the reader. */
static void print_real(FILE *file, double value, bool is_float)
{
    char text[40] = "nan";
    if (is_float && !isnan(value))
        float_format((float)value, text);
    else if (!isnan(value))
        real_format(value, text);
    fputs(text, file);
    if (!strpbrk(text, ".eni"))
        fputs(".0", file);
}

static void print_element(FILE *file, const struct array *array, long i)
{
    const enum element element = array->type.element;
    if (element == ELEMENT_text) {
        const struct text *text = (const struct text *)array->data + i;
        print_quoted(file, text->bytes, text->length);
    } else if (element == ELEMENT_u64)
        fprintf(file, "%" PRIu64, ((const uint64_t *)array->data)[i]);
    else if (element_is_whole(element) || element == ELEMENT_bool)
        fprintf(file, "%" PRId64, element_whole(array->data, element, i));
    else
        print_real(file, element_real(array->data, element, i), element != ELEMENT_f64);
}

/* "{1, 2}"; a complex number is two. */
static void print_values(FILE *file, const struct array *array)
{
    struct array parts = *array;
    long count = type_elements(&array->type);
    if (array->type.element == ELEMENT_c64 || array->type.element == ELEMENT_c128) {
        parts.type.element = array->type.element == ELEMENT_c64 ? ELEMENT_f32 : ELEMENT_f64;
        count *= 2;
    }
    fputc('{', file);
    for (long i = 0; i < count; i++) {
        fputs(i ? ", " : "", file);
        print_element(file, &parts, i);
    }
    fputc('}', file);
}

/* One that begins with a digit would be read as a number. */
static void print_symbol(FILE *file, const char *name)
{
    if (isdigit((unsigned char)*name))
        print_quoted(file, name, strlen(name));
    else
        print_word(file, name);
}

static void print_type(const struct printer *printer, const struct type *type)
{
    FILE *file = printer->file;
    fputs(element_name(type->element), file);
    for (int i = 0; i < type->rank; i++) {
        fputs(i ? "," : "[", file);
        if (type->dims[i] >= 0)
            fprintf(file, "%ld", type->dims[i]);
        else if (type->symbol[i])
            print_symbol(file, printer->graph->symbol[type->symbol[i] - 1].name);
        else
            fputc('?', file);
    }
    if (type->rank >= 0)
        fputs(type->rank ? "]" : "[]", file);
}

/* ---- constants ---- */

/* FNV-1a of the bytes. */
static uint64_t digest_of(const void *data, size_t bytes)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ ((const unsigned char *)data)[i]) * 0x100000001b3u;
    return hash;
}

/* Whether its values are those that the reader would fill in; false also when memory is out to find
 * out. */
static bool is_named(const struct graph *graph, int id)
{
    const struct tensor *tensor = graph->tensor[id];
    const size_t bytes = (size_t)type_bytes(&tensor->type);
    void *named = malloc(bytes);
    if (!named)
        return false;
    weight_fill(tensor->name, &tensor->type, weight_rule_of(graph, id, 1), named);
    const bool same = memcmp(named, tensor->data, bytes) == 0;
    free(named);
    return same;
}

static void print_constant(const struct printer *printer, int id)
{
    const struct tensor *tensor = printer->graph->tensor[id];
    const long count = type_elements(&tensor->type);
    const struct array array = {tensor->type, (void *)(uintptr_t)tensor->data};
    fputs(" = ", printer->file);
    if (!element_is_real(tensor->type.element) || count <= printer->most_values)
        print_values(printer->file, &array);
    else if (is_named(printer->graph, id))
        fputs("named", printer->file);
    else
        fprintf(printer->file, "named # was %016" PRIx64,
                digest_of(tensor->data, (size_t)type_bytes(&tensor->type)));
}

static void print_tensor(const struct printer *printer, int id)
{
    const struct tensor *tensor = printer->graph->tensor[id];
    print_word(printer->file, tensor->name);
    fputs(": ", printer->file);
    print_type(printer, &tensor->type);
}

/* ---- nodes ---- */

static void print_list(FILE *file, const struct attribute *attribute)
{
    static const char *const kinds[] = {
        [ATTRIBUTE_INTS] = "ints[]", [ATTRIBUTE_REALS] = "reals[]", [ATTRIBUTE_TEXTS] = "texts[]"};
    if (attribute->count == 0) {
        fputs(kinds[attribute->kind], file);
        return;
    }
    for (long i = 0; i < attribute->count; i++) {
        fputs(i ? ", " : "[", file);
        if (attribute->kind == ATTRIBUTE_INTS)
            fprintf(file, "%ld", attribute->integers[i]);
        else if (attribute->kind == ATTRIBUTE_REALS)
            print_real(file, attribute->reals[i], true);
        else
            print_quoted(file, attribute->texts[i].bytes, attribute->texts[i].length);
    }
    fputc(']', file);
}

static void print_attribute(const struct printer *printer, const struct attribute *attribute)
{
    FILE *file = printer->file;
    print_word(file, attribute->name);
    fputs(": ", file);
    switch (attribute->kind) {
    case ATTRIBUTE_INT:
        fprintf(file, "%ld", attribute->integer);
        break;
    case ATTRIBUTE_REAL:
        print_real(file, attribute->real, true);
        break;
    case ATTRIBUTE_TEXT:
        print_quoted(file, attribute->text.bytes, attribute->text.length);
        break;
    case ATTRIBUTE_TENSOR:
        print_type(printer, &attribute->tensor->type);
        fputc(' ', file);
        print_values(file, attribute->tensor);
        break;
    case ATTRIBUTE_BLOCK:
        fputs("block", file);
        break;
    case ATTRIBUTE_OTHER:
        fputs("other", file);
        break;
    default:
        print_list(file, attribute);
    }
}

static void print_call(const struct printer *printer, const struct node *node)
{
    FILE *file = printer->file;
    if (*node->domain) {
        print_word(file, node->domain);
        fputs("::", file);
    }
    print_word(file, node->type);
    if (node->opset != graph_opset(printer->graph, node->domain))
        fprintf(file, "@%d", node->opset);
    fputc('(', file);
    for (int i = 0; i < node->input_count; i++) {
        fputs(i ? ", " : "", file);
        if (node->inputs[i] >= 0)
            print_word(file, printer->graph->tensor[node->inputs[i]]->name);
        else
            fputc('-', file);
    }
    fputc(')', file);
    for (int i = 0; i < node->attribute_count; i++) {
        fputs(i ? ", " : " {", file);
        print_attribute(printer, &node->attributes[i]);
    }
    fputs(node->attribute_count ? "}" : "", file);
    if (*node->name) {
        fputs(" as ", file);
        print_word(file, node->name);
    }
    fputc('\n', file);
}

static void print_block(const struct printer *printer, int id, int depth);

static void print_node(const struct printer *printer, const struct node *node, int depth)
{
    FILE *file = printer->file;
    fprintf(file, "%*s", 2 * depth, "");
    for (int i = 0; i < node->output_count; i++) {
        fputs(i ? ", " : "", file);
        if (node->outputs[i] >= 0)
            print_tensor(printer, node->outputs[i]);
        else
            fputc('-', file);
    }
    fputs(node->output_count ? " = " : "= ", file);
    print_call(printer, node);
    for (int i = 0; i < node->attribute_count; i++) {
        if (node->attributes[i].kind != ATTRIBUTE_BLOCK)
            continue;
        const int block = node->attributes[i].block;
        fprintf(file, "%*sblock", 2 * depth, "");
        print_name(file, printer->graph->block[block]->name);
        fputc('\n', file);
        print_block(printer, block, depth + 1);
        fprintf(file, "%*send\n", 2 * depth, "");
    }
}

static void print_inputs(const struct printer *printer, const struct block *block, int depth)
{
    for (int i = 0; i < block->input_count; i++) {
        const struct tensor *input = printer->graph->tensor[block->inputs[i]];
        fprintf(printer->file, "%*sinput ", 2 * depth, "");
        print_tensor(printer, block->inputs[i]);
        if (input->is_overridable) {
            const struct array array = {input->type, (void *)(uintptr_t)input->fallback};
            fputs(" = ", printer->file);
            print_values(printer->file, &array);
        }
        fputc('\n', printer->file);
    }
}

static void print_block(const struct printer *printer, int id, int depth)
{
    const struct graph *graph = printer->graph;
    const struct block *block = graph->block[id];
    print_inputs(printer, block, depth);
    for (int i = 0; i < graph->tensor_count && id == 0; i++) {
        const struct tensor *tensor = graph->tensor[i];
        if (tensor->is_dead || tensor->producer >= 0 || tensor->is_input || !tensor->data)
            continue;
        fputs("const ", printer->file);
        print_tensor(printer, i);
        print_constant(printer, i);
        fputc('\n', printer->file);
    }
    for (int node = block->first; node >= 0; node = graph->node[node]->next)
        print_node(printer, graph->node[node], depth);
    for (int i = 0; i < block->output_count; i++) {
        fprintf(printer->file, "%*soutput ", 2 * depth, "");
        print_word(printer->file, graph->tensor[block->outputs[i]]->name);
        fputc('\n', printer->file);
    }
}

int graph_print(const struct graph *graph, FILE *file, long most_values, struct error *error)
{
    const struct printer printer = {graph, file, most_values};
    fputs("graph", file);
    print_name(file, graph->name);
    fprintf(file, " (ir %d", graph->ir_version);
    for (int i = 0; i < graph->opset_count; i++) {
        const char *domain = graph->opset[i].domain;
        fputs(", ", file);
        print_word(file, *domain ? domain : "onnx");
        fprintf(file, " %d", graph->opset[i].version);
    }
    fputs(")\n", file);
    print_block(&printer, 0, 0);
    return ferror(file) ? error_set(error, FAULT_IO, "graph '%s' cannot be written", graph->name)
                        : OK;
}
