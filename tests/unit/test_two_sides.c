// test_two_sides.c - the cheapest division of vertices into two sides, against all divisions.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "two_sides.h"

enum { VERTICES = 9, EDGES = 24, TRIALS = 300 };

struct edge {
    int near, far;
    long cost;
};

static uint64_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return *state >> 33;
}

/* Bit v of `near`: vertex v is on the near side. */
static long cost_of(const struct edge *edge, int count, unsigned near)
{
    long cost = 0;
    for (int i = 0; i < count; i++)
        if ((near >> edge[i].near & 1) && !(near >> edge[i].far & 1))
            cost += edge[i].cost;
    return cost;
}

static void make_edges(struct edge *edge, uint64_t *state)
{
    for (int i = 0; i < EDGES; i++) {
        const int near = (int)(next(state) % VERTICES), far = (int)(next(state) % VERTICES);
        edge[i] = (struct edge){near, far, (long)(next(state) % 8)};
        if (near != SIDE_NEAR && near != SIDE_FAR && far != SIDE_NEAR && next(state) % 6 == 0)
            edge[i].cost = SIDES_NEVER;
    }
}

static unsigned divide(const struct edge *edge)
{
    struct two_sides sides;
    struct error error = {FAULT_NONE, ""};
    bool is_near[VERTICES];
    unsigned near = 0;
    sides_start(&sides);
    while (sides.vertex_count < VERTICES)
        sides_add(&sides);
    for (int i = 0; i < EDGES; i++)
        assert_int_equal(sides_cost(&sides, edge[i].near, edge[i].far, edge[i].cost, &error), OK);
    assert_int_equal(sides_divide(&sides, is_near, &error), OK);
    for (int v = 0; v < VERTICES; v++)
        near |= (unsigned)is_near[v] << v;
    sides_free(&sides);
    return near;
}

static void the_division_costs_least_and_has_the_fewest_near(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (int trial = 0; trial < TRIALS; trial++) {
        struct edge edge[EDGES];
        make_edges(edge, &random);
        const unsigned made = divide(edge);
        const long cost = cost_of(edge, EDGES, made);
        assert_true((made >> SIDE_NEAR & 1) && !(made >> SIDE_FAR & 1));
        for (unsigned near = 0; near < 1U << VERTICES; near++) {
            if (!(near >> SIDE_NEAR & 1) || (near >> SIDE_FAR & 1))
                continue;
            const long other = cost_of(edge, EDGES, near);
            assert_true(other >= cost);
            if (other == cost) /* what all of the cheapest have near is what was found */
                assert_int_equal(near & made, made);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_division_costs_least_and_has_the_fewest_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
