"""The reference page of the profile format, made from the tables that reading goes by."""

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
from secboot.profile.parameters import GENERIC, KNOWN
from secboot.profile.search import SEARCH_PATH, SHIPPED
from secboot.profile.spelling import COMMON_NAMES

if TYPE_CHECKING:
    from secboot.profile.requirement import ParameterRules

_INTRODUCTION = """\
# Profiles

A profile is a YAML file that says what kernel parameters a machine needs for its role in IBM
Secure Execution:

```yaml
version: 1
role: guest
description: Guests of the payroll cluster
parameters:
  swiotlb:
    at_least: 512 MiB
```

A requirement that a boot entry's parameter line already meets, as the kernel reads that line,
leaves the line as it is, however it is spelled. What is wrong is replaced where it stands; what
is missing is added, before a `--` if the line has one.

This page is generated from the tables that secboot reads profiles by
(`secboot/profile/fields.py` and the requirements beside it). `secboot profile schema` prints the same as JSON Schema.
"""

_YAML = """\
## The YAML

Mappings, lists and texts, in UTF-8, up to {kib} KiB and {depth} levels deep. Anchors, aliases,
merge keys (`<<`), tags, directives, tabs as indentation and second documents are refused, and so
are a key that is unknown or given twice. All problems of a file are reported in one run, each with
its line and column.

Values are texts, exactly as written. Since YAML has more than one idea of what `on`, `~`, `0100`
or `1e5` without quotes is, these are refused where a text is meant: put them in quotes. Plain
decimal numbers need none. `true` and `false` are taken where this page says so.
"""

ASKED = (
    "What is asked of a parameter is a mapping with exactly one of these keys; only `includes` and "
    "`excludes` can stand together. A single value is short for `exactly`, a list for `includes`."
)
_EXTENDING = """\
## Extending a profile

A site changes single requirements of a shipped profile in a file of its own, here
`/etc/secboot/profiles/guest.yaml`:

```yaml
version: 1
extends: guest            # the shipped one, since this file is this one
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
        "## `entries`\n\nAs a mapping it narrows down all entries:\n\n" + _fields(ENTRY_FIELDS),
        "## `image`\n\nThe files of a Secure Execution image:\n\n" + _fields(IMAGE_FIELDS),
        f"## `parameters`\n\n{_wrapped(ASKED)}\n"
        + _operators()
        + "\n"
        + "\n".join(_rules(f"`{name}`", rules) for name, rules in KNOWN.items()),
        _rules("Other parameters", GENERIC) + "\n" + _names(),
        _EXTENDING.format(search=_search()),
        _YAML.format(kib=SIZE_LIMIT // 1024, depth=DEPTH_LIMIT),
    ]
    return "\n".join(sections)


def _fields(fields: tuple[Field, ...]) -> str:
    rows = ["| key | holds | meaning | without it |", "|---|---|---|---|"]
    for field in fields:
        without = "an error: it is required" if field.required else field.default
        choices = f": {', '.join(f'`{each}`' for each in field.choices)}" if field.choices else ""
        rows.append(
            f"| `{field.key}` | {field.kind}{choices} | {field.meaning} "
            f"Example: `{field.key}: {field.example}` | {without} |"
        )
    return "\n".join(rows) + "\n"


def _operators() -> str:
    rows = ["| key | holds | meaning |", "|---|---|---|"]
    rows += [f"| `{each.key}` | {each.kind} | {each.meaning} |" for each in REQUIREMENT_FIELDS]
    return "\n".join(rows) + "\n"


def _rules(title: str, rules: ParameterRules) -> str:
    rows = [f"### {title}\n", f"{rules.summary[0].upper()}{rules.summary[1:]}.\n"]
    rows += ["| asked for as | meaning | example |", "|---|---|---|"]
    rows += [f"| `{form.operator}` | {form.meaning} | `{form.example}` |" for form in rules.forms]
    return "\n".join(rows) + f"\n\n{_wrapped(rules.details)}"


def _names() -> str:
    return "\n".join(map(_wrapped, how_often()))


def how_often() -> tuple[str, ...]:
    """Return paragraphs that say of which parameters several occurrences count."""
    several = ", ".join(f"`{name}`" for name in sorted(MULTI_VALUED_NAMES))
    once = ", ".join(f"`{name}`" for name in sorted(LAST_WINS_NAMES))
    adding = (
        "These can be given several times, each occurrence adding to the others, and so `exactly` "
        f"takes only a list for them: {several}."
    )
    last = (
        "Of these only the last occurrence counts, so that they take neither `includes` nor a list, "
        f"and without a value they mean nothing: {once}."
    )
    others = ", ".join(f"`{name}`" for name in sorted(COMMON_NAMES))
    misspelt = (
        "A name that is one letter off one of these is an error, and so is one that is off "
        f"{' or '.join(f'`{name}`' for name in KNOWN)} by two letters, or by one off {others}. "
        "`as_spelled` lists those that are right."
    )
    return adding, last, misspelt


def _search() -> str:
    shipped = ", ".join(f"`{name}`" for name in SHIPPED)
    return _wrapped(
        f"`{SEARCH_PATH[0]}` is searched first, then `{SEARCH_PATH[1]}`, both inside the root that "
        f"secboot works on, then the profiles that come with it: {shipped}. A name that is found "
        "earlier hides the same name later. A file ends in `.yaml` or `.yml`. On the command line a "
        "profile can also be given by its path; what it extends is then looked for beside it first, "
        "so that a directory of profiles means the same before it is copied to a machine and there. "
        "Such a file has to have the same owner, or root."
    )


def _wrapped(text: str) -> str:
    return fill(text, width=98, break_long_words=False, break_on_hyphens=False) + "\n"
