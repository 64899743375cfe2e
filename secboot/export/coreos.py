"""Formats for CoreOS and OpenShift: MachineConfig, Butane, coreos-installer."""

from __future__ import annotations

import shlex

from secboot.export.request import Exported, ExportRequest, comments, losses, words_to_add
from secboot.formats.kernel_arguments import machine_config, quoted
from secboot.profile.profile import Role


def machineconfig(request: ExportRequest) -> Exported:
    """A MachineConfig with ``kernelArguments`` (openshift/api, machineconfiguration v1)."""
    words = words_to_add(request, "a MachineConfig")
    head = comments(
        [
            request.title(),
            "Change the role if the machines are not in the pool of workers.",
            *losses(request),
        ]
    )
    return Exported(head + machine_config(request.profile.name, words))


def butane(request: ExportRequest) -> Exported:
    """``kernel_arguments.should_exist`` (Butane, Fedora CoreOS specification v1.4.0).

    1.4.0 is the first version that has it, so every Butane that can do it takes the text. Ignition
    removes an argument by its whole text only (``should_not_exist``), so a profile that wants a
    parameter gone with whatever value can't be written.
    """
    words = words_to_add(request, "Ignition, which removes an argument by its whole text only:")
    notes = [request.title(), *losses(request)]
    if request.profile.role is Role.GUEST:
        notes.append(
            "In a guest that boots a sealed image Ignition can't set kernel arguments:"
            " give them to pvimg"
        )
    listed = "".join(f"    - {quoted(word)}\n" for word in words)
    return Exported(
        f"{comments(notes)}variant: fcos\nversion: 1.4.0\n"
        f"kernel_arguments:\n  should_exist:\n{listed}"
    )


def coreos_installer(request: ExportRequest) -> Exported:
    """Options for ``coreos-installer install`` (its man page, ``--append-karg``)."""
    words = words_to_add(request, "coreos-installer")
    options = "".join(f" \\\n    --append-karg {shlex.quote(word)}" for word in words)
    head = comments(
        [request.title(), "Set DEVICE to the disk, /dev/dasda for instance.", *losses(request)]
    )
    return Exported(f'{head}coreos-installer install{options} \\\n    "$DEVICE"\n')
