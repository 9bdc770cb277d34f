#!/usr/bin/env bash
# Bad surroundings: full disks, closed pipes, one core, no gnuplot, an interrupt. Nothing that was
# measured is lost.
# shellcheck source=../tap.sh disable=SC2016 # the dollars are those of the inner shell
. "$(dirname "$0")/../tap.sh"
# shellcheck disable=SC2154 # roofline is from tap.sh

isa=(--isa scalar)
[ "$(uname -m)" != x86_64 ] || isa=(--isa sse2)
small=(bench add --shape n=1000 --dtype f32 "${isa[@]}")

# rows FILE: measurements and ceilings in it, without notes and header
rows() {
    grep -vc '^#' "$1" | awk '{print $1 - 1}'
}

# ---- output ----
exits "a full standard output" 5 "standard output" \
    bash -c '"$0" list kernels >/dev/full' "$roofline"
exits "a closed standard output" 5 "standard output" bash -c '"$0" list kernels >&-' "$roofline"
exits "a folder that cannot be made" 5 "'/proc/self/results'" \
    "$roofline" "${small[@]}" --out /proc/self/results
touch file
exits "a file in the way of the folder" 5 "'file'" "$roofline" "${small[@]}" --out file
mkdir sealed
chmod 555 sealed
chmod 755 .
somebody=() # root may write everywhere
[ "$(id -u)" -ne 0 ] || somebody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
if "${somebody[@]}" "$roofline" --version >out 2>&1; then
    exits "a folder without write permission" 5 "'sealed/bench.csv'|Permission denied" \
        "${somebody[@]}" "$roofline" "${small[@]}" --out sealed
else
    skip "a folder without write permission" "nobody but root can run the program here"
fi
mkdir -p disk
if unshare --mount --map-root-user mount -t tmpfs -o size=4k none disk 2>/dev/null; then
    exits "a full disk" 5 "bench.csv|No space left" unshare --mount --map-root-user bash -c \
        'mount -t tmpfs -o size=64k none disk
         head -c 99999 /dev/zero >disk/other 2>/dev/null
         "$@" --out disk' - "$roofline" "${small[@]}"
else
    skip "a full disk" "no private mount is possible here"
fi

# ---- the machine ----
exits "on one core" 0 "" taskset -c 0 "$roofline" "${small[@]}" --out one
check "on one core there is one thread" bash -c \
    "awk -F, '/^cpu,/ {n++; bad += \$7 != 1} END {exit !n || bad}' one/bench.csv"
exits "more threads than there are" 4 "100000" "$roofline" "${small[@]}" --threads 100000
if [[ "${BUILD:-}" == *sanitize* ]]; then
    skip "an address space that is too small" "AddressSanitizer maps terabytes"
else
    exits "an address space that is too small" 4 "'gemm'" bash -c \
        'ulimit -v 600000; "$0" bench gemm --shape m=16000,n=16000,k=16 --dtype f64' "$roofline"
fi

# ---- interrupts ----
# interrupted SIGNAL CODE COMMAND FILE: after as many seconds as it takes to have a row to lose
interrupted() {
    local seconds code
    for seconds in 4 12 40; do
        rm -rf stopped
        code=0
        timeout --preserve-status --signal="$1" $seconds "$roofline" "$3" --budget full \
            --dtype f32 --threads 1 "${isa[@]}" --out stopped >out 2>err || code=$?
        [ ! -e "stopped/$4" ] || break
    done
    check "$3, $1 in the middle: code $2" test $code -eq "$2"
    check "$3, $1 in the middle: finished rows are kept" test "$(rows "stopped/$4")" -gt 0
    check "$3, $1 in the middle: nothing half written" test "$(ls stopped)" = "$4"
}
interrupted INT 130 probe machine.csv
interrupted INT 130 bench bench.csv
interrupted TERM 143 bench bench.csv
exits "graph, interrupted while ceilings are sampled" 130 "interrupted" \
    timeout --preserve-status --signal=INT 1 "$roofline" graph resnet-block --dump stopped.onnx
check "graph, interrupted: nothing is written" test ! -e stopped.onnx

# ---- gnuplot ----
"$roofline" probe --budget quick --dtype f32 --threads 1 --out both >out 2>err
"$roofline" "${small[@]}" --out both >out 2>err
mkdir -p empty-path
exits "no gnuplot: named, with the remedy" 4 "'gnuplot'|apt-get install|--terminal" \
    env PATH="$PWD/empty-path" "$roofline" plot both
exits "no gnuplot: the terminal plot needs none" 0 "" \
    env PATH="$PWD/empty-path" "$roofline" plot both --terminal
check "no gnuplot: there is a terminal plot" test -s out
exits "no gnuplot: the report needs none" 0 "" env PATH="$PWD/empty-path" "$roofline" report both
if command -v gnuplot >/dev/null; then
    exits "with gnuplot there are pictures" 0 "" "$roofline" plot both
    check "pictures in both formats" bash -c 'ls both/*.svg both/*.png'
else
    skip "with gnuplot there are pictures" "gnuplot is not installed"
fi

done_testing
