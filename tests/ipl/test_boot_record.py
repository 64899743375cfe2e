"""Where the boot record is, and how it differs from what zipl would write now."""

from __future__ import annotations

from pathlib import Path

import pytest

from secboot.ipl.boot_record import RecordState, compare
from secboot.ipl.next_ipl import findings, next_ipl
from secboot.machine.discovery import discover
from secboot.machine.installed_zipl import boot_targets
from secboot.system.root import Root
from tests.status.scenes import make_scene


@pytest.mark.parametrize("setup", ["section", "menu", "bls"])
@pytest.mark.parametrize("recorded", ["2.16.0-scsi-4096", "2.40.0-eckd-cdl-4096"])
def test_a_record_of_these_files_is_current(tmp_path: Path, setup: str, recorded: str) -> None:
    record = compare(make_scene(tmp_path, setup, recorded).machine())

    assert record.bootmap is not None
    assert (record.stale, record.differences, record.unreadable) == (None, (), None)


@pytest.mark.parametrize(
    ("setup", "old", "new", "difference"),
    [
        ("section", "default=linux", "defaultauto\ntarget=/boot", "is not a menu of boot entries"),
        ("menu", "quiet rd.zfcp", "loud rd.zfcp", "has a different parameter line for 'second'"),
        ("menu", "default=3", "default=7", "does not have 'first' as the default"),
        (
            "menu",
            *("12=silent\n", ""),
            "contains 'silent', which is now neither the default nor in the menu",
        ),
        ("menu", "7=first", "8=first", "has 'first' as number 7, not 8"),
        ("menu", "defaultmenu=menu", "default=second", "is a menu of boot entries"),
        (
            "menu",
            "ramdisk=/boot/initrd\nparameters=",
            "parameters=",
            "boots 'first' with a ramdisk",
        ),
    ],
)
def test_every_difference_is_named(
    tmp_path: Path, setup: str, old: str, new: str, difference: str
) -> None:
    scene = make_scene(tmp_path, setup)
    scene.replace("etc/zipl.conf", old, new)

    record = compare(scene.machine())

    assert record.differences[0] == difference
    assert record.stale is not None
    assert record.stale.startswith(f"/boot/bootmap {difference}")


@pytest.mark.parametrize(("gone", "what"), [("boot/vmlinuz", "kernel"), ("boot/initrd", "ramdisk")])
def test_a_file_that_is_gone_is_not_what_an_ipl_finds(tmp_path: Path, gone: str, what: str) -> None:
    """The record points to blocks that may now belong to something else."""
    scene = make_scene(tmp_path, "section")
    (tmp_path / gone).unlink()

    record = compare(scene.machine())

    assert record.differences[0] == f"boots 'linux' with a {what} that no longer exists, /{gone}"
    assert [entry.name for entry in record.lacking] == ["linux"]


def test_a_record_of_a_zipl_before_2_18_does_not_replace_variables(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "menu", "2.16.0-scsi-4096")
    scene.write("usr/sbin/zipl", b"\x7fELF\0" + b"2.40.0-build-20250806" + b"\0")
    (tmp_path / "usr/sbin/zipl").chmod(0o755)

    record = compare(scene.machine())

    assert record.differences == (
        "does not replace ${CONSOLE}: it was written by a zipl before 2.18",
    )


def test_a_younger_file_alone_does_not_make_a_record_stale(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "section")
    scene.replace("etc/zipl.conf", "[defaultboot]", "# a comment\n[defaultboot]")

    record = compare(scene.machine())

    assert record.younger_files == ("/etc/zipl.conf",)
    assert record.stale is None


def test_the_record_of_a_menu_is_in_the_menu_s_own_target(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "menu", recorded=None)
    scene.replace("etc/zipl.conf", ":menu\ntarget=/boot", ":menu\ntarget=/boot/menu")
    with Root(tmp_path) as root:
        targets = boot_targets(discover(root).configuration)

    assert targets == ("/boot/menu", "/boot")


def test_without_a_bootmap_zipl_is_due(tmp_path: Path) -> None:
    record = compare(make_scene(tmp_path, "section", recorded=None).machine())

    assert (record.path, record.state) == ("/boot/bootmap", RecordState.MISSING)
    assert record.stale == "/boot/bootmap not found: zipl has not run yet, or it was removed"


def test_an_entry_that_got_the_line_of_another_differs_from_a_new_one(tmp_path: Path) -> None:
    """Both boot the same kernel: number 7 has that line, so number 12 was edited."""
    scene = make_scene(tmp_path, "menu")
    line = '"root=/dev/vda1 prot_virt=1 console=${CONSOLE}"'
    scene.replace("etc/zipl.conf", "[silent]\n", f"[silent]\nparameters={line}\n")

    record = compare(scene.machine())

    assert record.differences == ("has a different parameter line for 'silent'",)
    assert (record.lacking, record.indistinct) == ((), ())
    names = {m.number: m.entry and m.entry.name for m in record.matches}
    assert names == {3: "second", 7: "first", 12: "silent"}


def test_a_record_of_a_former_default_is_known(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "section")
    text = (tmp_path / "etc/zipl.conf").read_text()
    section = text[text.index("[linux]") :]
    other = section.replace("[linux]", "[other]").replace("mark=section", "mark=other")
    scene.write("etc/zipl.conf", text.replace("default=linux", "default=other") + other)
    scene.write("boot/vmlinuz-2", (tmp_path / "boot/vmlinuz").read_bytes() + b"another build")
    conf = tmp_path / "etc/zipl.conf"
    conf.write_text(conf.read_text()[::-1].replace("zunilmv", "2-zunilmv", 1)[::-1])

    record = compare(scene.machine())

    assert [m.entry and m.entry.name for m in record.matches] == ["linux"]
    assert record.differences == (
        "does not contain 'other'",
        "contains 'linux', which is now neither the default nor in the menu",
    )


def test_an_entry_with_two_numbers_is_one_default(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "menu")
    scene.replace("etc/zipl.conf", "7=first\n", "7=first\n8=first\n")
    scene.replace("etc/zipl.conf", "default=3", "default=8")
    machine = scene.machine()
    bootmap = machine.bootmap.content
    assert bootmap is not None
    (first,) = (program for program in bootmap.programs if 7 in program.numbers)
    others = (p._replace(numbers=tuple(n for n in p.numbers if n)) for p in bootmap.programs)
    bootmap = bootmap._replace(programs=(*others, first._replace(numbers=(0, 8))))
    machine = machine._replace(bootmap=machine.bootmap._replace(content=bootmap))

    record = compare(machine)

    assert record.differences == ()
    assert list(findings(next_ipl(machine, record))) == []


def test_a_line_without_an_entry_differs_from_a_kernel_without_one(tmp_path: Path) -> None:
    """The section of number 12 was removed; its kernel exists, or one of the same size."""
    scene = make_scene(tmp_path, "menu")
    conf = (tmp_path / "etc/zipl.conf").read_text()
    start = conf.index("[silent]")
    end = conf.index(":menu")
    scene.write("etc/zipl.conf", conf.replace(conf[start:end], "").replace("12=silent\n", ""))
    machine = scene.machine()

    found = next_ipl(machine, compare(machine))

    message = "number 12 of /boot/bootmap boots a line that no boot entry has"
    message += " (its kernel has the size of /boot/vmlinuz)"
    assert [(each.code, each.message) for each in findings(found)] == [
        ("record-boots-other", message)
    ]
