"""Read a profile and all profiles that it extends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.digest import digest
from secboot.errors import Location
from secboot.formats.text import encoded
from secboot.kernel.command_line import canonical
from secboot.profile import fields
from secboot.profile.document import SIZE_LIMIT, read_document
from secboot.profile.nodes import Mapping, Node, Problems, Scalar, unambiguous_text
from secboot.profile.parameters import read_parameters
from secboot.profile.profile import EntryScope, EntrySelection, Profile, ProfileText
from secboot.profile.requirement import Role, costs
from secboot.profile.search import (
    ProfileFiles,
    available_profiles,
    find_extended,
    find_profile,
    is_path,
)
from secboot.profile.size import (
    MEMORY_EXAMPLE,
    MEMORY_PATTERN,
    MEMORY_UNITS,
    memory_intent,
    read_size,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.finding import Finding
    from secboot.profile.image import ImageLayer
    from secboot.profile.profile import ImagePaths
    from secboot.profile.requirement import Requirement

CHAIN_LIMIT = 8
"""The largest number of profiles that may extend one another."""


class _Layer:
    """What one file sets; None for what it does not set. `node` is the parsed file."""

    def __init__(self, node: Node | None) -> None:
        self.node = node
        self.role: Role | None = None
        self.description: str | None = None
        self.memory: int | None = None
        self.extends: Scalar | None = None
        self.drop: tuple[Scalar, ...] = ()
        self.as_spelled: tuple[Scalar, ...] = ()
        self.requirements: tuple[Requirement, ...] = ()
        self.entries: EntrySelection | None = None
        self.entries_at: Location | None = None
        self.image: ImageLayer | None = None


def load_profile(reference: str, files: ProfileFiles) -> Profile:
    """Find a profile by name or path (`find_profile`) and read it.

    Raises UsageError if it is not found, ProfileError with all that is wrong with it.
    """
    return parse_profile(find_profile(reference, files), files)


def parse_profile(source: ProfileText, files: ProfileFiles) -> Profile:
    """Read a profile from its text; `files` is used only for the profiles that it extends."""
    problems = Problems()
    sources, layers = _read_chain(source, files, problems)
    requirements = _merge_requirements(layers, problems)
    image = _merged_image(layers, problems)
    chosen = next((layer for layer in layers if layer.entries), layers[-1])
    entries = chosen.entries or EntrySelection()
    if entries.scope is EntryScope.NONE and not any(layer.image for layer in layers):
        message = "the profile has no effect: `entries` is none, and `image` is not set"
        place = chosen.entries_at or Location(source.path)
        problems.error("asks-nothing", message, place, "add `image`")
    if problems.found:
        _refuse(sources, layers, problems)
    memory = next((layer.memory for layer in layers if layer.memory), None)
    role = _role(layers)
    return Profile(
        name=source.name,
        version=fields.FORMAT_VERSION,
        role=role,
        description=_description(sources, layers),
        requirements=requirements,
        entries=entries,
        path=source.path,
        digest=_digest(sources),
        sources=tuple(sources),
        warnings=_warnings(requirements, role, memory),
        memory=memory,
        image=image,
    )


def _refuse(sources: list[ProfileText], layers: list[_Layer], problems: Problems) -> None:
    """Raise ProfileError; it quotes the wrong lines if they are those of a profile."""
    from secboot.profile.quote import Quotes  # noqa: PLC0415 - only needed for errors

    texts = {
        source.path: (source.text, layer.node)
        for source, layer in zip(sources, layers, strict=True)
        if len(source.text) <= SIZE_LIMIT
    }
    problems.require_none(Quotes(texts).at)


def _description(sources: list[ProfileText], layers: list[_Layer]) -> str:
    """Return the profile's own description, or that of the profile it extends.

    If parameters or the role of the extended profile were changed or dropped, its description may no
    longer be true. Then the result is its name and what was changed. Added parameters, other entries
    and another memory size leave the description true.
    """
    at = next((at for at, layer in enumerate(layers) if layer.description), None)
    if at is None:
        return ""
    below = {canonical(each.name) for layer in layers[at:] for each in layer.requirements}
    asked = [each.name for layer in layers[:at] for each in layer.requirements]
    changed = [name for name in dict.fromkeys(asked) if canonical(name) in below]
    dropped = dict.fromkeys(each.text for layer in layers[:at] for each in layer.drop)
    if _role(layers) is not _role(layers[at:]):
        changed.append("role")
    said = [f"changed: {', '.join(changed)}"] if changed else []
    said += [f"dropped: {', '.join(dropped)}"] if dropped else []
    return f"{sources[at].name}, {'; '.join(said)}" if said else layers[at].description or ""


def _role(layers: list[_Layer]) -> Role | None:
    return next((layer.role for layer in layers if layer.role), None)


def _read_chain(
    source: ProfileText, files: ProfileFiles, problems: Problems
) -> tuple[list[ProfileText], list[_Layer]]:
    """Return the texts from the profile itself to the last one that it extends, with their content."""
    sources = [source]
    layers = [_read_layer(source, problems)]
    while layers[-1].extends is not None:
        wanted = layers[-1].extends
        paths = [each.path for each in sources]
        found = _extended(wanted, sources[-1], files, paths, problems)
        if found is None:
            break
        sources.append(found)
        layers.append(_read_layer(found, problems))
    return sources, layers


def _extended(
    wanted: Scalar, by: ProfileText, files: ProfileFiles, paths: list[str], problems: Problems
) -> ProfileText | None:
    if len(paths) >= CHAIN_LIMIT:
        problems.error(
            "extends-too-long",
            f"more than {CHAIN_LIMIT} profiles extend one another",
            wanted.location,
            " extends ".join(paths),
        )
        return None
    found = find_extended(wanted.text, by, files, paths)
    if found is not None:
        return found
    again = find_extended(wanted.text, by, files, ())
    if again is not None:
        circle = " extends ".join([*paths[paths.index(again.path) :], again.path])
        problems.error("extends-circle", f"{wanted.text!r} extends itself", wanted.location, circle)
    else:
        problems.error(
            "extends-missing",
            f"extended profile {wanted.text!r} not found",
            wanted.location,
            _where_else(wanted.text, files),
        )
    return None


def _where_else(wanted: str, files: ProfileFiles) -> str:
    """Say where a profile was searched for, and which one was probably meant."""
    from secboot.profile.spelling import likely_word  # noqa: PLC0415 - only needed for errors

    if is_path(wanted):
        return "write the name of a file in the same directory, or of a profile"
    meant = likely_word(wanted, {each.name: None for each in available_profiles(files)})
    proposed = "" if meant is None else f"did you mean '{meant}'?\n"
    return f"{proposed}searched: the directory of this file, then those that `secboot profile list` reads"


def _read_layer(source: ProfileText, problems: Problems) -> _Layer:
    node = read_document(source.text, source.path, problems)
    if node is None:
        return _Layer(node)
    if not isinstance(node, Mapping):
        problems.error(
            "not-a-mapping",
            "a profile must be a mapping",
            node.location,
            "a profile starts with `version: 1`",
        )
        return _Layer(node)
    layer = _Layer(node)
    found = fields.read_fields(node, fields.PROFILE_FIELDS, problems)
    readers = {
        "version": _read_version,
        "role": _read_role,
        "description": _read_description,
        "memory": _read_memory,
        "extends": _read_extends,
        "drop": _read_drop,
        "as_spelled": _read_as_spelled,
        "parameters": _read_parameters,
        "entries": _read_entries,
        "image": _read_image,
    }
    for key, reader in readers.items():
        if key in found:
            reader(layer, found[key], problems)
    _report_unused(layer.as_spelled, found.get("parameters"), problems)
    unknown_keys = len(found) < len(node.items)
    if not {"parameters", "extends"} & found.keys() and not unknown_keys:
        problems.error(
            "asks-nothing",
            "the profile sets nothing",
            node.location,
            "add `parameters` or `extends`",
        )
    if "drop" in found and "extends" not in found:
        problems.error(
            "drop-from-nothing",
            "`drop` needs `extends`: the profile does not extend another one",
            found["drop"].location,
        )
    return layer


def _report_unused(names: tuple[Scalar, ...], parameters: Node | None, problems: Problems) -> None:
    given = [key.text for key, _ in parameters.items] if isinstance(parameters, Mapping) else []
    for name in names:
        if name.text not in given:
            problems.error(
                "as-spelled-unused",
                f"{name.text!r} is not one of the `parameters` in this file",
                name.location,
                fields.closest(name.text, given) if given else "remove it",
            )


def _read_version(_layer: _Layer, node: Node, problems: Problems) -> None:
    if isinstance(node, Scalar) and node.plain and node.text == str(fields.FORMAT_VERSION):
        return
    said = repr(node.text) if isinstance(node, Scalar) else "this"
    problems.error(
        "version",
        f"{said} is not a profile format version that this secboot supports",
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
        problems.error("not-text", "`memory` must be a size", node.location, MEMORY_EXAMPLE)
        return
    if unambiguous_text(node, problems, instead=MEMORY_EXAMPLE) is not None:
        layer.memory = read_size(node, MEMORY_PATTERN, MEMORY_UNITS, memory_intent, problems)


def _read_extends(layer: _Layer, node: Node, problems: Problems) -> None:
    name = fields.read_text(node, "`extends`", problems)
    if name is None or not isinstance(node, Scalar):
        return
    if not re.fullmatch(fields.EXTENDED_PATTERN, name):
        problems.error(
            "profile-name",
            f"{name!r} is not a profile name",
            node.location,
            "write the name of a profile, or of a file in the same directory: base.yaml",
        )
        return
    layer.extends = Scalar(name, node.plain, node.location)


def _read_drop(layer: _Layer, node: Node, problems: Problems) -> None:
    layer.drop = _read_names(node, "`drop`", problems)


def _read_names(node: Node, what: str, problems: Problems) -> tuple[Scalar, ...]:
    names = fields.read_scalars(node, what, problems)
    return tuple(each for each in names if fields.read_name(each, problems) is not None)


def _read_as_spelled(layer: _Layer, node: Node, problems: Problems) -> None:
    layer.as_spelled = _read_names(node, "`as_spelled`", problems)


def _read_parameters(layer: _Layer, node: Node, problems: Problems) -> None:
    layer.requirements = read_parameters(node, layer.as_spelled, problems)


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
    from secboot.profile.image import read_image  # noqa: PLC0415 - few profiles have an image

    layer.image = read_image(node, problems)


def _merged_image(layers: Sequence[_Layer], problems: Problems) -> ImagePaths | None:
    found = [layer.image for layer in layers if layer.image]
    if not found:
        return None
    from secboot.profile.image import merge_image  # noqa: PLC0415 - few profiles have an image

    return merge_image(found, problems)


def _merge_requirements(layers: list[_Layer], problems: Problems) -> tuple[Requirement, ...]:
    """Merge the layers, the extended ones first: each layer drops, replaces in place, and adds."""
    merged: dict[str, Requirement] = {}
    for layer in reversed(layers):
        for dropped in layer.drop:
            known = merged.pop(canonical(dropped.text), None) is not None
            # If there is no extended profile, that has already been reported.
            if not known and layer is not layers[-1]:
                problems.error(
                    "drop-unknown",
                    f"{dropped.text!r} is not set by the extended profile, so there is nothing to "
                    "drop",
                    dropped.location,
                    fields.closest(dropped.text, [each.name for each in merged.values()])
                    if merged
                    else None,
                )
        for requirement in layer.requirements:
            merged[canonical(requirement.name)] = requirement
    return tuple(merged.values())


def _warnings(
    requirements: tuple[Requirement, ...], role: Role | None, memory: int | None
) -> tuple[Finding, ...]:
    unfit = [None if role is None else requirement.unfit(role) for requirement in requirements]
    found = (*unfit, *(requirement.warning() for requirement in requirements))
    warnings = tuple(warning for warning in found if warning is not None)
    return warnings if memory is None else (*warnings, *costs(requirements, memory))


def _digest(sources: list[ProfileText]) -> str:
    """Return the digest of the texts' digests, so that no two chains have the same one."""
    texts = (encoded(source.text) for source in sources)
    return digest(b"".join(bytes.fromhex(digest(text)) for text in texts))
