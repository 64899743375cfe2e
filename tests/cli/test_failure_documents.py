"""With ``--output json``, a failure is a JSON document, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from secboot.cli.app import guarded
from secboot.errors import ExitCode, RolledBackError
from tests.command import Said, secboot
from tests.report.test_schemas import schema_of
from tests.trees import make_sample_tree


def document_of(said: Said) -> dict[str, Any]:
    document = json.loads(said.out)
    assert isinstance(document, dict)
    Draft202012Validator(schema_of(document)).validate(document)
    return document


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["plan", "nobody", "--output", "json"], ExitCode.USAGE),
        (["plan", "guest", "-o", "json", "--root", "{tmp}/none"], ExitCode.REFUSED),
        (["rollback", "--output=json", "--root", "{tmp}/root"], ExitCode.REFUSED),
        (["plan", "--no-such-option", "-ojson"], ExitCode.USAGE),
        (["-o", "json"], ExitCode.USAGE),
        (["check-domain", "{tmp}/none.xml", "-o", "json"], ExitCode.USAGE),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_refusal_is_a_document(
    words: list[str], code: ExitCode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_sample_tree("rhel9", tmp_path / "root")

    said = secboot(capsys, *[word.format(tmp=tmp_path) for word in words])

    document = document_of(said)
    assert said.code == document["exit_code"] == code
    assert document["schema"] == "secboot/failure/1"
    assert document["problems"][0]["message"].strip() in said.err


def test_without_json_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["plan", "nobody"], ["plan", "--", "-ojson"], ["verify", "nobody", "-oprom"]):
        assert secboot(capsys, *words).out == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RolledBackError("zipl failed"), ExitCode.ROLLED_BACK),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (ValueError("a bug"), ExitCode.BUG),
        (OSError(5, "Input/output error"), ExitCode.REFUSED),
    ],
    ids=repr,
)
def test_the_document_says_in_which_state_the_machine_is(
    error: BaseException, code: ExitCode, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> int:
        raise error

    assert guarded(command, debug=False, form="json") == code

    said = Said(code, *capsys.readouterr())
    document = document_of(said)
    assert document["exit_code"] == code
    assert document["meaning"]


def test_profiles_are_checked_one_by_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("version: 1\nrole: gest\nparameters:\n  prot_virt: on\n")

    said = secboot(capsys, "profile", "validate", "guest", wrong, "gone", "-o", "json")

    document = document_of(said)
    assert said.code == ExitCode.USAGE
    assert document["valid"] is False
    first, second, third = document["profiles"]
    assert (first["profile"], first["findings"]) == ("guest", [])
    assert [found["location"]["line"] for found in second["findings"]] == [2, 4]
    assert third["path"] is None
    assert document_of(secboot(capsys, "profile", "validate", "host", "-ojson"))["valid"] is True


def test_the_schema_of_profiles_is_itself(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads(secboot(capsys, "profile", "schema").out)

    Draft202012Validator.check_schema(schema)
    assert "made" not in schema
