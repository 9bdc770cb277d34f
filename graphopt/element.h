// element.h - what a tensor's elements are: ONNX's numbers, sizes, names, and their values as
// doubles and whole numbers.
#ifndef ROOFLINE_ELEMENT_H
#define ROOFLINE_ELEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(name, number, bits): the numbers of TensorProto.DataType,
 * https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Elements of less than a byte are packed,
 * the first in the low bits. */
#define ELEMENT_LIST(X)                                                                            \
    X(f32, 1, 32)                                                                                  \
    X(u8, 2, 8)                                                                                    \
    X(i8, 3, 8)                                                                                    \
    X(u16, 4, 16)                                                                                  \
    X(i16, 5, 16)                                                                                  \
    X(i32, 6, 32)                                                                                  \
    X(i64, 7, 64)                                                                                  \
    X(text, 8, 128)                                                                                \
    X(bool, 9, 8)                                                                                  \
    X(f16, 10, 16)                                                                                 \
    X(f64, 11, 64)                                                                                 \
    X(u32, 12, 32)                                                                                 \
    X(u64, 13, 64)                                                                                 \
    X(c64, 14, 64)                                                                                 \
    X(c128, 15, 128)                                                                               \
    X(bf16, 16, 16)                                                                                \
    X(f8e4m3fn, 17, 8)                                                                             \
    X(f8e4m3fnuz, 18, 8)                                                                           \
    X(f8e5m2, 19, 8)                                                                               \
    X(f8e5m2fnuz, 20, 8)                                                                           \
    X(u4, 21, 4)                                                                                   \
    X(i4, 22, 4)                                                                                   \
    X(f4e2m1, 23, 4)                                                                               \
    X(f8e8m0, 24, 8)                                                                               \
    X(u2, 25, 2)                                                                                   \
    X(i2, 26, 2)

enum element {
    ELEMENT_NONE = 0, /* unknown; of an optional input that is absent */
#define X(name, number, bits) ELEMENT_##name = number,
    ELEMENT_LIST(X)
#undef X
        ELEMENT_END
};

/* An element of ELEMENT_text; the bytes are borrowed from what owns the tensor's data. */
struct text {
    const char *bytes; /* ends in a 0 that is not counted */
    size_t length;
};

/* "f32"; "?" where it is unknown. */
const char *element_name(enum element element);

/* ELEMENT_NONE when there is none of that name. */
enum element element_find(const char *name, size_t length);

/* 0 where it is unknown. */
int element_bits(enum element element);

/* Bytes of so many elements, packed. */
size_t element_bytes(enum element element, long count);

/* f16, bf16, f32, f64 and those of 8 and 4 bits. */
bool element_is_real(enum element element);

/* Of 2 to 64 bits, signed or not; bool is not among them. */
bool element_is_whole(enum element element);
bool element_is_signed(enum element element); /* whole and signed */

/* Element i of an array as a double (complex: the real part); of bool 0 or 1; text: 0. */
double element_real(const void *data, enum element element, long i);

/* The same as a whole number: reals are cut off towards 0 and to the range of int64_t, NAN is 0; of
 * u64 the same 64 bits. */
int64_t element_whole(const void *data, enum element element, long i);

/* Whether a float has the value with all its digits: 0, or in the range of normal floats. */
bool real_fits_float(double value);

/* Writes element i, rounded to nearest even (reals) or cut off (whole numbers, modulo their range);
 * of bool whether it differs from 0. Formats without infinity take their largest number. */
void element_put_real(void *data, enum element element, long i, double value);
void element_put_whole(void *data, enum element element, long i, int64_t value);

#endif
