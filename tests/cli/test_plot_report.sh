#!/usr/bin/env bash
# `roofline plot` and `roofline report` over captured results: exit codes, columns, pipes.
# shellcheck source=../tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck disable=SC2154 # roofline and root are from tap.sh

cp -r "$root/tests/golden/results/zen3" sound
cp -r sound absurd
sed -i '/^cpu,gemm,/s/,2147483648,/,2147483648000,/' absurd/bench.csv

# ---- report ----
exits "sound results pass their checks" 0 "" "$roofline" report sound --check
exits "a kernel above its roof is a wrong result" 6 "violated" "$roofline" report absurd --check
check "the violation names its row" grep -q "gemm .* f32 m=1024,n=1024,k=1024' with 1 thread" out
exits "rows as CSV" 0 "" "$roofline" report sound --csv
keys=device,kernel,variant,isa,dtype,shape,threads,level
rates=gflops,gbytes_per_second,intensity,bound,roof_gflops,roof_fraction
check "CSV has the columns that are promised" grep -q "^$keys,$rates" out
check "a report leaves summary.csv behind" grep -q "^$keys,$rates" sound/summary.csv
exits "rows as JSON" 0 "" "$roofline" report sound --json
for option in "" --check --csv; do
    # shellcheck disable=SC2016 # for the inner shell
    exits "report $option to a full disk" 5 "No space left" \
        bash -c '"$1" report sound $2 >/dev/full' - "$roofline" "$option"
done

# ---- plot ----
exits "a plot in the terminal" 0 "" \
    env COLUMNS=80 LINES=24 LC_ALL=C "$roofline" plot sound --terminal
check "in a pipe it has no colour and is ASCII" bash -c "! LC_ALL=C grep -q '[^ -~]' out"
check "it fits 80 columns" bash -c "! grep -q '.\{81\}' out"
if command -v gnuplot >/dev/null; then
    exits "a plot as pictures" 0 "" "$roofline" plot sound
    check "one picture per format and thread count, names printed" bash -c \
        'for n in f32-1t f32-2t f64-1t f64-2t; do
            [ -s sound/roofline-cpu-$n.png ] && grep -qx "sound/roofline-cpu-$n.svg" out || exit 1
        done'
    cp -r sound many
    row=$(grep '^cpu,gemm,.*,f32,"m=1024,n=1024,k=1024",1,' many/bench.csv | head -n 1)
    for m in {1..40}; do echo "${row/m=1024/m=$m}"; done >>many/bench.csv
    exits "a plot of many kernels" 0 "" "$roofline" plot many
    check "goes on in a second picture" grep -qx "many/roofline-cpu-f32-1t-2.svg" out
    cp sound/bench.csv many
    exits "a plot of fewer kernels" 0 "" "$roofline" plot many
    check "leaves no picture of the many" test ! -e many/roofline-cpu-f32-1t-2.svg
else
    skip "a plot as pictures" "gnuplot is not installed"
fi
if [ "$(id -u)" -ne 0 ]; then
    chmod a-w absurd
    exits "plot: a folder that cannot be written" 5 "'absurd" "$roofline" plot absurd
    exits "report: a folder that cannot be written is read" 0 "" "$roofline" report absurd
    chmod u+w absurd
else
    skip "plot: a folder that cannot be written" "root may write anywhere"
fi

done_testing
