"""``swiotlb=``: the size of the bounce buffer, as ``setup_io_tlb_npages()`` reads it.

Source: ``kernel/dma/swiotlb.c``, an early parameter, so the search ends at ``--``
(``parse_args()`` in ``kernel/params.c``) and every occurrence is handled in turn. The form is
``[<blocks>][,<areas>][,force|noforce]``; areas were added in 6.0. A block is 2 KiB; there are no
units, and text after the number is silently skipped. On s390 the buffer is set up only in a Secure
Execution guest (``pv_init()``, ``arch/s390/mm/init.c``).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.formats.numbers import wrapped
from secboot.kernel.command_line import Honoured, cause
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.finding import Finding
    from secboot.formats.kernel_cmdline import CommandLine, Parameter
    from secboot.running.system import RunningSystem

NAME = "swiotlb"

BLOCK_BYTES = 2048
"""``IO_TLB_SHIFT`` is 11."""
SEGMENT_BLOCKS = 128
"""``IO_TLB_SEGSIZE``: the number is rounded up to a multiple of it."""
DEFAULT_BLOCKS = 32768
"""``IO_TLB_DEFAULT_SIZE``: 64 MiB if no number is set."""
LIMIT_BLOCKS = 1048576
"""2 GiB. Up to 7.2 the buffer is one piece of memory below 2 GiB, so it must be smaller."""
LARGEST_POWER_OF_TWO = 524288
"""1 GiB. Above it, kernels since 6.0 round up to 2 GiB, which kernels up to 7.2 cannot place."""
SMALL_BLOCKS = 65536
"""128 MiB. Smaller buffers have been seen to run full; IBM recommends 512 MiB for most guests."""
ANYWHERE_SINCE = (7, 3)
"""Since this release the buffer can be anywhere and grows on demand (SWIOTLB_ANY, SWIOTLB_DYNAMIC)."""

_UNSIGNED_LONG = 1 << 64
_UNSIGNED_INT = 1 << 32
_DIGITS = "0123456789abcdef"


class Generation(StrEnum):
    """How a kernel rounds the number of blocks."""

    BEFORE_6_0 = "before 6.0"
    """Up to a multiple of 128; there are no areas."""
    SINCE_6_0 = "since 6.0"
    """Up to a power of two, and to at least 128 blocks per area."""


class SwiotlbValue(NamedTuple):
    """What one occurrence sets. `ignored` is the text that the kernel skips: ``M`` in 512M."""

    blocks: int | None
    areas: int | None
    force: bool
    noforce: bool
    ignored: str


class SwiotlbReading(NamedTuple):
    """The result of all occurrences on a line.

    `blocks` is the buffer's size after rounding, in blocks of 2 KiB, as if ``noforce`` were not set;
    `areas` 0 means one per CPU. `force` and `noforce` cannot be unset: ``noforce`` leaves a secure
    guest without a usable buffer on every kernel except 5.15 (up to 5.10 it has one block, since
    5.19 none, whatever follows). `numbered` is the occurrence that decides the number, if any.
    """

    generation: Generation
    blocks: int
    areas: int
    force: bool
    noforce: bool
    numbered: Parameter | None

    @property
    def size(self) -> int:
        """The buffer's size in bytes, as if ``noforce`` were not set."""
        return self.blocks * BLOCK_BYTES


def occurrences(line: CommandLine) -> tuple[Parameter, ...]:
    """Return the occurrences that the kernel reads: those before ``--``, in line order."""
    return tuple(each for each in line.named(NAME) if not each.after_dashdash)


def read_value(text: str, generation: Generation = Generation.SINCE_6_0) -> SwiotlbValue:
    """Read the value of one occurrence.

    The prefix selects the base of the number: ``0x`` hexadecimal, ``0`` octal (so ``08`` is 0, and
    the 8 is read as the areas). Without a leading digit there is no number.
    """
    blocks = areas = None
    rest = text
    if _starts_with_digit(rest):
        blocks, rest = parse_unsigned(rest)
        blocks = _align(blocks)
    rest = rest.removeprefix(",")
    if generation is Generation.SINCE_6_0:
        if _starts_with_digit(rest):
            areas, rest = parse_unsigned(rest)
            # More than 2**31 rounds up to what an unsigned int cannot hold: 0, as if not set.
            areas = _power_of_two(areas % _UNSIGNED_INT) % _UNSIGNED_INT
        rest = rest.removeprefix(",")
    known = rest in {"force", "noforce"}
    return SwiotlbValue(blocks, areas, rest == "force", rest == "noforce", "" if known else rest)


