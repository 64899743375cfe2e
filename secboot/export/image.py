"""Formats of tools that build images: bootc, osbuild, kiwi, mkosi."""

from __future__ import annotations

import re
from xml.sax.saxutils import quoteattr

from secboot.errors import RefusedError
from secboot.export.request import (
    Exported,
    ExportRequest,
    comments,
    entry_losses,
    losses,
    whole_line,
    words_to_add,
)
from secboot.formats.kernel_arguments import bootc_kargs, kargs_file, quoted
from secboot.visible import visible

_ADJOINING_DASH = re.compile(r"-(?=-)")
"""Two dashes may not stand inside an XML comment."""

_NOT_FOR_MKOSI = re.compile(r"[\"'\\%#]|(?<!\S)!")
"""mkosi begins a comment at any ``#`` and expands ``%`` (27.1, config.py: parse_ini,
expand_specifiers); 14 takes ``!WORD`` for an order to remove that word, and honours quotes, which
27.1 does not."""


def bootc(request: ExportRequest) -> Exported:
    """A file for ``/usr/lib/bootc/kargs.d`` (bootc, docs/src/building/kernel-arguments.md)."""
    words = words_to_add(request, "bootc")
    place = f"Put this into the image as {kargs_file(request.profile.name)}"
    head = comments([request.title(), place, *losses(request)])
    return Exported(head + bootc_kargs(words))


def osbuild(request: ExportRequest) -> Exported:
    """A part of a blueprint: ``customizations.kernel.append`` (osbuild.org, blueprint reference)."""
    words = words_to_add(request, "an osbuild blueprint")
    head = comments([request.title(), "Add this to the blueprint.", *losses(request)])
    return Exported(f"{head}[customizations.kernel]\nappend = {quoted(' '.join(words))}\n")


def kiwi(request: ExportRequest) -> Exported:
    """The attribute ``kernelcmdline`` of kiwi's ``<type>`` (kiwi schema, k.type.attlist).

    The schema allows it for the image types oem, iso, pxe and kis.
    """
    notes = [
        request.title(),
        "Add the attribute to the <type> element of the image description.",
        *entry_losses(request),
    ]
    head = "".join(f"<!-- {_ADJOINING_DASH.sub('- ', visible(note))} -->\n" for note in notes)
    return Exported(f"{head}<type kernelcmdline={quoteattr(_line(request, 'kiwi'))}/>\n")


def mkosi(request: ExportRequest) -> Exported:
    """``KernelCommandLine=`` in a drop-in for ``mkosi.conf.d`` (mkosi(1)).

    mkosi 17.1 and older know no ``Architecture=`` in ``[Match]``; 14 takes it for a setting.
    """
    line = _line(request, "mkosi")
    if awkward := _NOT_FOR_MKOSI.search(line):
        raise RefusedError(
            f"a parameter has {awkward[0]}, which mkosi or one of its versions reads as"
            " something else",
            hint="put such a parameter into mkosi.conf by hand",
        )
    head = comments(
        [
            request.title(),
            f"Put this into mkosi.conf.d/50-secboot-{request.profile.name}.conf",
            *entry_losses(request),
        ]
    )
    architecture = "[Match]\nArchitecture=s390x\n\n"
    return Exported(f"{head}{architecture}[Content]\nKernelCommandLine={line}\n")


def _line(request: ExportRequest, tool: str) -> str:
    """The line that a new image gets: what the profile wants removed is never put there."""
    line = whole_line(request)
    if not line.strip():
        raise RefusedError(
            f"there is nothing to tell {tool}: an image has no parameters but those it is given",
            hint="give the line to start from with --line",
        )
    if not line.isprintable():
        control = next(each for each in line if not each.isprintable())
        raise RefusedError(
            f"the line has {visible(control)} in it, and {tool} takes one line of plain text",
            hint="separate the parameters by blanks",
        )
    return line
