"""No input of secboot is a bug: earlier finds, a short search, and proof that the search finds bugs.

``SECBOOT_FUZZ_MINUTES`` makes the search longer; ``python -m tests.fuzz --help`` says how to
continue after a find.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.campaign import Campaign, attempt, minimised
from tests.fuzz.probes import Probes
from tests.fuzz.targets import TARGETS, Target

MINUTES = os.environ.get("SECBOOT_FUZZ_MINUTES", "0.3")
CORPUS = Path(__file__).parent / "corpus"
"""Inputs that once showed a bug, by target."""
PLACE = str(Path(__file__).parents[2] / "planted.py")
ONCE_FOUND = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


@pytest.mark.repeating
@pytest.mark.parametrize("name", TARGETS)
def test_the_samples_are_read(name: str) -> None:
    samples = TARGETS[name].samples()

    assert samples
    assert [found for data in samples if (found := attempt(TARGETS[name], data))] == []


@pytest.mark.parametrize("path", ONCE_FOUND, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_found_once_is_read(path: Path) -> None:
    assert attempt(TARGETS[path.parent.name], path.read_bytes()) is None


@pytest.mark.repeating
def test_a_short_search_finds_nothing(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.fuzz", "--minutes", MINUTES, "--seed", "1"]
    words += ["--finds", str(tmp_path)]

    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "FOUND" not in done.stdout
    *each, whole = done.stdout.splitlines()
    assert len(each) == 1 + len(TARGETS)
    assert " 0 finds" in whole


PLANTED = b"""\
def read(data):
    if data[:1] == b"z":
        if data[1:2] == b"i" and data[2:3] == b"p":
            if b"l" in data[3:]:
                raise KeyError(data)

def count(data):
    found = 0
    for start in range(0, len(data), 8):
        found += data[start:].count(b"x")
    return found

def choose(data):
    return "one" if data else "other"
"""


@pytest.fixture
def planted() -> tuple[Probes, dict[str, Callable[[bytes], None]]]:
    """Functions with a bug, with probes in them."""
    probes = Probes()
    names: dict[str, Callable[[bytes], None]] = {}
    # Here the probes are a name in the module; for secboot's modules they are built in.
    exec(probes.compiled(PLANTED, PLACE), {"__secboot_hits__": probes.hits}, names)  # noqa: S102
    return probes, names


def campaign(probes: Probes, read: Callable[[bytes], None]) -> Campaign:
    return Campaign("planted", Target(read, lambda: (b"a",)), probes, Random(1))  # noqa: S311


Planted = tuple[Probes, dict[str, Callable[[bytes], None]]]


def test_what_takes_four_steps_to_reach_is_found_and_made_small(planted: Planted) -> None:
    probes, names = planted
    search = campaign(probes, names["read"])

    for _ in range(50):
        search.run(0.2)
        if search.finds:
            break

    (found,) = search.finds.values()
    assert found.place == "KeyError planted.py:5"
    assert found.data == b"zipl"
    assert {line for _, line in search.lines} >= {2, 3, 4, 5}
    assert len(search.inputs) > 3


def test_what_grows_faster_than_its_input_is_found(planted: Planted) -> None:
    probes, names = planted
    search = campaign(probes, names["count"])

    for _ in range(50):
        search.run(0.2)
        if search.finds:
            break

    assert any(place.startswith("slow ") for place in search.finds)


def test_what_does_not_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_data: bytes) -> None:
        while True:
            pass

    monkeypatch.setattr("tests.fuzz.campaign.HANGS_AFTER", 0.2)

    found = attempt(Target(read, tuple), b"")

    assert found is not None
    assert found[0].startswith("hangs ")


def test_the_arms_of_an_expression_are_distinguished(planted: Planted) -> None:
    probes, names = planted
    reached = []
    for data in (b"", b"x"):
        probes.reset()
        names["choose"](data)
        reached.append(probes.reached())

    assert reached[0] != reached[1]
    assert probes.lines_of(reached[0]) == probes.lines_of(reached[1]) == {(PLACE, 14)}


def test_a_loop_that_runs_longer_is_new(planted: Planted) -> None:
    probes, names = planted
    reached = []
    for size in (8, 40, 80, 8000):
        probes.reset()
        names["count"](bytes(size))
        reached.append(probes.reached())

    assert reached[0] != reached[1] != reached[2] == reached[3]
    assert reached[0] & ~reached[1] == 0


def test_a_find_is_made_as_small_as_can_be() -> None:
    assert minimised(b"abcdXefghYij" * 9, lambda data: b"X" in data and b"Y" in data) in {
        b"XY",
        b"YX",
    }
