#!/usr/bin/env bash
# `roofline list` and `roofline doctor` answer people and machines, and name what they refuse.
# shellcheck source=../tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck disable=SC2154 # roofline is from tap.sh

# answers NAME PATTERN WORD...: a line on stdout fits the pattern
answers() {
    local name=$1 pattern=$2
    shift 2
    "$roofline" "$@" >answer 2>&1
    check "$name" grep -E -- "$pattern" answer
}

# ---- list ----
for what in kernels variants shapes isas dtypes probes specs passes columns; do
    "$roofline" list $what >rows
    check "list $what prints rows" test "$(wc -l <rows)" -gt 1
done
answers "kernels are listed with their models" '^gemm .*2 [*] m [*] n [*] k' list kernels
answers "letters are listed with their defaults" '^conv2d +stride +.*default 1' list shapes
answers "collections are listed with their sources" '@resnet50 +source: .*doi' list shapes
answers "shapes of collections are listed with name and count" \
    '^conv2d +c=64,h=56,.*@resnet50 conv2_3x3, 3 times$' list shapes
answers "published machines are listed" '^xeon-e5-2697-v2 ' list specs
for file in machine bench summary; do
    answers "columns of $file.csv are listed" "^$file.csv " list columns
done
answers "list --csv has a header" '^spec,kind,title$' list specs --csv

words="kernels variants shapes isas dtypes probes specs passes columns"
exits "list without a word names the words" 2 "$words" "$roofline" list
exits "an unknown word is named with the known ones" 2 "'kernel'|$words" "$roofline" list kernel
exits "a second word is one too many" 2 "'specs'" "$roofline" list kernels specs

# ---- completion ----
# completes NAME WANTED BREAKS WORD...: completion offers the word WANTED after these words
completes() {
    local name=$1 wanted=$2
    check "$name" env PATH="${roofline%/*}:$PATH" COMP_WORDBREAKS="$3" bash -c '
        . "$0/scripts/completion.bash"
        wanted=$1
        COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2))
        _roofline
        printf "%s\n" "${COMPREPLY[@]}" | grep -xF -- "$wanted"' "$root" "$wanted" "${@:4}"
}
completes "commands are completed" bench '' roofline be
completes "options are completed" --shape '' roofline bench --sh
completes "collections are completed" @resnet50 '' roofline bench --shape @res
completes "collections are completed where @ breaks words" resnet50 '@' roofline bench --shape @ res
completes "collections are completed after a bare @" resnet50 '@' roofline bench --shape @

# ---- doctor ----
answers "doctor says what the machine is" '^machine +ok ' doctor
answers "doctor --csv names its columns" '^check,state,finding,remedy$' doctor --csv
sed 1d answer | cut -d, -f2 | grep -vxE 'ok|note|bad|unknown' >other
check "doctor knows four states only" test ! -s other
"$roofline" doctor --json >report.json
if command -v python3 >/dev/null; then
    check "doctor --json is JSON" python3 -m json.tool report.json
else
    skip "doctor --json is JSON" "no python3 to read it"
fi
exits "doctor takes no word" 2 "'now'" "$roofline" doctor now
exits "a redirected hwloc is refused" 4 "HWLOC_" \
    env HWLOC_SYNTHETIC='package:1 core:2 pu:1' "$roofline" doctor

if [ "$(nproc)" -gt 1 ] && command -v taskset >/dev/null; then
    first=$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')
    taskset -c "$first" "$roofline" doctor --csv >answer
    check "doctor sees a narrow cpuset" grep -E '^affinity,note,.*1 of ' answer
    check "doctor sees a single core" grep -E '^cores,note,one core' answer
    if ldd "$roofline" | grep -q libgomp; then
        OMP_PROC_BIND=true "$roofline" doctor --csv >answer
        check "doctor blames a variable that binds" grep -E '^affinity,bad,.*OMP_PROC_BIND' answer
    else
        skip "doctor blames a variable that binds" "only libgomp binds before main()"
    fi
else
    skip "doctor sees a narrow cpuset" "one CPU only"
fi

done_testing
