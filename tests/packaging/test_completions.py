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


OFFERED = [
    ("secboot ro", {"rollback"}),
    ("secboot plan --det", {"--detailed-exitcode"}),
    ("secboot profile ", {"list", "show", "validate", "schema"}),
    ("secboot plan gu", {"guest", "guest-large", "guest-secure", "guest-off"}),
    ("secboot status --root machine si", {"site", "site.yaml", "sites/"}),
    ("secboot plan ./si", {"./site.yaml", "./sites/"}),
    ("secboot profile validate guest ./sites/", {"./sites/own.yml"}),
    ("secboot apply save", {"saved.plan", "saved.json"}),
    ("secboot plan save", set()),
    ("secboot show --layout o", {"ostree"}),
    ("secboot verify guest --stage in", {"inherited", "installed"}),
    ("secboot export guest --format ki", {"kickstart", "kickstart-post", "kiwi"}),
    ("secboot status guest --output ", {"text", "json"}),
    ("secboot history --root machine ", {"1", "2"}),
    ("secboot rollback --root machine --state-dir elsewhere ", set()),
    ("secboot fleet sa", {"saved.json"}),
    ("secboot show --root ma", {"machine/"}),
    ("secboot show --root no", set()),
    ("secboot check-domain ", {"guest.xml", "machine/", "sites/", "bin/"}),
    ("secboot keep no", set()),
]
"""What is typed, and all that a shell offers then."""


@pytest.fixture
def place(tmp_path: Path, environment: dict[str, str]) -> Path:
    """A directory with a machine, plans, profiles, and files that nobody means."""
    for name in ("notes.txt", "saved.plan", "saved.json", "site.yaml", "guest.xml"):
        (tmp_path / name).touch()
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites/own.yml").touch()
    (tmp_path / "sites/readme.txt").touch()
    (tmp_path / ".hidden.yaml").touch()
    for words in (
        ("demo", "machine"),
        ("apply", "guest", "--root", "machine"),
        ("apply", "host", "--root", "machine"),
    ):
        assert run("secboot", *words, env=environment, cwd=tmp_path).returncode == 0
    profiles = tmp_path / "machine/etc/secboot/profiles"
    profiles.mkdir(parents=True)
    (profiles / "site.yaml").write_text("version: 1\nextends: guest\n")
    return tmp_path


def test_bash(place: Path, environment: dict[str, str]) -> None:
    empty = "''"
    script = f"source {COMPLETIONS}/secboot.bash\n" + "".join(
        f"COMP_WORDS=({words}{empty if words.endswith(' ') else ''})\n"
        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
        '_secboot; printf "%s " "${COMPREPLY[@]}"; echo\n'
        for words, _ in OFFERED
    )

    done = run(require("bash"), "--norc", "-eu", "-c", script, env=environment, cwd=place)

    assert done.stderr == ""
    said = [set(line.split()) for line in done.stdout.splitlines()]
    assert dict(zip(dict(OFFERED), said, strict=True)) == dict(OFFERED)


def test_fish(place: Path, environment: dict[str, str]) -> None:
    script = f"source {COMPLETIONS}/secboot.fish\n" + "".join(
        f"complete --do-complete '{words}'; echo END\n" for words, _ in OFFERED
    )

    done = run(require("fish"), "--no-config", "-c", script, env=environment, cwd=place)

    assert done.stderr == ""
    said = [
        {line.split("\t")[0] for line in part.splitlines() if line}
        for part in done.stdout.split("END\n")
    ]
    assert dict(zip(dict(OFFERED), said, strict=False)) == dict(OFFERED)


def test_a_name_with_blanks_is_quoted(place: Path, environment: dict[str, str]) -> None:
    (place / "my site.yaml").touch()
    script = (
        f"source {COMPLETIONS}/secboot.bash\n"
        "COMP_WORDS=(secboot plan my); COMP_CWORD=2\n"
        '_secboot; printf "%s\n" "${COMPREPLY[@]}"\n'
    )

    done = run(require("bash"), "--norc", "-eu", "-c", script, env=environment, cwd=place)

    assert done.stdout == "my\\ site.yaml\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_printed_for_those_without_a_package(
    shell: str, environment: dict[str, str]
) -> None:
    name = "_secboot" if shell == "zsh" else f"secboot.{shell}"

    done = run("secboot", "completion", shell, env=environment)

    assert done.stdout == (COMPLETIONS / name).read_text()


def test_zsh_completes_at_the_first_tab(
    place: Path, environment: dict[str, str], tmp_path: Path
) -> None:
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
        zpty -n -w shell $'--root mach\\t'
        zpty -r -m shell seen '*e/*'
        zpty -n -w shell $' --layout ost\\t'
        zpty -r -m shell seen '*ree*'
        zpty -n -w shell $'\\C-aprint -r -- \\C-e >completed\\n'
        zpty -w shell exit
        while zpty -r shell seen; do :; done
    """

    run(require("zsh"), "-f", "-c", script, env=environment, cwd=place)

    assert (tmp_path / "registered").read_text() == "registered=_secboot\n"
    assert (tmp_path / "completed").read_text() == (
        "secboot rollback --force --root machine/ --layout ostree\n"
    )
