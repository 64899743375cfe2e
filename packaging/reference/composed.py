"""The shipped profiles as nodes, so that a plan from one of them reads no YAML.

Importing what reads YAML takes longer than to plan. What it comes to for a text
that is known when secboot is built can be known then, as the byte code of a module is.
"""

from __future__ import annotations

from pathlib import Path

from secboot.digest import digest
from secboot.profile.composer import Composer
from secboot.profile.nodes import Mapping, Node, Problems, Scalar
from secboot.profile.search import SHIPPED

PROFILES = Path(__file__).resolve().parent.parent.parent / "profiles"

_HEAD = '''\
"""What the YAML of the shipped profiles says. Made by packaging/generate: do not edit.

`secboot.profile.document` takes a text's nodes from here if its digest is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.profile.nodes import {kinds}

if TYPE_CHECKING:
    from collections.abc import Callable

    from secboot.profile.nodes import Node

# fmt: off
'''
_TABLE = '''

COMPOSED: dict[str, Callable[[str], Node]] = {{
{entries}}}
"""By SHA-256 of a text: the nodes of that text, given the path that their places have."""
'''


def module() -> str:
    """Return the source text of `secboot.profile.composed`."""
    texts = {name: (PROFILES / f"{name}.yaml").read_bytes().decode() for name in SHIPPED}
    functions = "".join(_function(name, text) for name, text in texts.items())
    entries = "".join(
        f'    "{digest(text.encode())}": {_called(name)},\n' for name, text in texts.items()
    )
    kinds = [kind for kind in ("Mapping", "Scalar", "Sequence") if f"{kind}(" in functions]
    return f"{_HEAD.format(kinds=', '.join(kinds))}{functions}{_TABLE.format(entries=entries)}"


def _function(name: str, text: str) -> str:
    return f"\n\ndef {_called(name)}(path: str) -> Node:\n    return {_source(_read(text), 1)}\n"


def _called(name: str) -> str:
    return "_" + name.replace("-", "_")


def _read(text: str) -> Node:
    problems = Problems()
    node = Composer("", problems).compose(text)
    problems.require_none()
    if node is None:
        raise ValueError("a shipped profile has to say something")
    return node


def _source(node: Node, depth: int) -> str:
    place = f"Location(path, {node.location.line}, {node.location.column})"
    if isinstance(node, Scalar):
        return f"Scalar({node.text!r}, {node.plain}, {place})"
    kind = "Mapping" if isinstance(node, Mapping) else "Sequence"
    inner = "    " * (depth + 1)
    if isinstance(node, Mapping):
        items = [
            f"({_source(key, depth)}, {_source(value, depth + 1)})" for key, value in node.items
        ]
    else:
        items = [_source(item, depth + 1) for item in node.items]
    lines = "".join(f"{inner}{item},\n" for item in items)
    return f"{kind}((\n{lines}{'    ' * depth}), {place})"
