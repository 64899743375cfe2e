"""The shipped profiles as nodes, so that a plan from one of them does not read YAML.

Importing the YAML reader takes longer than planning. For texts that are known when secboot is built,
the result can be stored then, like the byte code of a module.
"""

from __future__ import annotations

from pathlib import Path

from secboot.digest import digest
from secboot.profile.composer import Composer
from secboot.profile.nodes import Node, Problems, Scalar, Sequence
from secboot.profile.search import SHIPPED

PROFILES = Path(__file__).resolve().parent.parent.parent / "profiles"

_MODULE = '''\
"""The parsed YAML of the shipped profiles. Written by packaging/generate: do not edit.

`secboot.profile.document` uses these nodes for a text whose digest is listed here.
"""

from __future__ import annotations

Composed = tuple["str | list[Composed] | tuple[tuple[Composed, Composed], ...]", int, int]
"""An unquoted scalar, a list or the pairs of a mapping; then its line and column."""

# fmt: off
COMPOSED: dict[str, Composed] = {{
{profiles}}}
"""By SHA-256 of a text."""
'''


def module() -> str:
    """Return the source text of `secboot.profile.composed`."""
    texts = [(PROFILES / f"{name}.yaml").read_bytes().decode() for name in SHIPPED]
    profiles = "".join(
        f'    "{digest(text.encode())}": {_source(_read(text))},\n' for text in texts
    )
    return _MODULE.format(profiles=profiles)


def _read(text: str) -> Node:
    problems = Problems()
    node = Composer("", problems).compose(text)
    problems.require_none()
    if node is None:
        raise ValueError("a shipped profile must not be empty")
    return node


def _source(node: Node, depth: int = 1) -> str:
    line, column = node.location.line, node.location.column
    if isinstance(node, Sequence):
        items = ", ".join(_source(each, depth) for each in node.items)
        return f"([{items}], {line}, {column})"
    if isinstance(node, Scalar):
        if not node.plain:
            raise ValueError(f"line {line}: a shipped profile must not use quotes")
        return f"({node.text!r}, {line}, {column})"
    margin = "    " * depth
    pairs = [f"({_source(key)}, {_source(value, depth + 1)})" for key, value in node.items]
    lines = "".join(f"{margin}    {pair},\n" for pair in pairs)
    return f"((\n{lines}{margin}), {line}, {column})"
