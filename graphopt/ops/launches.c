// launches.c - lowerings of several kernel calls.
#include "launches.h"

#include <stdio.h>

#include <string.h>

struct launch *launches_add(const struct site *site, struct lowering *lowering, const char *kernel,
                            enum dtype dtype, struct error *error)
{
    const int count = lowering->launch_count;
    if ((count & (count - 1)) == 0) { /* full: the room doubles */
        const size_t room = count ? 2 * (size_t)count : 1;
        struct launch *launch = arena_take_array(site->arena, room, sizeof *launch);
        if (!launch)
            return error_set(error, FAULT_ENVIRONMENT, "out of memory"), NULL;
        if (count)
            memcpy(launch, lowering->launch, (size_t)count * sizeof *launch);
        lowering->launch = launch;
    }
    struct launch *launch = &lowering->launch[lowering->launch_count++];
    launch->kernel = kernel_find(kernel);
    launch->dtype = dtype;
    for (int i = 0; i < launch->kernel->letter_count; i++)
        launch->shape.value[i] = launch->kernel->letters[i].fallback;
    return launch;
}

long *lowering_places(const struct site *site, int count)
{
    long *places = arena_take_array(site->arena, (size_t)count, sizeof *places);
    for (int i = 0; places && i < count; i++)
        places[i] = -1;
    return places;
}

struct launch_operand launches_scratch(struct lowering *lowering, long elements, enum dtype dtype)
{
    const struct launch_operand operand = {.source = SOURCE_SCRATCH,
                                           .offset_bytes = lowering->scratch_bytes};
    const size_t bytes = (size_t)elements * (size_t)dtype_bytes(dtype);
    lowering->scratch_bytes += (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    return operand;
}

/* 1 GiB of f32: what is only there to fit a kernel should not take more. */
static const long fill_elements_max = 1L << 28;

int launches_fill(const struct site *site, struct launch_operand *operand, long elements,
                  double value, enum dtype dtype, struct error *error)
{
    if (elements > fill_elements_max)
        return error_skip(error, "the kernel would need an array of %ld constants", elements);
    void *data = arena_take_array(site->arena, (size_t)elements, (size_t)dtype_bytes(dtype));
    if (!data)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (long i = 0; i < elements; i++)
        real_put(data, dtype, i, value);
    *operand = of_constant(data);
    return OK;
}

/* The constant input times the factor, rounded once. */
static int scale_constant(const struct site *site, int i, double factor, enum dtype dtype,
                          struct launch_operand *operand, struct error *error)
{
    const long elements = type_elements(&site->input[i].type);
    void *data = arena_take_array(site->arena, (size_t)elements, (size_t)dtype_bytes(dtype));
    if (!data)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    for (long k = 0; k < elements; k++)
        real_put(data, dtype, k, factor * real_at(site->input[i].data, dtype, k));
    *operand = of_constant(data);
    return OK;
}

int launches_scaled(const struct site *site, struct lowering *lowering, int i, double factor,
                    struct launch_operand *operand, struct error *error)
{
    const struct array *input = &site->input[i];
    const enum dtype dtype = input->type.element == ELEMENT_f64 ? DTYPE_f64 : DTYPE_f32;
    const long elements = type_elements(&input->type);
    *operand = of_input(i);
    if (factor == 1)
        return OK;
    if (input->data)
        return scale_constant(site, i, factor, dtype, operand, error);
    *operand = launches_scratch(lowering, elements, dtype);
    return launches_multiply(site, lowering, elements, of_input(i), factor, *operand, dtype, error);
}

/* The kernel that scales has a factor of its own; a step of a chain takes any. */
int launches_multiply(const struct site *site, struct lowering *lowering, long elements,
                      struct launch_operand from, double factor, struct launch_operand to,
                      enum dtype dtype, struct error *error)
{
    struct launch_operand number;
    const int result = launches_fill(site, &number, 1, factor, dtype, error);
    if (result != OK)
        return result;
    struct launch *launch = launches_add(site, lowering, "chain", dtype, error);
    if (!launch)
        return FAILED;
    launch_letter(launch, "rows", 1);
    launch_letter(launch, "columns", elements);
    launch_letter(launch, "channels", 1);
    launch->operand[0] = to;
    launch->operand[1] = from;
    launch->operand[2] = number;
    return launch_word(launch, "chain", "given") && launch_word(launch, "step1", "mul_row")
               ? OK
               : error_skip(error, "kernel 'chain' has no step 'mul_row'");
}

int launches_transpose(const struct site *site, struct lowering *lowering, const long dims[4],
                       const char *perm, struct launch_operand from, struct launch_operand to,
                       enum dtype dtype, struct error *error)
{
    static const char *const letters[] = {"d0", "d1", "d2", "d3"};
    struct launch *launch = launches_add(site, lowering, "transpose", dtype, error);
    if (!launch)
        return FAILED;
    for (int i = 0; i < 4; i++)
        launch_letter(launch, letters[i], dims[i]);
    launch->operand[0] = to;
    launch->operand[1] = from;
    return launch_word(launch, "perm", perm)
               ? OK
               : error_skip(error, "kernel 'transpose' has no order '%s'", perm);
}

bool launch_word(struct launch *launch, const char *letter, const char *word)
{
    const struct kernel *kernel = launch->kernel;
    for (int i = 0; i < kernel->letter_count; i++) {
        const char *const *words = kernel->letters[i].words;
        if (!words || strcmp(kernel->letters[i].name, letter) != 0)
            continue;
        for (int w = 0; words[w]; w++)
            if (strcmp(words[w], word) == 0) {
                launch->shape.value[i] = w;
                return true;
            }
    }
    return false;
}

int launches_steps(const struct site *site, struct lowering *lowering,
                   const struct number_step *steps, int count, enum dtype dtype,
                   struct error *error)
{
    if (lowering_start(site, lowering, "chain", dtype, error) != OK)
        return FAILED;
    struct launch *launch = lowering->launch;
    launch_letter(launch, "rows", 1);
    launch_letter(launch, "columns", type_elements(&site->output[0].type));
    launch_letter(launch, "channels", 1);
    launch->operand[0] = of_output(0);
    launch->operand[1] = of_input(0);
    bool is_known = launch_word(launch, "chain", "given");
    for (int i = 0; i < count; i++) {
        char letter[16], word[32];
        snprintf(letter, sizeof letter, "step%d", i + 1);
        snprintf(word, sizeof word, "%s_row", steps[i].step);
        is_known = is_known && launch_word(launch, letter, word);
        launch->operand[2 + i] = steps[i].number;
    }
    return is_known ? OK : error_skip(error, "kernel 'chain' does not have these steps");
}
