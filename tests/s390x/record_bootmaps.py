"""Rewrites the bootmaps in tests/data/bootmaps: ``python -m tests.s390x.record_bootmaps``."""

import json
import lzma
from pathlib import Path

from tests.s390x import bootmaps
from tests.s390x.loop_disk import LoopDisk
from tests.s390x.testbed import require_oracle

DATA = Path(__file__).parents[1] / "data" / "bootmaps"


def main() -> None:
    """Install every set-up with every zipl on every kind of disk, and on mirrors of them.

    Each bootmap is kept, and zipl's output, which is the same for every zipl and disk.
    """
    bed = require_oracle()
    said: dict[str, bootmaps.Reading] = {}
    with LoopDisk() as disk, bootmaps.base_devices() as bases:
        for version in bed.zipl:
            cell = bed.cell(disk.mount / version, disk, version)
            for name, kinds in bootmaps.targets(version).items():
                bootmaps.prepare(cell, bases, *kinds)
                for setup in bootmaps.SETUPS:
                    if setup != "many" or name == "eckd-ldl-4096":
                        verdict, data = bootmaps.install(cell, setup)
                        file = DATA / f"{version}-{name}-{setup}.xz"
                        file.write_bytes(lzma.compress(data, preset=9))
                        reading = bootmaps.said_by_zipl(verdict, len(kinds))
                        assert said.setdefault(setup, reading) == reading, file.name
    for setup, reading in said.items():
        (DATA / f"{setup}.json").write_text(json.dumps(reading, indent=1) + "\n")


if __name__ == "__main__":
    main()
