#!/usr/bin/env bash
# Measures this machine: probe, bench, graph, plot and report into results/<host>/<UTC time>/.
#
#   scripts/bench.sh PROGRAM quick|standard|full
#
# A step that lacks something (code 4), was too noisy (3) or found a wrong result (6) does not keep
# the next from running; anything else, an interrupt above all, stops here. Finished rows stay in
# either case. The exit code is the first bad one; want of gnuplot is said, but is no failure.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 5

program=$1
budget=$2
folder=$(scripts/host-folder.sh)
directory=$folder/$(date -u +%Y%m%dT%H%M%SZ)
mkdir -p "$directory" || exit 5
first_bad=0

step() {
    local name=$1 code=0
    shift
    echo "== $name" >&2
    "$program" "$name" "$@" || code=$?
    case $code in
    0) ;;
    4)
        if [ "$name" != plot ]; then
            [ $first_bad -ne 0 ] || first_bad=$code
        fi
        ;;
    3 | 6) [ $first_bad -ne 0 ] || first_bad=$code ;;
    *)
        echo "bench: '$name' stopped with code $code; finished rows are in $directory" >&2
        exit $code
        ;;
    esac
}

# The tables are in the folder as CSV, and the report sums them up: stdout is left to it.
# An interrupt is the program's to handle: it keeps its rows and ends with 130, which stops here.
trap : INT TERM

step probe --budget "$budget" --out "$directory" >/dev/null
step bench --budget "$budget" --out "$directory" >/dev/null
step graph resnet-block --check --budget "$budget" --out "$directory" >/dev/null
step plot "$directory"
step report "$directory"
ln -sfn "$(basename "$directory")" "$folder/latest"
echo "results: $folder/latest/ ($directory)" >&2
exit $first_bad
