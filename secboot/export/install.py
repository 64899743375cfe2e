"""Formats of installers and first boots: Kickstart, cloud-init, autoinstall.

All except ``kickstart`` run secboot on the machine, so it must be installed there: from its package,
or as ``secboot.pyz`` in the search path under the name ``secboot``.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.export.request import Exported, ExportRequest, here_document, yaml_block
from secboot.formats.kernel_arguments import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEEDS = "Needs secboot on the machine: from its package, or secboot.pyz as /usr/bin/secboot."


def kickstart(request: ExportRequest) -> Exported:
    """Write ``bootloader --append`` (pykickstart, command ``bootloader``), for the installation only."""
    words = request.words_to_add("Kickstart's bootloader command")
    # pykickstart splits the line with shlex; anaconda writes one line to the boot files.
    text = " ".join(words).replace("\\", "\\\\").replace('"', '\\"')
    head = request.head("Merge this with an existing bootloader command.", *request.losses())
    return Exported(f'{head}bootloader --append="{text}"\n')


def kickstart_post(request: ExportRequest) -> Exported:
    """Write a ``%post`` section that runs secboot, which also runs zipl."""
    for source in request.sources:
        for line in source.text.splitlines():
            if line.lstrip().startswith("%"):
                raise RefusedError(
                    f"the line {line.strip()!r} of {source.path} would end the %post section",
                    hint="use the package of the profile, or a different format",
                )
    head = request.head(_NEEDS)
    script = "".join(_place(request, ""))
    return Exported(
        f"{head}%post --erroronfail --log=/root/secboot.log\n{script}{_apply(request)}\n%end\n"
    )


def cloud_init(request: ExportRequest) -> Exported:
    """Write user data that adds the profile and applies it at the first boot (cloud-init modules).

    The parameters take effect at the next IPL; the reader decides whether that follows immediately.
    """
    again = ["sh", "-c", f"! secboot verify {request.profile.name} --stage running"]
    head = request.head(
        _NEEDS,
        "The parameters take effect at the next IPL. To reboot immediately, add:",
        "  power_state:",
        "    mode: reboot",
        f"    condition: [{', '.join(map(quoted, again))}]",
    )
    files = "".join(
        f"  - path: {quoted(source.path)}\n    content: {yaml_block(source.text, 6)}"
        for source in request.sources
    )
    written = f"write_files:\n{files}" if files else ""
    command = ", ".join(map(quoted, ("secboot", "apply", request.profile.name)))
    return Exported(f"#cloud-config\n{head}{written}runcmd:\n  - [{command}]\n")


def autoinstall(request: ExportRequest) -> Exported:
    """Write user data for Ubuntu's installer: ``late-commands`` (subiquity, autoinstall reference)."""
    head = request.head(_NEEDS)
    script = "".join(_place(request, "/target"))
    place = f"    - {yaml_block(script, 6)}" if script else ""
    command = f"curtin in-target --target=/target -- {_apply(request)}"
    return Exported(
        f"#cloud-config\n{head}autoinstall:\n  version: 1\n  late-commands:\n"
        f"{place}    - {quoted(command)}\n"
    )


def _place(request: ExportRequest, root: str) -> Iterator[str]:
    """Yield shell commands that write the profile's files below `root`."""
    for source in request.sources:
        path = f"{root}{source.path}"
        yield f"mkdir -p {shlex.quote(path.rsplit('/', 1)[0])}\n"
        yield f"cat > {shlex.quote(path)} {here_document(source.text)}"


def _apply(request: ExportRequest) -> str:
    return f"secboot apply {shlex.quote(request.profile.name)}"
