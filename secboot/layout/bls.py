"""RHEL 8 to 10, Fedora and their kin: BLS entries, and /etc/kernel/cmdline for new kernels.

The entry of a new kernel is written by s390utils' 20-zipl-kernel.install: with the words of
/etc/kernel/cmdline, or if there are none, with those of /proc/cmdline but ``initrd=`` (newer
releases leave out ``BOOT_IMAGE=``, too). 91-zipl.install then runs zipl.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.layout import debian
from secboot.layout.model import Inheritance, Layout, marks
from secboot.machine.discovery import BLS_DIRECTORY, Sources

if TYPE_CHECKING:
    from secboot.layout.model import Tree

NAME = "bls"
KERNEL_CMDLINE = "/etc/kernel/cmdline"
PLUGIN = "/usr/lib/kernel/install.d/20-zipl-kernel.install"


def evidence(tree: Tree) -> tuple[str, ...]:
    """BLS entries, or the program that writes them.

    Entries alone don't tell on Debian: zipl reads them there too, but somebody wrote them by
    hand, and a new kernel still takes its parameters from the sections of zipl.conf.
    """
    by_hand = bool(debian.evidence(tree))
    entries = (f"{BLS_DIRECTORY}/*.conf",) if tree.has_bls and not by_hand else ()
    return entries + marks(tree, PLUGIN)


def layout(_tree: Tree) -> Layout:
    """Entries and /etc/kernel/cmdline are edited, zipl commits the entries."""
    return Layout(
        NAME,
        "BLS entries and zipl.conf",
        Inheritance.KERNEL_CMDLINE,
        sources=Sources(reads=(KERNEL_CMDLINE,)),
    )
