"""Plans of every layout can be saved and read again, and match the published schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.command import secboot
from tests.layout.machines import RHEL9, SYSTEMS
from tests.layout.suse_programs import make_suse
from tests.report.test_schemas import schema_of
from tests.trees import sealed_image, snapshot


def make(name: str, root: Path) -> Path:
    if name == "suse":
        return make_suse(root)
    SYSTEMS["rhel9" if name in {"ostree", "sealed"} else name].make(root)
    if name == "ostree":
        (root / "ostree/repo").mkdir(parents=True)
        (root / "etc/os-release").write_text(RHEL9.replace('"rhel"', '"rhcos"'))
    if name == "sealed":
        for image in (root / "boot").glob("vmlinuz*"):
            image.write_bytes(sealed_image())
    return root


@pytest.mark.parametrize("name", [*SYSTEMS, "suse", "ostree", "sealed"])
@pytest.mark.parametrize("profile", ["host", "guest-off"])
def test_a_saved_plan_does_what_the_plan_said(
    name: str, profile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(name, tmp_path / "root")
    saved = tmp_path / "saved.json"
    said = secboot(capsys, "plan", profile, "--root", root, "--out", saved, "-o", "json")
    plan, kept = json.loads(said.out), json.loads(saved.read_text())
    for each in (plan, kept):
        Draft202012Validator(schema_of(each)).validate(each)
    # The time and the host belong to the document, not to the plan.
    del plan["made"], kept["made"]
    assert {**kept, "schema": plan["schema"]} == {**plan, "made_from": kept["made_from"]}
    before = snapshot(root)

    applied = secboot(capsys, "apply", saved, "--root", root, "--output", "json")

    if plan["refusal"]:
        assert applied.code == 1
        assert snapshot(root) == before
        return
    assert applied.code == 0, applied.err
    document = json.loads(applied.out)
    Draft202012Validator(schema_of(document)).validate(document)
    assert document["plan"] == plan
    changed = {f"/{path}" for path, state in snapshot(root).items() if before[path] != state}
    assert changed == {file["real_path"] for file in plan["files"]}
