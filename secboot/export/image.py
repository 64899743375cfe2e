"""Formats of tools that build images: bootc, osbuild, kiwi, mkosi."""

from __future__ import annotations

import re
from xml.sax.saxutils import quoteattr

from secboot.errors import RefusedError
from secboot.export.order import (
    Exported,
    Order,
    comments,
    entry_losses,
    losses,
    quoted,
    whole_line,
    words_to_add,
)
from secboot.visible import visible

_ADJOINING_DASH = re.compile(r"-(?=-)")
"""Two dashes may not stand inside an XML comment."""


def bootc(order: Order) -> Exported:
    """A file for ``/usr/lib/bootc/kargs.d`` (bootc, docs/src/building/kernel-arguments.md)."""
    words = words_to_add(order, "bootc")
    listed = ", ".join(map(quoted, words))
    head = comments(
        [
            order.title(),
            f"Put this into the image as /usr/lib/bootc/kargs.d/50-secboot-{order.profile.name}.toml",
            *losses(order),
        ]
    )
    return Exported(f'{head}kargs = [{listed}]\nmatch-architectures = ["s390x"]\n')


def osbuild(order: Order) -> Exported:
    """A part of a blueprint: ``customizations.kernel.append`` (osbuild.org, blueprint reference)."""
    words = words_to_add(order, "an osbuild blueprint")
    head = comments([order.title(), "Add this to the blueprint.", *losses(order)])
    return Exported(f"{head}[customizations.kernel]\nappend = {quoted(' '.join(words))}\n")


def kiwi(order: Order) -> Exported:
    """The attribute ``kernelcmdline`` of kiwi's ``<type>`` (kiwi schema, k.type.attlist)."""
    notes = [
        order.title(),
        "Add the attribute to the <type> element of the image description.",
        *entry_losses(order),
    ]
    head = "".join(f"<!-- {_ADJOINING_DASH.sub('- ', visible(note))} -->\n" for note in notes)
    return Exported(f"{head}<type kernelcmdline={quoteattr(_line(order, 'kiwi'))}/>\n")


def mkosi(order: Order) -> Exported:
    """``KernelCommandLine=`` in a drop-in for ``mkosi.conf.d`` (mkosi(1))."""
    line = _line(order, "mkosi")
    awkward = next((each for each in "\"'\\%" if each in line), None)
    if awkward is not None:
        raise RefusedError(
            f"a parameter has {awkward}, and versions of mkosi differ in how they read that",
            hint="put such a parameter into mkosi.conf by hand",
        )
    head = comments(
        [
            order.title(),
            f"Put this into mkosi.conf.d/50-secboot-{order.profile.name}.conf",
            *entry_losses(order),
        ]
    )
    architecture = "[Match]\nArchitecture=s390x\n\n"
    return Exported(f"{head}{architecture}[Content]\nKernelCommandLine={line}\n")


def _line(order: Order, tool: str) -> str:
    """The line that a new image gets: what the profile wants removed is never put there."""
    line = whole_line(order)
    if not line.strip():
        raise RefusedError(
            f"there is nothing to tell {tool}: an image has no parameters but those it is given",
            hint="give the line to start from with --line",
        )
    return line
