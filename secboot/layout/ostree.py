"""ostree and bootc (RHEL CoreOS, Fedora CoreOS, image mode): entries are generated per deployment.

ostree keeps the parameters with each deployment, carries them over to the next one, and runs zipl
(ostree, src/libostree/ostree-bootloader-zipl.c). An edit of an entry is lost with the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.layout.model import Inheritance, Layout, marks
from secboot.machine.discovery import Sources

if TYPE_CHECKING:
    from secboot.layout.model import Tree

NAME = "ostree"


def evidence(tree: Tree) -> tuple[str, ...]:
    """The repository, or what tells that the running system came from it."""
    return marks(tree, "/ostree/repo", "/run/ostree-booted", "/sysroot/ostree")


def layout(_tree: Tree) -> Layout:
    """Nothing is edited."""
    return Layout(
        NAME,
        "ostree deployments",
        Inheritance.DEPLOYMENT,
        commit=(),
        sources=Sources(generated=True),
    )
