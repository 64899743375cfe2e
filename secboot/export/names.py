"""The names of the formats, which are all that the command line's help needs."""

from __future__ import annotations

from enum import StrEnum


class ExportFormat(StrEnum):
    """A format, by the name on the command line."""

    ANSIBLE = "ansible"
    AUTOINSTALL = "autoinstall"
    BOOTC = "bootc"
    BUTANE = "butane"
    CLOUD_INIT = "cloud-init"
    COREOS_INSTALLER = "coreos-installer"
    GRUBBY = "grubby"
    KICKSTART = "kickstart"
    KICKSTART_POST = "kickstart-post"
    KIWI = "kiwi"
    MACHINECONFIG = "machineconfig"
    MKOSI = "mkosi"
    OSBUILD = "osbuild"
    PVICS = "pvics"
    PVIMG = "pvimg"
