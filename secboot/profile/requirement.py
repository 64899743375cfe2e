"""What a profile asks of one parameter: as it is written, and how a line is judged and changed by it."""

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
    """What a machine is in Secure Execution."""

    HOST = "host"
    GUEST = "guest"


class Operator(StrEnum):
    """How values are meant; the names are keys in the profile."""

    EXACTLY = "exactly"
    AT_LEAST = "at_least"
    INCLUDES = "includes"
    EXCLUDES = "excludes"
    BARE = "bare"
    PRESENT = "present"
    ABSENT = "absent"


class WrittenRequirement(NamedTuple):
    """What a profile says of one parameter, before it is known what that means for it.

    The parameter is named at `location`.

    `values` is empty for PRESENT, ABSENT and BARE, has one or more for INCLUDES, EXCLUDES and where
    they were `listed` in brackets, else exactly one. `excluded` are values that stand beside those
    of INCLUDES.
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
    """Values that are good as they stand, in what a shell script can tell of them.

    `pattern` is an extended regular expression that each value of the parameter has to match in
    full; with a `limit`, the number at the start of the last is `least` or more, and below it.
    """

    pattern: str
    least: int = 0
    limit: int = 0


class Requirement(ABC):
    """What is asked of the parameter `name`; `location` is where the profile says so.

    For every line that can be edited at all, ``judge(fulfil(line))`` is met, ``fulfil`` of a
    line that is met is that line, and no parameter of another name is changed or moved.
    """

    def __init__(self, name: str, location: Location) -> None:
        self.name = name
        self.location = location

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def judge(self, line: CommandLine) -> Judgement:
        """Tell whether the kernel would read in this line what is required."""
        problem = unreadable(line.text)
        if problem:
            return Judgement(met=False, reason=problem.message)
        return self._judge(line)

    def fulfil(self, line: CommandLine) -> CommandLine:
        """Give the line as it has to be, changed in as little as that takes.

        A line that meets the requirement comes back as it is, however it is spelled. What is
        wrong gets replaced where it stands; what is missing is added before ``--``. Raises
        RefusedError for a line that can't be edited (`secboot.kernel.command_line`).
        """
        if self.judge(line).met:
            return line
        require_editable(line)
        return self._change(line)

    def honoured(self, running: RunningSystem) -> Honoured | None:
        """Tell whether the running kernel does what is required, and why not.

        None where that is not asked, or where the kernel gives no sign of the parameter.
        """
        del running
        return None

    def unknown_to(self, release: str, boot_names: frozenset[str]) -> str | None:
        """Say that a kernel does not know what is required, as far as that is known; else None.

        `boot_names` are the parameters that its boot code has, empty where that can't be read.
        """
        del release, boot_names
        return None

    def warning(self) -> Finding | None:
        """What a person should know before this is asked of a machine, if anything."""
        return None

    def unfit(self, role: Role) -> Finding | None:
        """Warn where this makes no sense on a machine of that role, if that is so."""
        del role
        return None

    def cost(self, memory: int, lines: Sequence[CommandLine] = ()) -> Finding | None:
        """Warn of what this takes of a machine's memory, in bytes, if that is too much.

        `lines` meet the requirement, and may have more than it asks for.
        """
        del memory, lines
        return None

    def advice(self, running: RunningSystem) -> Finding | None:
        """What the running system shows of how well this suits it, if anything."""
        del running
        return None

    @property
    def words(self) -> tuple[str, ...]:
        """The words that meet this on a line of which nothing is known; none asks for absence."""
        return tuple(word.text for word in self.fulfil(CommandLine.parse("")).parameters)

    @property
    def unwanted(self) -> tuple[str, ...]:
        """The words that may not be there, for tools that remove a word by its whole text.

        None where a name has to go with whatever value.
        """
        return ()

    @property
    def stands_beside_others(self) -> bool:
        """Whether other occurrences of the name have to stay beside the words."""
        return False

    @property
    def kept(self) -> KeptValues | None:
        """Values other than that of the words which meet this, too, and are to be left."""
        return None

    def lost_by_adding(self) -> str | None:
        """Say what a tool that only adds the words loses of this, or None for nothing."""
        return None

    @abstractmethod
    def occurrences(self, line: CommandLine) -> tuple[Parameter, ...]:
        """The words of the line that this requirement is about, in order."""

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
    """Return what takes too much of a machine's memory, which is in bytes (`Requirement.cost`)."""
    found = (each.cost(memory, lines) for each in requirements)
    return tuple(each for each in found if each is not None)


def put(line: CommandLine, replaced: tuple[Parameter, ...], text: str) -> CommandLine:
    """Write `text` in the place of the first of `replaced` and take out the others.

    What stands behind ``--`` is no place for a parameter: with nothing to replace before it,
    the text is appended.
    """
    first = next((each for each in replaced if not each.after_dashdash), None)
    if first is None:
        return line.remove(*replaced).append(text)
    # The others are removed first, from a line whose positions up to `first` don't change.
    shorter = line.remove(*(each for each in replaced if each != first))
    moved = next(each for each in shorter.parameters if each.start >= first.start)
    return shorter.replace(moved, text)


def said_of(parameters: tuple[Parameter, ...], one: str, several: str) -> str:
    """A sentence about parameters: with `one` behind a single one, else with `several`."""
    return f"{listed(parameters)} {one if len(parameters) == 1 else several}"


def given(parameters: tuple[Parameter, ...]) -> str:
    """Say that parameters are on the line: ``a=1 is given``, ``a=1 and a=2 are given``."""
    return said_of(parameters, "is given", "are given")


def listed(parameters: tuple[Parameter, ...]) -> str:
    """Name parameters in a sentence as they are written: ``a=1 and a=2``."""
    texts = [parameter.text for parameter in parameters]
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])} and {texts[-1]}"


class Form(NamedTuple):
    """One way to ask for a parameter: its meaning, an example, and what its values look like.

    `schema` is the JSON Schema of one value; `example` the YAML that stands after the
    parameter's name. `listed` says that EXACTLY takes a list of values as well as one.
    """

    operator: Operator
    meaning: str
    example: str
    schema: Mapping[str, Any]
    listed: bool = False


class ParameterRules(NamedTuple):
    """What can be asked of one parameter, or of all that have no rules of their own.

    `make` turns what is written, with the operator of one of the forms, into a requirement, or
    notes why that can't be and gives None. `details` is a paragraph for the reference page.
    `of_kernel_value` gives what a profile says for a value as the kernel reads it (``262144 blocks``
    for ``262144``), and raises UsageError where the kernel would read something else than it seems.
    """

    summary: str
    forms: tuple[Form, ...]
    make: Callable[[WrittenRequirement, Problems], Requirement | None]
    details: str
    of_kernel_value: Callable[[str], str] = str

    def form(self, operator: Operator) -> Form | None:
        """The form for an operator, or None if the parameter can't be asked for in that way."""
        return next((form for form in self.forms if form.operator is operator), None)


TRUE_SCHEMA: Mapping[str, Any] = {"const": True, "errorMessage": "write true, or leave it out"}
"""Of the operators that have nothing to say but themselves."""
