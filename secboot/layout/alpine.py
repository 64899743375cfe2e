"""Alpine: zipl.conf written once by setup-disk (alpine-conf, dasd-functions.sh)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.layout.model import Inheritance, Layout, marks

if TYPE_CHECKING:
    from secboot.layout.model import Tree

NAME = "alpine"


def evidence(tree: Tree) -> tuple[str, ...]:
    """The release file, or the distribution's name."""
    found = marks(tree, "/etc/alpine-release")
    name = tree.is_like("alpine")
    return found if name is None else (*found, f"os-release: {name}")


def layout(_tree: Tree) -> Layout:
    """The section of zipl.conf is edited, zipl commits it; the kernel has one fixed name."""
    return Layout(NAME, "zipl.conf sections (Alpine)", Inheritance.SAME_SECTION)
