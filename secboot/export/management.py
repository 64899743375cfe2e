"""Formats of tools for machines that run: a grubby command, an Ansible playbook."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.export.order import Exported, Order, comments, quoted
from secboot.export.text import yaml_block
from secboot.profile.entries import EntryScope

if TYPE_CHECKING:
    from secboot.export.demand import Demand

_DAMAGED_BY_GRUBBY = frozenset("&\\\"'*?[]$` #!")


def grubby(order: Order) -> Exported:
    """A call of grubby, and of zipl, which grubby before 8.40-83 does not run (grubby(8)).

    ``--args`` replaces every occurrence of a name; ``--remove-args`` removes by name.
    """
    for demand in order.demands:
        _require_safe(demand)
    entries = order.profile.entries
    if entries.include or entries.exclude:
        raise RefusedError(
            f"grubby can't choose entries by pattern, and the profile is for {entries.describe()}"
        )
    which = "DEFAULT" if entries.scope is EntryScope.DEFAULT else "ALL"
    added = [word for demand in order.demands for word in demand.words]
    removed = [demand.name for demand in order.demands if demand.removes]
    options = [f"--update-kernel={which}"]
    options += [f"--args={shlex.quote(' '.join(added))}"] if added else []
    options += [f"--remove-args={shlex.quote(' '.join(removed))}"] if removed else []
    notes = [order.title(), *_grubby_losses(order)]
    return Exported(f"{comments(notes)}grubby {' '.join(options)}\nzipl\n")


def ansible(order: Order) -> Exported:
    """A playbook with the role of secboot's collection, which runs secboot on each host."""
    head = comments(
        [
            order.title(),
            "The collection secboot.boot has to be installed: ansible-galaxy collection install",
        ]
    )
    files = "".join(
        f"      {quoted(source.path)}: {yaml_block(source.text, 8)}" for source in order.sources
    )
    profiles = f"    secboot_profile_files:\n{files}" if files else ""
    return Exported(
        f"---\n{head}"
        f"- name: {quoted(f'Apply the secboot profile {order.profile.name}')}\n"
        "  hosts: all\n"
        "  become: true\n"
        "  gather_facts: false\n"
        '  serial: "25%"\n'
        "  vars:\n"
        f"    secboot_profile: {quoted(order.profile.name)}\n{profiles}"
        "  roles:\n"
        "    - role: secboot.boot.machine\n"
    )


def _require_safe(demand: Demand) -> None:
    if demand.adds_one_of_many:
        raise RefusedError(
            f"grubby would remove every other {demand.name}= when it adds one",
            location=demand.requirement.location,
            hint="use secboot on the machine, or the format ansible",
        )
    for word in demand.words:
        damaged = sorted(_DAMAGED_BY_GRUBBY.intersection(word))
        if damaged:
            raise RefusedError(
                f"grubby damages values that have {damaged[0]!r}, and {word} has",
                location=demand.requirement.location,
                hint="use secboot on the machine, or the format ansible",
            )


def _grubby_losses(order: Order) -> list[str]:
    lost = [
        "Lost: a larger swiotlb= that is there already is lowered"
        for demand in order.demands
        if demand.keeps_more
    ]
    if not order.profile.entries.rescue:
        lost.append("Lost: the profile leaves rescue entries alone; grubby changes them, too")
    return lost
