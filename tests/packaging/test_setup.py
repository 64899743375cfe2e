"""The scripts that set up what the tests need run before anything is installed."""

from __future__ import annotations

import sys

import pytest

from tests.packaging.programs import CHECKOUT, run


@pytest.mark.parametrize("script", ["tests/s390x/setup", "tests/export/setup", "packaging/setup"])
def test_a_set_up_script_needs_nothing_but_python(script: str) -> None:
    load = f"import runpy; runpy.run_path({str(CHECKOUT / script)!r}, run_name='loaded')"

    done = run(sys.executable, "-I", "-S", "-c", load)

    assert done.returncode == 0, done.stderr
