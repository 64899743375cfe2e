"""``secboot completion SHELL``: how a shell asks what to offer at a Tab.

The three scripts ask in one way, that of Typer for fish: the command line in an environment variable,
one candidate a line (`secboot.cli.candidates`), a tab before its description. They fall back on
nothing: where a word is no path, no file is offered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from secboot.cli.global_options import COMPLETION

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINE = "_TYPER_COMPLETE_ARGS"
_ASK = f"{COMPLETION}=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args {_LINE}={{words}} secboot"


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(metavar="bash|zsh|fish")],
) -> int:
    """Print the completion script for a shell.

    The packages install it. Otherwise put it where the shell looks for completions.
    """
    from secboot.cli.printing import print_text

    print_text(script(shell))
    return 0


def words_before(environment: Mapping[str, str]) -> list[str]:
    """Return the words of the command line before the one that is to be completed."""
    line = environment.get(_LINE, "")
    words = line.split()
    return words[1:] if line.endswith(" ") else words[1:-1]


def script(shell: str) -> str:
    """Return the script of a shell, as a file of its own."""
    return {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}[shell]


_BASH = f"""\
# Completion of secboot for bash: in a file named secboot where bash-completion looks.
_secboot() {{
    local IFS=$' \\t\\n' line
    local words="${{COMP_WORDS[*]:0:COMP_CWORD+1}}"
    COMPREPLY=()
    while IFS= read -r line; do
        line="${{line%%$'\\t'*}}"
        [[ -z $line ]] || COMPREPLY+=("$(printf '%q' "$line")")
    done < <(env {_ASK.format(words='"$words"')} 2>/dev/null)
    # What ends with a slash is a directory, in which the next word goes on.
    if [[ ${{#COMPREPLY[@]}} -eq 1 && ${{COMPREPLY[0]}} == */ ]]; then
        compopt -o nospace 2>/dev/null || return 0
    fi
    return 0
}}

complete -F _secboot secboot
"""
_ZSH = f"""\
#compdef secboot
# Completion of secboot for zsh: in a file named _secboot in a directory of its fpath.
_secboot() {{
    local -a names texts
    local line
    for line in "${{(@f)$(env {_ASK.format(words='"${words[1,CURRENT]}"')} 2>/dev/null)}}"; do
        [[ -n $line ]] || continue
        if [[ $line == */ ]]; then
            compadd -S '' -- "$line"
        else
            names+=("${{line%%$'\\t'*}}")
            texts+=("${{line/$'\\t'/  -- }}")
        fi
    done
    if (( $#names )); then
        compadd -l -d texts -- "${{names[@]}}"
    fi
    return 0
}}

# zsh runs this file as the function _secboot at the first completion, and that one counts, too.
if [ "$funcstack[1]" = _secboot ]; then
    _secboot "$@"
else
    compdef _secboot secboot
fi
"""
_FISH = f"""\
# Completion of secboot for fish: in a file named secboot.fish where fish looks for completions.
complete --command secboot --no-files --arguments "(env {_ASK.format(words="(commandline -cp)")} 2>/dev/null)"
"""
