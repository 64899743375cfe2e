"""Formats of tools for running machines: a grubby command, an Ansible playbook."""

from __future__ import annotations

import re
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
_TEMPLATE = re.compile(r"\{[{%#]")
"""What begins an expression, a statement or a comment of Jinja."""
_EXPRESSION_FOR_GRUBBY = _DAMAGED_BY_GRUBBY | frozenset("+(){}|^")
"""grubby reads the parameters that it removes as extended regular expressions."""


def grubby(request: ExportRequest) -> Exported:
    """Write calls of grubby, and of zipl, which grubby before 8.40-83 does not run (grubby(8)).

    ``--args`` replaces all occurrences of a name with one; ``--remove-args`` removes a name, or one
    value. If an entry's value may already meet the profile, each entry is checked first.
    """
    for requirement in request.requirements:
        _require_safe(requirement)
    entries = request.profile.entries
    if entries.include or entries.exclude:
        raise RefusedError(
            f"grubby cannot select entries by pattern, but the profile is for {entries.describe()}"
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
        notes.append("Not expressed: the profile excludes rescue entries; grubby changes them, too")
    notes += request.image_losses()
    call = f"grubby --update-kernel={which} {' '.join(options)}\n" if options else ""
    careful = "".join(_where_needed(each, which) for each in request.requirements)
    return Exported(f"{request.head(*notes)}{call}{careful}zipl\n")


def _where_needed(requirement: Requirement, which: str) -> str:
    """Change only the entries that need it; if all do, in one call that also covers new kernels."""
    kept = requirement.kept
    if kept is None:
        return ""
    name, words = requirement.name, " ".join(requirement.words)
    good, what = "1", f"any {name}"
    if kept.limit:
        good = f"value + 0 >= {kept.least} && value + 0 < {kept.limit}"
        what = f"{name}={kept.least} or more, in decimal digits,"
    lost = "in that case grubby does not change /etc/kernel/cmdline, which new kernels use"
    notes = [f"An entry with {what} keeps its value.", f"Not expressed: {lost}"]
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
    """Write a playbook with the role from secboot's collection, which runs secboot on each host."""
    head = request.head(
        "Needs the collection secboot.boot:"
        f" ansible-galaxy collection install secboot-boot-{__version__}.tar.gz"
    )
    files = "".join(
        f"      {quoted(source.path)}: {_literally(source.text)}{yaml_block(source.text, 8)}"
        for source in request.sources
    )
    profiles = f"    secboot_apply_profile_files:\n{files}" if files else ""
    return Exported(
        f"---\n{head}"
        f"- name: {quoted(f'Apply the secboot profile {request.profile.name}')}\n"
        "  hosts: all\n"
        "  become: true\n"
        "  gather_facts: false\n"
        '  serial: "25%"\n'
        "  vars:\n"
        f"    secboot_apply_profile: {quoted(request.profile.name)}\n{profiles}"
        "  roles:\n"
        "    - role: secboot.boot.secboot_apply\n"
    )


def _literally(text: str) -> str:
    """Return the tag without which Ansible would read a text as a template."""
    return "!unsafe " if _TEMPLATE.search(text) else ""


def _require_safe(requirement: Requirement) -> None:
    words = requirement.words
    if len(words) > 1 or (words and requirement.stands_beside_others):
        raise RefusedError(
            f"when grubby adds {requirement.name}=, it removes all others",
            location=requirement.location,
            hint="use secboot on the machine, or the format ansible",
        )
    harmful = [(word, _DAMAGED_BY_GRUBBY) for word in words]
    harmful += [(word, _EXPRESSION_FOR_GRUBBY) for word in requirement.unwanted]
    for word, characters in harmful:
        damaged = sorted(characters.intersection(word))
        if damaged:
            raise RefusedError(
                f"grubby damages values that contain {damaged[0]!r}, such as {word}",
                location=requirement.location,
                hint="use secboot on the machine, or the format ansible",
            )
