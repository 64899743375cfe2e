"""The requirement on ``prot_virt=``: Secure Execution hosting on, off, or not mentioned."""

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
    """What can be asked of it."""

    ON = "on"
    OFF = "off"
    ABSENT = "absent"


class ProtVirtRequirement(Requirement):
    """`hosting` as wanted.

    ON is met by any occurrence that enables. OFF is met when none does: the kernel's default
    is off, so every enabling occurrence is removed and nothing put in its place. ABSENT asks
    for no occurrence at all, an ineffective one included.
    """

    def __init__(self, name: str, location: Location, hosting: Hosting) -> None:
        super().__init__(name, location)
        self.hosting = hosting

    def occurrences(self, line: CommandLine) -> tuple[Parameter, ...]:
        """All ``prot_virt`` words: the boot code reads those behind ``--`` too."""
        return prot_virt.occurrences(line)

    def describe(self) -> str:
        """Say what is required."""
        if self.hosting is Hosting.ON:
            return "prot_virt on (prot_virt=1)"
        return f"prot_virt {self.hosting}"

    def honoured(self, running: RunningSystem) -> Honoured:
        """By prot_virt_host, or what else the kernel shows of hosting."""
        return prot_virt.hosting(running, wanted=self.hosting is Hosting.ON)

    def unknown_to(self, release: str, boot_names: frozenset[str]) -> str | None:
        """Only hosting takes a kernel that knows it: to one that does not, it is off."""
        if self.hosting is not Hosting.ON:
            return None
        return prot_virt.unknown_to(release, boot_names)

    def unfit(self, role: Role) -> Finding | None:
        """Warn of a guest that is to host, and of a host that is not to.

        The kernel leaves hosting off in a secure guest (arch/s390/boot/uv.c,
        is_prot_virt_host_capable(); before 5.15 arch/s390/kernel/uv.c, setup_uv()).
        """
        is_on = self.hosting is Hosting.ON
        if role is Role.GUEST and is_on:
            message = "a secure guest can't host others: the kernel ignores prot_virt=1 there"
            hint = "remove prot_virt, or write `role: host` for the machine that the guests run on"
        elif role is Role.HOST and not is_on:
            message = f"a host of secure guests needs prot_virt=1, and this asks for {self.hosting}"
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
            said_of(present, "does not enable it", "do not enable it")
            if present
            else "prot_virt is not given"
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
            reason=f"the kernel does not know {listed(misspelt)}: it reads prot_virt only",
        )
    return Judgement(met=False, reason="prot_virt is not given, and off by default")


def _enabled(line: CommandLine, enabling: tuple[Parameter, ...]) -> str:
    said = said_of(enabling, "enables it", "enable it")
    others = tuple(each for each in prot_virt.occurrences(line) if each not in enabling)
    if others:
        undo = said_of(others, "beside it does not undo that", "beside it do not undo that")
        return f"{said}, and {undo}"
    return said


def _disabled(present: tuple[Parameter, ...]) -> str:
    unknown = tuple(each for each in present if prot_virt.truth(each.value) is None)
    if unknown:
        said = said_of(unknown, "does not enable it", "do not enable it")
        return f"{said}: the kernel takes 1, y or on"
    return said_of(present, "leaves it off", "leave it off")


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
            f"the kernel takes no {text!r} for prot_virt",
            scalar.location,
            "write 1 to switch it on, 0 to switch it off",
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
            "`1` switches hosting on: met by whatever the kernel takes for it, written as "
            "`prot_virt=1`. `0` switches it off: every occurrence that enables is removed and "
            "nothing written, since off is the kernel's default. (`'on'`, `'off'`, `'yes'`, "
            "`'no'`, in quotes, are taken too.)",
            "1",
            {"enum": [0, 1, *_SPELLINGS], "errorMessage": "write 1 or 0"},
        ),
        Form(
            Operator.ABSENT,
            "no `prot_virt` on the line at all, not even one that does nothing",
            "{absent: true}",
            TRUE_SCHEMA,
        ),
    ),
    _make,
    "The kernel (since 5.7) switches hosting on at any `prot_virt=` whose value begins with `1`, "
    "`y` or `on`, behind `--` too, and a later `prot_virt=0` does not undo that. `prot_virt`, "
    "`prot_virt=true` and `prot-virt=1` do nothing. A value that does not enable is replaced where "
    "it stands.",
)
"""How a profile asks for ``prot_virt``."""
