"""Every sample machine: plan, apply, apply again, roll back; as host and guest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import secboot
from tests.trees import SAMPLE_TREES, make_sample_tree, snapshot

WANTED = {
    "host": "prot_virt=1",
    "guest": "swiotlb=262144",
    "guest-large": "swiotlb=524288",
    "guest-secure": "rd.shell=0",
}


@pytest.mark.parametrize("profile", [*WANTED, "host-off", "guest-off"])
@pytest.mark.parametrize("name", SAMPLE_TREES)
def test_plan_apply_and_rollback(
    name: str, profile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_sample_tree(name, tmp_path / "root")
    before = snapshot(root)

    planned = secboot(capsys, "plan", profile, "--root", root, "--output", "json")
    assert planned.code == 0, planned.err
    assert snapshot(root) == before
    plan = json.loads(planned.out)

    applied = secboot(capsys, "apply", profile, "--root", root)
    assert applied.code == 0, applied.err
    after = snapshot(root)
    changed = {f"/{path}" for path in after if after[path] != before[path]}
    assert changed == {item["real_path"] for item in plan["files"]}
    assert after.keys() == before.keys()

    again = secboot(capsys, "plan", profile, "--root", root, "--output", "json")
    assert json.loads(again.out)["files"] == []
    if profile in WANTED:
        shown = json.loads(secboot(capsys, "show", "--root", root, "--output", "json").out)
        lines = [e["parameters"] for e in shown["entries"] if e["kind"] == "ipl"]
        assert lines
        assert all(WANTED[profile] in line.split() for line in lines)

    if changed:
        undone = secboot(capsys, "rollback", "--root", root)
        assert undone.code == 0, undone.err
    assert snapshot(root) == before


@pytest.mark.parametrize("name", SAMPLE_TREES)
def test_zipl_rules_accept_the_sample_before_and_after(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_sample_tree(name, tmp_path / "root")
    # The example of the man page has a dump section on a device that no test machine has.
    before = secboot(capsys, "check", "--root", root)

    secboot(capsys, "apply", "host", "--root", root)

    assert secboot(capsys, "check", "--root", root) == before
