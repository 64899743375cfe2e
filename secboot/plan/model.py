"""A plan: frozen data that says what would change, why, and which commands commit it.

A plan is made from a profile and from what was found on the machine. It can be printed, saved,
and applied later; `Plan.inputs` holds the digests of the files it was made from, so that a
change since then is noticed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secboot.errors import Location


class Action(StrEnum):
    """What a plan does to one parameter of one boot entry."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"
    KEEP = "keep"


class EntryStatus(StrEnum):
    """What a plan does to one boot entry."""

    CHANGE = "change"
    UNCHANGED = "unchanged"
    NOT_SELECTED = "not-selected"
    NOT_LINUX = "not-linux"
    SEALED = "sealed"


@dataclass(frozen=True, slots=True)
class ProfileReference:
    """Which profile a plan was made from; `digest` is the SHA-256 of its text."""

    name: str
    path: str
    digest: str
    role: str
    description: str


@dataclass(frozen=True, slots=True)
class ParameterChange:
    """What happens to one required parameter; `before` and `after` are its occurrences as written."""

    name: str
    action: Action
    before: tuple[str, ...]
    after: tuple[str, ...]
    wanted: str
    reason: str


@dataclass(frozen=True, slots=True)
class EntryPlan:
    """What happens to one boot entry; lines are parameter lines as zipl would install them."""

    name: str
    location: Location
    kind: str
    status: EntryStatus
    note: str
    is_default: bool
    is_rescue: bool
    parameters: tuple[ParameterChange, ...]
    line_before: str | None
    line_after: str | None


@dataclass(frozen=True, slots=True)
class FileChange:
    """New content for one file; `real_path` is where its symbolic links lead inside the root."""

    path: str
    real_path: str
    before: bytes
    after: bytes

    @property
    def digest_before(self) -> str:
        """SHA-256 of the content that the plan was made from, as hexadecimal text."""
        return digest(self.before)

    @property
    def digest_after(self) -> str:
        """SHA-256 of the content that the plan asks for, as hexadecimal text."""
        return digest(self.after)


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that the plan was made from, with the SHA-256 of its content."""

    path: str
    real_path: str
    digest: str


@dataclass(frozen=True, slots=True)
class Command:
    """A program that commits the change, and why it must run."""

    argv: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class PlanWarning:
    """Something that the reader of a plan should know; `code` is stable."""

    code: str
    message: str
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What would change, and what the answer was made from."""

    profile: ProfileReference
    root: str
    layout: str
    zipl_version: str
    entries: tuple[EntryPlan, ...]
    files: tuple[FileChange, ...]
    commands: tuple[Command, ...]
    warnings: tuple[PlanWarning, ...]
    inputs: tuple[InputFile, ...]

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to write and nothing to run."""
        return not self.files and not self.commands

    def with_status(self, status: EntryStatus) -> tuple[EntryPlan, ...]:
        """Return the boot entries to which the plan does this."""
        return tuple(entry for entry in self.entries if entry.status is status)


def digest(data: bytes) -> str:
    """Return the SHA-256 of `data` as hexadecimal text, the form used in plans and records."""
    return hashlib.sha256(data).hexdigest()
