"""The last line of every failure says in which state the machine is, truthfully.

A table of failures: what fails, the exit code, the state. Each is run for people and for programs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secboot.demo import write_sample
from secboot.errors import ExitCode, StateKind
from secboot.system.programs import SystemRunner
from tests.command import Said, secboot
from tests.trees import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

CHROOT = """#!/bin/sh
# chroot ROOT zipl [--dry-run --config CONF ...]
root=$1 conf=$5 dry= once={directory}/once
case "$*" in *--dry-run*) dry=1;; esac
{zipl}
"""
ACCEPT = "exit 0"
REFUSE = """[ -z "$dry" ] || { echo "Error: Config file '$conf': Line 3: no" >&2; exit 1; }"""
FAIL = '[ -n "$dry" ] || { echo "Error: no" >&2; exit 1; }'
FAIL_ONCE = f'[ -e "$once" ] || {FAIL.replace("echo", "touch $once; echo")}'
LOSE = f'[ -n "$dry" ] || rm -rf $root/etc/.secboot-* $root/boot/loader/entries/.secboot-* $root/var/lib/secboot/checkpoints/1/*.tar\n{FAIL}'
INTERRUPT = '[ -n "$dry" ] || [ -e "$once" ] || { touch "$once"; kill -INT $PPID; sleep 0.1; }'
INTERRUPT_EARLY = "kill -INT $PPID; sleep 0.1"

UNCHANGED = "Nothing was changed."
RESTORED = "All files are restored and zipl has run on them: the machine is as before."
ZIPL_FAILED = "The files are restored, but zipl failed: do not re-IPL before zipl has succeeded."
NOT_RESTORED = (
    "ROLLBACK FAILED: do not re-IPL before the files are restored and zipl has run on them."
)
STANDS = "The change was made and stands; only its report is missing."


def fault(error: type[BaseException], where: str, patch: pytest.MonkeyPatch) -> None:
    """Make a function fail unexpectedly."""

    def fail(*_: object, **__: object) -> None:
        raise error("the function is broken")

    patch.setattr(where, fail)


VERIFY = "secboot.apply.apply._verify"
PUT_BACK = "secboot.checkpoint.rollback.put_back_files"
PLAN = "secboot.plan.planner.make_plan"
REPORT = "secboot.report.outcome.apply_text"
DOCUMENT = "secboot.report.outcome.apply_document"


def faults(error: type[BaseException], *where: str) -> Callable[[pytest.MonkeyPatch], None]:
    def patch_all(patch: pytest.MonkeyPatch) -> None:
        for each in where:
            fault(error, each, patch)

    return patch_all


@dataclass(frozen=True)
class Failure:
    """What fails, and what is reported; `is_as_before` is whether the boot files are as before."""

    name: str
    code: ExitCode
    kind: StateKind
    sentence: str
    words: tuple[str, ...] = ("apply", "guest", "--zipl")
    zipl: str = ACCEPT
    before: tuple[tuple[str, ...], ...] = ()
    patch: Callable[[pytest.MonkeyPatch], None] = lambda _: None
    is_as_before: bool = True


FAILURES = (
    Failure("zipl refuses", ExitCode.REFUSED, StateKind.UNCHANGED, UNCHANGED, zipl=REFUSE),
    Failure(
        "nothing to undo", ExitCode.REFUSED, StateKind.UNCHANGED, UNCHANGED, ("rollback", "--zipl")
    ),
    Failure(
        "only zipl was due",
        ExitCode.REFUSED,
        StateKind.ZIPL_DUE,
        "No file was changed, but zipl failed: do not re-IPL before zipl has succeeded.",
        zipl=FAIL,
        before=(("apply", "guest", "--no-zipl"),),
    ),
    Failure(
        "a wrong option",
        ExitCode.USAGE,
        StateKind.UNCHANGED,
        UNCHANGED,
        ("apply", "guest", "--no-such-option"),
    ),
    Failure("no such profile", ExitCode.USAGE, StateKind.UNCHANGED, UNCHANGED, ("apply", "nobody")),
    Failure("zipl fails once", ExitCode.ROLLED_BACK, StateKind.RESTORED, RESTORED, zipl=FAIL_ONCE),
    Failure(
        "an undo fails once",
        ExitCode.ROLLED_BACK,
        StateKind.RESTORED,
        RESTORED,
        ("rollback", "--zipl"),
        zipl=FAIL_ONCE,
        before=(("apply", "guest", "--no-zipl"),),
    ),
    Failure(
        "the system fails",
        ExitCode.ROLLED_BACK,
        StateKind.RESTORED,
        RESTORED,
        patch=faults(OSError, VERIFY),
    ),
    Failure("zipl fails again", ExitCode.STUCK, StateKind.ZIPL_DUE, ZIPL_FAILED, zipl=FAIL),
    Failure(
        "what was saved is lost",
        ExitCode.STUCK,
        StateKind.NOT_RESTORED,
        NOT_RESTORED,
        zipl=LOSE,
        is_as_before=False,
    ),
    Failure(
        "no report",
        ExitCode.UNREPORTED,
        StateKind.CHANGED,
        STANDS,
        patch=faults(OSError, REPORT, DOCUMENT),
        is_as_before=False,
    ),
    Failure(
        "no report, zipl is pending",
        ExitCode.UNREPORTED,
        StateKind.CHANGED,
        f"{STANDS} Run `chroot ROOT zipl` before the next IPL.",
        ("apply", "guest", "--no-zipl"),
        patch=faults(OSError, REPORT, DOCUMENT),
        is_as_before=False,
    ),
    Failure(
        "a bug before",
        ExitCode.BUG,
        StateKind.UNCHANGED,
        UNCHANGED,
        patch=faults(ValueError, PLAN),
    ),
    Failure(
        "a bug meanwhile",
        ExitCode.BUG,
        StateKind.RESTORED,
        RESTORED,
        patch=faults(ValueError, VERIFY),
    ),
    Failure(
        "a bug in the rollback",
        ExitCode.BUG,
        StateKind.NOT_RESTORED,
        "The change is neither complete nor undone: do not re-IPL before"
        " `secboot rollback --root ROOT` has succeeded.",
        patch=faults(ValueError, VERIFY, PUT_BACK),
        is_as_before=False,
    ),
    Failure(
        "^C before", ExitCode.INTERRUPTED, StateKind.UNCHANGED, UNCHANGED, zipl=INTERRUPT_EARLY
    ),
    Failure("^C in zipl", ExitCode.INTERRUPTED, StateKind.RESTORED, RESTORED, zipl=INTERRUPT),
    Failure(
        "^C in planning",
        ExitCode.INTERRUPTED,
        StateKind.UNCHANGED,
        UNCHANGED,
        patch=faults(KeyboardInterrupt, PLAN),
    ),
)


@dataclass(frozen=True)
class Machine:
    """A sample machine with the test's own zipl, and secboot on it."""

    directory: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def root(self) -> Path:
        return self.directory / "root"

    def has_zipl(self, body: str) -> None:
        program = self.directory / "chroot"
        program.write_text(CHROOT.format(directory=self.directory, zipl=body))
        program.chmod(0o755)

    def secboot(self, *words: str) -> Said:
        said = secboot(self.capsys, *words, "--root", self.root)
        out, err = (each.replace(str(self.root), "ROOT") for each in (said.out, said.err))
        return Said(said.code, out, err)


