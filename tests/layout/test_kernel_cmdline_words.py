"""Words that find the root file system: a new kernel lacks them if /etc/kernel/cmdline does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from secboot.status.stages import Stage
from tests.command import secboot
from tests.situations import make_situation
from tests.status.scenes import Scene, add_system, log, only

RHEL = 'ID="rhel"\nVERSION_ID="9.4"\n'
PROFILE = "version: 1\nparameters: {audit: '1'}\n"
ENTRY, LAST = "20-zipl-kernel.install", "91-zipl.install"
LVM = "root=/dev/mapper/r rd.dasd=0.0.0120 rd.lvm.lv=r/root"

# words of the file, options of the entries, missing words
CASES = [
    (LVM, [LVM], ""),
    ("quiet", [LVM], LVM),
    ("quiet", [LVM, f"{LVM} debug", LVM], LVM),
    # Words that only some entries have are not required.
    ("quiet", [LVM, "root=/dev/b"], "root=/dev/b"),
    ("quiet", [LVM, "quiet"], ""),
    # Another name of the root can be that of the same device, unless it is of the same kind.
    (LVM.replace("/dev/mapper/r", "UUID=1"), [LVM], ""),
    ("root=UUID=2", ["root=UUID=1"], "has root=UUID=2, while every boot entry has root=UUID=1"),
    ("root=/dev/b root=/dev/a", ["root=/dev/a", "root=/dev/a quiet"], ""),
    ("root=/dev/b", ["root=/dev/a", "root=/dev/c"], ""),
    # Another value of a multi-valued parameter is another disk.
    (LVM.replace("0120", "0200"), [LVM], "rd.dasd=0.0.0120"),
    ("root=1 rd.zfcp=0.0.1 rd.zfcp=0.0.2", ["root=1 rd.zfcp=0.0.1 rd.zfcp=0.0.2"], ""),
    ("root=1 rd.zfcp=0.0.1", ["root=1 rd.zfcp=0.0.1 rd.zfcp=0.0.2"], "rd.zfcp=0.0.2"),
    ("root=1", ["root=1 rd.zdev=dasd,0.0.1 rd.znet=qeth,1"], "rd.zdev=dasd,0.0.1 rd.znet=qeth,1"),
    ("root=1", ["root=1 rd.luks.uuid=1 luks.name=1=r rootflags=subvol=a"],
     "rd.luks.uuid=1 luks.name=1=r rootflags=subvol=a"),
    # With fips=1, dracut checks the kernel on the file system that boot= names.
    ("root=1 fips=1", ["root=1 fips=1 boot=UUID=2"], "boot=UUID=2"),
    # Other kinds of words, and those that switch something off.
    ("root=1", ["root=1 crashkernel=1G rd.shell=0 rd.lvm=0 rd.md=no rhgb quiet rd.break"], ""),
]  # fmt: skip


def make(root: Path, words: str | None, options: list[str]) -> Path:
    entries = root / "boot/loader/entries"
    entries.mkdir(parents=True)
    (root / "etc/kernel").mkdir(parents=True)
    (root / "etc/os-release").write_text(RHEL)
    (root / "etc/zipl.conf").write_text("[defaultboot]\ndefaultauto\ntarget=/boot\n")
    (root / "audit.yaml").write_text(PROFILE)
    if words is not None:
        (root / "etc/kernel/cmdline").write_text(f"audit=1 {words}\n")
    for number, line in enumerate(options):
        (entries / f"m-5.{number}.conf").write_text(
            f"title {number}\nlinux /boot/vmlinuz-5.{number}\noptions audit=1 {line}\n"
        )
    return root


def read(capsys: pytest.CaptureFixture[str], verb: str, root: Path) -> dict[str, Any]:
    said = secboot(capsys, verb, root / "audit.yaml", "--root", root, "-o", "json")
    document = json.loads(said.out)
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize(("words", "options", "missed"), CASES)
def test_words_that_every_entry_has_and_the_file_lacks(
    words: str, options: list[str], missed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(tmp_path / "root", words, options)

    plan, status = read(capsys, "plan", root), read(capsys, "status", root)

    found = [w["message"] for w in plan["warnings"] if w["code"] == "kernel-cmdline-lacks"]
    stage = status["requirements"][0]["stages"]["inherited"]
    (store,) = plan["stores"]
    if not missed:
        assert (found, stage["verdict"], store["met"]) == ([], "met", True)
        return
    why = missed if missed.startswith("has ") else f"lacks {missed}, with which"
    assert len(found) == 1
    assert f"/etc/kernel/cmdline {why}" in found[0]
    assert (stage["verdict"], store["met"]) == ("unknown", None)
    assert why in stage["reason"]


@pytest.mark.parametrize(
    ("directory", "name", "content", "said"),
    [
        ("etc", ENTRY, None, " masks the plug-in that writes the entry of a new kernel"),
        ("etc", ENTRY, "", " masks the plug-in that writes the entry of a new kernel"),
        ("etc", ENTRY, "x", " replaces the plug-in that writes the entry of a new"),
        ("etc", LAST, None, " masks the plug-in that runs zipl for a new kernel"),
        ("etc", "90-other.install", None, None),
        ("run", ENTRY, None, " masks the plug-in that writes the entry of a new kernel"),
        ("usr/local/lib", LAST, "x", " replaces the plug-in that runs zipl for a new kernel"),
        ("usr/lib", ENTRY, "x", None),
        ("usr/lib", ENTRY, "", ", which writes the entry of a new kernel, is not executable"),
        ("usr/lib", LAST, "", ", which runs zipl for a new kernel, is not executable"),
    ],
)
def test_it_is_unknown_what_an_overridden_plug_in_does(
    directory: str,
    name: str,
    content: str | None,
    said: str | None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`content` is None for a link to /dev/null; only a file with content is executable."""
    root = make(tmp_path / "root", LVM, [LVM])
    own = root / directory / "kernel/install.d" / name
    own.parent.mkdir(parents=True)
    if content is None:
        own.symlink_to("/dev/null")
    else:
        own.write_text(content)
        own.chmod(0o755 if content else 0o644)

    plan, status = read(capsys, "plan", root), read(capsys, "status", root)

    stage = status["requirements"][0]["stages"]["inherited"]
    (store,) = plan["stores"]
    if said is None:
        assert (stage["verdict"], store["met"]) == ("met", True)
        return
    assert (stage["verdict"], store["met"]) == ("unknown", None)
    assert f"/{directory}/kernel/install.d/{name}{said}" in stage["reason"]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("/proc/cmdline", "new kernels inherit the line of the system that installs them"),
        ("../../dev/null", "new kernels inherit the line of the system that installs them"),
        ("/sys/kernel/notes", "unknown what new kernels get from it"),
    ],
)
@pytest.mark.parametrize("there", [True, False])
def test_a_link_to_a_file_of_the_kernel_is_not_edited(
    there: bool, target: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(tmp_path / "root", None, [LVM])
    (root / "etc/kernel/cmdline").symlink_to(target)
    file = root / target.lstrip("./")
    if there:
        file.parent.mkdir(parents=True)
        file.write_text("quiet\n")

    plan, status = read(capsys, "plan", root), read(capsys, "status", root)

    stage = status["requirements"][0]["stages"]["inherited"]
    linked = f"/etc/kernel/cmdline is a link to /{target.lstrip('./')}"
    assert stage["verdict"] == "unknown"
    assert stage["reason"].startswith(f"{linked}: {said}")
    assert f"{linked}, which secboot does not edit" in [
        each["message"] for each in plan["warnings"]
    ]
    assert (plan["files"], plan["stores"][0]["met"]) == ([], None)


def test_the_rescue_entry_does_not_count_while_there_are_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(tmp_path / "root", "quiet", [LVM])
    rescue = root / "boot/loader/entries/m-0-rescue.conf"
    rescue.write_text("title rescue\nlinux /boot/vmlinuz-0-rescue\noptions audit=1\n")

    plan = read(capsys, "plan", root)

    assert "kernel-cmdline-lacks" in {warning["code"] for warning in plan["warnings"]}


@pytest.mark.parametrize(
    ("words", "running", "verdict"),
    [
        (None, f"audit=1 {LVM} BOOT_IMAGE=0", "met"),
        (None, "audit=1 rd.break BOOT_IMAGE=0", "unknown"),
        (None, f"audit=1 {LVM.replace('mapper/r', 'mapper/rescue')}", "unknown"),
        (None, LVM, "missing"),
        (LVM, "audit=1", "met"),
    ],
)
def test_the_running_line_counts_where_there_is_no_file(
    words: str | None, running: str, verdict: str, tmp_path: Path
) -> None:
    """A rescue system started from another disk has other words."""
    scene = Scene(make(tmp_path / "root", words, [LVM]))
    add_system(scene, "z16-se-guest", running)

    status = scene.status(str(scene.tree / "audit.yaml"), log())

    stage = only(status).stages[Stage.INHERITED]
    assert stage.verdict == verdict
    assert ("; but that line " in stage.reason) == (verdict == "unknown")


def test_a_file_without_the_root_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_situation("kernel-cmdline-without-root", tmp_path / "root")

    said = secboot(capsys, "verify", "p", "--root", root, "--stage", "inherited")

    words = "root=/dev/mapper/rhel-root rd.dasd=0.0.0120 rd.lvm.lv=rhel/root"
    assert said.code == 0
    assert "PASS inherited" not in said.out
    assert f"/etc/kernel/cmdline lacks {words}, with which every boot entry" in said.out


def test_an_image_of_another_distribution_promises_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In kiwi's image of openSUSE, no Red Hat program writes entries."""
    root = make_situation("kiwi-zipl-suse", tmp_path / "root")
    assert secboot(capsys, "apply", "guest", "--root", root).code == 0

    said = secboot(capsys, "verify", "guest", "--root", root, "--stage", "inherited")

    assert "WARN inherited.swiotlb: unknown how this distribution" in said.out
    options = next((root / "boot/loader/entries").iterdir()).read_text()
    assert "options root=UUID=abc rw swiotlb=262144\n" in options
