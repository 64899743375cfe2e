from __future__ import annotations

import pytest

from secboot.finding import Severity
from secboot.formats.kernel_cmdline import CommandLine
from secboot.kernel.image_line import unfit

SOUND = "root=/dev/mapper/root rd.shell=0 panic=0 quiet console=ttysclp0"


def rules(text: str) -> list[str]:
    return [each.code.removeprefix("image-line.") for each in unfit(CommandLine.parse(text))]


@pytest.mark.parametrize(
    "line",
    [
        SOUND,
        "root=/dev/mapper/root rd.shell=0",
        "root=/dev/mapper/root panic=0",
        "swiotlb=262144 panic=0",
        "root=UUID=1-2 rd.luks.uuid=luks-3 rd.shell=0",
        "root=LABEL=root luks.name=1-2=root rd.shell=off",
        "root=/dev/vda2 cryptopts=target=root,source=/dev/vda2 panic=10",
        "root=/dev/dm-0 rd.shell=no",
        "root=/dev/vda1 roothash=00 rd.shell=0",
        f"{SOUND} init=/sbin/init rdinit=/init",
        f"{SOUND} systemd.debug-shell=0 rd.systemd.debug_shell=no",
        f"{SOUND} systemd.unit=multi-user.target systemd.wants=sshd.service",
        f"{SOUND} rd.shell rd.shell=0",
        f"{SOUND} rd.emergency=poweroff",
        f"{SOUND} single=1 emergency=no foo.s -- --quiet",
        f"{SOUND} console=S rd.s390=1",
    ],
)
def test_a_line_that_opens_nothing(line: str) -> None:
    assert rules(line) == []


@pytest.mark.parametrize(
    ("word", "rule"),
    [
        ("rd.shell", "rd-shell"),
        ("rd.shell=1", "rd-shell"),
        ("rdshell", "rd-shell"),
        ("rd.break", "rd-break"),
        ("rd.break=pre-mount", "rd-break"),
        ("break=premount", "rd-break"),
        ("rd.cmdline=ask", "rd-cmdline"),
        ("init=/bin/sh", "init"),
        ("init=/bin/bash", "init"),
        ("rdinit=/bin/sh", "init"),
        ("systemd.debug-shell", "debug-shell"),
        ("systemd.debug_shell=1", "debug-shell"),
        ("systemd.debug-shell=ttyS1", "debug-shell"),
        ("rd.systemd.debug_shell", "debug-shell"),
        ("systemd.crash_shell=yes", "debug-shell"),
        ("systemd.unit=rescue.target", "rescue"),
        ("systemd.unit=emergency.target", "rescue"),
        ("systemd.unit=emergency", "rescue"),
        ("rd.systemd.unit=emergency.target", "rescue"),
        ("systemd.wants=debug-shell.service", "rescue"),
        ("single", "rescue"),
        ("emergency", "rescue"),
        ("rescue", "rescue"),
        ("1", "rescue"),
        ("s", "rescue"),
        ("S", "rescue"),
        ("-b", "rescue"),
        ("rd.emergency", "rescue"),
        ("rd.rescue", "rescue"),
        ("-- single", "rescue"),
    ],
)
def test_a_word_that_opens_it(word: str, rule: str) -> None:
    (found,) = unfit(CommandLine.parse(f"{SOUND} {word}"))

    assert found.code == f"image-line.{rule}"
    assert found.severity is Severity.WARNING
    assert word.removeprefix("-- ") in found.message
    assert found.hint


@pytest.mark.parametrize(
    ("root", "rule"),
    [
        ("/dev/vda1", "root"),
        ("/dev/disk/by-path/ccw-0.0.0000-part1", "root-unknown"),
        ("/dev/dasda1", "root"),
        ("/dev/nfs", "root"),
        ("LABEL=root", "root-unknown"),
        ("UUID=1-2", "root-unknown"),
        ("PARTUUID=1-2", "root-unknown"),
        ("/dev/vg0/root", "root-unknown"),
    ],
)
def test_a_root_that_the_host_can_read(root: str, rule: str) -> None:
    assert rules(f"rd.shell=0 root={root}") == [rule]
    assert rules(f"rd.shell=0 root=/dev/mapper/x root={root}") == [rule]
    assert rules(f"rd.shell=0 root={root} rd.luks.uuid=3 rd.luks=0") == [rule]


def test_shells_that_nothing_disables_are_noted() -> None:
    (found,) = unfit(CommandLine.parse("root=/dev/mapper/root swiotlb=262144"))

    assert (found.code, found.severity) == ("image-line.shell-by-default", Severity.NOTE)


def test_all_findings_of_a_line_in_its_order() -> None:
    assert rules("root=/dev/sda1 single rd.break init=/bin/sh") == [
        *("rescue", "rd-break", "init", "root", "shell-by-default"),
    ]
