// two_sides.c - a minimum cut by flows along shortest paths (Dinic 1970).
#include "two_sides.h"

#include <stdlib.h>

/* Edges come in pairs: the one that was asked for, and the way back. */
struct side_edge {
    int to, next; /* next of the same vertex; -1: none */
    long room;
};

void sides_start(struct two_sides *sides)
{
    *sides = (struct two_sides){.vertex_count = SIDE_FIRST};
}

void sides_free(struct two_sides *sides)
{
    free(sides->edge);
    *sides = (struct two_sides){0};
}

int sides_add(struct two_sides *sides)
{
    return sides->vertex_count++;
}

int sides_cost(struct two_sides *sides, int near, int far, long cost, struct error *error)
{
    if (sides->edge_count + 2 > sides->edge_room) {
        const int room = sides->edge_room ? 2 * sides->edge_room : 256;
        struct side_edge *edge = realloc(sides->edge, (size_t)room * sizeof *edge);
        if (!edge)
            return error_set(error, FAULT_ENVIRONMENT, "out of memory");
        sides->edge = edge;
        sides->edge_room = room;
    }
    /* `next` is the begin for now: lists are made when all is known. */
    sides->edge[sides->edge_count++] = (struct side_edge){far, near, cost};
    sides->edge[sides->edge_count++] = (struct side_edge){near, far, 0};
    return OK;
}

/* ---- the flow ---- */

struct flow {
    struct side_edge *edge;
    int vertex_count;
    int *first;   /* edge of each vertex; -1: none */
    int *left;    /* edge that is to be tried next */
    int *steps;   /* from the near side; -1: out of reach */
    int *waiting; /* vertices to be looked at, and edges of the path */
};

static bool find_distances(struct flow *flow)
{
    int begin = 0, end = 1;
    for (int v = 0; v < flow->vertex_count; v++)
        flow->steps[v] = -1;
    flow->steps[SIDE_NEAR] = 0;
    flow->waiting[0] = SIDE_NEAR;
    while (begin < end) {
        const int v = flow->waiting[begin++];
        for (int e = flow->first[v]; e >= 0; e = flow->edge[e].next) {
            const int to = flow->edge[e].to;
            if (flow->edge[e].room <= 0 || flow->steps[to] >= 0)
                continue;
            flow->steps[to] = flow->steps[v] + 1;
            flow->waiting[end++] = to;
        }
    }
    return flow->steps[SIDE_FAR] >= 0;
}

/* As much as fits along the path of so many edges; where it is full, from which edge on. */
static int send(struct flow *flow, int length)
{
    long room = SIDES_NEVER;
    int full = 0;
    for (int i = 0; i < length; i++)
        if (flow->edge[flow->waiting[i]].room < room) {
            room = flow->edge[flow->waiting[i]].room;
            full = i;
        }
    for (int i = 0; i < length; i++) {
        flow->edge[flow->waiting[i]].room -= room;
        flow->edge[flow->waiting[i] ^ 1].room += room;
    }
    return full;
}

/* All that fits along paths that get one step further with each edge. */
static void send_all(struct flow *flow)
{
    int at = SIDE_NEAR, length = 0;
    for (int v = 0; v < flow->vertex_count; v++)
        flow->left[v] = flow->first[v];
    for (;;) {
        if (at == SIDE_FAR) {
            length = send(flow, length);
            at = flow->edge[flow->waiting[length] ^ 1].to;
        }
        int e = flow->left[at];
        while (e >= 0 &&
               (flow->edge[e].room <= 0 || flow->steps[flow->edge[e].to] != flow->steps[at] + 1))
            e = flow->edge[e].next;
        flow->left[at] = e;
        if (e >= 0) {
            flow->waiting[length++] = e;
            at = flow->edge[e].to;
        } else if (length > 0) { /* a dead end */
            flow->steps[at] = -1;
            at = flow->edge[flow->waiting[--length] ^ 1].to;
        } else {
            return;
        }
    }
}

static void make_lists(struct flow *flow, const struct two_sides *sides)
{
    for (int v = 0; v < flow->vertex_count; v++)
        flow->first[v] = -1;
    for (int e = 0; e < sides->edge_count; e++) {
        const int from = sides->edge[e].next;
        flow->edge[e] = sides->edge[e];
        flow->edge[e].next = flow->first[from];
        flow->first[from] = e;
    }
}

int sides_divide(const struct two_sides *sides, bool *is_near, struct error *error)
{
    const size_t vertices = (size_t)sides->vertex_count;
    int *numbers = malloc(4 * vertices * sizeof *numbers);
    struct side_edge *edge = malloc(((size_t)sides->edge_count + 1) * sizeof *edge);
    int result = FAILED;
    if (!numbers || !edge) {
        error_set(error, FAULT_ENVIRONMENT, "out of memory");
        goto out;
    }
    struct flow flow = {.edge = edge,
                        .vertex_count = sides->vertex_count,
                        .first = numbers,
                        .left = numbers + vertices,
                        .steps = numbers + 2 * vertices,
                        .waiting = numbers + 3 * vertices};
    make_lists(&flow, sides);
    while (find_distances(&flow))
        send_all(&flow);
    for (int v = 0; v < sides->vertex_count; v++)
        is_near[v] = flow.steps[v] >= 0;
    result = OK;
out:
    free(edge);
    free(numbers);
    return result;
}