def read(
    line: CommandLine,
    generation: Generation = Generation.SINCE_6_0,
    possible_cpus: int = 1,
) -> SwiotlbReading:
    """Read a whole line: the last number wins; areas and flags are remembered separately.

    Since 6.0 the blocks are rounded when areas are set, or at the end for one area per possible
    CPU (rounded up to a power of two). If the number of CPUs is unknown, 1 gives the smallest
    buffer that a kernel of this generation sets up.
    """
    blocks, areas, force, noforce = DEFAULT_BLOCKS, 0, False, False
    numbered: Parameter | None = None
    for parameter in occurrences(line):
        # For `swiotlb` without '=' the kernel gets a null pointer, and finds no digit.
        value = read_value(parameter.value or "", generation)
        if value.blocks is not None:
            blocks, numbered = value.blocks, parameter
        if value.areas is not None:
            areas = value.areas
            blocks = _round_for_areas(blocks, areas) if areas else blocks
        force, noforce = force or value.force, noforce or value.noforce
    if generation is Generation.SINCE_6_0 and not areas:
        blocks = _round_for_areas(blocks, _power_of_two(possible_cpus))
    return SwiotlbReading(generation, blocks, areas, force, noforce, numbered)


def parse_unsigned(text: str) -> tuple[int, str]:
    """Read a number as ``simple_strtoul(text, &rest, 0)`` does; return its value and the rest.

    It wraps around at 2**64, as in the kernel.
    """
    base, rest = 10, text
    if text.startswith("0"):
        base = 8
        if text[1:2] in {"x", "X"} and _digit(text[2:3]) < 16:
            base, rest = 16, text[2:]
    length = next((n for n, each in enumerate(rest) if _digit(each) >= base), len(rest))
    return wrapped(rest[:length], base, _UNSIGNED_LONG), rest[length:]


def size_text(blocks: int) -> str:
    """Return the size of this many blocks, in the largest unit that divides it."""
    return bytes_text(blocks * BLOCK_BYTES)


def used_text(blocks: int) -> str:
    """Return the size of this many blocks, rounded up to MiB: it need not be exact."""
    return f"{-(-blocks * BLOCK_BYTES // 2**20)} MiB"


