"""What is particular to a distribution stays in its room."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from secboot.layout.detect import LAYOUTS, NAMES

PACKAGE = Path(__file__).parents[2] / "secboot"
ROOMS = {"ostree", "suse", "red_hat", "zipl_conf"}
OUTSIDE = sorted(path for path in PACKAGE.rglob("*.py") if path.parent.name != "layout")
HELP_NAMES_THEM = {"cli/options.py"}
"""The help of ``--layout`` lists the names, which start-up has no time to look up."""
SHARED_WORDS = {"zipl.conf", "ostree"}
"""Names of layouts that are words of their own, too."""


def named(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", OUTSIDE, ids=named)
def test_no_other_module_asks_which_distribution_this_is(path: Path) -> None:
    tree = ast.parse(path.read_text())
    modules = [
        node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module
    ]
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}

    assert not {f"secboot.layout.{room}" for room in ROOMS} & {*modules}
    if named(path) not in HELP_NAMES_THEM:
        assert not ({*NAMES} - SHARED_WORDS) & texts


def test_every_layout_is_told_by_evidence_of_its_own() -> None:
    assert len({*NAMES}) == len(LAYOUTS)
    assert all(set(each.made_of) <= {*NAMES} for each in LAYOUTS)
