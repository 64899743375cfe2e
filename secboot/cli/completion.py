"""``secboot completion SHELL``: the scripts with which shells complete secboot's command lines.

All three use Typer's protocol for fish: the command line is in an environment variable, and the
answer has one candidate per line (`secboot.cli.candidates`), with a tab before its description. They
have no fallback: if a word is not a path, no files are offered.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer
from typer._completion_classes import FishComplete

from secboot.cli import options
from secboot.cli.global_options import COMPLETION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from typer._click import Command

_LINE = "_TYPER_COMPLETE_ARGS"
_ASK = f"{COMPLETION}=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args {_LINE}={{words}} secboot"

Shell = Literal["bash", "zsh", "fish"]


def completion(
    shell: Annotated[
        Shell, typer.Argument(**options.one_of(*get_args(Shell), metavar="bash|zsh|fish"))
    ],
) -> int:
    """Print the completion script for a shell.

    The packages install it. Otherwise, save it where your shell looks for completions.
    """
    from secboot.cli.printing import print_text

    print_text(script(shell))
    return 0


def words_before(environment: Mapping[str, str]) -> list[str]:
    """Return the words of the command line before the word to complete."""
    line = environment.get(_LINE, "")
    words = line.split()
    return words[1:] if line.endswith(" ") else words[1:-1]


def answer(command: Command) -> str:
    """Return the candidates for the command line in the environment, one per line."""
    return "".join(f"{line}\n" for line in _Answer(command, {}, "secboot", COMPLETION).lines())


class _Answer(FishComplete):
    """Typer's answer, as it is without Rich: that takes as long as everything else, and removes brackets."""

    def lines(self) -> Iterator[str]:
        arguments, incomplete = self.get_completion_args()
        for each in self.get_completions(arguments, incomplete):
            text = re.sub(r"\s", " ", each.help or "")
            yield f"{each.value}\t{text}" if text else str(each.value)


def script(shell: str) -> str:
    """Return the content of the completion file for a shell."""
    return {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}[shell]


_BASH = f"""\
# bash completion for secboot: install it as "secboot" in a directory of bash-completion.
_secboot() {{
    local IFS=$' \\t\\n' line
    local words="${{COMP_WORDS[*]:0:COMP_CWORD+1}}"
    COMPREPLY=()
    while IFS= read -r line; do
        line="${{line%%$'\\t'*}}"
        [[ -z $line ]] || COMPREPLY+=("$(printf '%q' "$line")")
    done < <(env {_ASK.format(words='"$words"')} 2>/dev/null)
    # After a directory the word goes on, so add no space.
    if [[ ${{#COMPREPLY[@]}} -eq 1 && ${{COMPREPLY[0]}} == */ ]]; then
        compopt -o nospace 2>/dev/null || return 0
    fi
    return 0
}}

complete -F _secboot secboot
"""
_ZSH = f"""\
#compdef secboot
# zsh completion for secboot: install it as "_secboot" in a directory of fpath.
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

# At the first completion, zsh runs this file as the function _secboot, which must complete, too.
if [ "$funcstack[1]" = _secboot ]; then
    _secboot "$@"
else
    compdef _secboot secboot
fi
"""
_FISH = f"""\
# fish completion for secboot: install it as "secboot.fish" in a completion directory of fish.
complete --command secboot --no-files --arguments "(env {_ASK.format(words="(commandline -cp)")} 2>/dev/null)"
"""
