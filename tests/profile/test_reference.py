from __future__ import annotations

import re
from pathlib import Path

import pytest

from secboot.profile.fields import (
    ENTRY_FIELDS,
    IMAGE_FIELDS,
    PROFILE_FIELDS,
    REQUIREMENT_FIELDS,
    Field,
)
from secboot.profile.parameters import KNOWN, rules_for
from tests.profile.profile_files import parse

PAGE = Path(__file__).parent.parent.parent / "docs" / "reference" / "profile.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize(
    "field", [*PROFILE_FIELDS, *ENTRY_FIELDS, *IMAGE_FIELDS, *REQUIREMENT_FIELDS], ids=str
)
def test_every_key_is_on_it(field: Field) -> None:
    assert f"| `{field.key}` |" in PAGE.read_text()


@pytest.mark.parametrize("text", EXAMPLES)
def test_its_examples_read(text: str) -> None:
    assert parse(text).requirements


@pytest.mark.parametrize(
    ("name", "example"),
    [(name, form.example) for name in [*KNOWN, "other"] for form in rules_for(name).forms],
)
def test_the_example_of_every_form_reads(name: str, example: str) -> None:
    assert parse(f"version: 1\nparameters:\n  {name}: {example}\n").requirements


@pytest.mark.parametrize("field", PROFILE_FIELDS, ids=lambda field: str(field.key))
def test_the_example_of_every_key_reads(field: Field) -> None:
    parameters = "{swiotlbs: 1}" if field.key == "as_spelled" else "{a: 1}"
    others = {"version": "1", "parameters": parameters, "extends": "guest"} | {
        field.key: field.example
    }

    assert parse("".join(f"{key}: {value}\n" for key, value in others.items())).name == "site"


@pytest.mark.parametrize("field", ENTRY_FIELDS, ids=lambda field: str(field.key))
def test_the_example_of_every_way_to_choose_entries_reads(field: Field) -> None:
    profile = parse(f"version: 1\nextends: guest\nentries:\n  {field.key}: {field.example}\n")

    assert profile.entries.describe() != "all entries"
