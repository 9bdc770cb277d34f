// onnx_tensor.c - values of ONNX tensors: in the file in one of many ways, or in another file.
#include "onnx.h"
#include "onnx_parts.h"

#if HAVE_ONNX

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph_file.h"

struct reading {
    const Onnx__TensorProto *tensor;
    struct array *array;
    struct arena *arena;
    struct error *error;
    long elements;
};

static const char *name_of(const Onnx__TensorProto *tensor)
{
    return tensor->name ? tensor->name : "";
}

static int out_of_memory(const struct reading *reading)
{
    return error_set(reading->error, FAULT_ENVIRONMENT, "out of memory for tensor '%s'",
                     name_of(reading->tensor));
}

static int read_type(struct reading *reading)
{
    const Onnx__TensorProto *tensor = reading->tensor;
    struct type *type = &reading->array->type;
    *type = (struct type){.element = (enum element)tensor->data_type};
    if (element_bits(type->element) == 0)
        return error_set(reading->error, FAULT_IO,
                         "tensor '%s' has elements of the unknown type %d", name_of(tensor),
                         tensor->data_type);
    if (tensor->n_dims > RANK_MAX)
        return error_set(reading->error, FAULT_IO,
                         "tensor '%s' has %zu dimensions; at most %d can be handled",
                         name_of(tensor), tensor->n_dims, RANK_MAX);
    type->rank = (int)tensor->n_dims;
    for (int i = 0; i < type->rank; i++) {
        type->dims[i] = tensor->dims[i];
        if (tensor->dims[i] < 0)
            return error_set(reading->error, FAULT_IO, "dimension %d of tensor '%s' is %lld", i,
                             name_of(tensor), (long long)tensor->dims[i]);
    }
    reading->elements = -1;
    if (type_check(type, name_of(tensor), reading->error) != OK)
        return FAILED;
    reading->elements = type_elements(type);
    return OK;
}

/* A list of as many numbers as there are elements, borrowed as it is. */
static int borrow(struct reading *reading, const void *data, size_t count, size_t numbers)
{
    if (count != numbers)
        return error_set(reading->error, FAULT_IO, "tensor '%s' has %zu values for %ld elements",
                         name_of(reading->tensor), count, reading->elements);
    if (count == 0)
        data = arena_take(reading->arena, 0);
    reading->array->data = (void *)(uintptr_t)data;
    return data ? OK : out_of_memory(reading);
}

/* int32_data holds smaller elements one by one (those below a byte, a byte each), uint64_data u32.
 */
static int narrow(struct reading *reading, const void *numbers, size_t number_bytes, size_t count)
{
    const enum element element = reading->array->type.element;
    const size_t bytes = element_bytes(element, reading->elements);
    const size_t each = element_bits(element) < 8 ? 1 : (size_t)element_bits(element) / 8;
    if (borrow(reading, numbers, count, bytes / each) != OK)
        return FAILED;
    char *data = arena_take(reading->arena, bytes);
    if (!data)
        return out_of_memory(reading);
    for (size_t i = 0; i < count; i++) /* the low bytes come first */
        memcpy(data + i * each, (const char *)numbers + i * number_bytes, each);
    reading->array->data = data;
    return OK;
}

static int read_texts(struct reading *reading)
{
    const Onnx__TensorProto *tensor = reading->tensor;
    struct text *texts = arena_take_array(reading->arena, tensor->n_string_data, sizeof *texts);
    if (!texts)
        return out_of_memory(reading);
    for (size_t i = 0; i < tensor->n_string_data; i++) {
        const ProtobufCBinaryData from = tensor->string_data[i];
        char *bytes = arena_take(reading->arena, from.len + 1);
        if (!bytes)
            return out_of_memory(reading);
        if (from.len)
            memcpy(bytes, from.data, from.len);
        texts[i] = (struct text){bytes, from.len};
    }
    return borrow(reading, texts, tensor->n_string_data, (size_t)reading->elements);
}

