// main.c - finds the subcommand and hands it its arguments.
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "file.h"
#include "interrupt.h"

#ifndef ROOFLINE_VERSION
#define ROOFLINE_VERSION "unknown"
#endif

#define COMMAND(name) extern const struct command name##_command;
#include "commands.def"
#undef COMMAND

const struct command *const commands[] = {
#define COMMAND(name) &name##_command,
#include "commands.def"
#undef COMMAND
    NULL,
};

static void print_help(FILE *file)
{
    fputs("usage: roofline COMMAND [options]\n\n"
          "What could this machine do, what does it do, and how near do operators come.\n\n",
          file);
    for (const struct command *const *command = commands; *command; command++)
        fprintf(file, "  %-8s %s\n", (*command)->name, (*command)->summary);
    fputs("\n'roofline COMMAND --help' explains a command.\n"
          "Exit codes: 0 good, 1 regression, 2 usage, 3 too noisy, 4 the environment lacks what\n"
          "was asked for, 5 input/output, 6 a wrong result, 130/143 interrupted (finished rows "
          "kept).\n",
          file);
}

static int run(int argc, char **argv)
{
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help(stdout);
        return FAULT_NONE;
    }
    if (strcmp(word, "--version") == 0) {
        puts("roofline " ROOFLINE_VERSION);
        return FAULT_NONE;
    }
    for (const struct command *const *command = commands; *command; command++)
        if (strcmp((*command)->name, word) == 0)
            return (*command)->run(argc - 1, argv + 1);
    struct error error;
    error_set(&error, FAULT_USAGE, "unknown command '%s'; 'roofline --help' lists them", word);
    return complain(&error);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return FAULT_USAGE;
    }
    interrupt_watch();
    int code = run(argc, argv);
    /* Data that a full disk swallowed would otherwise end in exit code 0. */
    struct error error;
    if (stdout_commit(&error) != OK && code == FAULT_NONE)
        return complain(&error);
    return code;
}
