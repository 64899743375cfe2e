"""The groups of commands that are measured together, round by round."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks import trees
from benchmarks.commands import CHECKOUT, Command, Programs, floor, grubby, read
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
STEPS = {3: 15, 10: 15, 100: 9, 1000: 7, 10000: 3}
"""How many entries, and in how many rounds they are measured (times the factor asked for)."""
START_UP = 21
"""Rounds of what costs little."""
GRUBBY_LIMIT = 100
"""Entries above which grubby is left out: it takes minutes, and its cost grows linearly."""
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
    commands = [floor(programs)]
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
        read(programs, unchanged, directory / "names"),
        Command("plan guest", (programs.wheel, "plan", "guest", "--root", str(unchanged))),
        apply(programs.wheel, tree, template),
    ]
    if script is not None and kind == "BLS entries" and count <= GRUBBY_LIMIT:
        commands.append(grubby(script, directory / "grubby", template))
    return Group(f"{count:,} {kind}", tuple(commands), STEPS[count])


def apply(program: str, tree: Path, template: Path) -> Command:
    """Return a whole change of a machine that is as before at each run; zipl is not run."""
    words = ("apply", "guest", "--no-zipl", "--root", str(tree))
    return Command("apply guest", (program, *words), tree=tree, template=template)


def with_rounds(group: Group, factor: float) -> Group:
    """Return the group measured in more or fewer rounds."""
    return replace(group, rounds=max(1, round(group.rounds * factor)))


def _secboot(*argv: str) -> None:
    subprocess.run(argv, env=clean_environment(), check=True, stdout=subprocess.DEVNULL)
