"""Write the bootmaps in tests/data/bootmaps anew: ``python -m tests.s390x.record_bootmaps``."""

import json
import lzma
from pathlib import Path

from tests.s390x import bootmaps
from tests.s390x.loop_disk import LoopDisk
from tests.s390x.real_zipl import Cell
from tests.s390x.testbed import require_oracle

DATA = Path(__file__).parents[1] / "data" / "bootmaps"


def main() -> None:
    """Install every set-up with every zipl on every kind of disk; keep bootmap and verdict."""
    bed = require_oracle()
    DATA.mkdir(exist_ok=True)
    with LoopDisk() as disk, bootmaps.base_device() as base:
        for version, sysroot in bed.zipl.items():
            cell = Cell(disk.mount / version, sysroot, bed.shell, disk, version)
            for kind in bootmaps.DISKS:
                bootmaps.prepare(cell, base, bootmaps.DISKS[kind])
                for setup in bootmaps.SETUPS:
                    if setup != "many" or kind == "eckd-ldl-4096":
                        _record(cell, f"{version}-{kind}-{setup}", setup)


def _record(cell: Cell, name: str, setup: str) -> None:
    verdict, data = bootmaps.install(cell, setup)
    (DATA / f"{name}.xz").write_bytes(lzma.compress(data, preset=9))
    said = json.dumps(bootmaps.said_by_zipl(verdict), indent=1)
    (DATA / f"{name}.json").write_text(said + "\n")


if __name__ == "__main__":
    main()
