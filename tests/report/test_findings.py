"""Every code that secboot can print is explained, and no other."""

from __future__ import annotations

import re

import pytest

from secboot.cli.help import MEANINGS
from secboot.report.explain import Explanation, groups, source
from secboot.status.stages import Stage
from tests.packaging.programs import CHECKOUT
from tests.report.finding_codes import collect

EVERY = [each for group in groups() for each in group.explanations]
CHECKS = {f"{stage}.PARAMETER" for stage in Stage}
EXITS = {str(int(code)): text for code, text in MEANINGS.items()}
LABELS = ("- What to do: ", "- Source: ")


def test_every_code_can_be_told_from_the_source() -> None:
    """If not, write the code as a constant, or teach `finding_codes` the form."""
    assert collect().unclear == []


def test_every_code_has_an_explanation() -> None:
    explained = {each.code for each in EVERY}
    lacking = {code: made for code, made in collect().made.items() if code not in explained}

    assert lacking == {}, "add them to secboot/report/findings.md"


def test_every_explanation_is_of_a_code() -> None:
    made = collect().made

    assert [e.code for e in EVERY if e.code not in {*made, *CHECKS, *EXITS}] == []


def test_no_code_is_explained_twice() -> None:
    codes = [each.code for each in EVERY]

    assert [code for code in codes if codes.count(code) > 1] == []


def test_exit_codes_and_checks_are_explained() -> None:
    explained = {each.code: each.summary for each in EVERY}

    assert {code: explained.get(code) for code in EXITS} == EXITS
    assert explained.keys() >= CHECKS


@pytest.mark.parametrize("explanation", EVERY, ids=lambda each: each.code)
def test_an_explanation_has_the_form_of_all(explanation: Explanation) -> None:
    section = source().split(f"\n## {explanation.code}\n")[1].partition("\n\n")[0].rstrip()
    lines = section.split("\n")
    items = [line for line in lines if line.startswith("- ")]

    assert lines[0].endswith(".")
    assert not lines[0].startswith("- ")
    assert 1 <= len(lines) <= 6
    # "What to do" comes before "Source", and both come after the text.
    assert lines[len(lines) - len(items) :] == items
    assert [label for label in LABELS for item in items if item.startswith(label)] == [
        label for label in LABELS if any(item.startswith(label) for item in items)
    ]
    assert len(items) == sum(item.startswith(LABELS) for item in items)
    assert sorted(items, key=lambda item: not item.startswith(LABELS[0])) == items
    assert section.count("`") % 2 == 0
    assert explanation.what_to_do or explanation.code in {"0", "5"}


def test_the_page_of_commands_has_the_same_exit_codes() -> None:
    page = (CHECKOUT / "docs/reference/commands.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", page, re.MULTILINE)

    assert dict(rows) == EXITS


def test_what_whole_runs_print_is_known() -> None:
    """The codes from another source than secboot's code: those that the cases print in brackets."""
    texts = [path.read_text() for path in (CHECKOUT / "tests/cli/cases").glob("*.txt")]
    printed = {
        code
        for text in texts
        for code in re.findall(r" \[([a-z_]+\.[a-z-]+)\]$", text, re.MULTILINE)
    }

    assert len(printed) > 10
    assert printed <= collect().made.keys()


def test_no_section_is_lost() -> None:
    headings = re.findall(r"^## (.*)$", source(), re.MULTILINE)

    assert headings == [each.code for each in EVERY]
