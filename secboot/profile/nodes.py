"""What a profile's YAML consists of: mappings, sequences and texts, each with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from secboot.errors import Location


class Scalar(NamedTuple):
    """A piece of text; `plain` if it had no quotes, and so is open to interpretation."""

    text: str
    plain: bool
    location: Location


class Sequence(NamedTuple):
    """A list."""

    items: tuple[Node, ...]
    location: Location


class Mapping(NamedTuple):
    """Keys, each one once, and what they hold, in the order of the text."""

    items: tuple[tuple[Scalar, Node], ...]
    location: Location


Node = Scalar | Sequence | Mapping
