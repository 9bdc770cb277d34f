#!/usr/bin/env bash
# Sizes that read well, and nothing left lying about.
# shellcheck source=../tap.sh disable=SC2016 # the dollars are those of awk
. "$(dirname "$0")/../tap.sh"
cd "$root" || exit 5

# Data and tables of one row per line (.def, .txt) are as wide as they are; this file names what it
# forbids.
folders="Makefile .ci base probes kernels roofline graphopt cli scripts tests"
# shellcheck disable=SC2086 # words on purpose
mapfile -t sources < <(find $folders -type f ! -path 'tests/golden/*' ! -path tests/lint/sizes.sh \
    ! -name '*.csv' ! -name '*.def' ! -name '*.txt' ! -name '*.onnx' 2>/dev/null)

# found_nothing NAME AWK: passes when the program prints nothing over the sources
found_nothing() {
    awk "$2" "${sources[@]}" >"$scratch/bad"
    if [ -s "$scratch/bad" ]; then fail "$1" "$scratch/bad"; else pass "$1"; fi
}

found_nothing "no file is longer than 600 lines" \
    'FNR == 601 {print FILENAME}'
found_nothing "no line is longer than 100 columns" \
    'length($0) > 100 && !/https?:/ {print FILENAME ":" FNR ": " length($0)}'
# With BreakBeforeBraces: Linux a function is what stands between braces in the first column.
found_nothing "no function is longer than a screen of 60 lines" \
    '/^{/ {start = FNR} /^}/ && start {if (FNR - start > 60) print FILENAME ":" start; start = 0}'
found_nothing "nothing is left to do or switched off" \
    '/TODO|FIXME|XXX|^ *# *if 0/ && !/XXXXXX/ {print FILENAME ":" FNR ": " $0}'
found_nothing "no line ends in blanks" \
    '/[ \t]$/ {print FILENAME ":" FNR}'

done_testing
