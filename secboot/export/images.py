"""Formats that put parameters into an image: CoreOS and OpenShift, bootc, image builders, pvimg.

A Secure Execution image contains its parameters: they come from pvimg's parmfile or pvics'
configuration when it is built.
"""

from __future__ import annotations

import re
import shlex
from xml.sax.saxutils import quoteattr

from secboot.errors import RefusedError
from secboot.export.request import Exported, ExportRequest
from secboot.finding import Finding, Severity
from secboot.formats.kernel_arguments import bootc_kargs, kargs_file, machine_config, quoted
from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.kernel_image import LEGACY_PARAMETER_LIMIT
from secboot.kernel.image_line import unfit
from secboot.profile.requirement import Role
from secboot.visible import visible

_ADJOINING_DASH = re.compile(r"-(?=-)")
"""An XML comment must not contain two adjacent dashes."""

_NOT_FOR_MKOSI = re.compile(r"[\"'\\%#]|(?<!\S)!")
"""mkosi starts a comment at any ``#`` and expands ``%`` (27.1, config.py: parse_ini,
expand_specifiers); 14 interprets ``!WORD`` as a request to remove that word, and interprets quotes,
which 27.1 does not."""

MAX_BYTES = 4095
"""The longest parmfile that pvimg accepts, in bytes with the final newline. pvimg adds a NUL, and the
result is as long as the kernel image allows (s390-tools, rust/pvimg, se_img_comps: cmdline.rs and
kernel.rs): 4096 for all kernels since 5.16."""


def machineconfig(request: ExportRequest) -> Exported:
    """Write a MachineConfig with ``kernelArguments`` (openshift/api, machineconfiguration v1)."""
    words = request.words_to_add("a MachineConfig")
    head = request.head(
        "Change the role if the machines are not in the worker pool.", *request.losses()
    )
    return Exported(head + machine_config(request.profile.name, words))


def butane(request: ExportRequest) -> Exported:
    """Write ``kernel_arguments.should_exist`` (Butane, Fedora CoreOS specification v1.4.0).

    1.4.0 is the first version with it, so every Butane that supports it accepts the text. Ignition
    removes an argument only by its whole text (``should_not_exist``), so a profile that removes a
    parameter with any value cannot be exported.
    """
    words = request.words_to_add("Ignition", removes=True)
    if len({*words}) < len(words):
        raise RefusedError(
            "Ignition does not accept the same argument twice, but the profile requires one twice",
            hint="use secboot on the machine, or the format machineconfig",
        )
    notes = list(request.losses(removes=True))
    if request.profile.role is Role.GUEST:
        notes.append(
            "In a guest that boots a Secure Execution image, Ignition cannot set kernel arguments:"
            " pass them to genprotimg"
        )
    lists = {"should_exist": words, "should_not_exist": request.words_to_remove()}
    arguments = "".join(
        f"  {key}:\n" + "".join(f"    - {quoted(word)}\n" for word in listed)
        for key, listed in lists.items()
        if listed
    )
    return Exported(
        f"{request.head(*notes)}variant: fcos\nversion: 1.4.0\nkernel_arguments:\n{arguments}"
    )


def coreos_installer(request: ExportRequest) -> Exported:
    """Write options for ``coreos-installer install`` (its man page, ``--append-karg``, ``--delete-karg``).

    An argument is deleted by its whole text.
    """
    words = request.words_to_add("coreos-installer", removes=True)
    pairs = [("--delete-karg", word) for word in request.words_to_remove()]
    pairs += [("--append-karg", word) for word in words]
    options = "".join(f" \\\n    {option} {shlex.quote(word)}" for option, word in pairs)
    head = request.head(
        "Set DEVICE to the disk, for example /dev/dasda.", *request.losses(removes=True)
    )
    return Exported(f'{head}coreos-installer install{options} \\\n    "$DEVICE"\n')


def bootc(request: ExportRequest) -> Exported:
    """Write a file for ``/usr/lib/bootc/kargs.d`` (bootc, docs/src/building/kernel-arguments.md)."""
    words = request.words_to_add("bootc")
    place = f"Put this in the image as {kargs_file(request.profile.name)}"
    head = request.head(place, *request.losses())
    return Exported(head + bootc_kargs(words))


def osbuild(request: ExportRequest) -> Exported:
    """Write part of a blueprint: ``customizations.kernel.append`` (osbuild.org, blueprint reference).

    bootc-image-builder reads its config.toml into the same structure and refuses unknown keys
    (osbuild/blueprint, customizations.go; bootc-image-builder, buildconfig/config.go).
    """
    words = request.words_to_add("an osbuild blueprint")
    head = request.head(
        "Add this to the blueprint, or to the config.toml of bootc-image-builder.",
        *request.losses(),
    )
    return Exported(f"{head}[customizations.kernel]\nappend = {quoted(' '.join(words))}\n")


