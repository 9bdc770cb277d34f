// own_shape.c - operators that would give an array the dims that it has.
#include "rewrite.h"

static const struct pattern pattern = {
    .term =
        {{"Expand|Tile|Reshape|Flatten|Squeeze|Unsqueeze", {DROP_Y}, {DROP_X}, TERM_MORE, NULL}},
};

static const struct rule rules[] = {{&pattern, rewrite_drop_same}, {0}};

const struct pass own_shape_pass = {
    .name = "own-shape",
    .group = GROUP_ELIMINATION,
    .summary = "Expand, Tile, Reshape, Flatten, Squeeze, Unsqueeze to the dims that the input has: "
               "the input",
    .refuses = "the rank grows; a dim is not known and has no name that both share; the shape is "
               "known only when the graph runs",
    .rules = rules,
};
