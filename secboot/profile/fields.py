"""The keys of a profile: one table for the reader, the JSON Schema and the reference page.

Mappings are read by means of the table, and so are the simple values in them.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple
from secboot.profile.nodes import Mapping, Node, Scalar, Sequence, is_boolean, unambiguous_text
from secboot.profile.profile import EntryScope
from secboot.profile.requirement import Operator, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from secboot.profile.nodes import Problems


class Kind(StrEnum):
    """What a key holds, as the reference page describes it."""

    VERSION = "number"
    CHOICE = "one word"
    TEXT = "string"
    MEMORY = "size"
    PROFILE = "profile name or file name"
    NAMES = "list of parameter names"
    PATTERNS = "list of patterns"
    BOOLEAN = "true or false"
    TRUE = "true"
    VALUE = "value"
    VALUES = "list of values"
    VALUE_OR_VALUES = "value or list of values"
    PARAMETERS = "mapping of parameter names"
    ENTRIES = "one word or a mapping"
    IMAGE = "mapping"
    PATH = "absolute path"


class Field(NamedTuple):
    """One key: what it holds, what it means, and `default`, which applies without it."""

    key: str
    kind: Kind
    meaning: str
    example: str
    default: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()


FORMAT_VERSION = 1
NAME_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.:/+@*-]*$"
"""A parameter's name."""
_LIKE_A_KEY = r"[A-Za-z][A-Za-z0-9_. -]{0,39}"
"""The unknown keys that messages quote; never a line of a file that is not a profile."""
PROFILE_NAME_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
"""A profile's name, which is a file name without ``.yaml`` or ``.yml``."""
EXTENDED_PATTERN = r"^(\./)?[A-Za-z0-9_][A-Za-z0-9_.-]*$"
"""The same, or a file next to the one that extends it, but never in another directory."""
PATH_PATTERN = r"^(/[A-Za-z0-9_.:@%+=~-]+)+$"
"""A path that means the same to zipl (for which ``,`` starts a load address), in a BLS entry and in
a shell."""

PROFILE_FIELDS = (
    Field(
        "version",
        Kind.VERSION,
        "Version of the profile format: 1.",
        "1",
        required=True,
        choices=(str(FORMAT_VERSION),),
    ),
    Field(
        "role",
        Kind.CHOICE,
        "Role of the machine in Secure Execution: a KVM `host` of secure guests, or a secure "
        "`guest`. It decides what `status` and `verify` check in addition to the parameters.",
        "guest",
        default="from the extended profile; otherwise none, and only parameters are checked",
        choices=tuple(Role),
    ),
    Field(
        "description",
        Kind.TEXT,
        "One line that `secboot profile list` shows.",
        "Guests of the payroll cluster",
        default="from the extended profile; if this profile changes or drops one of its parameters or "
        "its role, the name of the extended profile and what changed; otherwise empty",
    ),
    Field(
        "memory",
        Kind.MEMORY,
        "Memory of the machines that the profile is for, with the unit `KiB`, `MiB`, `GiB` or `TiB`. "
        "secboot warns if a bounce buffer takes more than a quarter of it. On a running machine, the "
        "machine's own memory is used instead.",
        "4 GiB",
        default="from the extended profile; otherwise unknown",
    ),
    Field(
        "extends",
        Kind.PROFILE,
        "The profile to build on: a name, or a file in the same directory (`base.yaml`). A name is "
        "searched for next to this file first, then as on the command line. A parameter set here "
        "replaces the same one there. A file may extend a profile with its own name: that is the next "
        "one in the search order, so `/etc/secboot/profiles/guest.yaml` can extend the shipped "
        "`guest`.",
        "guest",
        default="nothing",
    ),
    Field(
        "drop",
        Kind.NAMES,
        "Parameters of the extended profile that this one does not require. secboot then leaves them "
        "alone; to remove them, use `absent: true`.",
        "[swiotlb]",
        default="none",
    ),
    Field(
        "parameters",
        Kind.PARAMETERS,
        "What the profile requires of each kernel parameter, by name.",
        "{prot_virt: 1}",
        default="only those of the extended profile",
    ),
    Field(
        "as_spelled",
        Kind.NAMES,
        "Names in this file's `parameters` that are spelled as intended. Otherwise a name that looks "
        "like a misspelling of a known parameter is an error, because the kernel silently ignores "
        "unknown names.",
        "[swiotlbs]",
        default="none",
    ),
    Field(
        "entries",
        Kind.ENTRIES,
        "The boot entries that the profile applies to: `all` entries, the `default` entry, `none`, or "
        "a mapping with the keys below. Entries that do not boot Linux (dump, tape, segment) are never "
        "included. `none` is for a machine that only prepares the `image` of another machine: its own "
        "boot files do not change.",
        "all",
        default="from the extended profile; otherwise `all`",
        choices=tuple(EntryScope),
    ),
    Field(
        "image",
        Kind.IMAGE,
        "The Secure Execution image that the machine boots, or that is prepared on it, with the keys "
        "below. secboot plans, applies and rolls back its parmfile like a boot file, and adds a boot "
        "entry for the image once it has been built.",
        "{parmfile: /etc/secboot/guest.parm, output: /boot/secure-linux}",
        default="each key from the extended profile; otherwise none",
    ),
)

