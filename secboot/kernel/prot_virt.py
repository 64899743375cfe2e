"""``prot_virt=``: enables Secure Execution hosting, as the s390 boot code reads it.

``parse_boot_command_line()`` in ``arch/s390/boot/ipl_parm.c`` sets a flag at every ``prot_virt``
whose value its own ``kstrtobool()`` (``arch/s390/boot/string.c``, not the one in ``lib/``) reads as
true. Nothing clears that flag: any enabling occurrence wins, and a later ``prot_virt=0`` does not
undo it. Names are compared exactly, and ``--`` does not end the search. This has not changed since
5.7; the default is off.
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
"""The first upstream kernel. Distributions have backported it: see `RELEASES_NOTE`."""
RELEASES_NOTE = "upstream since 5.7; also 4.18 in RHEL 8.6 and 5.3 in SLES 15 SP2"
"""Which kernels support it, for messages that judge a kernel by its version number alone."""
_RHEL_8 = r"4\.18\.0-([0-9]{1,5})[0-9.]*\.el8"
_RHEL_8_6 = 372
_SLES_15_SP2 = "5.3.18-"
_ALWAYS_SINCE = (6, 12)
"""Since this release no build option omits the ultravisor's directory and this parameter."""


def unknown_to(release: str, boot_names: frozenset[str]) -> str | None:
    """Say why a kernel of this release does not, or may not, support the parameter; None if it does.

    `boot_names` are the parameters in its boot code, empty if it cannot be read.
    """
    number = release_number(release)
    if number is None or number >= FIRST_RELEASE or NAME in boot_names:
        return None
    if boot_names:
        return f"does not support {NAME}: its boot code does not contain it ({RELEASES_NOTE})"
    built = re.match(_RHEL_8, release)
    if release.startswith(_SLES_15_SP2) or (built is not None and int(built[1]) >= _RHEL_8_6):
        return None
    return f"may not support {NAME} ({RELEASES_NOTE})"


def truth(value: str | None) -> bool | None:
    """Read a value as the boot code's ``kstrtobool()`` does; None for a value it does not accept.

    It looks only at the first character, or at the first two of a value that starts with ``o``. So
    ``1``, ``y`` and ``on``, but also ``10`` and ``once``, are true; ``0``, ``n`` and ``off`` are
    false. ``true``, ``enabled``, ``2``, an empty value and a name without ``=`` are neither, and
    the occurrence is ignored.
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
    """Return all occurrences that the boot code reads, in line order, also those after ``--``."""
    return line.named(NAME)


def enabling(line: CommandLine) -> tuple[Parameter, ...]:
    """Return the occurrences that enable hosting; one of them is enough."""
    return tuple(each for each in occurrences(line) if truth(each.value))


def misspelt(line: CommandLine) -> tuple[Parameter, ...]:
    """Return words that look like it, but that the boot code does not recognize: ``prot-virt=1``."""
    return tuple(
        each
        for each in line.parameters
        if each.name != NAME and each.name.lower().replace("-", "_") == NAME
    )


def hosting(running: RunningSystem, *, wanted: bool) -> Honoured:
    """Tell whether the kernel hosts Secure Execution guests, and if that is not `wanted`, why.

    The kernel's indication decides (arch/s390/kernel/uv.c), then its messages, then what is
    impossible on this machine.
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
    """Return what is known about a kernel that gives neither an indication nor a message."""
    has = running.hardware.has_ultravisor
    if has is False:
        return False, "this machine has no ultravisor for this system (facility 158 is missing)"
    if not running.ultravisor.present and has is None:
        return None, f"{_UV} not found, and the CPU facilities are unknown"
    if not running.ultravisor.present and _is_since(running, _ALWAYS_SINCE):
        return None, f"{_UV} not found, but this kernel creates it here: is /sys mounted?"
    if not running.ultravisor.present:
        return False, f"this kernel does not support it: no {_UV}"
    if running.messages.complete:
        return False, "the kernel log does not mention ultravisor storage"
    return None, f"this kernel has no {_UV}/prot_virt_host"


def _is_since(running: RunningSystem, release: tuple[int, int]) -> bool:
    return running.release is not None and running.release >= release


def _obstacles(running: RunningSystem) -> Iterator[Finding]:
    """What prevents hosting, whatever the command line says (boot/uv.c, boot/startup.c)."""
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
            "apply the host profile in the LPAR, and a guest profile here",
        )
    if running.kdump:
        yield cause(
            "kdump-kernel",
            "this is a kdump kernel, which does not use the ultravisor",
            "boot normally",
        )
    if running.hardware.has_ultravisor is False and not running.hardware.under_hypervisor:
        yield _without_feature(running)
    # The version number decides only if the kernel shows no sign of the ultravisor.
    shows_it = running.ultravisor.present or running.messages.failures
    if running.release is not None and running.release < FIRST_RELEASE and not shows_it:
        major, minor = running.release
        first = ".".join(map(str, FIRST_RELEASE))
        message = f"kernel {major}.{minor} is too old ({first} or later is needed)"
        yield cause("old-kernel", message, f"boot a kernel that can host guests: {RELEASES_NOTE}")
    for text in running.messages.failures[:1]:
        yield cause(
            "kernel-says",
            f"the kernel says: {text}",
            "give the LPAR more memory, or contact IBM support",
        )


def _without_feature(running: RunningSystem) -> Finding:
    if running.hardware.is_too_old:
        message = f"machine type {running.hardware.machine_type} is older than z15"
        return cause("old-machine", message, "use a z15 or later machine")
    return cause(
        "feature-not-enabled",
        "the Secure Execution feature (facility 158) is not enabled for this partition",
        'have it enabled: see "Enabling the KVM host for Secure Execution" in IBM\'s documentation',
    )


def _silent_refusal(running: RunningSystem) -> Finding:
    """Since 5.15 the kernel does not report why it leaves hosting off."""
    if not enabling(CommandLine.parse(running.command_line or "")):
        return booted_without(f"{NAME}=1")
    if not running.ultravisor.present:
        message = "this kernel was built without hosting (CONFIG_KVM)"
        if running.release is None:
            message = f"this kernel is too old ({RELEASES_NOTE}), or was built without CONFIG_KVM"
        return cause("kernel-without-kvm", message, "boot a kernel that can host guests")
    # A kernel built without it would not have created the directory (until 6.12, CONFIG_KVM).
    return cause(
        "silent-refusal",
        "the kernel was booted with the parameter, but does not report why hosting is off",
        "dmesg | grep -i -e prot_virt -e ultravisor",
    )
