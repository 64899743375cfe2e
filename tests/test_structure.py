"""What `docs/ARCHITECTURE.md` says about the sources, as ``python -m benchmarks.structure`` counts it."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.structure import SOURCES, modules, table

LONGEST = 400
TESTS = Path(__file__).parent


def test_no_module_is_longer_than_400_lines() -> None:
    assert max(module.lines for module in modules(SOURCES)) <= LONGEST


def test_what_is_counted(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "outside.py").write_text("import os\n\n\ndef f() -> None:\n    import re\n")
    (tmp_path / "room/inside.py").write_text(
        "if TYPE_CHECKING:\n    from a import (\n        b,\n    )\n\n\nclass C:\n    x = 1\n"
    )

    outside, inside = modules(tmp_path)

    assert (outside.room, outside.lines, outside.import_lines) == ("-", 5, 2)
    assert outside.functions == (2,)
    assert (inside.room, inside.import_lines, inside.classes, inside.functions) == (
        "room",
        4,
        1,
        (),
    )
    assert (
        list(table([outside, inside]))[-1]
        == "| all | 2 | 13 | 6 / 8 | 6 | 46.2 | 1 | 1 | 2 / 2 / 2 |"
    )


def test_nothing_is_skipped_but_by_the_rule_for_ci() -> None:
    """One place decides (`tests.available`)."""
    skips = re.compile(r"pytest\.skip\(|mark\.skip")
    found = {
        path.relative_to(TESTS).as_posix()
        for path in TESTS.rglob("*.py")
        if skips.search(path.read_text())
    }

    assert found == {"available.py"}, "use tests.available, or the fixture as_root"
