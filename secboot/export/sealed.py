"""Formats for sealed images, whose parameters are inside: pvimg's parmfile, pvics' configuration."""

from __future__ import annotations

from secboot.errors import RefusedError
from secboot.export.order import (
    Exported,
    Order,
    comments,
    losses,
    quoted,
    whole_line,
    words_to_add,
)
from secboot.profile.profile import Role

MAX_BYTES = 4095
"""pvimg refuses a longer command line: it has 4096 bytes with the NUL behind it."""


def pvimg(order: Order) -> Exported:
    """The text for ``pvimg create --parmfile`` (genprotimg's, too); it has no comments."""
    _require_guest(order)
    line = whole_line(order).strip()
    if not line:
        raise RefusedError(
            "the parmfile would be empty", hint="give the line to start from with --line"
        )
    if len(line) > MAX_BYTES:
        raise RefusedError(f"the line has {len(line)} bytes, and pvimg takes {MAX_BYTES}")
    notes = []
    if not order.line:
        notes.append(
            "this is the whole parameter line of the image: give what else belongs there"
            " with --line, root= for instance"
        )
    return Exported(line + "\n", tuple(notes))


def pvics(order: Order) -> Exported:
    """``convert.sel-kernel-parameter`` (s390-tools 2.42, pvics.yaml(5)), which is appended."""
    _require_guest(order)
    words = words_to_add(order, "pvics")
    head = comments([order.title(), "Add this to the configuration of pvics.", *losses(order)])
    return Exported(f"{head}convert:\n  sel-kernel-parameter: {quoted(' '.join(words))}\n")


def _require_guest(order: Order) -> None:
    if order.profile.role is Role.HOST:
        raise RefusedError(
            "the profile is for a host, and a sealed image is a guest's",
            hint="`secboot export guest` is one for guests",
        )
