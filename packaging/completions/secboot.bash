# bash completion for secboot: install it as "secboot" in a directory of bash-completion.
_secboot() {
    local IFS=$' \t\n' line
    local words="${COMP_WORDS[*]:0:COMP_CWORD+1}"
    COMPREPLY=()
    while IFS= read -r line; do
        line="${line%%$'\t'*}"
        [[ -z $line ]] || COMPREPLY+=("$(printf '%q' "$line")")
    done < <(env _SECBOOT_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS="$words" secboot 2>/dev/null)
    # After a directory the word goes on, so add no space.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then
        compopt -o nospace 2>/dev/null || return 0
    fi
    return 0
}

complete -F _secboot secboot
