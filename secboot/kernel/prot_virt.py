"""``prot_virt=``: what switches Secure Execution hosting on, as the s390 boot code reads it.

``parse_boot_command_line()`` in ``arch/s390/boot/ipl_parm.c`` sets a flag at every
``prot_virt`` whose value its own ``kstrtobool()`` (``arch/s390/boot/string.c``, not the one in
``lib/``) takes for true, and nothing ever clears that flag: any enabling occurrence wins, a
later ``prot_virt=0`` doesn't undo it. Names are compared exactly, and ``--`` doesn't end the
search. The same from 5.7 on; the default is off.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.kernel_release import release_number
from secboot.kernel.command_line import Honoured, booted_with, booted_without, cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.finding import Finding
    from secboot.formats.kernel_cmdline import Parameter
    from secboot.running.system import RunningSystem

NAME = "prot_virt"
_UV = "/sys/firmware/uv"
FIRST_RELEASE = (5, 7)
"""Of upstream's kernel. Distributions have it earlier: see `RELEASES_NOTE`."""
RELEASES_NOTE = "upstream since 5.7, in RHEL 8.6's 4.18 and SLES 15 SP2's 5.3, too"
"""From which kernel on it can be had, for what tells of a kernel by its number alone."""
_RHEL_8 = r"4\.18\.0-([0-9]{1,5})[0-9.]*\.el8"
_RHEL_8_6 = 372
_SLES_15_SP2 = "5.3.18-"
_ALWAYS_SINCE = (6, 12)
"""From here on no option of the build leaves the ultravisor's directory and this parameter out."""


def unknown_to(release: str, boot_names: frozenset[str]) -> str | None:
    """Say why a kernel of this release does not know the parameter, or may not; None if it does.

    `boot_names` are the parameters in its boot code, empty where that can't be read.
    """
    number = release_number(release)
    if number is None or number >= FIRST_RELEASE or NAME in boot_names:
        return None
    if boot_names:
        return f"does not know {NAME}: its boot code has no such word ({RELEASES_NOTE})"
    built = re.match(_RHEL_8, release)
    if release.startswith(_SLES_15_SP2) or (built is not None and int(built[1]) >= _RHEL_8_6):
        return None
    return f"may not know {NAME} ({RELEASES_NOTE})"


def truth(value: str | None) -> bool | None:
    """Read a value as the boot code's ``kstrtobool()`` does; None is what it doesn't take.

    Only the first character counts, or the first two after an ``o``: ``1``, ``y``, ``on`` and
    so ``10`` or ``once`` are true, ``0``, ``n``, ``off`` false. ``true``, ``enabled``, ``2``,
    nothing at all and a name without ``=`` are neither, and the occurrence is ignored.
    """
    if not value:
        return None
    start = value[:2].lower()
    if start[0] in "1y" or start == "on":
        return True
    if start[0] in "0n" or start == "of":
        return False
    return None


def occurrences(line: CommandLine) -> tuple[Parameter, ...]:
    """All that the boot code looks at, in the order of the line, behind ``--`` too."""
    return line.named(NAME)


def enabling(line: CommandLine) -> tuple[Parameter, ...]:
    """The occurrences that switch hosting on; with at least one of them it is on."""
    return tuple(each for each in occurrences(line) if truth(each.value))


def misspelt(line: CommandLine) -> tuple[Parameter, ...]:
    """Words that look like it but have another name for the boot code: ``prot-virt=1``."""
    return tuple(
        each
        for each in line.parameters
        if each.name != NAME and each.name.lower().replace("-", "_") == NAME
    )


def hosting(running: RunningSystem, *, wanted: bool) -> Honoured:
    """Tell whether the kernel hosts Secure Execution guests, and why that is not as `wanted`.

    The indication counts first (arch/s390/kernel/uv.c), then the messages, then what can't be.
    """
    value, reason = _hosts_guests(running)
    if value is None or value is wanted:
        return Honoured(value, reason)
    if value:
        return Honoured(value, reason, (booted_with(f"{NAME}=1"),))
    return Honoured(value, reason, tuple(_obstacles(running)) or (_silent_refusal(running),))


