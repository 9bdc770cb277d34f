#!/usr/bin/env bash
# Arm: every kernel computes there what its reference does.
#
#   CROSS       the variants test for aarch64
#   CROSS_ROOT  where its C library is (default /usr/aarch64-linux-gnu)
# shellcheck source=../tap.sh
. "$(dirname "$0")/../tap.sh"
cd "$root" || exit 5
# shellcheck source=emulate.sh
. tests/cross/emulate.sh
cross=${CROSS:-build/aarch64/tests/cross/variants}

if ! command -v qemu-aarch64 >/dev/null; then
    skip "aarch64 computes as the references do" "qemu-aarch64 is not here: make deps-ci"
elif [ ! -x "$cross" ]; then
    skip "aarch64 computes as the references do" "there is no compiler for it: make deps-ci"
else
    VARIANTS_BRIEF=3e5 computes "aarch64 computes as the references do" \
        qemu-aarch64 -L "${CROSS_ROOT:-/usr/aarch64-linux-gnu}" "$cross"
fi

done_testing
