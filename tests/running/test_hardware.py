"""/proc/cpuinfo, /proc/sysinfo and kernel messages of the samples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.running.hardware import (
    ULTRAVISOR_CALL,
    UNPACK,
    CpuInfo,
    KernelRelease,
    Level,
    SysInfo,
)
from secboot.running.kernel_log import KernelMessages
from tests.trees import SAMPLES


@pytest.mark.parametrize(
    ("name", "machine", "ultravisor", "unpack", "level", "described"),
    [
        ("s390-kvm", "2817", None, None, Level.KVM, "KVM"),
        ("s390-lpar", "2817", None, None, Level.LPAR, "LPAR R35LP37"),
        ("s390-nested-virt", "2964", False, False, Level.KVM, "KVM under z/VM 6.4.0"),
        ("s390-zvm", "2817", None, None, Level.ZVM, "z/VM 6.1.0"),
        ("z16-kvm-guest-unpack", "3931", False, True, Level.KVM, "KVM"),
        ("z16-lpar-no-se-feature", "3931", False, False, Level.LPAR, "LPAR R35LP37"),
        ("z16-lpar-se-capable", "3931", True, True, Level.LPAR, "LPAR R35LP37"),
        ("z16-se-guest", "3931", True, False, Level.KVM, "KVM"),
    ],
)
def test_samples(
    name: str,
    machine: str,
    ultravisor: bool | None,
    unpack: bool | None,
    level: Level,
    described: str,
) -> None:
    cpu = CpuInfo.parse((SAMPLES / "proc" / name / "cpuinfo").read_text())
    system = SysInfo.parse((SAMPLES / "proc" / name / "sysinfo").read_text())

    assert (cpu.ibm_z, cpu.machine_type, system.machine_type) == (True, machine, machine)
    assert (cpu.has(ULTRAVISOR_CALL), cpu.has(UNPACK)) == (ultravisor, unpack)
    assert (system.level, system.describe()) == (level, described)


def test_a_z14_lists_its_facilities() -> None:
    cpu = CpuInfo.parse((SAMPLES / "proc" / "s390x-z14-64cpu-cpuinfo").read_text())

    assert (cpu.machine_type, cpu.has(ULTRAVISOR_CALL), cpu.has(129)) == ("3906", False, True)


def test_another_architecture_is_told() -> None:
    assert CpuInfo.parse("processor\t: 0\nvendor_id\t: GenuineIntel\n") == CpuInfo(
        ibm_z=False, facilities=None, machine_type=None
    )
    assert SysInfo.parse("").describe() == "not known"


def read(name: str) -> KernelMessages:
    lines = (SAMPLES / "dmesg" / name).read_text().splitlines()
    return KernelMessages.read(lines, complete=True)


@pytest.mark.parametrize("name", ["host-ok-upstream", "host-ok-ubuntu-kmsg-id"])
def test_a_host_says_what_it_reserves(name: str) -> None:
    assert (read(name).reserved_mib, read(name).failures) == (98, ())


def test_every_line_of_a_failure_is_one() -> None:
    assert len(read("host-fail-all").failures) == 5
    assert read("host-fail-all").reserved_mib is None


def test_the_bounce_buffer_in_the_log() -> None:
    found = read("guest-swiotlb")

    assert (found.bounce_buffer_mib, found.adjusted, found.no_buffer) == (
        512,
        (524288, 262144),
        True,
    )
    assert len(found.bounce_buffer_full) == 1


@given(st.lists(st.text()), st.text())
def test_any_text_can_be_read(lines: list[str], text: str) -> None:
    KernelMessages.read(lines, complete=False)
    CpuInfo.parse(text)
    SysInfo.parse(text)
    KernelRelease.parse(text)


def test_releases_are_ordered_by_number() -> None:
    old, new = KernelRelease.parse("5.4.0-1"), KernelRelease.parse("5.14.0-427.el9")

    assert old is not None
    assert new is not None
    assert old < (5, 7) < new
    assert str(new) == "5.14"
