// matrices.c - products of stacks of matrices: types, plain loops, launches.
#include "matrices.h"

/* ---- types ---- */

/* Dims of the input in the order in which they are seen: order[i] is one of the input's. */
static void order_of(int rank, int turns, int order[RANK_MAX])
{
    int count = 0;
    for (int i = turns & TURN_BATCH ? 1 : 0; i < rank - 1; i++)
        if (turns & TURN_BATCH || i < rank - 2)
            order[count++] = i;
    if (!(turns & TURN_BATCH))
        order[count++] = rank - 2;
    else
        order[count++] = 0;
    order[count++] = rank - 1;
    if (turns & TURN_LAST) {
        order[rank - 1] = order[rank - 2];
        order[rank - 2] = rank - 1;
    }
}

int matrices_see(const struct site *site, int i, int turns, bool is_right,
                 struct matrices *matrices, struct error *error)
{
    const struct type from = site_type(site, i);
    if (from.rank < 0) {
        matrices->type = UNKNOWN_TYPE;
        return OK;
    }
    if (from.rank == 0)
        return error_set(error, FAULT_IO, "input %d is a scalar; it has to be a vector or a matrix",
                         i);
    matrices->type = (struct type){.element = from.element, .rank = from.rank < 2 ? 2 : from.rank};
    if (from.rank == 1) {
        const int at = is_right ? 0 : 1;
        matrices->type.dims[at] = from.dims[0];
        matrices->type.symbol[at] = from.symbol[0];
        matrices->type.dims[1 - at] = 1;
        matrices->stride[at] = 1;
        matrices->stride[1 - at] = from.dims[0];
        return OK;
    }
    int order[RANK_MAX];
    order_of(from.rank, turns, order);
    for (int d = 0; d < from.rank; d++) {
        matrices->type.dims[d] = from.dims[order[d]];
        matrices->type.symbol[d] = from.symbol[order[d]];
        matrices->stride[d] = 1;
        for (int inner = order[d] + 1; inner < from.rank; inner++)
            matrices->stride[d] *= from.dims[inner] < 0 ? 1 : from.dims[inner];
    }
    return OK;
}

static struct type batch_of(const struct type *type)
{
    struct type batch = *type;
    batch.rank -= 2;
    return batch;
}

static void append(struct type *type, const struct type *from, int dim)
{
    type->dims[type->rank] = from->dims[dim];
    type->symbol[type->rank++] = from->symbol[dim];
}

int matrices_product(const struct matrices *a, const struct matrices *b, bool drop_rows,
                     bool drop_columns, struct type *out, struct error *error)
{
    const struct type *x = &a->type, *y = &b->type;
    const struct type batch_x = batch_of(x), batch_y = batch_of(y);
    const long k_x = x->dims[x->rank - 1], k_y = y->dims[y->rank - 2];
    if (k_x >= 0 && k_y >= 0 && k_x != k_y)
        return error_set(error, FAULT_IO,
                         "the first input has %ld columns, the second %ld rows; they have to agree",
                         k_x, k_y);
    if (type_broadcast(&batch_x, &batch_y, out, error) != OK)
        return FAILED;
    if (!drop_rows)
        append(out, x, x->rank - 2);
    if (!drop_columns)
        append(out, y, y->rank - 1);
    return OK;
}

struct product_sizes matrices_sizes(const struct matrices *a, const struct matrices *b)
{
    const struct type *x = &a->type, *y = &b->type;
    const struct type batch_x = batch_of(x), batch_y = batch_of(y);
    struct product_sizes sizes = {
        .m = x->dims[x->rank - 2], .n = y->dims[y->rank - 1], .k = x->dims[x->rank - 1]};
    struct error unused; /* inference has looked at them */
    type_broadcast(&batch_x, &batch_y, &sizes.batch, &unused);
    for (int i = 0; i < sizes.batch.rank; i++) {
        const int of_x = i - (sizes.batch.rank - batch_x.rank);
        const int of_y = i - (sizes.batch.rank - batch_y.rank);
        sizes.a[i] = of_x < 0 || x->dims[of_x] == 1 ? 0 : a->stride[of_x];
        sizes.b[i] = of_y < 0 || y->dims[of_y] == 1 ? 0 : b->stride[of_y];
    }
    return sizes;
}

