#!/bin/sh
# embed.sh FILE... - prints the C file that carries these texts inside the program, as
# base/embedded.h declares them.
#
# Bytes as numbers rather than string literals: nothing to escape, and no literal is longer than the
# 4095 characters that C11 5.2.4.1 promises.
set -eu

list() { # list ARRAY FOLDER FILE...
    array=$1 folder=$2
    shift 2
    echo "const struct embedded_file ${array}[] = {"
    index=0
    for file; do
        case $file in
        *"$folder"/*)
            stem=${file##*/}
            echo "    {\"${stem%.*}\", (const char *)file_$index},"
            ;;
        esac
        index=$((index + 1))
    done
    echo "    {0, 0},"
    echo "};"
}

echo "// Made by scripts/embed.sh; do not edit."
echo '#include "embedded.h"'
index=0
for file; do
    echo "// $file"
    echo "static const unsigned char file_${index}[] = {"
    od -An -v -tu1 "$file" | sed 's/\([0-9][0-9]*\)/\1,/g'
    echo "0};"
    index=$((index + 1))
done
list embedded_specs specs "$@"
list embedded_microarchitectures microarchitectures "$@"
list embedded_shapes shapes "$@"
list embedded_events events "$@"
list embedded_graphs graphs "$@"
