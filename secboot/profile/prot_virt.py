"""The requirement on ``prot_virt=``: Secure Execution hosting on, off, or not set."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.kernel import prot_virt
from secboot.profile.nodes import unambiguous_text
from secboot.profile.requirement import (
    TRUE_SCHEMA,
    Form,
    Judgement,
    Operator,
    ParameterRules,
    Requirement,
    Role,
    WrittenRequirement,
    given,
    listed,
    put,
    said_of,
)

if TYPE_CHECKING:
    from secboot.errors import Location
    from secboot.formats.kernel_cmdline import CommandLine, Parameter
    from secboot.kernel.command_line import Honoured
    from secboot.profile.nodes import Problems
    from secboot.running.system import RunningSystem


class Hosting(StrEnum):
    """What a profile can require."""

    ON = "on"
    OFF = "off"
    ABSENT = "absent"


class ProtVirtRequirement(Requirement):
    """The required state of hosting.

    ON is met by any occurrence that enables it. OFF is met if none does: the kernel default is off,
    so every enabling occurrence is removed, and nothing replaces it. ABSENT requires that there is
    no occurrence at all, not even an ineffective one.
    """

    def __init__(self, name: str, location: Location, hosting: Hosting) -> None:
        super().__init__(name, location)
        self.hosting = hosting

    def occurrences(self, line: CommandLine) -> tuple[Parameter, ...]:
        """Return all ``prot_virt`` words: the boot code also reads those after ``--``."""
        return prot_virt.occurrences(line)

    def describe(self) -> str:
        """Say what is required."""
        if self.hosting is Hosting.ON:
            return "prot_virt on (prot_virt=1)"
        return f"prot_virt {self.hosting}"

    def honoured(self, running: RunningSystem) -> Honoured:
        """Judge by prot_virt_host, or by other signs of hosting."""
        return prot_virt.hosting(running, wanted=self.hosting is Hosting.ON)

    def unknown_to(self, release: str, boot_names: frozenset[str]) -> str | None:
        """Only hosting needs a kernel that supports it: without support, it is off."""
        if self.hosting is not Hosting.ON:
            return None
        return prot_virt.unknown_to(release, boot_names)

    def unfit(self, role: Role) -> Finding | None:
        """Warn about a guest that is meant to host, and about a host that is not.

        The kernel leaves hosting off in a secure guest (arch/s390/boot/uv.c,
        is_prot_virt_host_capable(); before 5.15 arch/s390/kernel/uv.c, setup_uv()).
        """
        is_on = self.hosting is Hosting.ON
        if role is Role.GUEST and is_on:
            message = "a secure guest cannot host guests: its kernel ignores prot_virt=1"
            hint = "remove prot_virt, or write `role: host` for the machine that runs the guests"
        elif role is Role.HOST and not is_on:
            message = (
                f"a host of secure guests needs prot_virt=1; this profile sets it {self.hosting}"
            )
            if self.hosting is Hosting.ABSENT:
                message = "a host of secure guests needs prot_virt=1; this profile removes it"
            hint = "write `prot_virt: 1`, or remove `role: host`"
        else:
            return None
        return Finding("profile.role", Severity.WARNING, message, self.location, hint)

    def _judge(self, line: CommandLine) -> Judgement:
        enabling = prot_virt.enabling(line)
        if self.hosting is Hosting.ON:
            return _judge_on(line, enabling)
        if enabling:
            return Judgement(met=False, reason=_enabled(line, enabling))
        present = self.occurrences(line)
        if present and self.hosting is Hosting.ABSENT:
            return Judgement(met=False, reason=given(present))
        reason = (
            said_of(present, "does not enable hosting", "do not enable hosting")
            if present
            else "prot_virt is not set"
        )
        return Judgement(met=True, reason=reason)

    def _change(self, line: CommandLine) -> CommandLine:
        if self.hosting is Hosting.ON:
            before = tuple(each for each in self.occurrences(line) if not each.after_dashdash)
            return put(line, before, f"{prot_virt.NAME}=1")
        if self.hosting is Hosting.OFF:
            return line.remove(*prot_virt.enabling(line))
        return line.remove(*self.occurrences(line))


def _judge_on(line: CommandLine, enabling: tuple[Parameter, ...]) -> Judgement:
    if enabling:
        return Judgement(met=True, reason=_enabled(line, enabling))
    present = prot_virt.occurrences(line)
    if present:
        return Judgement(met=False, reason=_disabled(present))
    misspelt = prot_virt.misspelt(line)
    if misspelt:
        return Judgement(
            met=False,
            reason=f"the kernel ignores {listed(misspelt)}: it reads only prot_virt",
        )
    return Judgement(met=False, reason="prot_virt is not set (off by default)")


def _enabled(line: CommandLine, enabling: tuple[Parameter, ...]) -> str:
    said = said_of(enabling, "enables hosting", "enable hosting")
    others = tuple(each for each in prot_virt.occurrences(line) if each not in enabling)
    if others:
        return f"{said}; {said_of(others, 'does not undo that', 'do not undo that')}"
    return said


def _disabled(present: tuple[Parameter, ...]) -> str:
    unknown = tuple(each for each in present if prot_virt.truth(each.value) is None)
    if unknown:
        said = said_of(unknown, "does not enable hosting", "do not enable hosting")
        return f"{said}: the kernel accepts 1, y or on"
    return said_of(present, "leaves hosting off", "leave hosting off")


_SPELLINGS = {
    "1": Hosting.ON, "on": Hosting.ON, "y": Hosting.ON, "yes": Hosting.ON,
    "0": Hosting.OFF, "off": Hosting.OFF, "n": Hosting.OFF, "no": Hosting.OFF,
}  # fmt: skip


def _make(written: WrittenRequirement, problems: Problems) -> Requirement | None:
    if written.operator is Operator.ABSENT:
        return ProtVirtRequirement(written.name, written.location, Hosting.ABSENT)
    scalar = written.values[0]
    text = unambiguous_text(scalar, problems, instead=f"write {_number(scalar.text)}")
    if text is None:
        return None
    hosting = _SPELLINGS.get(text.lower())
    if hosting is None:
        problems.error(
            "prot_virt-value",
            f"the kernel does not accept {text!r} for prot_virt",
            scalar.location,
            "write 1 to turn hosting on, 0 to turn it off",
        )
        return None
    return ProtVirtRequirement(written.name, written.location, hosting)


def _number(text: str) -> str:
    return {"true": "1", "y": "1", "yes": "1", "on": "1"}.get(
        text.lower(), "0" if text.lower() in {"false", "n", "no", "off"} else "1 or 0"
    )


RULES = ParameterRules(
    "hosting of Secure Execution guests on a KVM host",
    (
        Form(
            Operator.EXACTLY,
            "`1` turns hosting on: any value that the kernel accepts for on meets it; secboot writes "
            "`prot_virt=1`. `0` turns it off: every occurrence that enables hosting is removed, and "
            "nothing is written, because off is the kernel default. (`'on'`, `'off'`, `'yes'` and "
            "`'no'`, in quotes, are also accepted.)",
            "1",
            {
                "type": ["integer", "string"],
                "minimum": 0,
                "maximum": 1,
                "pattern": f"^({'|'.join(_SPELLINGS)})$",
                "errorMessage": "write 1 or 0",
            },
        ),
        Form(
            Operator.ABSENT,
            "no `prot_virt` on the line, not even one that has no effect",
            "{absent: true}",
            TRUE_SCHEMA,
        ),
    ),
    _make,
    "The kernel (since 5.7) turns hosting on for any `prot_virt=` whose value starts with `1`, `y` or "
    "`on`, even after `--`, and a later `prot_virt=0` does not undo that. `prot_virt`, "
    "`prot_virt=true` and `prot-virt=1` have no effect. A value that does not enable hosting is "
    "replaced in place.",
)
"""The requirements that a profile can make on ``prot_virt``."""