/* The list that holds elements of that type; raw data are for all but texts. */
static int read_values(struct reading *reading)
{
    const Onnx__TensorProto *t = reading->tensor;
    const size_t elements = (size_t)reading->elements;
    const enum element element = reading->array->type.element;
    if (element == ELEMENT_text)
        return read_texts(reading);
    if (t->has_raw_data) {
        const size_t bytes = element_bytes(element, reading->elements);
        return borrow(reading, t->raw_data.data, t->raw_data.len, bytes);
    }
    switch (element) {
    case ELEMENT_f32:
        return borrow(reading, t->float_data, t->n_float_data, elements);
    case ELEMENT_c64:
        return borrow(reading, t->float_data, t->n_float_data, 2 * elements);
    case ELEMENT_f64:
        return borrow(reading, t->double_data, t->n_double_data, elements);
    case ELEMENT_c128:
        return borrow(reading, t->double_data, t->n_double_data, 2 * elements);
    case ELEMENT_i64:
        return borrow(reading, t->int64_data, t->n_int64_data, elements);
    case ELEMENT_u64:
        return borrow(reading, t->uint64_data, t->n_uint64_data, elements);
    case ELEMENT_u32:
        return narrow(reading, t->uint64_data, sizeof *t->uint64_data, t->n_uint64_data);
    case ELEMENT_i32:
        return borrow(reading, t->int32_data, t->n_int32_data, elements);
    default:
        return narrow(reading, t->int32_data, sizeof *t->int32_data, t->n_int32_data);
    }
}

/* ---- external data ---- */

static int external_error(const Onnx__TensorProto *tensor, const char *what, const char *subject,
                          struct error *error)
{
    return error_set(error, FAULT_IO, "external data of tensor '%s': '%.150s' %s", name_of(tensor),
                     subject, what);
}

/* A whole number of the entry `key`; the fallback where there is none. */
static int read_number(const Onnx__TensorProto *tensor, const char *key, size_t fallback,
                       size_t *value, struct error *error)
{
    *value = fallback;
    for (size_t i = 0; i < tensor->n_external_data; i++) {
        const Onnx__StringStringEntryProto *entry = tensor->external_data[i];
        if (!entry->key || strcmp(entry->key, key) != 0 || !entry->value)
            continue;
        char *end;
        errno = 0;
        const long long number = strtoll(entry->value, &end, 10);
        if (end == entry->value || *end || errno || number < 0)
            return external_error(tensor, "is no offset or length", entry->value, error);
        *value = (size_t)number;
    }
    return OK;
}

static const char *location_of(const Onnx__TensorProto *tensor)
{
    for (size_t i = 0; i < tensor->n_external_data; i++)
        if (tensor->external_data[i]->key && tensor->external_data[i]->value &&
            strcmp(tensor->external_data[i]->key, "location") == 0)
            return tensor->external_data[i]->value;
    return "";
}

/* "a/../b", "/b": anything that leads out of the model's folder. */
static bool leads_out(const char *location)
{
    if (*location == 0 || *location == '/')
        return true;
    for (const char *part = location; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == 0 || part[2] == '/'))
            return true;
    }
    return false;
}

/* The folder of a path, "." where it has none; false where it does not fit. */
static bool folder_of(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    const size_t length = slash ? (size_t)(slash - path) : 1;
    if (length >= PATH_MAX)
        return false;
    memcpy(folder, slash ? path : ".", length);
    folder[length] = 0;
    return true;
}

/* Whether `path`, in which no link is left, is below the folder. */
static bool lies_below(const char *path, const char *folder)
{
    char resolved[PATH_MAX];
    const size_t length = realpath(*folder ? folder : "/", resolved) ? strlen(resolved) : 0;
    return length > 0 && strncmp(path, resolved, length) == 0 &&
           (path[length] == '/' || resolved[length - 1] == '/');
}

/* The file, below the folder in which the model is, or in which it really is where its name is a
 * link: a link of the location may not lead elsewhere. */
