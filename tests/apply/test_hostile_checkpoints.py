"""Records and journals of an attacker who can make their checksums: none is acted upon.

Each replaces the newest checkpoint of the sample machine, once as that of a finished change and once as
that of an interrupted one.
"""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from secboot.checkpoint.journal import JournalEntry, State, format_journal, parse_journal
from secboot.cli import main
from tests.checkpoint.scenes import CHECKPOINT, cut_journal, state_of, write_record
from tests.command import secboot

ENTRY = "/boot/loader/entries/x.conf"
TEMPORARY = ".secboot-0123456789abcdef.tmp"
AT = "2026-11-23T14:00:00Z"

PATHS: tuple[object, ...] = (
    "/etc/passwd",
    "/etc/secboot/profile",
    "/var/lib/secboot/checkpoints/1/journal",
    "/boot/vmlinuz",
    "/boot/loader/entries/x.conf.bak",
    "/boot/loader/entries/sub/x.conf",
    "/boot/loader/entries/../../../etc/passwd",
    "/boot/loader/entries/./x.conf",
    "/boot/loader//entries/x.conf",
    "/boot/loader/entries/",
    f"/boot/loader/entries/{TEMPORARY}",
    "/boot/loader/entries/x\0.conf",
    "boot/loader/entries/x.conf",
    "../etc/zipl.conf",
    "/..",
    "/",
    "",
    "\ud800",
)
TRIAL = {
    "entry": "x",
    "number": 1,
    "line": "a",
    "default": "y",
    "profile_path": "p",
    "profile_text": "t",
    "boot": "",
}


def setting(path: object, before: object = "1", after: object = "2", **more: object) -> object:
    return [{"path": path, "before": before, "after": after, "moment": "last", "boot": ""} | more]


TYPES: tuple[object, ...] = (None, True, 7, 1.5, [], {}, [["x"]], {"x": 1}, "\x1b[31mx")
HOSTILE: dict[str, tuple[object, ...]] = {
    "schema": ("secboot/checkpoint/1", "secboot/checkpoint/3", "secboot/plan/1", 2, None),
    "checkpoint": ("2", "0", "01", "../1", "1/../1", "9999999999", *TYPES),
    "root": (None, 7, [], {}),
    "audit": (*TYPES, "x"),
    "audit.action": ("delete", "rollback", *TYPES),
    "audit.command": ("x", [7], [None], None, {}, [], ["rm", "-r", "/"], ["secboot; rm", "x"]),
    "audit.who": (*TYPES, "x"),
    "audit.who.uid": (-(2**70), "0", None, 1.5),
    "audit.who.host": (None, 7, []),
    "audit.started": (
        "2026-02-30T14:00:00Z",
        "0000-01-01T00:00:00Z",
        "yesterday",
        "2026-11-23T14:00:00Z\x1b[31m",
        "",
        *TYPES,
    ),
    "audit.version": (None, 7, []),
    "audit.profile_digest": ("x", "0" * 63, "G" * 64, 7, []),
    "audit.undoes": ("1", "9", "x", "0", 7, []),
    "audit.left_alone": ("x", [7], {}, 7),
    "audit.confirms": ("0", "1", "9", "x", "../1", 7, []),
    "audit.trial": (
        *("x", 7, [], {}, True),
        *(TRIAL | {"number": number} for number in (0, 100, -1, "1", None, 2**70)),
        *(TRIAL | {name: 7} for name in TRIAL if name != "number"),
    ),
    "settings": (
        *(None, "x", 7, {}, [None], [[]], [{}], ["/sys/x"]),
        *map(setting, PATHS),
        *map(
            setting, ("/sys", "/sys/", "/sys/../etc/passwd", "/sys/./x", "/sys/a b", "/sys/$(id)")
        ),
        *(
            setting("/sys/x", value)
            for value in ("2", "|/bin/sh", "x\n", "\x1b", "x" * 21, 1, None)
        ),
        *(setting("/sys/x", "1", value) for value in ("$(id)", "'", "`id`", 1, None)),
        *(setting("/sys/x", moment=moment) for moment in ("never", None, 7)),
        *(setting("/sys/x", boot=boot) for boot in ("../x", "G", "0" * 37, None, 7)),
    ),
    "files": ([], {}, None, "x", [None], [[]]),
    "files.0.path": (*PATHS, *TYPES),
    "files.0.named": (*PATHS, *TYPES),
    "files.0.before": (7, "x", [], {}),
    "files.0.before.digest": ("", "x", "0" * 65, *TYPES),
    "files.0.before.size": (-1, 2**40, 2**70, "3", None, 1.5),
    "files.0.before.attributes": (*TYPES, "x"),
    "files.0.before.attributes.mode": ("99999", "-1", "0o644", "", 420, None),
    "files.0.before.attributes.uid": (-1, 2**32 - 1, 2**70, "0", None),
    "files.0.before.attributes.gid": (-1, 2**32 - 1, 2**70, "0", None),
    "files.0.before.attributes.xattrs": (
        {"a\0b": ""},
        {"user.x": "not base64"},
        {"x": 7},
        [],
        None,
    ),
    "files.0.after.digest": ("", "x", "0" * 65, *TYPES),
    "files.0.prepared": (
        "/etc/passwd",
        "../x",
        "x.conf",
        ".secboot-x.tmp",
        f"a/{TEMPORARY}",
        *TYPES,
    ),
    "files.0.restored": ("/etc/passwd", "..", ".", "", ".secboot-0123456789abcdeg.tmp", *TYPES),
    "files.0.prepared of": ("files.0.restored", "files.1.prepared", "files.1.restored"),
    "files.0.path of": ("files.1.path",),
}
RECORDS = [(field, value) for field, values in HOSTILE.items() for value in values]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hostile") / "m"
    assert main(["demo", str(root)]) == 0
    assert main(["apply", "guest", "--root", str(root)]) == 0
    return root


