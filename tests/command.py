"""Run ``secboot`` in this process and catch what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from secboot.cli import main

if TYPE_CHECKING:
    import pytest


@dataclass(frozen=True)
class Said:
    """What one run printed, and its exit code."""

    code: int
    out: str
    err: str


def secboot(capsys: pytest.CaptureFixture[str], *words: object) -> Said:
    """Run one command line."""
    capsys.readouterr()
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return Said(int(code), out, err)
