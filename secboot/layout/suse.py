"""SUSE: two stages, both generated from /etc/default/grub.

zipl boots a first system from /boot/zipl, whose configuration grub2-zipl-setup generates from
/etc/default/zipl2grub.conf.in and /etc/default/grub. Its initrd runs grub2-emu, which starts the
real kernel with the line from grub.cfg, which grub2-mkconfig generates from the same file
(openSUSE's grub2, util/s390x/zipl2grub.pl.in). So both have to run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.layout.model import Inheritance, Layout, Program, marks
from secboot.machine.discovery import Sources

if TYPE_CHECKING:
    from secboot.layout.model import Tree

NAME = "suse"
GRUB_DEFAULT = "/etc/default/grub"
LINE_VARIABLES = ("GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT")
"""The variables in it that make a parameter line, in this order."""
ZIPL_TEMPLATE = "/etc/default/zipl2grub.conf.in"
SE_TEMPLATE = "/etc/default/se-parm.conf.in"
ZIPL_CONFIG = "/boot/zipl/config"
GRUB_CFG = "/boot/grub2/grub.cfg"
_NAMES = ("sles", "sled", "opensuse", "opensuse-leap", "opensuse-tumbleweed", "suse")


def evidence(tree: Tree) -> tuple[str, ...]:
    """The template or the generated configuration, or the distribution's name."""
    found = marks(tree, ZIPL_TEMPLATE, ZIPL_CONFIG)
    name = tree.is_like(*_NAMES)
    return found if name is None else (*found, f"os-release: {name}")


def layout(tree: Tree) -> Layout:
    """/etc/default/grub is edited; grub.cfg and zipl's configuration are generated anew.

    The programs themselves are preferred to ``update-bootloader``, which reports success for a
    step that it skipped.
    """
    mkconfig: tuple[str, ...] = ("grub2-mkconfig", "-o", GRUB_CFG)
    setup: tuple[str, ...] = ("grub2-zipl-setup",)
    if not tree.exists("/usr/sbin/grub2-mkconfig") and tree.exists("/usr/sbin/update-bootloader"):
        mkconfig = ("update-bootloader", "--config")
    if not tree.exists("/usr/sbin/grub2-zipl-setup") and tree.exists("/usr/sbin/update-bootloader"):
        setup = ("update-bootloader", "--reinit")
    return Layout(
        NAME,
        "SUSE's two stages (zipl, then grub2-emu)",
        Inheritance.GRUB_DEFAULT,
        commit=(
            Program(
                mkconfig,
                f"{GRUB_CFG}, with which the second stage starts the kernel, holds the old line",
            ),
            Program(
                setup, "the first stage's zipl configuration and boot record hold the old line"
            ),
        ),
        sources=Sources(
            reads=(GRUB_DEFAULT, SE_TEMPLATE),
            derived=(GRUB_CFG,),
            conf_path=ZIPL_CONFIG,
            generated=True,
        ),
    )
