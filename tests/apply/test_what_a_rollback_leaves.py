"""A rollback is judged by the files it leaves, if kernels were added and removed since the apply."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from secboot.checkpoint.record import Record
from tests.command import Said, secboot
from tests.situations import make_situation
from tests.trees import snapshot

ENTRIES = "boot/loader/entries"
OLD = "5.14.0-362.8.1.el9_3.s390x"
CURRENT = "5.14.0-427.13.1.el9_4.s390x"
NEW = "5.14.0-500.1.1.el9_4.s390x"
CMDLINE = "etc/kernel/cmdline"
RHEL7 = "3.10.0-514.el7.s390x"
RHEL7_NEW = "3.10.0-1160.el7.s390x"


class Machine:
    """The sample machine, or another tree, and the actions on it."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.capsys = capsys

    def run(self, *words: str, code: int = 0) -> Said:
        said = secboot(self.capsys, *words, "--root", self.root)
        assert said.code == code, said.out + said.err
        return said

    def entry(self, release: str) -> Path:
        (found,) = (self.root / ENTRIES).glob(f"*-{release}.conf")
        return found

    def remove_kernel(self, release: str) -> None:
        """Remove a kernel as ``dnf remove`` does."""
        self.entry(release).unlink()
        for path in (self.root / "boot").glob(f"*-{release}*"):
            path.unlink()

    def install_kernel(self) -> Path:
        """Install a kernel as kernel-install does, with the line of /etc/kernel/cmdline."""
        for path in (self.root / "boot").glob(f"*-{CURRENT}*"):
            shutil.copy(path, path.with_name(path.name.replace(CURRENT, NEW)))
        model = self.entry(CURRENT)
        made = model.with_name(model.name.replace(CURRENT, NEW))
        line = (self.root / CMDLINE).read_text().strip()
        lines = model.read_text().replace(CURRENT, NEW).splitlines()
        made.write_text(
            "".join(
                f"options {line}\n" if each.startswith("options") else f"{each}\n" for each in lines
            )
        )
        return made

    def files(self) -> Mapping[str, object]:
        return snapshot(self.root)


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    root = tmp_path / "m"
    assert secboot(capsys, "demo", root).code == 0
    return Machine(root, capsys)


