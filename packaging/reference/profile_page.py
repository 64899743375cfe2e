"""The reference page about profiles, made from the tables by which profiles are read."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from secboot.kernel.command_line import LAST_WINS_NAMES, MULTI_VALUED_NAMES
from secboot.profile.composer import DEPTH_LIMIT
from secboot.profile.document import SIZE_LIMIT
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
from secboot.profile.spelling import COMMON_NAMES

if TYPE_CHECKING:
    from secboot.profile.requirement import ParameterRules

_INTRODUCTION = """\
# Profiles

A profile is a YAML file with the kernel parameters that a machine needs for its role in IBM Secure
Execution:

```yaml
version: 1
role: guest
description: Guests of the payroll cluster
parameters:
  swiotlb:
    at_least: 512 MiB
```

If the parameter line of a boot entry already meets a requirement, as the kernel reads the line, it
stays as it is, however it is written. A wrong value is replaced where it is; a missing parameter is
appended, before a `--` if the line has one.

`packaging/generate` writes this page from the tables in `secboot/profile`. `secboot profile schema`
prints the same as JSON Schema.
"""

_YAML = """\
## YAML syntax

A profile has mappings, lists and strings in UTF-8, is at most {kib} KiB long and {depth} levels deep.
Anchors, aliases, merge keys (`<<`), tags, directives, tabs as indentation and second documents are
refused, and so are unknown keys and keys that occur twice. All problems of a file are reported in
one run, each with its line and column.

Values are strings, exactly as written. YAML versions differ in what an unquoted `on`, `~`, `0100` or
`1e5` means, so these are refused as strings: put them in quotes. Plain decimal numbers need no
quotes. `true` and `false` are accepted where this page says so.
"""

ASKED = (
    "The requirement for a parameter is a mapping with exactly one of these operators; only `includes` and "
    "`excludes` can be combined. A single value is short for `exactly`, a list for `includes`."
)
_EXTENDING = """\
## Extending a profile

A site can change single requirements of a shipped profile in its own file, here
`/etc/secboot/profiles/guest.yaml`:

```yaml
version: 1
extends: guest            # the shipped profile, which this file replaces
parameters:
  swiotlb: {{at_least: 1 GiB}}
  console: [ttysclp0]
```

{search}"""


def reference_markdown() -> str:
    """The whole page."""
    sections = [
        _INTRODUCTION,
        "## Keys\n\n" + _fields(PROFILE_FIELDS),
        "## `entries`\n\nA mapping selects some of all entries:\n\n" + _fields(ENTRY_FIELDS),
        "## `image`\n\nThe files of a Secure Execution image:\n\n" + _fields(IMAGE_FIELDS),
        f"## `parameters`\n\n{_wrapped(ASKED)}\n"
        + _operators()
        + "\n"
        + "\n".join(_rules(f"`{name}`", rules_for(name)) for name in KNOWN),
        _rules("Other parameters", GENERIC) + "\n" + _names(),
        _EXTENDING.format(search=_search()),
        _YAML.format(kib=SIZE_LIMIT // 1024, depth=DEPTH_LIMIT),
    ]
    return "\n".join(sections)


def _fields(fields: tuple[Field, ...]) -> str:
    rows = ["| key | type | meaning | default |", "|---|---|---|---|"]
    for field in fields:
        without = "required" if field.required else field.default
        choices = f": {', '.join(f'`{each}`' for each in field.choices)}" if field.choices else ""
        rows.append(
            f"| `{field.key}` | {field.kind}{choices} | {field.meaning} "
            f"Example: `{field.key}: {field.example}` | {without} |"
        )
    return "\n".join(rows) + "\n"


def _operators() -> str:
    rows = ["| operator | type | meaning |", "|---|---|---|"]
    rows += [f"| `{each.key}` | {each.kind} | {each.meaning} |" for each in REQUIREMENT_FIELDS]
    return "\n".join(rows) + "\n"


def _rules(title: str, rules: ParameterRules) -> str:
    rows = [f"### {title}\n", f"{rules.summary[0].upper()}{rules.summary[1:]}.\n"]
    rows += ["| operator | meaning | example |", "|---|---|---|"]
    rows += [f"| `{form.operator}` | {form.meaning} | `{form.example}` |" for form in rules.forms]
    return "\n".join(rows) + f"\n\n{_wrapped(rules.details)}"


def _names() -> str:
    return "\n".join(map(_wrapped, how_often()))


def how_often() -> tuple[str, ...]:
    """Return paragraphs about parameters of which several occurrences, or only the last, count."""
    several = ", ".join(f"`{name}`" for name in sorted(MULTI_VALUED_NAMES))
    once = ", ".join(f"`{name}`" for name in sorted(LAST_WINS_NAMES))
    adding = (
        "These parameters can occur several times, and the occurrences add up. `exactly` therefore accepts "
        f"only a list for them: {several}."
    )
    last = (
        "Of these parameters, only the last occurrence counts. They accept neither `includes` nor a list, "
        f"and have no meaning without a value: {once}."
    )
    others = ", ".join(f"`{name}`" for name in sorted(COMMON_NAMES))
    misspelt = (
        "A name that differs from one of these by one letter is an error, and so is one that differs from "
        f"{' or '.join(f'`{name}`' for name in KNOWN)} by two letters, or from one of these by one: {others}. "
        "List such a name in `as_spelled` if it is right."
    )
    return adding, last, misspelt


def _search() -> str:
    shipped = ", ".join(f"`{name}`" for name in SHIPPED)
    return _wrapped(
        f"secboot looks for a profile in `{SEARCH_PATH[0]}` first, then in `{SEARCH_PATH[1]}`, both "
        f"inside the root, then among the profiles that come with it: {shipped}. The first match wins. "
        "The file name ends in `.yaml` or `.yml`. On the command line a profile can also be given by "
        "its path. What it extends is then looked for next to it first, so a directory of profiles "
        "works the same before and after it is copied to a machine. A file that is extended in this "
        "way must have the same owner or belong to root."
    )


def _wrapped(text: str) -> str:
    return fill(text, width=98, break_long_words=False, break_on_hyphens=False) + "\n"
