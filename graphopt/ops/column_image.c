// column_image.c - Col2Im: blocks, each a column, added up where they lie in an image.
#include "adjoint.h"

enum { X, IMAGE, BLOCK };

/* The image as output of a window of the block's size, in as many places as there are blocks.
 * *is_known false where image or block are not. */
static int read_blocks(const struct site *site, struct spatial *spatial, bool *is_known,
                       struct error *error)
{
    const long *image, *block;
    int rank, count;
    *is_known = false;
    if (site_integers(site, IMAGE, &image, &rank, error) != OK ||
        site_integers(site, BLOCK, &block, &count, error) != OK)
        return FAILED;
    if (!image || !block)
        return OK;
    if (rank != count || rank < 1 || rank > RANK_MAX - 2)
        return error_set(error, FAULT_IO,
                         "'image_shape' and 'block_shape' have %d and %d numbers; it has to be the "
                         "same, 1 to %d",
                         rank, count, RANK_MAX - 2);
    for (int i = 0; i < rank; i++)
        if (image[i] < 1 || image[i] > ELEMENTS_MAX || block[i] < 1)
            return error_set(error, FAULT_IO, "a block of %ld lines is none of an image of %ld",
                             block[i], image[i]);
    if (spatial_read(spatial, site->node, rank, image, block, error) != OK)
        return FAILED;
    /* There the window moved over the image; here it is the other way round. */
    for (int i = 0; i < rank; i++) {
        const long places = spatial->out[i];
        spatial->out[i] = spatial->in[i];
        spatial->in[i] = places;
    }
    *is_known = true;
    return OK;
}

/* Elements of the first `rank` numbers; -1: more than an array may have. */
static long product_of(const long *dims, int rank)
{
    long product = 1;
    for (int i = 0; i < rank; i++) {
        if (dims[i] > 0 && product > ELEMENTS_MAX / dims[i])
            return -1;
        product *= dims[i];
    }
    return product;
}

static int check_input(const struct type *x, const struct spatial *spatial, struct error *error)
{
    const long taps = product_of(spatial->window, spatial->rank);
    const long places = product_of(spatial->in, spatial->rank);
    if (taps < 0 || places < 0)
        return error_set(error, FAULT_IO, "blocks or their number are more than %ld", ELEMENTS_MAX);
    if (x->dims[1] >= 0 && x->dims[1] % taps != 0)
        return error_set(error, FAULT_IO, "columns of %ld are no whole blocks of %ld", x->dims[1],
                         taps);
    if (x->dims[2] >= 0 && x->dims[2] != places)
        return error_set(error, FAULT_IO, "there are %ld columns; the image has %ld blocks",
                         x->dims[2], places);
    return OK;
}

static int infer(struct site *site, struct error *error)
{
    const struct type x = site_type(site, X), image = site_type(site, IMAGE);
    struct type *out = &site->output[0].type;
    struct spatial spatial;
    bool is_known;
    out->element = x.element;
    if (x.rank >= 0 && x.rank != 3)
        return error_set(error, FAULT_IO, "the input has %d dimensions; it needs 3", x.rank);
    if (read_blocks(site, &spatial, &is_known, error) != OK)
        return FAILED;
    if (is_known && x.rank == 3 && check_input(&x, &spatial, error) != OK)
        return FAILED;
    if (!is_known && (image.rank != 1 || image.dims[0] < 1 || image.dims[0] > RANK_MAX - 2))
        return OK;
    out->rank = 2 + (is_known ? spatial.rank : (int)image.dims[0]);
    for (int i = 0; i < out->rank; i++) {
        out->dims[i] = is_known && i >= 2 ? spatial.out[i - 2] : -1;
        out->symbol[i] = 0;
    }
    if (x.rank == 3) {
        out->dims[0] = x.dims[0];
        out->symbol[0] = x.symbol[0];
    }
    if (is_known && x.rank == 3 && x.dims[1] >= 0)
        out->dims[1] = x.dims[1] / product_of(spatial.window, spatial.rank);
    return OK;
}

/* What all blocks have on that place of the image: `first` is their first column's. */
static void put_sum(const struct site *site, const struct spatial *spatial,
                    const struct type *window, const long *place, long first, long to)
{
    const struct array *x = &site->input[X], *out = &site->output[0];
    const bool is_whole = element_is_whole(x->type.element);
    const long places = x->type.dims[2];
    double sum = 0;
    uint64_t whole = 0;
    long tap[RANK_MAX] = {0};
    for (long t = 0; t < type_elements(window) && places > 0; t++) {
        const long offset = adjoint_offset(spatial, place, tap);
        if (offset >= 0 && is_whole)
            whole += (uint64_t)element_whole(x->data, x->type.element, first + t * places + offset);
        else if (offset >= 0)
            sum += element_real(x->data, x->type.element, first + t * places + offset);
        place_next(window, tap);
    }
    if (is_whole)
        element_put_whole(out->data, out->type.element, to, (int64_t)whole);
    else
        element_put_real(out->data, out->type.element, to, sum);
}

static int evaluate(struct site *site, struct error *error)
{
    const struct array *x = &site->input[X], *out = &site->output[0];
    struct spatial spatial;
    bool is_known;
    if (!element_is_real(x->type.element) && !element_is_whole(x->type.element))
        return error_skip(error, "elements '%s' cannot be added up", element_name(x->type.element));
    if (read_blocks(site, &spatial, &is_known, error) != OK)
        return FAILED;
    struct type window = {.rank = spatial.rank}, places = {.rank = spatial.rank};
    for (int i = 0; i < spatial.rank; i++) {
        window.dims[i] = spatial.window[i];
        places.dims[i] = spatial.out[i];
    }
    const long count = type_elements(&places);
    const long column = type_elements(&window) * x->type.dims[2]; /* elements of a channel */
    for (long plane = 0; plane < type_product(&out->type, 0, 2); plane++) {
        long place[RANK_MAX] = {0};
        for (long i = 0; i < count; i++) {
            put_sum(site, &spatial, &window, place, plane * column, plane * count + i);
            place_next(&places, place);
        }
    }
    return OK;
}

/* An addition per element. */
static double flops(const struct site *site)
{
    const struct type x = site_type(site, X);
    return (double)type_elements(&x);
}

static const struct attribute_rule attributes[] = {{"dilations", ATTRIBUTE_INTS, false},
                                                   {"pads", ATTRIBUTE_INTS, false},
                                                   {"strides", ATTRIBUTE_INTS, false},
                                                   {0}};

const struct op onnx_Col2Im_op = {
    .domain = "",
    .name = "Col2Im",
    .summary = "image (N, C, D...) of columns (N, C * elements of a block, blocks), overlaps added",
    .since = 18,
    .inputs_min = 3,
    .inputs_max = 3,
    .outputs_min = 1,
    .outputs_max = 1,
    .attributes = attributes,
    .infer = infer,
    .evaluate = evaluate,
    .flops = flops,
};
