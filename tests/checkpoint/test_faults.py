"""One fault at every system call of an apply, of one that fails, a rollback and a recovery.

Real faults: strace kills the process, interrupts it, or makes the call fail. After each, every
file is the old or the new one, the exit code tells the truth, and recovery ends in a tree that
is consistent, the boot record included.
"""

from __future__ import annotations

import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secboot.checkpoint.journal import State
from secboot.checkpoint.record import Action, Checkpoint
from secboot.checkpoint.settings import Moment
from secboot.checkpoint.state_directory import StateDirectory
from secboot.checkpoint.store import CheckpointStore
from secboot.errors import ExitCode
from secboot.system.root import Root
from tests.checkpoint.conftest import FAULT_CASES
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
from tests.checkpoint.tracing import Calls, Case, count_calls, require_strace, run_cases
from tests.checkpoint.zygote import HARMLESS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.fault

READING = frozenset({"openat2", "read"})
"""Calls that change nothing: a kill at one is like a kill at the next call that does."""

START = {
    "apply": None,
    "fail": None,
    "rollback": State.DONE,
    "recover staged": State.PREPARED,
    "recover written": State.WRITING,
    "recover committed": State.COMMITTING,
}
"""What is run, and the state in which the tree was left before."""


APPLY = frozenset({"apply"})
MAIN_VERBS = APPLY | {"rollback", "recover committed"}


@dataclass(frozen=True)
class Fault:
    """What strace injects, at which calls, into which verbs, and its other options."""

    name: str
    injected: str
    calls: frozenset[str] = frozenset(HARMLESS) - READING
    verbs: frozenset[str] = frozenset(START)
    options: tuple[str, ...] = ()


FAULTS = (
    Fault("SIGKILL", "signal=SIGKILL"),
    # The answer of a file system that cannot exchange two names.
    Fault(
        "SIGKILL without exchange",
        "signal=SIGKILL",
        calls=frozenset(HARMLESS) - READING - {"renameat2"},
        verbs=MAIN_VERBS,
        options=("-e", "inject=renameat2:error=EINVAL"),
    ),
    Fault("SIGTERM", "signal=SIGTERM", verbs=MAIN_VERBS),
    # It takes the same way through the program.
    Fault("SIGINT", "signal=SIGINT", verbs=frozenset({"apply", "recover committed"})),
    Fault("EIO", "error=EIO"),
    Fault("EIO on reading", "error=EIO", calls=READING, verbs=frozenset({"apply", "rollback"})),
    # They take the same way through the program as EIO, so not from every start.
    Fault("ENOSPC", "error=ENOSPC", verbs=MAIN_VERBS),
    Fault("EDQUOT", "error=EDQUOT", verbs=APPLY),
    Fault("EROFS", "error=EROFS", verbs=APPLY),
    Fault("EACCES", "error=EACCES", verbs=APPLY),
)


@pytest.fixture(scope="session")
def workplace(memory: Path) -> Path:
    require_strace()
    place = memory / "faults"
    place.mkdir()
    return place


@pytest.fixture(scope="session")
def templates(workplace: Path) -> dict[tuple[str, str], Path]:
    """A tree for each scene and verb, before the verb is run."""
    made = {}
    for scene in SCENES.values():
        for verb, state in START.items():
            tree = workplace / "templates" / f"{scene.name}-{verb.replace(' ', '-')}"
            tree.mkdir(parents=True)
            scene.make(tree)
            if state is State.DONE:
                assert perform("apply", tree, scene) == ExitCode.OK
            elif state is not None:
                cut_short(tree, scene, state)
            made[scene.name, verb] = tree
    return made


def copy_of(template: Path, workplace: Path, name: str) -> Path:
    tree = workplace / "trees" / name
    shutil.copytree(template, tree, symlinks=True)
    return tree


@pytest.fixture(scope="session")
def calls(workplace: Path, templates: dict[tuple[str, str], Path]) -> Calls:
    """How many calls of each kind each verb makes without a fault."""
    cases = [
        Case(verb.split()[0], scene, str(copy_of(tree, workplace, f"count-{scene}-{verb}")), "", 1)
        for (scene, verb), tree in templates.items()
    ]
    return count_calls(cases, workplace)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault.name).replace(" ", "-"))
def test_every_call(
    fault: Fault,
    workplace: Path,
    templates: dict[tuple[str, str], Path],
    calls: Calls,
    request: pytest.FixtureRequest,
) -> None:
    verbs: list[str] = []
    cases: list[Case] = []
    for ((scene, verb), template), counts in zip(templates.items(), calls.cases, strict=True):
        for call in sorted(fault.calls & counts.keys()) if verb in fault.verbs else ():
            for at in range(1, counts[call] + 1):
                tree = copy_of(template, workplace, f"{fault.name}-{len(cases)}")
                verbs.append(verb)
                cases.append(Case(verb.split()[0], scene, str(tree), call, at))

    injections = calls.injections(fault.calls, fault.injected)
    outcomes = run_cases(
        cases, calls.skips(cases), ["-o", "/dev/null", *injections, *fault.options], workplace
    )

    wrong = [
        f"{case} ({verb}): {problem}"
        for verb, case, outcome in zip(verbs, cases, outcomes, strict=True)
        for problem in problems_of(case, verb, templates[case.scene, verb], outcome.status)
    ]
    assert not wrong, "\n".join(wrong)
    request.node.user_properties.append((FAULT_CASES, len(cases)))
    shutil.rmtree(workplace / "trees")


