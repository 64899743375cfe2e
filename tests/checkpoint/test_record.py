from __future__ import annotations

import contextlib
import json
from datetime import datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from secboot.checkpoint.checksum import DamagedCheckpointError
from secboot.checkpoint.record import (
    Action,
    Actor,
    Audit,
    FileVersion,
    Record,
    SavedFile,
)
from secboot.system.files import FileAttributes, decode
from secboot.system.root import parents
from tests.checkpoint.scenes import resealed

MOMENTS = (datetime(1970, 1, 1), datetime(9999, 12, 31))  # noqa: DTZ001 - UTC, like all of them
# Bytes that are not UTF-8 are held by half surrogates (`secboot.system.files.decode`).
texts = st.binary(max_size=20).map(decode)
numbers = st.integers(0, 2**32 - 2)
optional = st.none() | texts
attributes = st.builds(
    FileAttributes,
    st.integers(0, 0o7777),
    numbers,
    numbers,
    st.dictionaries(texts.map(lambda name: name.replace("\0", "")), st.binary()).map(
        lambda xattrs: tuple(sorted(xattrs.items()))
    ),
)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
moments = st.datetimes(MOMENTS[0], MOMENTS[1]).map(lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}")
steps = texts.map(lambda name: name.replace("/", "").replace("\0", "")).filter(
    lambda name: name not in {"", ".", ".."}
)
paths = st.lists(steps, min_size=1).map(lambda names: "".join(f"/{name}" for name in names))


@st.composite
def saved_files(draw: st.DrawFn) -> tuple[SavedFile, ...]:
    found = []
    for number, path in enumerate(draw(st.lists(paths, min_size=1, max_size=3, unique=True))):
        one = FileVersion(draw(digests), draw(st.integers(0, 2**24)), draw(attributes))
        other = FileVersion(draw(digests), draw(st.integers(0, 2**24)), draw(attributes))
        assume(one.digest != other.digest)
        before, after = draw(st.sampled_from([(one, other), (None, one), (one, None)]))
        names = (f".secboot-{number:016x}.tmp", f".secboot-1{number:015x}.tmp")
        found.append(SavedFile(path, draw(paths), before, after, *names))
    return tuple(found)


actors = st.builds(Actor, numbers, optional, optional, texts)


@st.composite
def records_of(draw: st.DrawFn) -> Record:
    number = draw(st.integers(2, 10**9 - 1))
    action = draw(st.sampled_from(Action))
    undoes = str(draw(st.integers(1, number - 1))) if action is Action.ROLLBACK else None
    audit = Audit(
        action,
        ("secboot", *draw(st.lists(texts))),
        draw(actors),
        draw(moments),
        draw(texts),
        draw(optional),
        draw(st.none() | digests),
        draw(optional),
        undoes,
    )
    files = draw(saved_files())
    above = sorted({parent for file in files for parent in parents(file.path)})
    made = draw(st.lists(st.sampled_from(above))) if above else []
    return Record(str(number), draw(texts), audit, files, directories=tuple(made))


records = records_of()


@given(records)
def test_round_trip(record: Record) -> None:
    data = record.to_json()

    assert data.isascii()
    assert Record.from_json(data, record.checkpoint) == record


RECORD = Record(
    "7",
    "/",
    Audit(
        Action.APPLY,
        ("secboot",),
        Actor(0, "root", "admin", "host"),
        "2026-11-23T14:00:00Z",
        "1",
        "guest",
        "1" * 64,
    ),
    (
        SavedFile(
            "/etc/zipl.conf",
            "/etc/zipl.conf",
            FileVersion("0" * 64, 3, FileAttributes(0o644, 0, 0, (("user.x", b"\xff"),))),
            None,
            ".secboot-0123456789abcdef.tmp",
            ".secboot-0123456789abcdee.tmp",
        ),
    ),
)


def example() -> dict[str, object]:
    """Return the record as changed by an attacker, who can also make a checksum."""
    document: dict[str, object] = json.loads(RECORD.to_json())
    return document


def read(document: dict[str, object]) -> Record:
    """Read a document with a matching checksum."""
    return Record.from_json(resealed(document, "7"), "7")


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b"\xff", b'{"schema": "other/1"}', b"[" * 100_000]
)
def test_what_is_no_record(data: bytes) -> None:
    with pytest.raises(DamagedCheckpointError):
        Record.from_json(data, "7")


@pytest.mark.parametrize("name", ["/etc/passwd", "../x.tmp", ".secboot-x", "zipl.conf"])
def test_a_record_can_not_name_any_file_as_temporary(name: str) -> None:
    document = example()
    document["files"][0]["prepared"] = name  # type: ignore[index]

    with pytest.raises(DamagedCheckpointError):
        read(document)


@pytest.mark.parametrize("name", ["/", "/usr", "etc", "/etc/", "/etc/..", "/etc/zipl.conf"])
def test_a_record_can_not_name_any_directory_as_created(name: str) -> None:
    assert read({**example(), "directories": ["/etc"]}).directories == ("/etc",)

    with pytest.raises(DamagedCheckpointError):
        read({**example(), "directories": [name]})


def test_the_example_is_read() -> None:
    assert read(example()) == RECORD
    assert Record.from_json(RECORD.to_json(), "7") == RECORD


def test_a_record_with_any_bit_flipped_or_any_end_lost_is_damaged() -> None:
    data = RECORD.to_json()
    damaged = [data[:length] for length in range(len(data))]
    damaged += [
        data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        for at in range(len(data))
        for bit in range(8)
    ]
    for text in damaged:
        with pytest.raises(DamagedCheckpointError):
            Record.from_json(text, "7")


@given(st.data())
def test_a_record_with_one_field_replaced_is_one_or_is_damaged(data: st.DataObject) -> None:
    document = example()
    place: object = document
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            place[key] = data.draw(
                st.sampled_from([None, True, -1, 1.5, "", "x", [], {}, [[]], {"x": 1}, "\ud800"])
            )
            break
        place = place[key]

    with contextlib.suppress(DamagedCheckpointError):
        read(document)


def test_sudo_counts_for_root_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 0)
    assert Actor.current({"SUDO_USER": "admin"}).sudo_user == "admin"
    monkeypatch.setattr("os.getuid", lambda: 987_654)
    actor = Actor.current({"SUDO_USER": "admin"})
    assert actor.sudo_user is None
    assert actor.user is None
