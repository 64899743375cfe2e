"""The linters and the type checker are tests, so that one command runs everything."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.available import unavailable

ROOT = Path(__file__).parent.parent

LINTERS = {
    "ruff-check": ["ruff", "check", "--quiet", "."],
    "ruff-format": ["ruff", "format", "--check", "--quiet", "."],
    "mypy": ["mypy"],
    "codespell": ["codespell", "secboot", "tests", "docs", "profiles", "README.md", "CHANGELOG.md"],
}


@pytest.mark.parametrize("argv", LINTERS.values(), ids=LINTERS.keys())
def test_linter_finds_nothing(argv: list[str]) -> None:
    if shutil.which(argv[0]) is None:
        unavailable(f"{argv[0]} is not installed (the extra `test` has it)")

    found = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stdout + found.stderr
