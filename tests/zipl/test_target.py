from __future__ import annotations

import pytest

from secboot.zipl.configuration import ConfFile, interpret
from secboot.zipl.version import CURRENT
from tests.zipl.files import BOOT

GOOD = {
    "targetbase": "/dev/loop0",
    "targettype": "SCSI",
    "targetblocksize": "512",
    "targetoffset": "0",
}
LINES = {
    "targetbase": 6,
    "targettype": 7,
    "targetgeometry": 8,
    "targetblocksize": 9,
    "targetoffset": 10,
}


def first_problem(keywords: dict[str, str]) -> str:
    body = "".join(f"{word}={keywords[word]}\n" if word in keywords else "\n" for word in LINES)
    conf = f"[defaultboot]\ndefault=a\n[a]\ntarget=/boot\nimage=/boot/vmlinuz\n{body}"
    problems = interpret(ConfFile("z", conf), [], BOOT, CURRENT).refusals
    return problems[0].zipl_message if problems else ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, ""),
        ({"targettype": "fba", "targetblocksize": " 4096 ", "targetoffset": "-1"}, ""),
        ({"targettype": "ldl", "targetgeometry": "1, 2, 3"}, ""),
        ({"targettype": "XYZ"}, "Line 7: Unrecognized 'targettype' value 'XYZ'"),
        (
            {"targettype": "CDL"},
            "Line 7: keyword 'targetgeometry' required when specifying 'targettype' CDL",
        ),
        (
            {"targetgeometry": "1,2,3"},
            "Line 8: keyword 'targetgeometry' not allowed for 'targettype' SCSI",
        ),
        (
            {"targettype": "cdl", "targetgeometry": "1,0,3"},
            "Line 8: Invalid target geometry '1,0,3'",
        ),
        ({"targetblocksize": "100"}, "Line 9: Invalid target blocksize '100'"),
        ({"targetoffset": "1x"}, "Line 10: Invalid target offset '1x'"),
    ],
)
def test_the_place_to_install_to_must_be_given_in_full(
    changes: dict[str, str], message: str
) -> None:
    assert first_problem(GOOD | changes) == message


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("targetbase", "Line 7: keyword 'targetbase' required when specifying 'targettype'"),
        ("targettype", "Line 6: keyword 'targettype' required when specifying 'targetbase'"),
        (
            "targetblocksize",
            "Line 6: Keyword 'targetblocksize' required when specifying 'targetbase'",
        ),
        ("targetoffset", "Line 6: Keyword 'targetoffset' required when specifying 'targetbase'"),
    ],
)
def test_a_missing_keyword_is_named(missing: str, message: str) -> None:
    assert first_problem({word: GOOD[word] for word in GOOD if word != missing}) == message
