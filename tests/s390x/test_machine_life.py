"""A day of a machine's life, compressed: kernels are installed and removed, profiles applied, things fail.

``SECBOOT_LIFE_STEPS`` and ``SECBOOT_LIFE_SEEDS`` make it longer; a failure shows the steps that led
to it, and its kind, zipl and seed repeat them.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.available import unavailable
from tests.s390x import tally
from tests.s390x.apt import AptError, Suite, native_architecture, unpack
from tests.s390x.cache import locked_cache
from tests.s390x.generated import SEED
from tests.s390x.living_machines import KINDS, Place
from tests.s390x.machine_life import Life
from tests.s390x.real_zipl import Cell
from tests.s390x.recipe import BASE_SUITE
from tests.s390x.testbed import zipl_versions
from tests.workshop import Workshop

pytestmark = [pytest.mark.oracle, pytest.mark.usefixtures("as_root")]

STEPS = int(os.environ.get("SECBOOT_LIFE_STEPS", "20"))
SEEDS = int(os.environ.get("SECBOOT_LIFE_SEEDS", "1"))


def _unpack(directory: Path) -> None:
    with locked_cache() as cache:
        files = Suite(BASE_SUITE, native_architecture(), cache).fetch(("linux-base",))
    unpack(files["linux-base"], directory)


@pytest.fixture(scope="module")
def linux_base(workshop: Workshop) -> Path:
    """The package with linux-update-symlinks, unpacked."""
    try:
        return workshop.directory("linux-base", _unpack)
    except (AptError, OSError) as error:
        unavailable(f"Debian's linux-base is not available: {error}")


@pytest.mark.parametrize("number", range(SEEDS))
@pytest.mark.parametrize("kind", KINDS)
def test_a_machine_s_life(
    kind: str, number: int, cells: Callable[[str, str], Cell], linux_base: Path, tmp_path: Path
) -> None:
    seed = SEED * SEEDS + number
    versions = zipl_versions()
    version = versions[(seed + list(KINDS).index(kind)) % len(versions)]
    place = Place(cells("life", version), tmp_path / "host", (linux_base / "usr/bin",))
    place.environment["PERL5LIB"] = str(linux_base / "usr/share/perl5")
    with Life(place, kind=kind, seed=seed) as life:
        try:
            for _ in range(STEPS):
                life.step()
        except Exception as error:
            error.add_note("\n".join([f"zipl {version}, seed {seed}:", *life.trace]))
            raise
        finally:
            tally.lived(version, life.done)
