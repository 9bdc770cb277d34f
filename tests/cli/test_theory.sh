#!/usr/bin/env bash
# `roofline theory`: formulas that fit a terminal, files of one's own, refusals by name.
# shellcheck source=../tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck disable=SC2154 # roofline is from tap.sh

unset COLUMNS

# says NAME WORDS ARGUMENT...: the words are on stdout, across line breaks
says() {
    local name=$1 words=$2
    shift 2
    "$roofline" theory "$@" 2>&1 | tr -s ' \n' ' ' >answer
    check "$name" grep -qF -- "$words" answer
}

says "two Xeons: 1036.8 GFLOP/s" \
    "x 2.7 GHz base x 8 SP lanes x 2 (ADD and MUL side by side; no FMA) = 1036.8 GFLOP/s" \
    xeon-e5-2697-v2
says "two Xeons: 119.4 GB/s" "x 1866 MT/s x 8 B = 119.4 GB/s" xeon-e5-2697-v2
says "V100: 15.7 TFLOP/s" "x 1.53 GHz boost x 2 (FMA) = 15.7 TFLOP/s" nvidia-v100-sxm2
says "V100: 898 GB/s" "0.877 GHz x 2 (DDR) x 4096 bit / 8 = 898 GB/s" nvidia-v100-sxm2
says "a question changes the number" "4 sockets x 12 cores x 2.7 GHz base" \
    xeon-e5-2697-v2 --sockets 4
says "this machine gets rows or reasons" "capacity"
says "help lists the machines" "nvidia-h200" --help

# Sources are URLs, longer than any terminal; formulas are not.
"$roofline" theory xeon-platinum-8280 --isa all | sed '/^sources/,$d' >text
check "formulas fit 80 columns" awk 'length > 80 { print; bad = 1 } END { exit bad }' text

"$roofline" theory epyc-7763 --csv >rows
check "csv has the columns of machine.csv" grep -q '^device,level,kind,dtype,isa,workers,' rows
check "csv names the source of every number" grep -q '^# clock_base: 2.45 GHz: ' rows
"$roofline" theory epyc-7763 --json >json
check "json is a list" grep -q '"value":10035200000000' json

cat >mine.csv <<'END'
# title: mine
# kind: cpu
# microarchitecture: zen3
quantity,value,unit,source
sockets,1,count,seen
cores_per_socket,8,count,seen
clock_base,3.4,GHz,box
memory_channels,2,count,board
memory_transfers,3200,MT/s,board
memory_bus,8,B,JEDEC JESD79-4
END
says "a file of one's own" "2 channels x 3200 MT/s x 8 B = 51.2 GB/s" mine.csv
says "a captured machine" "2 sockets x 64 cores x 2.45 GHz given" --ghz 2.45 \
    --topology "$root/tests/golden/machines/epyc-7763-2s-nps4.xml"

theory="$roofline theory"
# shellcheck disable=SC2086 # words
{
    exits "unknown machine" 2 "'v101'|nvidia-v100-sxm2|xeon-e5-2697-v2" $theory v101
    exits "two machines" 2 "'epyc-7763'" $theory nvidia-h200 epyc-7763
    exits "zero clock" 2 "--ghz '0'" $theory --ghz 0
    exits "negative sockets" 2 "--sockets '-1'" $theory epyc-7763 --sockets -1
    exits "no number" 2 "--mts 'fast'" $theory --mts fast
    exits "half a core" 2 "--cores '1.5'|whole" $theory epyc-7763 --cores 1.5
    exits "half a socket" 2 "--sockets '1.5'|whole" $theory --sockets 1.5
    check "half a socket: refused before anything is printed" test ! -s out
    exits "unknown ISA" 2 "'mmx'|avx512" $theory --isa mmx
    exits "ISA that the machine lacks" 2 "'avx512'|avx" $theory xeon-e5-2697-v2 --isa avx512
    exits "unknown dtype" 2 "'f17'|f32" $theory --dtype f17
    exits "sockets of a GPU" 2 "--sockets|nvidia-h200" $theory nvidia-h200 --sockets 2
    exits "missing file" 5 "'nowhere.csv'" $theory nowhere.csv
    exits "spec and topology" 2 "'epyc-7763'|'m.xml'" $theory epyc-7763 --topology m.xml
}
done_testing
