// graph_parse.c - a graph from its text.
#include <string.h>

#include "graph_parts.h"
#include "graph_text.h"
#include "op.h"
#include "text_cursor.h"
#include "weights.h"

enum { NESTING_MAX = 32 };

struct parser {
    struct graph *graph;
    struct cursor cursor;
    int *named, named_count; /* constants that are filled when all of their users are known */
    long named_bytes;        /* that they may still take */
    int depth;               /* of blocks */
};

static int out_of_memory(struct parser *parser)
{
    return graph_exhausted(parser->graph, parser->cursor.error), FAILED;
}

/* A comma (true), or the sign that closes the list. */
static bool more(struct cursor *cursor, const char *close, int *result)
{
    if (cursor_take(cursor, ","))
        return true;
    *result = cursor_expect(cursor, close);
    return false;
}

/* ---- types and values ---- */

static int parse_dim(struct parser *parser, struct type *type)
{
    struct cursor *cursor = &parser->cursor;
    const int i = type->rank;
    const char *name;
    if (i == RANK_MAX)
        return cursor_complain(cursor, "there are too many dimensions");
    type->dims[i] = -1;
    type->symbol[i] = 0;
    type->rank++;
    if (cursor_take(cursor, "?"))
        return OK;
    if (*cursor->at >= '0' && *cursor->at <= '9')
        return cursor_integer(cursor, &type->dims[i]);
    if (cursor_word(cursor, &name) != OK)
        return FAILED;
    type->symbol[i] = graph_symbol(parser->graph, name, cursor->error);
    return type->symbol[i] < 0 ? FAILED : OK;
}

/* "f32[2,?]", "f32", "?[2]", "?". */
static int parse_type(struct parser *parser, struct type *type)
{
    struct cursor *cursor = &parser->cursor;
    const char *word;
    *type = UNKNOWN_TYPE;
    if (!cursor_take(cursor, "?")) {
        if (cursor_word(cursor, &word) != OK)
            return FAILED;
        type->element = element_find(word, strlen(word));
        if (type->element == ELEMENT_NONE)
            return cursor_complain(cursor, "there should be a type like f32[2,3] before what is");
    }
    if (*cursor->at != '[')
        return OK;
    cursor->at++;
    type->rank = 0;
    if (cursor_take(cursor, "]"))
        return OK;
    int result;
    do
        result = parse_dim(parser, type);
    while (result == OK && more(cursor, "]", &result));
    return result == OK ? type_check(type, "a type", cursor->error) : result;
}

static int parse_element(struct parser *parser, const struct array *array, long i)
{
    struct cursor *cursor = &parser->cursor;
    const enum element element = array->type.element;
    double real;
    long whole;
    if (element == ELEMENT_text)
        return cursor_text(cursor, (struct text *)array->data + i);
    if (element_is_real(element)) {
        if (cursor_real(cursor, &real) != OK)
            return FAILED;
        /* Digits that tell floats apart are printed of all but f64: that float is meant, from which
         * a format without a mantissa would else round away. */
        if (element != ELEMENT_f64)
            real = (float)real;
        element_put_real(array->data, element, i, real);
        return OK;
    }
    if (cursor_integer(cursor, &whole) != OK)
        return FAILED;
    element_put_whole(array->data, element, i, whole);
    return OK;
}

/* As many values in braces as the array has elements; a complex number is two. */
static int parse_values(struct parser *parser, struct array *array)
{
    struct cursor *cursor = &parser->cursor;
    struct array parts = *array;
    const enum element element = array->type.element;
    long count = type_elements(&array->type);
    /* Each takes at least a character: a promise of more is not kept. */
    if (element == ELEMENT_NONE || count < 0 || (size_t)count > strlen(cursor->at))
        return cursor_complain(cursor, "the type before the values has to be whole and to have as "
                                       "many elements as there are values");
    parts.data = array->data = arena_take(&parser->graph->arena, element_bytes(element, count));
    if (!array->data)
        return out_of_memory(parser);
    if (element == ELEMENT_c64 || element == ELEMENT_c128) {
        parts.type.element = element == ELEMENT_c64 ? ELEMENT_f32 : ELEMENT_f64;
        count *= 2;
    }
    int result = cursor_expect(cursor, "{");
    for (long i = 0; i < count && result == OK; i++) {
        if (i)
            result = cursor_expect(cursor, ",");
        if (result == OK)
            result = parse_element(parser, &parts, i);
    }
    return result == OK ? cursor_expect(cursor, "}") : result;
}

