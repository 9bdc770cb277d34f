#!/usr/bin/env bash
# Writes the manual pages of a program into a folder, from what its --help says: roofline.1 and
# roofline-COMMAND.1 for each command.
#
#   scripts/man.sh PROGRAM FOLDER
set -euo pipefail
if [ $# -ne 2 ]; then
    echo "usage: $0 PROGRAM FOLDER" >&2
    exit 2
fi
program=$1
folder=$2
version=$("$program" --version)

# page NAME SUMMARY SEE-ALSO <HELP: usage, then paragraphs, items indented by two ("term  text"),
# their texts further; what is indented and has no text of its own stands as it is.
page() {
    awk -v name="$1" -v summary="$2" -v see="$3" -v version="$version" '
        function escape(text) {
            gsub(/\\/, "\\e", text)
            gsub(/-/, "\\-", text)
            sub(/^[.\047]/, "\\\\\\&&", text)
            return text
        }
        function section(title) {
            if (title == current) return
            print ".SH " title
            current = title
            begun = 1
        }
        BEGIN {
            title = toupper(name)
            print ".TH \"" escape(title) "\" 1 \"\" \"" escape(version) "\" \"" escape(version) "\""
            print ".nh"
            print ".ad l"
            print ".SH NAME"
            print escape(name) " \\- " escape(summary)
        }
        /^usage: / {
            section("SYNOPSIS")
            print ".nf"
            print escape(substr($0, 8))
            in_usage = 1
            next
        }
        in_usage && NF {
            line = $0
            sub(/^       /, "", line)
            print escape(line)
            next
        }
        in_usage {
            print ".fi"
            in_usage = 0
            section("DESCRIPTION")
            next
        }
        !NF {
            if (!begun) pending = 1
            next
        }
        /^Examples?:$/ { section("EXAMPLES"); pending = 0; next }
        /^Exit codes?/ { section("EXIT STATUS"); pending = 0 }
        /^  [^ ]/ {
            line = substr($0, 3)
            if (line ~ /^-/) section("OPTIONS")
            pending = 0
            at = match(line, /  +/)
            if (at) {
                print ".TP"
                print ".B " escape(substr(line, 1, at - 1))
                print escape(substr(line, at + RLENGTH))
            } else {
                print ".PP"
                print ".nf"
                print escape(line)
                print ".fi"
            }
            begun = 0
            next
        }
        /^   / { sub(/^ +/, ""); print escape($0); next }
        {
            if (pending && current == "OPTIONS") section("NOTES")
            else if (pending) print ".PP"
            pending = begun = 0
            print escape($0)
        }
        END {
            if (in_usage) print ".fi"
            print ".SH SEE ALSO"
            print see
        }' >"$folder/$1.1"
}

mkdir -p "$folder"
commands=$("$program" --help | sed -n 's/^  \([a-z]*\)  *\(.*\)/\1\t\2/p')
pages=$(cut -f1 <<<"$commands" | sed 's/.*/.BR roofline\\-& (1),/')
"$program" --help | page roofline "how near this machine's limits its programs come" "${pages%,}"
while IFS=$'\t' read -r command summary; do
    "$program" "$command" --help | page "roofline-$command" "$summary" ".BR roofline (1)"
done <<<"$commands"
