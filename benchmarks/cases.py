"""What is measured: groups of commands that are run in turn, round by round.

secboot from the wheel and as one file, compared with Python alone, Typer alone, reading alone, grubby.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import trees
from benchmarks.checkpoints import PATH, write_checkpoints
from benchmarks.processes import BenchmarkError, Command, clean_environment

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
BOOTMAP = CHECKOUT / "tests/data/bootmaps/2.40.0-scsi-512-bls.xz"
"""Written by the real zipl; what it installed is not what the sample machine's files say."""
COMPLETION = {
    "_SECBOOT_COMPLETE": "complete_fish",
    "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    "_TYPER_COMPLETE_ARGS": "secboot plan --ro",
}
"""What the completion scripts of all shells set."""
SIZES = (3, 10, 62)
"""How many entries are measured: zipl's menu has 62 at most."""
ROUNDS = 15
START_UP = 21
"""Rounds of cheap commands."""
FLEET = 10_000
"""Machines whose documents are read together."""
FLEET_ROUNDS = 5
CHECKPOINTS = 1000
"""Far more than are kept by default."""
SINGLE_FILE = "secboot.pyz "
"""The names of the single file's commands begin with this; what follows names the installed one."""
KINDS = {"BLS entries": trees.write_bls, "zipl.conf sections": trees.write_sections}


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs to start: Python without anything, secboot installed, secboot as one file."""

    python: str
    wheel: str
    pyz: str


@dataclass(frozen=True, slots=True)
class Group:
    """Commands that are measured in turn; the first is the floor of all the others."""

    title: str
    commands: tuple[Command, ...]
    rounds: int


def install(directory: Path) -> Programs:
    """Install this checkout's wheel into a new virtual environment, and build the single file."""
    environment = directory / "environment"
    python = str(environment / "bin/python")
    pyz = directory / "secboot.pyz"
    _do([sys.executable, "-m", "venv", str(environment)])
    constraints = ("--constraint", str(CHECKOUT / "packaging/constraints.txt"))
    _do([python, "-m", "pip", "install", "--quiet", *constraints, str(CHECKOUT)])
    # The new environment has only what secboot needs to run.
    _do([sys.executable, str(CHECKOUT / "packaging/build_pyz.py"), str(pyz)])
    return Programs(python, str(environment / "bin/secboot"), str(pyz))


def start_up(programs: Programs, directory: Path) -> Group:
    """Return the group of cheap commands: mostly the start of a process."""
    template, tree, applied = (directory / name for name in ("template", "tree", "applied"))
    trees.write_with_bootmap(template, BOOTMAP)
    trees.reset(applied, template)
    _secboot(programs.wheel, "apply", "guest", "--no-zipl", "--root", str(applied))
    trees.reset(tree, template)
    here, done = ("--root", str(tree)), ("--root", str(applied))
    verbs = {
        "--version": ("--version",),
        "--help": ("--help",),
        "plan --help": ("plan", "--help"),
        "plan guest": ("plan", "guest", *here),
        "plan guest, no change": ("plan", "guest", *done),
        "plan guest, JSON": ("plan", "guest", "--output", "json", *here),
        "show": ("show", *here),
        "check": ("check", *here),
        "status guest": ("status", "guest", *here),
    }
    commands = [floor(programs), import_typer(programs)]
    commands += [Command(name, (programs.wheel, *words)) for name, words in verbs.items()]
    commands.append(Command("completion", (programs.wheel,), COMPLETION))
    commands.append(apply(programs.wheel, tree.with_name("changed"), template))
    one_file = ("--version", "--help", "plan guest", "status guest")
    commands += [single_file(programs, name, *verbs[name]) for name in one_file]
    commands.append(single_file(programs, "completion", environment=COMPLETION))
    return Group(
        "The sample machine: 3 BLS entries and a bootmap of the real zipl",
        tuple(commands),
        START_UP,
    )


def entries(
    programs: Programs, kind: str, count: int, directory: Path, script: Path | None
) -> Group:
    """Return the group of one size of machine."""
    template = directory / "template"
    KINDS[kind](template, count)
    tree, unchanged = directory / "tree", directory / "unchanged"
    trees.reset(unchanged, template)
    commands = [
        floor(programs),
        import_typer(programs),
        read(programs, unchanged, directory / "names"),
        Command("plan guest", (programs.wheel, "plan", "guest", "--root", str(unchanged))),
        single_file(programs, "plan guest", "plan", "guest", "--root", str(unchanged)),
        apply(programs.wheel, tree, template),
    ]
    if script is not None and kind == "BLS entries":
        commands.append(grubby(script, directory / "grubby", template))
    return Group(f"{count:,} {kind}", tuple(commands), ROUNDS)


