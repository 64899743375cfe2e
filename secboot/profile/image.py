"""Read the `image:` of a profile: the files of its Secure Execution image.

The paths are used in zipl's files, in shell commands, and in the managed tree, so each path must
mean the same in all of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.profile import fields
from secboot.profile.nodes import Mapping, Node, Problems, Scalar, unambiguous_text
from secboot.profile.profile import ImagePaths, PlacedPath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.errors import Location

EXAMPLE = "write an absolute path such as /etc/secboot/guest.parm"


class ImageLayer:
    """What one file sets for the image: the paths by key, and the location of its `image:`."""

    def __init__(self, paths: dict[str, Scalar], location: Location) -> None:
        self.paths = paths
        self.location = location


def read_image(node: Node, problems: Problems) -> ImageLayer | None:
    """Return what one file sets; None if nothing in it can be used."""
    if not isinstance(node, Mapping):
        problems.error("not-a-mapping", "`image` must be a mapping", node.location, _hint())
        return None
    if not node.items:
        problems.error("empty-image", "`image` is an empty mapping", node.location, _hint())
        return None
    found = fields.read_fields(node, fields.IMAGE_FIELDS, problems)
    paths = {key: _read_path(value, key, problems) for key, value in found.items()}
    return ImageLayer({key: path for key, path in paths.items() if path}, node.location)


def merge_image(layers: Sequence[ImageLayer], problems: Problems) -> ImagePaths | None:
    """Merge the images of files of which each extends the next; None for no files.

    A path replaces the same one in the extended profile.
    """
    if not layers:
        return None
    paths = {key: path for layer in reversed(layers) for key, path in layer.paths.items()}
    for key in ("parmfile", "output"):
        if key not in paths and not problems.found:
            message = f"the key {key!r} of `image` is missing"
            problems.error("missing-key", message, layers[0].location, _hint())
    _require_different(paths, problems)
    if problems.found:
        return None
    texts = {key: path.text for key, path in paths.items()}
    return ImagePaths(
        parmfile=texts["parmfile"],
        output=texts["output"],
        kernel=texts.get("kernel"),
        ramdisk=texts.get("ramdisk"),
        location=paths["parmfile"].location,
        places=tuple(PlacedPath(path.text, path.location) for path in paths.values()),
    )


def _require_different(paths: dict[str, Scalar], problems: Problems) -> None:
    """Two keys must not name the same file: the output would overwrite it."""
    seen: dict[str, str] = {}
    for key, path in paths.items():
        if path.text in seen:
            message = f"{path.text} is also the `{seen[path.text]}` of the image"
            problems.error("same-path", message, path.location, "name two different files")
        seen[path.text] = key


def _read_path(node: Node, key: str, problems: Problems) -> Scalar | None:
    if not isinstance(node, Scalar):
        problems.error("not-text", f"`{key}` must be a path", node.location, EXAMPLE)
        return None
    text = unambiguous_text(node, problems, instead=EXAMPLE)
    if text is None:
        return None
    names = text.split("/")
    if not text.startswith("/"):
        problems.error("path-relative", f"{text!r} is not an absolute path", node.location, EXAMPLE)
    elif ".." in names:
        message = f"{text!r} could be outside the root directory: it contains '..'"
        problems.error("path-outside", message, node.location, EXAMPLE)
    elif not re.fullmatch(fields.PATH_PATTERN, text) or {"", "."} & set(names[1:]):
        message = f"{text!r} is not a plain file path"
        hint = "use letters, digits and . _ : @ % + = ~ - between single slashes"
        problems.error("path", message, node.location, hint)
    else:
        return node
    return None


def _hint() -> str:
    return "write\n" + "\n".join(
        ["image:", *(f"  {each.key}: {each.example}" for each in fields.IMAGE_FIELDS[:2])]
    )
