"""What a plan's text says."""

from __future__ import annotations

from pathlib import Path

from secboot.errors import Location
from secboot.finding import Finding, Severity
from secboot.layout.detect import detect_layout
from secboot.machine.discovery import discover
from secboot.machine.profile_files import read_profile
from secboot.plan.planner import make_plan
from secboot.report.plan import plan_text
from secboot.report.style import PLAIN
from secboot.system.root import Root
from tests.trees import make_sample_tree


def test_the_hint_of_a_warning_is_printed(tmp_path: Path) -> None:
    with Root(make_sample_tree("ubuntu-curtin", tmp_path / "root")) as root:
        profile = read_profile("guest", root)
        plan = make_plan(profile, discover(root), detect_layout(root), with_zipl=True)
    warning = Finding("a", Severity.WARNING, "b", Location("/c", 1, 2), "do\nthis")

    text = plan_text(plan._replace(warnings=(warning,)), PLAIN, diffs=False)

    assert "/c:1:2: warning: b\n    do\n    this\n" in text
