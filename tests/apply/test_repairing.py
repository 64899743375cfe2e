"""``check --fix`` with a zipl that refuses what the real one refuses, succeeds, or fails later."""

from __future__ import annotations

from pathlib import Path

import pytest

from secboot.apply.active_profile import active_profile
from secboot.apply.apply import apply_plan
from secboot.apply.change import ManagedRoot
from secboot.apply.repairing import RepairResult, repair_boot_files
from secboot.apply.rollback import roll_back
from secboot.apply.rollback_plan import Choices
from secboot.apply.zipl import Zipl
from secboot.checkpoint.journal import State
from secboot.checkpoint.record import Action
from secboot.checkpoint.state_directory import StateDirectory
from secboot.checkpoint.store import CheckpointStore
from secboot.errors import Ledger, RefusedError, RolledBackError
from secboot.invocation import PLAIN
from secboot.layout.detect import detect_layout
from secboot.machine.profile_files import read_profile
from secboot.plan.planner import make_plan
from secboot.repair.repair_plan import UnrepairedError
from secboot.report.repair import repair_text
from secboot.report.style import PLAIN as NO_COLOUR
from secboot.system.root import Root
from tests.apply.zipl_script import ZiplScript, make_zipl
from tests.checkpoint.scenes import cut_journal, temporaries
from tests.trees import make_sample_tree, snapshot

CONF = "etc/zipl.conf"


class Site:
    """A sample machine and a zipl that refuses a zipl.conf with carriage returns."""

    def __init__(self, path: Path, body: str = "exit 0") -> None:
        self.path = make_sample_tree("rhel8", path / "root")
        refuses = (
            'conf=/dev/null; [ $# -gt 2 ] && conf="$3"; [ -z "$dry" ] && conf='
            f"{self.path / CONF}\n"
            'grep -q "$(printf \'\\r\')" "$conf" && { echo refused >&2; exit 1; }\n'
        )
        self.zipl: ZiplScript | None = make_zipl(path / "bin", f"{refuses}{body}")
        self.ledger = Ledger()

    def managed(self, root: Root) -> ManagedRoot:
        zipl = None if self.zipl is None else Zipl(self.zipl.runner, 20.0)
        state = StateDirectory(root)
        layout = detect_layout(root)
        managed = ManagedRoot(root, state, zipl, layout, None, ("secboot",), lambda _: None)
        return managed._replace(ledger=self.ledger)

    def damage(self) -> bytes:
        conf = self.path / CONF
        conf.write_bytes(conf.read_bytes().replace(b"\n", b"\r\n"))
        return conf.read_bytes()

    def fix(self) -> RepairResult:
        with Root(self.path) as root:
            return repair_boot_files(self.managed(root))

    def apply(self, profile: str = "guest") -> None:
        with Root(self.path) as root:
            read = read_profile(profile, root)
            managed = self.managed(root)
            apply_plan(
                managed, lambda found: make_plan(read, found, managed.layout, with_zipl=True)
            )

    def rollback(self) -> tuple[str, ...]:
        with Root(self.path) as root:
            return roll_back(self.managed(root), None, Choices()).files

    def journal(self) -> list[tuple[Action, State]]:
        with Root(self.path) as root:
            store = CheckpointStore.existing(StateDirectory(root))
            assert store is not None
            return [(c.record.audit.action, c.state) for c in store.checkpoints()]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_zipl_checks_the_repaired_files_and_then_writes_the_boot_record(site: Site) -> None:
    good = (site.path / CONF).read_bytes()
    site.damage()
    (site.path / CONF).chmod(0o640)

    result = site.fix()

    assert site.zipl is not None
    first, second = site.zipl.calls
    assert first.startswith("--dry-run --config /")
    assert second == ""
    assert result.checkpoint == "1"
    assert not result.zipl_pending
    assert (site.path / CONF).read_bytes() == good
    assert (site.path / CONF).stat().st_mode & 0o777 == 0o640
    assert site.journal() == [(Action.FIX, State.DONE)]
    assert site.fix().checkpoint is None
    assert len(site.zipl.calls) == 2, "nothing to repair is nothing to run"


def test_nothing_is_written_while_something_else_is_left(site: Site) -> None:
    site.damage()
    with (site.path / CONF).open("a") as file:
        file.write("timeout=soon\n")
    before = snapshot(site.path)

    with pytest.raises(UnrepairedError) as refused:
        site.fix()

    assert [each.finding.code for each in refused.value.plan.left] == ["zipl.keyword-twice"]
    assert snapshot(site.path) == before
    assert site.zipl is not None
    assert site.zipl.calls == []


