#!/usr/bin/env bash
# The test runner itself: what ends badly is a failure, and the closing line counts what there was.
# shellcheck source=../tap.sh disable=SC2016 # the dollars are those of the programs
. "$(dirname "$0")/../tap.sh"

# program NAME LINE... : a script in $scratch that runs the lines
program() {
    local name=$1
    shift
    { echo '#!/bin/bash'; printf '%s\n' "$@"; } >"$name"
    chmod +x "$name"
}

# closes NAME CODE LINE PROGRAM...: the runner's exit code and last line; --alone may be among them
closes() {
    local code=0 name=$1 wanted=$2 line=$3
    shift 3
    local paths=("${@/#/$scratch/}")
    "$root/tests/run" "${paths[@]/#$scratch\/--/--}" >out 2>err || code=$?
    if [ $code -eq "$wanted" ] && [ "$(tail -n 1 out)" = "$line" ]; then
        pass "$name"
    else
        fail "$name (code $code)" out err
    fi
}

program good 'echo 1..2; echo "ok 1 - a"; echo "ok 2 - b"'
program bad 'echo "ok 1 - a"; echo "not ok 2 - b"; echo 1..2; exit 1'
program crash 'echo 1..2; echo "ok 1 - a"; kill -SEGV $$'
program short 'echo 1..3; echo "ok 1 - a"'
program silent 'true'
program late 'echo "ok 1 - a"; exit 7'
program skips 'echo "ok 1 - a # SKIP no GPU"' 'echo "# skip: no PMU"; echo "not ok 2 # SKIP b"'
program none 'echo "1..0 # SKIP no compiler"'

unset ONLY
closes "good tests pass" 0 "2 passed, 0 failed, 0 skipped" good
closes "a failed test fails the run" 1 "1 passed, 1 failed, 0 skipped" bad
closes "a crash is a failure" 1 "1 passed, 1 failed, 0 skipped" crash
closes "tests that never ran are a failure" 1 "1 passed, 1 failed, 0 skipped" short
closes "a program without tests is a failure" 1 "0 passed, 1 failed, 0 skipped" silent
closes "a bad exit code is a failure" 1 "1 passed, 1 failed, 0 skipped" late
closes "skipped tests are counted apart" 0 "0 passed, 0 failed, 2 skipped" skips
check "the reason of a skip is shown" grep -q "no PMU" out
closes "a program may skip itself" 0 "0 passed, 0 failed, 1 skipped" none
closes "sums are over all programs" 1 "3 passed, 1 failed, 2 skipped" good bad skips

# Each waits for the other; alone, each looks for the other.
meets='for i in {1..100}; do [ ! -e "$other" ] || exec echo "ok 1 - met"; sleep 0.1; done; exit 1'
program left "cd '$scratch'; touch left.here; other=right.here; echo 1..1" "$meets"
program right "cd '$scratch'; touch right.here; other=left.here; echo 1..1" "$meets"
JOBS=2 closes "programs run side by side" 0 "2 passed, 0 failed, 0 skipped" left right
alone='mkdir "$0.d"; sleep 0.2; [ -e "$other.d" ] || echo "ok 1 - alone"; rmdir "$0.d"'
program one "other='$scratch/two'" "$alone"
program two "other='$scratch/one'" "$alone"
JOBS=2 closes "those that measure run alone" 0 "2 passed, 0 failed, 0 skipped" --alone one two
JOBS=2 closes "and not before the others are done" 0 "2 passed, 0 failed, 0 skipped" one --alone two
program sleeps "echo \$\$ >'$scratch/sleeper'; exec sleep 100"
"$root/tests/run" "$scratch/sleeps" >out 2>err &
until [ -s sleeper ]; do sleep 0.1; done
kill -TERM $!
code=0
wait $! || code=$?
check "an interrupt ends the runner with its code" test $code -eq 130
check "an interrupt ends the programs" bash -c '! kill -0 "$(cat sleeper)"'

export ONLY=nothing-matches
closes "a run without tests is no success" 4 "0 passed, 0 failed, 0 skipped" good

done_testing
