"""The script that secboot.pyz and /usr/bin/secboot begin with: which Python it runs, and how."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import secboot
from tests.packaging.programs import CHECKOUT, require, run

if TYPE_CHECKING:
    from collections.abc import Sequence

START = (CHECKOUT / "packaging/pyz_start.sh").read_text()
SHELLS = ("dash", "bash", "busybox")
HOSTILE = {
    "PYTHONINSPECT": "1",
    "PYTHONHOME": "/nonexistent",
    "PYTHONSTARTUP": "/nonexistent",
    "PYTHONOPTIMIZE": "2",
    "PYTHONVERBOSE": "1",
    "PYTHONPLATLIBDIR": "nowhere",
}
REMEDIES = {
    "ID=rhel\nID_LIKE=fedora\nVERSION_ID=9.4\n": "dnf install python3.12",
    'ID=almalinux\nID_LIKE="rhel centos fedora"\nVERSION_ID=8.10\n': "dnf install python3.12",
    'ID=centos\nID_LIKE="rhel fedora"\nVERSION_ID=10\n': "dnf install python3",
    "ID=fedora\nVERSION_ID=43\n": "dnf install python3",
    "ID=sles\nID_LIKE=suse\nVERSION_ID=15.6\n": "zypper install python311",
    "ID=sles\nID_LIKE=suse\nVERSION_ID=16.0\n": "zypper install python3",
    "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=22.04\n": "apt install python3.11",
    "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=24.04\n": "apt install python3",
    "ID=debian\nVERSION_ID=12\n": "apt install python3",
    "ID=alpine\nVERSION_ID=3.20\n": "apk add python3",
    "": "install python3.11 or later; it need not be the default",
}


class Machine:
    """The script with another /usr/bin and /etc/os-release, and stand-ins for Python."""

    def __init__(self, top: Path) -> None:
        self.bin, self.path, self.release = top / "bin", top / "path", top / "os-release"
        self.bin.mkdir()
        self.path.mkdir()
        self.script = top / "a program"
        text = START.replace("/usr/bin/python3", f"{self.bin}/python3")
        self.script.write_text(text.replace("/etc/os-release", str(self.release)))
        self.script.chmod(0o755)

    def python(self, name: str, minor: int, *links: str) -> None:
        """Put a Python of this version there, and links to it."""
        file = self.bin.parent / name
        # The script asks for the version with -c, and only where a name does not tell.
        file.write_text(
            f'#!/bin/sh\n[ "$2" != -c ] || exit {int(minor < 11)}\n'
            f'echo "{name}"; for word; do echo "<$word>"; done\n'
        )
        file.chmod(0o755)
        for link in links:
            (self.bin.parent / link).symlink_to(file)

    def run(self, *words: str, by: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        return run(*by, self.script, *words, env={"PATH": str(self.path)})


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def shell_command(name: str) -> list[str]:
    return [require(name), *(["sh"] if name == "busybox" else [])]


WHICH = {
    "Debian, Fedora, EL 10": (["bin/python3.13 13 bin/python3"], "bin/python3.13"),
    "the default is preferred": (
        ["bin/python3.12 12 bin/python3", "bin/python3.11 11", "bin/python3.14 14"],
        "bin/python3.12",
    ),
    "EL 9": (
        ["bin/python3.9 9 bin/python3", "bin/python3.11 11", "bin/python3.12 12"],
        "bin/python3.12",
    ),
    "EL 8, SLES 15": (["bin/python3.6 6 bin/python3", "bin/python3.11 11"], "bin/python3.11"),
    "in PATH": (["bin/python3.9 9 bin/python3", "path/python3.13 13"], "path/python3.13"),
    "the default in PATH": (["path/python3.21 21 path/python3"], "path/python3.21"),
    "unversioned": (["path/python3 12"], "path/python3"),
    "a shim that does not work": (["path/python3.14 0", "path/python3.11 11"], "path/python3.11"),
    "unknown and newer": (
        ["bin/python3.9 9 bin/python3", "path/python3 10", "path/python3.16 16"],
        "path/python3.16",
    ),
}


@pytest.mark.parametrize(("found", "expected"), WHICH.values(), ids=WHICH.keys())
def test_which_python_runs(found: list[str], expected: str, machine: Machine) -> None:
    for each in found:
        name, minor, *links = each.split()
        machine.python(name, int(minor), *links)

    done = machine.run("plan", "a b", "", "*", "$x")

    words = ["-IS", str(machine.script), "plan", "a b", "", "*", "$x"]
    assert done.stdout.splitlines() == [expected, *(f"<{word}>" for word in words)]
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", SHELLS)
def test_every_shell_runs_it(name: str, machine: Machine) -> None:
    machine.python("bin/python3.12", 12)

    done = machine.run("a b", by=shell_command(name))
    strict = machine.run("a b", by=[*shell_command(name), "-eu"])

    assert done.stdout == f"bin/python3.12\n<-IS>\n<{machine.script}>\n<a b>\n"
    assert (strict.stdout, strict.stderr) == (done.stdout, done.stderr) == (done.stdout, "")


@pytest.mark.parametrize(("release", "remedy"), REMEDIES.items())
def test_without_a_python_it_says_what_to_install(
    release: str, remedy: str, machine: Machine
) -> None:
    machine.python("bin/python3.9", 9, "bin/python3")
    machine.python("path/python3.10", 10, "path/python3")
    if release:
        machine.release.write_text(release)

    done = machine.run("plan", by=["/bin/sh", "-eu"])

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"secboot: error: Python 3.11 or later not found in /usr/bin or PATH\n  {remedy}\n"
    )


def test_the_environment_of_python_changes_nothing(pyz: Path, tmp_path: Path) -> None:
    """Neither what runs nor the exit code, here of a usage error."""
    (tmp_path / "secboot").mkdir()
    (tmp_path / "secboot/__init__.py").write_text("raise SystemExit('injected')")
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('injected')")
    hostile = {"PYTHONPATH": str(tmp_path), **HOSTILE, "LC_ALL": "C.UTF-8"}

    done = run(pyz, "plan", "--frobnicate", cwd=tmp_path, env=hostile)
    usual = run(pyz, "plan", "--frobnicate", env={"LC_ALL": "C.UTF-8"})

    assert (done.returncode, done.stdout, done.stderr) == (2, "", usual.stderr)


@pytest.mark.parametrize(
    "name", ["./secboot.pyz", "../a b/secboot.pyz", "./link", "secboot.pyz", "sh ./secboot.pyz"]
)
def test_it_is_found_by_any_path(name: str, pyz: Path, tmp_path: Path) -> None:
    here = tmp_path / "a b"
    here.mkdir()
    (here / "secboot.pyz").symlink_to(pyz)
    (here / "link").symlink_to("secboot.pyz")
    command = name.split(" ", 1) if name.startswith("sh") else [name]

    # Without a slash, it is found in PATH.
    done = run("/usr/bin/env", "-i", f"PATH={here}:/usr/bin:/bin", *command, "--version", cwd=here)

    assert done.stdout == f"secboot {secboot.__version__}\n", done.stderr


def test_it_runs_without_any_environment(pyz: Path) -> None:
    """As an early program of a boot may run."""
    assert run(pyz, "--version", cwd=Path("/"), env={}).returncode == 0


def test_it_runs_where_files_cannot_be_executed(pyz: Path, tmp_path: Path) -> None:
    copy = tmp_path / "secboot"
    copy.write_bytes(pyz.read_bytes())

    assert run("/bin/sh", copy, "--version").returncode == 0
