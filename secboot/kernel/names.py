"""When two parameter names are the same one, and which words of a line count.

Three readers share the line and differ (kernel sources; `secboot.formats.kernel_cmdline`
says how the words come about):

- The s390 boot code (``parse_boot_command_line()``, ``arch/s390/boot/ipl_parm.c``) compares
  names exactly and doesn't stop at ``--``. It knows the few names in `BOOT_CODE_NAMES`.
- The generic code (``parameq()`` in ``kernel/params.c``, for early parameters too:
  ``do_early_param()`` in ``init/main.c``) takes ``-`` and ``_`` for the same character, and
  stops at ``--``.
- dracut reads its ``rd.`` parameters from ``/proc/cmdline`` and compares them exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
        "initcall_blacklist", "module_blacklist", "dasd", "cio_ignore", "dyndbg",
        # dracut.cmdline(7): "can be specified multiple times".
        "ip", "nameserver", "rd.route", "vlan", "bond", "bridge", "team", "ifname", "netroot",
        "rd.break", "rd.dasd", "rd.zfcp", "rd.znet", "rd.znet_ifname", "rd.luks.uuid",
        "rd.luks.name", "rd.luks.options", "rd.luks.key", "rd.lvm.lv", "rd.lvm.vg",
        "rd.md.uuid", "rd.dm.uuid", "rd.driver.blacklist", "rd.driver.pre", "rd.driver.post",
        "rd.nvmf.discover", "rd.iscsi.param", "rd.zipl",
        # kernel-command-line(7) of systemd.
        "luks.name", "luks.uuid", "luks.options", "systemd.mask", "systemd.wants",
        "systemd.setenv", "systemd.set_credential", "systemd.mount-extra",
    }
)  # fmt: skip
"""Names whose occurrences add up, so that none may be taken for a repetition of another."""


def canonical(name: str) -> str:
    """The form of a name in which equal parameters have equal text."""
    if name in BOOT_CODE_NAMES or name.startswith("rd."):
        return name
    return name.replace("-", "_")


def is_multi_valued(name: str) -> bool:
    """Tell whether occurrences of this parameter are known to add up (``console=``)."""
    return canonical(name) in _MULTI_VALUED_CANONICAL


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
