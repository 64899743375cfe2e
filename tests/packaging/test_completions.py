"""The completions load in their shells and complete commands and options."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.packaging.programs import CHECKOUT, require, run

COMPLETIONS = CHECKOUT / "packaging/completions"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which `secboot` is this checkout's."""
    program = tmp_path / "bin/secboot"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m secboot "$@"\n')
    program.chmod(0o755)
    return {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.fspath(CHECKOUT),
        "HOME": os.fspath(tmp_path),
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
    }


@pytest.mark.parametrize(
    ("words", "expected"),
    [("secboot ro", "rollback"), ("secboot plan --det", "--detailed-exitcode")],
)
def test_bash(words: str, expected: str, environment: dict[str, str]) -> None:
    script = (
        f"source {COMPLETIONS}/secboot.bash\n"
        "complete -p secboot\n"
        f"COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n"
        '_secboot_completion secboot; printf "%s\\n" "${COMPREPLY[@]}"\n'
    )

    done = run(require("bash"), "--norc", "-eu", "-c", script, env=environment)

    assert done.stderr == ""
    assert done.stdout.splitlines()[1:] == [expected]


def test_zsh_completes_at_the_first_tab(environment: dict[str, str], tmp_path: Path) -> None:
    # A real interactive zsh in a pseudo terminal, with the file on its fpath like a package's.
    script = f"""
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell 'PS1=; fpath=({COMPLETIONS} $fpath); autoload -Uz compinit; compinit -u -D'
        zpty -w shell 'print registered=$_comps[secboot] >registered'
        zpty -n -w shell $'secboot rollb\\t'
        zpty -r -m shell seen '*rollback*'
        zpty -n -w shell $'--fo\\t'
        zpty -r -m shell seen '*--force*'
        zpty -n -w shell $'\\C-aprint -r -- \\C-e >completed\\n'
        zpty -w shell exit
        while zpty -r shell seen; do :; done
    """

    run(require("zsh"), "-f", "-c", script, env=environment, cwd=tmp_path)

    assert (tmp_path / "registered").read_text() == "registered=_secboot\n"
    assert (tmp_path / "completed").read_text() == "secboot rollback --force\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("secboot roll", {"rollback"}),
        ("secboot profile ", {"list", "show", "validate", "schema"}),
        ("secboot plan --det", {"--detailed-exitcode"}),
    ],
)
def test_fish(line: str, expected: set[str], environment: dict[str, str]) -> None:
    script = f"source {COMPLETIONS}/secboot.fish; complete --do-complete '{line}'"

    done = run(require("fish"), "--no-config", "-c", script, env=environment)

    assert done.stderr == ""
    assert {each.split("\t")[0] for each in done.stdout.splitlines()} == expected
