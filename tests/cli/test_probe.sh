#!/usr/bin/env bash
# roofline probe: what it measured is handed over, whatever the surroundings are.
# shellcheck source=../tap.sh disable=SC2016 # the dollars are those of the inner shell
. "$(dirname "$0")/../tap.sh"
# shellcheck disable=SC2154 # roofline is from tap.sh

isa=scalar
[ "$(uname -m)" != x86_64 ] || isa=sse2
probe=(probe --isa "$isa" --dtype f64 --threads 1)

# A folder that cannot be written to is no reason to measure first.
SECONDS=0
exits "a folder that cannot be made: said" 5 "'/proc/self/results'" \
    "$roofline" "${probe[@]}" --budget full --out /proc/self/results
check "a folder that cannot be made: said at once" test "$SECONDS" -lt 5
exits "the same of bench" 5 "'/proc/self/results'" \
    "$roofline" bench --budget full --out /proc/self/results
check "the same of bench: at once" test "$SECONDS" -lt 10

# The folder goes away in the middle: a file takes its name.
mkdir gone
(
    sleep 0.4
    rm -r gone
    : >gone
) &
exits "a folder that is lost in the middle" 5 "'gone'" "$roofline" "${probe[@]}" --out gone
wait
check "a folder that is lost in the middle: rows are on stdout" grep -q 'L1:read' out

# An interrupt before anything is measured.
mkdir kept
echo "of an earlier run" >kept/machine.csv
cat >interrupt <<'SCRIPT'
# Runs a command and interrupts it as soon as it catches the signal.
env --default-signal=INT "$@" &
until mask=$(sed -n 's/^SigCgt:\t*//p' "/proc/$!/status") && ((0x$mask & 1 << 1)); do
    kill -0 $! || exit
    sleep 0.01
done
kill -INT $!
wait $!
SCRIPT
exits "an early interrupt" 130 "interrupted" \
    bash interrupt "$roofline" "${probe[@]}" --budget full --out kept
check "an early interrupt: an earlier file stays" grep -q "of an earlier run" kept/machine.csv

if [[ "${BUILD:-}" == *sanitize* ]]; then
    skip "little memory" "AddressSanitizer maps terabytes"
else
    exits "little memory" 0 "" bash -c 'ulimit -v 150000; exec "$@"' - \
        "$roofline" "${probe[@]}" --csv
    check "little memory: DRAM is skipped, with a reason" \
        grep -E '^cpu,DRAM,(bandwidth|latency),.*,skipped,.*ulimit' out
    check "little memory: L1 is measured" grep -E '^cpu,L1:read,.*,measured,.*,ok,' out
fi

done_testing
