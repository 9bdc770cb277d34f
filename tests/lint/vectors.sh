#!/usr/bin/env bash
# Vector code sits where the dispatcher expects it: none in baseline objects, none above its ISA in
# an ISA object, and what an ISA object is for is really in it.
#
#   BUILD  folder of the objects (default build/gcc)
# shellcheck source=../tap.sh disable=SC2016 # the dollars are those of awk
. "$(dirname "$0")/../tap.sh"
cd "$root" || exit 5
build=${BUILD:-build/gcc}

if [ "$(uname -m)" != x86_64 ]; then
    echo "1..0 # SKIP the table of instructions is that of x86-64"
    exit
elif [[ "$build" == *sanitize* ]]; then
    echo "1..0 # SKIP sanitizers add code of their own; the plain build is looked at"
    exit
fi

# Of every instruction: mnemonic in m, operands in o. FMA loops of the ISAs without FMA are marked
# functions that are only called where CPUID has it; VEX is how FMA is encoded.
# offends NAME AWK OBJECT...: passes when no instruction meets the condition
offends() {
    local name=$1 condition=$2
    shift 2
    if [ $# -eq 0 ] || [ ! -e "$1" ]; then
        fail "$name: there are no such objects"
        return
    fi
    for object; do
        objdump -d --no-show-raw-insn "$object" | awk -v object="${object#"$build"/}" '
            /^[0-9a-f]+ </ {function_name = $2; marked = function_name ~ /^<fma/; next}
            /^ +[0-9a-f]+:\t/ {
                m = $2; o = $3
                if ('"$condition"') print object " " function_name " " m " " o
            }'
    done | sort | uniq -c | head -n 20 >"$scratch/bad"
    if [ -s "$scratch/bad" ]; then fail "$name" "$scratch/bad"; else pass "$name"; fi
}

# contains NAME AWK OBJECT...: passes when every object that calculates has such an instruction;
# some only choose between others
contains() {
    local name=$1 condition=$2
    shift 2
    for object; do
        [[ ! "$object" =~ /(conv2d|conv_transpose2d|convolution)\.o$ ]] || continue
        objdump -d --no-show-raw-insn "$object" | awk '
            /^ +[0-9a-f]+:\t/ {count++; m = $2; o = $3; if ('"$condition"') {found = 1; exit}}
            END {exit count && !found}' || echo "${object#"$build"/}"
    done >"$scratch/bad"
    if [ -s "$scratch/bad" ]; then fail "$name" "$scratch/bad"; else pass "$name"; fi
}

# VEX and EVEX mnemonics begin with v; so do only some about virtual machines and segments.
vex='(m ~ /^v/ && m !~ /^ver[rw]$|^vm/) || o ~ /%[yz]mm|%k[0-7]/'
packed='m ~ /^v?(f?n?m?(add|sub)|add|sub|mul|div|sqrt|min|max)(sub|add)?[0-9]*p[sd]$/'
evex='o ~ /%zmm|%k[0-7]|%[xy]mm(1[6-9]|2[0-9]|3[01])/'
# 256-bit integers came with AVX2, and so did broadcasts from a register.
avx2='m ~ /^vp/ && o ~ /%ymm/ && m !~ /^vpermilp|^vperm2f|^vptest/ ||
      m ~ /^vbroadcasts/ && o ~ /^%xmm/'

objects() {
    local isa=$1
    find "$build" -path "$build/$isa-*" -name '*.o' | sort
}

mapfile -t baseline < <(find "$build"/{base,probes,kernels,roofline,graphopt,cli,embedded.o} \
    -name '*.o')
offends "baseline objects have no vector code above SSE2" "$vex" "${baseline[@]}"

mapfile -t list < <(objects scalar)
offends "scalar bodies calculate on one number at a time" "$packed" "${list[@]}"
offends "scalar bodies have VEX only for FMA" "!marked && ($vex)" "${list[@]}"

mapfile -t list < <(objects sse2)
offends "sse2 bodies have VEX only for FMA" "!marked && ($vex)" "${list[@]}"
contains "sse2 bodies calculate on vectors" 'm ~ /p[sd]$/ && o ~ /%xmm/' "${list[@]}"

mapfile -t list < <(objects avx)
offends "avx bodies have nothing of AVX2, FMA or AVX-512" \
    "m ~ /^vfn?m/ || ($avx2) || ($evex)" "${list[@]}"
contains "avx bodies use 256-bit registers" 'o ~ /%ymm/' "${list[@]}"

mapfile -t list < <(objects avx2)
offends "avx2 bodies have nothing of AVX-512" "$evex" "${list[@]}"
contains "avx2 bodies use 256-bit registers" 'o ~ /%ymm/' "${list[@]}"

mapfile -t list < <(objects avx512)
contains "avx512 bodies use 512-bit registers" 'o ~ /%zmm/' "${list[@]}"

done_testing
