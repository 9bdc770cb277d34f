# Bash completion of roofline: commands from its help, options from the help of each command.
_roofline() {
    local word=${COMP_WORDS[COMP_CWORD]} words
    if [ "$COMP_CWORD" -eq 1 ]; then
        words=$(roofline --help 2>/dev/null | awk '/^  [a-z]/ {print $1}')
    else
        words=$(roofline "${COMP_WORDS[1]}" --help 2>/dev/null | grep -oE -- '--[a-z]+')
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _roofline roofline
