"""The progress that the flows report: every phase in order, and every file counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path

import pytest

from secboot.apply.apply import apply_plan
from secboot.apply.change import ManagedRoot
from secboot.apply.rollback import roll_back
from secboot.apply.zipl import Zipl
from secboot.checkpoint.state_directory import StateDirectory
from secboot.errors import RolledBackError
from secboot.layout.detect import detect_layout
from secboot.machine.profile_files import read_profile
from secboot.plan.planner import make_plan
from secboot.progress import Phase, Progress
from secboot.system.root import Root
from tests.apply.zipl_script import ZiplScript, make_zipl
from tests.trees import make_sample_tree

ENTRIES = 4
CHECK = [(Phase.COPYING, ENTRIES), (Phase.RUNNING, "zipl --dry-run"), (Phase.TIDYING, 0)]
CHANGE = [(Phase.SAVING, 0), (Phase.WRITING, ENTRIES), (Phase.REPLACING, ENTRIES)]
RUN = [(Phase.RUNNING, "zipl")]


def reading(phase: Phase) -> list[tuple[Phase, int | str]]:
    return [(phase, 0), (phase, ENTRIES), (Phase.INTERPRETING, 0)]


@dataclass
class Told(Progress):
    """A `Progress` that records everything."""

    steps: list[tuple[Phase, int, int, str]] = field(default_factory=list)

    def report(self, phase: Phase, done: int = 0, total: int = 0, *, program: str = "") -> None:
        self.steps.append((phase, done, total, program))

    @property
    def course(self) -> list[tuple[Phase, int | str]]:
        """Return each phase once, with its total or its program; counts must be complete and in order."""
        found = []
        for (phase, total, program), group in groupby(self.steps, lambda s: (s[0], *s[2:])):
            counts = [done for _, done, _, _ in group]
            assert counts == (list(range(1, total + 1)) if total else [0] * len(counts))
            found.append((phase, program or total))
        assert all(one != other for one, other in pairwise(found))
        return found


def target(root: Root, script: ZiplScript, told: Told) -> ManagedRoot:
    zipl = Zipl(script.runner, 20.0, progress=told)
    state = StateDirectory(root)
    return ManagedRoot(
        root, state, zipl, detect_layout(root), None, ("secboot",), lambda _: None, progress=told
    )


def apply(tree: Path, script: ZiplScript) -> Told:
    told = Told()
    with Root(tree) as root:
        profile = read_profile("guest", root)
        flow = target(root, script, told)
        apply_plan(flow, lambda machine: make_plan(profile, machine, flow.layout, with_zipl=True))
    return told


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    made = make_sample_tree("rhel8", tmp_path / "root")
    assert len(list((made / "boot/loader/entries").glob("*.conf"))) == ENTRIES
    (made / "etc/kernel/cmdline").unlink(missing_ok=True)
    return made


def test_an_apply_tells_all_that_it_does(tree: Path, tmp_path: Path) -> None:
    told = apply(tree, make_zipl(tmp_path / "bin"))

    assert told.course == [
        *reading(Phase.READING),
        *reading(Phase.READING_AGAIN),
        *CHECK,
        *CHANGE,
        *RUN,
        *reading(Phase.READING_BACK),
        (Phase.TIDYING, 0),
    ]


def test_a_failure_tells_of_the_way_back(tree: Path, tmp_path: Path) -> None:
    failed = tmp_path / "failed"
    body = f"[ -n \"$dry\" ] || [ -e '{failed}' ] || {{ touch '{failed}'; exit 1; }}"
    told = Told()
    script = make_zipl(tmp_path / "bin", body)
    with Root(tree) as root:
        profile = read_profile("guest", root)
        flow = target(root, script, told)
        with pytest.raises(RolledBackError):
            apply_plan(
                flow, lambda machine: make_plan(profile, machine, flow.layout, with_zipl=True)
            )

    after_saving = told.course[told.course.index((Phase.SAVING, 0)) :]
    assert after_saving == [*CHANGE, *RUN, (Phase.RESTORING, ENTRIES), *RUN]


def test_a_rollback_tells_all_that_it_does(tree: Path, tmp_path: Path) -> None:
    script = make_zipl(tmp_path / "bin")
    apply(tree, script)
    told = Told()
    with Root(tree) as root:
        roll_back(target(root, script, told), None)

    change = [*CHECK, *CHANGE, *RUN, *reading(Phase.READING_BACK), (Phase.TIDYING, 0)]
    assert told.course == [*reading(Phase.READING), *change]
