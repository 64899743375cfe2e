"""How Ignition judges the kernel arguments of the Butane text.

Butane translates its text into Ignition's configuration, but no package of it is available. For
``kernel_arguments`` both specifications have the same lists with different spellings. So the test
spells them as Ignition does, and the real ``ignition-validate`` judges them.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from ruamel.yaml import YAML

from secboot.export.formats import WRITERS
from secboot.export.names import ExportFormat
from secboot.export.request import ExportRequest
from tests.export.requests import MADE_REQUESTS, from_text, shipped, site
from tests.packaging.programs import require, run

IGNITION = {"1.4.0": "3.3.0"}
"""For each Butane version, the Ignition version that it is translated to."""


def translated(text: str) -> dict[str, object]:
    document = YAML(typ="safe", pure=True).load(text)
    assert document.keys() == {"variant", "version", "kernel_arguments"}
    names = {"should_exist": "shouldExist", "should_not_exist": "shouldNotExist"}
    return {
        "ignition": {"version": IGNITION[document["version"]]},
        "kernelArguments": {
            names[key]: words for key, words in document["kernel_arguments"].items()
        },
    }


def complaints(configuration: dict[str, object], directory: Path) -> str:
    """The output of ignition-validate; it warns about unknown keys and continues."""
    path = directory / "config.ign"
    path.write_text(json.dumps(configuration))
    done = run(require("ignition-validate"), path)
    said = done.stdout + done.stderr
    assert said or done.returncode == 0
    return said


def exported(asked: ExportRequest) -> str:
    return WRITERS[ExportFormat.BUTANE].write(asked).text


@pytest.mark.parametrize(
    "asked",
    [
        shipped("guest"),
        shipped("host"),
        site(),
        from_text("version: 1\nparameters: {console: [hvc0, ttysclp0]}\n"),
        from_text("version: 1\nparameters: {quiet: {excludes: ['off', '1']}}\n"),
    ],
)
def test_ignition_accepts_the_arguments(asked: ExportRequest, tmp_path: Path) -> None:
    assert complaints(translated(exported(asked)), tmp_path) == ""


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=MADE_REQUESTS)
def test_ignition_accepts_any_value(asked: ExportRequest, tmp_path: Path) -> None:
    assert complaints(translated(exported(asked)), tmp_path) == ""


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"shouldExist": ["a=1", "a=1"]}, "duplicate entry"),
        ({"shouldexist": ["a=1"]}, "Unused key"),
        ({"shouldExist": "a=1"}, "json"),
    ],
)
def test_ignition_reports_errors(wrong: dict[str, object], complaint: str, tmp_path: Path) -> None:
    configuration = {"ignition": {"version": "3.3.0"}, "kernelArguments": wrong}

    assert complaint in complaints(configuration, tmp_path)


def test_the_version_is_the_first_that_has_kernel_arguments(tmp_path: Path) -> None:
    configuration = translated(exported(shipped("guest")))
    older = {**configuration, "ignition": {"version": "3.2.0"}}

    assert "Unused key kernelArguments" in complaints(older, tmp_path)
