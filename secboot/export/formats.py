"""All export formats, each with the function that writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.export import images, install, management
from secboot.export.names import ExportFormat
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from secboot.export.request import Exported, ExportRequest


class Writer(NamedTuple):
    """How a format is written; `takes_line` tells whether it contains a whole parameter line.

    `for_entries` tells whether its tool adds parameters to boot entries regardless of the profile's
    `entries`; the others build an image, or run secboot on the machine.
    """

    write: Callable[[ExportRequest], Exported]
    takes_line: bool = False
    for_entries: bool = True


WRITERS: Mapping[ExportFormat, Writer] = {
    ExportFormat.ANSIBLE: Writer(management.ansible, for_entries=False),
    ExportFormat.AUTOINSTALL: Writer(install.autoinstall, for_entries=False),
    ExportFormat.BOOTC: Writer(images.bootc),
    ExportFormat.BUTANE: Writer(images.butane),
    ExportFormat.CLOUD_INIT: Writer(install.cloud_init, for_entries=False),
    ExportFormat.COREOS_INSTALLER: Writer(images.coreos_installer),
    ExportFormat.GRUBBY: Writer(management.grubby),
    ExportFormat.KICKSTART: Writer(install.kickstart),
    ExportFormat.KICKSTART_POST: Writer(install.kickstart_post, for_entries=False),
    ExportFormat.KIWI: Writer(images.kiwi, takes_line=True),
    ExportFormat.MACHINECONFIG: Writer(images.machineconfig),
    ExportFormat.MKOSI: Writer(images.mkosi, takes_line=True),
    ExportFormat.OSBUILD: Writer(images.osbuild),
    ExportFormat.PVICS: Writer(images.pvics, for_entries=False),
    ExportFormat.PVIMG: Writer(images.pvimg, takes_line=True, for_entries=False),
}
