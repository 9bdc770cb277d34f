#!/usr/bin/env bash
# `roofline bench --shape @NAME`: the rows are those of the collection, under their letters.
# shellcheck source=../tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck disable=SC2154 # roofline is from tap.sh

isa=scalar
[ "$(uname -m)" != x86_64 ] || isa=sse2

exits "a collection runs without a kernel's name" 0 "" \
    "$roofline" bench --shape @fc,n=8,k=64 --isa $isa --dtype f32 --threads 1 --csv
check "every shape of it, with the letters that were given" \
    test "$(grep -c '^cpu,gemm,.*"m=1,n=8,k=64[",]' out)" -eq 5
check "and no other kernel" test "$(grep -c '^cpu,' out)" -eq 5

done_testing
