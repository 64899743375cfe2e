"""``secboot explain``: codes, checks and exit codes, as secboot prints them."""

from __future__ import annotations

import fcntl
import json
import os
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from secboot.errors import ExitCode
from secboot.report.explain import Explanation, explain_text, groups
from secboot.report.style import PLAIN, Style
from tests.command import secboot
from tests.report.test_schemas import schema_of
from tests.trees import make_sample_tree

EVERY = [each for group in groups() for each in group.explanations]
CODE = re.compile(r"`([^`]*)`")


def on_terminal(columns: int, *words: object) -> str:
    """Return what a command prints on a terminal, with its colours."""
    master, file = os.openpty()
    fcntl.ioctl(file, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm"}
    argv = [sys.executable, "-m", "secboot", *map(str, words)]
    with subprocess.Popen(argv, stdout=file, stderr=file, env=environment):
        os.close(file)
        text = b""
        while True:
            try:
                text += os.read(master, 65536)
            except OSError:  # The other end is closed.
                break
    os.close(master)
    return text.decode().replace("\r\n", "\n")


def test_a_code_is_explained_with_what_to_do_and_its_source(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = secboot(capsys, "explain", "zipl.bls-same-version")

    lines = said.out.splitlines()
    assert said.code == 0
    assert lines[:2] == ["zipl.bls-same-version", "  Several BLS entries have the same version."]
    assert any(line.startswith("  What to do: ") for line in lines)
    assert any(line.startswith("  Source: zipl/src/scan.c") for line in lines)
    assert "`" not in said.out


def test_several_codes_are_explained_in_the_order_in_which_they_are_typed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = secboot(capsys, "explain", "kdump", "3", "kdump", "zipl.kdump")

    headings = [line for line in said.out.splitlines() if line and line[0] != " "]
    assert headings == ["kdump", "exit code 3", "zipl.kdump"]


@pytest.mark.parametrize(
    ("typed", "heading"),
    [
        ("bls-same-version", "zipl.bls-same-version"),
        ("[zipl.bls-same-version]", "zipl.bls-same-version"),
        ("installed.swiotlb", "installed.swiotlb"),
        ("configured.rd.zdev", "configured.rd.zdev"),
        ("machine.unsealed-default", "unsealed-default"),
        ("balloon", "domain.balloon"),
        ("130", "exit code 130"),
        # If a code is the same as another one after its dot, it wins.
        ("parmfile-size", "parmfile-size"),
    ],
)
def test_a_code_can_be_typed_as_it_is_printed(
    typed: str, heading: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = secboot(capsys, "explain", typed)

    assert said.code == 0, said.err
    assert said.out.startswith(f"{heading}\n")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("bls-same-versoin", "zipl.bls-same-version"),
        ("zipl.unknown_keyword", "zipl.unknown-keyword"),
        ("installedd.swiotlb", "installed.swiotlb"),
        ("machine.unsealed-defualt", "unsealed-default"),
        ("swiotlb", "swiotlb-share"),
        ("7", None),
        ("installed.", None),
        ("\x1b[31m", None),
        ("machine.", None),
    ],
)
def test_an_unknown_code_is_an_error_that_names_what_was_meant(
    typed: str, meant: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    said = secboot(capsys, "explain", "3", typed)

    assert (said.code, said.out) == (ExitCode.USAGE, "")
    assert "secboot explain --list" in said.err
    assert "\x1b" not in said.err
    if meant is not None:
        assert f"did you mean {meant}" in said.err


def test_nothing_that_is_typed_reaches_the_terminal_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = secboot(capsys, "explain", "installed.\x1b[31m")

    assert said.code == 0
    assert "\x1b" not in said.out


@pytest.mark.parametrize("words", [["explain"], ["explain", "--list"]])
def test_the_list_has_a_line_for_each_code(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    said = secboot(capsys, *words)

    named = re.findall(r"^  (\S+): \S.*\.$", said.out, re.MULTILINE)
    assert said.code == 0
    assert named == [each.code for each in EVERY]


def test_the_list_takes_no_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert secboot(capsys, "explain", "--list", "3").code == ExitCode.USAGE


@pytest.mark.parametrize("words", [["explain"], ["explain", "3", "installed.swiotlb"]])
def test_the_document(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    said = secboot(capsys, *words, "--output", "json")

    document = json.loads(said.out)
    Draft202012Validator(schema_of(document)).validate(document)
    codes = [each["code"] for each in document["explanations"]]
    assert codes == (words[1:] or [each.code for each in EVERY])


@given(columns=st.integers(20, 250), each=st.sampled_from(EVERY))
def test_lines_are_wrapped_between_words_and_never_inside_of_code(
    columns: int, each: Explanation
) -> None:
    markdown = " ".join(filter(None, (each.summary, each.why, each.what_to_do, each.source)))
    codes = CODE.findall(markdown)

    lines = explain_text([each], columns, PLAIN).splitlines()[1:]

    shown = " ".join(" ".join(lines).split())
    assert re.sub("(What to do|Source): ", "", shown) == " ".join(markdown.replace("`", "").split())
    assert all(code in "\n".join(lines) for code in codes)
    # Only what must not be broken is wider.
    wide = [line.strip() for line in lines if len(line) > columns]
    code = "|".join(map(re.escape, sorted(codes, key=len, reverse=True)))
    assert [line for line in wide if " " in re.sub(code, "", line)] == []


def test_colour_changes_no_text() -> None:
    coloured = explain_text(EVERY, 80, Style(colour=True))

    assert re.sub(r"\x1b\[\d+m", "", coloured) == explain_text(EVERY, 80, PLAIN)


@pytest.mark.parametrize("columns", [60, 80])
def test_it_fits_the_terminal(columns: int) -> None:
    text = re.sub(r"\x1b\[\d+m", "", on_terminal(columns, "explain", "zipl.parameters-length", "4"))

    lines = text.splitlines()
    assert lines[0] == "zipl.parameters-length"
    assert max(map(len, lines)) <= columns
    assert max(map(len, lines)) > columns - 15


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_sample_tree("rhel9", tmp_path / "root")
    for path in (root / "boot/loader/entries").glob("*.conf"):
        path.write_text(re.sub("^options .*", r"\g<0> # why", path.read_text(), flags=re.MULTILINE))
    return root


@pytest.mark.parametrize(
    ("words", "explained"),
    [
        (["check"], "zipl.inline-comment"),
        (["verify", "guest"], "configured.swiotlb"),
        (["check-domain"], "domain.balloon"),
    ],
)
def test_a_terminal_shows_where_codes_are_explained(
    words: list[str], explained: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    domain = tmp_path / "domain.xml"
    domain.write_text("<domain type='kvm'><name>a</name><os><type>hvm</type></os></domain>\n")
    given = [domain] if words == ["check-domain"] else ["--root", root]

    shown = on_terminal(80, *words, *given)
    piped = secboot(capsys, *words, *given)

    assert f"secboot explain {explained}" in shown
    assert "secboot explain" not in piped.out
    assert secboot(capsys, "explain", explained).code == 0


def test_on_a_terminal_a_warning_of_a_plan_has_its_code(root: Path) -> None:
    assert "[zipl-version]" in on_terminal(80, "plan", "guest", "--root", root)


def test_a_code_is_wrapped_like_the_words_before_it(root: Path) -> None:
    shown = re.sub(r"\x1b\[\d+m", "", on_terminal(80, "check", "--root", root))

    with_code = [line for line in shown.splitlines() if line.endswith("[zipl.inline-comment]")]
    assert len(with_code) == shown.count("[zipl.inline-comment]") > 0
    assert max(map(len, with_code)) <= 80


def test_codes_are_completed() -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "_SECBOOT_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": "secboot explain swiotlb-",
    }
    done = subprocess.run(["secboot"], env=environment, capture_output=True, text=True, check=False)

    summary = next(each.summary for each in EVERY if each.code == "swiotlb-share")
    assert done.stdout == f"swiotlb-share\t{summary}\n"
