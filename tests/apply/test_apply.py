"""The flows apply and rollback, with a zipl that succeeds, fails, hangs or prints megabytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from secboot.apply.apply import ApplyResult, apply_plan
from secboot.apply.change import ManagedRoot
from secboot.apply.rollback import RollbackResult, roll_back
from secboot.apply.rollback_plan import Choices
from secboot.apply.zipl import Zipl, ZiplFailedError
from secboot.checkpoint.journal import State
from secboot.checkpoint.record import Action, Checkpoint
from secboot.checkpoint.state_directory import StateDirectory
from secboot.checkpoint.store import CheckpointStore
from secboot.errors import RefusedError, RolledBackError, SecbootError, StuckError
from secboot.layout.detect import detect_layout
from secboot.machine.discovery import Machine
from secboot.machine.profile_files import read_profile
from secboot.plan.plan import Plan
from secboot.plan.planner import make_plan
from secboot.report.outcome import apply_document
from secboot.system.programs import ProgramError, SystemRunner
from secboot.system.root import Root
from tests.apply.zipl_script import ZiplScript, make_zipl
from tests.trees import hide_boot_record, make_sample_tree, snapshot

TREES = ("rhel8", "lfs-parmfile", "ubuntu-installer")


@dataclass
class Site:
    """A sample machine with a zipl, and the flows on it."""

    path: Path
    zipl: ZiplScript | None
    timeout: float = 20.0
    log: list[Checkpoint] = field(default_factory=list)

    def target(self, root: Root) -> ManagedRoot:
        zipl = None if self.zipl is None else Zipl(self.zipl.runner, self.timeout)
        command = ("secboot", "apply")
        state = StateDirectory(root)
        return ManagedRoot(
            root, state, zipl, detect_layout(root), None, command, lambda _: None, self.log.append
        )

    def plan(self, profile: str = "guest") -> Plan:
        with Root(self.path) as root:
            return self._maker(root, profile)(self.target(root).discover())

    def apply(
        self, profile: str = "guest", agree: Callable[[Plan], None] = lambda _: None
    ) -> ApplyResult:
        with Root(self.path) as root:
            return apply_plan(self.target(root), self._maker(root, profile), agree)

    def rollback(self, checkpoint: str | None = None, *, force: bool = False) -> RollbackResult:
        with Root(self.path) as root:
            return roll_back(self.target(root), checkpoint, Choices(force))

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        with Root(self.path) as root:
            store = CheckpointStore.existing(StateDirectory(root))
            assert store is not None
            return store.checkpoints()

    def _maker(self, root: Root, profile: str) -> Callable[[Machine], Plan]:
        read = read_profile(profile, root)
        return lambda machine: make_plan(
            read, machine, detect_layout(root), with_zipl=self.zipl is not None
        )


@pytest.fixture(params=TREES)
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return make_sample_tree(request.param, tmp_path / "root")


@pytest.fixture
def make_site(root: Path, tmp_path: Path) -> Callable[[str], Site]:
    return lambda body: Site(root, make_zipl(tmp_path / "bin", body))


def test_zipl_checks_the_candidates_and_then_writes_the_boot_record(
    make_site: Callable[[str], Site],
) -> None:
    site = make_site("exit 0")

    result = site.apply()

    assert site.zipl is not None
    first, second = site.zipl.calls
    assert first.startswith("--dry-run --config /")
    assert second == ""
    assert result.zipl is not None
    assert not result.zipl_pending
    assert [c.state for c in site.checkpoints()] == [State.DONE]
    assert site.plan().files == ()


def test_an_ipl_is_asked_for_when_the_boot_record_is_new(
    make_site: Callable[[str], Site], root: Path
) -> None:
    """Only after zipl has run, not while it is pending, and not if nothing changed."""
    site = make_site(f'[ -n "$dry" ] || truncate -s 200M {root}/boot/bootmap')

    asked = [
        apply_document(each.apply())["reboot_required"] for each in (Site(root, None), site, site)
    ]

    assert asked == [False, True, False]
    assert apply_document(site.apply("guest-large"))["reboot_required"]


def test_the_candidates_that_zipl_sees_hold_the_new_parameters(root: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    copy = f'[ -z "$dry" ] || cat $(dirname {root}$3)/* {root}$5/* > {seen} 2>&1'
    site = Site(root, make_zipl(tmp_path / "bin", f"{copy}; exit 0"))

    site.apply()

    assert "swiotlb=262144" in seen.read_text()


def test_what_zipl_refuses_beforehand_changes_nothing(make_site: Callable[[str], Site]) -> None:
    site = make_site("echo 'Error: Line 3: no good' >&2; exit 1")
    before = snapshot(site.path)

    with pytest.raises(
        RefusedError, match="zipl refuses the new boot files: Error: Line 3"
    ) as info:
        site.apply()

    assert not isinstance(info.value, RolledBackError)
    assert snapshot(site.path) == before


def test_a_zipl_that_fails_once_leads_back_to_the_old_files(
    make_site: Callable[[str], Site], tmp_path: Path
) -> None:
    mark = tmp_path / "failed"
    site = make_site(f"[ -n \"$dry\" ] || [ -e '{mark}' ] || {{ touch '{mark}'; exit 1; }}")
    before = snapshot(site.path)

    with pytest.raises(RolledBackError, match="zipl failed"):
        site.apply()

    assert snapshot(site.path) == before
    assert site.zipl is not None
    assert site.zipl.calls[1:] == ["", ""]
    assert site.checkpoints()[-1].state is State.ROLLED_BACK


def test_a_zipl_that_keeps_failing_is_said_to_be_stuck_with_the_files_restored(
    make_site: Callable[[str], Site],
) -> None:
    site = make_site('[ -n "$dry" ] || exit 1')
    before = snapshot(site.path)

    with pytest.raises(StuckError) as info:
        site.apply()

    assert snapshot(site.path) == before
    assert str(info.value.hint).endswith("or write the boot record by hand:\n  zipl")


def test_the_next_run_ends_what_was_stuck(root: Path, tmp_path: Path) -> None:
    broken = Site(root, make_zipl(tmp_path / "broken", '[ -n "$dry" ] || exit 1'))
    with pytest.raises(StuckError):
        broken.apply()

    result = Site(root, make_zipl(tmp_path / "bin")).apply()

    assert [report.checkpoint.id for report in result.recovered] == ["1"]
    assert result.checkpoint == "2"


def test_a_zipl_that_hangs_is_ended_and_the_files_are_put_back(
    make_site: Callable[[str], Site], tmp_path: Path
) -> None:
    mark = tmp_path / "hung"
    site = make_site(f"[ -n \"$dry\" ] || [ -e '{mark}' ] || {{ touch '{mark}'; exec sleep 60; }}")
    site.timeout = 1.0
    before = snapshot(site.path)

    with pytest.raises(RolledBackError, match="timed out after 1 s and was killed"):
        site.apply()

    assert snapshot(site.path) == before


def test_a_zipl_that_prints_megabytes_is_no_problem(make_site: Callable[[str], Site]) -> None:
    site = make_site("head -c 5000000 /dev/zero | tr '\\0' 'x'; head -c 3000000 /dev/zero >&2")

    assert site.apply().zipl is not None


def test_a_missing_zipl_is_told_before_anything_is_written(root: Path, tmp_path: Path) -> None:
    empty = tmp_path / "bin"
    site = Site(root, make_zipl(empty))
    (empty / "zipl").unlink()
    before = snapshot(root)

    with pytest.raises(RefusedError, match="zipl is not installed"):
        site.apply()

    assert snapshot(root) == before
    assert not (root / "var").exists()


def test_apply_twice_changes_nothing_and_runs_nothing_the_second_time(
    make_site: Callable[[str], Site],
) -> None:
    site = make_site("exit 0")
    site.apply()
    hide_boot_record(site.path)
    assert site.zipl is not None
    calls, before = site.zipl.calls, snapshot(site.path)

    result = site.apply()

    assert (result.checkpoint, result.zipl, site.zipl.calls) == (None, None, calls)
    assert snapshot(site.path) == before


def test_zipl_is_due_when_a_file_is_younger_than_the_boot_record(
    make_site: Callable[[str], Site],
) -> None:
    site = make_site("exit 0")
    site.apply()
    hide_boot_record(site.path, modified=1)

    plan = site.plan()
    result = site.apply()

    assert plan.files == ()
    assert "changed after /boot/bootmap was written" in plan.commands[0].reason
    assert result.checkpoint is None
    assert result.zipl is not None


def test_a_plan_that_is_not_agreed_to_changes_nothing(make_site: Callable[[str], Site]) -> None:
    site = make_site("exit 0")
    before = snapshot(site.path)
    seen: list[Plan] = []

    def agree(plan: Plan) -> None:
        seen.append(plan)
        raise RefusedError("another one")

    with pytest.raises(RefusedError, match="another one"):
        site.apply(agree=agree)

    assert seen == [site.plan()]
    assert snapshot(site.path) == before


def test_the_plan_under_the_lock_is_the_one_to_agree_to(tmp_path: Path) -> None:
    root = make_sample_tree("rhel8", tmp_path / "root")
    site = Site(root, None)
    seen: list[Plan] = []

    def agree(plan: Plan) -> None:
        if seen:
            raise RefusedError("another one")
        seen.append(plan)
        (root / "boot/loader/entries/new.conf").write_text("title New\nlinux /boot/vmlinuz-new\n")

    with pytest.raises(RefusedError, match="another one"):
        site.apply(agree=agree)

    assert "swiotlb" not in "".join(
        path.read_text() for path in (root / "boot/loader/entries").iterdir()
    )


def test_a_change_between_plan_and_write_is_noticed(tmp_path: Path) -> None:
    root = make_sample_tree("ubuntu-curtin", tmp_path / "root")
    conf = root / "etc/zipl.conf"
    # During the dry run an editor can still save its file.
    site = Site(root, make_zipl(tmp_path / "bin", f'[ -z "$dry" ] || echo "# mine" >> {conf}'))

    with pytest.raises(RefusedError, match="changed since the plan was made"):
        site.apply()

    assert conf.read_text().endswith("# mine\n")
    assert "swiotlb" not in conf.read_text()


def test_what_is_read_back_wrong_is_rolled_back(tmp_path: Path) -> None:
    root = make_sample_tree("ubuntu-curtin", tmp_path / "root")
    conf = root / "etc/zipl.conf"
    meddle = f'[ -n "$dry" ] || [ -e {tmp_path}/once ] || {{ touch {tmp_path}/once; '
    meddle += f"sed -i s/swiotlb=262144/swiotlb=1/ {conf}; }}"
    site = Site(root, make_zipl(tmp_path / "bin", meddle))

    with pytest.raises(SecbootError) as info:
        site.apply()

    # A change by somebody else is not overwritten: it is left, and reported.
    assert isinstance(info.value, RolledBackError)
    assert "left as it is: /etc/zipl.conf" in str(info.value.hint)
    assert "swiotlb=1" in conf.read_text()


def test_rollback_restores_the_bytes_and_runs_zipl(make_site: Callable[[str], Site]) -> None:
    site = make_site("exit 0")
    before = snapshot(site.path)
    site.apply()

    result = site.rollback()

    assert snapshot(site.path) == before
    assert result.undone == "1"
    assert result.zipl is not None
    assert [c.record.audit.undoes for c in site.checkpoints()] == [None, "1"]


def test_rollback_refuses_what_was_changed_since_unless_forced(
    make_site: Callable[[str], Site],
) -> None:
    site = make_site("exit 0")
    before = snapshot(site.path)
    changed = site.apply().plan.files[0].real_path
    file = site.path / changed.lstrip("/")
    file.write_bytes(file.read_bytes() + b"# mine\n")

    with pytest.raises(RefusedError, match="changed since checkpoint 1"):
        site.rollback()
    assert file.read_bytes().endswith(b"# mine\n")

    site.rollback(force=True)
    assert snapshot(site.path) == before


def test_rollback_with_nothing_to_go_back_to(make_site: Callable[[str], Site]) -> None:
    with pytest.raises(RefusedError, match="nothing to roll back"):
        make_site("exit 0").rollback()


def test_without_zipl_the_boot_record_is_said_to_be_pending(root: Path) -> None:
    result = Site(root, None).apply()

    assert result.zipl is None
    assert result.zipl_pending


def test_mode_and_owner_stay(make_site: Callable[[str], Site]) -> None:
    site = make_site("exit 0")
    files = [site.path / c.real_path.lstrip("/") for c in site.plan().files]
    for file in files:
        file.chmod(0o640)
        if os.geteuid() == 0:
            os.chown(file, 12, 34)
    before = [(f.stat().st_mode, f.stat().st_uid, f.stat().st_gid) for f in files]

    site.apply()
    assert [(f.stat().st_mode, f.stat().st_uid, f.stat().st_gid) for f in files] == before

    site.rollback()
    assert [(f.stat().st_mode, f.stat().st_uid, f.stat().st_gid) for f in files] == before


def test_each_change_is_told_to_the_log_however_it_ends(
    make_site: Callable[[str], Site], tmp_path: Path
) -> None:
    mark = tmp_path / "fail"
    site = make_site(f"[ -n \"$dry\" ] || [ ! -e '{mark}' ] || {{ rm '{mark}'; exit 1; }}")

    site.apply()
    site.apply()
    site.rollback()
    mark.touch()
    with pytest.raises(RolledBackError):
        site.apply()

    assert [(c.id, c.record.audit.action, c.state) for c in site.log] == [
        ("1", Action.APPLY, State.DONE),
        ("2", Action.ROLLBACK, State.DONE),
        ("3", Action.APPLY, State.ROLLED_BACK),
    ]


def test_what_is_to_be_run_by_hand_can_be_typed(tmp_path: Path) -> None:
    chroot = tmp_path / "chroot"
    chroot.write_text("#!/bin/sh\nexit 3\n")
    chroot.chmod(0o755)
    zipl = Zipl(SystemRunner((str(tmp_path), "/bin")), 20.0, chroot="/mnt/a machine")

    with pytest.raises(ZiplFailedError) as caught:
        zipl.install()

    assert caught.value.hint == "run it by hand to see more: chroot '/mnt/a machine' zipl -V"


def test_a_program_of_a_tree_that_hangs_is_named(tmp_path: Path) -> None:
    (tmp_path / "chroot").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "chroot").chmod(0o755)

    with pytest.raises(ProgramError, match=r"^zipl: timed out after 0\.1 s and was killed"):
        Zipl(SystemRunner((str(tmp_path), "/bin")), 0.1, chroot="/mnt").install()
