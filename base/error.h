// error.h - what a function says when it could not do its work: a status, and the words for it.
#ifndef ROOFLINE_ERROR_H
#define ROOFLINE_ERROR_H

/* Every function that can fail returns one of these; the words are in its struct error. */
enum status {
    OK = 0,
    SKIPPED = 1, /* this machine or request lacks something; the error says what, and the remedy */
    FAILED = 2
};

/* Why it failed. The value is the exit code of the program, as in README.md and `roofline --help`.
 */
enum fault {
    FAULT_NONE = 0,
    FAULT_REGRESSION = 1,
    FAULT_USAGE = 2,
    FAULT_INCONCLUSIVE = 3,
    FAULT_ENVIRONMENT = 4,
    FAULT_IO = 5,
    FAULT_WRONG = 6,
    FAULT_INTERRUPTED = 130, /* 128 + SIGINT */
    FAULT_TERMINATED = 143   /* 128 + SIGTERM */
};

struct error {
    enum fault fault;
    char text[512]; /* one line, no final newline: what failed, 'subject', why, remedy */
};

/* Stores the words and returns FAILED, so that a caller can write `return error_set(...)`. */
int error_set(struct error *error, enum fault fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Stores the reason and returns SKIPPED. */
int error_skip(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
