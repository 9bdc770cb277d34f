// error.c - formatting of error texts.
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

int error_set(struct error *error, enum fault fault, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error->fault = fault;
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return FAILED;
}

int error_skip(struct error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error->fault = FAULT_NONE;
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return SKIPPED;
}
