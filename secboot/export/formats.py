"""All formats, each with the function that writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.export import coreos, image, install, management, sealed
from secboot.export.names import ExportFormat
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from secboot.export.request import Exported, ExportRequest


class Writer(NamedTuple):
    """How a format is written; `takes_line` tells whether it holds a whole parameter line."""

    write: Callable[[ExportRequest], Exported]
    takes_line: bool = False


WRITERS: Mapping[ExportFormat, Writer] = {
    ExportFormat.ANSIBLE: Writer(management.ansible),
    ExportFormat.AUTOINSTALL: Writer(install.autoinstall),
    ExportFormat.BOOTC: Writer(image.bootc),
    ExportFormat.BUTANE: Writer(coreos.butane),
    ExportFormat.CLOUD_INIT: Writer(install.cloud_init),
    ExportFormat.COREOS_INSTALLER: Writer(coreos.coreos_installer),
    ExportFormat.GRUBBY: Writer(management.grubby),
    ExportFormat.KICKSTART: Writer(install.kickstart),
    ExportFormat.KICKSTART_POST: Writer(install.kickstart_post),
    ExportFormat.KIWI: Writer(image.kiwi, takes_line=True),
    ExportFormat.MACHINECONFIG: Writer(coreos.machineconfig),
    ExportFormat.MKOSI: Writer(image.mkosi, takes_line=True),
    ExportFormat.OSBUILD: Writer(image.osbuild),
    ExportFormat.PVICS: Writer(sealed.pvics),
    ExportFormat.PVIMG: Writer(sealed.pvimg, takes_line=True),
}
