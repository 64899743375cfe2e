"""secboot.pyz on s390x: on the Python of Debian's s390x system, which really boots for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.s390x.guest import Guest
from tests.s390x.guest_disk import ROOT
from tests.s390x.testbed import require_ipl

pytestmark = pytest.mark.ipl

JOB = """\
unset PYTHONPATH
run version ./secboot.pyz --version
run demo ./secboot.pyz demo /tmp/machine
run apply ./secboot.pyz apply guest --root /tmp/machine
run again ./secboot.pyz apply guest --root /tmp/machine
run machine uname -m
"""


def test_the_demo_runs_on_s390x(pyz: Path, tmp_path: Path) -> None:
    guest = Guest.create(require_ipl(), tmp_path, None)

    result = guest.run(JOB, {"secboot.pyz": pyz.read_bytes()}, direct=f"{ROOT} ro")

    assert result.output("machine").strip() == "s390x"
    assert result.output("version").startswith("secboot ")
    for name in ("demo", "apply", "again"):
        assert result.status(name) == 0, result.output(name)
    assert "Undo with: secboot rollback 1" in result.output("apply")
    assert "Boot record not updated" in result.output("again")
