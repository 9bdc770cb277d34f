// events.c - reads the tables of hardware events.
#include "events.h"

#include <stdio.h>
#include <string.h>

#include "embedded.h"
#include "table.h"

const char *events_table(const struct identity *cpu)
{
    static const char match[] = "# match: ";
    for (const struct embedded_file *file = embedded_events; file->name; file++)
        for (const char *line = strstr(file->text, match); line; line = strstr(line, match)) {
            line += sizeof match - 1;
            if (identity_is_listed(line, cpu->vendor, cpu->family, cpu->model_number))
                return file->text;
        }
    return NULL;
}

/* "weight EVENT + weight EVENT ..." up to the end of the line. */
static int parse_terms(struct recipe *recipe, const char *text, struct error *error)
{
    const char *rest = text;
    *recipe = (struct recipe){0};
    for (char joint = '+'; joint == '+';) {
        struct event_term *term = &recipe->term[recipe->term_count];
        int used = 0;
        if (recipe->term_count == RECIPE_TERMS_MAX ||
            sscanf(rest, "%lf %79[^ \n]%n", &term->weight, term->event, &used) != 2 ||
            !(term->weight > 0))
            return error_set(error, FAULT_USAGE,
                             "'%.*s' is not 'weight event + weight event ...', at most %d",
                             (int)strcspn(text, "\n"), text, RECIPE_TERMS_MAX);
        recipe->term_count++;
        rest += used;
        rest += strspn(rest, " ");
        joint = *rest;
        rest += joint == '+';
    }
    if (*rest && *rest != '\n')
        return error_set(error, FAULT_USAGE, "'%.*s': '+' belongs between two events",
                         (int)strcspn(text, "\n"), text);
    return OK;
}

int events_next(struct recipe *recipe, const char **table, const char *quantity, enum dtype dtype,
                struct error *error)
{
    while (**table) {
        const char *line = *table;
        char what[16], format[16];
        int used = 0;
        *table += strcspn(line, "\n");
        *table += **table == '\n';
        if (*line == '#' || *line == '\n')
            continue;
        if (sscanf(line, "%15s %15s %n", what, format, &used) != 2 || !used)
            return error_set(error, FAULT_USAGE, "'%.*s' is not 'quantity dtype events'",
                             (int)strcspn(line, "\n"), line);
        if (strcmp(what, quantity) == 0 &&
            (strcmp(format, "*") == 0 || strcmp(format, dtype_name(dtype)) == 0))
            return parse_terms(recipe, line + used, error);
    }
    return error_skip(error, "no events are known for %s of %s", quantity, dtype_name(dtype));
}

void recipe_format(const struct recipe *recipe, char *text, size_t capacity)
{
    text[0] = 0;
    for (int i = 0; i < recipe->term_count; i++) {
        const struct event_term *term = &recipe->term[i];
        size_t used = strlen(text);
        if (term->weight == 1)
            text_format(text + used, capacity - used, "%s%s", i ? " + " : "", term->event);
        else
            text_format(text + used, capacity - used, "%s%g %s", i ? " + " : "", term->weight,
                        term->event);
    }
}

double recipe_sum(const struct recipe *recipe, const long long *readings)
{
    double sum = 0;
    for (int i = 0; i < recipe->term_count; i++)
        sum += recipe->term[i].weight * (double)readings[i];
    return sum;
}