def changed(document: dict[str, Any], field: str, value: object) -> dict[str, Any]:
    made = copy.deepcopy(document)
    if field.endswith(" of"):
        field, value = field.removesuffix(" of"), at(made, str(value).split("."))
    *steps, last = field.split(".")
    at(made, steps)[last] = value
    return made


def at(document: Any, steps: list[str]) -> Any:  # noqa: ANN401 - a JSON value
    for step in steps:
        document = document[int(step)] if step.isdigit() else document[step]
    return document


def test_the_record_itself_is_read(
    template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "m"
    shutil.copytree(template, root)
    write_record(root, json.loads((root / CHECKPOINT / "record.json").read_bytes()))

    assert secboot(capsys, "rollback", "--root", root).code == 0


@pytest.mark.repeating
@pytest.mark.parametrize("cut_short", [False, True], ids=["finished", "interrupted"])
def test_no_hostile_record_is_acted_upon(
    *, cut_short: bool, template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "m"
    shutil.copytree(template, root)
    (root / "etc/passwd").write_text("root\n")
    document = json.loads((root / CHECKPOINT / "record.json").read_bytes())
    assert [each for each in document["files"] if each["before"] is None] == []
    if cut_short:
        cut_journal(root / CHECKPOINT, 1)
    # Each record in one of the two states.
    for field, value in RECORDS[cut_short::2]:
        where = (field, value)
        write_record(root, changed(document, field, value))
        before = state_of(root)

        said = secboot(capsys, "rollback", "--root", root)

        assert said.code == 1, (where, said)
        assert f"{root}/{CHECKPOINT}/record.json" in said.err, (where, said)
        assert "\x1b" not in said.out + said.err, where
        assert state_of(root) == before, where
        for words in (("plan", "guest"), ("history",), ("show",)):
            read = secboot(capsys, *words, "--root", root)
            assert read.code == 0, (where, words, read)
            assert "\x1b" not in read.out + read.err, where
        applied = secboot(capsys, "apply", "guest", "--root", root)
        assert applied.code == 0, (where, applied)
        assert state_of(root) == before, where
    assert len(RECORDS) > 180


JOURNALS: tuple[tuple[JournalEntry, ...], ...] = (
    (JournalEntry(State.DONE, AT),),
    (JournalEntry(State.COMMITTING, AT),),
    (JournalEntry(State.PREPARED, AT),),
    (JournalEntry(State.WRITING, AT), JournalEntry(State.WRITING, AT)),
    (JournalEntry(State.WRITING, AT), JournalEntry(State.DONE, AT), JournalEntry(State.STUCK, AT)),
    (JournalEntry(State.ROLLED_BACK, AT), JournalEntry(State.WRITING, AT)),
    (JournalEntry(State.WRITING, "\x1b[31m"),),
    (JournalEntry(State.WRITING, ""),),
    (JournalEntry(State.WRITING, AT, {"argv": ["rm", "-r", "/"]}),),
    (JournalEntry(State.WRITING, AT, {"reason": ["x"]}),),
    (JournalEntry(State.WRITING, AT, {"left": "/etc/passwd"}),),
    (JournalEntry(State.WRITING, AT), JournalEntry(State.DONE, AT, {"zipl": {"run": "rm"}})),
    (JournalEntry(State.WRITING, AT), JournalEntry(State.DONE, AT, {"zipl": [1]})),
    (JournalEntry(State.WRITING, AT), JournalEntry(State.DONE, AT, {"zipl": {"argv": ["rm"]}})),
    (JournalEntry(State.WRITING, AT), JournalEntry(State.DONE, AT, {"zipl": "rm -r /"})),
    (JournalEntry(State.WRITING, "2026-02-30T14:00:00Z"), JournalEntry(State.DONE, AT)),
)


@pytest.mark.parametrize("entries", JOURNALS, ids=str)
def test_no_hostile_journal_is_acted_upon(
    entries: tuple[JournalEntry, ...],
    template: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = tmp_path / "m"
    shutil.copytree(template, root)
    (root / CHECKPOINT / "journal").write_bytes(format_journal(entries, "1"))
    before = state_of(root)

    said = secboot(capsys, "rollback", "--root", root)

    assert said.code == 1
    assert f"{root}/{CHECKPOINT}/journal" in said.err
    assert secboot(capsys, "history", "--root", root).code == 0
    assert secboot(capsys, "apply", "guest", "--root", root).code == 0
    assert state_of(root) == before


def test_escapes_in_what_is_only_shown_reach_no_terminal(
    template: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "m"
    shutil.copytree(template, root)
    document = json.loads((root / CHECKPOINT / "record.json").read_bytes())
    evil = "\x1b[31m\u202e\n"
    for field in (
        "root",
        "audit.version",
        "audit.profile",
        "audit.zipl",
        "audit.who.user",
        "audit.who.host",
    ):
        document = changed(document, field, evil)
    write_record(root, changed(document, "audit.command", ["secboot", evil]))
    entries = parse_journal((root / CHECKPOINT / "journal").read_bytes(), "1")
    told = entries[-1]._replace(facts={"reason": evil})
    (root / CHECKPOINT / "journal").write_bytes(format_journal([*entries[:-1], told], "1"))

    shown = r"\x1b[31m\u202e\n"
    for words, code in (
        (("history",), 0),
        (("history", "1"), 0),
        (("keep",), 1),
        (("rollback",), 0),
        (("history",), 0),
    ):
        said = secboot(capsys, *words, "--root", root)
        assert said.code == code, said
        assert not {"\x1b", "\u202e"} & set(said.out + said.err), words
        assert shown in said.out + said.err or words == ("rollback",), words


@pytest.mark.parametrize("link", ["etc", "boot", "boot/loader", "boot/loader/entries"])
@pytest.mark.parametrize("cut_short", [False, True], ids=["finished", "interrupted"])
def test_no_link_leads_out_of_the_root(
    *,
    link: str,
    cut_short: bool,
    template: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A directory of boot files was replaced by a link since, absolute or with enough ``..``."""
    root = tmp_path / "m"
    shutil.copytree(template, root)
    if cut_short:
        cut_journal(root / CHECKPOINT, 1)
    outside = tmp_path / "outside"
    shutil.copytree(root / link, outside)
    before = state_of(outside)
    shutil.rmtree(root / link)
    for target in (outside, Path("../../../../../../../..") / str(outside)[1:]):
        (root / link).symlink_to(target)

        secboot(capsys, "rollback", "--root", root)
        secboot(capsys, "apply", "host", "--root", root)

        assert state_of(outside) == before
        (root / link).unlink()
