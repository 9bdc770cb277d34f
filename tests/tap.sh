# Sourced by the shell tests and lints: prints TAP. They run in a folder of their own, $scratch.
#
#   ROOFLINE  the program under test (default build/roofline)
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034 # for those who source this
roofline=$(realpath "${ROOFLINE:-$root/build/roofline}" 2>/dev/null)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 5
tap_count=0
tap_bad=0

pass() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1"
}

# fail NAME [FILE...]: the files are shown as comments
fail() {
    tap_count=$((tap_count + 1))
    tap_bad=1
    echo "not ok $tap_count - $1"
    shift
    [ $# -eq 0 ] || sed 's/^/# /' "$@"
}

skip() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1 # SKIP $2"
}

# check NAME CONDITION...: passes when the command succeeds
check() {
    local name=$1
    shift
    if "$@" >"$scratch/check" 2>&1; then pass "$name"; else fail "$name" "$scratch/check"; fi
}

# exits NAME CODE 'WORD|...' COMMAND...: the code is CODE and standard error contains every WORD
exits() {
    local name=$1 code=$2 words=$3 got=0 word bad=''
    shift 3
    "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || got=$?
    [ "$got" -eq "$code" ] || bad="exit code $got, not $code"
    while read -r -d '|' word; do
        [ -z "$word" ] || grep -qF -- "$word" "$scratch/err" || bad="$bad; no '$word' in it"
    done <<<"$words|"
    if [ -z "$bad" ]; then
        pass "$name"
    else
        { echo "$bad"; head -n 20 "$scratch/err"; } >"$scratch/why"
        fail "$name" "$scratch/why"
    fi
}

done_testing() {
    echo "1..$tap_count"
    exit $tap_bad
}