IMAGE_FIELDS = (
    Field(
        "parmfile",
        Kind.PATH,
        "The file with the parameter line for the image. It is created if it does not exist. All "
        "paths are inside the root directory and do not contain `..`.",
        "/etc/secboot/guest.parm",
        default="required, here or in the extended profile",
    ),
    Field(
        "output",
        Kind.PATH,
        "The image file. It does not have to exist yet.",
        "/boot/secure-linux",
        default="required, here or in the extended profile",
    ),
    Field(
        "kernel",
        Kind.PATH,
        "The kernel for the image.",
        "/boot/vmlinuz",
        default="the newest installed plain kernel image with a ramdisk",
    ),
    Field(
        "ramdisk",
        Kind.PATH,
        "The initial RAM disk for the image.",
        "/boot/initrd.img",
        default="as for `kernel`",
    ),
)

ENTRY_FIELDS = (
    Field(
        "include",
        Kind.PATTERNS,
        "Include only entries whose name matches one of these patterns. The name is the section name "
        "in zipl.conf or the `title` of a BLS entry. `*` matches any text and `?` one character; "
        "everything else, including brackets, matches itself.",
        "['Red Hat*', linux]",
        default="every entry",
    ),
    Field(
        "exclude",
        Kind.PATTERNS,
        "Exclude entries whose name matches one of these patterns.",
        "['*old*']",
        default="none",
    ),
    Field(
        "rescue",
        Kind.BOOLEAN,
        "Whether rescue entries are included. They are unless this is `false`: the kernel ignores "
        "`prot_virt` and `swiotlb` where they have no use, and the machine can do its work with "
        "whichever entry it is booted.",
        "false",
        default="true",
    ),
)

REQUIREMENT_FIELDS = (
    Field(
        Operator.EXACTLY,
        Kind.VALUE_OR_VALUES,
        "This value and no other; or exactly these occurrences, in this order.",
        "{exactly: 512 MiB}",
    ),
    Field(Operator.AT_LEAST, Kind.VALUE, "This size or a larger one.", "{at_least: 512 MiB}"),
    Field(
        Operator.INCLUDES,
        Kind.VALUES,
        "Each of these values is set; other values stay.",
        "{includes: [ttysclp0, hvc0]}",
    ),
    Field(
        Operator.EXCLUDES,
        Kind.VALUES,
        "None of these values is set; other values stay. Can be combined with `includes`.",
        "{excludes: ['off']}",
    ),
    Field(Operator.BARE, Kind.TRUE, "Set without a value, as the bare name.", "{bare: true}"),
    Field(
        Operator.PRESENT,
        Kind.TRUE,
        "Set, with or without a value. A parameter that has no effect without a value is not added.",
        "{present: true}",
    ),
    Field(Operator.ABSENT, Kind.TRUE, "Not set.", "{absent: true}"),
)