@pytest.fixture
def machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Machine:
    machine = Machine(tmp_path, capsys)
    write_sample(machine.root)
    zipl = machine.root / "usr/sbin/zipl"
    zipl.parent.mkdir(parents=True, exist_ok=True)
    zipl.touch()
    machine.has_zipl(ACCEPT)
    runner = partial(SystemRunner, (str(tmp_path), "/usr/bin", "/bin"))
    monkeypatch.setattr("secboot.system.programs.SystemRunner", runner)
    return machine


@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: str(failure.name))
def test_the_last_line_is_the_state_of_the_machine(
    failure: Failure, output: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in failure.before:
        assert machine.secboot(*words).code == ExitCode.OK
    before = snapshot(machine.root)
    machine.has_zipl(failure.zipl)

    with monkeypatch.context() as patch:
        failure.patch(patch)
        said = machine.secboot(*failure.words, "--output", output)

    assert said.code == failure.code, said.err
    assert said.err.splitlines()[-1] == failure.sentence
    assert (snapshot(machine.root) == before) is failure.is_as_before
    if output == "json":
        document = json.loads(said.out)
        assert document["exit_code"] == failure.code
        assert document["state"] == {"kind": failure.kind, "sentence": failure.sentence}


def test_the_state_after_a_failed_rollback_is_not_that_of_a_running_change(
    machine: Machine,
) -> None:
    machine.has_zipl(FAIL)
    assert machine.secboot("apply", "guest", "--zipl").code == ExitCode.STUCK

    status = machine.secboot("status", "guest").out
    machine.has_zipl(ACCEPT)
    rollback = machine.secboot("rollback", "--zipl").out

    assert (
        "warning: the rollback of checkpoint 1 failed: do not re-IPL before it has succeeded; the"
        " next apply or rollback tries again\n    secboot rollback --root ROOT\n"
    ) in status
    assert "still running, or was interrupted" not in status
    assert "\n\n\n" not in rollback


def test_every_exit_code_of_a_failure_is_in_the_table() -> None:
    """Code 5 is not a failure: the command has done its job."""
    assert {failure.code for failure in FAILURES} == {*ExitCode} - {
        ExitCode.OK,
        ExitCode.DIFFERENCE,
    }


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "nobody"),
        ("status", "nobody"),
        ("apply", "nobody", "--dry-run"),
        ("history", "7"),
        ("check", "--no-zipl"),
    ],
    ids=" ".join,
)
def test_what_only_looks_says_nothing_of_the_machine(
    words: tuple[str, ...], machine: Machine
) -> None:
    said = machine.secboot(*words)

    assert said.code in {ExitCode.REFUSED, ExitCode.USAGE}
    assert "changed" not in said.err


