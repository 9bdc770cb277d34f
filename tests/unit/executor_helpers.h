// executor_helpers.h - graphs as texts and what runs them, for tests.
#ifndef ROOFLINE_EXECUTOR_HELPERS_H
#define ROOFLINE_EXECUTOR_HELPERS_H

#include "executor.h"
#include "graph_helpers.h"

struct bench {
    struct host host;
    struct graph graph;
    struct executor *executor;
    struct error error;
};

/* The fault is in bench->error, where the graph cannot be opened. */
static inline void bench_open(struct bench *bench, const char *text, int threads, bool keeps)
{
    *bench = (struct bench){.executor = NULL};
    graph_of(&bench->graph, text);
    if (host_read(&bench->host, NULL, &bench->error) != OK)
        fail_msg("%s", bench->error.text);
    const struct executor_setup setup = {
        .host = &bench->host, .threads = threads, .isa = isa_best(), .keeps_results = keeps};
    if (executor_open(&bench->executor, &bench->graph, &setup, &bench->error) != OK)
        assert_null(bench->executor);
}

static inline void bench_close(struct bench *bench)
{
    executor_close(bench->executor);
    graph_free(&bench->graph);
    host_free(&bench->host);
}

#endif
