"""What a plan says of parameter lines and of the programs that commit them; frozen data."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from secboot.formats.kernel_cmdline import CommandLine
    from secboot.lines.stores import Stores
    from secboot.profile.profile import Profile
    from secboot.profile.requirement import Requirement


class ParameterAction(StrEnum):
    """What a plan does to one parameter of one line."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"
    KEEP = "keep"


class StoreStatus(StrEnum):
    """What a plan does to a place that holds parameters for more than one boot entry."""

    CHANGE = "change"
    UNCHANGED = "unchanged"
    NOT_SELECTED = "not-selected"
    NONE = "none"
    """There is nothing to edit; the note says what decides instead."""


class ParameterChange(NamedTuple):
    """What happens to one required parameter; `before` and `after` are its occurrences as written."""

    name: str
    action: ParameterAction
    before: tuple[str, ...]
    after: tuple[str, ...]
    wanted: str
    reason: str


class StorePlan(NamedTuple):
    """What happens to parameters that are in no boot entry (yet), such as those of later kernels.

    `name` says whose they are; `location` is None where no file holds them. `met` tells whether
    the profile will be met there after the change; None where that can't be known.
    """

    name: str
    location: Location | None
    status: StoreStatus
    note: str
    met: bool | None
    parameters: tuple[ParameterChange, ...] = ()
    line_before: str | None = None
    line_after: str | None = None


class Command(NamedTuple):
    """A program that commits a change, and why it must run."""

    argv: tuple[str, ...]
    reason: str


class Step(NamedTuple):
    """What somebody else has to do, since secboot does not: lines to be run, or to be written.

    `argv` is the command as a list of words where secboot can run it when it is asked to.
    """

    title: str
    lines: tuple[str, ...]
    argv: tuple[str, ...] = ()


def meets(profile: Profile, line: CommandLine) -> bool:
    """Tell whether the line meets every requirement of the profile."""
    return all(requirement.judge(line).met for requirement in profile.requirements)


def wanted_line(profile: Profile, line: CommandLine, stores: Stores) -> CommandLine:
    """Return a line that meets the profile, or as much of that as editing can give."""
    for requirement in profile.requirements:
        try:
            line = stores.fulfilled(requirement, line.text)
        except RefusedError:
            continue
    return line


def edited_store(
    profile: Profile, name: str, location: Location, before: CommandLine, after: CommandLine
) -> StorePlan:
    """Return what happens to a store whose line was brought to the profile, from `before` on."""
    return StorePlan(
        name=name,
        location=location,
        status=StoreStatus.UNCHANGED if after.text == before.text else StoreStatus.CHANGE,
        note="",
        met=True,
        parameters=parameter_changes(profile.requirements, before, after),
        line_before=before.text,
        line_after=after.text,
    )


def parameter_changes(
    requirements: tuple[Requirement, ...], before: CommandLine, after: CommandLine
) -> tuple[ParameterChange, ...]:
    """Return for each requirement what becomes of the words it is about."""
    return tuple(_parameter_change(requirement, before, after) for requirement in requirements)


def _parameter_change(
    requirement: Requirement, before: CommandLine, after: CommandLine
) -> ParameterChange:
    old = tuple(p.text for p in requirement.occurrences(before))
    new = tuple(p.text for p in requirement.occurrences(after))
    if old == new:
        action = ParameterAction.KEEP
    elif not old:
        action = ParameterAction.ADD
    else:
        action = ParameterAction.CHANGE if new else ParameterAction.REMOVE
    return ParameterChange(
        name=requirement.name,
        action=action,
        before=old,
        after=new,
        wanted=requirement.describe(),
        reason=requirement.judge(before).reason,
    )
