"""Debian and Ubuntu: zipl.conf with sections whose image is a symbolic link to the newest kernel.

The installer writes zipl.conf once. The kernel package moves the links and runs zipl through
/etc/kernel/postinst.d/zz-zipl, which does nothing without /etc/zipl.conf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.layout.model import Inheritance, Layout, marks

if TYPE_CHECKING:
    from secboot.layout.model import Tree

NAME = "debian"


def evidence(tree: Tree) -> tuple[str, ...]:
    """The hook that runs zipl, or the distribution's name."""
    found = marks(tree, "/etc/kernel/postinst.d/zz-zipl", "/etc/debian_version")
    name = tree.is_like("debian", "ubuntu")
    return found if name is None else (*found, f"os-release: {name}")


def layout(_tree: Tree) -> Layout:
    """The sections of zipl.conf are edited, zipl commits them."""
    return Layout(NAME, "zipl.conf sections (Debian, Ubuntu)", Inheritance.SAME_SECTION)
