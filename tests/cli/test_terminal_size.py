"""The sample machine on a terminal of 80 columns and 24 rows: prose is wrapped, and a plan fits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from secboot.demo import write_sample
from tests.terminal import terminal

SECBOOT = "import sys; from secboot.cli import main; sys.exit(main(sys.argv[1:]))"
COLUMNS, ROWS = 80, 24
FOR_COPYING = re.compile(
    r" +(parameters  .*|secboot .*|/\S+)$"  # of `show`, of hints, of lists of files and entries
    r"|[+ -](options|root=).*|(---|\+\+\+) .*|Command +secboot .*|  \d\S+Z  committing .*"  # of `history ID`
)


def shown(command: str, directory: Path) -> list[str]:
    """Return the lines that a command prints on a terminal."""
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    environment.pop("COLUMNS", None)
    with terminal(COLUMNS) as opened:
        argv = [sys.executable, "-c", SECBOOT, *command.split(), "--root", "machine"]
        file = opened.file
        with subprocess.Popen(
            argv, cwd=directory, env=environment, stdin=file, stdout=file, stderr=file
        ):
            return opened.read_all().replace("\r\n", "\n").splitlines()


def too_wide(lines: list[str]) -> list[str]:
    """Return the lines that are too wide although they have prose, which can be wrapped."""
    wide = [line for line in lines if len(line) > COLUMNS]
    # A path, a parameter line and the name of a boot entry are for copying.
    return [line for line in wide if not FOR_COPYING.match(line)]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write_sample(tmp_path / "machine")
    return tmp_path


def test_a_plan_and_an_apply_fit_the_terminal(directory: Path) -> None:
    plan = shown("plan guest", directory)
    done = shown("apply guest", directory)

    # The command and the next prompt have a row each.
    assert max(len(plan), len(done)) <= ROWS - 1
    assert [line for line in (*plan, *done) if len(line) > COLUMNS] == []
    assert done[-1] == "Boot record not updated. Run chroot machine zipl before the next IPL."


def test_prose_is_wrapped(directory: Path) -> None:
    before = ("plan host", "status guest", "verify guest", "show", "check", "apply guest")
    after = ("apply guest", "status", "history", "rollback --dry-run", "rollback", "history 1")

    for command in (*before, *after):
        lines = shown(command, directory)

        assert lines, command
        assert too_wide(lines) == [], command


REFUSED = (
    "plan paymnt",
    "plan guest --layout debien",
    "apply guest --zipl-timeout soon",
    "verify guest --stage effective",
    "rollback 9",
    "confirm",
    "set prto_virt=1 swiotlb=512M",
    "profile validate wrong.yaml",
)
"""Commands whose errors are wider than the terminal."""


def test_errors_are_wrapped_too(directory: Path) -> None:
    directory.joinpath("wrong.yaml").write_text(
        "version: 1\nextends: guest\nparametrs:\n  swiotlb: 512\nparameters: {prot-virt: on}\n"
    )
    with directory.joinpath("machine/etc/zipl.conf").open("a") as file:
        file.write("prot_virt=1\n")

    for command in (*REFUSED, "apply host", "check", "check --fix --dry-run"):
        lines = shown(command, directory)

        assert lines, command
        assert too_wide(lines) == [], command
