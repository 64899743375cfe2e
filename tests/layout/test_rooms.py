"""What is specific to a distribution stays in its room."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from secboot.layout.detect import NAMES
from secboot.layout.recognition import LAYOUTS

PACKAGE = Path(__file__).parents[2] / "secboot"
ROOMS = {"ostree", "suse", "red_hat", "zipl_only"}
OUTSIDE = sorted(path for path in PACKAGE.rglob("*.py") if path.parent.name != "layout")
HELP_NAMES_THEM = {"cli/options.py"}
"""The help of ``--layout`` lists the names, because looking them up would delay start-up."""
OWN_FILES = {"GrubCfg", "GrubDefault", "KernelInstallCmdline"}
"""Documents of files that only one distribution has."""
SHARED_WORDS = {"zipl.conf", "ostree"}
"""Names of layouts that are also ordinary words."""


def named(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", OUTSIDE, ids=named)
def test_no_other_module_asks_which_distribution_this_is(path: Path) -> None:
    tree = ast.parse(path.read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = {alias.name for node in imports for alias in node.names}
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}

    assert not {f"secboot.layout.{room}" for room in ROOMS} & {node.module for node in imports}
    assert not (ROOMS | OWN_FILES) & names
    if named(path) not in HELP_NAMES_THEM:
        assert not ({*NAMES} - SHARED_WORDS) & texts


def test_every_layout_is_detected_by_its_own_evidence() -> None:
    assert len({*NAMES}) == len(LAYOUTS)
    assert all(set(each.made_of) <= {*NAMES} for each in LAYOUTS)
