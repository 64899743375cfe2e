"""The published schemas, with no other keys allowed, as secboot itself adheres to them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import secboot

SCHEMAS = Path(secboot.__file__).parent / "report" / "schemas"


@cache
def strict_schema(name: str) -> dict[str, Any]:
    """The schema of a document such as ``secboot/plan/2``, with each of its objects closed.

    The published schemas allow other keys, for readers of later versions' documents.
    """
    stem = name.removeprefix("secboot/").replace("/", "-")
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{stem}.json").read_text())
    _close(schema)
    return schema


def _close(part: object) -> None:
    if isinstance(part, list):
        for each in part:
            _close(each)
    if isinstance(part, dict):
        if part.get("type") == "object" or part.get("type") == ["object", "null"]:
            part.setdefault("additionalProperties", False)
        for each in part.values():
            _close(each)
