"""Damage whose repair needs no guess is repaired, and the result is the same as before.

If the same damage needs a guess in this place, that is reported and nothing is written.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.repair.damage import CONF, ENTRY, Damage
from tests.repair.repaired import check_repaired, read, repair
from tests.s390x.oracle import MACHINE
from tests.strategies import Setup, careful_setups
from tests.trees import SAMPLE_TREES, make_sample_tree, snapshot

ENTRIES = "boot/loader/entries"
EXAMPLES = 40
WITH_ADDED = {"appended_parameter", "inserted_parameter", "parameter_in_entry"}


def _damaged(path: Path, damage: Damage, random: Random) -> bool:
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    after = damage(text, random)
    if after is None or after == text:
        return False
    path.write_bytes(after.encode("utf-8", "surrogateescape"))
    return True


def _check(tree: Path, path: Path, name: str, damage: Damage, random: Random) -> str:
    """Damage one file and repair it; return the outcome."""
    before = read(tree)
    if not before.configuration.accepted or not _damaged(path, damage, random):
        return "not damaged"
    found = snapshot(tree)
    if read(tree).configuration.accepted and name not in {"windows_line_ends", "title_at_end"}:
        # zipl accepts it: a title on the last line, or a comment that is part of a value.
        plan = repair(tree)
        assert plan.repairs or snapshot(tree) == found
        return "harmless"
    plan = repair(tree)
    check_repaired(plan, before, read(tree), added=name in WITH_ADDED)
    if plan.refusal is not None:
        assert snapshot(tree) == found
        return "left"
    assert not repair(tree).files, "a repair leaves nothing to repair"
    return "repaired"


@pytest.mark.parametrize("tree", SAMPLE_TREES)
def test_samples_are_as_before(tree: str, tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    for number, (name, damage) in enumerate([*CONF.items(), *ENTRY.items()]):
        root = make_sample_tree(tree, tmp_path / str(number))
        confs = [root / "etc/zipl.conf", *root.glob("usr/lib/**/zipl.conf")]
        paths = confs if number < len(CONF) else sorted(root.glob(f"{ENTRIES}/*.conf"))
        for path in paths:
            if path.exists():
                counts[_check(root, path, name, damage, Random(number))] += 1  # noqa: S311 - the same each time
        shutil.rmtree(root)

    assert counts["repaired"] >= 5, counts


def _build(setup: Setup, root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    texts = {"etc/zipl.conf": setup.conf}
    texts |= {f"{ENTRIES}/{name}": text for name, text in setup.bls.items()}
    encoded = {path: text.encode(errors="surrogateescape") for path, text in texts.items()}
    for name, data in {**MACHINE, **encoded}.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


@pytest.mark.parametrize("name", [*CONF, *(f"entry-{name}" for name in ENTRY)])
def test_generated_configurations_are_as_before(name: str, tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    kind = name.removeprefix("entry-")
    of_entry = kind != name
    damage = (ENTRY if of_entry else CONF)[kind]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(careful_setups(), st.integers(0, 2**16))
    def check(setup: Setup, number: int) -> None:
        entries = sorted(file for file in setup.bls if file.endswith(".conf"))
        text = setup.conf if not of_entry else setup.bls[entries[0]] if entries else ""
        assume(text and damage(text, Random(number)) not in {None, text})  # noqa: S311 - the same each time
        _build(setup, tmp_path / "root")
        path = tmp_path / "root" / (f"{ENTRIES}/{entries[0]}" if of_entry else "etc/zipl.conf")
        counts[_check(tmp_path / "root", path, kind, damage, Random(number))] += 1  # noqa: S311 - ditto

    check()

    assert counts["repaired"] >= 5, counts
