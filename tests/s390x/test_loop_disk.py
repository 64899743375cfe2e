"""What a killed test run leaves mounted is removed, and what another run uses is not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.programs import CHECKOUT
from tests.s390x.loop_disk import LoopDisk, remove_stale
from tests.s390x.testbed import require_oracle

pytestmark = pytest.mark.oracle

HOLDER = """\
import time
from tests.s390x.loop_disk import LoopDisk
with LoopDisk() as disk:
    print(disk.mount, flush=True)
    time.sleep(600)
"""


def test_only_the_mount_of_a_dead_process_is_removed() -> None:
    require_oracle()
    command = [sys.executable, "-c", HOLDER]
    with (
        LoopDisk() as living,
        subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as holder,
    ):
        assert holder.stdout is not None
        mount = Path(holder.stdout.readline().rstrip())
        assert mount.parent not in remove_stale()
        assert os.path.ismount(mount)
        holder.send_signal(signal.SIGKILL)
        holder.wait()

        removed = remove_stale()

        assert mount.parent in removed
        assert not mount.parent.exists()
        assert living.mount.parent not in removed
        assert os.path.ismount(living.mount)
