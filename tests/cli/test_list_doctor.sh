#!/usr/bin/env bash
# `roofline list` and `roofline doctor` answer people and machines, and refuse what they do not know by name.
# shellcheck source=../tap.sh
. "$(dirname "$0")/../tap.sh"

for what in kernels variants shapes isas dtypes probes specs columns; do
    check "list $what prints rows" sh -c "[ \$('$roofline' list $what | wc -l) -gt 1 ]"
done
exits "list without a word names the words" 2 "kernels|specs|columns" "$roofline" list
exits "an unknown word is named with the known ones" 2 "'kernel'|kernels|columns" "$roofline" list kernel
exits "a second word is one too many" 2 "'specs'" "$roofline" list kernels specs
check "every kernel is listed with its models" sh -c "'$roofline' list kernels | grep -q '^gemm .*2 [*] m [*] n [*] k'"
check "the published machines are listed" sh -c "'$roofline' list specs | grep -q '^xeon-e5-2697-v2 '"
for file in machine bench summary; do
    check "the columns of $file.csv are listed" sh -c "'$roofline' list columns | grep -q '^$file.csv '"
done

check "doctor says how the machine is" sh -c "'$roofline' doctor | grep -q '^machine '"
"$roofline" doctor --csv >report.csv
check "doctor --csv names its columns" grep -qx 'check,state,finding,remedy' report.csv
check "doctor knows four states only" sh -c "sed 1d report.csv | cut -d, -f2 | grep -vqxE 'ok|note|bad|unknown' && exit 1 || exit 0"
"$roofline" doctor --json >report.json
if command -v python3 >/dev/null; then
    check "doctor --json is JSON" python3 -m json.tool report.json
else
    skip "doctor --json is JSON" "no python3 to read it"
fi
exits "doctor takes no word" 2 "'now'" "$roofline" doctor now
exits "a redirected hwloc is refused" 4 "HWLOC_" env HWLOC_SYNTHETIC='package:1 core:2 pu:1' "$roofline" doctor
if [ "$(nproc)" -gt 1 ] && command -v taskset >/dev/null; then
    first=$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')
    check "doctor sees a narrow cpuset" sh -c "taskset -c $first '$roofline' doctor --csv | grep -q '^affinity,note,.*1 of '"
    check "doctor sees a single core" sh -c "taskset -c $first '$roofline' doctor --csv | grep -q '^cores,note,'"
    check "doctor blames a variable that binds" \
        sh -c "OMP_PROC_BIND=true '$roofline' doctor --csv | grep -q '^affinity,bad,.*OMP_PROC_BIND'"
else
    skip "doctor sees a narrow cpuset" "one CPU only"
fi

done_testing