def bytes_text(size: int) -> str:
    """Return a number of bytes in the largest unit that divides it."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20)):
        if size and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size // 1024} KiB"


def rounded(blocks: int, generation: Generation) -> int:
    """Return the number of blocks to which the kernel rounds `blocks`, with a single area."""
    aligned = _align(blocks)
    return _round_for_areas(aligned, 1) if generation is Generation.SINCE_6_0 else aligned


def _digit(character: str) -> int:
    """Return the value of a hexadecimal digit; for anything else, a number above every base."""
    position = _DIGITS.find(character.lower()) if character else -1
    return position if position >= 0 else 99


def _starts_with_digit(text: str) -> bool:
    return _digit(text[:1]) < 10


def _align(blocks: int) -> int:
    return -(-blocks // SEGMENT_BLOCKS) * SEGMENT_BLOCKS % _UNSIGNED_LONG


def _power_of_two(number: int) -> int:
    """Return the smallest power of two that is not less than `number`; 1 for 0."""
    return 1 << (number - 1).bit_length() if number > 0 else 1


def _round_for_areas(blocks: int, areas: int) -> int:
    """``round_up_default_nslabs()``: 128 blocks for each area, and a power of two."""
    return _power_of_two(max(blocks, SEGMENT_BLOCKS * areas))


def bounce_buffer(running: RunningSystem, blocks: int, *, exactly: bool) -> Honoured:
    """Tell whether the kernel has set up a buffer of at least, or `exactly`, this many blocks.

    Only a guest in Secure Execution mode has one (arch/s390/mm/init.c, pv_init).
    """
    if running.ultravisor.prot_virt_guest is False or not _could_be_secure_guest(running):
        reason = (
            "the system is not running in Secure Execution mode; the kernel sets up a bounce buffer"
            " only in that mode"
        )
        return Honoured(value=False, reason=reason, causes=_why_no_secure_guest(running))
    held = _held_blocks(running)
    if held is None and running.messages.no_buffer:
        reason = "the kernel could not allocate the bounce buffer"
        return Honoured(value=False, reason=reason, causes=(_why_no_buffer(running),))
    if held is None:
        return Honoured(None, "neither the kernel log nor debugfs shows the bounce buffer's size")
    enough = held >= blocks
    reason = f"the bounce buffer has {size_text(held)}"
    if running.bounce_buffer_used_blocks is not None:
        used = used_text(running.bounce_buffer_used_blocks)
        reason += f", of which at most {used} were in use at once"
    if exactly and _grows(running):
        reason += "; with this kernel it grows on demand"
    elif exactly:
        # Kernels since 6.0 round the number up, so the buffer can be larger than required.
        enough = blocks <= held <= rounded(blocks, Generation.SINCE_6_0)
    return Honoured(enough, reason, () if enough else (_why_no_buffer(running),))


def _grows(running: RunningSystem) -> bool:
    return running.release is not None and running.release >= ANYWHERE_SINCE


def _could_be_secure_guest(running: RunningSystem) -> bool:
    return running.ultravisor.present or running.hardware.has_ultravisor is not False


def _held_blocks(running: RunningSystem) -> int | None:
    """Return the size from debugfs, or else from the kernel message, which is in MiB."""
    if running.bounce_buffer_blocks is None and running.messages.bounce_buffer_mib is not None:
        return running.messages.bounce_buffer_mib * (2**20 // BLOCK_BYTES)
    return running.bounce_buffer_blocks


def _why_no_buffer(running: RunningSystem) -> Finding:
    if running.ultravisor.prot_virt_guest and running.messages.adjusted is not None:
        wanted, got = running.messages.adjusted
        where = "" if _grows(running) else " below 2 GiB"
        return cause(
            "buffer-adjusted",
            f"the kernel found no room for {wanted} blocks{where} and allocated {got}",
            "give the guest more memory, or set a smaller buffer",
        )
    if running.messages.no_buffer:
        hint = "give the guest more memory, or set a smaller buffer"
        return cause("buffer-not-allocated", "the kernel found no room for a bounce buffer", hint)
    return cause(
        "booted-with-another",
        "the guest was booted with a different swiotlb=",
        "rebuild its Secure Execution image with the right parmfile, then boot that image",
    )


def _why_no_secure_guest(running: RunningSystem) -> tuple[Finding, ...]:
    if running.hardware.in_lpar:
        message = "this is an LPAR, not a guest"
        return (cause("is-lpar", message, "apply the guest profile in the guest"),)
    if running.hardware.under_zvm:
        message = "a z/VM guest cannot run in Secure Execution mode"
        return (cause("is-zvm-guest", message, "use a KVM guest"),)
    if running.hardware.offers_unpack is False:
        return tuple(_why_no_unpack(running))
    return (
        cause(
            "ordinary-kernel",
            "the guest was booted from a plain kernel image",
            "build a Secure Execution image with genprotimg --parmfile, then boot that image",
        ),
    )


def _why_no_unpack(running: RunningSystem) -> Iterator[Finding]:
    """What can hide facility 161 from a KVM guest: the host, the CPU model, or libvirt."""
    missing = "the host does not offer Secure Execution (facility 161 is missing)"
    outer = " under ".join(running.hardware.hypervisors[1:])
    if outer:
        message = f"{missing}, and cannot: it runs under {outer}, not in an LPAR"
        yield cause("nested-host", message, "run the guest on a KVM host in an LPAR")
        return
    yield cause(
        "host-without-unpack",
        f"{missing}: it may be running without prot_virt=1",
        "apply the host profile on the host, then reboot the host",
    )
    yield cause(
        "cpu-model-without-unpack",
        "or the guest's CPU model does not include the feature 'unpack'",
        "on the host, give the guest <cpu mode='host-model'/> in its domain XML: virsh edit GUEST",
    )
    yield cause(
        "old-libvirt",
        "or the host's libvirt is older than 6.5 and does not support that feature",
        "on the host: virsh version",
    )
