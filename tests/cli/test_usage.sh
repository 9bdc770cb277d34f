#!/usr/bin/env bash
# What cannot be done is refused: the message names the thing, the exit code is the documented one.
# shellcheck source=../tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck disable=SC2154 # roofline is from tap.sh

commands="theory probe bench plot report list doctor"

# ---- help ----
exits "no command is a usage error" 2 "usage" "$roofline"
check "--help names every command" bash -c \
    "for c in $commands; do '$roofline' --help | grep -q \"^  \$c \" || exit 1; done"
check "--version names the program" bash -c "'$roofline' --version | grep -q '^roofline [0-9]'"
for command in $commands; do
    exits "$command --help" 0 "" "$roofline" "$command" --help
    check "$command --help says how to use it" grep -q "usage: roofline $command" out
    exits "$command --frobnicate is named" 2 "frobnicate" "$roofline" "$command" --frobnicate
done
exits "an unknown command is named" 2 "'frobnicate'|roofline --help" "$roofline" frobnicate

# ---- words ----
exits "an unknown specification" 2 "'no-such-machine'|xeon-e5-2697-v2" \
    "$roofline" theory no-such-machine
exits "an unknown list" 2 "'nonsense'" "$roofline" list nonsense
exits "an unknown kernel" 2 "'frob'|gemm" "$roofline" bench frob
exits "an unknown variant" 2 "'frob'" "$roofline" bench gemm --variant frob
for command in probe bench; do
    exits "$command: an unknown ISA" 2 "'mmx'|sse2" "$roofline" $command --isa mmx
    exits "$command: an unknown format" 2 "'f13'|f32" "$roofline" $command --dtype f13
    exits "$command: an unknown budget" 2 "'tiny'|quick" "$roofline" $command --budget tiny
    exits "$command: no threads" 2 "'0'" "$roofline" $command --threads 0
    exits "$command: threads that are no number" 2 "'two'" "$roofline" $command --threads two
    exits "$command: a device that is not here" 4 "gpu7" "$roofline" $command --device gpu7
    exits "$command: an unknown device" 2 "'toaster'" "$roofline" $command --device toaster
    exits "$command: an option without its value" 2 "out" "$roofline" $command --out
done
exits "theory: a clock that is no number" 2 "'fast'" "$roofline" theory --ghz fast
exits "theory: no sockets" 2 "'0'" "$roofline" theory xeon-e5-2697-v2 --sockets 0

# ---- shapes ----
while IFS='|' read -r shape named; do
    exits "gemm --shape '$shape'" 2 "$named" "$roofline" bench gemm --shape "$shape"
done <<-'SHAPES'
	m=8,n=8,q=8|'q'
	m=8,n=8|'k'
	m=8,n=8,k=8,k=8|'k'
	m=8,n=8,k=eight|eight
	m=8,n=8,k=-1|'k'
	m=8,n=8,k=99999999999999999999|'k'
	m=8,n=8,k=|'k'
	m|'m'
	=8|gemm
	,,,|gemm
SHAPES
exits "a shape for all kernels that not all have" 2 "'m'" "$roofline" bench --shape m=8
exits "an unknown collection" 2 "'@resnet51'|@resnet50|@squares" \
    "$roofline" bench conv2d --shape @resnet51,n=2
exits "a collection without shapes of the kernel" 2 "'@resnet50'|'relu'" \
    "$roofline" bench relu --shape @resnet50
exits "a letter that the shapes of a collection do not have" 2 "'q'|'gemm'" \
    "$roofline" bench --shape @bert,q=3
exits "more bytes than an address has" 2 "'gemm'" \
    "$roofline" bench gemm --shape m=4000000000,n=4000000000,k=4000000000
exits "more memory than there is" 4 "'gemm'|available" \
    "$roofline" bench gemm --shape m=1000000,n=1000000,k=16 --dtype f64 --budget quick

# ---- files ----
for command in plot report; do
    exits "$command: a folder is needed" 2 "results directory" "$roofline" $command
    exits "$command: no such folder" 5 "'no-such-folder" "$roofline" $command no-such-folder
    mkdir -p empty
    exits "$command: an empty folder" 5 "machine.csv" "$roofline" $command empty
    mkdir -p broken
    printf 'device,level\ncpu,fma\n' >broken/machine.csv
    exits "$command: columns missing" 5 "broken/machine.csv|line 1|'kind'" \
        "$roofline" $command broken
    head -c 4096 /dev/urandom >broken/machine.csv
    exits "$command: noise for a file" 5 "broken/machine.csv" "$roofline" $command broken
done
exits "theory: no such topology" 5 "'no-such.xml'" "$roofline" theory --topology no-such.xml
echo '<topology>' >broken.xml
exits "theory: a broken topology" 5 "'broken.xml'" "$roofline" theory --topology broken.xml

done_testing
