"""What parameter line a kernel gets that is installed tomorrow.

Every distribution decides that in its own way: Red Hat's 20-zipl-kernel.install takes
/etc/kernel/cmdline, or else the running line; Debian's and Ubuntu's kernels come under the same
names into the same sections; RHEL 7's grubby copies the default section.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.formats.kernel_cmdline import CommandLine
from secboot.machine.file_errors import FileError, NotFoundError
from secboot.machine.system_files import text_or_none

if TYPE_CHECKING:
    from secboot.machine.discovery import Machine
    from secboot.machine.root import Root

KERNEL_CMDLINE = "/etc/kernel/cmdline"
_NOT_INHERITED = frozenset({"initrd", "BOOT_IMAGE"})
"""What Red Hat's 20-zipl-kernel.install leaves out of the running line."""
_FIXED_SECTIONS = frozenset({"debian", "ubuntu", "alpine"})
_RED_HAT = frozenset({"rhel", "fedora", "centos"})
_FIELD = re.compile(r"^(ID|ID_LIKE|VERSION_ID)=[\"']?([^\"'\n]*)[\"']?$", re.MULTILINE)


class Source(StrEnum):
    """Where a new kernel's line comes from."""

    FILE = "file"
    RUNNING = "running line"
    SECTIONS = "same sections"
    DEFAULT = "default entry"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What a new kernel inherits, and in words from where.

    `line` is that line where there is one for all kernels; it is None for the sections that stay
    as they are, and where it is not known.
    """

    source: Source
    description: str
    line: str | None = None


def new_kernel_inheritance(root: Root, machine: Machine, running_line: str | None) -> Inheritance:
    """Tell what a new kernel of this machine would inherit.

    `running_line` is /proc/cmdline when the root is the running system, else None.
    """
    source = _source(root, machine.layout.name)
    if source is Source.FILE:
        return _red_hat(root, running_line)
    if source is Source.SECTIONS:
        return Inheritance(source, "a new kernel is booted by the same sections")
    if source is Source.DEFAULT:
        default = machine.configuration.default
        line = None if default is None else default.parmline
        return Inheritance(source, "a new kernel's section is a copy of the default", line)
    return Inheritance(
        Source.UNKNOWN, "it is not known how this distribution configures a new kernel"
    )


def _source(root: Root, layout: str) -> Source:
    """Where a new kernel's line comes from, by the name of the layout and the distribution's."""
    ids, version = _distribution(root)
    if layout == "bls" and ids & _RED_HAT:
        return Source.FILE
    if layout in _FIXED_SECTIONS or (layout == "zipl.conf" and ids & _FIXED_SECTIONS):
        return Source.SECTIONS
    if layout == "rhel7" or (layout == "zipl.conf" and ids & _RED_HAT and version[:1] == "7"):
        return Source.DEFAULT
    return Source.UNKNOWN


def _red_hat(root: Root, running_line: str | None) -> Inheritance:
    try:
        data = root.read_bytes(KERNEL_CMDLINE)
    except NotFoundError:
        data = b""
    except FileError as error:
        return Inheritance(Source.UNKNOWN, f"{KERNEL_CMDLINE} can't be read: {error.message}")
    line = " ".join(data.decode("utf-8", "surrogateescape").split())
    if line:
        return Inheritance(Source.FILE, f"a new kernel takes {KERNEL_CMDLINE}", line)
    if running_line is None:
        return Inheritance(
            Source.UNKNOWN,
            f"there is no {KERNEL_CMDLINE}, so a new kernel takes the line that the machine"
            " runs with when it is installed",
        )
    kept = CommandLine.parse(running_line)
    dropped = [each for each in kept.parameters if each.name in _NOT_INHERITED]
    return Inheritance(
        Source.RUNNING,
        f"there is no {KERNEL_CMDLINE}, so a new kernel takes the running line",
        kept.remove(*dropped).render(),
    )


def _distribution(root: Root) -> tuple[frozenset[str], str]:
    """The distribution's names, its own and those of its kin, and its version (os-release(5))."""
    text = text_or_none(root, "/etc/os-release") or text_or_none(root, "/usr/lib/os-release")
    fields = dict(_FIELD.findall(text or ""))
    names = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".split()
    return frozenset(names), fields.get("VERSION_ID", "")
