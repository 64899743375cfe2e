"""A trial of a change for one IPL, from ``apply --trial`` to ``confirm`` or ``rollback``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from secboot.layout.detect import detect_layout
from secboot.machine.discovery import Machine as Found
from secboot.machine.discovery import discover
from secboot.system.root import Root
from tests.checkpoint.scenes import CHECKPOINT, cut_journal, write_record
from tests.command import secboot
from tests.report.test_schemas import require_valid
from tests.situations import make_situation
from tests.trees import SAMPLE_TREES, sealed_image, snapshot
from tests.trials import Machine, make_machine

Maker = Callable[..., Machine]
KINDS = ("menu", "automatic", "rhel8", "rhel8-default-title")
WHY_NOT = ("needs a boot menu", "not meant to be edited", "nothing to try")


@pytest.fixture
def machine_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Maker:
    def make(kind: str, reipl: str = "ccw", body: str = "exit 0") -> Machine:
        return make_machine(kind, tmp_path / kind, monkeypatch, capsys, reipl, body)

    return make


def read(machine: Machine) -> Found:
    with Root(machine.root) as root:
        return discover(root, detect_layout(root).sources, {})


def installed(machine: Machine) -> dict[str, tuple[int | None, bool, str | None]]:
    """Return what zipl would write: number, default and line of each entry by its name."""
    return {
        each.entry.name: (each.position, each.is_default, each.entry.parmline)
        for each in read(machine).configuration.to_install
    }


def trial_of(machine: Machine, profile: str = "host") -> tuple[str, int, str]:
    """Begin a trial; return the name, number and line of its entry."""
    said = machine.run("apply", profile, "--trial")
    assert said.code == 0, said.err
    name, (number, _, line) = list(installed(machine).items())[-1]
    assert number is not None
    return name, number, line or ""


def document(machine: Machine, *words: str) -> dict[str, Any]:
    said = machine.run(*words, "--output", "json")
    assert said.code in {0, 5}, said.err
    found: dict[str, Any] = json.loads(said.out)
    return found


def correction(machine: Machine) -> str | None:
    """The command that `status guest` names for boot entries without the profile's line."""
    entries = document(machine, "status", "guest")["entries"]
    results = [result for entry in entries for result in entry["configured"]]
    hints = {
        cause["hint"]
        for each in results
        for cause in each["causes"]
        if cause["code"] == "not-applied"
    }
    (hint,) = hints
    assert hint is None or isinstance(hint, str)
    return hint


@pytest.mark.parametrize("kind", KINDS)
def test_the_default_and_every_number_stay(kind: str, machine_of: Maker) -> None:
    machine = machine_of(kind)
    before = installed(machine)

    name, number, line = trial_of(machine)

    after = installed(machine)
    assert {key: value for key, value in after.items() if key != name} == before
    default = next(line for _, is_default, line in before.values() if is_default)
    assert line == f"{default} prot_virt=1"
    assert number == max(n or 0 for n, *_ in before.values()) + 1
    assert machine.chosen == str(number)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rollback_drops_it_to_the_byte(kind: str, machine_of: Maker) -> None:
    machine = machine_of(kind)
    before = snapshot(machine.root)
    trial_of(machine)

    said = machine.run("rollback")

    assert said.code == 0, said.err
    assert "dropped" in said.out
    assert snapshot(machine.root) == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reipl", ["ccw", "fcp", "nvme", "eckd"])
