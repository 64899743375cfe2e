"""Places in files, as all JSON documents write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from secboot.errors import Location


def location_document(location: Location | None) -> dict[str, Any] | None:
    """Return a place as JSON: path, line and column, the latter two null where unknown."""
    if location is None:
        return None
    return {"path": location.path, "line": location.line, "column": location.column}
