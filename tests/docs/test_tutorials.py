"""The tutorials as their readers try them: each command in a fresh terminal, one after the other.

What follows a command in a ``console`` block is what such a terminal shows. A command that ends with the
comment ``# exit code N`` ends with that one, all others with 0. ``./dev update`` writes the output again.

Ten tasks of a new user are on these pages: the first host, the first guest, an undo, a typo in a profile, a refused
plan, an unknown finding, an interrupted apply, a machine that does not boot, an image build, a fleet report.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.new_user import COMMENT, NewUser
from tests.docs.test_pages import DOCS, check_console, identify

PAGES = sorted((DOCS / "tutorial").glob("*.md"))


def typed(block: str, user: NewUser) -> str:
    lines = []
    for command in [line[2:] for line in block.splitlines() if line.startswith("$ ")]:
        comment = COMMENT.search(command)
        expected = 0 if comment is None else int(comment[1] or 137)
        seen = user.types(command)
        assert seen.code == expected, seen.text
        lines.append(f"$ {command}\n{seen.text}")
    return "".join(lines)


@pytest.mark.parametrize("page", PAGES, ids=identify)
def test_a_new_user_sees_what_the_page_shows(page: Path, tmp_path: Path, update: bool) -> None:
    home, programs = tmp_path / "home", tmp_path / "programs"
    home.mkdir()
    programs.mkdir()
    user = NewUser(home, programs)

    check_console(page, lambda block: typed(block, user), update=update)
