#!/usr/bin/env bash
# Who may include whom: includes follow the arrows, and a name says where its file is.
# shellcheck source=../tap.sh
. "$(dirname "$0")/../tap.sh"
cd "$root" || exit 5

# A folder and those it may include from, besides itself.
arrows='base:
probes:base
kernels:base
roofline:base
graphopt:kernels base
cli:probes graphopt roofline kernels base
tests:cli probes graphopt roofline kernels base'

# What can be included has a name of its own, so a name without a folder is enough.
twins=$(find base probes kernels roofline graphopt cli -printf '%f\n' 2>/dev/null |
    grep -E '\.(h|def)$' | sort | uniq -d)
check "names of headers are unique across the tree" test -z "$twins"

declare -A home # folder of each header
while read -r folder name; do
    home[$name]=$folder
done < <(find base probes kernels roofline graphopt cli tests -type f -printf '%H %f\n' 2>/dev/null)

while IFS=: read -r folder allowed; do
    [ -d "$folder" ] || continue
    : >"$scratch/bad"
    while IFS=: read -r file line text; do
        name=${text#*\"} name=${name%%\"*}
        where=${home[$name]:-nowhere}
        case " $folder $allowed " in
        *" $where "*) ;;
        *) echo "$file:$line: '$name' of '$where'" >>"$scratch/bad" ;;
        esac
    done < <(grep -rnE '^ *# *include *"' "$folder" --include='*.[ch]' --include='*.def')
    if [ -s "$scratch/bad" ]; then
        fail "$folder includes only from: ${allowed:-itself}" "$scratch/bad"
    else
        pass "$folder includes only from: ${allowed:-itself}"
    fi
done <<<"$arrows"

done_testing
