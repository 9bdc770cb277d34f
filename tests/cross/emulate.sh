# Sourced by the tests on emulated CPUs, after tap.sh.
# shellcheck shell=bash disable=SC2154 # scratch is from tap.sh

# Without it the test starts itself anew, and that would leave the emulation.
export OMP_WAIT_POLICY=passive

# computes NAME COMMAND...: a test program that passes
computes() {
    local name=$1
    shift
    if CMOCKA_MESSAGE_OUTPUT=TAP "$@" >"$scratch/log" 2>"$scratch/err" &&
        grep -q '^ok ' "$scratch/log" && ! grep -q '^not ok ' "$scratch/log"; then
        pass "$name"
    else
        tail -n 20 "$scratch/log" "$scratch/err" >"$scratch/tail"
        fail "$name" "$scratch/tail"
    fi
}
