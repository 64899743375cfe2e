"""What a profile requires of one parameter: how it is written, and how it judges and changes a line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from secboot.formats.kernel_cmdline import CommandLine
from secboot.kernel.command_line import require_editable, unreadable
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from secboot.errors import Location
    from secboot.finding import Finding
    from secboot.formats.kernel_cmdline import Parameter
    from secboot.kernel.command_line import Honoured
    from secboot.profile.nodes import Problems, Scalar
    from secboot.running.system import RunningSystem


class Role(StrEnum):
    """The role of a machine in Secure Execution."""

    HOST = "host"
    GUEST = "guest"


class Operator(StrEnum):
    """How the values apply; the names are keys in the profile."""

    EXACTLY = "exactly"
    AT_LEAST = "at_least"
    INCLUDES = "includes"
    EXCLUDES = "excludes"
    BARE = "bare"
    PRESENT = "present"
    ABSENT = "absent"


class WrittenRequirement(NamedTuple):
    """What a profile says about one parameter, before the parameter's rules are applied.

    The parameter is named at `location`.

    `values` is empty for PRESENT, ABSENT and BARE. It has one or more items for INCLUDES and
    EXCLUDES, and if they were `listed` in brackets; otherwise exactly one. `excluded` are the values
    of an EXCLUDES that is combined with INCLUDES.
    """

    name: str
    operator: Operator
    values: tuple[Scalar, ...]
    location: Location
    listed: bool = False
    excluded: tuple[Scalar, ...] = ()


class Judgement(NamedTuple):
    """Whether a line meets a requirement, and why: `reason` is one short sentence."""

    met: bool
    reason: str


class KeptValues(NamedTuple):
    """Values that may stay as they are, in a form that a shell script can check.

    `pattern` is an extended regular expression that each value of the parameter must match in full.
    If `limit` is set, the number at the start of the last value must be at least `least` and less
    than `limit`.
    """

    pattern: str
    least: int = 0
    limit: int = 0


class Requirement(ABC):
    """What is required of the parameter `name`; `location` is where the profile requires it.

    For every line that can be edited, ``judge(fulfil(line))`` is met, ``fulfil`` of a line that
    meets the requirement is that line, and no parameter with another name is changed or moved.
    """

    def __init__(self, name: str, location: Location) -> None:
        self.name = name
        self.location = location

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def judge(self, line: CommandLine) -> Judgement:
        """Tell whether the kernel would read from this line what is required."""
        problem = unreadable(line.text)
        if problem:
            return Judgement(met=False, reason=problem.message)
        return self._judge(line)

    def fulfil(self, line: CommandLine) -> CommandLine:
        """Return the line with the fewest changes that make it meet the requirement.

        A line that meets the requirement is returned unchanged, whatever its spelling. Wrong words
        are replaced in place; missing ones are added before ``--``. Raises RefusedError for a line
        that cannot be edited (`secboot.kernel.command_line`).
        """
        if self.judge(line).met:
            return line
        require_editable(line)
        return self._change(line)

    def honoured(self, running: RunningSystem) -> Honoured | None:
        """Tell whether the requirement is in effect in the running kernel, and if not, why.

        None if that does not apply, or if the kernel does not report it.
        """
        del running
        return None

    def unknown_to(self, release: str, boot_names: frozenset[str]) -> str | None:
        """Say that a kernel does not support what is required, as far as that is known; else None.

        `boot_names` are the parameters in its boot code, empty if it cannot be read.
        """
        del release, boot_names
        return None

    def warning(self) -> Finding | None:
        """Return a warning for people who use this requirement, if there is one."""
        return None

    def unfit(self, role: Role) -> Finding | None:
        """Warn if this makes no sense on a machine with that role."""
        del role
        return None

    def cost(self, memory: int, lines: Sequence[CommandLine] = ()) -> Finding | None:
        """Warn if this takes too much of a machine's memory, which is in bytes.

        `lines` meet the requirement, and may set more than it requires.
        """
        del memory, lines
        return None

    def advice(self, running: RunningSystem) -> Finding | None:
        """Return advice from the running system on how well the requirement fits it, if any."""
        del running
        return None

    @property
    def words(self) -> tuple[str, ...]:
        """The words that meet this on an unknown line; empty if it requires absence."""
        return tuple(word.text for word in self.fulfil(CommandLine.parse("")).parameters)

    @property
    def unwanted(self) -> tuple[str, ...]:
        """The words that must not be set, for tools that remove a word by its whole text.

        Empty if a name must be removed with any value.
        """
        return ()

    @property
    def stands_beside_others(self) -> bool:
        """Whether other occurrences of the name must stay."""
        return False

    @property
    def kept(self) -> KeptValues | None:
        """Values other than those of `words` that also meet this and must not change."""
        return None

    def lost_by_adding(self) -> str | None:
        """Say which part of this a tool cannot express that only adds `words`; None for no part."""
        return None

    @abstractmethod
    def occurrences(self, line: CommandLine) -> tuple[Parameter, ...]:
        """Return the words of the line that this requirement is about, in order."""

    @abstractmethod
    def describe(self) -> str:
        """Say what is required: ``swiotlb at least 512 MiB (262144 blocks of 2 KiB)``."""

    @abstractmethod
    def _judge(self, line: CommandLine) -> Judgement: ...

    @abstractmethod
    def _change(self, line: CommandLine) -> CommandLine: ...


def costs(
    requirements: Iterable[Requirement], memory: int, lines: Sequence[CommandLine] = ()
) -> tuple[Finding, ...]:
    """Return warnings about too much use of a machine's memory, in bytes (`Requirement.cost`)."""
    found = (each.cost(memory, lines) for each in requirements)
    return tuple(each for each in found if each is not None)


