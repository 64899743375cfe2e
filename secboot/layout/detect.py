"""Detects the layout from the files in the tree, and reports an unknown or contradictory one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import UsageError
from secboot.layout.layout import Layout, UnclearLayout
from secboot.layout.recognition import LAYOUTS, OSTREE, PLAIN, RED_HAT, SUSE, Tree
from secboot.machine.discovery import bls_names
from secboot.visible import visible

if TYPE_CHECKING:
    from secboot.system.root import Root

NAMES = tuple(each.name for each in LAYOUTS)


def detect_layout(root: Root, named: str | None = None) -> Layout:
    """Return the layout of the tree, or the one that the user `named`.

    The files decide; the name in os-release is only used if no file indicates a layout, because an
    image of one distribution can boot in the way of another. An unclear layout refuses to be
    edited, and reports what was found. Raises UsageError if `named` is not the name of a layout.
    """
    tree = Tree(root, bls_names(root))
    if named is not None and named not in NAMES:
        raise UsageError(
            f"unknown layout {visible(named)!r}", hint=f"available: {', '.join(NAMES)}"
        )
    evidence = {each.name: each.evidence(tree) for each in LAYOUTS}
    names = {each.name: each.named(tree) for each in LAYOUTS}
    marks = evidence if any(evidence.values()) else names
    found = {name: (*evidence[name], *names[name]) for name, seen in marks.items() if seen}
    for each in [each for each in LAYOUTS if each.name in found]:
        for other in each.made_of:
            found.pop(other, None)
    if named is None and len(found) > 1:
        return _contradictory(found)
    name = named or next(iter(found), None)
    if name is None and tree.os_release.get("ID"):
        return _unknown(tree)
    chosen = name or PLAIN
    return _layout(chosen, tree, (*evidence[chosen], *names[chosen]))


def _layout(name: str, tree: Tree, seen: tuple[str, ...]) -> Layout:
    """Return the layout with this name for this tree, without importing the others."""
    if name == OSTREE:
        from secboot.layout.ostree import Ostree

        return Ostree(tree, seen)
    if name == SUSE:
        from secboot.layout.suse import Suse

        return Suse(tree, seen)
    if name == RED_HAT:
        from secboot.layout.red_hat import RedHat

        return RedHat(tree, seen)
    from secboot.layout.zipl_only import ROWS, ZiplConfLayout

    return ZiplConfLayout(ROWS[name], tree, seen)


_RED_HAT_HINT = (
    "specify the layout: --layout bls (RHEL 8 and later, Fedora 30 and later), --layout rhel7 (earlier"
    " ones)"
)
_HINT = f"if you know the layout, specify it: --layout NAME (one of {', '.join(NAMES)})"


def _contradictory(found: dict[str, tuple[str, ...]]) -> Layout:
    evidence = "; ".join(f"{name}: {visible(', '.join(seen))}" for name, seen in found.items())
    return UnclearLayout(
        "contradictory",
        "contradictory evidence of a layout",
        seen=tuple(mark for seen in found.values() for mark in seen),
        refusal=f"there is evidence of more than one boot configuration scheme ({evidence})",
        hint=_HINT,
    )


def _sections(tree: Tree) -> str:
    return "\nif nothing else writes /etc/zipl.conf: --layout zipl.conf" if tree.has_conf else ""


def _unknown(tree: Tree) -> Layout:
    version = tree.os_release.get("VERSION_ID", "")
    system = visible(f"{tree.os_release['ID']} {version}".strip())
    if tree.red_hat_name is not None and tree.red_hat_release is None:
        return UnclearLayout(
            "unknown",
            "unknown layout",
            seen=(f"os-release: {system}",),
            refusal=f"os-release says {system} but no release of RHEL or Fedora, which decides how the"
            " system configures booting, and no BLS entries or other known files were found",
            hint=_RED_HAT_HINT,
        )
    return UnclearLayout(
        "unknown",
        "unknown layout",
        seen=(f"os-release: {system}",),
        refusal=f"secboot does not know how {system} configures booting (os-release says {system};"
        " no BLS entries or other known files were found)",
        hint=f"check whether /boot is mounted there; {_HINT}{_sections(tree)}",
    )
