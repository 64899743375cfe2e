"""Completions for bash, zsh and fish, as files that a package installs."""

from __future__ import annotations

from typer._completion_shared import get_completion_script

_VARIABLE = "_SECBOOT_COMPLETE"
_ZSH_REGISTRATION = "compdef _secboot_completion secboot"
_ZSH_AUTOLOADED = """\
# zsh runs this file as the function _secboot at the first completion, and that one counts, too.
if [ "$funcstack[1]" = _secboot ]; then
  _secboot_completion "$@"
else
  compdef _secboot_completion secboot
fi"""


def bash() -> str:
    """Return the file for bash-completion's directory."""
    return _script("bash")


def zsh() -> str:
    """Return the file for a directory of zsh's fpath, where it has to be called ``_secboot``."""
    script = _script("zsh")
    if _ZSH_REGISTRATION not in script:
        raise ValueError("Typer registers its completion for zsh in a new way")
    return script.replace(_ZSH_REGISTRATION, _ZSH_AUTOLOADED)


def fish() -> str:
    """Return the file for fish's vendor completions."""
    return _script("fish")


def _script(shell: str) -> str:
    script = get_completion_script(prog_name="secboot", complete_var=_VARIABLE, shell=shell)
    return script.strip() + "\n"