/* ---- lines of tensors ---- */

/* A name that nothing has yet. */
static int parse_new_name(struct parser *parser, const char **name)
{
    if (cursor_word(&parser->cursor, name) != OK)
        return FAILED;
    return graph_find(parser->graph, *name) < 0
               ? OK
               : cursor_complain(&parser->cursor, "the name is taken that stands before what is");
}

static int parse_used_name(struct parser *parser, int *tensor)
{
    const char *name;
    if (cursor_word(&parser->cursor, &name) != OK)
        return FAILED;
    *tensor = graph_find(parser->graph, name);
    return *tensor >= 0 ? OK
                        : cursor_complain(&parser->cursor,
                                          "nothing made the tensor that is named before what is");
}

static int parse_input(struct parser *parser, int block)
{
    struct cursor *cursor = &parser->cursor;
    struct array array = {UNKNOWN_TYPE, NULL};
    const char *name;
    if (parse_new_name(parser, &name) != OK ||
        (cursor_take(cursor, ":") && parse_type(parser, &array.type) != OK))
        return FAILED;
    if (!cursor_take(cursor, "="))
        return graph_add_input(parser->graph, block, name, &array.type, cursor->error) < 0 ? FAILED
                                                                                           : OK;
    if (parse_values(parser, &array) != OK)
        return FAILED;
    const int id = graph_add_constant(parser->graph, name, &array.type, array.data, cursor->error);
    return id < 0 ? FAILED : graph_make_overridable(parser->graph, id, block, cursor->error);
}

/* Its values are filled in later. */
static int add_named(struct parser *parser, int id)
{
    struct graph *graph = parser->graph;
    struct tensor *tensor = graph->tensor[id];
    const long bytes = type_bytes(&tensor->type);
    if (bytes < 0 || !element_is_real(tensor->type.element))
        return cursor_complain(&parser->cursor, "only reals of known dimensions can be 'named'");
    if (bytes > parser->named_bytes)
        return cursor_complain(&parser->cursor, "'named' values take more memory than is allowed");
    parser->named_bytes -= bytes;
    void *data = arena_take(&graph->arena, (size_t)bytes);
    parser->named =
        arena_room(&graph->arena, parser->named, parser->named_count, sizeof *parser->named);
    if (!data || !parser->named)
        return out_of_memory(parser);
    tensor->data = data;
    parser->named[parser->named_count++] = id;
    return OK;
}

static int parse_constant(struct parser *parser)
{
    struct cursor *cursor = &parser->cursor;
    struct array array;
    const char *name;
    if (parse_new_name(parser, &name) != OK || cursor_expect(cursor, ":") != OK ||
        parse_type(parser, &array.type) != OK || cursor_expect(cursor, "=") != OK)
        return FAILED;
    const bool is_named = cursor_take_word(cursor, "named");
    array.data = NULL;
    if (!is_named && parse_values(parser, &array) != OK)
        return FAILED;
    const int id = graph_add_constant(parser->graph, name, &array.type, array.data, cursor->error);
    return id < 0 ? FAILED : is_named ? add_named(parser, id) : OK;
}

static void fill_named(struct parser *parser)
{
    struct graph *graph = parser->graph;
    for (int i = 0; i < parser->named_count; i++) {
        struct tensor *tensor = graph->tensor[parser->named[i]];
        weight_fill(tensor->name, &tensor->type, weight_rule_of(graph, parser->named[i], 1),
                    (void *)(uintptr_t)tensor->data);
    }
}

/* ---- attributes ---- */

static int append_item(struct parser *parser, struct attribute *list, void **items, size_t bytes)
{
    *items = arena_room(&parser->graph->arena, *items, (int)list->count, bytes);
    return *items ? OK : out_of_memory(parser);
}

