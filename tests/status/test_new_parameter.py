"""A new known parameter: nothing in the status room needs to know it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from secboot.formats.kernel_cmdline import CommandLine, Parameter
from secboot.invocation import Invocation
from secboot.kernel.command_line import Honoured, cause
from secboot.profile.nodes import Problems
from secboot.profile.parameters import KNOWN
from secboot.profile.requirement import (
    TRUE_SCHEMA,
    Form,
    Judgement,
    Operator,
    ParameterRules,
    Requirement,
    WrittenRequirement,
)
from secboot.running.system import RunningSystem
from secboot.status.stages import Stage
from tests.status.scenes import add_system, log, make_scene, only


class LampRequirement(Requirement):
    """``lamp=on``; the kernel is assumed to report on which machine the lamp is lit."""

    def occurrences(self, line: CommandLine) -> tuple[Parameter, ...]:
        return line.named(self.name)

    def describe(self) -> str:
        return "lamp on"

    def honoured(self, running: RunningSystem) -> Honoured:
        if running.hardware.machine_type == "3931":
            return Honoured(value=True, reason="the lamp burns")
        dark = cause("no-lamp", "this machine has no lamp", "buy one")
        return Honoured(value=False, reason="it is dark", causes=(dark,))

    def _judge(self, line: CommandLine) -> Judgement:
        return Judgement(met=bool(self.occurrences(line)), reason="so it is")

    def _change(self, line: CommandLine) -> CommandLine:
        return line.append("lamp=on")


def make(written: WrittenRequirement, problems: Problems) -> Requirement:
    del problems
    return LampRequirement(written.name, written.location)


RULES = ParameterRules(
    "a lamp", (Form(Operator.PRESENT, "on", "{present: true}", TRUE_SCHEMA),), make, ""
)


@pytest.mark.parametrize(
    ("proc", "verdict", "causes"),
    [("z16-lpar-se-capable", "met", []), ("s390-lpar", "missing", ["no-lamp"])],
)
def test_it_has_its_verdict_and_its_causes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proc: str, verdict: str, causes: list[str]
) -> None:
    monkeypatch.setitem(
        cast("dict[str, Callable[[], ParameterRules]]", KNOWN), "lamp", lambda: RULES
    )
    scene = make_scene(tmp_path, "section")
    scene.write(
        "etc/secboot/profiles/lamp.yaml", "version: 1\nparameters: {lamp: {present: true}}\n"
    )
    add_system(scene, proc, "lamp=on")

    stages = only(scene.status("lamp", log())).stages

    assert stages[Stage.RUNNING].verdict == "met"
    assert stages[Stage.EFFECTIVE].verdict == verdict
    assert [each.code for each in stages[Stage.EFFECTIVE].causes] == causes


@pytest.mark.parametrize(
    ("invocation", "applied", "zipl"),
    [
        (Invocation("guest"), "secboot apply guest", "zipl"),
        (
            Invocation("./my guest.yaml", root="/mnt/a b"),
            "secboot apply './my guest.yaml' --root '/mnt/a b'",
            "chroot '/mnt/a b' zipl",
        ),
        (
            Invocation("guest", root="tree", layout="debian"),
            "secboot apply guest --root tree --layout debian",
            "chroot tree zipl",
        ),
    ],
)
def test_next_steps_can_be_typed_as_shown(
    tmp_path: Path, invocation: Invocation, applied: str, zipl: str
) -> None:
    scene = make_scene(tmp_path, "menu")
    scene.replace("etc/zipl.conf", " quiet ", " ")

    status = scene.status("host", invocation=invocation)

    causes = {
        each.code: each.hint
        for r in status.requirements
        for s in r.stages.values()
        for each in s.causes
    }
    notices = {each.code: each.hint for each in status.notices}
    assert causes["not-applied"] == applied
    assert notices["boot-record-stale"] == zipl