def problems_of(case: Case, verb: str, template: Path, result: int) -> Iterator[str]:
    """Yield what is not as guaranteed after `verb` met its fault and ended with `result`."""
    scene, tree = SCENES[case.scene], Path(case.tree)
    both = {path: {scene.before[path], scene.after[path]} for path in scene.before}
    for path, text in scene.found(tree).items():
        if text not in both[path]:
            yield f"{path} is torn: {text!r}"
    yield from _lies(verb, scene, tree, template, result)
    yield from astray(scene, tree)
    yield from _after_recovery(scene, verb, tree, goal_of(verb, scene, tree))


def _lies(verb: str, scene: Scene, tree: Path, template: Path, result: int) -> Iterator[str]:
    """Yield what the exit code claims and is not true."""
    found, start = scene.found(tree), scene.found(template)
    goal = scene.after if verb == "apply" else scene.before
    # A recovery is refused or stopped before a change or after a complete one.
    whole = (start, goal) if verb.startswith("recover") else (start,)
    truth = {
        ExitCode.OK: found == goal and not is_unfinished(tree),
        ExitCode.REFUSED: found in whole,
        ExitCode.ROLLED_BACK: found == start,
        ExitCode.INTERRUPTED: found in whole,
        # The rollback of an apply or of a rollback meets no second fault here.
        ExitCode.STUCK: verb not in {"apply", "rollback"} and is_unfinished(tree),
        -signal.SIGKILL: True,
        # Before secboot holds signals back it has done nothing, and just ends.
        -signal.SIGTERM: found == start,
        -signal.SIGINT: found == start,
    }
    if not truth.get(result, False):
        yield f"exit code {result}, but the files are {found}"


def astray(scene: Scene, tree: Path) -> Iterator[str]:
    """Yield what is wrong with the setting: it chooses an entry that the boot record does not have."""
    if scene.setting is None or not scene.chosen(tree):
        return
    chosen, setting = scene.chosen(tree), scene.setting
    if chosen not in {setting.before, setting.after}:
        yield f"the setting is {chosen!r}"
    with_entry = scene.after if setting.moment is Moment.LAST else scene.before
    if (tree / BOOT_RECORD).read_text() != digest_of(with_entry):
        yield f"the setting chooses {chosen}, which the boot record does not have"


def chosen_in(scene: Scene, verb: str, goal: dict[str, str | None]) -> str | None:
    """Return what the setting must be with these files; a setting that was taken back stays so."""
    if scene.setting is None:
        return None
    if verb == "rollback" and scene.setting.moment is Moment.FIRST:
        return scene.setting.after
    return scene.setting.after if goal == scene.after else scene.setting.before


def goal_of(verb: str, scene: Scene, tree: Path) -> dict[str, str | None]:
    """Return what the files must be after recovery."""
    newest = newest_checkpoint(tree)
    if newest is not None and newest.state is State.DONE:
        return scene.after if newest.record.audit.action is Action.APPLY else scene.before
    return scene.after if verb == "rollback" else scene.before


def _after_recovery(
    scene: Scene, verb: str, tree: Path, goal: dict[str, str | None]
) -> Iterator[str]:
    if (code := perform("recover", tree, scene)) != ExitCode.OK:
        yield f"recovery ended with {code}"
    if scene.found(tree) != goal:
        yield f"after recovery the files are {scene.found(tree)}"
    if (tree / BOOT_RECORD).read_text() != boot_digest(tree, scene):
        yield "after recovery the boot record belongs to other files"
    if scene.chosen(tree) != (wanted := chosen_in(scene, verb, goal)):
        yield f"after recovery the setting is {scene.chosen(tree)!r} and not {wanted!r}"
    for path in scene.before:
        mode = scene.modes.get(path, 0o644)
        if (tree / path).exists() and (tree / path).stat().st_mode & 0o7777 != mode:
            yield f"{path} has another mode"
    for link, target in scene.links.items():
        if not (tree / link).is_symlink() or str((tree / link).readlink()) != target:
            yield f"{link} is not a link to {target}"
    if left := temporaries(tree):
        yield f"left behind: {left}"


def newest_checkpoint(tree: Path) -> Checkpoint | None:
    with Root(tree) as root:
        store = CheckpointStore.existing(StateDirectory(root))
        if store is None:
            return None
        with store:
            return store.get(store.ids()[-1]) if store.ids() else None


def is_unfinished(tree: Path) -> bool:
    newest = newest_checkpoint(tree)
    return newest is not None and not newest.state.finished
