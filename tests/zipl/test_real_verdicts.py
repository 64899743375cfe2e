"""Verdicts of the real zipl 2.16 and 2.40 (Debian's) and of the scanner of 2.43 on given files.

`data/real_verdicts.json` was recorded by running the two programs; `verdicts.tsv` in the samples
comes from the scanner of 2.43 alone, so all other files there are as zipl requires.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from secboot.formats.zipl_conf import ZiplConf
from secboot.formats.zipl_line import Keyword
from secboot.zipl.configuration import BootConfiguration, ConfFile, interpret
from secboot.zipl.file_facts import FileFacts, PathKind
from secboot.zipl.order import BlsFile
from secboot.zipl.version import ZiplVersion
from tests.zipl.files import DIRECTORY, KERNEL, LEGACY_KERNEL, SMALL, AgreeableFiles, FakeFiles

RECORDED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "real_verdicts.json").read_text()
)
PROBES = Path(__file__).parent.parent / "data" / "samples" / "grammar-probes"
TABLE = [line.split("\t") for line in (PROBES / "verdicts.tsv").read_text().splitlines()[1:]]
FILES = FakeFiles(
    {
        "/srv/": DIRECTORY,
        "/srv/box": DIRECTORY,
        "/srv/box/boot": DIRECTORY,
        "/srv/box/boot/img": KERNEL,
        "/srv/box/boot/img0": LEGACY_KERNEL,
        "/srv/box/boot/small": FileFacts(PathKind.REGULAR, size=100),
        "/srv/box/boot/rd": SMALL,
        "/srv/box/imgx": KERNEL,
        "/srv/box/rdx": SMALL,
    },
    {"/srv/box/boot/pf": "pa\npb\n\npc\n"},
)
WHOLE_RUN_ONLY = "miss rd single optional"
"""Recorded as an ordinary user; as root, zipl continues and refuses it (tests/s390x/test_corners.py)."""
STALE_REASON = {"zipl.default-ignored", "zipl.image-small", "zipl.parameters-length"}
"""Where zipl's message differs from secboot's: zipl adds the reason of an earlier lookup."""


def read(case: dict[str, Any], version: str) -> BootConfiguration:
    conf = ConfFile("D/zipl.conf", case["conf"])
    bls = [BlsFile(f"D/e/{name}", text) for name, text in case.get("bls", {}).items()]
    major, minor = version.split(".")
    return interpret(conf, bls, FILES, ZiplVersion(int(major), int(minor)))


@pytest.mark.parametrize("version", ["2.16", "2.40"])
@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["name"])
def test_the_verdict_is_that_of_the_real_zipl(case: dict[str, Any], version: str) -> None:
    configuration = read(case, version)
    if case["name"] == WHOLE_RUN_ONLY:
        assert case[version] == "accepted"
        assert not configuration.accepted
        return

    verdict = "accepted"
    if not configuration.accepted:
        verdict = configuration.refusals[0].zipl_message
        if configuration.problems[0].code in STALE_REASON:
            case = {**case, version: case[version][: len(verdict)]}
    assert verdict == case[version]


@pytest.mark.parametrize(
    ("case", "version"),
    [
        pytest.param(case, version, id=f"{case['name']}-{version}")
        for case in RECORDED
        for version in ("2.16", "2.40")
        if f"order {version}" in case
    ],
)
def test_entries_are_read_in_the_order_of_the_real_zipl(case: dict[str, Any], version: str) -> None:
    read_in_order = [entry.path.rpartition("/")[2] for entry in read(case, version).bls]

    # zipl stops reading at the first entry that it refuses.
    order = case[f"order {version}"]
    assert read_in_order[: len(order)] == order


@pytest.mark.parametrize(("name", "verdict", "error"), TABLE, ids=[row[0] for row in TABLE])
def test_the_probes_of_the_grammar_are_judged_as_recorded(
    name: str, verdict: str, error: str
) -> None:
    bls: list[BlsFile] = []
    path = PROBES / name
    if name.startswith("bls/"):
        folder = name.removeprefix("bls/")
        entries = sorted((path / "entries").glob("*"))
        bls = [BlsFile(f"{folder}//entries/{file.name}", decode(file)) for file in entries]
        path /= "zipl.conf"

    configuration = interpret(
        ConfFile("z", decode(path)), bls, _agreeable_files(decode(path)), ZiplVersion(2, 43)
    )

    first = [f"Error: {problem.zipl_message}" for problem in configuration.refusals[:1]]
    assert first == ([error] if error else [])
    assert configuration.accepted == (verdict == "accepted")


def _agreeable_files(conf: str) -> AgreeableFiles:
    """Files without problems: every target is a directory."""
    lines = ZiplConf.parse(conf).lines
    targets = [line.value.text for line in lines if line.value and line.keyword is Keyword.TARGET]
    devices = [line.value.text for line in lines if line.value and line.keyword is Keyword.TAPE]
    return AgreeableFiles(frozenset(targets), frozenset(devices))


def decode(path: Path) -> str:
    return path.read_bytes().decode(errors="surrogateescape")
