#!/usr/bin/env bash
# CPUs that this machine is not: each runs the ISAs it has and no more, and every kernel computes
# there what its reference does.
#
#   BUILD  folder of the native build
# shellcheck source=../tap.sh
. "$(dirname "$0")/../tap.sh"
cd "$root" || exit 5
# shellcheck source=emulate.sh
. tests/cross/emulate.sh
# shellcheck disable=SC2154 # roofline is from tap.sh
variants=${BUILD:-build/gcc}/tests/variants/test_variants

# A CPU of QEMU, and the ISAs of the table that it has.
if [ "$(uname -m)" != x86_64 ]; then
    skip "x86-64 CPUs" "the native build is not for x86-64"
elif ! command -v qemu-x86_64 >/dev/null; then
    skip "x86-64 CPUs" "qemu-x86_64 is not here: make deps-ci"
else
    while read -r cpu isas; do
        found=$(qemu-x86_64 -cpu "$cpu" "$roofline" list isas --csv 2>/dev/null |
            awk -F, '$3 == "yes" {printf "%s ", $1}')
        if [ "$found" = "$isas " ]; then
            pass "$cpu runs: $isas"
        else
            fail "$cpu runs: $isas, but it says: $found"
        fi
        # All their instructions run natively too: here it counts that there are no others. QEMU 7.2
        # reads 16 bytes for the operand in memory of a scalar vfmadd231ss, and of a vmaskmovps
        # all 32, where a CPU reads those of the mask.
        VARIANTS_BRIEF=3e4 VARIANTS_SLACK=32 VARIANTS_ISA=${isas##* } \
            computes "$cpu computes ${isas##* } as the references do" \
            qemu-x86_64 -cpu "$cpu" "$variants"
    done <<-'CPUS'
	Conroe scalar sse2
	SandyBridge scalar sse2 avx
	Haswell scalar sse2 avx avx2
	CPUS
fi

done_testing
