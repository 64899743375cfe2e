"""The libraries that distributions have: the same words, exit codes and findings with all of them.

Here run Debian 13's Python 3.13, Typer 0.15.2 and ruamel.yaml 0.18.10, those of sid with Python
3.14, and the newest libraries that PyPI has. What they say is compared with what the libraries say
that the tests run with.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement

from secboot.cli.app import VERBS
from secboot.cli.completion import words_before
from tests.available import not_here, unavailable
from tests.packaging import debian
from tests.packaging.programs import CHECKOUT, run
from tests.workshop import Workshop

pytestmark = pytest.mark.package

NEWEST = ("typer==0.29.2", "ruamel.yaml==0.19.1", "defusedxml==0.7.1")
"""Typer 0.29 is the first that imports pydantic."""
SPOKEN = CHECKOUT / "tests/packaging/spoken.py"
INVALID = sorted((CHECKOUT / "tests/profile/invalid").glob("*.yaml"))
HELP = [[*verb, "--help"] for verb in ([], *([each] for each in VERBS))]
HELP += [["profile", each, "-h"] for each in ("list", "show", "validate", "schema")]
MISTAKES = [
    line.split(" ")
    for line in (
        "plan",
        "plan guest host",
        "plan guest --rot x",
        "plan guest --bogus",
        "plan guest -Z",
        "plan guest --root",
        "plan guest --output xml",
        "plan guest --zipl=yes",
        "verify guest --stage booted",
        "confirm --stage installed",
        "export guest",
        "export guest --format word",
        "apply guest --zipl-timeout 0",
        "apply guest --zipl-timeout soon",
        "fleet none.json --stale-after 1.5",
        "fleet none.json --stale-after 40000",
        "--color sometimes plan guest",
        "completion tcsh",
        "history 1 2 3",
        "profile",
        "profile lst",
        "rolback",
        "frobnicate",
        "plan guest --out= ",
        "plan nobody",
    )
]
WORK = [
    line.split(" ")
    for line in (
        "demo machine",
        "plan guest --root machine",
        "plan guest --root machine -o json",
        "apply guest --root machine",
        "set --root machine quiet console+=ttysclp0",
        "status guest --root machine",
        "verify guest --root machine -o prometheus",
        "history --root machine",
        "rollback --root machine",
        "profile list --root machine",
        "profile validate --root machine own.yaml",
        "export own.yaml --format ansible",
        "check-domain domain.xml",
    )
]
OWN = """\
version: 1
extends: guest
parameters:
  "mem": [4G] # one
  console: {includes: [ttysclp0]}
"""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d.\d\d:\d\d:\d\d")
COMPLETED = ("plan gu", "verify guest --stage in", "export guest --format ki", "completion ")


class Libraries(NamedTuple):
    """A Python with libraries: how it is started, and with which environment."""

    command: list[str]
    environment: dict[str, str]


def here() -> Libraries:
    return Libraries([sys.executable], {"PYTHONPATH": str(CHECKOUT)})


def of_release(release: debian.Release) -> Libraries | None:
    command = release.command()
    if command is None:
        return None
    path = f"{CHECKOUT}:{release.libraries}"
    return Libraries(command, {**release.environment(), "PYTHONPATH": path})


@pytest.fixture(scope="session")
def debian_13() -> Libraries:
    found = of_release(debian.DEBIAN_13)
    if found is None:
        unavailable("Debian 13's Python is not unpacked; run packaging/setup")
    return found


@pytest.fixture(scope="session")
def sid() -> Libraries:
    found = of_release(debian.SID)
    # Also in CI: a suite that is being published can be out of step for hours, and what its
    # packages depend on changes.
    if found is None:
        not_here("sid's Python could not be downloaded")
    loaded = run(*found.command, "-c", "import typer, ruamel.yaml", env=found.environment)
    if loaded.returncode != 0:
        not_here(f"sid's libraries need more than is unpacked: {loaded.stderr[-100:]}")
    return found


@pytest.fixture(scope="session")
def newest(workshop: Workshop) -> Libraries:
    def install(directory: Path) -> None:
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
        done = run(*pip, "--target", directory, "--no-compile", *NEWEST)
        assert done.returncode == 0, done.stderr

    path = f"{CHECKOUT}:{workshop.directory('newest-libraries', install)}"
    # -S: what this environment has is not to be found.
    return Libraries([sys.executable, "-S"], {"PYTHONPATH": path})


@pytest.fixture(params=["debian_13", "sid", "newest"])
def other(request: pytest.FixtureRequest) -> Libraries:
    found: Libraries = request.getfixturevalue(request.param)
    return found


def said_by(libraries: Libraries, commands: list[list[str]], directory: Path) -> dict[str, Any]:
    """What the command lines say in a new directory of this name, and which libraries are there."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    (directory / "own.yaml").write_text(OWN)
    shutil.copy(CHECKOUT / "tests/data/domains/launch-security.xml", directory / "domain.xml")
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*libraries.command, SPOKEN],
        input=json.dumps(commands),
        cwd=directory,
        env={**environment, "SOURCE_DATE_EPOCH": "1700000000", **libraries.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(_MOMENT.sub("MOMENT", done.stdout))
    return found


def test_the_same_is_said(other: Libraries, tmp_path: Path) -> None:
    """Help, mistakes, a machine's life, and all that is found in profiles that are wrong."""
    invalid = [["profile", "validate", str(path)] for path in INVALID]
    commands = [*HELP, *MISTAKES, *WORK, *invalid]
    expected = said_by(here(), commands, tmp_path / "work")

    said = said_by(other, commands, tmp_path / "work")

    assert said["versions"] != expected["versions"]
    for words, found, wanted in zip(commands, said["said"], expected["said"], strict=True):
        assert (words, found) == (words, wanted)
    assert not [words for words, found in zip(commands, said["said"], strict=True) if found[0] > 6]


def test_debian_has_the_oldest_that_is_allowed(debian_13: Libraries, tmp_path: Path) -> None:
    found = said_by(debian_13, [], tmp_path / "work")
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    required = [Requirement(each) for each in project["dependencies"]]

    assert found["python"] == [3, 13]
    assert {each.name: f">={found['versions'][each.name]}" for each in required} == {
        each.name: str(each.specifier) for each in required
    }


def test_a_shell_is_offered_the_same(other: Libraries, tmp_path: Path) -> None:
    def offered(libraries: Libraries, line: str) -> list[str]:
        asked = {
            "_SECBOOT_COMPLETE": "complete_fish",
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "_TYPER_COMPLETE_ARGS": f"secboot {line}",
            "PATH": os.defpath,
        }
        environment = {**asked, **libraries.environment}
        done = run(*libraries.command, "-m", "secboot", env=environment, cwd=tmp_path)
        return done.stdout.splitlines()

    assert words_before({"_TYPER_COMPLETE_ARGS": "secboot plan gu"}) == ["plan"]
    found = {line: offered(other, line) for line in COMPLETED}
    assert found == {line: offered(here(), line) for line in COMPLETED}
    assert all(found.values())
