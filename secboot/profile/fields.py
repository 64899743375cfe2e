"""The keys of a profile: one table for reading, for the JSON Schema and for the reference page.

Mappings are read by the table, and so are the simple values in them.
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
    """What a key holds, in the words of the reference page."""

    VERSION = "number"
    CHOICE = "one word"
    TEXT = "text"
    MEMORY = "size"
    PROFILE = "name of a profile, or of a file"
    NAMES = "list of parameter names"
    PATTERNS = "list of patterns"
    BOOLEAN = "true or false"
    TRUE = "true"
    VALUE = "value"
    VALUES = "list of values"
    VALUE_OR_VALUES = "value, or list of values"
    PARAMETERS = "mapping of parameter names"
    ENTRIES = "one word, or a mapping"
    IMAGE = "mapping"
    PATH = "absolute path"


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
_LIKE_A_KEY = r"[A-Za-z][A-Za-z0-9_. -]{0,39}"
"""What is repeated of an unknown key: no line of a file that is something else."""
PROFILE_NAME_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
"""A profile's name, which is a file's name without ``.yaml`` or ``.yml``."""
EXTENDED_PATTERN = r"^(\./)?[A-Za-z0-9_][A-Za-z0-9_.-]*$"
"""The same, or a file beside the one that extends it: no directory of this machine is looked into."""
PATH_PATTERN = r"^(/[A-Za-z0-9_.:@%+=~-]+)+$"
"""A path that is the same for zipl (which reads ``,`` as a load address), BLS entries and a shell."""

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
        default="as in the extended profile, unless a parameter or the role of that is changed or "
        "dropped; then what is, by name; else empty",
    ),
    Field(
        "memory",
        Kind.MEMORY,
        "The memory of the machines that this is for, with the unit `KiB`, `MiB`, `GiB` or `TiB`. "
        "There is a warning where a bounce buffer takes more than a quarter of it. On the machine "
        "itself, its own memory counts.",
        "4 GiB",
        default="as in the extended profile; else not known",
    ),
    Field(
        "extends",
        Kind.PROFILE,
        "The profile that this one starts from: a name, or a file beside this one (`base.yaml`). A "
        "name is looked for beside this file first, then as on the command line. A parameter "
        "given here takes the place of the same one there. A file may extend a profile of its own "
        "name: that is the next one in the search order, so that "
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
        "as_spelled",
        Kind.NAMES,
        "Names in this file's `parameters` that are meant as they are spelled. Otherwise a name that "
        "looks like a misspelling of a known parameter is an error: the kernel takes no notice of "
        "a name that it does not know.",
        "[swiotlbs]",
        default="none",
    ),
    Field(
        "entries",
        Kind.ENTRIES,
        "The boot entries that the profile is for: `all` of them, the `default` one, `none`, or a "
        "mapping with the keys below. Entries that IPL no Linux (dump, tape, segment) are never "
        "among them. `none` is for a machine that only prepares the `image` of another one: its own "
        "boot files stay as they are.",
        "all",
        default="as in the extended profile; else `all`",
        choices=tuple(EntryScope),
    ),
    Field(
        "image",
        Kind.IMAGE,
        "The Secure Execution image that the machine boots or that is prepared there, with the "
        "keys below. Its parmfile is then planned, applied and rolled back like every boot file, "
        "and a boot entry for the image is added when it has been built.",
        "{parmfile: /etc/secboot/guest.parm, output: /boot/secure-linux}",
        default="key by key as in the extended profile; else none",
    ),
)

IMAGE_FIELDS = (
    Field(
        "parmfile",
        Kind.PATH,
        "The file with the parameter line that goes into the image. It is created where it is "
        "missing. All paths are inside of the root, without `..`.",
        "/etc/secboot/guest.parm",
        default="needed here or in the extended profile",
    ),
    Field(
        "output",
        Kind.PATH,
        "The image, which need not exist yet.",
        "/boot/secure-linux",
        default="needed here or in the extended profile",
    ),
    Field(
        "kernel",
        Kind.PATH,
        "The kernel that goes into the image.",
        "/boot/vmlinuz",
        default="the newest ordinary kernel that is installed and has its ramdisk",
    ),
    Field(
        "ramdisk",
        Kind.PATH,
        "The initial RAM disk that goes into the image.",
        "/boot/initrd.img",
        default="as for `kernel`",
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
    Field(
        Operator.EXACTLY,
        Kind.VALUE_OR_VALUES,
        "This value and no other; or these occurrences, in this order, and no other.",
        "{exactly: 512 MiB}",
    ),
    Field(Operator.AT_LEAST, Kind.VALUE, "This size or a larger one.", "{at_least: 512 MiB}"),
    Field(
        Operator.INCLUDES,
        Kind.VALUES,
        "Each of these values is among those given; the others stay.",
        "{includes: [ttysclp0, hvc0]}",
    ),
    Field(
        Operator.EXCLUDES,
        Kind.VALUES,
        "None of these values is among those given; the others stay. It can stand beside `includes`.",
        "{excludes: ['off']}",
    ),
    Field(Operator.BARE, Kind.TRUE, "Given as the bare name, without a value.", "{bare: true}"),
    Field(
        Operator.PRESENT,
        Kind.TRUE,
        "Given, with or without a value. One that means nothing without one is not added.",
        "{present: true}",
    ),
    Field(Operator.ABSENT, Kind.TRUE, "Not given.", "{absent: true}"),
)


def read_fields(
    node: Mapping,
    fields: tuple[Field, ...],
    problems: Problems,
    hint: Callable[[str], str] | None = None,
) -> dict[str, Node]:
    """The values of the known keys; every unknown key, and every missing one, is an error.

    `hint` says what to write for an unknown one, where that is not simply one of the known.
    """
    known = [field.key for field in fields]
    found: dict[str, Node] = {}
    for key, value in node.items:
        if key.text in known:
            found[key.text] = value
        else:
            named = f"the key {key.text!r}" if re.fullmatch(_LIKE_A_KEY, key.text) else "this key"
            problems.error(
                "unknown-key",
                f"{named} is unknown here",
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


def closest(word: str, known: Collection[str]) -> str:
    """A hint that names the known word which was probably meant, or else all of them."""
    from secboot.profile.spelling import likely_word  # noqa: PLC0415 - where something is wrong

    meant = likely_word(word, known)
    return f"known here: {', '.join(known)}" if meant is None else f"did you mean '{meant}'?"


def read_text(node: Node, what: str, problems: Problems) -> str | None:
    """One line of text."""
    if not isinstance(node, Scalar):
        problems.error("not-text", f"{what} has to be a text", node.location)
        return None
    text = unambiguous_text(node, problems, instead="put the text in quotes")
    if text is not None and "\n" in text.rstrip("\n"):
        problems.error("several-lines", f"{what} has to be a single line", node.location)
        return None
    return text.strip() if text is not None else None


def read_choice(node: Node, what: str, choices: tuple[str, ...], problems: Problems) -> str | None:
    """One of a few words."""
    if isinstance(node, Scalar) and node.text in choices:
        return node.text
    said = f"{node.text!r}" if isinstance(node, Scalar) else "this"
    problems.error(
        "unknown-word", f"{said} is no {what}", node.location, f"write {' or '.join(choices)}"
    )
    return None


def read_boolean(node: Node, what: str, problems: Problems) -> bool | None:
    """``true`` or ``false``, without quotes, as every version of YAML understands them."""
    if isinstance(node, Scalar) and node.plain and node.text in {"true", "false"}:
        return node.text == "true"
    hint = "write true or false"
    if isinstance(node, Scalar) and is_boolean(node):
        hint = f"write {str(node.text.lower() in {'y', 'yes', 'on', 'true'}).lower()}"
    problems.error("not-boolean", f"{what} is true or false", node.location, hint)
    return None


def read_scalars(node: Node, what: str, problems: Problems) -> tuple[Scalar, ...]:
    """A list of scalars with at least one; anything else in it is an error and left out."""
    if not isinstance(node, Sequence):
        problems.error(
            "not-a-list", f"{what} has to be a list", node.location, "write it as [a, b]"
        )
        return ()
    if not node.items:
        problems.error(
            "empty-list", f"{what} is an empty list", node.location, "remove the key, or fill it"
        )
    for item in node.items:
        if not isinstance(item, Scalar):
            problems.error("list-item", f"{what} is a list of texts", item.location)
    return tuple(item for item in node.items if isinstance(item, Scalar))


def read_texts(node: Node, what: str, problems: Problems) -> tuple[str, ...]:
    """A list of texts of one line each, none of them empty."""
    texts = []
    for scalar in read_scalars(node, what, problems):
        text = read_text(scalar, what, problems)
        if text == "":
            problems.error("empty-text", f"{what} can't be empty", scalar.location)
        elif text is not None:
            texts.append(text)
    return tuple(texts)


def read_name(key: Scalar, problems: Problems) -> str | None:
    """The name of a kernel parameter."""
    name = unambiguous_text(key, problems, instead="put the parameter's name in quotes")
    if name is None or re.fullmatch(NAME_PATTERN, name):
        return name
    hint = None
    if "=" in name:
        before, _, after = name.partition("=")
        hint = f"write `{before}: {after}`" if after else f"write `{before}: ''`"
    elif not name.isascii():
        hint = "the kernel reads no line with a character that isn't ASCII"
    problems.error(
        "parameter-name", f"{name!r} is no name of a kernel parameter", key.location, hint
    )
    return None
