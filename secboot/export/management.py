"""Formats of tools for machines that run: a grubby command, an Ansible playbook."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from secboot import __version__
from secboot.errors import RefusedError
from secboot.export.request import Exported, ExportRequest, comments, yaml_block
from secboot.formats.kernel_arguments import quoted
from secboot.profile.profile import EntryScope

if TYPE_CHECKING:
    from secboot.profile.requirement import Requirement

_DAMAGED_BY_GRUBBY = frozenset("&\\\"'*?[]$` #!")
_EXPRESSION_FOR_GRUBBY = _DAMAGED_BY_GRUBBY | frozenset("+(){}|^")
"""What it removes is an extended regular expression to it."""


def grubby(request: ExportRequest) -> Exported:
    """Calls of grubby, and of zipl, which grubby before 8.40-83 does not run (grubby(8)).

    ``--args`` replaces every occurrence of a name, with one; ``--remove-args`` removes by name, or
    one value. Where a value
    that an entry has may be good as it is, each entry is looked at before.
    """
    for requirement in request.requirements:
        _require_safe(requirement)
    entries = request.profile.entries
    if entries.include or entries.exclude:
        raise RefusedError(
            f"grubby can't choose entries by pattern, and the profile is for {entries.describe()}"
        )
    which = "DEFAULT" if entries.scope is EntryScope.DEFAULT else "ALL"
    plain = [each for each in request.requirements if each.kept is None]
    added = [word for requirement in plain for word in requirement.words]
    removed = [each.name for each in plain if not (each.words or each.unwanted)]
    removed += request.words_to_remove()
    options = [f"--args={shlex.quote(' '.join(added))}"] if added else []
    options += [f"--remove-args={shlex.quote(' '.join(removed))}"] if removed else []
    notes = []
    if not entries.rescue:
        notes.append("Lost: the profile leaves rescue entries alone; grubby changes them, too")
    notes += request.image_losses()
    call = f"grubby --update-kernel={which} {' '.join(options)}\n" if options else ""
    careful = "".join(_where_needed(each, which) for each in request.requirements)
    return Exported(f"{request.head(*notes)}{call}{careful}zipl\n")


def _where_needed(requirement: Requirement, which: str) -> str:
    """Change the entries that lack it; all in one call, with what new kernels get, if all do."""
    kept = requirement.kept
    if kept is None:
        return ""
    name, words = requirement.name, " ".join(requirement.words)
    good, what = "1", f"any {name}"
    if kept.limit:
        good = f"value + 0 >= {kept.least} && value + 0 < {kept.limit}"
        what = f"{name}={kept.least} or more, in decimal digits,"
    notes = [
        f"An entry with {what} keeps what it has.",
        "Lost: grubby then leaves /etc/kernel/cmdline alone, where new kernels get theirs from",
    ]
    return f"""{comments(notes)}\
entries=$(grubby --info={which} | awk -v name={name} '
    /^index=/ {{ entry = substr($0, 7) }}
    /^args=/ {{
        count = split($0, words, /[" ]+/)
        good = 0; bad = 0
        for (i = 2; i <= count && words[i] != "--"; i++) {{
            if (words[i] != name && index(words[i], name "=") != 1) continue
            value = substr(words[i], length(name) + 2)
            if (value !~ /^({kept.pattern})$/) bad = 1
            good = {good}
        }}
        if (good && !bad) kept = 1; else lacking = lacking " " entry
    }}
    END {{ print kept ? lacking : "{which}" }}')
for entry in $entries; do
    grubby --update-kernel="$entry" --args={shlex.quote(words)}
done
"""


def ansible(request: ExportRequest) -> Exported:
    """A playbook with the role of secboot's collection, which runs secboot on each host."""
    head = request.head(
        "It needs the collection secboot.boot:"
        f" ansible-galaxy collection install secboot-boot-{__version__}.tar.gz"
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
    words = requirement.words
    if len(words) > 1 or (words and requirement.stands_beside_others):
        raise RefusedError(
            f"grubby would remove every other {requirement.name}= when it adds one",
            location=requirement.location,
            hint="use secboot on the machine, or the format ansible",
        )
    harmful = [(word, _DAMAGED_BY_GRUBBY) for word in words]
    harmful += [(word, _EXPRESSION_FOR_GRUBBY) for word in requirement.unwanted]
    for word, characters in harmful:
        damaged = sorted(characters.intersection(word))
        if damaged:
            raise RefusedError(
                f"grubby damages values that have {damaged[0]!r}, and {word} has",
                location=requirement.location,
                hint="use secboot on the machine, or the format ansible",
            )