def kiwi(request: ExportRequest) -> Exported:
    """Write the attribute ``kernelcmdline`` of kiwi's ``<type>`` (kiwi schema, k.type.attlist).

    The schema allows it for the image types oem, iso, pxe and kis.
    """
    notes = [
        request.title(),
        "Add the attribute to the <type> element of the image description.",
        *request.entry_losses(),
    ]
    head = "".join(f"<!-- {_ADJOINING_DASH.sub('- ', visible(note))} -->\n" for note in notes)
    return Exported(f"{head}<type kernelcmdline={quoteattr(_line(request, 'kiwi'))}/>\n")


def mkosi(request: ExportRequest) -> Exported:
    """Write ``KernelCommandLine=`` in a drop-in for ``mkosi.conf.d`` (mkosi(1)).

    mkosi 17.1 and older do not support ``Architecture=`` in ``[Match]``; 14 reads it as a setting.
    """
    line = _line(request, "mkosi")
    if awkward := _NOT_FOR_MKOSI.search(line):
        raise RefusedError(
            f"a parameter contains {awkward[0]}, which some versions of mkosi interpret",
            hint="add that parameter to mkosi.conf by hand",
        )
    head = request.head(
        f"Put this in mkosi.conf.d/50-secboot-{request.profile.name}.conf",
        *request.entry_losses(),
    )
    architecture = "[Match]\nArchitecture=s390x\n\n"
    return Exported(f"{head}{architecture}[Content]\nKernelCommandLine={line}\n")


def _line(request: ExportRequest, tool: str) -> str:
    """Return the parameter line of a new image; what the profile removes is never added."""
    line = request.whole_line()
    if not line.strip():
        raise RefusedError(
            f"the parameter line for {tool} would be empty: the profile adds no parameters",
            hint="set the line to start from with --line",
        )
    if not line.isprintable():
        control = next(each for each in line if not each.isprintable())
        raise RefusedError(
            f"the line contains {visible(control)}, but {tool} accepts only one line of plain text",
            hint="separate the parameters with spaces",
        )
    return line


def pvimg(request: ExportRequest) -> Exported:
    """Write the parmfile of a Secure Execution image (genprotimg, pvimg create); it has no comments."""
    _require_guest(request)
    line = request.whole_line().strip()
    if not line:
        raise RefusedError(
            "the parmfile would be empty", hint="set the line to start from with --line"
        )
    text = f"{line}\n"
    size = len(text)  # in bytes: a line that is not ASCII has been refused
    if size > MAX_BYTES:
        raise RefusedError(
            f"the parmfile would be {size} bytes long with its newline, but pvimg accepts at most"
            f" {MAX_BYTES}"
        )
    notes = []
    if size >= LEGACY_PARAMETER_LIMIT:
        notes.append(
            _note(
                "parmfile-size",
                f"the parmfile is {size} bytes long: kernels before 5.16 accept at most"
                f" {LEGACY_PARAMETER_LIMIT - 1}, and pvimg refuses it for them",
            )
        )
    if not request.line:
        notes.append(
            _note(
                "whole-line",
                "this is the whole parameter line of the image: add other parameters, such as root=,"
                " with --line",
            )
        )
    return Exported(text, (*notes, *unfit(CommandLine.parse(line))))


def _note(code: str, message: str) -> Finding:
    return Finding(f"export.{code}", Severity.NOTE, message)


def pvics(request: ExportRequest) -> Exported:
    """Write ``convert.sel-kernel-parameter`` (s390-tools 2.42, pvics.yaml(5)), which is appended."""
    _require_guest(request)
    words = request.words_to_add("pvics")
    head = request.head("Add this to the configuration of pvics.", *request.losses())
    added = " ".join(words)
    # The rest of the line is in the guest that pvics converts, and may have what is missing here.
    opening = [e for e in unfit(CommandLine.parse(added)) if e.severity is Severity.WARNING]
    text = f"{head}convert:\n  sel-kernel-parameter: {quoted(added)}\n"
    return Exported(text, tuple(opening))


def _require_guest(request: ExportRequest) -> None:
    if request.profile.role is Role.HOST:
        raise RefusedError(
            "the profile is for a host, but a Secure Execution image is for a guest",
            hint="use a guest profile: `secboot export guest`",
        )
