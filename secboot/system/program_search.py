"""Where other programs are searched, for those that only need to know whether one is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secboot.system.root import Root

SEARCH_PATH = ("/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/local/bin")
"""Where programs are searched; the caller's PATH must not decide what runs as root."""


def find_program(root: Root, name: str) -> str | None:
    """Return the path of a program inside the root; None if it is not installed."""
    paths = (f"{directory}/{name}" for directory in SEARCH_PATH)
    return next((path for path in paths if root.is_readable(path)), None)
