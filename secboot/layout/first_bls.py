"""The first configuration of RHEL 8 to 10 and Fedora: an automatic menu of BLS entries.

zipl.conf is the one that anaconda writes (pyanaconda, bootloader/zipl.py). The entries are those
that 20-zipl-kernel.install of s390utils writes, and the rescue entry the one that results from
dracut's 51-dracut-rescue.install. They have the same names, so that the removal of a kernel finds
its entry.
"""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.formats.kernel_cmdline import KernelInstallCmdline
from secboot.layout.first import (
    USUAL_TARGET,
    FirstAsked,
    FirstFiles,
    first_line,
    inside,
    material,
    require_kernel,
)
from secboot.layout.first_sections import first_section
from secboot.machine.bare_tree import ZIPL_CONF
from secboot.machine.discovery import BLS_DIRECTORY
from secboot.machine.kernel_files import release_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.machine.discovery import Machine

_KERNEL = "/boot/vmlinuz-"
_LAST_SECOND = 253402300799
"""The last second of the year 9999; file systems can store later times."""
_FIRST_WITH_SECURE = (2, 9, 0)
"""The first zipl with ``secure=`` (s390-tools, CHANGELOG)."""


def first_bls(
    machine: Machine,
    asked: FirstAsked,
    kernel_cmdline: str,
    os_release: Mapping[str, str],
) -> FirstFiles:
    """Return zipl.conf if it is missing, the entries if there are none, and their line.

    `kernel_cmdline` is the path of the file that contains the line of future kernels.
    """
    conf = () if machine.file(ZIPL_CONF) else ((ZIPL_CONF, _conf(machine, asked)),)
    if not conf and asked.target is not None:
        raise RefusedError(f"{ZIPL_CONF} exists, and sets the target", hint="omit --target")
    if machine.configuration.bls:
        if asked.parameters is not None:
            raise RefusedError(
                f"{BLS_DIRECTORY} already has boot entries with their own parameter lines",
                hint="omit --parameters; only zipl.conf is written",
            )
        return FirstFiles(conf, None)
    document = machine.document(kernel_cmdline, KernelInstallCmdline)
    if document is not None and document.render().split() and not document.words:
        raise RefusedError(
            f"{kernel_cmdline} contains only comments, which become the line of each future kernel:"
            " the programs that read it do not know comments",
            hint="write the line into the file, or remove the file",
        )
    kept = "" if document is None else " ".join(document.words.split())
    system, versions = os_release.get("ID", "linux"), _versions(machine)
    if conf and not versions:
        found = first_section(machine, asked, system, (kept, kernel_cmdline))
        if found is not None:
            return found
    _require_complete(machine, versions)
    line, origin = first_line(machine, asked, kept, kernel_cmdline)
    entries = tuple(
        (f"{BLS_DIRECTORY}/{name}.conf", text)
        for version in versions
        for name, text in [_entry(machine, version, line, os_release)]
    )
    inherited = () if kept else ((kernel_cmdline, f"{line}\n"),)
    warnings = () if document is None else document.problems
    return FirstFiles((*conf, *entries, *inherited), line, origin, warnings)


def _conf(machine: Machine, asked: FirstAsked) -> str:
    version = machine.zipl_version
    known = (version.major, version.minor, version.patch) >= _FIRST_WITH_SECURE
    secure = "secure=auto\n" if known else ""
    target = asked.target or USUAL_TARGET
    return f"[defaultboot]\ndefaultauto\nprompt=1\ntimeout=5\ntarget={target}\n{secure}"


def _versions(machine: Machine) -> list[str]:
    """The ends of the kernels' names, including a rescue kernel's; empty if that is the only one."""
    found = material(machine)
    rescue = f"{_KERNEL}0-rescue-{found.machine_id}"
    kernels = [
        path.removeprefix(_KERNEL)
        for path in found.boot_names
        if path.startswith(_KERNEL) and (release_of(path) is not None or path == rescue)
    ]
    return kernels if any(release_of(_KERNEL + version) for version in kernels) else []


def _require_complete(machine: Machine, versions: list[str]) -> None:
    """Refuse a tree without a kernel or a machine id, and a kernel without a ramdisk."""
    found = material(machine)
    if not versions:
        copied = next(iter(reversed(found.modules)), None)
        raise RefusedError(
            f"no kernel found in {machine.root}: no {_KERNEL}RELEASE",
            hint="install one: its package copies it there and writes its boot entry"
            if copied is None
            else inside(machine, "kernel-install", "add", copied, f"/lib/modules/{copied}/vmlinuz"),
        )
    if found.machine_id is None:
        typed = shlex.join(["systemd-machine-id-setup", f"--root={machine.root}"])
        raise RefusedError(
            f"{machine.root} has no machine id (/etc/machine-id). The names of boot entries start"
            " with it, and zipl would sort future kernels by a different one",
            hint=f"set it first: {typed}",
        )
    for version in versions:
        require_kernel(_KERNEL + version, found.boot_names[_KERNEL + version])
        if f"/boot/initramfs-{version}.img" not in found.boot_names:
            raise RefusedError(
                f"{_KERNEL}{version} has no ramdisk: /boot/initramfs-{version}.img, which finds the"
                " root file system, is missing",
                hint=inside(machine, "dracut", f"/boot/initramfs-{version}.img", version),
            )


def _entry(
    machine: Machine, version: str, line: str, os_release: Mapping[str, str]
) -> tuple[str, str]:
    """Return the name and the text of a kernel's entry."""
    found = material(machine)
    seconds = min(max(found.boot_names[_KERNEL + version].modified // 10**9, 0), _LAST_SECOND)
    date = datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d%H%M%S")
    _, plus, flavor = version.rpartition("+")
    debug = plus and flavor == "debug"
    title = f"{os_release.get('NAME', 'Linux')} ({version}) {os_release.get('VERSION', '')}".strip()
    identity = f"{version}-debug" if debug else version
    is_rescue = version == f"0-rescue-{found.machine_id}"
    lines = (
        f"title {title}{' with debugging' if debug else ''}",
        f"version {identity}",
        f"linux {_KERNEL}{version}",
        f"initrd /boot/initramfs-{version}.img",
        f"options {line}",
        f"id {os_release.get('ID', 'linux')}-{date}-{identity}",
        "grub_users $grub_users",
        "grub_arg --unrestricted",
        f"grub_class kernel{f'-{flavor}' if plus else ''}",
    )
    name = f"{found.machine_id}-{'0-rescue' if is_rescue else version}"
    return name, "".join(f"{each}\n" for each in lines)