/* One item more of the list, whose kind the first one decided. */
static int parse_item(struct parser *parser, struct attribute *list, void **items)
{
    struct cursor *cursor = &parser->cursor;
    switch (list->kind) {
    case ATTRIBUTE_INTS:
        if (append_item(parser, list, items, sizeof(long)) != OK)
            return FAILED;
        return cursor_integer(cursor, (long *)*items + list->count++);
    case ATTRIBUTE_REALS:
        if (append_item(parser, list, items, sizeof(double)) != OK)
            return FAILED;
        return cursor_real(cursor, (double *)*items + list->count++);
    default:
        if (append_item(parser, list, items, sizeof(struct text)) != OK)
            return FAILED;
        return cursor_text(cursor, (struct text *)*items + list->count++);
    }
}

static int parse_list(struct parser *parser, struct attribute *list)
{
    struct cursor *cursor = &parser->cursor;
    void *items = NULL;
    list->kind = cursor_at_quote(cursor)  ? ATTRIBUTE_TEXTS
                 : cursor_at_real(cursor) ? ATTRIBUTE_REALS
                                          : ATTRIBUTE_INTS;
    int result;
    do
        result = parse_item(parser, list, &items);
    while (result == OK && more(cursor, "]", &result));
    if (list->kind == ATTRIBUTE_INTS)
        list->integers = items;
    else if (list->kind == ATTRIBUTE_REALS)
        list->reals = items;
    else
        list->texts = items;
    return result;
}

