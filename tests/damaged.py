"""Damaged JSON documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Document = dict[str, Any]


def put(*steps: str | int, to: object) -> Callable[[Document], None]:
    """A change that sets the value at this path of keys and positions."""

    def change(document: Document) -> None:
        node: Any = document
        for step in steps[:-1]:
            node = node[step]
        node[steps[-1]] = to

    return change
