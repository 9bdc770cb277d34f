// cblas.c - gemm of OpenBLAS, BLIS and MKL by their C interface with 32-bit integers (LP64).
#include "cblas.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The values of enum CBLAS_ORDER and CBLAS_TRANSPOSE, which all have from the reference
 * (www.netlib.org/blas/blast-forum/cblas.tgz, cblas.h). */
enum { ROW_MAJOR = 101, NOT_TRANSPOSED = 111, TRANSPOSED = 112 };

typedef void sgemm_function(int order, int transpose_a, int transpose_b, int m, int n, int k,
                            float alpha, const float *a, int lda, const float *b, int ldb,
                            float beta, float *c, int ldc);
typedef void dgemm_function(int order, int transpose_a, int transpose_b, int m, int n, int k,
                            double alpha, const double *a, int lda, const double *b, int ldb,
                            double beta, double *c, int ldc);

/* The gemms of a batch, ready to be called. */
struct plan {
    sgemm_function *sgemm;
    dgemm_function *dgemm;
    enum dtype dtype;
    int m, n, k, transpose_a, transpose_b;
    double alpha, beta;
    long batch;
    char *a, *b, *c;
};

static const struct library_function gemm_functions[] = {
    {"cblas_sgemm", offsetof(struct plan, sgemm)},
    {"cblas_dgemm", offsetof(struct plan, dgemm)},
    {0},
};

static int at_least_one(int size)
{
    return size > 0 ? size : 1;
}

static void run(void *context)
{
    const struct plan *plan = context;
    /* Of an empty matrix, too, the leading dimension has to be 1 or more. */
    const int lda = at_least_one(plan->transpose_a == TRANSPOSED ? plan->m : plan->k),
              ldb = at_least_one(plan->transpose_b == TRANSPOSED ? plan->k : plan->n),
              ldc = at_least_one(plan->n);
    const long m = plan->m, n = plan->n, k = plan->k, element_bytes = dtype_bytes(plan->dtype);
    for (long i = 0; i < plan->batch; i++) {
        void *a = plan->a + i * m * k * element_bytes, *b = plan->b + i * k * n * element_bytes,
             *c = plan->c + i * m * n * element_bytes;
        if (plan->dtype == DTYPE_f32)
            plan->sgemm(ROW_MAJOR, plan->transpose_a, plan->transpose_b, plan->m, plan->n, plan->k,
                        (float)plan->alpha, a, lda, b, ldb, (float)plan->beta, c, ldc);
        else
            plan->dgemm(ROW_MAJOR, plan->transpose_a, plan->transpose_b, plan->m, plan->n, plan->k,
                        plan->alpha, a, lda, b, ldb, plan->beta, c, ldc);
    }
}

static long letter(const struct problem *problem, const char *name)
{
    return kernel_letter(problem->kernel, problem->shape, name);
}

/* What all three have in common; `granted` threads are what the library says that it will use. */
static int make_plan(const struct problem *problem, const struct opened_library *opened,
                     int granted, void **context, struct error *error)
{
    const long m = letter(problem, "m"), n = letter(problem, "n"), k = letter(problem, "k");
    if (granted != problem->threads)
        return error_skip(error, "%s takes %d threads, not %d: it was built for so many",
                          opened->version, granted, problem->threads);
    if (m > INT_MAX || n > INT_MAX || k > INT_MAX)
        return error_skip(error, "%s takes sizes below 2^31", opened->library->name);
    struct plan *plan = malloc(sizeof *plan);
    if (!plan)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for a plan of gemm");
    *plan = (struct plan){.dtype = problem->dtype,
                          .m = (int)m,
                          .n = (int)n,
                          .k = (int)k,
                          .transpose_a = letter(problem, "transa") ? TRANSPOSED : NOT_TRANSPOSED,
                          .transpose_b = letter(problem, "transb") ? TRANSPOSED : NOT_TRANSPOSED,
                          .alpha = (double)letter(problem, "alpha"),
                          .beta = (double)letter(problem, "beta"),
                          .batch = letter(problem, "batch"),
                          .c = problem->operand[0],
                          .a = problem->operand[1],
                          .b = problem->operand[2]};
    int result = library_find(opened, gemm_functions, plan, error);
    if (result == OK)
        *context = plan;
    else
        free(plan);
    return result;
}