/* "ints[]" and so on; false: something else. */
static bool take_empty_list(struct cursor *cursor, struct attribute *list)
{
    static const struct {
        const char *word;
        enum attribute_kind kind;
    } kinds[] = {{"ints", ATTRIBUTE_INTS}, {"reals", ATTRIBUTE_REALS}, {"texts", ATTRIBUTE_TEXTS}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (cursor_take_word(cursor, kinds[i].word)) {
            list->kind = kinds[i].kind;
            return cursor_take(cursor, "[]");
        }
    return false;
}

static int parse_tensor(struct parser *parser, struct attribute *attribute)
{
    struct array array = {UNKNOWN_TYPE, NULL};
    if (parse_type(parser, &array.type) != OK || parse_values(parser, &array) != OK)
        return FAILED;
    attribute->kind = ATTRIBUTE_TENSOR;
    attribute->tensor = arena_copy(&parser->graph->arena, &array, sizeof array);
    return attribute->tensor ? OK : out_of_memory(parser);
}

static int parse_value(struct parser *parser, int node, struct attribute *attribute)
{
    struct cursor *cursor = &parser->cursor;
    if (cursor_take(cursor, "["))
        return parse_list(parser, attribute);
    if (cursor_at_quote(cursor)) {
        attribute->kind = ATTRIBUTE_TEXT;
        return cursor_text(cursor, &attribute->text);
    }
    if (cursor_take_word(cursor, "block")) {
        attribute->kind = ATTRIBUTE_BLOCK;
        attribute->block = graph_add_block(parser->graph, node, "", cursor->error);
        return attribute->block < 0 ? FAILED : OK;
    }
    if (cursor_take_word(cursor, "other")) {
        attribute->kind = ATTRIBUTE_OTHER;
        return OK;
    }
    if (take_empty_list(cursor, attribute))
        return OK;
    const bool is_number = *cursor->at && strchr("-+0123456789", *cursor->at);
    if (cursor_take_word(cursor, "nan") || cursor_take_word(cursor, "inf"))
        cursor->at -= 3;
    else if (!is_number)
        return parse_tensor(parser, attribute);
    attribute->kind = cursor_at_real(cursor) ? ATTRIBUTE_REAL : ATTRIBUTE_INT;
    return attribute->kind == ATTRIBUTE_REAL ? cursor_real(cursor, &attribute->real)
                                             : cursor_integer(cursor, &attribute->integer);
}

static int parse_attributes(struct parser *parser, int node)
{
    struct cursor *cursor = &parser->cursor;
    int result = OK;
    if (!cursor_take(cursor, "{"))
        return OK;
    do {
        struct attribute attribute = {0};
        if (cursor_word(cursor, &attribute.name) != OK || cursor_expect(cursor, ":") != OK ||
            parse_value(parser, node, &attribute) != OK)
            return FAILED;
        if (node_attribute(parser->graph->node[node], attribute.name))
            return cursor_complain(cursor, "an attribute stands twice, before what is");
        if (graph_set_attribute(parser->graph, node, &attribute, cursor->error) != OK)
            return FAILED;
    } while (more(cursor, "}", &result));
    return result;
}

/* ---- nodes ---- */

struct node_line {
    struct node_spec spec;
    int opset; /* 0: the graph's */
    int *inputs, *outputs;
};

static int append_operand(struct parser *parser, int **operands, int *count, int tensor)
{
    *operands = arena_room(&parser->graph->arena, *operands, *count, sizeof **operands);
    if (!*operands)
        return out_of_memory(parser);
    (*operands)[(*count)++] = tensor;
    return OK;
}

/* "y: f32[2], -, z", up to the "=". */
static int parse_results(struct parser *parser, int block, struct node_line *call)
{
    struct cursor *cursor = &parser->cursor;
    int result = OK;
    if (cursor_take(cursor, "="))
        return OK;
    do {
        struct type type = UNKNOWN_TYPE;
        const char *name;
        int tensor = -1;
        if (!cursor_take_word(cursor, "-")) {
            if (parse_new_name(parser, &name) != OK ||
                (cursor_take(cursor, ":") && parse_type(parser, &type) != OK))
                return FAILED;
            tensor = graph_add_tensor(parser->graph, block, name, &type, cursor->error);
            if (tensor < 0)
                return FAILED;
        }
        if (append_operand(parser, &call->outputs, &call->spec.output_count, tensor) != OK)
            return FAILED;
    } while (more(cursor, "=", &result));
    return result;
}

/* "domain::Type@7(x, -)". */
static int parse_call(struct parser *parser, struct node_line *call)
{
    struct cursor *cursor = &parser->cursor;
    int result = OK;
    long opset = 0;
    if (cursor_word(cursor, &call->spec.type) != OK)
        return FAILED;
    if (cursor_take(cursor, "::")) {
        call->spec.domain = call->spec.type;
        if (cursor_word(cursor, &call->spec.type) != OK)
            return FAILED;
    }
    if (cursor_take(cursor, "@") && cursor_integer(cursor, &opset) != OK)
        return FAILED;
    call->opset = opset < 0 || opset > 1 << 20 ? 0 : (int)opset;
    if (cursor_expect(cursor, "(") != OK)
        return FAILED;
    if (cursor_take(cursor, ")"))
        return OK;
    do {
        int tensor = -1;
        if ((!cursor_take_word(cursor, "-") && parse_used_name(parser, &tensor) != OK) ||
            append_operand(parser, &call->inputs, &call->spec.input_count, tensor) != OK)
            return FAILED;
    } while (more(cursor, ")", &result));
    return result;
}

static int parse_block(struct parser *parser, int block);

/* The sections of its subgraphs, one for each such attribute. */
static int parse_sections(struct parser *parser, int id)
{
    struct cursor *cursor = &parser->cursor;
    const struct node *node = parser->graph->node[id];
    int result = OK;
    for (int i = 0; i < node->attribute_count && result == OK; i++) {
        const char *name = "";
        if (node->attributes[i].kind != ATTRIBUTE_BLOCK)
            continue;
        if (!cursor_next_line(cursor) || !cursor_take_word(cursor, "block") ||
            (!cursor_at_end(cursor) && cursor_word(cursor, &name) != OK) || !cursor_at_end(cursor))
            return cursor_complain(cursor, "there should be a line 'block NAME'");
        parser->graph->block[node->attributes[i].block]->name = name;
        result = parse_block(parser, node->attributes[i].block);
        if (result == OK && !cursor_take_word(cursor, "end"))
            result = cursor_complain(cursor, "there should be an 'end'");
    }
    return result;
}

static int parse_node(struct parser *parser, int block)
{
    struct cursor *cursor = &parser->cursor;
    struct graph *graph = parser->graph;
    struct node_line call = {.spec = {.block = block, .before = -1}};
    if (parse_results(parser, block, &call) != OK || parse_call(parser, &call) != OK)
        return FAILED;
    call.spec.inputs = call.inputs;
    call.spec.outputs = call.outputs;
    const int id = graph_add_node(graph, &call.spec, cursor->error);
    if (id < 0)
        return FAILED;
    struct node *node = graph->node[id];
    if (call.opset) {
        node->opset = call.opset;
        node->op = op_find(node->domain, node->type, node->opset);
    }
    if (parse_attributes(parser, id) != OK ||
        (cursor_take_word(cursor, "as") && cursor_word(cursor, &node->name) != OK))
        return FAILED;
    return cursor_at_end(cursor) ? parse_sections(parser, id)
                                 : cursor_complain(cursor, "the line should end");
}

static int parse_output(struct parser *parser, int block)
{
    int tensor;
    if (parse_used_name(parser, &tensor) != OK)
        return FAILED;
    return graph_add_output(parser->graph, block, tensor, parser->cursor.error);
}

/* Lines up to 'end' or the end of the text. */
static int parse_block(struct parser *parser, int block)
{
    struct cursor *cursor = &parser->cursor;
    int result = OK;
    if (++parser->depth > NESTING_MAX)
        return cursor_complain(cursor, "subgraphs are nested too deep");
    while (result == OK && cursor_next_line(cursor)) {
        const char *line = cursor->at;
        if (block > 0 && cursor_take_word(cursor, "end")) {
            cursor->at = line;
            break;
        }
        if (cursor_take_word(cursor, "input"))
            result = parse_input(parser, block);
        else if (cursor_take_word(cursor, "const"))
            result = parse_constant(parser);
        else if (cursor_take_word(cursor, "output"))
            result = parse_output(parser, block);
        else
            result = parse_node(parser, block);
        if (result == OK && !cursor_at_end(cursor))
            result = cursor_complain(cursor, "the line should end");
    }
    parser->depth--;
    return result;
}

/* "graph NAME (ir 8, onnx 17)". */
static int parse_head(struct parser *parser)
{
    struct cursor *cursor = &parser->cursor;
    struct graph *graph = parser->graph;
    const char *name = "";
    int result = OK;
    if (!cursor_next_line(cursor) || !cursor_take_word(cursor, "graph") ||
        (!cursor_take(cursor, "(") &&
         (cursor_word(cursor, &name) != OK || cursor_expect(cursor, "(") != OK)))
        return cursor_complain(cursor, "a graph begins with 'graph NAME (onnx 17)'");
    graph->name = name;
    do {
        const char *domain;
        long version;
        if (cursor_word(cursor, &domain) != OK || cursor_integer(cursor, &version) != OK)
            return FAILED;
        if (version < 1 || version > 1 << 20)
            return cursor_complain(cursor, "no version is such a number as stands before what is");
        if (strcmp(domain, "ir") == 0)
            graph->ir_version = (int)version;
        else if (graph_import(graph, strcmp(domain, "onnx") == 0 ? "" : domain, (int)version,
                              cursor->error) != OK)
            return FAILED;
    } while (more(cursor, ")", &result));
    return result == OK && !cursor_at_end(cursor) ? cursor_complain(cursor, "the line should end")
                                                  : result;
}

int graph_parse(struct graph *graph, const char *name, const char *text, long most_named_bytes,
                struct error *error)
{
    if (graph_init(graph, "", error) != OK)
        return FAILED;
    struct parser parser = {
        .graph = graph,
        .named_bytes = most_named_bytes,
        .cursor = {.at = text, .name = name, .line = 1, .arena = &graph->arena, .error = error}};
    if (parse_head(&parser) != OK || parse_block(&parser, 0) != OK)
        return FAILED;
    fill_named(&parser);
    if (graph_infer(graph, error) != OK)
        return FAILED;
    return graph_verify(graph, error);
}
