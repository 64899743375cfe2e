"""/proc/cpuinfo and /proc/sysinfo in the samples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.running.system import ULTRAVISOR_CALL, UNPACK, Hardware, Level
from tests.trees import SAMPLES

PROC = SAMPLES / "proc"


@pytest.mark.parametrize(
    ("name", "machine", "ultravisor", "unpack", "runs_in", "described"),
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
    runs_in: Level,
    described: str,
) -> None:
    cpuinfo, sysinfo = ((PROC / name / file).read_text() for file in ("cpuinfo", "sysinfo"))

    found = Hardware.parse(cpuinfo, sysinfo)

    assert (found.ibm_z, found.machine_type, found.runs_in) == (True, machine, runs_in)
    assert (found.has(ULTRAVISOR_CALL), found.has(UNPACK)) == (ultravisor, unpack)
    assert found.describe() == described
    # Either file alone contains the machine type.
    assert Hardware.parse(cpuinfo, "").machine_type == machine
    assert Hardware.parse("", sysinfo).machine_type == machine


def test_a_z14_lists_its_facilities() -> None:
    found = Hardware.parse((PROC / "s390x-z14-64cpu-cpuinfo").read_text(), "")

    assert (found.machine_type, found.has(ULTRAVISOR_CALL), found.has(129)) == ("3906", False, True)
    assert (found.runs_in, found.is_too_old) == (Level.UNKNOWN, True)


def test_another_architecture_is_told() -> None:
    found = Hardware.parse("processor\t: 0\nvendor_id\t: GenuineIntel\n", "")

    assert (found.ibm_z, found.facilities, found.machine_type) == (False, None, None)
    assert (found.describe(), found.is_too_old) == ("hypervisor unknown", False)


@given(st.text(), st.text())
def test_any_text_can_be_read(cpuinfo: str, sysinfo: str) -> None:
    Hardware.parse(cpuinfo, sysinfo).describe()