def test_what_zipl_refuses_beforehand_changes_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path, '[ -z "$dry" ] || { echo no >&2; exit 1; }')
    damaged = site.damage()

    with pytest.raises(RefusedError, match="zipl refuses the new boot files"):
        site.fix()

    assert (site.path / CONF).read_bytes() == damaged
    assert temporaries(site.path) == []


def test_a_zipl_that_fails_leads_back_to_files_that_zipl_refuses(tmp_path: Path) -> None:
    """It cannot run on them again, as before the repair: nothing is stuck."""
    site = Site(tmp_path, '[ -n "$dry" ] || { echo no disk >&2; exit 1; }')
    damaged = site.damage()

    with pytest.raises(RolledBackError) as rolled_back:
        site.fix()

    assert rolled_back.value.hint == "run it by hand to see more: zipl -V"
    assert site.ledger.state.sentence == (
        "All files are restored. zipl refuses them, as before the change, and left the boot record as"
        " it is."
    )
    assert (site.path / CONF).read_bytes() == damaged
    assert site.journal() == [(Action.FIX, State.ROLLED_BACK)]
    assert temporaries(site.path) == []


@pytest.mark.parametrize("steps", [1, 2])
def test_a_repair_that_was_cut_short_is_rolled_back_and_made_again(site: Site, steps: int) -> None:
    good = (site.path / CONF).read_bytes()
    site.damage()
    site.fix()
    cut_journal(site.path / "var/lib/secboot/checkpoints/1", steps)

    result = site.fix()

    assert [report.checkpoint.id for report in result.recovered] == ["1"]
    assert result.checkpoint == "2"
    assert (site.path / CONF).read_bytes() == good
    assert [state for _, state in site.journal()] == [State.ROLLED_BACK, State.DONE]


def test_a_rollback_undoes_a_repair_where_zipl_does_not_run(site: Site) -> None:
    damaged = site.damage()
    site.fix()

    with pytest.raises(RefusedError) as refused:
        site.rollback()
    site.zipl = None
    files = site.rollback()

    assert "secboot rollback 1 --no-zipl" in str(refused.value.hint)
    assert files == ("/etc/zipl.conf",)
    assert (site.path / CONF).read_bytes() == damaged
    assert site.journal() == [(Action.FIX, State.DONE), (Action.ROLLBACK, State.DONE)]


def test_a_repair_is_the_newest_change_and_no_profile(site: Site) -> None:
    site.apply("guest")
    site.damage()
    site.fix()

    with Root(site.path) as root:
        active = active_profile(root, StateDirectory(root), PLAIN)

    assert active is not None
    assert active.name == "guest"


def test_an_edit_meanwhile_is_kept(site: Site) -> None:
    site.damage()
    with Root(site.path) as root:
        managed = site.managed(root)

        def edit(_: object) -> None:
            text = (site.path / CONF).read_bytes()
            if b"mine" not in text:
                (site.path / CONF).write_bytes(text + b"# mine\r\n")

        result = repair_boot_files(managed, edit)

    text = (site.path / CONF).read_bytes()
    assert result.checkpoint is not None
    assert b"# mine\n" in text
    assert b"\r" not in text


@pytest.mark.parametrize("refused", [True, False])
def test_the_command_that_undoes_it_is_not_refused(refused: bool, site: Site) -> None:
    entry = next((site.path / "boot/loader/entries").glob("*147.el8.s390x.conf"))
    text = entry.read_text()
    damaged = f"{text}audit=1\n" if refused else text.replace("\nid ", "\r\nid ")
    entry.write_bytes(damaged.encode())

    text = repair_text(site.fix(), PLAIN, NO_COLOUR)

    assert f"Undo with: secboot rollback 1{' --no-zipl' if refused else ''}\n" in text


def test_a_file_that_is_missing_is_left_and_named(site: Site) -> None:
    site.zipl = None
    kernel = next((site.path / "boot").glob("vmlinuz-*"))
    kernel.unlink()

    result = site.fix()

    assert result.checkpoint is None
    assert not result.plan.accepted
    assert {each.finding.code for each in result.plan.left} == {"zipl.image"}
    text = repair_text(result, PLAIN, NO_COLOUR)
    assert text.endswith("Nothing to repair, 1 not repaired: zipl 2.40.0 refuses the boot files.\n")
