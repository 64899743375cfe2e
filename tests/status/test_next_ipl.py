"""Machines whose boot record differs from their files: what the next IPL starts, and the verdicts."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.command import Said, secboot
from tests.situations import SITUATIONS, make_situation
from tests.trees import hide_boot_record

Fail = set[str]
"""What fails: the id of a check, and after a blank the kernel release of its entry."""


def checks(said: Said, outcome: str = "FAIL") -> Fail:
    """The checks with this outcome; an entry is identified by the part of its title in parentheses."""
    found = json.loads(said.out)["checks"]
    return {
        f"{check['id']} {check['subject'].partition('(')[2].partition(')')[0]}".rstrip()
        for check in found
        if check["outcome"] == outcome
    }


@pytest.fixture
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return make_situation(request.param, tmp_path / "root")


def verify(capsys: pytest.CaptureFixture[str], root: Path, profile: str = "guest") -> Said:
    words = ("--stage", "installed", "--output", "json")
    return secboot(capsys, "verify", profile, "--root", root, *words)


def plan(capsys: pytest.CaptureFixture[str], root: Path, profile: str = "guest") -> Said:
    return secboot(
        capsys, "plan", profile, "--root", root, "--detailed-exitcode", "--output", "json"
    )


def choices(capsys: pytest.CaptureFixture[str], root: Path) -> list[dict[str, object]]:
    found = json.loads(secboot(capsys, "show", "--root", root, "--output", "json").out)["choices"]
    assert isinstance(found, list)
    return found


NEW = "5.14.0-503.11.1.el9_5.s390x"


@pytest.mark.parametrize(
    ("root", "failed"),
    [
        (
            "kernel-replaced-not-zipled",
            {f"installed.swiotlb {NEW}", "machine.record-boots-other", "machine.record-default"},
        ),
        (
            "kernel-replaced-new-lacks",
            {
                f"configured.swiotlb {NEW}",
                f"installed.swiotlb {NEW}",
                "machine.record-boots-other",
                "machine.record-default",
            },
        ),
        ("new-entry-not-in-record", {f"installed.swiotlb {NEW}", "machine.record-default"}),
    ],
    indirect=["root"],
)
def test_what_the_record_lacks_is_not_installed(
    root: Path, failed: Fail, capsys: pytest.CaptureFixture[str]
) -> None:
    said = verify(capsys, root)

    assert (said.code, checks(said)) == (5, failed)
    planned = plan(capsys, root)
    assert planned.code == 5
    assert [command["argv"] for command in json.loads(planned.out)["commands"]] == [["zipl"]]


@pytest.mark.parametrize("root", ["new-entry-not-in-record"], indirect=True)
def test_entries_with_the_same_line_and_sizes_are_unknown(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All four have the same line; if the kernels have the same size, it is unknown which one is missing."""
    for what, old in (("vmlinuz", "5.14.0-427.13.1.el9_4.s390x"),) * 1:
        _copy(root / f"boot/{what}-{old}", root / f"boot/{what}-{NEW}")
    _copy(
        root / "boot/initramfs-5.14.0-427.13.1.el9_4.s390x.img", root / f"boot/initramfs-{NEW}.img"
    )

    said = verify(capsys, root)

    assert (said.code, checks(said)) == (5, {"machine.record-lacks-entry"})
    assert len({c for c in checks(said, "WARN") if c.startswith("installed")}) == 4


