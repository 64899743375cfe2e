"""The parts of a plan about parameter lines and the programs that commit them; frozen data."""

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
    """What a plan does to a place that holds parameters of more than one boot entry."""

    CHANGE = "change"
    UNCHANGED = "unchanged"
    NOT_SELECTED = "not-selected"
    NONE = "none"
    """Nothing to edit here; the note says what decides instead."""


class ParameterChange(NamedTuple):
    """What happens to one required parameter; `before` and `after` are its occurrences as written."""

    name: str
    action: ParameterAction
    before: tuple[str, ...]
    after: tuple[str, ...]
    wanted: str
    reason: str


class StorePlan(NamedTuple):
    """What happens to parameters outside boot entries, such as those of future kernels.

    `name` says whose parameters they are; `location` is None if no file holds them. `met` tells
    whether the profile will be met there after the change; None if that cannot be known.
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
    """What somebody else must do because secboot does not: lines to run or to write.

    `argv` is the command as a list of words if secboot can run it on request.
    """

    title: str
    lines: tuple[str, ...]
    argv: tuple[str, ...] = ()


def meets(profile: Profile, line: CommandLine) -> bool:
    """Tell whether the line meets every requirement of the profile."""
    return all(requirement.judge(line).met for requirement in profile.requirements)


def wanted_line(profile: Profile, line: CommandLine, stores: Stores) -> CommandLine:
    """Return a line that meets the profile, as far as editing can achieve that."""
    for requirement in profile.requirements:
        try:
            line = stores.fulfilled(requirement, line.text)
        except RefusedError:
            continue
    return line


def edited_store(
    profile: Profile, name: str, location: Location, before: CommandLine, after: CommandLine
) -> StorePlan:
    """Return what happens to a store whose line was updated to match the profile."""
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
    """Return for each requirement what happens to its words."""
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
