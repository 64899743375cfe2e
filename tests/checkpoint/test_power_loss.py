"""Power loss at every point of a change: what may be on the disk, and recovery from it."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secboot.checkpoint.journal import State
from secboot.errors import ExitCode, SecbootError
from tests.checkpoint.conftest import FAULT_CASES
from tests.checkpoint.disk import Disk
from tests.checkpoint.scenes import (
    BOOT_RECORD,
    SCENES,
    Scene,
    boot_digest,
    cut_short,
    digest_of,
    perform,
    temporaries,
)
from tests.checkpoint.test_faults import goal_of
from tests.checkpoint.tracing import Case, require_strace, run_cases

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

pytestmark = pytest.mark.fault


NO_EXCHANGE = ("-e", "inject=renameat2:error=EINVAL")
"""The answer of a file system that cannot exchange names."""


def traced(
    verb: str, scene: Scene, tree: Path, workplace: Path, options: Sequence[str] = ()
) -> list[str]:
    """Return the system calls of a verb."""
    case = Case(verb, scene.name, str(tree), "fsync", 1)
    prefix = workplace / "trace"
    (outcome,) = run_cases(
        [case], [0], ["-ff", "-y", "-x", "-s", "1000000", "-o", str(prefix), *options], workplace
    )
    assert outcome.status == ExitCode.OK
    lines = Path(f"{prefix}.{outcome.pid}").read_text().splitlines()
    # sysfs is not on a disk.
    setting = None if scene.setting is None else f"{scene.setting.path}>"
    return [line for line in lines if setting is None or setting not in line]


def start(scene: Scene, verb: str, tree: Path) -> None:
    tree.mkdir()
    scene.make(tree)
    if verb == "rollback":
        assert perform("apply", tree, scene) == ExitCode.OK
    elif verb == "recover":
        cut_short(tree, scene, State.COMMITTING)


@dataclass(frozen=True)
class Crash:
    """A state of the disk: what is kept of each node after a call, and the boot record."""

    line: str
    kept: dict[int, int]
    boot_record: str


def crashes(disk: Disk, lines: list[str], old: str, new: str) -> Iterator[Crash]:
    """Yield every distinct state that a power loss can leave.

    While zipl runs, its boot record is the `old` or the `new` one. After it has ended, the record is on the
    disk: zipl syncs what it writes (zipl/src/install.c: install_bootloader; bootmap.c).
    """
    seen = set()
    boot_records = [old]
    for line in lines:
        running = BOOT_RECORD in line
        if running:
            boot_records = [old, new]
        elif not disk.add(line):
            continue
        elif len(boot_records) > 1:
            boot_records = [new]
        for kept in disk.crash_states():
            for boot_record in boot_records:
                fingerprint = (tuple(sorted(kept.items())), boot_record)
                if fingerprint not in seen:
                    seen.add(fingerprint)
                    yield Crash(line, kept, boot_record)


def violations(scene: Scene, verb: str, tree: Path) -> Iterator[str]:
    both = {path: {scene.before[path], scene.after[path]} for path in scene.before}
    for path, text in scene.found(tree).items():
        if text not in both[path]:
            yield f"{path} is torn: {text!r}"
    goal = goal_of(verb, scene, tree)
    if (code := perform("recover", tree, scene)) != ExitCode.OK:
        yield f"recovery ended with {code}"
    if scene.found(tree) != goal:
        yield f"after recovery the files are {scene.found(tree)}"
    if (tree / BOOT_RECORD).read_text() != boot_digest(tree, scene):
        yield "after recovery the boot record belongs to other files"
    if scene.chosen(tree):
        yield f"after recovery the setting is {scene.chosen(tree)!r}"
    if left := temporaries(tree):
        yield f"left behind: {left}"


@pytest.fixture
def workplace(memory: Path) -> Iterator[Path]:
    require_strace()
    place = memory / "power-loss"
    place.mkdir()
    yield place
    shutil.rmtree(place)


def found_wrong(
    scene: Scene, verb: str, lines: list[str], disk: Disk, workplace: Path
) -> tuple[int, list[str]]:
    """Return how many crash states there are, and what is wrong in them."""
    old, new = digest_of(scene.before), digest_of(scene.after)
    if verb != "apply":
        old, new = new, old
    wrong = []
    count = 0
    for count, crash in enumerate(crashes(disk, lines, old, new), start=1):
        tree = workplace / f"crash-{count}"
        disk.write_out(crash.kept, tree)
        (tree / BOOT_RECORD).write_text(crash.boot_record)
        scene.load(tree)
        try:
            wrong += [f"{crash.line[:150]}: {text}" for text in violations(scene, verb, tree)]
        except SecbootError as error:
            wrong.append(f"{crash.line[:150]}: {error}")
        shutil.rmtree(tree)
    return count, wrong


@pytest.mark.parametrize("options", [(), NO_EXCHANGE], ids=["exchange", "no-exchange"])
@pytest.mark.parametrize("verb", ["apply", "rollback", "recover"])
@pytest.mark.parametrize("scene", SCENES.values(), ids=lambda scene: str(scene.name))
def test_no_loss_of_power_leaves_a_torn_change(
    scene: Scene,
    verb: str,
    options: tuple[str, ...],
    workplace: Path,
    request: pytest.FixtureRequest,
) -> None:
    tree = workplace / "tree"
    start(scene, verb, tree)
    disk = Disk(tree)
    lines = traced(verb, scene, tree, workplace, options)

    count, wrong = found_wrong(scene, verb, lines, disk, workplace)

    assert not wrong, f"{len(wrong)} of {count}\n" + "\n".join(wrong[:10])
    assert count > 20
    request.node.user_properties.append((FAULT_CASES, count))


@pytest.mark.parametrize(
    ("call", "on", "options"),
    [
        ("fsync", "entries/.secboot-", ()),
        ("fsync", "loader/entries>", ()),
        ("fsync", "checkpoints>", ()),
        ("fsync", "record.json>", ()),
        ("fsync", "/journal", ()),
        ("fsync", "checkpoints/1>", ()),
        # If names can be exchanged, the old file itself is restored, not its saved copy.
        ("fsync", "before.tar>", NO_EXCHANGE),
    ],
    ids=[
        "new file",
        "its directory",
        "checkpoints",
        "record",
        "journal",
        "journal's name",
        "old file",
    ],
)
def test_every_kind_of_sync_is_needed(
    call: str, on: str, options: tuple[str, ...], workplace: Path
) -> None:
    """Without the sync the model finds a damaged change: the test above would notice."""
    scene = SCENES["bls"]
    tree = workplace / "tree"
    start(scene, "apply", tree)
    disk = Disk(tree)
    lines = traced("apply", scene, tree, workplace, options)
    fewer = [line for line in lines if not (line.startswith(f"{call}(") and on in line)]
    assert len(fewer) < len(lines)

    _, wrong = found_wrong(scene, "apply", fewer, disk, workplace)

    assert wrong


@pytest.mark.parametrize("scene", SCENES.values(), ids=lambda scene: str(scene.name))
def test_no_more_syncs_than_are_needed(scene: Scene, workplace: Path) -> None:
    """One for each new file, one for each directory, and eleven more."""
    tree = workplace / "tree"
    start(scene, "apply", tree)
    (tree / "var/lib/secboot/checkpoints").mkdir(parents=True, mode=0o700)
    for path in ("var/lib/secboot", "var/lib/secboot/checkpoints"):
        (tree / path).chmod(0o700)

    lines = traced("apply", scene, tree, workplace)

    count = Counter(line.partition("(")[0] for line in lines)
    written = sum(text is not None for text in scene.after.values())
    directories = len({str(Path(path).parent) for path in scene.before})
    assert count["fsync"] + count["fdatasync"] == written + directories + 11