/* ---- OpenBLAS ---- */

struct openblas {
    char *(*config)(void);
    char *(*core)(void);
    int (*parallel)(void); /* 0 not at all, 1 threads of its own, 2 OpenMP */
    void (*set_threads)(int threads);
    int (*get_threads)(void);
};

static const struct library_function openblas_functions[] = {
    {"openblas_get_config", offsetof(struct openblas, config)},
    {"openblas_get_corename", offsetof(struct openblas, core)},
    {"openblas_get_parallel", offsetof(struct openblas, parallel)},
    {"openblas_set_num_threads", offsetof(struct openblas, set_threads)},
    {"openblas_get_num_threads", offsetof(struct openblas, get_threads)},
    {0},
};

static int openblas_check(struct opened_library *opened, struct error *error)
{
    static const char *const threading[] = {"without threads", "pthreads", "OpenMP"};
    struct openblas openblas;
    int result = library_find(opened, openblas_functions, &openblas, error);
    if (result == OK)
        result = library_find(opened, gemm_functions, &(struct plan){0}, error);
    if (result != OK)
        return result;
    /* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..." */
    const char *config = openblas.config();
    char number[32] = "";
    if (sscanf(config, "OpenBLAS %31s", number) != 1)
        return error_skip(error, "'%s' says that it is '%s', not OpenBLAS", opened->file, config);
    if (strstr(config, "USE64BITINT"))
        return error_skip(error,
                          "OpenBLAS %s in '%s' was built with 64-bit integers (ILP64); remedy: "
                          "install the package '%s'",
                          number, opened->file, opened->library->package);
    int parallel = openblas.parallel();
    snprintf(opened->version, sizeof opened->version, "OpenBLAS %s, %s, %s", number,
             parallel >= 0 && parallel <= 2 ? threading[parallel] : "threads of some kind",
             openblas.core());
    return OK;
}

static int openblas_prepare(const struct problem *problem, const struct opened_library *opened,
                            void **plan, struct error *error)
{
    struct openblas openblas;
    int result = library_find(opened, openblas_functions, &openblas, error);
    if (result != OK)
        return result;
    openblas.set_threads(problem->threads);
    return make_plan(problem, opened, openblas.get_threads(), plan, error);
}

static const struct library openblas = {
    .name = "OpenBLAS",
    /* Debian's choice by update-alternatives, then Fedora's names of the threaded ones. */
    .files =
        (const char *const[]){"libopenblas.so.0", "libopenblaso.so.0", "libopenblasp.so.0", NULL},
    .package = "libopenblas0-openmp",
    .check = openblas_check,
};
const struct routine openblas_gemm = {
    .library = &openblas, .prepare = openblas_prepare, .run = run, .close = free};

/* ---- BLIS ---- */

/* Its gint_t is 64 bits wide on 64-bit machines; what is asked for here is small and not negative,
 * so that the lower half, which is where a 32-bit result is returned, too, is enough. */
struct blis {
    const char *(*version)(void);
    int64_t (*blas_int_bits)(void);
    int64_t (*openmp)(void);
    int64_t (*pthreads)(void);
    int (*core)(void);
    const char *(*core_name)(int core);
    void (*set_threads)(int64_t threads);
    int64_t (*get_threads)(void);
};

static const struct library_function blis_functions[] = {
    {"bli_info_get_version_str", offsetof(struct blis, version)},
    {"bli_info_get_blas_int_type_size", offsetof(struct blis, blas_int_bits)},
    {"bli_info_get_enable_openmp", offsetof(struct blis, openmp)},
    {"bli_info_get_enable_pthreads", offsetof(struct blis, pthreads)},
    {"bli_arch_query_id", offsetof(struct blis, core)},
    {"bli_arch_string", offsetof(struct blis, core_name)},
    {"bli_thread_set_num_threads", offsetof(struct blis, set_threads)},
    {"bli_thread_get_num_threads", offsetof(struct blis, get_threads)},
    {0},
};

