from __future__ import annotations

import pytest

from secboot.errors import RefusedError
from secboot.formats.kernel_cmdline import CommandLine
from secboot.kernel import command_line
from secboot.kernel.command_line import require_editable, unreadable


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
def test_occurrences_are_those_that_the_reader_of_the_parameter_recognizes(
    text: str, name: str, expected: list[str]
) -> None:
    found = command_line.occurrences(CommandLine.parse(text), name)

    assert [each.text for each in found] == expected


@pytest.mark.parametrize(
    "name",
    [
        *("console", "rd.znet", "systemd.mount-extra", "systemd.mount_extra", "rd.zdev"),
        *("rd.cio_accept", "modprobe.blacklist", "modules-load", "rd.modules_load", "luks.key"),
        "rd.luks.data",
    ],
)
def test_parameters_that_add_up(name: str) -> None:
    assert command_line.is_multi_valued(name)


@pytest.mark.parametrize(
    "name", ["root", "rd.znet_x", "swiotlb", "CONSOLE", "module_blacklist", "rd.modules-load"]
)
def test_parameters_that_do_not_or_are_not_known_to(name: str) -> None:
    assert not command_line.is_multi_valued(name)


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("a=é", 3, "'é' (U+00E9)"),
        ("\ufeffa", 1, "(U+FEFF)"),
        ("a\udcff", 2, "the byte 0xFF"),
        ("a\xa0b", 2, "(U+00A0)"),
        ("ab\0c", 3, "NUL"),
    ],
)
def test_what_the_kernel_reads_as_ebcdic_or_as_the_end(text: str, column: int, words: str) -> None:
    problem = unreadable(text)

    assert problem is not None
    assert f"in column {column}" in problem.message
    assert words in problem.message


def test_ascii_is_readable_including_control_characters() -> None:
    assert unreadable("".join(map(chr, range(1, 128)))) is None


@pytest.mark.parametrize("text", ['a="b', '"', "a=é", "a\0"])
def test_such_lines_and_open_quotes_are_not_edited(text: str) -> None:
    with pytest.raises(RefusedError) as caught:
        require_editable(CommandLine.parse(text))

    assert caught.value.hint


def test_other_lines_can_be_edited() -> None:
    require_editable(CommandLine.parse('a="b c" d'))
