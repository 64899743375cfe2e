"""How the real cloud-init judges the user data: this system's version, and Debian's newest.

Ubuntu's installer gets its user data through cloud-init, which checks that it is there and of what
version; what is inside is checked with the installer's schema (`test_schemas.py`).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from secboot.export.formats import WRITERS
from secboot.export.names import ExportFormat
from secboot.export.request import ExportRequest
from tests.export import unpacked
from tests.export.requests import shipped, site
from tests.packaging.programs import require

FORMATS = (ExportFormat.CLOUD_INIT, ExportFormat.AUTOINSTALL)


@pytest.fixture(params=["installed", "newest"])
def cloud_init(request: pytest.FixtureRequest) -> list[str]:
    """The command that runs a version; the newest one uses the installed Python packages."""
    program = require("cloud-init")
    if request.param == "installed":
        return [program]
    _, modules = unpacked.require_newer("cloud-init", "22.4.2")
    return ["env", f"PYTHONPATH={modules}", "/usr/bin/python3", "-m", "cloudinit.cmd.main"]


def judged(cloud_init: list[str], user_data: str, directory: Path) -> tuple[bool, str]:
    path = directory / "user-data"
    path.write_text(user_data)
    done = subprocess.run(
        [*cloud_init, "schema", "--config-file", os.fspath(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "asked", [shipped("guest"), shipped("host-off"), site()], ids=["guest", "host-off", "site"]
)
def test_cloud_init_accepts_it(
    cloud_init: list[str], form: ExportFormat, asked: ExportRequest, tmp_path: Path
) -> None:
    accepted, said = judged(cloud_init, WRITERS[form].write(asked).text, tmp_path)

    assert accepted, said
    assert "Valid" in said


@pytest.mark.parametrize(
    ("form", "right", "wrong"),
    [
        (ExportFormat.CLOUD_INIT, "  - path:", "  - file:"),
        (ExportFormat.CLOUD_INIT, 'runcmd:\n  - ["secboot"', "runcmd:\n  - {a: b}\n  - ['secboot'"),
        (ExportFormat.AUTOINSTALL, "autoinstall:\n  version: 1\n", "autoinstall:\n"),
    ],
)
def test_cloud_init_reports_errors(
    cloud_init: list[str], form: ExportFormat, right: str, wrong: str, tmp_path: Path
) -> None:
    text = WRITERS[form].write(site()).text
    assert text.count(right) == 1

    accepted, said = judged(cloud_init, text.replace(right, wrong), tmp_path)

    assert not accepted, said
