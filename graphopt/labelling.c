// labelling.c - labels by expansions: each a minimum cut.
#include "labelling.h"

#include <stdlib.h>
#include <string.h>

struct labelled_node {
    long cost[LABELS];
};

struct labelled_value {
    int maker;
    int first, end; /* of its users in the list of all */
    struct label_moves moves;
};

void labelling_free(struct labelling *labelling)
{
    free(labelling->node);
    free(labelling->value);
    free(labelling->user);
    *labelling = (struct labelling){0};
}

/* Room for one more element. */
static int make_room(void **list, int count, int *room, size_t bytes, struct error *error)
{
    if (count < *room)
        return OK;
    const int more = *room ? 2 * *room : 64;
    void *moved = realloc(*list, (size_t)more * bytes);
    if (!moved)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    *list = moved;
    *room = more;
    return OK;
}

static int push_node(struct labelling *labelling, const long cost[LABELS], struct error *error)
{
    void *list = labelling->node;
    const int result = make_room(&list, labelling->node_count, &labelling->node_room,
                                 sizeof *labelling->node, error);
    labelling->node = list;
    if (result == OK)
        memcpy(labelling->node[labelling->node_count++].cost, cost, LABELS * sizeof *cost);
    return result;
}

int labelling_add_node(struct labelling *labelling, const long cost[LABELS], int *node,
                       struct error *error)
{
    static const long outside[LABELS] = {0, SIDES_NEVER, SIDES_NEVER};
    if (labelling->node_count == LABELLED_OUTSIDE && push_node(labelling, outside, error) != OK)
        return FAILED;
    *node = labelling->node_count;
    return push_node(labelling, cost, error);
}

int labelling_add_value(struct labelling *labelling, int maker, const struct label_moves *moves,
                        struct error *error)
{
    void *list = labelling->value;
    const int result = make_room(&list, labelling->value_count, &labelling->value_room,
                                 sizeof *labelling->value, error);
    labelling->value = list;
    if (result != OK)
        return FAILED;
    struct labelled_value *value = &labelling->value[labelling->value_count++];
    *value = (struct labelled_value){maker, labelling->user_count, labelling->user_count, *moves};
    return OK;
}

int labelling_add_user(struct labelling *labelling, int node, struct error *error)
{
    void *list = labelling->user;
    const int result = make_room(&list, labelling->user_count, &labelling->user_room,
                                 sizeof *labelling->user, error);
    labelling->user = list;
    if (result != OK)
        return FAILED;
    labelling->user[labelling->user_count++] = node;
    labelling->value[labelling->value_count - 1].end = labelling->user_count;
    return OK;
}

long labelling_cost(const struct labelling *labelling, const int *label)
{
    long sum = 0;
    for (int i = 0; i < labelling->node_count; i++)
        sum += labelling->node[i].cost[label[i]];
    for (int i = 0; i < labelling->value_count; i++) {
        const struct labelled_value *value = &labelling->value[i];
        bool is_used[LABELS] = {false};
        for (int k = value->first; k < value->end; k++)
            is_used[label[labelling->user[k]]] = true;
        for (int k = 0; k < LABELS; k++)
            sum += is_used[k] && k != label[value->maker]
                       ? value->moves.cost[label[value->maker]][k]
                       : 0;
    }
    return sum;
}

/* ---- one expansion: who takes the label `to`, and is on the near side, who keeps its own ---- */

struct expansion {
    const struct labelling *labelling;
    const int *label;
    int to;
    int *vertex; /* of each node */
    struct two_sides sides;
};

static int add_cost(struct expansion *expansion, int near, int far, long cost, struct error *error)
{
    const bool can_be = near != SIDE_FAR && far != SIDE_NEAR && cost > 0;
    return can_be ? sides_cost(&expansion->sides, near, far, cost, error) : OK;
}

static int add_node(struct expansion *expansion, int node, struct error *error)
{
    const long *cost = expansion->labelling->node[node].cost;
    const int label = expansion->label[node];
    int *vertex = &expansion->vertex[node];
    *vertex = label == expansion->to ? SIDE_NEAR : SIDE_FAR;
    if (label == expansion->to || cost[expansion->to] >= SIDES_NEVER)
        return OK;
    *vertex = sides_add(&expansion->sides);
    const long more = cost[expansion->to] - cost[label];
    return add_cost(expansion, more > 0 ? *vertex : SIDE_NEAR, more > 0 ? SIDE_FAR : *vertex,
                    labs(more), error);
}

/* What the conversion to another label that users keep costs less where the maker takes the one
 * that is taken; 0: not less. */
static long kept_less(const struct expansion *expansion, const struct labelled_value *value,
                      int label)
{
    const int of = expansion->label[value->maker];
    const long kept = value->moves.cost[of][label], taken = value->moves.cost[expansion->to][label];
    return label != expansion->to && taken < kept ? kept - taken : 0;
}

/* The conversion to the label that is taken: where one of the users has it and the maker has not.
 */
static int add_taken(struct expansion *expansion, const struct labelled_value *value,
                     struct error *error)
{
    const int of = expansion->label[value->maker], *user = expansion->labelling->user;
    if (of == expansion->to || value->first == value->end)
        return OK;
    const int is_used = sides_add(&expansion->sides);
    long cost = value->moves.cost[of][expansion->to];
    if (value->end - value->first == 1) /* add_kept() adds it for either label of the user */
        cost -= kept_less(expansion, value, expansion->label[user[value->first]]);
    int result = add_cost(expansion, is_used, expansion->vertex[value->maker], cost, error);
    for (int i = value->first; i < value->end && result == OK; i++)
        result = add_cost(expansion, expansion->vertex[user[i]], is_used, SIDES_NEVER, error);
    return result;
}

