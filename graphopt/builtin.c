// builtin.c - the graphs of graphs/, which travel inside the program.
#include "builtin.h"

#include <string.h>

#include "embedded.h"
#include "graph_text.h"

const char *builtin_name(int i)
{
    return embedded_graphs[i].name;
}

static const struct embedded_file *find(const char *name)
{
    for (const struct embedded_file *file = embedded_graphs; file->name; file++)
        if (strcmp(file->name, name) == 0)
            return file;
    return NULL;
}

const char *builtin_summary(const char *name, int *length)
{
    const struct embedded_file *file = find(name);
    const char *line = file ? file->text + strspn(file->text, "# ") : "";
    *length = (int)strcspn(line, "\n");
    return file ? line : NULL;
}

static int refuse(const char *name, struct error *error)
{
    char names[400] = "";
    for (const struct embedded_file *file = embedded_graphs; file->name; file++) {
        strncat(names, file == embedded_graphs ? "" : ", ", sizeof names - strlen(names) - 1);
        strncat(names, file->name, sizeof names - strlen(names) - 1);
    }
    return error_set(error, FAULT_USAGE,
                     "'%.100s' is neither a file nor a built-in graph; built in are %s", name,
                     names);
}

int builtin_graph(struct graph *graph, const char *name, long batch, struct error *error)
{
    const struct embedded_file *file = find(name);
    *graph = (struct graph){0};
    if (!file)
        return refuse(name, error);
    if (graph_parse(graph, name, file->text, GRAPH_NAMED_BYTES_MAX, error) != OK)
        return FAILED;
    if (batch == 0)
        return OK;
    return graph_bind(graph, BUILTIN_BATCH, batch, error) == OK ? graph_infer(graph, error)
                                                                : FAILED;
}
