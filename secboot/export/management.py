"""Formats of tools for machines that run: a grubby command, an Ansible playbook."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.export.request import Exported, ExportRequest, comments, yaml_block
from secboot.formats.kernel_arguments import quoted
from secboot.profile.profile import EntryScope

if TYPE_CHECKING:
    from secboot.profile.requirement import Requirement

_DAMAGED_BY_GRUBBY = frozenset("&\\\"'*?[]$` #!")


def grubby(request: ExportRequest) -> Exported:
    """A call of grubby, and of zipl, which grubby before 8.40-83 does not run (grubby(8)).

    ``--args`` replaces every occurrence of a name; ``--remove-args`` removes by name.
    """
    for requirement in request.requirements:
        _require_safe(requirement)
    entries = request.profile.entries
    if entries.include or entries.exclude:
        raise RefusedError(
            f"grubby can't choose entries by pattern, and the profile is for {entries.describe()}"
        )
    which = "DEFAULT" if entries.scope is EntryScope.DEFAULT else "ALL"
    added = [word for requirement in request.requirements for word in requirement.words]
    removed = [each.name for each in request.requirements if not each.words]
    options = [f"--update-kernel={which}"]
    options += [f"--args={shlex.quote(' '.join(added))}"] if added else []
    options += [f"--remove-args={shlex.quote(' '.join(removed))}"] if removed else []
    notes = [request.title(), *_grubby_losses(request)]
    return Exported(f"{comments(notes)}grubby {' '.join(options)}\nzipl\n")


def ansible(request: ExportRequest) -> Exported:
    """A playbook with the role of secboot's collection, which runs secboot on each host."""
    head = comments(
        [
            request.title(),
            "The collection secboot.boot has to be installed: ansible-galaxy collection install",
        ]
    )
    files = "".join(
        f"      {quoted(source.path)}: {yaml_block(source.text, 8)}" for source in request.sources
    )
    profiles = f"    secboot_profile_files:\n{files}" if files else ""
    return Exported(
        f"---\n{head}"
        f"- name: {quoted(f'Apply the secboot profile {request.profile.name}')}\n"
        "  hosts: all\n"
        "  become: true\n"
        "  gather_facts: false\n"
        '  serial: "25%"\n'
        "  vars:\n"
        f"    secboot_profile: {quoted(request.profile.name)}\n{profiles}"
        "  roles:\n"
        "    - role: secboot.boot.machine\n"
    )


def _require_safe(requirement: Requirement) -> None:
    if requirement.stands_beside_others:
        raise RefusedError(
            f"grubby would remove every other {requirement.name}= when it adds one",
            location=requirement.location,
            hint="use secboot on the machine, or the format ansible",
        )
    for word in requirement.words:
        damaged = sorted(_DAMAGED_BY_GRUBBY.intersection(word))
        if damaged:
            raise RefusedError(
                f"grubby damages values that have {damaged[0]!r}, and {word} has",
                location=requirement.location,
                hint="use secboot on the machine, or the format ansible",
            )


def _grubby_losses(request: ExportRequest) -> list[str]:
    lost = [
        "Lost: a larger swiotlb= that is there already is lowered"
        for requirement in request.requirements
        if requirement.keeps_larger
    ]
    if not request.profile.entries.rescue:
        lost.append("Lost: the profile leaves rescue entries alone; grubby changes them, too")
    return lost