static int blis_check(struct opened_library *opened, struct error *error)
{
    struct blis blis;
    int result = library_find(opened, blis_functions, &blis, error);
    if (result == OK)
        result = library_find(opened, gemm_functions, &(struct plan){0}, error);
    if (result != OK)
        return result;
    if ((int)blis.blas_int_bits() != 32)
        return error_skip(error,
                          "BLIS %s in '%s' was built for BLAS with %d-bit integers; remedy: "
                          "install the package '%s'",
                          blis.version(), opened->file, (int)blis.blas_int_bits(),
                          opened->library->package);
    snprintf(opened->version, sizeof opened->version, "BLIS %s, %s, %s", blis.version(),
             (int)blis.openmp()     ? "OpenMP"
             : (int)blis.pthreads() ? "pthreads"
                                    : "without threads",
             blis.core_name(blis.core()));
    return OK;
}

static int blis_prepare(const struct problem *problem, const struct opened_library *opened,
                        void **plan, struct error *error)
{
    struct blis blis;
    int result = library_find(opened, blis_functions, &blis, error);
    if (result != OK)
        return result;
    /* It takes any number, and without threads ignores it. */
    bool threaded = (int)blis.openmp() || (int)blis.pthreads();
    blis.set_threads(problem->threads);
    return make_plan(problem, opened, threaded ? (int)blis.get_threads() : 1, plan, error);
}

static const struct library blis = {
    .name = "BLIS",
    .files = (const char *const[]){"libblis.so.4", "libblis-mt.so.4", "libblis.so.3", NULL},
    .package = "libblis4-openmp",
    .check = blis_check,
};
const struct routine blis_gemm = {
    .library = &blis, .prepare = blis_prepare, .run = run, .close = free};

/* ---- MKL ---- */

/* Of mkl_service.h; the names in small letters are those of Fortran, which passes addresses. */
enum { MKL_LP64 = 0, MKL_THREADS_GNU = 3 };
struct mkl {
    int (*set_interface)(int layer);
    int (*set_threading)(int layer);
    void (*version)(char *text, int capacity);
    void (*set_threads)(int threads);
    int (*get_threads)(void);
    void (*set_dynamic)(int dynamic);
};

static const struct library_function mkl_functions[] = {
    {"MKL_Set_Interface_Layer", offsetof(struct mkl, set_interface)},
    {"MKL_Set_Threading_Layer", offsetof(struct mkl, set_threading)},
    {"MKL_Get_Version_String", offsetof(struct mkl, version)},
    {"MKL_Set_Num_Threads", offsetof(struct mkl, set_threads)},
    {"MKL_Get_Max_Threads", offsetof(struct mkl, get_threads)},
    {"MKL_Set_Dynamic", offsetof(struct mkl, set_dynamic)},
    {0},
};

static int mkl_check(struct opened_library *opened, struct error *error)
{
    struct mkl mkl;
    int result = library_find(opened, mkl_functions, &mkl, error);
    if (result == OK)
        result = library_find(opened, gemm_functions, &(struct plan){0}, error);
    if (result != OK)
        return result;
    /* Both are chosen once, before anything else is called. libgomp, because two runtimes of
     * Intel's family in one process end it. */
    mkl.set_interface(MKL_LP64);
    mkl.set_threading(MKL_THREADS_GNU);
    /* "Intel(R) oneAPI Math Kernel Library Version 2023.2-Product Build 20230613 for Intel(R) 64
     * architecture applications" */
    char text[256] = "";
    mkl.version(text, sizeof text - 1);
    const char *number = strstr(text, "Version ");
    snprintf(opened->version, sizeof opened->version, "MKL %.*s, OpenMP",
             number ? (int)strcspn(number + 8, "- ") : 7, number ? number + 8 : "unknown");
    return OK;
}

static int mkl_prepare(const struct problem *problem, const struct opened_library *opened,
                       void **plan, struct error *error)
{
    struct mkl mkl;
    int result = library_find(opened, mkl_functions, &mkl, error);
    if (result != OK)
        return result;
    mkl.set_dynamic(0);
    mkl.set_threads(problem->threads);
    return make_plan(problem, opened, mkl.get_threads(), plan, error);
}

static const struct library mkl = {
    .name = "MKL",
    .files = (const char *const[]){"libmkl_rt.so.3", "libmkl_rt.so.2", "libmkl_rt.so.1",
                                   "libmkl_rt.so", NULL},
    .package = "libmkl-rt",
    .check = mkl_check,
};
const struct routine mkl_gemm = {
    .library = &mkl, .prepare = mkl_prepare, .run = run, .close = free};
