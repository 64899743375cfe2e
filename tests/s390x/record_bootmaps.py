"""Write the bootmaps in tests/data/bootmaps anew: ``python -m tests.s390x.record_bootmaps``."""

import json
import lzma
from pathlib import Path

from tests.s390x import bootmaps
from tests.s390x.loop_disk import LoopDisk
from tests.s390x.testbed import require_oracle

DATA = Path(__file__).parents[1] / "data" / "bootmaps"


def main() -> None:
    """Install every set-up with every zipl on every kind of disk; keep each bootmap, and what zipl said.

    Of a set-up, every zipl says the same on every disk.
    """
    bed = require_oracle()
    said: dict[str, bootmaps.Reading] = {}
    with LoopDisk() as disk, bootmaps.base_device() as base:
        for version in bed.zipl:
            cell = bed.cell(disk.mount / version, disk, version)
            for kind in bootmaps.DISKS:
                bootmaps.prepare(cell, base, bootmaps.DISKS[kind])
                for setup in bootmaps.SETUPS:
                    if setup != "many" or kind == "eckd-ldl-4096":
                        verdict, data = bootmaps.install(cell, setup)
                        file = DATA / f"{version}-{kind}-{setup}.xz"
                        file.write_bytes(lzma.compress(data, preset=9))
                        reading = bootmaps.said_by_zipl(verdict)
                        assert said.setdefault(setup, reading) == reading, file.name
    for setup, reading in said.items():
        (DATA / f"{setup}.json").write_text(json.dumps(reading, indent=1) + "\n")


if __name__ == "__main__":
    main()