@pytest.mark.parametrize("root", ["new-entry-not-in-record"], indirect=True)
def test_of_those_alike_the_younger_one_is_missing(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (f"vmlinuz-{NEW}", f"initramfs-{NEW}.img"):
        file = root / "boot" / name
        _copy(root / "boot" / name.replace(NEW, "5.14.0-427.13.1.el9_4.s390x"), file)
        os.utime(file, (1_800_000_000, 1_800_000_000))

    assert checks(verify(capsys, root)) == {f"installed.swiotlb {NEW}", "machine.record-default"}


RECORD = "/boot/bootmap"


@pytest.mark.parametrize("root", ["new-entry-not-in-record"], indirect=True)
def test_a_removed_kernel_is_still_booted(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = "5.14.0-362.8.1.el9_3.s390x"
    for path in root.rglob(f"*{gone}*"):
        path.unlink()
    _copy(root / "boot/vmlinuz-5.14.0-427.13.1.el9_4.s390x", root / f"boot/vmlinuz-{NEW}", b"more")

    said = verify(capsys, root)

    assert checks(said) == {
        *(f"installed.swiotlb {NEW}", "machine.record-boots-other", "machine.record-default")
    }
    # Its kernel and its ramdisk have the same sizes as the others: each number can be it.
    assert f"no entry for one of the numbers 1, 2, 3 of {RECORD}; what it" in said.out
    found = choices(capsys, root)
    assert ["or one that the boot files do not have" in str(c["unsure"]) for c in found] == [
        True
    ] * 3


def _copy(source: Path, target: Path, more: bytes = b"") -> None:
    target.write_bytes(source.read_bytes() + more)
    shutil.copystat(source, target)


@pytest.mark.parametrize("what", ["missing", "empty", "damaged", "cut off", "directory"])
@pytest.mark.parametrize("root", ["rhel-nvr-order"], indirect=True)
def test_without_a_whole_record_zipl_is_due_until_it_has_run(
    root: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    secboot(capsys, "apply", "host", "--root", root)
    _spoil(root / "boot/bootmap", what)

    for _ in range(2):
        planned = plan(capsys, root, "host")
        assert (planned.code, json.loads(planned.out)["files"]) == (5, [])
        applied = secboot(capsys, "apply", "host", "--root", root)
        assert applied.code == 0
        assert "Boot record not updated" in applied.out + applied.err
    said = verify(capsys, root, "host")
    assert said.code == 5
    assert {name.partition(" ")[0] for name in checks(said)} == {"installed.prot_virt"}
    assert "has not run since" not in said.out
    shown = secboot(capsys, "show", "--root", root).out
    unread = "What the next IPL can start\n  unknown: /boot/bootmap" in shown
    assert unread is (what != "missing")
    # An image build ends before zipl has run: that is not its fault.
    assert secboot(capsys, "verify", "host", "--root", root).code == 0


def _spoil(record: Path, what: str) -> None:
    whole = record.read_bytes()
    record.unlink()
    if what == "directory":
        record.mkdir()
    elif what != "missing":
        content = {"empty": b"", "damaged": b"zIPL" * 1000, "cut off": whole[:5000]}[what]
        record.write_bytes(content)


@pytest.mark.parametrize("root", ["rhel-nvr-order"], indirect=True)
def test_a_record_that_may_not_be_read_is_unknown(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secboot(capsys, "apply", "host", "--root", root)
    hide_boot_record(root)

    said = verify(capsys, root, "host")

    assert (said.code, checks(said)) == (0, set())
    assert plan(capsys, root, "host").code == 0


@pytest.mark.parametrize("root", ["rhel-nvr-order"], indirect=True)
def test_a_record_at_a_dangling_link_is_unknown(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even its time can be read, so nothing is reported about its probable content."""
    secboot(capsys, "apply", "host", "--root", root)
    (root / "boot/bootmap").unlink()
    (root / "boot/bootmap").symlink_to("bootmap")

    said = verify(capsys, root, "host")

    assert f"installed.prot_virt {UPDATE}" in checks(said, "WARN")
    assert "/boot/bootmap: too many symbolic links" in said.out
    assert "probably" not in said.out
    assert "run it as root" not in said.out


@pytest.mark.parametrize("root", ["record-from-options-osbuild"], indirect=True)
def test_a_record_with_an_entry_s_line_and_no_menu_is_right(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = verify(capsys, root)

    assert (said.code, checks(said), checks(said, "WARN")) == (0, set(), set())
    assert plan(capsys, root).code == 0
    (choice,) = choices(capsys, root)
    assert (choice["default"], choice["loadparm"], choice["added"]) == (True, None, "")


@pytest.mark.parametrize("root", ["record-from-options-osbuild"], indirect=True)
def test_the_next_kernel_is_not_in_a_record_of_the_last_one(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first kernel update in such an image, without a run of zipl."""
    old = "5.14.0-427.13.1.el9_4.s390x"
    (entry,) = root.glob("boot/loader/entries/*.conf")
    new = entry.with_name(entry.name.replace(old, NEW))
    new.write_text(entry.read_text().replace(old, NEW))
    for name in ("vmlinuz-{}", "initramfs-{}.img"):
        file = root / "boot" / name.format(NEW)
        _copy(root / "boot" / name.format(old), file, b"more")

    said = verify(capsys, root)

    assert (said.code, checks(said)) == (
        5,
        {f"installed.swiotlb {NEW}", "machine.record-default"},
    )
    assert plan(capsys, root).code == 5


@pytest.mark.parametrize("root", ["record-from-options-coreos"], indirect=True)
def test_words_that_only_the_record_has_are_shown(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = verify(capsys, root, "host")

    assert (said.code, checks(said)) == (0, set())
    (choice,) = choices(capsys, root)
    assert choice["added"] == "ignition.firstboot"
    for words in (("status", "host"), ("show",), ("plan", "host")):
        shown = secboot(capsys, *words, "--root", root)
        assert "run: zipl" not in shown.out + shown.err
        assert "Then run" not in shown.out


@pytest.mark.parametrize("root", ["record-from-options-osbuild"], indirect=True)
def test_what_a_run_of_zipl_removes_is_reported_before(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = next(root.glob("boot/loader/entries/*.conf"))
    entry.write_text(entry.read_text().replace(" swiotlb=262144", ""))
    os.utime(entry, (1_700_000_000, 1_700_000_000))

    warnings = json.loads(plan(capsys, root).out)["warnings"]

    assert "record-loses-words" in {warning["code"] for warning in warnings}
    assert checks(verify(capsys, root)) == {"configured.swiotlb 5.14.0-427.13.1.el9_4.s390x"}


@pytest.mark.parametrize("root", ["record-from-options-osbuild"], indirect=True)
def test_a_word_that_the_record_alone_has_can_spoil_it(
    root: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The entry's file meets the profile: only another run of zipl makes the boot record meet it, too."""
    entry = next(root.glob("boot/loader/entries/*.conf"))
    entry.write_text(entry.read_text().replace(" net.ifnames=0 swiotlb=262144", ""))
    os.utime(entry, (1_700_000_000, 1_700_000_000))
    profile = tmp_path / "p.yaml"
    profile.write_text("version: 1\nrole: guest\nparameters: {net.ifnames: {absent: true}}\n")

    said = verify(capsys, root, str(profile))

    failed = {name for name in checks(said) if name.startswith("installed")}
    assert failed == {"installed.net.ifnames 5.14.0-427.13.1.el9_4.s390x"}
    commands = json.loads(plan(capsys, root, str(profile)).out)["commands"]
    assert [command["argv"] for command in commands] == [["zipl"]]


@pytest.mark.parametrize("root", ["no-configuration"], indirect=True)
def test_a_record_without_configuration_is_judged_alone(
    root: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    met = tmp_path / "p.yaml"
    met.write_text("version: 1\nrole: guest\nparameters: {selinux: 0}\n")

    assert checks(verify(capsys, root)) == {"installed.swiotlb"}
    assert verify(capsys, root, str(met)).code == 0
    (choice,) = choices(capsys, root)
    assert (choice["default"], choice["orphaned"]) == (True, False)
    for verb in ("plan", "apply"):
        refused = secboot(capsys, verb, "guest", "--root", root)
        assert refused.code == 1
        assert "no zipl configuration found" in refused.err


def _grow(file: Path, modified: int = 1_700_000_000) -> None:
    file.write_bytes(file.read_bytes() + b"more")
    os.utime(file, (modified, modified))


GA, UPDATE = "4.18.0-553.el8_10.s390x", "4.18.0-553.22.1.el8_10.s390x"


@pytest.mark.parametrize("modified", [1_700_000_000, 1_800_000_000], ids=["old", "young"])
@pytest.mark.parametrize("root", ["rhel-nvr-order"], indirect=True)
def test_a_ramdisk_that_was_made_again_is_missing_in_the_record(
    root: Path, modified: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after `dracut -f`: the kernel is that of the entry, so it is named."""
    ramdisk = f"/boot/initramfs-{UPDATE}.img"
    _grow(root / ramdisk.lstrip("/"), modified)

    said = verify(capsys, root, "host")

    failed = {name for name in checks(said) if not name.startswith("configured")}
    assert f"installed.prot_virt {UPDATE}" in failed
    assert "machine.record-boots-other" in failed
    assert "machine.record-default" not in failed
    assert f"with a different ramdisk than {ramdisk}" in said.out
    assert "a kernel that no boot entry has" not in said.out
    found = choices(capsys, root)
    assert [UPDATE in str(choice["title"]) for choice in found] == [True, False, False]
    assert [choice["unsure"] for choice in found] == [
        *(f"with a different ramdisk than {ramdisk}", None, None)
    ]


@pytest.mark.parametrize("root", ["rhel-nvr-order"], indirect=True)
def test_a_new_entry_is_not_taken_for_the_one_whose_number_it_took(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Number 1 is the new kernel in the files, but the previous one in the boot record."""
    new = UPDATE.replace("553.22.1", "553.30.1")
    (entry,) = root.glob(f"boot/loader/entries/*-{UPDATE}.conf")
    entry.with_name(entry.name.replace(UPDATE, new)).write_text(
        entry.read_text().replace(UPDATE, new)
    )
    for name in (f"boot/vmlinuz-{UPDATE}", f"boot/initramfs-{UPDATE}.img"):
        _copy(root / name, root / name.replace(UPDATE, new), b"a newer build")
    _grow(root / f"boot/initramfs-{UPDATE}.img")

    said = verify(capsys, root, "host")

    assert f"with a different ramdisk than /boot/initramfs-{UPDATE}.img" in said.out
    assert "with a different kernel" not in said.out
    failed = {name for name in checks(said) if not name.startswith("configured")}
    assert failed >= {f"installed.prot_virt {new}", f"installed.prot_virt {UPDATE}"}
    assert "machine.record-boots-other" in failed


@pytest.mark.parametrize("root", ["record-from-options-osbuild"], indirect=True)
def test_a_record_made_from_options_can_have_another_ramdisk(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (ramdisk,) = root.glob("boot/initramfs-*.img")
    _grow(ramdisk)

    said = verify(capsys, root)

    assert checks(said) == {
        *("installed.swiotlb 5.14.0-427.13.1.el9_4.s390x", "machine.record-boots-other")
    }
    assert f"with a different ramdisk than /boot/{ramdisk.name}" in said.out
    assert plan(capsys, root).code == 5


@pytest.mark.parametrize("root", ["record-from-options-osbuild"], indirect=True)
def test_a_record_made_from_options_can_be_older_than_the_files_it_boots(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after `dracut -f` with a ramdisk of the same size: its time is all that differs."""
    (ramdisk,) = root.glob("boot/initramfs-*.img")
    os.utime(ramdisk, (1_800_000_000, 1_800_000_000))

    said = verify(capsys, root)

    assert checks(said, "WARN") == {"machine.boot-record-stale"}
    assert f"was written before /boot/{ramdisk.name} was replaced" in said.out
    assert plan(capsys, root).code == 5


@pytest.mark.parametrize("root", ["record-from-options-coreos"], indirect=True)
def test_words_that_only_the_record_has_can_stand_anywhere(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = next(root.glob("boot/loader/entries/*.conf"))
    words = "ignition.platform.id=metal zfcp.allow_lun_scan=0"
    entry.write_text(entry.read_text().replace(f"{words} ", "", 1))
    os.utime(entry, (1_700_000_000, 1_700_000_000))

    said = verify(capsys, root, "host")

    assert (said.code, checks(said), checks(said, "WARN")) == (0, set(), set())
    (choice,) = choices(capsys, root)
    assert choice["added"] == f"{words} ignition.firstboot"


@pytest.mark.parametrize("root", ["rhel-nvr-order"], indirect=True)
def test_a_record_is_not_up_to_date_if_there_are_no_files_to_compare(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for entry in root.glob("boot/loader/entries/*.conf"):
        entry.unlink()

    shown = secboot(capsys, "show", "--root", root).out

    assert "/boot/bootmap, 3 boot entries, no boot entry to compare with" in shown
    assert checks(verify(capsys, root, "host")) >= {"machine.record-boots-other"}


@pytest.mark.parametrize("root", ["rhel-nvr-order"], indirect=True)
def test_the_record_of_another_machine_is_not_taken_for_one_of_this(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = SITUATIONS / "kernel-replaced-not-zipled" / "boot/bootmap"
    shutil.copyfile(other, root / "boot/bootmap")
    os.utime(root / "boot/bootmap", (1_700_000_100, 1_700_000_100))

    said = verify(capsys, root, "host")

    assert said.code == 5
    assert {name for name in checks(said) if not name.startswith("configured")} >= {
        *(f"installed.prot_virt {UPDATE}", f"installed.prot_virt {GA}"),
        "machine.record-boots-other",
    }
    assert [choice["title"] for choice in choices(capsys, root)] == ["", "", ""]
    assert plan(capsys, root, "host").code == 5


@pytest.mark.parametrize("root", ["rhel-nvr-order"], indirect=True)
def test_a_record_outside_of_the_tree_does_not_belong_to_it(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The link leads to a good boot record, about which nothing may be said here."""
    secboot(capsys, "apply", "host", "--root", root)
    record, outside = root / "boot/bootmap", root.parent / "bootmap"
    record.rename(outside)
    for says in (outside, Path("../..", outside.name)):
        record.symlink_to(says)

        said = verify(capsys, root, "host")

        assert said.code == 5
        assert f"installed.prot_virt {UPDATE}" in checks(said)
        assert choices(capsys, root) == []
        record.unlink()
