// fused.h - operators of domain roofline that are one of ONNX's with steps behind it: attribute
// `steps` names them, and each that takes two values has the next input behind the operator's own.
//
//   roofline::Conv(X, W, B, operands...), roofline::ConvTranspose, roofline::Gemm(A, B, C, ...),
//   roofline::MatMul(A, B, ...) with the attributes of com.microsoft's FusedMatMul, and
//   roofline::Chain(X, ...), which is the steps alone.
//
// Convolutions with attribute `layout` "nhwc" or "nchwc" have X and their result with channels last
// or in blocks, and the operands of steps are broadcast to that; weights are as ONNX has them. With
// `source` "nchw" X has channels first nevertheless.
#ifndef ROOFLINE_FUSED_H
#define ROOFLINE_FUSED_H

#include <stddef.h>

#include "steps.h"

enum { FUSED_STEPS_MAX = 12 };

/* The kind of that name: of a step that has no constants of its own; STEP_END: none has the name.
 */
enum step_kind fused_kind(const char *name, size_t length);
const char *fused_kind_name(enum step_kind kind);

#endif
