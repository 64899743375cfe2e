"""The groups of commands that are measured together, round by round."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks import trees
from benchmarks.commands import CHECKOUT, Command, Programs, floor, grubby, import_typer, read
from benchmarks.process import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

BOOTMAP = CHECKOUT / "tests/data/bootmaps/2.40.0-scsi-512-bls.xz"
"""Written by the real zipl; what it installed is not what the sample machine's files say."""
COMPLETION = {
    "_SECBOOT_COMPLETE": "complete_bash",
    "COMP_WORDS": "secboot plan --ro",
    "COMP_CWORD": "2",
}
SIZES = (3, 10, 62)
"""How many entries are measured: zipl's menu has 62 at most."""
ROUNDS = 15
START_UP = 21
"""Rounds of what costs little."""
FLEET = 10_000
"""Machines whose documents are read together."""
FLEET_ROUNDS = 5
KINDS = {"BLS entries": trees.write_bls, "zipl.conf sections": trees.write_sections}


@dataclass(frozen=True, slots=True)
class Group:
    """Commands that are measured in turn; the first is the floor of all the others."""

    title: str
    commands: tuple[Command, ...]
    rounds: int


def start_up(programs: Programs, directory: Path) -> Group:
    """Return the group of what costs little: mostly the start of a process."""
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
    one_file = ("--version", "--help", "plan guest")
    commands += [
        Command(f"secboot.pyz {name}", (programs.python, programs.pyz, *verbs[name]))
        for name in one_file
    ]
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
        apply(programs.wheel, tree, template),
    ]
    if script is not None and kind == "BLS entries":
        commands.append(grubby(script, directory / "grubby", template))
    return Group(f"{count:,} {kind}", tuple(commands), ROUNDS)


def kernel_hook(programs: Programs, directory: Path) -> Group:
    """Return the group of what a kernel's installation waits for: ``keep``, on three old entries."""
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
    """Return a whole change of a machine that is as before at each run; zipl is not run."""
    words = ("apply", "guest", "--no-zipl", "--root", str(tree))
    return Command("apply guest", (program, *words), tree=tree, template=template)


def with_rounds(group: Group, factor: float) -> Group:
    """Return the group measured in more or fewer rounds."""
    return replace(group, rounds=max(1, round(group.rounds * factor)))


def _secboot(*argv: str) -> bytes:
    done = subprocess.run(argv, env=clean_environment(), check=True, stdout=subprocess.PIPE)
    return done.stdout
