"""Trees of machines in problematic situations that were reported (`tests/data/situations`)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

SITUATIONS = Path(__file__).parent / "data" / "situations"
_WRITTEN, _RECORDED = 1_700_000_000, 1_700_000_100


def make_situation(name: str, root: Path) -> Path:
    """Copy the tree of this name to `root`, with a bootmap that is newer than everything else."""
    shutil.copytree(SITUATIONS / name, root, symlinks=True)
    for path in root.rglob("*"):
        if not path.is_symlink():
            written = _RECORDED if path.name == "bootmap" else _WRITTEN
            os.utime(path, (written, written))
    return root
