from __future__ import annotations

import pytest

from secboot.formats.kernel_cmdline import CommandLine
from secboot.kernel import names


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("kvm.a-b=1 kvm.a_b=2 kvm.a_b_c=3", "kvm.a_b", ["kvm.a-b=1", "kvm.a_b=2"]),
        ("kvm.a-b=1", "kvm.a-b", ["kvm.a-b=1"]),
        ("rd.luks-x=1 rd.luks_x=2", "rd.luks_x", ["rd.luks_x=2"]),
        ("console=a consoleblank=0 -- console=b", "console", ["console=a"]),
        ("mem=4G -- mem=5G", "mem", ["mem=4G", "mem=5G"]),
        ("no-exec=off noexec=off", "noexec", ["noexec=off"]),
    ],
)
def test_occurrences_are_those_that_the_reader_of_the_parameter_takes(
    text: str, name: str, expected: list[str]
) -> None:
    found = names.occurrences(CommandLine.parse(text), name)

    assert [each.text for each in found] == expected


@pytest.mark.parametrize(
    "name", ["console", "rd.znet", "systemd.mount-extra", "systemd.mount_extra"]
)
def test_parameters_that_add_up(name: str) -> None:
    assert names.is_multi_valued(name)


@pytest.mark.parametrize("name", ["root", "rd.znet_x", "swiotlb", "CONSOLE"])
def test_parameters_that_do_not_or_are_not_known_to(name: str) -> None:
    assert not names.is_multi_valued(name)
