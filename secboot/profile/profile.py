"""A profile: the parameters that a role needs, for which boot entries."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from secboot.finding import Finding
    from secboot.profile.entries import EntrySelection
    from secboot.profile.requirement import Requirement


class Role(StrEnum):
    """What a machine is in Secure Execution."""

    HOST = "host"
    GUEST = "guest"


class Profile(NamedTuple):
    """A profile as read, with all that it extends.

    `path` is where its text is, or `secboot.profile.shipped.shipped_path`. `chain` has the
    paths of all texts it is made of, its own first, then what that extends; `digest` is a
    SHA-256 in hexadecimal over these texts. `warnings` are for a person to see before use.
    """

    name: str
    version: int
    role: Role | None
    description: str
    requirements: tuple[Requirement, ...]
    entries: EntrySelection
    path: str
    digest: str
    chain: tuple[str, ...]
    warnings: tuple[Finding, ...]
