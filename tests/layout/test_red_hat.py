"""What a plan says about future kernels if the running command line decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from secboot.errors import RefusedError
from secboot.layout.detect import detect_layout
from secboot.lines.changes import StorePlan, StoreStatus
from secboot.lines.stores import stores_of
from secboot.machine.discovery import discover
from secboot.machine.profile_files import read_profile
from secboot.plan.plan import Plan
from secboot.plan.planner import make_plan
from secboot.status.assess import assess
from secboot.status.stages import Evidence, Stage
from secboot.system.root import Root
from tests.command import secboot
from tests.situations import make_situation
from tests.trees import make_sample_tree

CMDLINE = "etc/kernel/cmdline"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_sample_tree("rhel9", tmp_path / "root")
    (root / "proc").mkdir()
    return root


def plan(root: Path, *, running: bool) -> Plan:
    """The plan for the tree; as the running system, it reads the tree's own /proc/cmdline."""
    with Root(root) as tree:
        profile = read_profile("host", tree)
        layout = detect_layout(tree)
        machine = discover(tree, layout.sources, {} if running else None)
        return make_plan(profile, machine, layout, with_zipl=False)


def later(root: Path, *, running: bool) -> StorePlan:
    (store,) = plan(root, running=running).stores
    return store


@pytest.mark.parametrize("text", [None, "", "\n"])
@pytest.mark.parametrize(
    ("line", "met"),
    [
        ("root=/dev/a prot_virt=1 BOOT_IMAGE=0", True),
        ("root=/dev/a BOOT_IMAGE=0", False),
        # Words that are omitted when the line is inherited do not count.
        ("root=/dev/a initrd=prot_virt=1", False),
    ],
)
def test_without_a_file_the_running_line_counts(
    line: str, met: bool, text: str | None, root: Path
) -> None:
    (root / CMDLINE).unlink()
    if text is not None:
        (root / CMDLINE).write_text(text)
    (root / "proc/cmdline").write_text(line + "\n")

    store = later(root, running=True)

    assert (store.status, store.met) == (StoreStatus.NONE, met)
    assert ("missing" if text is None else "empty") in store.note
    assert "BOOT_IMAGE" not in (store.line_after or "")
    assert all(CMDLINE not in change.path for change in plan(root, running=True).files)


def test_a_file_with_only_comments_is_not_empty(root: Path) -> None:
    (root / CMDLINE).write_text("# prot_virt=1 is set elsewhere\n")
    (root / "proc/cmdline").write_text("root=/dev/a prot_virt=1\n")

    store = later(root, running=True)

    assert (store.status, store.met) == (StoreStatus.NONE, False)
    assert "their words become the parameters" in store.note


def test_the_line_of_a_build_host_is_not_looked_at(root: Path) -> None:
    (root / CMDLINE).unlink()
    (root / "proc/cmdline").write_text("root=/dev/a prot_virt=1\n")

    store = later(root, running=False)

    assert (store.met, store.line_after) == (None, None)
    assert "build host" in store.note


def test_a_file_is_not_compared_with_the_running_line(root: Path) -> None:
    (root / CMDLINE).write_text("ro prot_virt=1")
    (root / "proc/cmdline").write_text("ro\n")

    assert later(root, running=True).status is StoreStatus.UNCHANGED


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ro\n", "ro prot_virt=1\n"),
        ("ro", "ro prot_virt=1"),
        ("\n  ro\tquiet \n\n", "\n  ro\tquiet prot_virt=1 \n\n"),
        ("# c\nro\n# d\n", "# c\nro prot_virt=1\n# d\n"),
        ("prot_virt=0\nro\n", "prot_virt=1\nro\n"),
        ("ro -- single\n", "ro prot_virt=1 -- single\n"),
        ('x="a b" ro\r\n', 'x="a b" ro prot_virt=1\r\n'),
    ],
)
def test_only_what_must_change_does(before: str, after: str, root: Path) -> None:
    (root / CMDLINE).write_bytes(before.encode())

    (change,) = (c for c in plan(root, running=False).files if c.path == f"/{CMDLINE}")

    assert change.after == after.encode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("root=/dev/ä\n", "EBCDIC"),
        ('x="a b\n', "never closed"),
        (f"x={'y' * 4090}\n", "bytes"),
    ],
)
def test_what_can_not_be_edited_is_refused(text: str, reason: str, root: Path) -> None:
    (root / CMDLINE).write_text(text)

    with pytest.raises(RefusedError, match=reason) as info:
        plan(root, running=False)

    assert str(info.value.location).startswith(f"/{CMDLINE}:1")


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("# prot_virt=1\n", False),
        ("# prot_virt=1\nroot=/dev/a\n", False),
        ("# root=/dev/b\nroot=/dev/a prot_virt=1\n", True),
        ("root=/dev/a prot_virt=1\n# prot_virt=0\n", True),
        ("root=/dev/a\n", False),
        ("\n", None),
    ],
)
def test_status_and_plan_agree_on_what_a_new_kernel_gets(
    root: Path, text: str, met: bool | None
) -> None:
    (root / CMDLINE).write_text(text)
    with Root(root) as tree:
        layout = detect_layout(tree)
        machine = discover(tree, layout.sources)
        profile = read_profile("host", tree)
    next_ipl = layout.next_ipl_of(machine)
    inherited = (
        assess(Evidence(machine, layout, next_ipl, profile, None))
        .requirements[0]
        .stages[Stage.INHERITED]
    )
    (planned,) = layout.plan_stores(profile, machine, stores_of(machine))

    assert {"met": True, "missing": False, "unknown": None}[inherited.verdict.value] is met
    # A line that already meets the profile is not edited; another is, or the plan says why it can't be.
    unchanged = planned.line_before == planned.line_after
    assert (planned.met if unchanged else False) is met


def test_a_section_stays_the_default_whatever_kernel_comes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """zipl reads the sections of zipl.conf before all BLS entries."""
    root = make_situation("reipl-parm", tmp_path / "root")
    conf = root / "etc/zipl.conf"
    release = "5.14.0-427.13.1.el9_4.s390x"
    words = "new kernels are not the default: section 'mine' of zipl.conf precedes their entries"
    assert words not in secboot(capsys, "plan", "host", "--root", root).out
    conf.write_text(
        f"{conf.read_text()}[mine]\nimage=/boot/vmlinuz-{release}\n"
        f"ramdisk=/boot/initramfs-{release}.img\nparameters=root=/dev/a prot_virt=1\n"
    )

    said = secboot(capsys, "verify", "host", "--root", root, "--stage", "inherited").out

    assert (
        "WARN inherited.prot_virt: new kernels take their parameters from /etc/kernel/cmdline"
        in said
    )
    assert words in said
    assert (
        f"/etc/zipl.conf:7:1: warning: {words}"
        in secboot(capsys, "plan", "host", "--root", root).out
    )
