"""Command lines as the kernel reads them: which it can read at all, and which words count.

``setup_boot_command_line()`` in ``arch/s390/boot/ipl_parm.c`` takes a line in which any byte is
above 0x7f for EBCDIC and converts the whole of it: a single accented letter turns every parameter
into rubbish. A NUL byte ends the line.

Three readers share the line and differ (`secboot.formats.kernel_cmdline` says how the words come
about):

- The s390 boot code (``parse_boot_command_line()``, ``arch/s390/boot/ipl_parm.c``) compares
  names exactly and doesn't stop at ``--``. It knows the few names in `BOOT_CODE_NAMES`.
- The generic code (``parameq()`` in ``kernel/params.c``, for early parameters too:
  ``do_early_param()`` in ``init/main.c``) takes ``-`` and ``_`` for the same character, and
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
"""Parameters that the s390 boot code reads, wherever they stand and exactly so spelled."""

MULTI_VALUED_NAMES = frozenset(
    {
        # Documentation/admin-guide/kernel-parameters.txt: each occurrence adds one.
        "console", "earlycon", "earlyprintk", "hugepages", "hugepagesz", "memmap",
        "initcall_blacklist", "dasd", "cio_ignore", "dyndbg",
        # arch/s390/boot/ipl_parm.c, modify_fac_list(): each changes the list that is there.
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
"""Names whose occurrences add up, so that none may be taken for a repetition of another."""

LAST_WINS_NAMES = frozenset(
    {
        # init/main.c and init/do_mounts.c keep a pointer to the text, or a copy in one place.
        "init", "rdinit", "root", "rootflags", "rootfstype", "loglevel", "resume",
        # kernel/crash_reserve.c, get_last_crashkernel(); kernel/panic.c, kernel/cpu.c.
        "crashkernel", "panic", "mitigations", "maxcpus", "nr_cpus", "possible_cpus",
        "log_buf_len", "transparent_hugepage", "mem",
        # A charp core_param (kernel/module/main.c), though its value is a list.
        "module_blacklist",
        "lsm", "security", "selinux", "enforcing", "apparmor",
        # drivers of s390: drivers/s390/char/vmcp.c, arch/s390/kernel/setup.c.
        "vmhalt", "vmpanic", "vmpoff", "vmreboot",
    }
)  # fmt: skip
"""Names of which the last occurrence counts and the others do nothing; all of them want a value."""

_FINE_WITHOUT_VALUE = frozenset({"bond", "bridge", "earlycon", "earlyprintk", "rd.break"})
"""Of the names whose occurrences add up, those that mean something as a bare word, too."""


def canonical(name: str) -> str:
    """The form of a name in which equal parameters have equal text."""
    if name in BOOT_CODE_NAMES or name.startswith("rd."):
        return name
    return name.replace("-", "_")


def is_multi_valued(name: str) -> bool:
    """Tell whether occurrences of this parameter are known to add up (``console=``)."""
    return canonical(name) in _MULTI_VALUED_CANONICAL


def last_wins(name: str) -> bool:
    """Tell whether of several occurrences of this parameter only the last is known to count."""
    return canonical(name) in _LAST_WINS_CANONICAL


def wants_value(name: str) -> bool:
    """Tell whether the bare name, without ``=``, is known to do nothing (``console``)."""
    return canonical(name) in _WANTING_VALUE


def occurrences(line: CommandLine, name: str) -> tuple[Parameter, ...]:
    """The words of the line that whoever reads this parameter takes for it, in order."""
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
    """Tell what makes the kernel misread this line as a whole, or None if nothing does.

    `text` is a line decoded as UTF-8 with surrogate escapes: a stray byte counts like any
    other character that isn't ASCII.
    """
    if text.isascii() and "\0" not in text:
        return None
    for column, character in enumerate(text, start=1):
        if character == "\0":
            message = f"there is a NUL byte in column {column}: the kernel's line ends there"
            return Finding("nul-byte", Severity.ERROR, message, hint="remove the NUL byte")
        if character > "\x7f":
            message = (
                f"{_name(character)} in column {column} isn't ASCII: the kernel would take "
                "the whole line for EBCDIC and read none of it"
            )
            hint = "write the line with ASCII characters only"
            return Finding("not-ascii", Severity.ERROR, message, hint=hint)
    return None


def require_editable(line: CommandLine) -> None:
    """Refuse to edit a line whose meaning an edit can't be sure of.

    Raises RefusedError for a line that the kernel can't read, and for one that ends inside a
    double quote: whatever is joined to it at boot becomes part of the quoted text.
    """
    problem = unreadable(line.text)
    if problem:
        raise RefusedError(problem.message, hint=problem.hint)
    if line.unterminated_quote:
        last = line.parameters[-1].text if line.parameters else '"'
        raise RefusedError(
            f"a double quote is opened but never closed, in {last}",
            hint="close the quote: everything up to the end of the line is part of that value",
        )


def _name(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"the byte 0x{code - 0xDC00:02X}"
    return f"the character {character!r} (U+{code:04X})"


class Honoured(NamedTuple):
    """The sign, in words; `causes` are likely ones where it says no, the likeliest first.

    `value` is None where it is not known.
    """

    value: bool | None
    reason: str
    causes: tuple[Finding, ...] = ()


BOOTED_OTHERWISE = frozenset({"booted-with", "booted-without"})
"""The codes of causes that are gone once the kernel is booted with what was asked for."""


def booted_with(text: str) -> Finding:
    """Return the cause that `text` was on the line that the kernel was booted with."""
    return cause("booted-with", f"the kernel was booted with {text}", "reboot")


def booted_without(text: str) -> Finding:
    """Return the cause that `text` was not on the line that the kernel was booted with."""
    return cause("booted-without", f"the kernel was not booted with {text}", "reboot with it")


def cause(code: str, message: str, hint: str) -> Finding:
    """Return a cause that lies in the machine or its kernel, with what to do about it."""
    return Finding(code, Severity.NOTE, message, hint=hint)
