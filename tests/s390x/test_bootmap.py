"""secboot reads from the real zipl's bootmaps what zipl reports that it wrote."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secboot.formats.bootmap import read_bootmap
from tests.s390x import bootmaps
from tests.s390x.bootmaps import SETUPS
from tests.s390x.real_zipl import Cell
from tests.s390x.testbed import require_oracle, zipl_versions

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module")
def bases() -> Iterator[tuple[str, ...]]:
    require_oracle()
    with bootmaps.base_devices() as devices:
        yield devices


@pytest.fixture(scope="module", params=zipl_versions())
def own_cell(request: pytest.FixtureRequest, cells: Callable[[str, str], Cell]) -> Cell:
    """A cell that can report another kind of disk."""
    return cells("bootmap", request.param)


@pytest.mark.parametrize("setup", SETUPS)
def test_the_record_matches_the_output_of_zipl(
    own_cell: Cell, bases: tuple[str, ...], setup: str
) -> None:
    for name, kinds in bootmaps.targets(own_cell.version).items():
        bootmaps.prepare(own_cell, bases, *kinds)

        verdict, data = bootmaps.install(own_cell, setup)

        found = read_bootmap(data, name)
        assert bootmaps.read_by_secboot(found) == bootmaps.said_by_zipl(verdict, len(kinds)), name
        assert found.block_size == kinds[0].block_size


def test_kernels_inside_the_bootmap_and_kernels_in_pieces(
    own_cell: Cell, bases: tuple[str, ...]
) -> None:
    targets = bootmaps.targets(own_cell.version)
    for kinds in [targets[name] for name in ("scsi-4096", "cdl-scsi512-4096") if name in targets]:
        bootmaps.prepare(own_cell, bases, *kinds)
        inside, data = bootmaps.install(own_cell, "menu", "--add-files")
        said = bootmaps.said_by_zipl(inside, len(kinds))
        assert bootmaps.read_by_secboot(read_bootmap(data)) == said

        own_cell.fill_with({**bootmaps.FILES, **SETUPS["menu"]})
        _scatter(own_cell.directory / "boot" / "initrd")
        verdict = own_cell.install()

        found = read_bootmap((own_cell.directory / "boot/bootmap").read_bytes())
        said = bootmaps.said_by_zipl(verdict, len(kinds))
        assert bootmaps.read_by_secboot(found) == said


def _scatter(path: Path) -> None:
    """Give a file more extents than fit in one block of a segment table."""
    path.unlink()
    with path.open("wb") as file:
        for number in range(300):
            # A hole after each block, so that the extents are not merged.
            file.seek(number * 8192)
            file.write(os.urandom(4096))
    subprocess.run(["sync", "-f", path], check=True)
