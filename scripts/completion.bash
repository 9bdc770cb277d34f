# Bash completion of roofline: commands from its help, options from the help of each command,
# collections of shapes from `roofline list shapes`.
_roofline() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
    if [ "$COMP_CWORD" -eq 1 ]; then
        words=$(roofline --help 2>/dev/null | awk '/^  [a-z]/ {print $1}')
    elif [ "$before" = --shape ] || [ "$before" = @ ]; then
        words=$(roofline list shapes 2>/dev/null | grep -oE '@[a-z][a-z0-9-]*' | sort -u)
        # Where @ breaks words (COMP_WORDBREAKS), what follows it is completed alone.
        [ "$before" != @ ] || words=${words//@/}
        [ "$word" != @ ] || [[ $COMP_WORDBREAKS != *@* ]] || word='' words=${words//@/}
    else
        words=$(roofline "${COMP_WORDS[1]}" --help 2>/dev/null | grep -oE -- '--[a-z]+')
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _roofline roofline
