#!/usr/bin/env bash
# No mutable globals in the library, but for those named here with a reason.
#
#   BUILD  folder of the objects (default build/gcc)
# shellcheck source=../tap.sh
. "$(dirname "$0")/../tap.sh"
cd "$root" || exit 5
build=${BUILD:-build/gcc}

# object symbol reason
allowed='interrupt.o received a signal handler has nothing else to write to
measure.o multiply_cycles a property of the core, found out once before the first clock reading
measure.o multiply_cycles_once says that it was
team.o pinning the pool of OpenMP threads is one per process, and so is where they sit'

if [[ "$build" == *sanitize* ]]; then
    echo "1..0 # SKIP sanitizers add globals of their own; the plain build is looked at"
    exit
fi

# Sections by name, because read-only tables of pointers are relocated data to nm. The lock of an
# OpenMP critical section is the compiler's.
objdump -t "$build/libroofline.a" | awk '
    /:     file format/ {object = $1; sub(/:$/, "", object)}
    / O (\.data|\.bss|\.tdata|\.tbss|\*COM\*)(\.[a-z]+)?\t/ && !/\.data\.rel\.ro|\.gomp_critical/ {
        symbol = $NF
        sub(/\.[0-9]+$/, "", symbol)
        print object, symbol
    }' >"$scratch/globals"

check "the library has objects" test -s "$build/libroofline.a"
while read -r object symbol; do
    if grep -q "^$object $symbol " <<<"$allowed"; then
        pass "$object: $symbol is a reasoned exception"
    else
        fail "$object: '$symbol' is mutable and global"
    fi
done <"$scratch/globals"
while read -r object symbol _; do
    check "the exception '$object $symbol' is needed" \
        grep -qx "$object $symbol" "$scratch/globals"
done <<<"$allowed"

done_testing