def put(line: CommandLine, replaced: tuple[Parameter, ...], text: str) -> CommandLine:
    """Write `text` in place of the first of `replaced` and remove the others.

    A parameter must not be after ``--``: with nothing to replace before it, the text is appended.
    """
    first = next((each for each in replaced if not each.after_dashdash), None)
    if first is None:
        return line.remove(*replaced).append(text)
    # Removing the others first does not change the positions up to `first`.
    shorter = line.remove(*(each for each in replaced if each != first))
    moved = next(each for each in shorter.parameters if each.start >= first.start)
    return shorter.replace(moved, text)


def said_of(parameters: tuple[Parameter, ...], one: str, several: str) -> str:
    """Return a sentence about parameters: `one` follows a single parameter, `several` more than one."""
    return f"{listed(parameters)} {one if len(parameters) == 1 else several}"


def given(parameters: tuple[Parameter, ...]) -> str:
    """Say that parameters are on the line: ``a=1 is set``, ``a=1 and a=2 are set``."""
    return said_of(parameters, "is set", "are set")


def listed(parameters: tuple[Parameter, ...]) -> str:
    """List parameters in a sentence as they are written: ``a=1 and a=2``."""
    texts = [parameter.text for parameter in parameters]
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])} and {texts[-1]}"


class Form(NamedTuple):
    """One way to require a parameter: its meaning, an example, and the form of its values.

    `schema` is the JSON Schema of one value; `example` is the YAML after the parameter's name.
    `listed` says that EXACTLY also accepts a list of values.
    """

    operator: Operator
    meaning: str
    example: str
    schema: Mapping[str, Any]
    listed: bool = False


class ParameterRules(NamedTuple):
    """What can be required of one parameter, or of all that have no rules of their own.

    `make` turns a written requirement, with the operator of one of the forms, into a requirement, or
    reports why that is not possible and returns None. `details` is a paragraph for the reference
    page. `of_kernel_value` returns the profile's form of a kernel value (``262144 blocks`` for
    ``262144``), and raises UsageError if the kernel would not read the value as it seems.
    """

    summary: str
    forms: tuple[Form, ...]
    make: Callable[[WrittenRequirement, Problems], Requirement | None]
    details: str
    of_kernel_value: Callable[[str], str] = str

    def form(self, operator: Operator) -> Form | None:
        """Return the form for an operator, or None if the parameter does not accept it."""
        return next((form for form in self.forms if form.operator is operator), None)


TRUE_SCHEMA: Mapping[str, Any] = {"const": True, "errorMessage": "write true, or leave it out"}
"""The schema of operators that have no value of their own."""
