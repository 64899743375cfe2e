"""Every JSON document matches its published schema, on every sample machine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.command import Said
from tests.command import secboot as run
from tests.report.strict import SCHEMAS, strict_schema
from tests.trees import SAMPLE_TREES, make_sample_tree


def schema_of(document: dict[str, Any]) -> dict[str, Any]:
    """The schema of the document, closed for keys that it does not describe."""
    schema = strict_schema(document["schema"])
    Draft202012Validator.check_schema(schema)
    return schema


def require_valid(said: Said) -> None:
    assert said.code in {0, 5}, said.err
    document = json.loads(said.out)
    Draft202012Validator(schema_of(document)).validate(document)


@pytest.mark.parametrize("name", SAMPLE_TREES)
def test_documents_of_a_machine(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_sample_tree(name, tmp_path / "root")
    on_root = ("--root", root, "--output", "json")

    for words in (["plan", "guest"], ["show"], ["check"], ["history"], ["apply", "guest"]):
        require_valid(run(capsys, *words, *on_root))
    for words in (["history"], ["history", "1"], ["rollback"], ["apply", "guest-off"]):
        require_valid(run(capsys, *words, *on_root))


@pytest.mark.parametrize("more", [b"", b"timeout=soon\r\n"], ids=["repaired", "left"])
def test_documents_of_a_repair(
    more: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_sample_tree("rhel8", tmp_path / "root")
    conf = root / "etc/zipl.conf"
    conf.write_bytes(conf.read_bytes().replace(b"\n", b"\r\n") + more)
    on_root = ("--root", root, "--output", "json")

    require_valid(run(capsys, "check", *on_root))
    for words in (["check", "--fix", "--dry-run"], ["check", "--fix"]):
        said = run(capsys, *words, *on_root)
        assert (said.code == 1) == bool(more)
        require_valid(Said(0, said.out, said.err))
    require_valid(run(capsys, "history", *on_root))


@pytest.mark.parametrize("words", [["profile", "list"], ["profile", "show", "guest-large"]])
def test_documents_of_profiles(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    require_valid(run(capsys, *words, "--output", "json"))


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_a_schema_is_of_its_document(path: Path) -> None:
    schema = json.loads(path.read_text())

    Draft202012Validator.check_schema(schema)
    name, _, number = path.stem.rpartition("-")
    assert schema["properties"]["schema"]["const"] == f"secboot/{name}/{number}"
    assert "false" not in re.findall(r'"additionalProperties": (\w+)', path.read_text())


def with_unknown_keys(part: object) -> object:
    """A document as a later version may print it."""
    if isinstance(part, list):
        return [with_unknown_keys(each) for each in part]
    if isinstance(part, dict):
        return {**{key: with_unknown_keys(each) for key, each in part.items()}, "later": [{}]}
    return part


@pytest.mark.parametrize("verb", ["plan", "status", "verify"])
def test_readers_may_get_keys_that_they_do_not_know(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_sample_tree("rhel9", tmp_path / "root")
    document = json.loads(run(capsys, verb, "guest", "--root", root, "-o", "json").out)
    stem = document["schema"].removeprefix("secboot/").replace("/", "-")
    published = Draft202012Validator(json.loads((SCHEMAS / f"{stem}.json").read_text()))
    later = with_unknown_keys(document)

    assert published.is_valid(later)
    assert not Draft202012Validator(schema_of(document)).is_valid(later)
    if verb != "plan":
        read = []
        for each in (document, later):
            (tmp_path / "machine.json").write_text(json.dumps(each))
            said = run(capsys, "fleet", tmp_path / "machine.json")
            read.append((said.code, said.out))
        assert read[0] == read[1]


def undescribed(schema: dict[str, Any], place: str) -> list[str]:
    """The keys of the schema, and of the schemas in it, that have no description."""
    found = []
    for name, part in schema.get("properties", {}).items():
        found += [] if part.get("description") else [f"{place}.{name}"]
        found += undescribed(part, f"{place}.{name}")
    parts = [*schema.get("anyOf", ()), *schema.get("$defs", {}).values()]
    parts += [schema["items"]] if "items" in schema else []
    return found + [each for part in parts for each in undescribed(part, place)]


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_every_field_is_described(path: Path) -> None:
    schema = json.loads(path.read_text())

    assert schema["title"]
    assert all(each["description"] for each in schema["$defs"].values())
    assert undescribed(schema, path.stem) == []