/* ---- plain loops ---- */

/* One product; strides of rows and columns. */
struct one_product {
    const struct array *a, *b;
    long at_a, at_b, at_c, a_row, a_column, b_row, b_column;
};

static void multiply_whole(const struct one_product *one, const struct product_sizes *sizes,
                           struct array *out)
{
    const enum element element = one->a->type.element;
    for (long i = 0; i < sizes->m; i++)
        for (long j = 0; j < sizes->n; j++) {
            uint64_t sum = 0;
            for (long l = 0; l < sizes->k; l++)
                sum += (uint64_t)element_whole(one->a->data, element,
                                               one->at_a + i * one->a_row + l * one->a_column) *
                       (uint64_t)element_whole(one->b->data, element,
                                               one->at_b + l * one->b_row + j * one->b_column);
            element_put_whole(out->data, out->type.element, one->at_c + i * sizes->n + j,
                              (int64_t)sum);
        }
}

/* `work`: k * n doubles, then n. */
static void multiply_real(const struct one_product *one, const struct product_sizes *sizes,
                          double alpha, double *work, struct array *out)
{
    const enum element element = one->a->type.element;
    const long n = sizes->n, k = sizes->k;
    double *sum = work + k * n;
    for (long l = 0; l < k; l++)
        for (long j = 0; j < n; j++)
            work[l * n + j] =
                element_real(one->b->data, element, one->at_b + l * one->b_row + j * one->b_column);
    for (long i = 0; i < sizes->m; i++) {
        for (long j = 0; j < n; j++)
            sum[j] = 0;
        for (long l = 0; l < k; l++) {
            const double x =
                element_real(one->a->data, element, one->at_a + i * one->a_row + l * one->a_column);
            for (long j = 0; j < n; j++)
                sum[j] += x * work[l * n + j];
        }
        for (long j = 0; j < n; j++)
            element_put_real(out->data, out->type.element, one->at_c + i * n + j, alpha * sum[j]);
    }
}

int matrices_evaluate(const struct site *site, const struct matrices *a, const struct matrices *b,
                      double alpha, struct array *out, struct error *error)
{
    const struct product_sizes sizes = matrices_sizes(a, b);
    const int rank_a = a->type.rank, rank_b = b->type.rank;
    struct one_product one = {.a = &site->input[0],
                              .b = &site->input[1],
                              .a_row = a->stride[rank_a - 2],
                              .a_column = a->stride[rank_a - 1],
                              .b_row = b->stride[rank_b - 2],
                              .b_column = b->stride[rank_b - 1]};
    if (type_elements(&out->type) == 0)
        return OK;
    double *work = NULL;
    if (!element_is_whole(a->type.element)) {
        work = arena_take_array(site->arena, (size_t)(sizes.k + 1) * (size_t)sizes.n, sizeof *work);
        if (!work)
            return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    }
    long at[RANK_MAX] = {0};
    do {
        one.at_a = place_offset(sizes.batch.rank, sizes.a, at);
        one.at_b = place_offset(sizes.batch.rank, sizes.b, at);
        if (work)
            multiply_real(&one, &sizes, alpha, work, out);
        else
            multiply_whole(&one, &sizes, out);
        one.at_c += sizes.m * sizes.n;
    } while (place_next(&sizes.batch, at));
    return OK;
}

/* ---- launches ---- */

