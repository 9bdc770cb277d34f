// cblas.h - libraries of BLAS as variants of gemm.
#ifndef ROOFLINE_CBLAS_H
#define ROOFLINE_CBLAS_H

#include "kernel.h"

extern const struct routine openblas_gemm, blis_gemm, mkl_gemm;

#endif
