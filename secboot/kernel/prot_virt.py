"""``prot_virt=``: what switches Secure Execution hosting on, as the s390 boot code reads it.

``parse_boot_command_line()`` in ``arch/s390/boot/ipl_parm.c`` sets a flag at every
``prot_virt`` whose value its own ``kstrtobool()`` (``arch/s390/boot/string.c``, not the one in
``lib/``) takes for true, and nothing ever clears that flag: any enabling occurrence wins, a
later ``prot_virt=0`` doesn't undo it. Names are compared exactly, and ``--`` doesn't end the
search. The same from 5.7 on; the default is off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secboot.formats.kernel_cmdline import CommandLine, Parameter

NAME = "prot_virt"


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
