"""Where programs are: the same directories for what is run and for what is only looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secboot.system.root import Root

SEARCH_PATH = ("/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/local/bin")
"""Where programs are looked for; the caller's PATH has no say in what runs as root."""


def find_program(root: Root, name: str) -> str | None:
    """Return the path of a program inside the root, or None when it is not installed."""
    paths = (f"{directory}/{name}" for directory in SEARCH_PATH)
    return next((path for path in paths if root.is_readable(path)), None)
