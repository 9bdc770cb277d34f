#!/usr/bin/env bash
# A library that is broken, of another interface or not there is a skipped row with a reason.
#
#   CC  compiler of the libraries that pose as others (default cc)
# shellcheck source=../tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck disable=SC2154 # roofline is from tap.sh

small=("$roofline" bench gemm --shape 'm=5,n=5,k=5' --threads 1 --out results)

# refuses NAME 'WORD|...' LIBRARY: with the file in $PWD/lib in front of all others
refuses() {
    rm -rf results
    exits "$1" 4 "$2" env LD_LIBRARY_PATH="$PWD/lib" "${small[@]}" --variant "$3"
    check "$1: its rows are kept" grep -E "^cpu,gemm,$3,,.*,skipped," results/bench.csv
}

mkdir -p lib
head -c 4096 /dev/zero | tr '\0' '#' >lib/libopenblas.so.0
cp lib/libopenblas.so.0 lib/libopenblaso.so.0
cp lib/libopenblas.so.0 lib/libopenblasp.so.0
refuses "a text file posing as OpenBLAS" "cannot be loaded|invalid ELF header" openblas
rm lib/*

# poses FILE FUNCTION...: a library with these functions, which return a text
poses() {
    local file=$1
    shift
    printf 'const char *%s(void) { return "OpenBLAS 0.3.21 USE64BITINT MAX_THREADS=64"; }\n' "$@" |
        "${CC:-cc}" -shared -fPIC -x c -o "lib/$file" -
}
if command -v "${CC:-cc}" >/dev/null; then
    poses libopenblas.so.0 openblas_get_config
    refuses "a library without a function names it" "'openblas_get_corename'" openblas
    poses libopenblas.so.0 openblas_get_config openblas_get_corename openblas_get_parallel \
        openblas_set_num_threads openblas_get_num_threads cblas_sgemm cblas_dgemm
    refuses "64-bit integers are another interface" "ILP64|0.3.21" openblas
    LD_LIBRARY_PATH="$PWD/lib" "$roofline" list variants --csv >answer
    check "list says why it is not taken" grep -E '^gemm,openblas,.*not here, .*ILP64' answer
else
    skip "libraries that lack something" "there is no compiler to make one"
fi

if "$roofline" list variants | grep -E '^gemm +openblas .*OpenBLAS 0' >found; then
    exits "an instruction set is not for a library" 0 "" \
        "${small[@]}" --variant openblas --isa scalar
    check "an instruction set is not for a library: said so" \
        grep "chooses its instruction set by itself" results/bench.csv
    exits "a library is measured" 0 "" "${small[@]}" --variant openblas
    check "its version is in the file" grep '^# library: OpenBLAS 0' results/bench.csv
else
    skip "a library is measured" "OpenBLAS is not here: make deps-peers"
fi

done_testing