def read_fields(
    node: Mapping,
    fields: tuple[Field, ...],
    problems: Problems,
    hint: Callable[[str], str] | None = None,
) -> dict[str, Node]:
    """Return the values of the known keys; every unknown or missing key is an error.

    `hint` returns what to write for an unknown key; by default that is one of the known keys.
    """
    known = [field.key for field in fields]
    found: dict[str, Node] = {}
    for key, value in node.items:
        if key.text in known:
            found[key.text] = value
        else:
            quoted = f" {key.text!r}" if re.fullmatch(_LIKE_A_KEY, key.text) else ""
            problems.error(
                "unknown-key",
                f"unknown key{quoted}",
                key.location,
                closest(key.text, known) if hint is None else hint(key.text),
            )
    for field in fields:
        if field.required and field.key not in found:
            problems.error(
                "missing-key",
                f"the key {field.key!r} is missing",
                node.location,
                f"add `{field.key}: {field.example}`",
            )
    return found


def closest(word: str, known: Collection[str], label: str = "allowed") -> str:
    """Return a hint with the known word that was probably meant, or else, after `label`, all of them."""
    from secboot.profile.spelling import likely_word  # noqa: PLC0415 - where something is wrong

    meant = likely_word(word, known)
    return f"{label}: {', '.join(known)}" if meant is None else f"did you mean '{meant}'?"


def read_text(node: Node, what: str, problems: Problems) -> str | None:
    """Read a string of one line."""
    if not isinstance(node, Scalar):
        problems.error("not-text", f"{what} must be a string", node.location)
        return None
    text = unambiguous_text(node, problems, instead="put it in quotes")
    if text is not None and "\n" in text.rstrip("\n"):
        problems.error("several-lines", f"{what} must be a single line", node.location)
        return None
    return text.strip() if text is not None else None


def read_choice(node: Node, what: str, choices: tuple[str, ...], problems: Problems) -> str | None:
    """Read one of a few words."""
    if isinstance(node, Scalar) and node.text in choices:
        return node.text
    said = f"{node.text!r}" if isinstance(node, Scalar) else "this"
    problems.error(
        "unknown-word",
        f"{said} is not a valid {what}",
        node.location,
        f"write {' or '.join(choices)}",
    )
    return None


def read_boolean(node: Node, what: str, problems: Problems) -> bool | None:
    """Read ``true`` or ``false``, without quotes, which are booleans in every version of YAML."""
    if isinstance(node, Scalar) and node.plain and node.text in {"true", "false"}:
        return node.text == "true"
    hint = "write true or false"
    if isinstance(node, Scalar) and is_boolean(node):
        hint = f"write {str(node.text.lower() in {'y', 'yes', 'on', 'true'}).lower()}"
    problems.error("not-boolean", f"{what} must be true or false", node.location, hint)
    return None


def read_scalars(node: Node, what: str, problems: Problems) -> tuple[Scalar, ...]:
    """Read a list of at least one scalar; anything else in it is an error and is skipped."""
    if not isinstance(node, Sequence):
        problems.error("not-a-list", f"{what} must be a list, for example [a, b]", node.location)
        return ()
    if not node.items:
        problems.error(
            "empty-list",
            f"{what} is an empty list",
            node.location,
            "add an item, or remove the key",
        )
    for item in node.items:
        if not isinstance(item, Scalar):
            problems.error("list-item", f"{what} must be a list of strings", item.location)
    return tuple(item for item in node.items if isinstance(item, Scalar))


def read_texts(node: Node, what: str, problems: Problems) -> tuple[str, ...]:
    """Read a list of strings of one line each, none of them empty."""
    texts = []
    for scalar in read_scalars(node, what, problems):
        text = read_text(scalar, what, problems)
        if text == "":
            problems.error(
                "empty-text", f"{what} must not contain an empty string", scalar.location
            )
        elif text is not None:
            texts.append(text)
    return tuple(texts)


def read_name(key: Scalar, problems: Problems) -> str | None:
    """Read the name of a kernel parameter."""
    name = unambiguous_text(key, problems, instead="put the parameter name in quotes")
    if name is None or re.fullmatch(NAME_PATTERN, name):
        return name
    hint = None
    if "=" in name:
        before, _, after = name.partition("=")
        hint = f"write `{before}: {after}`" if after else f"write `{before}: ''`"
    elif not name.isascii():
        hint = "the kernel cannot read a line with characters that are not ASCII"
    problems.error("parameter-name", f"{name!r} is not a kernel parameter name", key.location, hint)
    return None
