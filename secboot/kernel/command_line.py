"""Command lines as the kernel reads them: which lines it can read, and which words it uses.

``setup_boot_command_line()`` in ``arch/s390/boot/ipl_parm.c`` treats a line with any byte above
0x7f as EBCDIC and converts all of it: a single accented letter garbles every parameter. A NUL byte
ends the line.

Three readers share the line, and they differ (`secboot.formats.kernel_cmdline` describes how the
line is split into words):

- The s390 boot code (``parse_boot_command_line()``, ``arch/s390/boot/ipl_parm.c``) compares
  names exactly and does not stop at ``--``. It knows only the names in `BOOT_CODE_NAMES`.
- The generic code (``parameq()`` in ``kernel/params.c``, also for early parameters:
  ``do_early_param()`` in ``init/main.c``) treats ``-`` and ``_`` as the same character, and
  stops at ``--``.
- dracut reads its ``rd.`` parameters from ``/proc/cmdline`` and compares them exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.finding import Finding, Severity
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from secboot.formats.kernel_cmdline import CommandLine, Parameter

BOOT_CODE_NAMES = frozenset(
    {"dfltcc", "facilities", "mem", "noexec", "nokaslr", "prot_virt", "vmalloc"}
)
"""Parameters that the s390 boot code reads, anywhere on the line, and only in this spelling."""

MULTI_VALUED_NAMES = frozenset(
    {
        # Documentation/admin-guide/kernel-parameters.txt: each occurrence adds one.
        "console", "earlycon", "earlyprintk", "hugepages", "hugepagesz", "memmap",
        "initcall_blacklist", "dasd", "cio_ignore", "dyndbg",
        # arch/s390/boot/ipl_parm.c, modify_fac_list(): each changes the current list.
        "facilities",
        # dracut.cmdline(7): "can be specified multiple times".
        "ip", "nameserver", "rd.route", "vlan", "bond", "bridge", "team", "ifname", "netroot",
        "rd.break", "rd.dasd", "rd.zfcp", "rd.znet", "rd.znet_ifname", "rd.luks.uuid",
        "rd.luks.name", "rd.luks.options", "rd.luks.key", "rd.lvm.lv", "rd.lvm.vg",
        "rd.md.uuid", "rd.dm.uuid", "rd.driver.blacklist", "rd.driver.pre", "rd.driver.post",
        "rd.nvmf.discover", "rd.iscsi.param", "rd.zipl", "rd.cio_accept",
        # s390-tools, zdev/dracut/95zdev/parse-zdev.sh: one after the other.
        "rd.zdev",
        # kmod, libkmod/libkmod-config.c: each adds to the list.
        "modprobe.blacklist", "blacklist",
        # kernel-command-line(7) of systemd.
        "luks.name", "luks.uuid", "luks.options", "luks.key", "luks.data", "rd.luks.data",
        "modules_load", "rd.modules_load", "systemd.mask", "systemd.wants",
        "systemd.setenv", "systemd.set_credential", "systemd.mount-extra", "systemd.swap-extra",
        "rd.systemd.mask", "rd.systemd.wants", "rd.systemd.mount-extra", "rd.systemd.swap-extra",
    }
)  # fmt: skip
"""Names whose occurrences add up: a second one does not repeat or replace the first."""

LAST_WINS_NAMES = frozenset(
    {
        # init/main.c and init/do_mounts.c keep a single pointer to the value, or a single copy.
        "init", "rdinit", "root", "rootflags", "rootfstype", "loglevel", "resume",
        # kernel/crash_reserve.c, get_last_crashkernel(); kernel/panic.c, kernel/cpu.c.
        "crashkernel", "panic", "mitigations", "maxcpus", "nr_cpus", "possible_cpus",
        "log_buf_len", "transparent_hugepage", "mem",
        # A charp core_param (kernel/module/main.c), although its value is a list.
        "module_blacklist",
        "lsm", "security", "selinux", "enforcing", "apparmor",
        # s390 drivers: drivers/s390/char/vmcp.c, arch/s390/kernel/setup.c.
        "vmhalt", "vmpanic", "vmpoff", "vmreboot",
    }
)  # fmt: skip
"""Names of which only the last occurrence has an effect; all of them need a value."""

_FINE_WITHOUT_VALUE = frozenset({"bond", "bridge", "earlycon", "earlyprintk", "rd.break"})
"""Of the names whose occurrences add up, those that also have an effect without a value."""


def canonical(name: str) -> str:
    """Return the spelling in which two names are equal if they name the same parameter."""
    if name in BOOT_CODE_NAMES or name.startswith("rd."):
        return name
    return name.replace("-", "_")


def is_multi_valued(name: str) -> bool:
    """Tell whether occurrences of this parameter are known to add up (``console=``)."""
    return canonical(name) in _MULTI_VALUED_CANONICAL


def last_wins(name: str) -> bool:
    """Tell whether only the last of several occurrences is known to have an effect."""
    return canonical(name) in _LAST_WINS_CANONICAL


def wants_value(name: str) -> bool:
    """Tell whether the bare name, without ``=``, is known to have no effect (``console``)."""
    return canonical(name) in _WANTING_VALUE


def occurrences(line: CommandLine, name: str) -> tuple[Parameter, ...]:
    """Return the words that the reader of this parameter recognizes as it, in line order."""
    wanted = canonical(name)
    everywhere = name in BOOT_CODE_NAMES
    return tuple(
        parameter
        for parameter in line.parameters
        if canonical(parameter.name) == wanted and (everywhere or not parameter.after_dashdash)
    )


_MULTI_VALUED_CANONICAL = frozenset(map(canonical, MULTI_VALUED_NAMES))
_LAST_WINS_CANONICAL = frozenset(map(canonical, LAST_WINS_NAMES))
_WANTING_VALUE = _LAST_WINS_CANONICAL | (
    _MULTI_VALUED_CANONICAL - frozenset(map(canonical, _FINE_WITHOUT_VALUE))
)


def unreadable(text: str) -> Finding | None:
    """Return what makes the kernel misread the whole line, or None.

    `text` is a line decoded as UTF-8 with surrogate escapes: a stray byte counts as a character
    that is not ASCII.
    """
    if text.isascii() and "\0" not in text:
        return None
    for column, character in enumerate(text, start=1):
        if character == "\0":
            message = f"NUL byte in column {column}: the kernel's command line ends there"
            return Finding("nul-byte", Severity.ERROR, message, hint="remove the NUL byte")
        if character > "\x7f":
            message = (
                f"{_name(character)} in column {column} is not ASCII: the kernel would treat the "
                "whole line as EBCDIC and could not read any of it"
            )
            hint = "use only ASCII characters on the line"
            return Finding("not-ascii", Severity.ERROR, message, hint=hint)
    return None


def require_editable(line: CommandLine) -> None:
    """Refuse to edit a line if the meaning of the result would be uncertain.

    Raises RefusedError for a line that the kernel cannot read, and for one that ends inside a
    double quote: text that is appended to it at boot becomes part of the quoted value.
    """
    problem = unreadable(line.text)
    if problem:
        raise RefusedError(problem.message, hint=problem.hint)
    if line.unterminated_quote:
        last = line.parameters[-1].text if line.parameters else '"'
        raise RefusedError(
            f"a double quote is opened but never closed in {last}",
            hint="close the quote: everything up to the end of the line belongs to that value",
        )


def _name(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"the byte 0x{code - 0xDC00:02X}"
    return f"the character {character!r} (U+{code:04X})"


class Honoured(NamedTuple):
    """Whether a requirement is in effect in the running kernel; `reason` is the evidence.

    `value` is None if that is unknown. `causes` are the likely ones if it is False, the most likely
    first.
    """

    value: bool | None
    reason: str
    causes: tuple[Finding, ...] = ()


BOOTED_OTHERWISE = frozenset({"booted-with", "booted-without"})
"""The codes of causes that a boot with the required parameters removes."""


def booted_with(text: str) -> Finding:
    """Return the cause that `text` was on the command line of the running kernel."""
    return cause("booted-with", f"the kernel was booted with {text}", "reboot")


def booted_without(text: str) -> Finding:
    """Return the cause that `text` was not on the command line of the running kernel."""
    return cause("booted-without", f"the kernel was not booted with {text}", "reboot with it")


def cause(code: str, message: str, hint: str) -> Finding:
    """Return a cause in the machine or its kernel; `hint` says what to do about it."""
    return Finding(code, Severity.NOTE, message, hint=hint)
