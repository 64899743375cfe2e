from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.checkpoint.record import (
    Action,
    Actor,
    Audit,
    DamagedCheckpointError,
    FileVersion,
    Record,
    SavedFile,
)
from secboot.system.files import FileAttributes, decode

# Bytes that are not UTF-8 are held by half surrogates (`secboot.system.files.decode`).
texts = st.binary().map(decode)
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
versions = st.none() | st.builds(FileVersion, texts, numbers, attributes)
names = st.from_regex(r"\.secboot-[0-9a-f]{16}\.tmp", fullmatch=True)
files = st.builds(
    SavedFile, texts.map(lambda path: f"/{path}"), texts, versions, versions, names, names
)
actors = st.builds(Actor, numbers, optional, optional, texts)
audits = st.builds(
    Audit,
    st.sampled_from(Action),
    st.lists(texts).map(tuple),
    actors,
    texts,
    texts,
    optional,
    optional,
    optional,
    optional,
)
records = st.builds(Record, texts, texts, audits, st.lists(files, max_size=3).map(tuple))


@given(records)
def test_round_trip(record: Record) -> None:
    data = record.to_json()

    assert data.isascii()
    assert Record.from_json(data) == record


def example() -> dict[str, object]:
    version = FileVersion("0" * 64, 3, FileAttributes(0o644, 0, 0, (("user.x", b"\xff"),)))
    name = ".secboot-0123456789abcdef.tmp"
    file = SavedFile("/etc/zipl.conf", "/etc/zipl.conf", version, None, name, name)
    actor = Actor(0, "root", "admin", "host")
    audit = Audit(Action.APPLY, ("secboot",), actor, "2026-11-23T14:00:00Z", "1")
    document: dict[str, object] = json.loads(Record("1", "/", audit, (file,)).to_json())
    return document


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b"\xff", b'{"schema": "other/1"}', b"[" * 100_000]
)
def test_what_is_no_record(data: bytes) -> None:
    with pytest.raises(DamagedCheckpointError):
        Record.from_json(data)


@pytest.mark.parametrize("name", ["/etc/passwd", "../x.tmp", ".secboot-x", "zipl.conf"])
def test_a_record_can_not_name_any_file_as_temporary(name: str) -> None:
    document = example()
    document["files"][0]["prepared"] = name  # type: ignore[index]

    with pytest.raises(DamagedCheckpointError):
        Record.from_json(json.dumps(document).encode())


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
        Record.from_json(json.dumps(document).encode())


def test_sudo_counts_for_root_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 0)
    assert Actor.current({"SUDO_USER": "admin"}).sudo_user == "admin"
    monkeypatch.setattr("os.getuid", lambda: 987_654)
    actor = Actor.current({"SUDO_USER": "admin"})
    assert actor.sudo_user is None
    assert actor.user is None
