from __future__ import annotations

import pytest

from secboot.finding import Finding
from secboot.zipl.configuration import ConfFile, interpret
from secboot.zipl.order import BlsFile
from secboot.zipl.version import ZiplVersion
from tests.zipl.files import BOOT

NEW = ZiplVersion(2, 40)
OLD = ZiplVersion(2, 16)
AUTO = "[defaultboot]\ndefaultauto\ntarget=/boot\n"
SECTION = f"{AUTO}[a]\nimage=/boot/vmlinuz\n"
ENTRY = "title A\nversion 1\nlinux /boot/vmlinuz\noptions root=/dev/a\n"


def warnings(
    conf: str, bls: dict[str, str] | None = None, version: ZiplVersion = NEW
) -> tuple[Finding, ...]:
    files = [BlsFile(f"/e/{name}", text) for name, text in (bls or {}).items()]
    return interpret(ConfFile("/etc/zipl.conf", conf), files, BOOT, version).warnings


def codes(found: tuple[Finding, ...]) -> list[str]:
    return [problem.code.removeprefix("zipl.") for problem in found]


def test_a_sound_set_up_gives_no_warning() -> None:
    assert warnings(f"{SECTION}parameters='root=/dev/a'\n") == ()
    assert warnings(AUTO, {"a.conf": ENTRY}) == ()


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ("$kernelopts a", "unexpanded-variable"),
        ("a $tuned_params", "unexpanded-variable"),
        ("a ${lower}", "unexpanded-variable"),
        ("a # comment", "inline-comment"),
        ("#a", "inline-comment"),
        ("a\r", "carriage-return"),
        ("\xe4", "not-ascii"),
        ("x" * 4096, "parameters-cut"),
        ("x" * 4082, "parameters-tight"),
    ],
)
def test_a_parameter_line_that_will_not_do_is_warned_of(parameters: str, code: str) -> None:
    found = warnings(f"{SECTION}parameters={parameters}\n")

    assert codes(found) == [code]
    assert str(found[0].location) == "/etc/zipl.conf:6:1"


@pytest.mark.parametrize("parameters", ["${SITE} a", "a#b", "cost=$5", "x" * 4081, "a$"])
def test_a_harmless_parameter_line_is_not(parameters: str) -> None:
    assert warnings(f"{SECTION}parameters={parameters}\n") == ()


def test_before_2_18_there_was_no_environment_to_expand() -> None:
    assert codes(warnings(f"{SECTION}parameters=${{SITE}}\n", version=OLD)) == [
        "unexpanded-variable"
    ]


def test_a_menu_of_one_leaves_no_room_for_its_number_but_a_single_section_does() -> None:
    conf = f"[defaultboot]\ndefault=a\n[a]\ntarget=/boot\nimage=/boot/vmlinuz\nparameters={'x' * 4095}\n"

    assert warnings(conf) == ()


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        (ENTRY.replace("title A\n", "") + "title A\n", "bls-title-below", "4:1"),
        (f"version 1\n{ENTRY.replace('version 1', 'id x')}id xyz\n", "bls-misread", "2:1"),
        (ENTRY.replace("options", "opt"), "bls-abbreviated-key", "4:1"),
        (ENTRY.replace("/dev/a\n", "/dev/a\r\n"), "carriage-return", "4:1"),
    ],
)
def test_an_entry_that_is_not_what_it_seems_is_warned_of(text: str, code: str, place: str) -> None:
    found = warnings(AUTO, {"a.conf": text})

    assert (code, f"/e/a.conf:{place}") in [
        (problem.code.removeprefix("zipl."), str(problem.location)) for problem in found
    ]


def test_a_hidden_entry_is_warned_of() -> None:
    assert codes(warnings(AUTO, {".a.conf": ENTRY})) == ["bls-hidden-file"]


def test_entries_of_one_version_have_no_certain_order() -> None:
    entries = {"a.conf": ENTRY, "b.conf": ENTRY.replace("title A", "title B")}

    assert codes(warnings(AUTO, entries)) == ["bls-same-version"] * 2
    assert warnings(AUTO, entries, OLD) == ()


def test_a_section_that_hides_the_bls_default_is_warned_of() -> None:
    assert codes(warnings(SECTION, {"a.conf": ENTRY})) == ["section-before-bls"]
    named = SECTION.replace("defaultauto", "defaultauto\ndefault=A")
    assert warnings(named, {"a.conf": ENTRY}) == ()


def test_a_file_missing_where_zipl_does_not_look_is_warned_of() -> None:
    conf = (
        "[defaultboot]\ndefault=a\n[a]\ntarget=/boot\nimage=/boot/vmlinuz\n"
        "[b]\ntarget=/boot\nimage=/none\n"
    )

    found = warnings(conf)

    assert codes(found) == ["file-missing"]
    assert str(found[0].location) == "/etc/zipl.conf:8:1"


def test_a_skipped_optional_entry_is_reported() -> None:
    conf = f"{SECTION}[b]\nimage=/none\noptional=1\n"

    assert codes(warnings(conf)) == ["optional-skipped"]


def test_a_menu_position_above_30_is_warned_of() -> None:
    conf = (
        "[defaultboot]\ndefaultmenu=m\n:m\ntarget=/boot\n31=a\n"
        "[a]\ntarget=/boot\nimage=/boot/vmlinuz\n"
    )

    assert codes(warnings(conf)) == ["menu-position"]


def test_a_file_name_that_ends_like_an_address_is_warned_of() -> None:
    conf = SECTION.replace("/boot/vmlinuz", "/boot/vmlinuz,fedora")

    assert codes(warnings(conf)) == ["address-in-name"]
