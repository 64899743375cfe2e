"""A saved plan is read back as it was, or refused with the path of the value that is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secboot.errors import Location, ParseError
from secboot.finding import Finding, Severity
from secboot.layout.detect import detect_layout
from secboot.lines.changes import Command
from secboot.machine.discovery import discover
from secboot.machine.profile_files import read_profile
from secboot.plan.plan import Plan
from secboot.plan.planner import make_plan
from secboot.report.plan import plan_document, plan_text, read_plan
from secboot.report.style import PLAIN
from secboot.system.files import FileAttributes, FileChange
from secboot.system.root import Root
from tests.command import secboot
from tests.damaged import Document, put
from tests.trees import make_sample_tree, snapshot

Path_ = tuple[str | int, ...]


@cache
def sample_plan() -> Plan:
    with TemporaryDirectory() as directory:
        make_sample_tree("ubuntu-curtin", Path(directory))
        with Root(Path(directory)) as root:
            profile = read_profile("guest", root)
            plan = make_plan(profile, discover(root), detect_layout(root), with_zipl=True)
    warning = Finding("a", Severity.WARNING, "b", Location("/c", 1, 2), "do\nthis")
    return plan._replace(warnings=(warning,))


def sample() -> Document:
    made = json.loads(json.dumps(plan_document(sample_plan())))
    assert isinstance(made, dict)
    return made


def read(document: object) -> Plan:
    return read_plan(json.dumps(document).encode(), "x.plan")


def test_a_saved_plan_is_read_back() -> None:
    assert read(sample()) == sample_plan()


MUTATIONS: dict[str, Callable[[Document], None]] = {
    "root": put("root", to=None),
    "profile": put("profile", to="guest"),
    "profile.role": put("profile", "role", to=1),
    "entries": put("entries", to={}),
    "entries[0].location": put("entries", 0, "location", to=None),
    "entries[0].status": put("entries", 0, "status", to="changed"),
    "entries[0].default": put("entries", 0, "default", to="yes"),
    "entries[0].location.line": put("entries", 0, "location", "line", to="3"),
    "files": put("files", to=None),
    "files[0].path": put("files", 0, "path", to=["/etc/zipl.conf"]),
    "files[0].before": put("files", 0, "before", to="?"),
    "files[0].digest_after": put("files", 0, "digest_after", to=0),
    "files[0]: '' is not a path": put("files", 0, "real_path", to=""),
    "files[0]: '../x' is not a path": put("files", 0, "path", to="../x"),
    "files[0].attributes: has no mode": put(
        "files", 0, "attributes", to={"mode": "77777", "uid": 0, "gid": 0, "xattrs": {}}
    ),
    "files[0].attributes: has no user": put(
        "files", 0, "attributes", to={"mode": "0644", "uid": 2**32, "gid": 0, "xattrs": {}}
    ),
    "files[0].attributes: has an extended": put(
        "files", 0, "attributes", to={"mode": "0644", "uid": 0, "gid": 0, "xattrs": {"\0": ""}}
    ),
    "commands[0]: names no program": put("commands", 0, "argv", to=[]),
    "commands[0].argv": put("commands", 0, "argv", to="zipl"),
    "commands[0].argv[0]": put("commands", 0, "argv", 0, to=1),
    "warnings[0].message": put("warnings", 0, "message", to={}),
    "warnings[0].severity": put("warnings", 0, "severity", to="fatal"),
    "inputs[0]": put("inputs", 0, to=[]),
    "inputs[0].digest": put("inputs", 0, "digest", to=float("nan")),
    "refusal": put("refusal", to=False),
    "steps": put("steps", to=[0]),
}


@pytest.mark.parametrize("where", MUTATIONS)
def test_one_damaged_value_is_named(
    where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = sample()
    MUTATIONS[where](document)
    saved, root = tmp_path / "x.plan", make_sample_tree("ubuntu-curtin", tmp_path / "root")
    saved.write_text(json.dumps(document))
    before = snapshot(root)

    said = secboot(capsys, "apply", saved, "--root", root)

    assert said.code == 2
    assert where in said.err or "NaN is not a number" in said.err
    assert "make it again with" in said.err
    assert snapshot(root) == before


def nodes(value: object, path: Path_ = ()) -> Iterator[Path_]:
    """Where the values of a document are."""
    items = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type]
    for key, part in items:
        yield (*path, key)
        if isinstance(part, dict | list):
            yield from nodes(part, (*path, key))


odd: st.SearchStrategy[object] = st.sampled_from(
    [None, True, 0, -1, 1.5, 10**400, "", "\ud800", "\udc80", "\x00", "a/../..", [], [[]], {}]
) | st.recursive(st.none(), lambda values: st.lists(values, max_size=1), max_leaves=40)


@settings(deadline=None)
@given(st.sampled_from(list(nodes(sample()))), odd)
def test_any_changed_value_is_a_plan_or_one_error(where: Path_, value: object) -> None:
    document = sample()
    put(*where, to=value)(document)
    refused(document)


@settings(deadline=None)
@given(st.sampled_from(list(nodes(sample()))))
def test_any_removed_value_is_a_plan_or_one_error(where: Path_) -> None:
    document = sample()
    node: Any = document
    for step in where[:-1]:
        node = node[step]
    del node[where[-1]]
    refused(document)


def refused(document: object) -> None:
    with suppress(ParseError):
        plan = read(document)
        assert read(plan_document(plan)) == plan


def test_the_hint_of_a_warning_is_printed() -> None:
    text = plan_text(sample_plan(), PLAIN, diffs=False)

    assert "/c:1:2: warning: b\n    do\n    this\n" in text


text = st.text(st.characters(codec="utf-8") | st.just("\udcff"), max_size=3)
paths = st.text("ab/.", max_size=5).map("/{}".format)
SPECIAL: dict[object, st.SearchStrategy[Any]] = {
    str: text,
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    bytes: st.binary(max_size=3),
    FileAttributes: st.builds(
        FileAttributes,
        st.integers(0, 0o7777),
        st.integers(0, 9),
        st.integers(0, 9),
        st.dictionaries(
            text.filter(lambda name: "\0" not in name), st.binary(max_size=2), max_size=2
        ).map(lambda xattrs: tuple(sorted(xattrs.items()))),
    ),
    Command: st.builds(Command, st.lists(text, min_size=1, max_size=2).map(tuple), text),
}


def values_of(kind: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - no type says "an annotation"
    """Any value of a type that documents hold."""
    if kind in SPECIAL:
        return SPECIAL[kind]
    arguments = get_args(kind)
    if type(None) in arguments:
        return st.none() | values_of(next(each for each in arguments if each is not type(None)))
    if get_origin(kind) is tuple:
        return st.lists(values_of(arguments[0]), max_size=2).map(tuple)
    if issubclass(kind, StrEnum):
        return st.sampled_from(list(kind))
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: values_of(hints[name]) for name in kind._fields})


SPECIAL[FileChange] = st.builds(
    FileChange,
    paths,
    paths,
    values_of(bytes | None),
    values_of(bytes | None),
    values_of(FileAttributes | None),
).filter(lambda change: not change.flaw())


@settings(deadline=None)
@given(values_of(Plan))
def test_every_plan_is_read_back(plan: Plan) -> None:
    assert read(plan_document(plan)) == plan
