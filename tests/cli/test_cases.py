r"""Whole runs as data: each file of ``cases/`` is a machine, commands, and their output.

A case starts with comments, then come the files of the machine::

    === /etc/zipl.conf
    [defaultboot]
    ...
    === /etc/link.conf -> zipl.conf
    === /boot/parmfile (no newline at end)
    === /boot/entry (escapes)

then commands with their expected output (standard output first, then errors) and exit code::

    $ secboot plan guest
    ...
    [0]

``secboot`` runs on the machine (``--root`` is added), ``cat PATH`` prints one of its files, with
invisible characters escaped. With ``(escapes)``, ``\r``, ``\0`` and ``\xNN`` in the file's text are
these bytes; ``(sealed)`` makes an IBM Secure Execution image, ``(sealed readable)`` one that is not
encrypted. Kernel images are made for the boot files that name them, with room for a line of 4096
bytes, or for ``N`` bytes with ``(image N)``.

``./dev update`` writes the expected output again; read the diff before you commit it.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from secboot.demo import kernel_stub
from secboot.visible import visible
from tests.command import secboot
from tests.trees import add_images, sealed_image

CASES = sorted((Path(__file__).parent / "cases").glob("*.txt"))


@dataclass(frozen=True)
class Case:
    """A case as it is written: the part before the commands, and the commands."""

    head: str
    files: dict[str, str]
    commands: tuple[str, ...]
    expected: tuple[str, ...]


def parse_case(text: str) -> Case:
    head, dollar, rest = text.partition("\n$ ")
    files: dict[str, str] = {}
    title = ""
    for line in (head + "\n").splitlines(keepends=True):
        if line.startswith("=== "):
            title = line[4:].rstrip("\n")
            files[title] = ""
        elif title:
            files[title] += line
    blocks = (dollar + rest).split("\n$ ")[1:]
    commands = tuple(block.partition("\n")[0] for block in blocks)
    return Case(head, files, commands, tuple(block.partition("\n")[2] for block in blocks))


def build(case: Case, root: Path) -> None:
    root.mkdir()
    for title, text in case.files.items():
        path, *notes = title.replace(" (", "\n").replace(")", "").split("\n")
        name, arrow, link = path.partition(" -> ")
        target = root / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if arrow:
            target.symlink_to(link)
        else:
            target.write_bytes(content(text, notes))
    add_images(root)


def content(text: str, notes: list[str]) -> bytes:
    for note in notes:
        if note.startswith("sealed"):
            return sealed_image(encrypted=note == "sealed")
        if note.startswith("image "):
            return kernel_stub(int(note.removeprefix("image ")))
    if "no newline at end" in notes:
        text = text.removesuffix("\n")
    if "escapes" in notes:
        return text.encode().decode("unicode_escape").encode("latin-1")
    return text.encode()


def run(command: str, root: Path, capsys: pytest.CaptureFixture[str]) -> str:
    program, *words = shlex.split(command)
    if program == "cat":
        text = (root / words[0].lstrip("/")).read_bytes().decode("utf-8", "surrogateescape")
        return "\n".join(visible(line) for line in text.split("\n")) + "[0]"
    assert program == "secboot", command
    said = secboot(capsys, *words, "--root", root)
    return f"{said.out}{said.err}[{said.code}]".replace(str(root), "ROOT")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], update: bool) -> None:
    case = parse_case(path.read_text())
    root = tmp_path / "root"
    build(case, root)

    said = tuple(run(command, root, capsys) for command in case.commands)

    if update:
        blocks = [f"$ {c}\n{out}" for c, out in zip(case.commands, said, strict=True)]
        path.write_text("\n".join([case.head, *blocks]) + "\n")
        return
    assert case.commands
    for command, expected, actual in zip(case.commands, case.expected, said, strict=True):
        assert actual == expected.removesuffix("\n"), command
