"""The formats by name: all that the command line's help has to know of them."""

from __future__ import annotations

from enum import StrEnum


class ExportFormat(StrEnum):
    """A format, by the name that people give it."""

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
