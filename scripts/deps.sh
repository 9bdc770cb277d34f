#!/usr/bin/env bash
# Installs what the project needs and what is not there yet, or says what is missing.
#
#   scripts/deps.sh install GROUP...
#   scripts/deps.sh check GROUP...     names what is missing (code 4), and notes what is optional
#
# The groups are those of scripts/packages.txt. CC: the compiler that `check` looks for.
set -euo pipefail
packages=$(dirname "$0")/packages.txt

# The package managers this script knows, in the order of the columns above.
manager() {
    local name
    for name in apt-get dnf zypper pacman; do
        command -v "$name" && return
    done
    return 0
}

install_command() {
    case "$1" in
    apt-get) echo "apt-get install -y --no-install-recommends" ;;
    dnf) echo "dnf install -y" ;;
    zypper) echo "zypper --non-interactive install" ;;
    pacman) echo "pacman -S --needed --noconfirm" ;;
    esac
}

package_installed() {
    case "$1" in
    apt-get) dpkg-query -W -f '${Status}' "$2" 2>/dev/null | grep -q 'ok installed' ;;
    dnf | zypper) rpm -q "$2" >/dev/null 2>&1 ;;
    pacman) pacman -Qi "$2" >/dev/null 2>&1 ;;
    *) return 0 ;; # an unknown system: only commands and headers can be looked for
    esac
}

# there command|header|library|package NAME PACKAGE: whether it is on this machine, whoever put it
# there
there() {
    case "$1" in
    command) command -v "$2" >/dev/null ;;
    header) [ -e "/usr/include/$2" ] || [ -e "/usr/local/include/$2" ] ;;
    library) PATH=$PATH:/sbin ldconfig -p 2>/dev/null | grep -qF "$2" ;;
    package) package_installed "$manager" "$3" ;;
    esac
}

# missing GROUP...: lines "group|what|package" of what is not there
missing() {
    while IFS='|' read -r group what presence apt dnf zypper pacman; do
        case " $* " in *" $group "*) ;; *) continue ;; esac
        case "$manager" in
        dnf) package=$dnf ;;
        zypper) package=$zypper ;;
        pacman) package=$pacman ;;
        *) package=$apt ;;
        esac
        read -r kind name <<<"$presence"
        there "$kind" "$name" "$package" || echo "$group|$what|$package"
    done <"$packages"
}

say_missing() {
    while IFS='|' read -r group what package; do
        echo "  $what: package '$package'"
    done <<<"$1"
}

known_packages() {
    cut -d'|' -f3 <<<"$1" | grep -vx -e - | tr '\n' ' '
}

do_install() {
    local wanted names run=()
    wanted=$(missing "$@")
    if [ -z "$wanted" ]; then
        echo "deps: everything is there ($*)"
        return
    fi
    echo "deps: not here yet:"
    say_missing "$wanted"
    names=$(known_packages "$wanted")
    if [ -z "$manager" ]; then
        echo "deps: no package manager that this script knows (apt-get dnf zypper pacman);" \
             "install the above by hand (names as in Debian)" >&2
        exit 4
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "deps: neither root nor sudo; as root: $(install_command "$manager") $names" >&2
            exit 4
        fi
        run=(sudo)
    fi
    if [ "$manager" = apt-get ]; then
        run+=(env DEBIAN_FRONTEND=noninteractive)
        "${run[@]}" apt-get update -q
    fi
    echo "deps: $(install_command "$manager") $names"
    # shellcheck disable=SC2046,SC2086 # words on purpose
    "${run[@]}" $(install_command "$manager") $names
}

do_check() {
    local wanted optional names
    wanted=$(missing "$@")
    # A compiler of another name or in another place is as good.
    command -v "${CC:-gcc}" >/dev/null && wanted=$(sed '/|C compiler|/d' <<<"$wanted")
    if [ -n "$wanted" ]; then
        names=$(known_packages "$wanted")
        {
            echo "missing, needed for: $*"
            say_missing "$wanted"
            echo "remedy: make deps"
            [ -z "$manager" ] || echo "    or: $(install_command "$manager") $names"
        } >&2
        exit 4
    fi
    if ! command -v "${CC:-gcc}" >/dev/null; then
        echo "missing: compiler '${CC:-gcc}' in PATH; remedy: make deps, or make CC=..." >&2
        exit 4
    fi
    optional=$(missing bench)
    if [ -n "$optional" ]; then
        {
            echo "note: optional, the rest works without (remedy: make deps):"
            say_missing "$optional"
        } >&2
    fi
}

manager=$(basename "$(manager)" 2>/dev/null || true)
action=${1:-}
[ $# -gt 0 ] && shift
case "$action" in
install | check) "do_$action" "$@" ;;
*)
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
