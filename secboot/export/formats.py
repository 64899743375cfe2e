"""All formats, each with the function that writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.export import images, install, management
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
    ExportFormat.BOOTC: Writer(images.bootc),
    ExportFormat.BUTANE: Writer(images.butane),
    ExportFormat.CLOUD_INIT: Writer(install.cloud_init),
    ExportFormat.COREOS_INSTALLER: Writer(images.coreos_installer),
    ExportFormat.GRUBBY: Writer(management.grubby),
    ExportFormat.KICKSTART: Writer(install.kickstart),
    ExportFormat.KICKSTART_POST: Writer(install.kickstart_post),
    ExportFormat.KIWI: Writer(images.kiwi, takes_line=True),
    ExportFormat.MACHINECONFIG: Writer(images.machineconfig),
    ExportFormat.MKOSI: Writer(images.mkosi, takes_line=True),
    ExportFormat.OSBUILD: Writer(images.osbuild),
    ExportFormat.PVICS: Writer(images.pvics),
    ExportFormat.PVIMG: Writer(images.pvimg, takes_line=True),
}
