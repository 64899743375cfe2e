"""zipl.conf with its sections, of no distribution in particular.

Nothing tells where a new kernel takes its parameters from, so nothing is said about it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.layout.model import Inheritance, Layout

if TYPE_CHECKING:
    from secboot.layout.model import Tree

NAME = "zipl.conf"


def evidence(_tree: Tree) -> tuple[str, ...]:
    """Nothing of its own: it is what is left when no distribution is named."""
    return ()


def layout(_tree: Tree) -> Layout:
    """The sections of zipl.conf are edited, zipl commits them."""
    return Layout(NAME, "zipl.conf sections", Inheritance.UNKNOWN)
