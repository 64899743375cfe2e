from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from secboot.profile.fields import PROFILE_FIELDS
from secboot.profile.load import parse_profile
from secboot.profile.nodes import ProfileError
from secboot.profile.profile import ProfileText
from secboot.profile.schema import profile_schema
from secboot.profile.search import SHIPPED
from tests.export.requests import NoFiles
from tests.profile.test_load import BASE, WHOLE

INVALID = Path(__file__).parent / "invalid"
# What is wrong with these is gone, or not yet known, once YAML has become data.
INVISIBLE = {
    "alias-bomb", "anchors-and-tags", "cycle", "directive", "documents", "duplicate-key",
    "merge-key", "syntax", "tab", "unknown-parent", "drop", "equivalent-names", "too-large",
    "odd-numbers", "misspelt-names", "empty", "nesting", "open-quote", "structure", "size-3-KiB", "size-2-GiB",
    "size-1048575-blocks", "image-duplicate", "entries-none", "image-twice",
    "extends-misspelt", "extends-no-file", "misspelt-common-names",
}  # fmt: skip
# Imported by name: the library comes without types.
jsonschema = import_module("jsonschema")
VALIDATOR = jsonschema.Draft202012Validator(profile_schema())


def is_valid(text: str) -> bool:
    return bool(VALIDATOR.is_valid(YAML(typ="safe", pure=True).load(text)))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(profile_schema())


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_profiles_are_valid(name: str) -> None:
    assert is_valid((INVALID.parent.parent.parent / "profiles" / f"{name}.yaml").read_text())


@pytest.mark.parametrize("text", [WHOLE.replace("2026-11-23", "z"), BASE])
def test_other_good_profiles_are_valid(text: str) -> None:
    assert is_valid(text)


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(INVALID.glob("*.yaml")) if path.stem not in INVISIBLE],
    ids=lambda path: path.stem,
)
def test_broken_profiles_are_not(path: Path) -> None:
    assert not is_valid(path.read_text())


def test_every_broken_profile_that_is_left_out_exists() -> None:
    assert {path.stem for path in INVALID.glob("*.yaml")} >= INVISIBLE


def test_every_key_is_described() -> None:
    properties = profile_schema()["properties"]

    assert {key: value["description"] for key, value in properties.items()} == {
        field.key: field.meaning for field in PROFILE_FIELDS
    }


@pytest.mark.parametrize(
    ("asked", "is_good"),
    [
        ("console: {exactly: [a, b]}", True),
        ("console: {exactly: [a, a]}", True),
        ("console: [a]", True),
        ("console: {excludes: [a]}", True),
        ("console: {includes: [a], excludes: [b]}", True),
        ("earlycon: {bare: true}", True),
        ("nosmt: {bare: true}", True),
        ("other: {exactly: [a, b]}", True),
        ("loglevel: 3", True),
        ("loglevel: {excludes: [a]}", True),
        ("console: {exactly: a}", False),
        ("console: a", False),
        ("console: {bare: true}", False),
        ("console: {includes: [a, a]}", False),
        ("console: {includes: [a], absent: true}", False),
        ("console: {excludes: []}", False),
        ("loglevel: [3]", False),
        ("loglevel: {exactly: ['3', '4']}", False),
        ("loglevel: {bare: true}", False),
        ("prot_virt: {exactly: [1]}", False),
        ("swiotlb: {excludes: [force]}", False),
        ("nosmt: {bare: false}", False),
    ],
)
def test_single_values_are_judged_as_they_are_read(asked: str, *, is_good: bool) -> None:
    text = f"version: 1\nparameters:\n  {asked}\n"
    try:
        parse_profile(ProfileText("p", "p.yaml", text), NoFiles())
    except ProfileError:
        read = False
    else:
        read = True

    assert read is is_good
    assert is_valid(text) is is_good
