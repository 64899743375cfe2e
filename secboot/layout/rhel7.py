"""RHEL 7 and its kin: sections in zipl.conf; new-kernel-pkg has grubby copy the default one.

RHEL 8 has no new-kernel-pkg on s390x (20-zipl-kernel.install asks for it and writes BLS entries
where it is missing).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.layout.model import Inheritance, Layout, marks

if TYPE_CHECKING:
    from secboot.layout.model import Tree

NAME = "rhel7"
_LAST_VERSION = {"rhel": 7, "centos": 7, "fedora": 29}


def evidence(tree: Tree) -> tuple[str, ...]:
    """The program that adds sections, or the distribution's version."""
    found = marks(tree, "/sbin/new-kernel-pkg", "/usr/sbin/new-kernel-pkg")[:1]
    name = tree.is_like(*_LAST_VERSION)
    version = tree.major_version
    if name is not None and version is not None and version <= _LAST_VERSION[name]:
        found += (f"os-release: {name} {version}",)
    return found


def layout(_tree: Tree) -> Layout:
    """The sections of zipl.conf are edited, zipl commits them."""
    return Layout(NAME, "zipl.conf sections (RHEL 7)", Inheritance.DEFAULT_SECTION)