static int find_file(const Onnx__TensorProto *tensor, const char *model, char path[PATH_MAX],
                     struct error *error)
{
    const char *location = location_of(tensor);
    char folder[PATH_MAX], real_model[PATH_MAX], real_folder[PATH_MAX], joined[2 * PATH_MAX + 2];
    if (leads_out(location))
        return external_error(tensor, "is no path below the model's folder", location, error);
    if (!folder_of(model, folder) || !realpath(model, real_model) ||
        !folder_of(real_model, real_folder))
        return external_error(tensor, "cannot be found", model, error);
    snprintf(joined, sizeof joined, "%s/%.*s", folder, PATH_MAX, location);
    if (!realpath(joined, path))
        return error_set(error, FAULT_IO,
                         "external data of tensor '%s': cannot find '%.150s': %s; the file of "
                         "weights belongs beside the model",
                         name_of(tensor), joined, strerror(errno));
    if (!lies_below(path, folder) && !lies_below(path, real_folder))
        return external_error(tensor, "is a link out of the model's folder", location, error);
    return OK;
}

static int read_external(struct reading *reading, struct graph *graph, struct onnx_place place)
{
    const Onnx__TensorProto *tensor = reading->tensor;
    const size_t bytes = element_bytes(reading->array->type.element, reading->elements);
    char path[PATH_MAX];
    struct mapping mapping;
    size_t offset, length;
    if (!graph || !place.model)
        return external_error(tensor, "cannot be read: this model is not a file by itself",
                              location_of(tensor), reading->error);
    if (reading->array->type.element == ELEMENT_text)
        return external_error(tensor, "cannot hold texts", location_of(tensor), reading->error);
    if (find_file(tensor, place.model, path, reading->error) != OK ||
        read_number(tensor, "offset", 0, &offset, reading->error) != OK ||
        read_number(tensor, "length", bytes, &length, reading->error) != OK)
        return FAILED;
    if (length != bytes)
        return error_set(reading->error, FAULT_IO,
                         "external data of tensor '%s': its length is %zu, its elements take %zu",
                         name_of(tensor), length, bytes);
    if (bytes == 0)
        return borrow(reading, NULL, 0, 0);
    if (graph_map(graph, path, &mapping, reading->error) != OK)
        return FAILED;
    if (offset > mapping.length || bytes > mapping.length - offset)
        return error_set(reading->error, FAULT_IO,
                         "external data of tensor '%s': '%.150s' has %zu bytes; %zu from %zu on "
                         "are asked for",
                         name_of(tensor), path, mapping.length, bytes, offset);
    const void *data = mapping.bytes + offset;
    if (offset % sizeof(long double)) /* not where its elements may be read from */
        data = arena_copy(reading->arena, data, bytes);
    reading->array->data = (void *)(uintptr_t)data;
    return data ? OK : out_of_memory(reading);
}

int onnx_tensor(struct array *array, const Onnx__TensorProto *tensor, struct arena *arena,
                struct graph *graph, struct onnx_place place, struct error *error)
{
    struct reading reading = {.tensor = tensor, .array = array, .arena = arena, .error = error};
    if (read_type(&reading) != OK)
        return FAILED;
    if (tensor->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        return read_external(&reading, graph, place);
    return read_values(&reading);
}

int onnx_read_tensor(struct arena *arena, const char *path, struct array *array, const char **name,
                     struct error *error)
{
    struct mapping mapping;
    ProtobufCMessage *message;
    if (mapping_open(&mapping, path, error) != OK)
        return FAILED;
    int result = onnx_unpack(&message, &onnx__tensor_proto__descriptor, path, mapping.bytes,
                             mapping.length, error);
    if (result == OK) {
        const Onnx__TensorProto *tensor = (const Onnx__TensorProto *)message;
        const struct onnx_place nowhere = {NULL};
        result = onnx_tensor(array, tensor, arena, NULL, nowhere, error);
        *name = result == OK ? arena_copy_text(arena, name_of(tensor)) : NULL;
        if (result == OK && array->type.element != ELEMENT_text)
            array->data = arena_copy(arena, array->data, (size_t)type_bytes(&array->type));
        if (result == OK && (!*name || !array->data))
            result = error_set(error, FAULT_ENVIRONMENT, "out of memory for '%s'", path);
        protobuf_c_message_free_unpacked(message, NULL);
    }
    mapping_close(&mapping);
    return result;
}

#else

int onnx_read_tensor(struct arena *arena, const char *path, struct array *array, const char **name,
                     struct error *error)
{
    (void)arena, (void)path, (void)array, (void)name;
    struct error reason;
    onnx_available(&reason);
    return error_set(error, FAULT_ENVIRONMENT, "%s", reason.text);
}

#endif