def _hosts_guests(running: RunningSystem) -> tuple[bool | None, str]:
    host = running.ultravisor.prot_virt_host
    if host is not None:
        return host, f"{_UV}/prot_virt_host is {int(host)}"
    messages = running.messages
    if messages.failures:
        return False, f"the kernel says: {messages.failures[0]}"
    if messages.reserved_mib is not None:
        return True, f"the kernel reserved {messages.reserved_mib} MiB for the ultravisor"
    return _without_signs(running)


def _without_signs(running: RunningSystem) -> tuple[bool | None, str]:
    """What is known of a kernel that neither indicates nor says anything."""
    has = running.hardware.has_ultravisor
    if has is False:
        return False, "the machine has no ultravisor for this system (facility 158 is missing)"
    if not running.ultravisor.present and has is None:
        return None, f"there is no {_UV}, and the facilities are not known"
    if not running.ultravisor.present and _is_since(running, _ALWAYS_SINCE):
        return None, f"there is no {_UV}, which this kernel makes on such a machine: is /sys there?"
    if not running.ultravisor.present:
        return False, f"the kernel can't do it: it has no {_UV}"
    if running.messages.complete:
        return False, "the kernel's log says nothing of ultravisor storage"
    return None, f"this kernel has no {_UV}/prot_virt_host"


def _is_since(running: RunningSystem, release: tuple[int, int]) -> bool:
    return running.release is not None and running.release >= release


def _obstacles(running: RunningSystem) -> Iterator[Finding]:
    """What keeps a kernel from hosting whatever its line says (boot/uv.c, boot/startup.c)."""
    if running.ultravisor.prot_virt_guest:
        yield cause(
            "is-secure-guest",
            "this system is itself a Secure Execution guest",
            "use a guest profile here",
        )
    if running.hardware.under_hypervisor:
        yield cause(
            "not-in-lpar",
            f"a host must run in an LPAR; this system runs under {running.hardware.describe()}",
            "apply the host profile in the LPAR itself, and a guest profile here",
        )
    if running.kdump:
        yield cause(
            "kdump-kernel",
            "this is a kdump kernel, which leaves the ultravisor alone",
            "boot normally",
        )
    if running.hardware.has_ultravisor is False and not running.hardware.under_hypervisor:
        yield _without_feature(running)
    # A number is all there is to go by only where the kernel shows nothing of the ultravisor.
    shows_it = running.ultravisor.present or running.messages.failures
    if running.release is not None and running.release < FIRST_RELEASE and not shows_it:
        major, minor = running.release
        first = ".".join(map(str, FIRST_RELEASE))
        message = f"kernel {major}.{minor} is older than {first}"
        yield cause("old-kernel", message, f"use a kernel that can host: {RELEASES_NOTE}")
    for text in running.messages.failures[:1]:
        yield cause(
            "kernel-says",
            f"the kernel says: {text}",
            "give the LPAR more memory, or ask IBM support",
        )


def _without_feature(running: RunningSystem) -> Finding:
    if running.hardware.is_too_old:
        message = f"machine type {running.hardware.machine_type} is older than z15"
        return cause("old-machine", message, "use a z15 or newer")
    return cause(
        "feature-not-enabled",
        "the Secure Execution feature (facility 158) is not enabled for this partition",
        'have it enabled: see IBM\'s documentation, "Enabling the KVM host for Secure Execution"',
    )


def _silent_refusal(running: RunningSystem) -> Finding:
    """Since 5.15 the kernel does not say why it leaves hosting off."""
    if not enabling(CommandLine.parse(running.command_line or "")):
        return booted_without(f"{NAME}=1")
    if not running.ultravisor.present:
        message = "this kernel was built without it (CONFIG_KVM)"
        if running.release is None:
            message = f"this kernel is too old ({RELEASES_NOTE}), or was built without CONFIG_KVM"
        return cause("kernel-without-kvm", message, "boot a kernel that can host guests")
    # What the build left out would not have made the directory (until 6.12, CONFIG_KVM).
    return cause(
        "silent-refusal",
        "the kernel has the parameter and does not say why it leaves hosting off",
        "dmesg | grep -i -e prot_virt -e ultravisor",
    )
