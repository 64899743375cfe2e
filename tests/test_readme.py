"""The transcripts in README.md are what secboot prints.

In a ``console`` block each line that starts with ``$`` is run, in order, in one empty directory.
``./dev update`` writes the output again.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.command import secboot

README = Path(__file__).parent.parent / "README.md"
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def rerun(block: str, capsys: pytest.CaptureFixture[str]) -> str:
    lines = []
    for command in [line[2:] for line in block.splitlines() if line.startswith("$ ")]:
        program, *words = shlex.split(command)
        assert program == "secboot"
        said = secboot(capsys, *words)
        assert said.code == 0, said.err
        lines.append(f"$ {command}\n{said.out}{said.err}")
    return "".join(lines)


def test_transcripts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    update: bool,
) -> None:
    text = README.read_text()
    blocks = _BLOCK.findall(text)
    monkeypatch.chdir(tmp_path)

    actual = [rerun(block, capsys) for block in blocks]

    if update:
        for block, new in zip(blocks, actual, strict=True):
            text = text.replace(block, new)
        README.write_text(text)
        return
    assert blocks
    assert actual == blocks
