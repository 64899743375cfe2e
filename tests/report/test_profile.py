"""Profiles in a list, shown and validated: problems and warnings are findings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.command import secboot
from tests.report.test_schemas import schema_of

BROKEN = """\
version: 1
role: gest
parameters: {swiotlb: on, prot_virt: {}}
"""
ODD = """\
version: 1
role: guest
parameters: {swiotlb: 3 MiB}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "etc/secboot/profiles"
    folder.mkdir(parents=True)
    (folder / "broken.yaml").write_text(BROKEN)
    (folder / "odd.yaml").write_text(ODD)
    return tmp_path


def test_a_profile_that_can_not_be_used_is_one_line(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = secboot(capsys, "profile", "list", "--root", root)

    line = next(line for line in said.out.splitlines() if line.startswith("broken"))
    assert "cannot be used: /etc/secboot/profiles/broken.yaml:2:7: " in line
    assert line.endswith(" more)")
    assert "\\n" not in said.out


def test_its_problems_are_findings(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(secboot(capsys, "profile", "list", "--root", root, "-ojson").out)

    Draft202012Validator(schema_of(document)).validate(document)
    listed = {each["name"]: each["problems"] for each in document["profiles"]}
    assert len(listed["broken"]) > 1
    assert {each["severity"] for each in listed["broken"]} == {"error"}
    assert listed["guest"] == []


def test_warnings_of_a_profile(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(secboot(capsys, "profile", "show", "odd", "--root", root, "-ojson").out)
    shown = secboot(capsys, "profile", "show", "odd", "--root", root).out

    Draft202012Validator(schema_of(document)).validate(document)
    assert document["warnings"]
    for warning in document["warnings"]:
        assert f"warning: {warning['message']}\n" in shown
        for line in (warning["hint"] or "").splitlines():
            assert f"\n    {line}\n" in shown
    assert "\\n" not in shown


def test_validation_reports_each_finding_on_lines_of_its_own(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = secboot(capsys, "profile", "validate", "broken", "odd", "--root", root)

    folder = "/etc/secboot/profiles"
    assert said.code == 2
    quoted = "        2 | role: gest\n          |       ^\n"
    problem = (
        f"  {folder}/broken.yaml:2:7: 'gest' is not a valid role\n{quoted}    write host or guest\n"
    )
    assert f"\n{problem}" in said.err
    valid, warning, hint = said.out.splitlines()
    assert valid == f"{folder}/odd.yaml: valid"
    assert warning.startswith(f"{folder}/odd.yaml:3:14: warning: ")
    assert hint.startswith("    ")
    assert "\\n" not in said.out + said.err
