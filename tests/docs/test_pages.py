"""The code in the documentation does what it says.

In a ``console`` block each line that starts with ``$`` is run, secboot or one of a few programs; what
follows it is what it prints. A page's blocks run in order in one directory of their own; ``> FILE`` at the end of
a command means what it does in a shell. A command whose line ends with a comment ``# exit code N``
ends with that one. ``./dev update`` writes the output again. The tutorials are run in a terminal (`tests.docs.test_tutorials`).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from secboot.export.names import ExportFormat
from tests.command import secboot
from tests.packaging.programs import CHECKOUT, require, run

DOCS = CHECKOUT / "docs"
PAGES = sorted([*(DOCS / "tutorial").glob("*.md"), *(DOCS / "how-to").glob("*.md")])
ALL_PAGES = sorted([*DOCS.rglob("*.md"), *CHECKOUT.glob("*.md"), *CHECKOUT.glob("ansible/**/*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OTHERS = {"tar", "mkdir", "printf", "echo", "ln", "cp"}
EXIT_CODE = re.compile(r"  # exit code (\d+)$")
NAMED_FILE = re.compile(
    r"(?<![/\w])((?:secboot|tests|benchmarks|packaging|hooks)/[\w./-]+\.(?:py|sh|md|txt|yaml|json))\b"
)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def identify(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


def check_console(page: Path, rerun: Callable[[str], str], *, update: bool) -> None:
    """Run each console block of a page again, and compare it with the page or `update` the page."""
    written = blocks(page, "console")
    actual = [rerun(block) for block in written]
    if update:
        text = page.read_text()
        for block, new in zip(written, actual, strict=True):
            text = text.replace(f"```console\n{block}```", f"```console\n{new}```", 1)
        page.write_text(text)
        return
    assert written
    assert actual == written


def blocks(path: Path, language: str) -> list[str]:
    return [text for name, text in BLOCK.findall(path.read_text()) if name == language]


def rerun(block: str, capsys: pytest.CaptureFixture[str]) -> str:
    lines = []
    for command in [line[2:] for line in block.splitlines() if line.startswith("$ ")]:
        expected = EXIT_CODE.search(command)
        program, *words = shlex.split(command, comments=True)
        if words[-2:-1] == [">>"]:
            # What echo says is added to a file, as guides tell their readers.
            with Path(words[-1]).open("a") as file:
                file.write(" ".join(words[:-2]) + "\n")
            lines.append(f"$ {command}\n")
            continue
        words, target = (words[:-2], words[-1]) if words[-2:-1] == [">"] else (words, None)
        if program == "secboot":
            said = secboot(capsys, *words)
            assert said.code == (int(expected[1]) if expected else 0), said.err
            out, err = said.out, said.err
        else:
            assert program in OTHERS
            out, err = run(program, *words).stdout, ""
        if target is not None:
            Path(target).write_text(out)
        lines.append(f"$ {command}\n{out if target is None else ''}{err}")
    return "".join(lines)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.parent.name == "how-to"], ids=identify
)
def test_commands_print_what_the_page_says(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    update: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    check_console(page, lambda block: rerun(block, capsys), update=update)


@pytest.mark.parametrize("page", PAGES, ids=identify)
def test_profiles_on_a_page_are_valid(
    page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, block in enumerate(blocks(page, "yaml")):
        if block.startswith("- name: "):
            continue  # a playbook: tests/ansible/test_linters.py reads it
        path = tmp_path / f"page-{number}.yaml"
        path.write_text(block)

        said = secboot(capsys, "profile", "validate", path)

        assert said.code == 0, said.err


@pytest.mark.parametrize("page", PAGES, ids=identify)
def test_shell_commands_are_shell(page: Path) -> None:
    for block in blocks(page, "sh"):
        assert run(require("bash"), "-n", "-c", block).stderr == ""


@pytest.mark.parametrize("page", ALL_PAGES, ids=identify)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]

    assert [each for each in targets if not (page.parent / each).exists()] == []


def test_pages_have_one_title_each() -> None:
    """The navigation gives no titles of its own, so a page is called the same everywhere."""
    titles = [path.read_text().partition("\n")[0] for path in DOCS.rglob("*.md")]

    assert all(title.startswith("# ") for title in titles)
    assert len({*titles}) == len(titles)
    assert not re.search(r"^.+ <[\w/-]+>$", (DOCS / "index.md").read_text(), re.MULTILINE)


def test_every_format_has_a_place_in_the_recipes() -> None:
    text = (DOCS / "how-to/images.md").read_text()

    assert [form for form in ExportFormat if f"`{form}`" not in text] == []


def test_the_files_that_are_named_are_there() -> None:
    """In pages, comments and docstrings: a module that was moved leaves none of its old name."""
    sources = [path for room in ("secboot", "benchmarks", "packaging", "tests") for path in
               (CHECKOUT / room).rglob("*.[pm][yd]") if "data" not in path.parts]  # fmt: skip
    missing = [
        f"{identify(path)}: {name}"
        for path in (*sources, *ALL_PAGES, CHECKOUT / "pyproject.toml", CHECKOUT / "docs/conf.py")
        for name in NAMED_FILE.findall(path.read_text())
        if not (CHECKOUT / name).exists()
    ]

    assert missing == []