def test_a_refusal_after_a_recovery_says_what_was_rolled_back(machine: Machine) -> None:
    machine.has_zipl(FAIL)
    assert machine.secboot("apply", "guest", "--zipl").code == ExitCode.STUCK
    machine.has_zipl(REFUSE)

    said = machine.secboot("apply", "guest", "--zipl")

    assert said.code == ExitCode.REFUSED
    assert said.err.splitlines()[-1] == (
        "Only an earlier, interrupted change (1) was rolled back: all files are restored and zipl"
        " has run on them: the machine is as before."
    )


def test_what_zipl_refused_is_kept_where_the_error_points(machine: Machine) -> None:
    machine.has_zipl(REFUSE)

    said = machine.secboot("apply", "guest", "--zipl")

    kept = machine.root / "var/lib/secboot/refused"
    assert said.err.startswith(
        "secboot: error: zipl refuses the new boot files: Error: Config file"
        " 'ROOT/var/lib/secboot/refused/zipl.conf': Line 3: no\n"
        "  the refused files are kept in ROOT/var/lib/secboot/refused\n"
        "  run it by hand to see more: chroot ROOT zipl --dry-run --config"
        " /var/lib/secboot/refused/zipl.conf --blsdir /var/lib/secboot/refused/entries -V\n"
    )
    entries = sorted((kept / "entries").iterdir())
    assert [path.name for path in entries] == sorted(
        path.name for path in (machine.root / "boot/loader/entries").iterdir()
    )
    assert any("swiotlb=262144" in path.read_text() for path in entries)
    assert (kept / "zipl.conf").read_bytes() == (machine.root / "etc/zipl.conf").read_bytes()
    assert {path.stat().st_mode & 0o77 for path in [kept, *kept.rglob("*")]} == {0}


def test_only_what_was_refused_last_is_kept(machine: Machine) -> None:
    machine.has_zipl(REFUSE)
    machine.secboot("apply", "guest", "--zipl")
    machine.secboot("apply", "host", "--zipl")

    texts = [
        path.read_text() for path in (machine.root / "var/lib/secboot/refused").rglob("*.conf")
    ]

    assert any("prot_virt=1" in text for text in texts)
    assert not any("swiotlb=262144" in text for text in texts)


def test_a_state_directory_elsewhere_has_it_and_no_command_that_does_not_work(
    machine: Machine,
) -> None:
    machine.has_zipl(REFUSE)
    state = machine.directory / "state"

    said = machine.secboot("apply", "guest", "--zipl", "--state-dir", str(state))

    assert f"'{state}/refused/zipl.conf': Line 3" in said.err
    assert f"  the refused files are kept in {state}/refused\n{UNCHANGED}\n" in said.err
    assert (state / "refused/zipl.conf").exists()


def test_history_says_what_was_undone_and_what_failed(machine: Machine) -> None:
    machine.has_zipl(FAIL_ONCE)
    machine.secboot("apply", "guest", "--zipl")
    machine.secboot("apply", "guest", "--zipl")
    machine.secboot("rollback", "--zipl")
    machine.has_zipl(FAIL)
    machine.secboot("apply", "guest", "--zipl")

    rows = [row.split() for row in machine.secboot("history").out.split("\n\n")[0].split("\n")]
    document = json.loads(machine.secboot("history", "--output", "json").out)

    said = {
        "4": "ROLLBACK FAILED",
        "3": "done",
        "2": "undone by 3",
        "1": "failed, rolled back",
    }
    assert [row[0] for row in rows] == ["ID", "4", "failed:", "ROLLBACK", "3", "2", "1", "failed:"]
    assert all(said[row[0]] in " ".join(row) for row in rows if row[0] in said)
    assert " ".join(rows[2]).startswith("failed: zipl failed: Error: no")
    assert " ".join(rows[3]).startswith("ROLLBACK FAILED: zipl failed: Error: no")
    found = [(e["id"], e["undone_by"], e["failure"]) for e in document["checkpoints"]]
    failed = "zipl failed: Error: no"
    assert found == [("1", None, failed), ("2", "3", None), ("3", None, None), ("4", None, failed)]
    one = machine.secboot("history", "2").out
    assert one.startswith("Checkpoint  2, undone by 3\n")