def kernel_hook(programs: Programs, directory: Path) -> Group:
    """Return the group for which the installation of a kernel waits: ``keep``, on three old entries."""
    never, applied, installed = (directory / name for name in ("never", "applied", "installed"))
    trees.write_bls(never, SIZES[0])
    trees.reset(applied, never)
    _secboot(programs.wheel, "apply", "guest", "--no-zipl", "--root", str(applied))
    trees.reset(installed, applied)
    trees.write_bls_entry(installed, SIZES[0])
    keep = (programs.wheel, "keep", "--no-zipl", "--root")
    tree = directory / "tree"
    return Group(
        "`keep` in a kernel hook, 3 BLS entries",
        (
            floor(programs),
            import_typer(programs),
            Command("keep, no profile", (*keep, str(never))),
            Command("keep, no change", (*keep, str(applied))),
            Command("keep, a new entry", (*keep, str(tree)), tree=tree, template=installed),
        ),
        ROUNDS,
    )


def long_history(programs: Programs, directory: Path) -> Group:
    """Return the group of a machine with very many checkpoints."""
    template, tree = directory / "template", directory / "tree"
    trees.write_bls(template, SIZES[0])
    _secboot(programs.wheel, "apply", "guest", "--no-zipl", "--root", str(template))
    (template / PATH[1:]).parent.mkdir(parents=True, exist_ok=True)
    (template / PATH[1:]).write_text(f"{trees.PARAMETERS} {WANTED}\n")
    shutil.rmtree(template / "var")
    shown = json.loads(_secboot(programs.wheel, "profile", "show", "guest", "--output", "json"))
    write_checkpoints(template, CHECKPOINTS, shown["digest"])
    here = ("--root", str(template))
    return Group(
        f"{CHECKPOINTS:,} checkpoints, {SIZES[0]} BLS entries",
        (
            floor(programs),
            import_typer(programs),
            Command("plan guest", (programs.wheel, "plan", "guest", *here)),
            Command("status guest", (programs.wheel, "status", "guest", *here)),
            Command("history", (programs.wheel, "history", *here)),
            Command("keep, no change", (programs.wheel, "keep", "--no-zipl", *here)),
            Command(
                "apply host",
                (programs.wheel, "apply", "host", "--no-zipl", "--root", str(tree)),
                tree=tree,
                template=template,
            ),
        ),
        FLEET_ROUNDS,
    )


def fleet(programs: Programs, directory: Path) -> Group:
    """Return the group of one report on many machines, half of which miss a stage."""
    tree, documents = directory / "tree", directory / "documents"
    trees.write_bls(tree, SIZES[0])
    status = (programs.wheel, "status", "guest", "--output", "json", "--root", str(tree))
    before = _secboot(*status)
    _secboot(programs.wheel, "apply", "guest", "--no-zipl", "--root", str(tree))
    trees.write_documents(documents, FLEET, (before, _secboot(*status)))
    report = Command("fleet", (programs.wheel, "fleet", str(documents)), statuses=(0, 5))
    return Group(f"{FLEET:,} documents", (floor(programs), report), FLEET_ROUNDS)


def apply(program: str, tree: Path, template: Path) -> Command:
    """Return a whole change of a machine that is reset before each run; zipl is not run."""
    words = ("apply", "guest", "--no-zipl", "--root", str(tree))
    return Command("apply guest", (program, *words), tree=tree, template=template)


def with_rounds(group: Group, factor: float) -> Group:
    """Return the group measured in more or fewer rounds."""
    return replace(group, rounds=max(1, round(group.rounds * factor)))


def floor(programs: Programs) -> Command:
    """Return what any Python program costs at least."""
    return Command("python -I -c pass", (programs.python, "-I", "-c", "pass"))


def import_typer(programs: Programs) -> Command:
    """Return what a program that uses Typer costs at least."""
    return Command("import typer", (programs.python, "-I", "-c", "import typer"))


def single_file(
    programs: Programs, name: str, *words: str, environment: Mapping[str, str] | None = None
) -> Command:
    """Return the single file's command `name`, started as the script at its beginning does."""
    argv = (programs.python, "-IS", programs.pyz, *words)
    return Command(f"{SINGLE_FILE}{name}", argv, environment or {})


def read(programs: Programs, tree: Path, names: Path) -> Command:
    """Return the plain reading of a machine's boot files; `names` is a file to list them in."""
    names.write_text("\n".join(trees.boot_files(tree)) + "\n")
    return Command("read the files", (programs.python, "-I", "-c", READ, str(names)))


def grubby(script: Path, tree: Path, template: Path) -> Command:
    """Return grubby's command that sets the parameter in every boot entry (see `private_etc`)."""
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


def _secboot(*argv: str) -> bytes:
    done = subprocess.run(argv, env=clean_environment(), check=True, stdout=subprocess.PIPE)
    return done.stdout


def _do(argv: Sequence[str]) -> None:
    done = subprocess.run(
        argv, env=clean_environment(), check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise BenchmarkError(f"{' '.join(argv)}\n{done.stderr.strip()}")
