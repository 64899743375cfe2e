"""Formats for CoreOS and OpenShift: MachineConfig, Butane, coreos-installer."""

from __future__ import annotations

import re
import shlex

from secboot.export.order import Exported, Order, comments, losses, quoted, words_to_add
from secboot.profile.profile import Role

_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")


def machineconfig(order: Order) -> Exported:
    """A MachineConfig with ``kernelArguments`` (openshift/api, machineconfiguration v1)."""
    words = words_to_add(order, "a MachineConfig")
    name = _NOT_IN_A_NAME.sub("-", order.profile.name.lower()).strip("-")
    head = comments(
        [
            order.title(),
            "Change the role if the machines are not in the pool of workers.",
            *losses(order),
        ]
    )
    listed = "".join(f"    - {quoted(word)}\n" for word in words)
    return Exported(
        f"{head}apiVersion: machineconfiguration.openshift.io/v1\n"
        "kind: MachineConfig\n"
        "metadata:\n"
        f"  name: 99-secboot-{name}\n"
        "  labels:\n"
        "    machineconfiguration.openshift.io/role: worker\n"
        "spec:\n"
        f"  kernelArguments:\n{listed}"
    )


def butane(order: Order) -> Exported:
    """``kernel_arguments.should_exist`` (Butane, Fedora CoreOS specification v1.4.0).

    1.4.0 is the first version that has it, so every Butane that can do it takes the text. Ignition
    removes an argument by its whole text only (``should_not_exist``), so a profile that wants a
    parameter gone with whatever value can't be written.
    """
    words = words_to_add(order, "Ignition, which removes an argument by its whole text only:")
    notes = [order.title(), *losses(order)]
    if order.profile.role is Role.GUEST:
        notes.append(
            "In a guest that boots a sealed image Ignition can't set kernel arguments:"
            " give them to pvimg"
        )
    listed = "".join(f"    - {quoted(word)}\n" for word in words)
    return Exported(
        f"{comments(notes)}variant: fcos\nversion: 1.4.0\n"
        f"kernel_arguments:\n  should_exist:\n{listed}"
    )


def coreos_installer(order: Order) -> Exported:
    """Options for ``coreos-installer install`` (its man page, ``--append-karg``)."""
    words = words_to_add(order, "coreos-installer")
    options = "".join(f" \\\n    --append-karg {shlex.quote(word)}" for word in words)
    head = comments(
        [order.title(), "Set DEVICE to the disk, /dev/dasda for instance.", *losses(order)]
    )
    return Exported(f'{head}coreos-installer install{options} \\\n    "$DEVICE"\n')
