"""The manual page secboot-profile(5), made from the tables that profiles are read by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reference import roff
from reference.profile_page import ASKED, how_often
from reference.secboot_8 import DATE, MANUAL
from secboot import __version__
from secboot.profile.fields import (
    ENTRY_FIELDS,
    IMAGE_FIELDS,
    PROFILE_FIELDS,
    REQUIREMENT_FIELDS,
    Field,
)
from secboot.profile.generic import RULES as GENERIC
from secboot.profile.parameters import KNOWN, rules_for
from secboot.profile.search import SEARCH_PATH, SHIPPED

if TYPE_CHECKING:
    from secboot.profile.requirement import ParameterRules

_DESCRIPTION = """\
A profile is a YAML file with the kernel parameters that a machine needs for its role in IBM Secure
Execution. If the parameter line of a boot entry already meets a requirement, as the kernel reads the
line, it stays as it is. A wrong value is replaced where it is; a missing parameter is appended, before
a `--` if the line has one."""

_EXAMPLE = """\
version: 1
extends: guest
description: Guests of the payroll cluster
parameters:
  swiotlb:
    at_least: 1 GiB
  console:
    includes: [ttysclp0]
entries:
  rescue: false
"""

_YAML = """\
The file has mappings, lists and strings in UTF-8. Anchors, aliases, merge keys, tags, directives and
second documents are refused, and so are unknown keys, keys that occur twice, and unquoted words that
some YAML version reads as a boolean or a different number instead of a string. All
problems of a file are reported in one run, each with its line and column:
`secboot profile validate` FILE. `secboot profile schema` prints the format as JSON Schema."""


def page() -> str:
    """Return the whole page."""
    parts = [
        roff.title("secboot-profile", 5, DATE, f"secboot {__version__}", MANUAL),
        roff.heading("name"),
        "secboot\\-profile \\- the state that a machine should have\n",
        roff.heading("synopsis"),
        "\n.br\n".join(f".I {roff.escaped(each)}/*.yaml" for each in SEARCH_PATH) + "\n",
        roff.heading("description"),
        roff.paragraph(_DESCRIPTION),
        roff.paragraph(_YAML),
        roff.heading("keys"),
        *map(_field, PROFILE_FIELDS),
        roff.heading("entries"),
        roff.paragraph("A mapping selects some of all entries:"),
        *map(_field, ENTRY_FIELDS),
        roff.heading("image"),
        roff.paragraph("The files of a Secure Execution image:"),
        *map(_field, IMAGE_FIELDS),
        roff.heading("parameters"),
        roff.paragraph(ASKED),
        *(roff.item(f"{each.key}: ({each.kind})", each.meaning) for each in REQUIREMENT_FIELDS),
        *(_rules(name, rules_for(name)) for name in KNOWN),
        _rules("Other parameters", GENERIC),
        *map(roff.paragraph, how_often()),
        roff.heading("files"),
        *(
            roff.item(f"{directory}/*.yaml, *.yml", "Searched in this order.")
            for directory in SEARCH_PATH
        ),
        roff.paragraph(
            "Then come the profiles in secboot itself: "
            f"{', '.join(f'`{name}`' for name in SHIPPED)}. The first match wins. A file that extends "
            "its own name starts from the profile that it hides."
        ),
        roff.heading("examples"),
        roff.verbatim(_EXAMPLE),
        roff.see_also((("secboot", 8), ("zipl.conf", 5), ("kernel-command-line", 7))),
    ]
    return roff.page(parts)


def _field(field: Field) -> str:
    choices = (
        f" One of: {', '.join(f'`{each}`' for each in field.choices)}." if field.choices else ""
    )
    without = "It is required." if field.required else f"Default: {field.default}."
    example = f"Example: `{field.key}: {field.example}`"
    return roff.item(
        f"{field.key}: ({field.kind})", f"{field.meaning}{choices} {without} {example}"
    )


def _rules(title: str, rules: ParameterRules) -> str:
    parts = [
        roff.subheading(title),
        f"{roff.inline(rules.summary[0].upper() + rules.summary[1:])}.\n",
        *(
            roff.item(str(form.operator), f"{form.meaning}. Example: `{form.example}`")
            for form in rules.forms
        ),
        roff.paragraph(rules.details),
    ]
    return "".join(parts)