/* 0: as the kernel reads it, 1: transposed, -1: neither. */
static int transposed_of(const struct matrices *matrices)
{
    const int rank = matrices->type.rank;
    const long rows = matrices->type.dims[rank - 2], columns = matrices->type.dims[rank - 1];
    const long row = matrices->stride[rank - 2], column = matrices->stride[rank - 1];
    if ((column == 1 || columns <= 1) && (row == columns || rows <= 1))
        return 0;
    return (row == 1 || rows <= 1) && (column == rows || columns <= 1) ? 1 : -1;
}

/* What one launch does of the batch dims from `first` on. */
struct share {
    int first;
    long batch, m;
};

/* Whether matrices along dim `i` lie one behind the other, `inner` of them before it. */
static bool is_dense(const long *stride, int i, long inner, long elements)
{
    return stride[i] == inner * elements;
}

/* The last batch dims, as many as one launch can do: by the kernel's batch, or where B is the same
 * for all of them as rows of one A. */
static struct share share_of(const struct product_sizes *sizes, bool a_is_turned)
{
    struct share share = {sizes->batch.rank, 1, sizes->m};
    bool is_rows = false, is_batch = false;
    for (int i = sizes->batch.rank - 1; i >= 0; i--, share.first--) {
        const long count = sizes->batch.dims[i];
        if (count == 1)
            continue;
        const bool a_follows = is_dense(
            sizes->a, i, share.batch * (share.m / (sizes->m ? sizes->m : 1)), sizes->m * sizes->k);
        if (!is_batch && sizes->b[i] == 0 && a_follows && !a_is_turned) {
            is_rows = true;
            share.m *= count;
        } else if (!is_rows && a_follows &&
                   is_dense(sizes->b, i, share.batch, sizes->k * sizes->n)) {
            is_batch = true;
            share.batch *= count;
        } else
            break;
    }
    return share;
}

static int add_product(const struct site *site, struct lowering *lowering,
                       const struct product_sizes *sizes, const struct share *share,
                       const int transposed[2], const struct launch_operand operand[3],
                       enum dtype dtype, struct error *error)
{
    struct launch *launch = launches_add(site, lowering, "gemm", dtype, error);
    if (!launch)
        return FAILED;
    launch_letter(launch, "m", share->m);
    launch_letter(launch, "n", sizes->n);
    launch_letter(launch, "k", sizes->k);
    launch_letter(launch, "batch", share->batch);
    launch_letter(launch, "transa", transposed[0]);
    launch_letter(launch, "transb", transposed[1]);
    for (int i = 0; i < 3; i++)
        launch->operand[i] = operand[i];
    return OK;
}

int matrices_lower(const struct site *site, struct lowering *lowering, const struct matrices *a,
                   const struct matrices *b, const struct launch_operand operand[2],
                   enum dtype dtype, struct error *error)
{
    const struct product_sizes sizes = matrices_sizes(a, b);
    const int transposed[2] = {transposed_of(a), transposed_of(b)};
    if (transposed[0] < 0 || transposed[1] < 0)
        return error_skip(error, "kernel 'gemm' reads dense matrices; transposed batch dimensions "
                                 "put rows apart");
    const struct share share = share_of(&sizes, transposed[0]);
    struct type outer = sizes.batch;
    outer.rank = share.first;
    const long launches = type_elements(&outer);
    if (launches > LAUNCHES_MAX)
        return error_skip(error, "broadcasting between batch dimensions would take %ld launches",
                          launches);
    long at[RANK_MAX] = {0}, at_c = 0;
    for (long i = 0; i < launches; i++) {
        const struct launch_operand operands[3] = {
            operand_behind(of_output(0), at_c, dtype),
            operand_behind(operand[0], place_offset(outer.rank, sizes.a, at), dtype),
            operand_behind(operand[1], place_offset(outer.rank, sizes.b, at), dtype)};
        if (add_product(site, lowering, &sizes, &share, transposed, operands, dtype, error) != OK)
            return FAILED;
        at_c += share.batch * share.m * sizes.n;
        place_next(&outer, at);
    }
    return OK;
}