def test_confirmed_it_is_what_an_apply_would_have_done(
    kind: str,
    reipl: str,
    machine_of: Maker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine = machine_of(kind, reipl)
    default = machine.chosen
    _, number, line = trial_of(machine)
    machine.boot(f"{line} BOOT_IMAGE={number}")

    said = machine.run("confirm")

    assert said.code == 0, said.err
    assert machine.chosen == default
    other = make_machine(kind, tmp_path / "other", monkeypatch, capsys, reipl)
    other.boot(f"{line} BOOT_IMAGE={number}")
    assert other.run("apply", "host").code == 0
    boots = ("proc/sys/kernel/random/boot_id",)
    found, wanted = (
        {path: each for path, each in snapshot(m.root).items() if path not in boots}
        for m in (machine, other)
    )
    assert found == wanted
    assert [call for call in machine.script.calls if not call][-1:] == [""]


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("{trial} BOOT_IMAGE={number}", "running"),
        ("{trial}", "running"),
        ("{trial} BOOT_IMAGE=1", "failed"),
        ("{default} BOOT_IMAGE=1", "failed"),
        ("{default}", "failed"),
        ("root=/dev/other", "failed"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_where_it_stands_after_a_boot(kind: str, line: str, state: str, machine_of: Maker) -> None:
    machine = machine_of(kind)
    default = next(each[2] for each in installed(machine).values() if each[1])
    assert document(machine, "status")["trial"] is None
    _, number, trial = trial_of(machine)
    assert document(machine, "status")["trial"]["state"] == "waiting"
    assert correction(machine) is None, "the reboot decides"

    machine.boot(line.format(trial=trial, number=number, default=default))

    assert document(machine, "status")["trial"]["state"] == state
    assert document(machine, "show")["trial"]["state"] == state
    assert (
        str(correction(machine)).split()[1] == {"running": "confirm", "failed": "rollback"}[state]
    )
    assert machine.run("confirm", "--dry-run", "--quiet").out == ""
    said = machine.run("confirm", "--dry-run")
    assert said.code == (0 if state == "running" else 1), said.err


def test_a_line_that_only_lacks_a_word_is_told_from_the_default(machine_of: Maker) -> None:
    machine = machine_of("menu")
    machine.write("p.yaml", "version: 1\nparameters:\n  quiet: absent\n")
    machine.write("p.yaml", "version: 1\nparameters:\n  quiet:\n    absent: true\n")
    (machine.root / "p.yaml").chmod(0o644)
    _, number, line = trial_of(machine, str(machine.root / "p.yaml"))
    assert line == "root=/dev/dasda1"

    machine.boot("root=/dev/dasda1 quiet")
    assert document(machine, "status")["trial"]["state"] == "failed"
    machine.boot(f"root=/dev/dasda1 BOOT_IMAGE={number}")
    assert document(machine, "status")["trial"]["state"] == "running"
    assert machine.run("confirm").code == 0


def test_confirm_is_refused_before_the_reboot(machine_of: Maker) -> None:
    machine = machine_of("menu")
    assert "no trial to confirm" in machine.run("confirm").err
    trial_of(machine)
    before = snapshot(machine.root)

    said = machine.run("confirm")

    assert said.code == 1
    assert "waits for a reboot" in said.err
    assert snapshot(machine.root) == before


def test_the_stage_that_was_asked_for_has_to_be_reached(machine_of: Maker) -> None:
    machine = machine_of("menu")
    _, number, line = trial_of(machine)
    machine.boot(f"{line} BOOT_IMAGE={number}")
    machine.write("sys/firmware/uv/prot_virt_host", "0\n")

    refused = machine.run("confirm", "--stage", "effective")
    machine.write("sys/firmware/uv/prot_virt_host", "1\n")
    done = machine.run("confirm", "--stage", "effective")

    assert refused.code == 1
    assert "has not reached the stage 'effective'" in refused.err
    assert done.code == 0, done.err


def test_a_confirmation_names_commands_that_can_be_typed(machine_of: Maker) -> None:
    machine = machine_of("menu")
    _, _, line = trial_of(machine, "guest")
    conf = machine.root / "etc/zipl.conf"
    (machine.root / "boot/vmlinuz.old").write_bytes(sealed_image())
    machine.boot(line)
    refused = machine.run("confirm")
    conf.write_text(conf.read_text().replace("default = 1", "default = 2"))

    said = machine.run("confirm")

    assert "drop the trial first: secboot rollback" in refused.err
    assert said.code == 0, said.err
    assert f"(see secboot plan guest --root {machine.root})" in said.out


def test_a_second_trial_and_another_apply_are_refused(machine_of: Maker) -> None:
    machine = machine_of("rhel8")
    trial_of(machine)
    before = snapshot(machine.root)

    for words, why in (
        (("apply", "guest", "--trial"), "another trial has not ended"),
        (("apply", "guest"), "nothing else can be applied during a trial"),
    ):
        said = machine.run(*words)
        assert said.code == 1
        assert why in said.err
        assert "secboot rollback" in said.err
        elsewhere = machine.run(*words, "--state-dir", machine.root / "var")
        assert f"secboot rollback --state-dir {machine.root}/var --root" in elsewhere.err
    assert snapshot(machine.root) == before
    planned = machine.run("plan", "guest")
    assert planned.code == 0
    assert "Next: " not in planned.out


def test_a_lost_setting_is_said_and_left(machine_of: Maker) -> None:
    machine = machine_of("menu")
    trial_of(machine)
    machine.setting.write_text("2\n")

    found = document(machine, "status")
    said = machine.run("rollback")

    assert found["trial"]["state"] == "lost"
    assert "echo 3 > /sys/firmware/reipl/ccw/loadparm" in found["trial"]["findings"][0]["hint"]
    assert said.code == 0, said.err
    assert machine.chosen == "2"
    assert "Changed since, not restored" in said.out


def test_a_setting_that_somebody_else_made_is_taken_back_where_it_chooses_the_trial(
    machine_of: Maker,
) -> None:
    # A LOAD with LOADPARM from outside: the system that boots has it as its re-IPL setting.
    machine = machine_of("menu")
    _, number, line = trial_of(machine)
    machine.boot(f"{line} BOOT_IMAGE={number}")
    machine.setting.write_text(f"{number} S1\n")

    assert machine.run("confirm").code == 0
    assert machine.chosen == "S1"


def test_what_was_set_before_is_set_again(machine_of: Maker) -> None:
    machine = machine_of("menu")
    machine.setting.write_text("2\n")
    trial_of(machine)
    assert machine.chosen == "3"

    assert machine.run("rollback").code == 0
    assert machine.chosen == "2"


def test_a_zipl_that_fails_leaves_all_as_it_was(machine_of: Maker) -> None:
    machine = machine_of("menu", body='[ -n "$dry" ] || exit 1')
    before = snapshot(machine.root)

    said = machine.run("apply", "host", "--trial")

    assert said.code == 4  # nor does it run on the old files
    assert snapshot(machine.root) == before


def test_a_setting_that_cannot_be_written_puts_all_back(machine_of: Maker) -> None:
    machine = machine_of("menu")
    before = snapshot(machine.root)
    machine.script.directory.joinpath("zipl").write_text(
        f'#!/bin/sh\ncase "$*" in *--dry-run*) exit 0;; esac\nrm -f {machine.setting}\n'
    )

    said = machine.run("apply", "host", "--trial")

    assert said.code == 3, said.err
    del before["sys/firmware/reipl/ccw/loadparm"]
    assert snapshot(machine.root) == before


def test_a_rollback_of_the_confirmation_leaves_the_trial_to_be_dropped(machine_of: Maker) -> None:
    machine = machine_of("menu")
    before = snapshot(machine.root)
    _, number, line = trial_of(machine)
    machine.boot(f"{line} BOOT_IMAGE={number}")
    assert machine.run("confirm").code == 0

    first = machine.run("rollback")
    assert "is back" in first.out
    assert machine.chosen == ""
    assert machine.run("rollback").code == 0

    boots = {"proc/sys/kernel/random/boot_id", "proc/cmdline"}
    assert {k: v for k, v in snapshot(machine.root).items() if k not in boots} == {
        k: v for k, v in before.items() if k not in boots
    }
    assert "nothing to roll back" in machine.run("rollback").err


def test_a_rollback_of_the_confirmation_leaves_out_an_entry_without_a_kernel(
    machine_of: Maker,
) -> None:
    machine = machine_of("rhel8")
    _, number, line = trial_of(machine)
    machine.boot(f"{line} BOOT_IMAGE={number}")
    tried = next(entries_of(machine).glob("*secboot*"))
    kernel = next(line.split()[1] for line in tried.read_text().split("\n") if "linux " in line)
    assert machine.run("confirm").code == 0
    for each in entries_of(machine).glob("*.conf"):
        if f"{kernel}\n" in each.read_text():  # as dnf removes a kernel
            each.unlink()
    for image in (machine.root / kernel.lstrip("/"), machine.root / "boot" / kernel.lstrip("/")):
        image.unlink(missing_ok=True)

    planned = machine.run("rollback", "--dry-run")
    said = machine.run("rollback")

    assert said.code == 0, said.err
    assert f"{tried.name}" in planned.out.partition("its kernel was; not restored")[2]
    assert f"{tried.name}" in said.out.partition("(or their kernels), not restored:")[2]
    assert "is back" not in said.out
    assert not tried.exists()
    assert all("prot_virt" not in each.read_text() for each in entries_of(machine).glob("*.conf"))
    assert "nothing to roll back" in machine.run("rollback").err


def test_an_entry_that_was_removed_by_hand_is_no_trial(machine_of: Maker) -> None:
    machine = machine_of("rhel8")
    assert machine.run("apply", "guest").code == 0
    trial_of(machine)
    next((machine.root / "boot/loader/entries").glob("*secboot*")).unlink()

    assert "is over" in machine.run("confirm").err
    assert machine.run("apply", "host").code == 0
    assert machine.run("rollback").code == 0
    assert machine.run("rollback").code == 0
    assert "rollback of 1" in machine.run("history").out


REFUSED = {
    "no menu": ("alone", {}, "needs a boot menu"),
    "nothing to try": ("menu", {"etc/zipl.conf": ("quiet", "prot_virt=1")}, "nothing to try"),
    "no setting": (
        "menu",
        {"sys/firmware/reipl/reipl_type": ("ccw", "unknown")},
        "cannot select what a reboot starts",
    ),
    "another disk": (
        "menu",
        {"sys/firmware/reipl/reipl_type": ("ccw", "nss")},
        "cannot select what a reboot starts",
    ),
    "no re-IPL": (
        "menu",
        {"sys/firmware/shutdown_actions/on_reboot": ("reipl", "stop")},
        "does not re-IPL",
    ),
    "full": (
        "menu",
        {"etc/zipl.conf": ("2 = old\n", "".join(f"{n} = old\n" for n in range(2, 63)))},
        "the boot menu is full",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, machine_of: Maker) -> None:
    kind, edits, words = REFUSED[name]
    machine = machine_of(kind)
    for path, (old, new) in edits.items():
        text = (machine.root / path).read_text()
        assert old in text
        machine.write(path, text.replace(old, new))
    before = snapshot(machine.root)

    said = machine.run("apply", "host", "--trial")

    assert said.code == 1, said.out
    assert words in said.err
    assert snapshot(machine.root) == before


def test_the_highest_free_number_is_taken_where_the_next_one_is_too_high(
    machine_of: Maker,
) -> None:
    machine = machine_of("menu")
    text = (machine.root / "etc/zipl.conf").read_text()
    machine.write("etc/zipl.conf", text.replace("2 = old", "62 = old"))

    assert trial_of(machine)[1] == 61


def test_a_saved_plan_is_tried(machine_of: Maker, tmp_path: Path) -> None:
    machine = machine_of("menu")
    plan = tmp_path / "x.plan"
    assert machine.run("plan", "host", "--out", plan).code == 0

    assert machine.run("apply", plan, "--trial", "--dry-run").code == 0
    assert machine.run("apply", plan, "--trial").code == 0
    assert machine.chosen == "3"
    assert machine.run("rollback").code == 0
    machine.write("etc/zipl.conf", (machine.root / "etc/zipl.conf").read_text() + "# x\n")
    assert "changed since the plan was made" in machine.run("apply", plan, "--trial").err


@pytest.mark.parametrize("name", SAMPLE_TREES)
def test_a_tree_is_prepared_and_nothing_is_set(
    name: str, machine_of: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = machine_of(name)
    monkeypatch.setattr("secboot.cli.site.is_running_system", lambda _: False)
    before, files = installed(machine), snapshot(machine.root)

    said = machine.run("apply", "host", "--trial")

    if said.code:
        assert any(why in said.err for why in WHY_NOT), said.err
        return
    assert "A LOAD with LOADPARM" in said.out
    assert machine.chosen == ""
    after = installed(machine)
    assert list(before.items()) == [each for each in after.items() if each[0] in before]
    assert document(machine, "status")["trial"]["state"] == "prepared"
    assert "only the running system" in machine.run("confirm").err
    assert machine.run("rollback").code == 0
    assert snapshot(machine.root) == files


@pytest.mark.parametrize("kind", KINDS)
def test_words_are_tried_and_confirmed(kind: str, machine_of: Maker) -> None:
    machine = machine_of(kind)
    default = next(line for _, is_default, line in installed(machine).values() if is_default)
    assert machine.run("apply", "guest").code == 0
    said = machine.run("set", "nosmt", "quiet-", "--trial")
    assert said.code == 0, said.err
    assert "trial of set nosmt quiet-" in machine.run("history").out
    _, (number, _, line) = list(installed(machine).items())[-1]
    assert "nosmt" in (line or "").split()
    assert "quiet" not in (line or "").split()
    assert document(machine, "status")["trial"]["state"] == "waiting"
    machine.boot(f"{line} BOOT_IMAGE={number}")

    confirmed = machine.run("confirm")

    assert confirmed.code == 0, confirmed.err
    lines = [words for *_, words in installed(machine).values()]
    assert all("nosmt" in (each or "").split() for each in lines)
    assert all("quiet" not in (each or "").split() for each in lines)
    assert default not in lines
    assert machine.run("keep").out.startswith("Active profile: guest.\n")
    assert machine.run("rollback").code == 0


def test_words_that_are_tried_are_dropped(machine_of: Maker) -> None:
    machine = machine_of("menu")
    before = snapshot(machine.root)
    assert machine.run("set", "nosmt", "--trial").code == 0

    assert machine.run("keep").out.endswith("No active profile.\n")
    assert machine.run("rollback").code == 0
    assert snapshot(machine.root) == before
    said = machine.run("set", "nosmt", "--trial", "--run-kargs")
    assert said.code == 2


def entries_of(machine: Machine) -> Path:
    return machine.root / "boot/loader/entries"


def test_a_kernel_that_is_installed_moves_the_number_and_lets_the_setting_go(
    machine_of: Maker,
) -> None:
    machine = machine_of("rhel8")
    assert machine.run("apply", "guest").code == 0
    _, number, _ = trial_of(machine)
    old = min(entries_of(machine).glob("*147.el8.s390x.conf"))
    text = old.read_text().replace("4.18.0-147", "4.18.0-148")
    old.with_name(old.name.replace("147", "148")).write_text(text.replace(" swiotlb=262144", ""))
    for name in ("vmlinuz", "initramfs"):
        for file in (machine.root / "boot").glob(f"{name}-4.18.0-147.el8.s390x*"):
            file.with_name(file.name.replace("147", "148")).write_bytes(file.read_bytes())

    said = machine.run("keep")

    assert said.code == 0, said.err
    assert f"now has number {number + 1} instead of {number}" in said.out
    assert machine.chosen == ""
    # The new kernel has the active profile, not the one of the trial.
    assert "swiotlb=262144" in old.with_name(old.name.replace("147", "148")).read_text()
    assert "prot_virt" not in old.with_name(old.name.replace("147", "148")).read_text()
    assert document(machine, "status")["trial"]["state"] == "lost"
    assert machine.run("rollback").code == 0
    assert "rollback of 2" in machine.run("history").out


@pytest.mark.parametrize("edited", [False, True])
def test_a_trial_whose_kernel_is_gone_is_dropped_by_keep(machine_of: Maker, edited: bool) -> None:
    machine = machine_of("rhel8")
    _, number, _ = trial_of(machine)
    entry = next(entries_of(machine).glob("*secboot*"))
    if edited:  # as by grubby --update-kernel=ALL
        entry.write_text(re.sub("(?m)^options .*", r"\g<0> audit=1", entry.read_text()))
    kernel = next(line.split()[1] for line in entry.read_text().split("\n") if "linux " in line)
    (machine.root / kernel.lstrip("/")).unlink(missing_ok=True)
    (machine.root / "boot" / kernel.lstrip("/")).unlink(missing_ok=True)
    for each in entries_of(machine).glob("*.conf"):
        if each != entry and f"{kernel}\n" in each.read_text():
            each.unlink()
    status = document(machine, "status")
    assert any(each["code"] == "trial-kernel-gone" for each in status["notices"])
    assert machine.chosen == str(number)

    said = machine.run("keep")

    assert said.code == 0, said.err
    assert "was dropped: its kernel is gone" in said.out
    assert not entry.exists()
    assert machine.chosen == ""
    assert document(machine, "status")["trial"] is None


def test_what_a_new_kernel_has_inherited_of_a_trial_goes_with_it(machine_of: Maker) -> None:
    machine = machine_of("rhel8")
    _, number, line = trial_of(machine)
    machine.boot(f"{line} BOOT_IMAGE={number}")
    old = min(entries_of(machine).glob("*147.el8.s390x.conf"))
    new = old.with_name(old.name.replace("147", "148"))
    options = f"options {line}"
    text = old.read_text().replace("(4.18.0-147", "(4.18.0-148")
    new.write_text("\n".join(options if "options" in each else each for each in text.split("\n")))

    said = machine.run("rollback")

    assert said.code == 0, said.err
    assert "no longer inherit the change" in said.out
    assert "prot_virt" not in new.read_text()


HOSTILE = (
    ("settings.0.path", "/etc/passwd"),
    ("settings.0.path", "/proc/sys/kernel/panic"),
    ("settings.0.path", "/sys/firmware/reipl/ccw/parm"),
    ("settings.0.path", "/sys/firmware/reipl/ccw/../../../../etc/passwd"),
    ("settings.0.path", "/sys/firmware/reipl/ccw/loadparm/"),
    ("settings.0.path", None),
    ("settings.0.before", "1\nx"),
    ("settings.0.before", " 1"),
    ("settings.0.before", "=root=/dev/x"),
    ("settings.0.before", "1" * 21),
    ("settings.0.before", "3"),
    ("settings.0.before", 7),
    ("settings.0.moment", "never"),
    ("settings.0.boot", "../x"),
    ("settings", "x"),
    ("settings", [None]),
    ("audit.trial.number", 0),
    ("audit.trial.number", "3"),
    ("audit.trial.line", None),
    ("audit.confirms", "9"),
    ("audit.confirms", "x"),
)


@pytest.mark.parametrize(("field", "value"), HOSTILE)
@pytest.mark.parametrize("done", [True, False], ids=["done", "interrupted"])
def test_a_record_that_no_secboot_wrote_is_not_acted_upon(
    field: str, value: object, done: bool, machine_of: Maker
) -> None:
    machine = machine_of("menu")
    trial_of(machine)
    machine.write("etc/passwd", "3\n")
    machine.write("proc/sys/kernel/panic", "3\n")
    machine.write("sys/firmware/reipl/ccw/parm", "3\n")
    record = json.loads((machine.root / CHECKPOINT / "record.json").read_text())
    at = record
    *steps, last = field.split(".")
    for step in steps:
        at = at[int(step) if step.isdigit() else step]
    at[int(last) if last.isdigit() else last] = value
    write_record(machine.root, record)
    if not done:
        cut_journal(machine.root / CHECKPOINT, 2)
    before = snapshot(machine.root)

    said = machine.run("rollback")

    assert said.code in {1, 2}, said.out
    assert snapshot(machine.root) == before


def test_a_record_of_another_system_leaves_the_settings_of_this_one(
    machine_of: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = machine_of("menu")
    trial_of(machine)
    monkeypatch.setattr("secboot.cli.site.is_running_system", lambda _: False)

    assert machine.run("rollback").code == 0
    assert machine.chosen == "3"
    assert "secboot-trial" not in (machine.root / "etc/zipl.conf").read_text()


def test_every_document_is_as_its_schema_says(machine_of: Maker) -> None:
    machine = machine_of("rhel8")

    def check(*words: str) -> None:
        require_valid(machine.run(*words, "--output", "json"))

    check("apply", "host", "--trial", "--dry-run")
    check("apply", "host", "--trial")
    name, (number, _, line) = list(installed(machine).items())[-1]
    for words in (("status", "host"), ("status",), ("show",), ("history",), ("plan", "guest")):
        check(*words)
    check("verify", "host")
    machine.boot(f"{line} BOOT_IMAGE={number}")
    check("status", "host")
    check("confirm", "--dry-run")
    check("confirm")
    check("history")
    check("rollback")
    check("rollback")
    assert name not in installed(machine)


@pytest.mark.parametrize("lines", [1, 2])
@pytest.mark.parametrize("verb", ["trial", "confirm"])
def test_what_was_cut_short_is_rolled_back_with_its_setting(
    verb: str, lines: int, machine_of: Maker
) -> None:
    machine = machine_of("menu")
    files = machine.root / "etc/zipl.conf"
    before = files.read_bytes()
    _, number, line = trial_of(machine)
    if verb == "confirm":
        before = files.read_bytes()
        machine.boot(f"{line} BOOT_IMAGE={number}")
        assert machine.run("confirm").code == 0
    cut_journal(machine.root / CHECKPOINT.replace("/1", "/1" if verb == "trial" else "/2"), lines)
    assert "unfinished" in machine.run("status").out

    said = machine.run("rollback")

    assert said.code == 0, said.err
    assert "was interrupted and has been rolled back" in said.out
    assert files.read_bytes() == before
    assert machine.chosen == ("" if verb == "trial" else "3")


def test_after_a_loss_of_power_what_confirm_took_away_is_not_set_again(machine_of: Maker) -> None:
    machine = machine_of("menu")
    _, number, line = trial_of(machine)
    machine.boot(f"{line} BOOT_IMAGE={number}")
    assert machine.run("confirm").code == 0
    cut_journal(machine.root / CHECKPOINT.replace("/1", "/2"), 2)
    # A LOAD from outside: the default, and no LOADPARM.
    machine.boot("root=/dev/dasda1 quiet BOOT_IMAGE=1")

    assert machine.run("rollback").code == 0

    assert machine.chosen == ""
    assert document(machine, "status")["trial"]["state"] == "failed"


def test_whoever_may_not_read_the_checkpoints_is_told(
    machine_of: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = machine_of("menu")
    trial_of(machine)
    monkeypatch.setattr("secboot.cli.site.Site.trial_checkpoint", lambda _: None)
    monkeypatch.setattr("secboot.cli.site.is_root", lambda: False)

    assert "run this command as root to see its state" in machine.run("status").out


def test_zipl_s_refusal_of_the_trial_says_how_to_drop_it(machine_of: Maker) -> None:
    machine = machine_of("rhel8")
    trial_of(machine)
    entry = next(entries_of(machine).glob("*secboot*"))
    entry.write_text(entry.read_text().replace("linux /", "linux /gone/"))

    said = machine.run("plan", "guest")

    assert said.code == 2
    assert "it is the boot entry of a trial; to drop it: secboot rollback" in said.err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ostree-deployment-root", "ostree writes the boot entries"),
        ("rhcos-sealed", "ostree writes the boot entries"),
        ("suse-healthy", "after zipl's"),
        ("suse-sealed", "after zipl's"),
        ("sealed-only", "Secure Execution image"),
        ("no-configuration", "no zipl configuration"),
        ("append-keyword", "zipl would refuse"),
    ],
)
def test_refused_in_a_situation(
    name: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_situation(name, tmp_path / "root")
    before = snapshot(root)

    said = secboot(capsys, "apply", "guest", "--trial", "--root", root)

    assert said.code in {1, 2}, said.out
    assert words in said.err
    assert snapshot(root) == before


def sections(count: int) -> str:
    return "".join(
        f'[s{number}]\nimage=/boot/vmlinuz\nparameters="root=/dev/dasda1"\n'
        for number in range(1, count + 1)
    )


@pytest.mark.parametrize(
    ("reipl", "count", "fits"),
    [("ccw", 61, True), ("ccw", 62, False), ("fcp", 29, True), ("fcp", 30, False)],
)
def test_the_places_of_an_automatic_menu(
    reipl: str, count: int, fits: bool, machine_of: Maker
) -> None:
    machine = machine_of("automatic", reipl)
    machine.write("etc/zipl.conf", f"[defaultboot]\ndefaultauto\ntarget=/boot\n{sections(count)}")
    before = snapshot(machine.root)

    said = machine.run("apply", "host", "--trial")

    assert said.code == (0 if fits else 1), said.err
    if fits:
        assert machine.chosen == str(count + 1)
    else:
        assert "the boot menu is full" in said.err
        assert snapshot(machine.root) == before


def test_a_text_that_takes_the_place_of_the_line_is_taken_away_first(machine_of: Maker) -> None:
    machine = machine_of("menu")
    machine.write("sys/firmware/reipl/ccw/parm", "=root=/dev/x\n")
    assert "starts with '='" in machine.run("apply", "host", "--trial").err

    machine.write("sys/firmware/reipl/ccw/parm", "debug\n")
    _, number, line = trial_of(machine)
    machine.boot(f"{line} BOOT_IMAGE={number} debug")
    machine.write("sys/firmware/ipl/parm", "debug\n")

    assert document(machine, "status")["trial"]["state"] == "running"
    assert machine.run("confirm").code == 0
