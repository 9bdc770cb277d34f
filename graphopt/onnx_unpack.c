// onnx_unpack.c - protobuf messages out of bytes that may be anything.
//
// protobuf-c unpacks recursively, and into structs that can be a hundred times as large as the
// bytes. So the bytes are walked first, by the same descriptors and with a limit to both. Format:
// https://protobuf.dev/programming-guides/encoding/
#include "onnx_parts.h"

#if HAVE_ONNX

#include <onnx.pb-c.c>

/* As protobuf's own libraries: some 30 nested subgraphs. */
enum { NESTING_MAX = 100 };

/* Bytes that a message may take: so much, and so many times its length. */
enum { ALLOWED_BYTES = 32 << 20, ALLOWED_FACTOR = 8 };

/* What protobuf-c 1.4 takes for each field while it unpacks (struct ScannedMember, in a list that
 * doubles), and an allocation beside its bytes. */
enum { FIELD_BYTES = 64, ALLOCATION_BYTES = 32 };

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_LENGTH = 2, WIRE_32 = 5 };

struct walk {
    const unsigned char *bytes;
    double needed_bytes, allowed_bytes; /* of the unpacked message */
    const char *name;
    struct error *error;
};

static int broken(const struct walk *walk, const ProtobufCMessageDescriptor *kind, size_t at,
                  const char *what)
{
    return error_set(walk->error, FAULT_IO,
                     "'%s' is cut off or no ONNX file: %s at byte %zu, in a %s", walk->name, what,
                     at, kind->short_name);
}

/* The number at *at, which moves behind it; false where it does not end before `end`. */
static bool read_varint(const struct walk *walk, size_t *at, size_t end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 70 && *at < end; shift += 7) {
        const unsigned char byte = walk->bytes[(*at)++];
        if (shift < 64)
            *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return true;
    }
    return false;
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *kind,
                                                  uint64_t number)
{
    return number <= UINT32_MAX ? protobuf_c_message_descriptor_get_field(kind, (unsigned)number)
                                : NULL;
}

/* Bytes that the content of a field takes besides what every field does. */
static double content_bytes(const ProtobufCFieldDescriptor *field, size_t length)
{
    const bool is_list = field && field->label == PROTOBUF_C_LABEL_REPEATED;
    if (is_list && field->type != PROTOBUF_C_TYPE_BYTES && field->type != PROTOBUF_C_TYPE_STRING &&
        field->type != PROTOBUF_C_TYPE_FLOAT && field->type != PROTOBUF_C_TYPE_DOUBLE)
        return 8 * (double)length; /* packed: a byte may be an int64_t */
    return (double)length + ALLOCATION_BYTES;
}

static int walk_message(struct walk *walk, const ProtobufCMessageDescriptor *kind, size_t at,
                        size_t end, int depth);

/* One field behind its tag. */
static int walk_field(struct walk *walk, const ProtobufCMessageDescriptor *kind, uint64_t tag,
                      size_t *at, size_t end, int depth)
{
    const ProtobufCFieldDescriptor *field = find_field(kind, tag >> 3);
    uint64_t length = 0, ignored;
    switch ((enum wire)(tag & 7)) {
    case WIRE_VARINT:
        return read_varint(walk, at, end, &ignored) ? OK : broken(walk, kind, *at, "a number");
    case WIRE_64:
        length = 8;
        break;
    case WIRE_32:
        length = 4;
        break;
    case WIRE_LENGTH:
        if (!read_varint(walk, at, end, &length))
            return broken(walk, kind, *at, "a length");
        break;
    default:
        return broken(walk, kind, *at, "an unknown sort of field");
    }
    if (length > end - *at)
        return broken(walk, kind, *at, "a field that reaches beyond the end");
    const size_t begin = *at;
    *at += length;
    if (field && field->type == PROTOBUF_C_TYPE_MESSAGE && (tag & 7) == WIRE_LENGTH)
        return walk_message(walk, field->descriptor, begin, *at, depth + 1);
    walk->needed_bytes += content_bytes(field, length);
    return OK;
}

static int walk_message(struct walk *walk, const ProtobufCMessageDescriptor *kind, size_t at,
                        size_t end, int depth)
{
    if (depth > NESTING_MAX)
        return error_set(walk->error, FAULT_IO,
                         "'%s' is nested too deep: more than %d messages at byte %zu, in a %s",
                         walk->name, NESTING_MAX, at, kind->short_name);
    walk->needed_bytes += (double)kind->sizeof_message + ALLOCATION_BYTES;
    while (at < end) {
        uint64_t tag;
        const size_t begin = at;
        if (!read_varint(walk, &at, end, &tag) || tag >> 3 == 0)
            return broken(walk, kind, begin, "no field");
        walk->needed_bytes += FIELD_BYTES;
        if (walk_field(walk, kind, tag, &at, end, depth) != OK)
            return FAILED;
        if (walk->needed_bytes > walk->allowed_bytes)
            return error_set(walk->error, FAULT_IO,
                             "'%s' would take more than %.3g bytes of memory, out of proportion to "
                             "its length; stopped at byte %zu",
                             walk->name, walk->allowed_bytes, at);
    }
    return OK;
}

int onnx_unpack(ProtobufCMessage **message, const ProtobufCMessageDescriptor *kind,
                const char *name, const void *bytes, size_t length, struct error *error)
{
    struct walk walk = {.bytes = bytes,
                        .allowed_bytes = ALLOWED_BYTES + ALLOWED_FACTOR * (double)length,
                        .name = name,
                        .error = error};
    *message = NULL;
    if (walk_message(&walk, kind, 0, length, 0) != OK)
        return FAILED;
    *message = protobuf_c_message_unpack(kind, NULL, length, bytes);
    return *message
               ? OK
               : error_set(error, FAULT_IO, "'%s' is no ONNX file: protobuf-c cannot unpack its %s",
                           name, kind->short_name);
}

#endif
