"""A new known parameter: nothing in export needs to change for it."""

from __future__ import annotations

import pytest

from secboot.errors import Location
from secboot.export.formats import WRITERS
from secboot.export.names import ExportFormat
from secboot.export.request import ExportRequest
from secboot.formats.kernel_cmdline import CommandLine, Parameter
from secboot.profile.profile import EntrySelection, Profile
from secboot.profile.requirement import Judgement, KeptValues, Requirement
from tests.export.test_formats import ADDING, READERS, called_by_grubby_script


class LampRequirement(Requirement):
    """``lamp=5`` or brighter, up to 9."""

    @property
    def kept(self) -> KeptValues:
        return KeptValues("[0-9]", least=5, limit=10)

    def occurrences(self, line: CommandLine) -> tuple[Parameter, ...]:
        return line.named(self.name)

    def describe(self) -> str:
        return "lamp at least 5"

    def lost_by_adding(self) -> str:
        return "a brighter lamp is dimmed"

    def _judge(self, line: CommandLine) -> Judgement:
        return Judgement(met=bool(self.occurrences(line)), reason="so it is")

    def _change(self, line: CommandLine) -> CommandLine:
        return line.append("lamp=5")


REQUIREMENT = LampRequirement("lamp", Location("p.yaml", 1, 1))
REQUEST = ExportRequest(
    Profile("p", 1, None, "", (REQUIREMENT,), EntrySelection(), "p.yaml", "0", (), ())
)


@pytest.mark.parametrize("form", ADDING)
def test_formats_that_only_add_report_what_they_cannot_express(form: ExportFormat) -> None:
    text = WRITERS[form].write(REQUEST).text

    assert READERS[form](text) == "lamp=5"
    assert "# Not expressed: a brighter lamp is dimmed\n" in text


def test_grubby_keeps_the_values_that_meet_it() -> None:
    text = WRITERS[ExportFormat.GRUBBY].write(REQUEST).text

    assert called_by_grubby_script(text, ["lamp=7", "lamp=2", "lamp=12", "lamp=x"]) == [
        *(["grubby", f"--update-kernel={index}", "--args=lamp=5"] for index in (1, 2, 3)),
        ["zipl"],
    ]
