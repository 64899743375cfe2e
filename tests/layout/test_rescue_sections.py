"""RHEL 7 names its rescue sections linux-0-rescue-MACHINE_ID: they are skipped if requested."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import secboot
from tests.situations import make_situation

PROFILE = "version: 1\nrole: host\nparameters: {prot_virt: 1}\nentries: {rescue: false}\n"


def test_rescue_sections_of_rhel_7_are_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_situation("rhel7-rescue-sections", tmp_path / "root")
    profile = tmp_path / "norescue.yaml"
    profile.write_text(PROFILE)
    conf = (root / "etc/zipl.conf").read_text()

    assert secboot(capsys, "apply", profile, "--root", root).code == 0

    _, *rescue = conf.split("[linux-0-rescue")
    assert len(rescue) == 2
    now, *left = (root / "etc/zipl.conf").read_text().split("[linux-0-rescue")
    assert "prot_virt=1" in now
    assert left == rescue
    shown = secboot(capsys, "show", "--root", root).out
    assert shown.count("(rescue)") == 2
