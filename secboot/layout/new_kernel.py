"""What parameter line a kernel gets that is installed tomorrow.

Every distribution decides that in its own way (`secboot.layout`): Red Hat's
20-zipl-kernel.install takes /etc/kernel/cmdline, or else the running line; Debian's and Ubuntu's
kernels come under the same names into the same sections; RHEL 7's grubby copies the default
section; SUSE generates all entries from /etc/default/grub.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from secboot.formats.grub_default import GrubDefault
from secboot.formats.kernel_cmdline import CommandLine
from secboot.layout.bls import KERNEL_CMDLINE
from secboot.layout.model import Inheritance
from secboot.layout.suse import GRUB_DEFAULT, LINE_VARIABLES

if TYPE_CHECKING:
    from secboot.layout.model import Layout
    from secboot.machine.discovery import Machine

_NOT_INHERITED = frozenset({"initrd", "BOOT_IMAGE"})
"""What Red Hat's 20-zipl-kernel.install leaves out of the running line."""


class Source(StrEnum):
    """Where a new kernel's line comes from."""

    FILE = "file"
    RUNNING = "running line"
    SECTIONS = "same sections"
    DEFAULT = "default entry"
    UNKNOWN = "unknown"


class NewKernel(NamedTuple):
    """What a new kernel inherits, and in words from where.

    `line` is that line where there is one for all kernels; it is None for the sections that stay
    as they are, and where it is not known.
    """

    source: Source
    description: str
    line: str | None = None


def new_kernel(machine: Machine, layout: Layout, running_line: str | None) -> NewKernel:
    """Tell what a new kernel of this machine would inherit.

    `running_line` is /proc/cmdline when the root is the running system, else None.
    """
    match layout.inheritance:
        case Inheritance.KERNEL_CMDLINE:
            return _kernel_cmdline(machine, running_line)
        case Inheritance.SAME_SECTION:
            return NewKernel(Source.SECTIONS, "a new kernel is booted by the same sections")
        case Inheritance.DEFAULT_SECTION:
            return _default(machine, "a new kernel's section is a copy of the default")
        case Inheritance.DEPLOYMENT:
            return _default(machine, "a new deployment takes over the parameters of the default")
        case Inheritance.GRUB_DEFAULT:
            return _grub_default(machine)
        case Inheritance.UNKNOWN:
            return NewKernel(
                Source.UNKNOWN, "it is not known how this distribution configures a new kernel"
            )


def _kernel_cmdline(machine: Machine, running_line: str | None) -> NewKernel:
    file = machine.file(KERNEL_CMDLINE)
    line = "" if file is None else " ".join(file.text.split())
    if line:
        return NewKernel(Source.FILE, f"a new kernel takes {KERNEL_CMDLINE}", line)
    if running_line is None:
        return NewKernel(
            Source.UNKNOWN,
            f"there is no {KERNEL_CMDLINE}, so a new kernel takes the line that the machine"
            " runs with when it is installed",
        )
    return NewKernel(
        Source.RUNNING,
        f"there is no {KERNEL_CMDLINE}, so a new kernel takes the running line",
        taken_over(running_line).text,
    )


def taken_over(running_line: str) -> CommandLine:
    """Return what Red Hat's 20-zipl-kernel.install takes over from /proc/cmdline."""
    line = CommandLine.parse(running_line)
    return line.remove(*(each for each in line.parameters if each.name in _NOT_INHERITED))


def _default(machine: Machine, description: str) -> NewKernel:
    default = machine.configuration.default
    return NewKernel(Source.DEFAULT, description, None if default is None else default.parmline)


def _grub_default(machine: Machine) -> NewKernel:
    file = machine.file(GRUB_DEFAULT)
    if file is None:
        return NewKernel(Source.UNKNOWN, f"there is no {GRUB_DEFAULT}")
    document = GrubDefault.parse(file.text, file.path)
    assigned = [document.get(name) for name in LINE_VARIABLES]
    line = " ".join(each.value for each in assigned if each is not None)
    return NewKernel(Source.FILE, f"all entries are generated from {GRUB_DEFAULT}", line)
