"""Read a profile with all that it extends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.digest import digest
from secboot.errors import Location
from secboot.formats.text import encoded
from secboot.kernel.command_line import canonical
from secboot.profile import fields
from secboot.profile.composed import COMPOSED
from secboot.profile.image import ImageLayer, merge_image, read_image
from secboot.profile.nodes import Mapping, Node, Problems, Scalar, Sequence, unambiguous_text
from secboot.profile.parameters import read_parameters
from secboot.profile.profile import EntryScope, EntrySelection, Profile, ProfileText, Role
from secboot.profile.requirement import costs
from secboot.profile.search import ProfileFiles, find_by_name, find_profile
from secboot.profile.size import (
    MEMORY_EXAMPLE,
    MEMORY_PATTERN,
    MEMORY_UNITS,
    memory_intent,
    read_size,
)

if TYPE_CHECKING:
    from secboot.finding import Finding
    from secboot.profile.composed import Composed
    from secboot.profile.requirement import Requirement

SIZE_LIMIT = 64 * 1024
"""Characters. A profile has a few dozen lines; this is far above any and still read at once."""

# What YAML forbids, and the line breaks that only some YAML versions know: with one of these
# a comment would end where no editor shows it. The byte order mark may stand at the start.
_FORBIDDEN = "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
_CONTENT = r"(?m:^[ \t]*[^#\s])"
_ANY_KEY = (
    rf"(?m:(?:^|[{{,])[ \t]*[\"']?(?:{'|'.join(field.key for field in fields.PROFILE_FIELDS)})"
    r"[\"']?[ \t]*:(?:\s|$))"
)
CHAIN_LIMIT = 8
"""How many profiles may extend one another."""


class _Layer:
    """What one file says; None where it says nothing."""

    def __init__(self) -> None:
        self.role: Role | None = None
        self.description: str | None = None
        self.memory: int | None = None
        self.extends: Scalar | None = None
        self.drop: tuple[Scalar, ...] = ()
        self.requirements: tuple[Requirement, ...] = ()
        self.entries: EntrySelection | None = None
        self.entries_at: Location | None = None
        self.image: ImageLayer | None = None


def load_profile(reference: str, files: ProfileFiles) -> Profile:
    """Find a profile by name or path (`find_profile`) and read it.

    Raises UsageError if there is none, ProfileError with everything that is wrong with it.
    """
    return parse_profile(find_profile(reference, files), files)


def parse_profile(source: ProfileText, files: ProfileFiles) -> Profile:
    """Read a profile from its text; `files` is asked only for what it extends."""
    problems = Problems()
    sources, layers = _read_chain(source, files, problems)
    requirements = _merge_requirements(layers, problems)
    image = merge_image([layer.image for layer in layers if layer.image], problems)
    chosen = next((layer for layer in layers if layer.entries), layers[-1])
    entries = chosen.entries or EntrySelection()
    if entries.scope is EntryScope.NONE and not any(layer.image for layer in layers):
        message = "the profile is for no boot entry, and names no image"
        place = chosen.entries_at or Location(source.path)
        problems.error("asks-nothing", message, place, "add `image`")
    problems.require_none()
    memory = next((layer.memory for layer in layers if layer.memory), None)
    return Profile(
        name=source.name,
        version=fields.FORMAT_VERSION,
        role=next((layer.role for layer in layers if layer.role), None),
        description=next((layer.description for layer in layers if layer.description), ""),
        requirements=requirements,
        entries=entries,
        path=source.path,
        digest=_digest(sources),
        sources=tuple(sources),
        warnings=_warnings(requirements, memory),
        memory=memory,
        image=image,
    )


def _read_chain(
    source: ProfileText, files: ProfileFiles, problems: Problems
) -> tuple[list[ProfileText], list[_Layer]]:
    """The texts from the profile itself to what extends nothing, and what each says."""
    sources = [source]
    layers = [_read_layer(source, problems)]
    while layers[-1].extends is not None:
        wanted = layers[-1].extends
        paths = [each.path for each in sources]
        found = _extended(wanted, files, paths, problems)
        if found is None:
            break
        sources.append(found)
        layers.append(_read_layer(found, problems))
    return sources, layers


def _extended(
    wanted: Scalar, files: ProfileFiles, paths: list[str], problems: Problems
) -> ProfileText | None:
    if len(paths) >= CHAIN_LIMIT:
        problems.error(
            "extends-too-long",
            f"more than {CHAIN_LIMIT} profiles extend one another",
            wanted.location,
            " extends ".join(paths),
        )
        return None
    found = find_by_name(wanted.text, files, paths)
    if found is not None:
        return found
    again = find_by_name(wanted.text, files, ())
    if again is not None:
        circle = " extends ".join([*paths[paths.index(again.path) :], again.path])
        problems.error("extends-circle", f"{wanted.text!r} extends itself", wanted.location, circle)
    else:
        problems.error(
            "extends-missing",
            f"there is no profile {wanted.text!r} to extend",
            wanted.location,
            "profiles are extended by name; `secboot profile list` shows them",
        )
    return None


def read_document(text: str, path: str, problems: Problems) -> Node | None:
    """Read the one document of a profile.

    `text` is decoded as UTF-8 with surrogate escapes; `path` is for the messages. Everything
    that isn't allowed goes to `problems`; None means that nothing usable is left.
    """
    start = Location(path, 1, 1)
    if len(text) > SIZE_LIMIT:
        problems.error(
            "too-large",
            f"the file has more than {SIZE_LIMIT // 1024} KiB: that is no profile",
            start,
        )
        return None
    body = text.removeprefix("\ufeff")
    known = COMPOSED.get(digest(body.encode("utf-8", "surrogatepass")))
    if known:
        return _placed(known, path)
    if re.search(_CONTENT, body) and not re.search(_ANY_KEY, body):
        # Errors repeat what a profile says, and nothing of any other file that a path leads to.
        problems.error(
            "not-a-profile",
            "this is not a profile: it has none of the keys of one",
            start,
            "it starts with `version: 1`",
        )
        return None
    forbidden = re.search(_FORBIDDEN, body)
    if forbidden:
        _report_forbidden(body, forbidden.start(), path, problems)
        return None
    # Imported here since it costs more than all else: only who reads a profile of their own pays.
    from secboot.profile.composer import Composer  # noqa: PLC0415

    return Composer(path, problems).compose(body)


def _placed(composed: Composed, path: str) -> Node:
    content, line, column = composed
    location = Location(path, line, column)
    if isinstance(content, str):
        return Scalar(content, plain=True, location=location)
    if isinstance(content, list):
        return Sequence(tuple(_placed(each, path) for each in content), location)
    pairs = [(_placed(key, path), _placed(value, path)) for key, value in content]
    return Mapping(tuple((key, value) for key, value in pairs if isinstance(key, Scalar)), location)


def _report_forbidden(text: str, position: int, path: str, problems: Problems) -> None:
    before = text[:position].replace("\r\n", "\n").replace("\r", "\n")
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    code = ord(text[position])
    location = Location(path, line, column)
    if 0xDC80 <= code <= 0xDCFF:
        problems.error(
            "not-utf-8",
            f"the byte 0x{code - 0xDC00:02X} is not UTF-8",
            location,
            "save the file as UTF-8",
        )
    else:
        problems.error(
            "forbidden-character",
            f"the character U+{code:04X} is not allowed in a profile",
            location,
        )


def _read_layer(source: ProfileText, problems: Problems) -> _Layer:
    node = read_document(source.text, source.path, problems)
    if node is None:
        return _Layer()
    if not isinstance(node, Mapping):
        problems.error(
            "not-a-mapping",
            "a profile is a mapping of keys",
            node.location,
            "it starts with `version: 1`",
        )
        return _Layer()
    layer = _Layer()
    found = fields.read_fields(node, fields.PROFILE_FIELDS, problems)
    readers = {
        "version": _read_version,
        "role": _read_role,
        "description": _read_description,
        "memory": _read_memory,
        "extends": _read_extends,
        "drop": _read_drop,
        "parameters": _read_parameters,
        "entries": _read_entries,
        "image": _read_image,
    }
    for key, reader in readers.items():
        if key in found:
            reader(layer, found[key], problems)
    unknown_keys = len(found) < len(node.items)
    if not {"parameters", "extends"} & found.keys() and not unknown_keys:
        problems.error(
            "asks-nothing",
            "the profile asks for nothing",
            node.location,
            "add `parameters`, or `extends`",
        )
    if "drop" in found and "extends" not in found:
        problems.error(
            "drop-from-nothing",
            "there is nothing to drop from: the profile extends no other",
            found["drop"].location,
        )
    return layer


def _read_version(_layer: _Layer, node: Node, problems: Problems) -> None:
    if isinstance(node, Scalar) and node.plain and node.text == str(fields.FORMAT_VERSION):
        return
    said = repr(node.text) if isinstance(node, Scalar) else "this"
    problems.error(
        "version",
        f"{said} is no version of the profile format that this secboot knows",
        node.location,
        f"write `version: {fields.FORMAT_VERSION}`",
    )


def _read_role(layer: _Layer, node: Node, problems: Problems) -> None:
    role = fields.read_choice(node, "role", tuple(Role), problems)
    layer.role = Role(role) if role else None


def _read_description(layer: _Layer, node: Node, problems: Problems) -> None:
    layer.description = fields.read_text(node, "`description`", problems)


def _read_memory(layer: _Layer, node: Node, problems: Problems) -> None:
    if not isinstance(node, Scalar):
        problems.error("not-text", "`memory` is a size", node.location, MEMORY_EXAMPLE)
        return
    if unambiguous_text(node, problems, instead=MEMORY_EXAMPLE) is not None:
        layer.memory = read_size(node, MEMORY_PATTERN, MEMORY_UNITS, memory_intent, problems)


def _read_extends(layer: _Layer, node: Node, problems: Problems) -> None:
    name = fields.read_text(node, "`extends`", problems)
    if name is None or not isinstance(node, Scalar):
        return
    if not re.fullmatch(fields.PROFILE_NAME_PATTERN, name):
        problems.error(
            "profile-name",
            f"{name!r} is no name of a profile",
            node.location,
            "profiles are extended by name, from the directories that are searched",
        )
        return
    layer.extends = Scalar(name, node.plain, node.location)


def _read_drop(layer: _Layer, node: Node, problems: Problems) -> None:
    names = fields.read_scalars(node, "`drop`", problems)
    layer.drop = tuple(each for each in names if fields.read_name(each, problems) is not None)


def _read_parameters(layer: _Layer, node: Node, problems: Problems) -> None:
    layer.requirements = read_parameters(node, problems)


def _read_entries(layer: _Layer, node: Node, problems: Problems) -> None:
    if not isinstance(node, Mapping):
        scope = fields.read_choice(node, "choice of entries", tuple(EntryScope), problems)
        layer.entries = EntrySelection(EntryScope(scope)) if scope else None
        layer.entries_at = node.location
        return
    found = fields.read_fields(node, fields.ENTRY_FIELDS, problems)
    if not node.items:
        problems.error(
            "empty-entries", "`entries` is an empty mapping", node.location, "write `entries: all`"
        )
    patterns = {
        key: fields.read_texts(found[key], f"`{key}`", problems)
        for key in ("include", "exclude")
        if key in found
    }
    rescue = (
        fields.read_boolean(found["rescue"], "`rescue`", problems) if "rescue" in found else True
    )
    layer.entries = EntrySelection(
        include=patterns.get("include", ()),
        exclude=patterns.get("exclude", ()),
        rescue=rescue is not False,
    )


def _read_image(layer: _Layer, node: Node, problems: Problems) -> None:
    layer.image = read_image(node, problems)


def _merge_requirements(layers: list[_Layer], problems: Problems) -> tuple[Requirement, ...]:
    """From what extends nothing upwards: each layer drops, replaces in place, and adds."""
    merged: dict[str, Requirement] = {}
    for layer in reversed(layers):
        for dropped in layer.drop:
            known = merged.pop(canonical(dropped.text), None) is not None
            # Where nothing could be extended, that has been said already.
            if not known and layer is not layers[-1]:
                problems.error(
                    "drop-unknown",
                    f"{dropped.text!r} is not asked for by what is extended, so it can't be "
                    "dropped",
                    dropped.location,
                )
        for requirement in layer.requirements:
            merged[canonical(requirement.name)] = requirement
    return tuple(merged.values())


def _warnings(requirements: tuple[Requirement, ...], memory: int | None) -> tuple[Finding, ...]:
    found = (requirement.warning() for requirement in requirements)
    warnings = tuple(warning for warning in found if warning is not None)
    return warnings if memory is None else (*warnings, *costs(requirements, memory))


def _digest(sources: list[ProfileText]) -> str:
    """Over the digests of the texts, so that no two chains can run together to the same one."""
    texts = (encoded(source.text) for source in sources)
    return digest(b"".join(bytes.fromhex(digest(text)) for text in texts))