@pytest.fixture
def rhel7(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    return Machine(make_situation("rhel7-rescue-sections", tmp_path / "m"), capsys)


@pytest.mark.parametrize("options", [(), ("--force",), ("--keep",)])
def test_the_entry_of_a_kernel_that_was_removed_stays_away(
    machine: Machine, options: tuple[str, ...]
) -> None:
    before = machine.files()
    machine.run("apply", "guest")
    machine.remove_kernel(OLD)

    said = machine.run("rollback", *options)

    assert machine.files() == {p: c for p, c in before.items() if OLD not in str(p)}
    assert "Rolled back checkpoint 1: " in said.out
    assert f"Removed since (or their kernels), not restored:\n  /{ENTRIES}/" in said.out
    machine.run("check")
    assert "2   " in machine.run("history").out


def test_an_entry_that_inherited_the_change_is_taken_along(machine: Machine) -> None:
    cmdline = (machine.root / CMDLINE).read_text()
    machine.run("apply", "host")
    made = machine.install_kernel()
    assert "prot_virt=1" in made.read_text()

    said = machine.run("rollback")

    assert f"options {cmdline}" in made.read_text()
    assert "Restored the state before checkpoint 1." in said.out
    assert f"which no longer inherit the change:\n  /{ENTRIES}/{made.name}" in said.out
    title = f"Red Hat Enterprise Linux ({NEW}) 9.4 (Plow)"
    assert said.out.endswith(
        f"an IPL starts this entry by default, without prot_virt:\n  {title}\n"
    )
    machine.run("rollback", "2")
    assert "prot_virt=1" in made.read_text()


def test_an_entry_that_inherited_the_change_can_be_left(machine: Machine) -> None:
    machine.run("apply", "host")
    made = machine.install_kernel()
    text = made.read_text()

    said = machine.run("rollback", "--leave-new")

    assert made.read_text() == text
    assert "Rolled back checkpoint 1: " in said.out
    assert f"which keep the change:\n  /{ENTRIES}/{made.name}" in said.out
    assert "by default, still with prot_virt=1:\n" in said.out


def test_the_document_says_the_same(machine: Machine) -> None:
    machine.run("apply", "host")
    made = machine.install_kernel()
    machine.remove_kernel(OLD)

    document = json.loads(machine.run("rollback", "--output", "json").out)

    assert document["taken_along"] == [f"/{ENTRIES}/{made.name}"]
    assert [OLD in path for path in document["gone"]] == [True]
    assert document["next_default"]["parameters"] == ["without prot_virt"]
    assert document["next_default"]["inherited"] == []


def test_words_that_others_gave_a_new_entry_stay(machine: Machine) -> None:
    machine.run("apply", "guest")
    made = machine.install_kernel()
    own = made.read_text().replace("swiotlb=262144", "swiotlb=524288 quiet")
    made.write_text(own)

    said = machine.run("rollback")

    assert made.read_text() == own
    assert "by default, with swiotlb=524288:\n" in said.out


def test_what_met_the_profile_before_the_apply_is_not_touched(machine: Machine) -> None:
    entry = machine.entry(CURRENT)
    entry.write_text(entry.read_text().replace("crashkernel=192M", "crashkernel=192M prot_virt=1"))
    before = machine.files()
    machine.run("apply", "host")

    said = machine.run("rollback")

    assert machine.files() == before
    assert "by default, still with prot_virt=1:\n" in said.out


@pytest.mark.parametrize("later", [True, False])
def test_for_a_checkpoint_of_the_first_version_the_time_of_an_entry_tells(
    machine: Machine, later: bool
) -> None:
    machine.run("apply", "host")
    place = machine.root / "var/lib/secboot/checkpoints/1/record.json"
    record = Record.from_json(place.read_bytes(), "1")
    place.write_bytes(record._replace(audit=record.audit._replace(left_alone=None)).to_json())
    made = machine.install_kernel()
    if not later:
        os.utime(made, (1_700_000_000, 1_700_000_000))

    machine.run("rollback")

    assert ("prot_virt=1" in made.read_text()) is not later


def test_a_file_that_was_edited_is_not_overwritten_unasked(machine: Machine) -> None:
    machine.run("apply", "host")
    entry = machine.entry(OLD)
    entry.write_text(entry.read_text().replace("crashkernel=192M", "crashkernel=256M"))
    edited = machine.files()
    # What is undone itself is not in the way.
    machine.run("set", "audit=1")
    machine.run("rollback")

    said = machine.run("rollback", code=1)

    assert machine.files() == edited
    root = machine.root
    for option in ("--keep", "--force"):
        assert f"secboot rollback 1 {option} --root {root}" in said.err
    kept = machine.run("rollback", "--keep")
    assert "Changed since, not restored:" in kept.out
    assert "crashkernel=256M swiotlb=512M prot_virt=1" in entry.read_text()
    assert "prot_virt" not in machine.entry(CURRENT).read_text()


def test_what_zipl_would_refuse_is_refused(rhel7: Machine) -> None:
    """The section of a kernel that was removed with its files is not restored."""
    conf = rhel7.root / "etc/zipl.conf"
    rhel7.run("apply", "host")
    text = conf.read_text()
    section = text[text.index("[linux-0-rescue-00112233") :]
    conf.write_text(text.replace(section, "# a comment\n"))
    for path in (rhel7.root / "boot").glob("*-0-rescue-00112233*"):
        path.unlink()
    removed = rhel7.files()

    said = rhel7.run("rollback", "--force", code=1)

    assert rhel7.files() == removed
    assert "zipl would refuse the boot files as this rollback leaves them" in said.err
    assert "Could not read image file '/boot/vmlinuz-0-rescue-00112233" in said.err
    assert said.err.endswith("\nNothing was changed.\n")
    assert f"secboot check --root {rhel7.root}" in said.err


def test_sections_that_came_and_went_are_no_hindrance(rhel7: Machine) -> None:
    """Add a section as new-kernel-pkg does: a copy of the default, which becomes the default."""
    conf = rhel7.root / "etc/zipl.conf"
    before = conf.read_text()
    rhel7.run("apply", "host")
    text = conf.read_text()
    start, end = text.index(f"[{RHEL7}]"), text.index("[linux-0-rescue-fedcba")
    for path in (rhel7.root / "boot").glob(f"*-{RHEL7}*"):
        shutil.copy(path, path.with_name(path.name.replace(RHEL7, RHEL7_NEW)))
    added = text[start:end].replace(RHEL7, RHEL7_NEW)
    assert "prot_virt=1" in added
    gone = text[text.index("[linux-0-rescue-0011") :]
    default = text.replace(f"default={RHEL7}", f"default={RHEL7_NEW}").replace(gone, "")
    conf.write_text(default.replace(f"[{RHEL7}]", f"{added}[{RHEL7}]"))

    said = rhel7.run("rollback")

    expected = before.replace(f"default={RHEL7}", f"default={RHEL7_NEW}")
    expected = expected[: expected.index("[linux-0-rescue-0011")]
    old = before[before.index(f"[{RHEL7}]") : before.index("[linux-0-rescue-fedcba")]
    new = old.replace(RHEL7, RHEL7_NEW)
    assert conf.read_text() == expected.replace(f"[{RHEL7}]", f"{new}[{RHEL7}]")
    assert f"by default, without prot_virt:\n  {RHEL7_NEW}\n" in said.out


def test_force_brings_back_what_zipl_needs(rhel7: Machine) -> None:
    before = rhel7.files()
    rhel7.run("apply", "host")
    (rhel7.root / "etc/zipl.conf").unlink()

    assert rhel7.run("rollback", code=1).err
    rhel7.run("rollback", "--force")

    assert rhel7.files() == before
