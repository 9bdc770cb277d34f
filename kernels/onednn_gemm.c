// onednn_gemm.c - products of matrices by oneDNN.
#include <stdlib.h>

#include "onednn.h"
#include "onednn_plan.h"

struct sgemm {
    int (*call)(char transpose_a, char transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
                const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c,
                int64_t ldc);
    int64_t m, n, k, lda, ldb;
    char transpose_a, transpose_b;
    float alpha, beta;
    long batch;
    const float *a, *b;
    float *c;
};

static const struct library_function functions[] = {{"dnnl_sgemm", offsetof(struct sgemm, call)},
                                                    {0}};

static int sgemm_prepare(const struct problem *problem, const struct opened_library *opened,
                         void **plan, struct error *error)
{
    struct sgemm *sgemm = calloc(1, sizeof *sgemm);
    if (!sgemm)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory for a plan of gemm");
#define LETTER(name) kernel_letter(problem->kernel, problem->shape, #name)
    sgemm->m = LETTER(m);
    sgemm->n = LETTER(n);
    sgemm->k = LETTER(k);
    sgemm->transpose_a = LETTER(transa) ? 'T' : 'N';
    sgemm->transpose_b = LETTER(transb) ? 'T' : 'N';
    sgemm->lda = LETTER(transa) ? sgemm->m : sgemm->k;
    sgemm->ldb = LETTER(transb) ? sgemm->k : sgemm->n;
    sgemm->alpha = (float)LETTER(alpha);
    sgemm->beta = (float)LETTER(beta);
    sgemm->batch = LETTER(batch);
#undef LETTER
    sgemm->c = problem->operand[0];
    sgemm->a = problem->operand[1];
    sgemm->b = problem->operand[2];
    int result = onednn_begin(problem, opened, error);
    if (result == OK)
        result = library_find(opened, functions, sgemm, error);
    if (result == OK && (sgemm->m == 0 || sgemm->n == 0 || sgemm->k == 0))
        result = error_skip(error, "oneDNN's gemm takes no empty matrix");
    if (result == OK)
        *plan = sgemm;
    else
        free(sgemm);
    return result;
}

static void sgemm_run(void *plan)
{
    const struct sgemm *s = plan;
    for (long i = 0; i < s->batch; i++)
        s->call(s->transpose_a, s->transpose_b, s->m, s->n, s->k, s->alpha, s->a + i * s->m * s->k,
                s->lda, s->b + i * s->k * s->n, s->ldb, s->beta, s->c + i * s->m * s->n, s->n);
}

const struct routine onednn_gemm = {
    .library = &onednn_library, .prepare = sgemm_prepare, .run = sgemm_run, .close = free};

static int matmul_prepare(const struct problem *problem, const struct opened_library *opened,
                          void **plan, struct error *error)
{
#define LETTER(name) const int64_t name = kernel_letter(problem->kernel, problem->shape, #name)
    LETTER(m);
    LETTER(n);
    LETTER(k);
    LETTER(transa);
    LETTER(transb);
    LETTER(alpha);
    LETTER(beta);
    LETTER(batch);
#undef LETTER
    if (m == 0 || n == 0 || k == 0 || batch == 0)
        return error_skip(error, "oneDNN's matmul takes no empty matrix");
    struct onednn_work work = {.kind = ONEDNN_MATMUL};
    /* Without the batch where there is none. */
    const int rank = batch > 1 ? 3 : 2, row = rank - 2, column = rank - 1;
    const int64_t c_sizes[] = {batch, m, n}, a_sizes[] = {batch, m, k}, b_sizes[] = {batch, k, n};
    onednn_append(&work, ONEDNN_DESTINATION, problem->operand[0], rank, c_sizes + 3 - rank);
    struct onednn_tensor *a =
        onednn_append(&work, ONEDNN_SOURCE, problem->operand[1], rank, a_sizes + 3 - rank);
    struct onednn_tensor *b =
        onednn_append(&work, ONEDNN_WEIGHTS, problem->operand[2], rank, b_sizes + 3 - rank);
    if (transa)
        a->strides[row] = 1, a->strides[column] = m;
    if (transb)
        b->strides[row] = 1, b->strides[column] = k;
    if (alpha != 1)
        work.post_op[work.post_ops++] = (struct onednn_post_op){
            .kind = ONEDNN_FUNCTION, .function = "scale_shift", .a = (double)alpha};
    if (beta != 0)
        work.post_op[work.post_ops++] =
            (struct onednn_post_op){.kind = ONEDNN_OLD_RESULT, .a = (double)beta};
    onednn_append_epilogue(&work, problem, 3, column);
    return onednn_prepare(problem, opened, &work, plan, error);
}

const struct routine onednn_matmul = ONEDNN_ROUTINE(matmul_prepare);
