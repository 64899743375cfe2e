"""Formats for sealed images, whose parameters are inside: pvimg's parmfile, pvics' configuration."""

from __future__ import annotations

from secboot.errors import RefusedError
from secboot.export.request import (
    Exported,
    ExportRequest,
    comments,
    losses,
    whole_line,
    words_to_add,
)
from secboot.formats.kernel_arguments import quoted
from secboot.profile.profile import Role
from secboot.zipl.files import LEGACY_PARAMETER_LIMIT

MAX_BYTES = 4095
"""Bytes of a parmfile that pvimg takes, a newline at its end among them: with the NUL that it puts
behind them it is as long as the kernel image allows (s390-tools, rust/pvimg, se_img_comps:
cmdline.rs and kernel.rs), 4096 for all kernels since 5.16."""


def pvimg(request: ExportRequest) -> Exported:
    """The text for ``pvimg create --parmfile`` (genprotimg's, too); it has no comments."""
    _require_guest(request)
    line = whole_line(request).strip()
    if not line:
        raise RefusedError(
            "the parmfile would be empty", hint="give the line to start from with --line"
        )
    text = f"{line}\n"
    size = len(text)  # in bytes: a line of more than ASCII has been refused
    if size > MAX_BYTES:
        raise RefusedError(
            f"the parmfile would have {size} bytes with its newline, and pvimg takes {MAX_BYTES}"
        )
    notes = []
    if size >= LEGACY_PARAMETER_LIMIT:
        notes.append(
            f"the parmfile has {size} bytes: kernels before 5.16 take"
            f" {LEGACY_PARAMETER_LIMIT - 1}, and pvimg refuses it for them"
        )
    if not request.line:
        notes.append(
            "this is the whole parameter line of the image: give what else belongs there"
            " with --line, root= for instance"
        )
    return Exported(text, tuple(notes))


def pvics(request: ExportRequest) -> Exported:
    """``convert.sel-kernel-parameter`` (s390-tools 2.42, pvics.yaml(5)), which is appended."""
    _require_guest(request)
    words = words_to_add(request, "pvics")
    head = comments([request.title(), "Add this to the configuration of pvics.", *losses(request)])
    return Exported(f"{head}convert:\n  sel-kernel-parameter: {quoted(' '.join(words))}\n")


def _require_guest(request: ExportRequest) -> None:
    if request.profile.role is Role.HOST:
        raise RefusedError(
            "the profile is for a host, and a sealed image is a guest's",
            hint="`secboot export guest` is one for guests",
        )