/* The conversion to another label that some users keep, from that of the maker or from the one that
 * is taken. A cut cannot say that the latter costs less while several users may each keep theirs:
 * then it is said to cost as much. That is right where the maker keeps its label, and never too
 * little, so that what a cut finds to be cheaper is. */
static int add_kept(struct expansion *expansion, const struct labelled_value *value, int label,
                    struct error *error)
{
    const int of = expansion->label[value->maker], to = expansion->to;
    const int maker = expansion->vertex[value->maker], *user = expansion->labelling->user;
    const long less = kept_less(expansion, value, label);
    long kept = value->moves.cost[of][label];
    bool is_used = false, stays = false;
    for (int i = value->first; i < value->end; i++) {
        const bool has_it = expansion->label[user[i]] == label;
        is_used = is_used || has_it;
        stays = stays || (has_it && expansion->vertex[user[i]] == SIDE_FAR);
    }
    if (!is_used)
        return OK;
    const int is_left = sides_add(&expansion->sides); /* by all who have it */
    int result = OK;
    if (less > 0 && (stays || value->end - value->first == 1)) {
        kept -= less;
        result = add_cost(expansion, SIDE_NEAR, maker, less, error);
    }
    if (result == OK)
        result = add_cost(expansion, SIDE_NEAR, is_left, kept, error);
    if (result == OK)
        result = add_cost(expansion, maker, is_left, value->moves.cost[to][label] - kept, error);
    for (int i = value->first; i < value->end && result == OK; i++)
        if (expansion->label[user[i]] == label)
            result = add_cost(expansion, is_left, expansion->vertex[user[i]], SIDES_NEVER, error);
    return result;
}

static int find_cheapest(struct expansion *expansion, bool *is_near, struct error *error)
{
    const struct labelling *labelling = expansion->labelling;
    int result = OK;
    for (int i = 0; i < labelling->node_count && result == OK; i++)
        result = add_node(expansion, i, error);
    for (int i = 0; i < labelling->value_count && result == OK; i++) {
        result = add_taken(expansion, &labelling->value[i], error);
        for (int label = 0; label < LABELS && result == OK; label++)
            if (label != expansion->to)
                result = add_kept(expansion, &labelling->value[i], label, error);
    }
    return result == OK ? sides_divide(&expansion->sides, is_near, error) : result;
}

/* Vertices that an expansion has at most. */
static size_t vertices_most(const struct labelling *labelling)
{
    return SIDE_FIRST + (size_t)labelling->node_count + LABELS * (size_t)labelling->value_count;
}

/* Nodes take the label where all of it together then costs less: *pays. */
static int expand(const struct labelling *labelling, int to, int *label, bool *pays,
                  struct error *error)
{
    const size_t nodes = (size_t)labelling->node_count;
    struct expansion expansion = {.labelling = labelling, .label = label, .to = to};
    bool *is_near = malloc(vertices_most(labelling) * sizeof *is_near);
    int *number = malloc(2 * nodes * sizeof *number), result = FAILED;
    sides_start(&expansion.sides);
    if (!is_near || !number) {
        error_set(error, FAULT_ENVIRONMENT, "out of memory");
        goto out;
    }
    expansion.vertex = number;
    result = find_cheapest(&expansion, is_near, error);
    if (result != OK)
        goto out;
    int *tried = number + nodes;
    for (size_t i = 0; i < nodes; i++)
        tried[i] = is_near[expansion.vertex[i]] ? to : label[i];
    *pays = labelling_cost(labelling, tried) < labelling_cost(labelling, label);
    if (*pays)
        memcpy(label, tried, nodes * sizeof *label);
out:
    sides_free(&expansion.sides);
    free(is_near);
    free(number);
    return result;
}

/* From the first label that each can have, until no label pays. */
static int improve(const struct labelling *labelling, const int order[LABELS], int *label,
                   struct error *error)
{
    int result = OK;
    for (int i = 0; i < labelling->node_count; i++)
        for (label[i] = 0; labelling->node[i].cost[label[i]] >= SIDES_NEVER;)
            label[i]++;
    for (int i = 0, idle = 0; idle < LABELS && result == OK; i++) {
        bool pays = false;
        result = expand(labelling, order[i % LABELS], label, &pays, error);
        idle = pays ? 0 : idle + 1;
    }
    return result;
}

int labelling_choose(const struct labelling *labelling, int *label, struct error *error)
{
    /* The first cut of each is the best of labels 0 and another one. */
    static const int orders[][LABELS] = {{1, 2, 0}, {2, 1, 0}};
    const size_t bytes = (size_t)labelling->node_count * sizeof *label;
    if (labelling->node_count == 0)
        return OK;
    int *other = malloc(bytes);
    if (!other)
        return error_set(error, FAULT_ENVIRONMENT, "out of memory");
    int result = improve(labelling, orders[0], label, error);
    if (result == OK)
        result = improve(labelling, orders[1], other, error);
    if (result == OK && labelling_cost(labelling, other) < labelling_cost(labelling, label))
        memcpy(label, other, bytes);
    free(other);
    return result;
}
