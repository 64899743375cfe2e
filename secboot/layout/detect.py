"""Tell the layout by what the tree holds, and say so when that is unknown or contradictory."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from secboot.errors import UsageError
from secboot.layout import ostree, red_hat, suse
from secboot.layout.layout import UnclearLayout
from secboot.layout.zipl_conf import PLAIN, ROWS
from secboot.machine.discovery import bls_names
from secboot.system.file_errors import FileError
from secboot.visible import visible

if TYPE_CHECKING:
    from secboot.layout.layout import Layout
    from secboot.system.root import Root

LAYOUTS = (
    ostree.RECOGNITION,
    suse.RECOGNITION,
    red_hat.RECOGNITION,
    *(row.recognition() for row in ROWS),
)
NAMES = tuple(each.name for each in LAYOUTS)

_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
_LIMIT = 2**16
_ASSIGNMENT = re.compile(r"""^([A-Z_0-9]+)=(["']?)([^"'\r\n]*)\2[ \t\r]*$""", re.MULTILINE)


class RootTree:
    """The tree as layouts see it (`secboot.layout.layout.Tree`)."""

    def __init__(self, root: Root, *, has_bls: bool) -> None:
        self._root = root
        self.has_bls = has_bls

    def exists(self, path: str) -> bool:
        """Whether there is anything under the path; what can't be looked at is not there."""
        try:
            return self._root.exists(path)
        except FileError:
            return False

    def is_like(self, *names: str) -> str | None:
        """Which of the names os-release gives as ID, or lists as ID_LIKE (os-release(5))."""
        given = [self.os_release.get("ID", ""), *self.os_release.get("ID_LIKE", "").split()]
        return next((name for name in given if name in names), None)

    @property
    def major_version(self) -> int | None:
        """The number that VERSION_ID begins with."""
        found = re.match(r"\d{1,4}", self.os_release.get("VERSION_ID", ""), re.ASCII)
        return None if found is None else int(found[0])

    @cached_property
    def os_release(self) -> dict[str, str]:
        """The assignments of os-release; none where it is missing or can't be read."""
        for path in _OS_RELEASE:
            try:
                text = self._root.read_bytes(path, _LIMIT).decode("utf-8", "surrogateescape")
            except FileError:
                continue
            return {match[1]: match[3] for match in _ASSIGNMENT.finditer(text)}
        return {}


def detect_layout(root: Root, named: str | None = None) -> Layout:
    """Return the layout of the tree, or the one that the user `named`.

    A layout that can't be told refuses to be edited, and says what was seen. Raises UsageError for
    a name that is none.
    """
    tree = RootTree(root, has_bls=bool(bls_names(root)))
    if named is not None and named not in NAMES:
        raise UsageError(
            f"there is no layout {visible(named)!r}", hint=f"layouts are: {', '.join(NAMES)}"
        )
    evidence = {each.name: each.evidence(tree) for each in LAYOUTS}
    found = {name: seen for name, seen in evidence.items() if seen}
    for each in [each for each in LAYOUTS if each.name in found]:
        for other in each.made_of:
            found.pop(other, None)
    if named is None and len(found) > 1:
        return _contradictory(found)
    name = named or next(iter(found), None)
    if name is None and tree.os_release.get("ID"):
        return _unknown(tree)
    recognised = next(each for each in LAYOUTS if each.name == (name or PLAIN.name))
    return recognised.make(tree, evidence[recognised.name])


_HINT = f"if you know which it is, name it: --layout NAME (of {', '.join(NAMES)})"


def _contradictory(found: dict[str, tuple[str, ...]]) -> Layout:
    told = "; ".join(f"{name}: {visible(', '.join(seen))}" for name, seen in found.items())
    return UnclearLayout(
        "contradictory",
        "contradictory signs of a layout",
        seen=tuple(mark for seen in found.values() for mark in seen),
        refusal=f"there are signs of more than one way to configure the boot ({told})",
        hint=_HINT,
    )


def _unknown(tree: RootTree) -> Layout:
    version = tree.os_release.get("VERSION_ID", "")
    system = visible(f"{tree.os_release['ID']} {version}".strip())
    return UnclearLayout(
        "unknown",
        "unknown layout",
        seen=(f"os-release: {system}",),
        refusal=f"it is not known how {system} configures the boot: os-release names it, and"
        " there are no BLS entries and no marks of another system",
        hint=f"is /boot mounted there? {_HINT}",
    )
