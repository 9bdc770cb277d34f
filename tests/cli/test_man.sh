#!/usr/bin/env bash
# Manual pages: one per command and one that names them, with every option of the help, that man
# reads without a warning.
# shellcheck source=../tap.sh
. "$(dirname "$0")/../tap.sh"

check "pages are written" "$root/scripts/man.sh" "$roofline" pages
commands=$("$roofline" --help | awk '/^  [a-z]/ {print $1}')
exits "a missing program is an error" 127 "nowhere" "$root/scripts/man.sh" ./nowhere pages
exits "a missing folder is a usage error" 2 "usage:" "$root/scripts/man.sh" "$roofline"

# plain PAGE: its text, hyphens as hyphens, one space between words
plain() { sed -e 's/\\-/-/g' -e 's/\\e/\\/g' -e 's/^\\&//' "$1" | tr -s ' \n' ' '; }

for command in $commands; do
    page=pages/roofline-$command.1
    check "$command has a page" test -s "$page"
    check "roofline.1 refers to $command" grep -F "roofline\\-$command (1)" pages/roofline.1
    "$roofline" "$command" --help | grep -oE -- '--[a-z-]+' | sort -u >options
    plain "$page" >text
    while read -r option; do
        grep -qF -- "$option" text || echo "$option"
    done <options >missing
    check "the page of $command has its options" test ! -s missing
    # Nothing but layout differs: all words of the help, in order.
    "$roofline" "$command" --help | sed -e 's/^usage: //' -e '/^Examples:$/d' >words
    tr -s ' \n' ' ' <words >help
    sed -e '/^\.\(TH\|SH\|PP\|TP\|nf\|fi\|nh\|ad\)/d' -e 's/^\.B //' "$page" >body
    plain body | sed 's/ \.BR roofline (1) *$//' >text
    check "the page of $command says what its help says" \
        awk 'NR == FNR {help = $0; next} {exit index($0 " ", help) == 0}' help text
done

if command -v man >/dev/null && command -v groff >/dev/null; then
    for page in pages/*.1; do
        LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l "$page" >text 2>warnings
        cat warnings >>all-warnings
        grep -q SYNOPSIS text || echo "$page: no text" >>all-warnings
    done
    check "man reads the pages without a warning" test ! -s all-warnings
else
    skip "man reads the pages without a warning" "no man or no groff: install man-db and groff"
fi

done_testing
