from __future__ import annotations

import pytest

from secboot.zipl.configuration import ConfFile, interpret
from secboot.zipl.version import CURRENT
from tests.zipl.files import BOOT

SECTION = "[a]\ntarget=/boot\nimage=/boot/vmlinuz\n"
MENU = ":m\ntarget=/boot\n1=a\n"


def problems(conf: str) -> list[str]:
    found = interpret(ConfFile("z", conf), [], BOOT, CURRENT).refusals
    return [problem.zipl_message for problem in found]


def only_one_of(line: int, other: str) -> str:
    return (
        f"Line {line}: Only one of keywords 'default', 'defaultmenu' and '{other}' allowed"
        " in section 'defaultboot'"
    )


@pytest.mark.parametrize(
    ("body", "first"),
    [
        ("default=a", None),
        ("defaultmenu=m", None),
        ("target=/boot", None),
        ("defaultauto\ntarget=/boot\ndefault=a", None),
        ("defaultauto\ndefaultmenu=m\ntarget=/boot", only_one_of(3, "defaultauto")),
        ("target=/boot\ndefaultmenu=m", only_one_of(3, "target")),
        ("default=a\ndefaultmenu=m", only_one_of(3, "defaultauto")),
        (
            "defaultauto",
            (
                "Line 1: Keyword 'target' required in section 'defaultboot'"
                " when specifying 'defaultauto'"
            ),
        ),
        (
            "secure=1",
            (
                "Line 1: Section 'defaultboot' requires one of keywords 'default', 'defaultmenu',"
                " 'defaultauto' or 'target'"
            ),
        ),
        ("default=a\nprompt=1", "Line 3: keyword 'prompt' not allowed in section 'defaultboot'"),
        ("default=b", "Line 2: no such section 'b'"),
        ("defaultmenu=b", "Menu section 'b' not found"),
        ("default=defaultboot", "Special section 'defaultboot' cannot be used as target section"),
        ("target=/boot\nprompt=2", "Line 0: prompt value is out of range (must be 0 or 1)"),
        ("target=/boot\ntimeout=-1", "Line 0: timeout value is out of range"),
    ],
)
def test_defaultboot_has_exactly_one_mode(body: str, first: str | None) -> None:
    found = problems(f"[defaultboot]\n{body}\n{SECTION}{MENU}")

    assert (found[0] if found else None) == first


def test_an_automatic_menu_needs_a_section_with_a_kernel() -> None:
    conf = "[defaultboot]\ntarget=/boot\n[d]\ndumpto=/dev/d\n"

    assert problems(conf)[0] == "Cannot build automenu: no IPL entries available"


def test_an_automatic_menu_has_room_for_62_sections() -> None:
    sections = [f"[s{number}]\nimage=/boot/vmlinuz\n" for number in range(63)]
    conf = "[defaultboot]\ntarget=/boot\n"

    assert problems(conf + "".join(sections[:62])) == []
    assert problems(conf + "".join(sections))[0] == (
        "Cannot build automenu: too many IPL sections defined (max 62)"
    )


def test_the_name_of_the_automatic_menu_can_not_be_written_and_so_is_free() -> None:
    # A menu's name has only letters and digits.
    assert problems("[defaultboot]\ntarget=/boot\n:zipl-automatic-menu\n")[0] == (
        "Line 3: invalid character in menu name "
    )


@pytest.mark.parametrize(
    ("menu", "first"),
    [
        ("1=a\ndefault= 1 ", None),
        ("1=a\ndefault=x", "Line 7: default position must be a number"),
        ("1=a\ndefault=0", "Line 7: default position must be greater than zero"),
        ("1=a\ndefault=63", "Line 7: default position too large"),
        ("1=a\ndefault=2", "Line 7: menu position 2 not defined"),
        ("1=a\nprompt=x", "Line 7: prompt value must be a number"),
        ("1=a\ntimeout=1x", "Line 7: timeout value must be a number"),
        ("1=b", "Line 6: section 'b' not found"),
        ("0=a", "Line 6: position must be greater than zero"),
        ("63=a", "Line 6: position must not exceed 62"),
        ("1=a\n1=a", "Line 7: position 1 already specified"),
        ("prompt=1", "Line 4: no boot configuration specified in menu 'm'"),
        ("1=a\nparameters=x", "Line 7: keyword 'parameters' not allowed in menu section 'm'"),
        ("1=a\n:m\ntarget=/x\n1=a", "Line 7: menu name 'm' already specified"),
        ("1=a\nsecure=x", "Invalid secure boot setting 'x'"),
    ],
)
def test_a_menu_is_checked(menu: str, first: str | None) -> None:
    conf = f"[defaultboot]\ndefaultmenu=m\n\n:m\ntarget=/boot\n{menu}\n{SECTION}"

    found = problems(conf)

    assert (found[0] if found else None) == first


def test_a_number_has_no_place_in_a_section() -> None:
    assert problems(f"[defaultboot]\ndefault=a\n1=a\n{SECTION}")[0] == (
        "Line 3: number assignment not allowed in section 'defaultboot'"
    )
