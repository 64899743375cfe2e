"""Apply and roll back in the tree of another machine, with its own zipl, in a chroot under qemu-user."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest

from secboot.apply.apply import ApplyResult, apply_plan
from secboot.apply.change import ManagedRoot
from secboot.apply.rollback import roll_back
from secboot.apply.zipl import Zipl, ZiplFailedError
from secboot.checkpoint.state_directory import StateDirectory
from secboot.errors import RefusedError
from secboot.ipl.boot_record import compare
from secboot.layout.detect import detect_layout
from secboot.machine.discovery import Machine, discover
from secboot.machine.profile_files import read_profile
from secboot.plan.planner import make_plan
from secboot.system.programs import Completed, SystemRunner
from secboot.system.root import Root
from tests.s390x.boot_texts import bls_entry, single_section
from tests.s390x.bootmaps import BLS_CONF, FILES
from tests.s390x.real_zipl import Cell
from tests.trees import snapshot

pytestmark = pytest.mark.oracle

ENTRY = bls_entry("A", "1", "root=/dev/vda1 ro")
WITH_VARIABLE = single_section('"root=/dev/vda1 swiotlb=${SW}"', ramdisk=False)


class Emulating(SystemRunner):
    """Starts zipl in its chroot with the emulator, as binfmt_misc would."""

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        environment: Mapping[str, str] | None = None,
        inherited: Sequence[int] = (),
    ) -> Completed:
        program, root, zipl, *words = argv
        assert (program, zipl) == ("chroot", "zipl")
        done = super().run(
            [program, root, "/bin/qemu", "/sbin/zipl", *words],
            timeout=timeout,
            environment=environment,
            inherited=inherited,
        )
        return done._replace(argv=tuple(argv))


@contextmanager
def target(cell: Cell) -> Iterator[ManagedRoot]:
    with Root(cell.directory) as root:
        zipl = Zipl(Emulating(), 60.0, chroot=str(cell.directory))
        state = StateDirectory(root)
        try:
            yield ManagedRoot(
                root, state, zipl, detect_layout(root), None, ("secboot", "apply"), lambda _: None
            )
        finally:
            state.close()


def apply(cell: Cell, name: str, *, with_zipl: bool = True) -> ApplyResult:
    with target(cell) as place:
        profile = read_profile(name, place.root)
        return apply_plan(
            place, lambda found: make_plan(profile, found, place.layout, with_zipl=with_zipl)
        )


def machine(cell: Cell) -> Machine:
    with Root(cell.directory) as root:
        return discover(root)


def installed(cell: Cell) -> list[str | None]:
    found = compare(machine(cell))
    assert found.bootmap is not None, found.unreadable
    assert found.stale is None
    return [program.parmline for program in found.bootmap.programs]


@pytest.fixture
def entries(cell: Cell) -> Cell:
    texts = {"etc/zipl.conf": BLS_CONF, "boot/loader/entries/a.conf": ENTRY}
    texts["etc/kernel/cmdline"] = "root=/dev/vda1 ro\n"
    cell.fill_with({**FILES, **{path: text.encode() for path, text in texts.items()}})
    cell.install()
    return cell


def test_the_boot_record_of_the_tree_is_written_and_taken_back(entries: Cell) -> None:
    before = installed(entries)
    files = snapshot(entries.directory / "etc")

    result = apply(entries, "host")

    assert result.zipl is not None
    assert installed(entries) == [f"{line} prot_virt=1" for line in before]
    with Root(entries.directory) as root:
        assert root.read_bytes("/etc/kernel/cmdline") == b"root=/dev/vda1 ro prot_virt=1\n"
    with target(entries) as place:
        roll_back(place, None)
    assert installed(entries) == before
    assert snapshot(entries.directory / "etc") == files


def test_only_a_later_kernel_s_parameters_need_no_zipl(entries: Cell) -> None:
    apply(entries, "host")
    (entries.directory / "etc/kernel/cmdline").write_text("root=/dev/vda1 ro\n")
    record = (entries.directory / "boot/bootmap").stat().st_mtime_ns

    result = apply(entries, "host")

    assert (result.checkpoint, result.zipl, result.zipl_pending) == ("2", None, False)
    assert (entries.directory / "boot/bootmap").stat().st_mtime_ns == record


def test_a_refusal_of_the_candidates_changes_nothing(entries: Cell) -> None:
    (entries.directory / "boot/initrd").unlink()
    before = snapshot(entries.directory / "boot")

    # secboot itself detects the missing file; if it must ignore this, zipl reports it.
    with pytest.raises(ZiplFailedError, match="initrd") as refused:
        apply(entries, "host", with_zipl=False)

    assert snapshot(entries.directory / "boot") == before
    # What was refused is kept, and zipl refuses it again with the command of the hint.
    hint = str(refused.value.hint)
    assert f"the refused files are kept in {entries.directory}/var/lib/secboot/refused\n" in hint
    assert re.search("/secboot-[0-9a-f]{16}", f"{refused.value}{hint}") is None
    again = Emulating().run(shlex.split(hint.partition("more: ")[2]), timeout=60)
    assert again.status != 0
    assert "initrd" in again.stderr


def test_a_value_in_the_environment_reaches_the_boot_record(cell: Cell) -> None:
    texts = {"etc/zipl.conf": WITH_VARIABLE, "etc/ziplenv": "SW=512M\n[site 4]\nSW=524288\n"}
    cell.fill_with({**FILES, **{path: text.encode() for path, text in texts.items()}})
    cell.install()
    if not machine(cell).zipl_version.reads_environment:
        # Meant as a variable, but this zipl passes it to the kernel literally.
        with pytest.raises(RefusedError, match=r"\$\{SW\} would be lost"):
            apply(cell, "guest")
        assert installed(cell) == ["root=/dev/vda1 swiotlb=${SW}"]
        return
    assert compare(machine(cell)).stale is None

    apply(cell, "guest")

    assert installed(cell) == ["root=/dev/vda1 swiotlb=${SW}"]
    bootmap = compare(machine(cell)).bootmap
    assert bootmap is not None
    assert bootmap.environment is not None
    assert bootmap.environment.value("SW") == "262144"
    assert bootmap.environment.value("SW", "4") == "524288"
    # An edit of the file alone is detected: the next IPL does not use it.
    (cell.directory / "etc/ziplenv").write_text("SW=1\n")
    assert "has a different value of ${SW}" in (compare(machine(cell)).stale or "")
