"""What is measured: secboot from the wheel and as one file, Python alone, reading, grubby."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.process import BenchmarkError, Cost, clean_environment, run
from benchmarks.series import Series
from benchmarks.trees import boot_files, reset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHECKOUT = Path(__file__).resolve().parent.parent
READ = """\
import sys
with open(sys.argv[1]) as names:
    for name in names:
        with open(name.rstrip("\\n"), "rb") as file:
            file.read()
"""
WANTED = "swiotlb=262144"


@dataclass(frozen=True, slots=True)
class Command:
    """One command line; `tree` is made the same as `template` before each run, if given."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    statuses: tuple[int, ...] = (0,)
    tree: Path | None = None
    template: Path | None = None

    def cost(self) -> Cost:
        """Run it once."""
        if self.tree is not None and self.template is not None:
            reset(self.tree, self.template)
        return run(self.argv, {**clean_environment(), **self.environment}, self.statuses)


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs to start: Python without anything, secboot installed, secboot as one file."""

    python: str
    wheel: str
    pyz: str


def measure(commands: Sequence[Command], rounds: int) -> tuple[Series, ...]:
    """Run the commands in turn, after one round that does not count, and return their costs."""
    for command in commands:
        command.cost()
    costs: dict[str, list[Cost]] = {command.name: [] for command in commands}
    for _ in range(rounds):
        for command in commands:
            costs[command.name].append(command.cost())
    return tuple(Series(name, tuple(found)) for name, found in costs.items())


def install(directory: Path) -> Programs:
    """Install this checkout's wheel into a new virtual environment, and build the single file."""
    environment = directory / "environment"
    python = str(environment / "bin/python")
    pyz = directory / "secboot.pyz"
    _do([sys.executable, "-m", "venv", str(environment)])
    constraints = ("--constraint", str(CHECKOUT / "packaging/constraints.txt"))
    _do([python, "-m", "pip", "install", "--quiet", *constraints, str(CHECKOUT)])
    _do([python, str(CHECKOUT / "packaging/build_pyz.py"), str(pyz)])
    return Programs(python, str(environment / "bin/secboot"), str(pyz))


def floor(programs: Programs) -> Command:
    """Return what any Python program costs at least."""
    return Command("python -I -c pass", (programs.python, "-I", "-c", "pass"))


def import_typer(programs: Programs) -> Command:
    """Return what a program that uses Typer costs at least."""
    return Command("import typer", (programs.python, "-I", "-c", "import typer"))


def read(programs: Programs, tree: Path, names: Path) -> Command:
    """Return the plain reading of a machine's boot files; `names` is a file to list them in."""
    names.write_text("\n".join(boot_files(tree)) + "\n")
    return Command("read the files", (programs.python, "-I", "-c", READ, str(names)))


def grubby(script: Path, tree: Path, template: Path) -> Command:
    """Return grubby's way to give every boot entry the parameter (see `private_etc`)."""
    words = ("--zipl", "-b", str(tree / "boot/loader/entries"), "-c", str(tree / "etc/zipl.conf"))
    action = ("--update-kernel=ALL", f"--args={WANTED}")
    argv = ("/bin/bash", str(script), *words, *action)
    return Command("grubby", argv, tree=tree, template=template)


def in_private_etc(words: Sequence[str]) -> int | None:
    """Run the benchmark where it sees a copy of /etc, and return its status; None if it does.

    grubby writes /etc/kernel/cmdline whatever directory it is given, and that is this machine's.
    Needs unshare(1) and the right to a mount namespace, which root has.
    """
    if os.environ.get("BENCHMARKS_PRIVATE_ETC") == "1":
        return None
    script = (
        'cp -a /etc/. "$0" 2>/dev/null; mkdir -p "$0/kernel"; [ -s "$0/machine-id" ] ||'
        ' echo 0123456789abcdef0123456789abcdef > "$0/machine-id";'
        ' mount --bind "$0" /etc && exec "$@"'
    )
    rights = () if os.geteuid() == 0 else ("--map-root-user",)
    with tempfile.TemporaryDirectory() as copy:
        again = (sys.executable, "-m", "benchmarks", *words)
        argv = ("unshare", "--mount", *rights, "sh", "-c", script, copy, *again)
        environment = os.environ | {"BENCHMARKS_PRIVATE_ETC": "1"}
        return subprocess.run(argv, env=environment, check=False).returncode


def _do(argv: Sequence[str]) -> None:
    done = subprocess.run(
        argv, env=clean_environment(), check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise BenchmarkError(f"{' '.join(argv)}\n{done.stderr.strip()}")
