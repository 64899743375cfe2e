"""What a profile's YAML consists of: mappings, sequences and texts, each with its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secboot.errors import Location


@dataclass(frozen=True, slots=True)
class Scalar:
    """A piece of text; `plain` if it had no quotes, and so is open to interpretation."""

    text: str
    plain: bool
    location: Location


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    location: Location


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys, each one once, and what they hold, in the order of the text."""

    items: tuple[tuple[Scalar, Node], ...]
    location: Location


Node = Scalar | Sequence | Mapping
