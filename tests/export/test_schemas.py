"""Documents whose reader is not available here, checked with its published schema."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from jsonschema import Draft4Validator, Draft202012Validator
from jsonschema.exceptions import ValidationError
from ruamel.yaml import YAML

from secboot.export.formats import WRITERS
from secboot.export.names import ExportFormat
from secboot.export.request import ExportRequest
from tests.export.requests import from_text, shipped, site
from tests.packaging.programs import CHECKOUT

SCHEMAS = CHECKOUT / "tests/data/schemas"


def document(form: ExportFormat, order: ExportRequest) -> Any:  # noqa: ANN401 - whatever it holds
    return YAML(typ="safe", pure=True).load(WRITERS[form].write(order).text)


def closed(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """The schema without additional keys, so that misspelled ones are errors."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type", "object") == "object":
        found["additionalProperties"] = False
    return found


def read_schema(name: str) -> Any:  # noqa: ANN401 - any schema
    return closed(json.loads((SCHEMAS / name).read_text()))


def check_autoinstall(found: object) -> None:
    Draft4Validator(read_schema("ubuntu-server-autoinstall.json")).validate(found)


def check_machineconfig(found: object) -> None:
    Draft202012Validator(read_schema("machineconfig-v1.json")).validate(found)


CHECKS = {
    ExportFormat.AUTOINSTALL: check_autoinstall,
    ExportFormat.MACHINECONFIG: check_machineconfig,
}


@pytest.mark.parametrize("form", CHECKS)
@pytest.mark.parametrize("order", [shipped("guest"), shipped("host"), site()])
def test_the_document_matches_the_schema(form: ExportFormat, order: ExportRequest) -> None:
    CHECKS[form](document(form, order))


def test_a_file_of_a_profile_may_contain_anything() -> None:
    order = from_text("version: 1\ndescription: 'a: [b'\nparameters: {quiet: {present: true}}\n")

    check_autoinstall(document(ExportFormat.AUTOINSTALL, order))


@pytest.mark.parametrize(
    ("form", "path", "wrong"),
    [
        (ExportFormat.AUTOINSTALL, ("autoinstall", "version"), 2),
        (ExportFormat.AUTOINSTALL, ("autoinstall", "late-commands"), "secboot"),
        (ExportFormat.AUTOINSTALL, ("autoinstall", "late_commands"), []),
        (ExportFormat.MACHINECONFIG, ("spec", "kernelArguments"), "swiotlb=262144"),
        (ExportFormat.MACHINECONFIG, ("spec", "kernelarguments"), ["swiotlb=262144"]),
        (ExportFormat.MACHINECONFIG, ("metadata", "label"), {}),
    ],
)
def test_the_schema_would_find_a_mistake(
    form: ExportFormat, path: tuple[str, str], wrong: object
) -> None:
    found = copy.deepcopy(document(form, shipped("guest")))
    found[path[0]][path[1]] = wrong

    with pytest.raises(ValidationError):
        CHECKS[form](found)
