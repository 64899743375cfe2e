"""The message of a refusal names its cause and what to do, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from secboot.machine.discovery import discover
from secboot.system.root import Root
from secboot.zipl.configuration import ConfFile, interpret
from secboot.zipl.version import CURRENT, NEWEST, ZiplVersion
from tests.command import secboot
from tests.situations import make_situation
from tests.zipl.files import BOOT

REFUSED = {
    "append-keyword": [("/etc/zipl.conf:7:1", "secboot apply host")],
    "check-repeats": [
        (
            "/etc/zipl.conf:12:1",
            "the complete title: Fedora Linux (6.10.0-64.fc41.s390x) 41 (Cloud Edition Prerelease)",
        ),
        ("/etc/zipl.conf:6:1", ""),
    ],
    "systemd-loaderentry": [
        ("/boot/loader/entries/the-token-1.1.1.conf:3:1", "move the title line to the top"),
    ],
}


@pytest.mark.parametrize("name", REFUSED)
def test_each_error_is_reported_once_with_its_cause(name: str, tmp_path: Path) -> None:
    with Root(make_situation(name, tmp_path / "root")) as root:
        configuration = discover(root).configuration

    found = [(str(each.location), each.hint or "") for each in configuration.problems]
    assert [place for place, _ in found] == [place for place, _ in REFUSED[name]]
    assert all(words in hint for (_, hint), (_, words) in zip(found, REFUSED[name], strict=True))
    assert configuration.warnings == ()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("prot_virt=1", "secboot apply host"),
        ("prot-virt=1", "secboot apply host"),
        ("  swiotlb=262144 ", "secboot apply guest"),
        ("swiotlb", "secboot apply guest"),
        ("root=/dev/dasda1", "'root' is not a keyword"),
        ("oops", "'oops' is not a keyword"),
    ],
)
def test_an_unknown_keyword_is_named(line: str, words: str) -> None:
    conf = f"[defaultboot]\ndefault=a\n[a]\ntarget=/boot\nimage=/boot/vmlinuz\n{line}\n"

    problems = interpret(ConfFile("/etc/zipl.conf", conf), [], BOOT, CURRENT).problems

    assert words in (problems[0].hint or "")


@pytest.mark.parametrize(
    ("version", "warned"),
    [(CURRENT, False), (NEWEST, False), (ZiplVersion(2, 43, 9), False), (ZiplVersion(2, 44), True)],
)
def test_a_zipl_newer_than_the_model_is_reported(version: ZiplVersion, warned: bool) -> None:
    conf = "[defaultboot]\ndefault=a\n[a]\ntarget=/boot\nimage=/boot/vmlinuz\n"

    warnings = interpret(ConfFile("/etc/zipl.conf", conf), [], BOOT, version).warnings

    assert ("zipl.newer-release" in {each.code for each in warnings}) is warned


@pytest.mark.parametrize("verb", ["check", "plan host", "apply host"])
def test_the_command_is_for_the_tree_that_was_examined(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_situation("append-keyword", tmp_path / "root")

    said = secboot(capsys, *verb.split(), "--root", root)

    assert f"delete this line, then run: secboot apply host --root {root}\n" in said.out + said.err


def test_what_zipl_refuses_is_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_situation("append-keyword", tmp_path / "root")

    status = secboot(capsys, "status", "host", "--root", root).out
    verify = secboot(capsys, "verify", "host", "--root", root, "--stage", "installed").out

    assert status.endswith(f": secboot check --root {root}\n")
    assert "secboot apply" not in status + verify
    assert "chroot" not in status + verify
