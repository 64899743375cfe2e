"""The keys of a profile: one table for reading, for the JSON Schema and for the reference page."""

from __future__ import annotations

from enum import StrEnum

from secboot.named_tuple import NamedTuple
from secboot.profile.entries import EntryScope
from secboot.profile.profile import Role
from secboot.profile.wish import Operator


class Kind(StrEnum):
    """What a key holds, in the words of the reference page."""

    VERSION = "number"
    CHOICE = "one word"
    TEXT = "text"
    PROFILE = "name of a profile"
    NAMES = "list of parameter names"
    PATTERNS = "list of patterns"
    BOOLEAN = "true or false"
    TRUE = "true"
    VALUE = "value"
    VALUES = "list of values"
    PARAMETERS = "mapping of parameter names"
    ENTRIES = "one word, or a mapping"


class Field(NamedTuple):
    """One key: what it holds, what it means, and `default`, what holds without it."""

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
PROFILE_NAME_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
"""A profile's name, which is a file's name without ``.yaml``."""

PROFILE_FIELDS = (
    Field(
        "version",
        Kind.VERSION,
        "The version of this format: 1.",
        "1",
        required=True,
        choices=(str(FORMAT_VERSION),),
    ),
    Field(
        "role",
        Kind.CHOICE,
        "What the machine is in Secure Execution: a KVM `host` of secure guests, or a secure "
        "`guest`. It decides what `status` and `verify` look at beside the parameters.",
        "guest",
        default="as in the extended profile; else none, and only parameters are looked at",
        choices=tuple(Role),
    ),
    Field(
        "description",
        Kind.TEXT,
        "One line for people, shown by `secboot profile list`.",
        "Guests of the payroll cluster",
        default="as in the extended profile; else empty",
    ),
    Field(
        "extends",
        Kind.PROFILE,
        "The profile that this one starts from, by name, found as on the command line. A "
        "parameter given here takes the place of the same one there. A file may extend a "
        "profile of its own name: that is the next one in the search order, so that "
        "`/etc/secboot/profiles/guest.yaml` can extend the shipped `guest`.",
        "guest",
        default="nothing",
    ),
    Field(
        "drop",
        Kind.NAMES,
        "Parameters of the extended profile that are not asked for here. Nothing is said about "
        "them then; `absent: true` would remove them.",
        "[swiotlb]",
        default="none",
    ),
    Field(
        "parameters",
        Kind.PARAMETERS,
        "What is asked of each kernel parameter, by name.",
        "{prot_virt: 1}",
        default="only those of the extended profile",
    ),
    Field(
        "entries",
        Kind.ENTRIES,
        "The boot entries that the profile is for: `all` of them, the `default` one, or a "
        "mapping with the keys below. Entries that IPL no Linux (dump, tape, segment) are never "
        "among them.",
        "all",
        default="as in the extended profile; else `all`",
        choices=tuple(EntryScope),
    ),
)

ENTRY_FIELDS = (
    Field(
        "include",
        Kind.PATTERNS,
        "Only entries whose name matches one of these. The name is the section in zipl.conf or "
        "the `title` of a BLS entry. `*` stands for any text, `?` for one character; everything "
        "else, brackets too, for itself.",
        "['Red Hat*', linux]",
        default="every entry",
    ),
    Field(
        "exclude",
        Kind.PATTERNS,
        "Not the entries whose name matches one of these.",
        "['*old*']",
        default="none",
    ),
    Field(
        "rescue",
        Kind.BOOLEAN,
        "Whether rescue entries are among them. They are unless this says `false`: the kernel "
        "ignores both known parameters where they have no use, and the machine does what it is "
        "for whichever entry is chosen.",
        "false",
        default="true",
    ),
)

REQUIREMENT_FIELDS = (
    Field(Operator.EXACTLY, Kind.VALUE, "This value and no other.", "{exactly: 512 MiB}"),
    Field(Operator.AT_LEAST, Kind.VALUE, "This size or a larger one.", "{at_least: 512 MiB}"),
    Field(
        Operator.INCLUDES,
        Kind.VALUES,
        "Each of these values is among those given; the others stay.",
        "{includes: [ttysclp0, hvc0]}",
    ),
    Field(Operator.PRESENT, Kind.TRUE, "Given, with or without a value.", "{present: true}"),
    Field(Operator.ABSENT, Kind.TRUE, "Not given.", "{absent: true}"),
)
