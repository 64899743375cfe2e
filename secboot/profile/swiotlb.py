"""The requirement on ``swiotlb=``: the size of a secure guest's bounce buffer.

A changed line has a single ``swiotlb=``. It keeps the areas and ``force`` as the kernel read them,
and a number that is large enough; ``noforce`` is removed.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.errors import UsageError
from secboot.finding import Finding, Severity
from secboot.kernel import swiotlb
from secboot.kernel.buffer_size import share, usage
from secboot.kernel.swiotlb import (
    BLOCK_BYTES,
    LARGEST_POWER_OF_TWO,
    SMALL_BLOCKS,
    Generation,
    SwiotlbReading,
    size_text,
)
from secboot.profile.nodes import unambiguous_text
from secboot.profile.requirement import (
    TRUE_SCHEMA,
    Form,
    Judgement,
    KeptValues,
    Operator,
    ParameterRules,
    Requirement,
    Role,
    WrittenRequirement,
    put,
)
from secboot.profile.size import BINARY, intended, read_size, size_pattern, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.errors import Location
    from secboot.formats.kernel_cmdline import CommandLine, Parameter
    from secboot.kernel.command_line import Honoured
    from secboot.profile.nodes import Problems, Scalar
    from secboot.running.system import RunningSystem


SIZE_PATTERN = size_pattern("KiB|MiB|GiB|blocks?")

_FACTORS = {**BINARY, "block": BLOCK_BYTES, "blocks": BLOCK_BYTES}
_MOST_DIGITS = 10
_LARGEST = "the largest size that every kernel can place is 1 GiB"
_EXAMPLE = "write a size like '512 MiB' or '262144 blocks'"


class Bound(StrEnum):
    """How a size applies."""

    AT_LEAST = "at least"
    EXACTLY = "exactly"


class SwiotlbSizeRequirement(Requirement):
    """A buffer of this many blocks of 2 KiB, or at least this many.

    Sizes are compared as kernels before 6.0 set them up, because later kernels only round up
    further: a size that is enough there is enough everywhere, and the next kernel may be either.
    """

    def __init__(self, name: str, location: Location, bound: Bound, blocks: int) -> None:
        super().__init__(name, location)
        self.bound = bound
        self.blocks = blocks

    def occurrences(self, line: CommandLine) -> tuple[Parameter, ...]:
        """Return the ``swiotlb`` words before ``--``."""
        return swiotlb.occurrences(line)

    def describe(self) -> str:
        """Say what is required, in bytes and in blocks."""
        return f"swiotlb {self.bound} {size_text(self.blocks)} ({self.blocks} blocks of 2 KiB)"

    def honoured(self, running: RunningSystem) -> Honoured:
        """Judge by the size of the buffer that the kernel has set up."""
        exactly = self.bound is Bound.EXACTLY
        return swiotlb.bounce_buffer(running, self.blocks, exactly=exactly)

    def warning(self) -> Finding | None:
        """Warn about a small buffer, and about sizes that kernels since 6.0 round up."""
        newest = size_text(swiotlb.rounded(self.blocks, Generation.SINCE_6_0))
        size = size_text(self.blocks)
        if self.blocks < SMALL_BLOCKS:
            return self._warning(
                "swiotlb-small",
                f"a bounce buffer of {size} is small: devices can fill it under load",
                "IBM recommends 512 MiB for most guests",
            )
        if self.blocks > LARGEST_POWER_OF_TWO:
            return self._warning(
                "swiotlb-large",
                f"kernels from 6.0 to 7.2 round {size} up to {newest}, cannot place that below 2 GiB,"
                " and fall back to 1 GiB",
                "set at most 1 GiB",
            )
        if newest != size:
            return self._warning(
                "swiotlb-rounded",
                f"kernels since 6.0 round {size} up to {newest}",
                "a power of two is the same with every kernel",
            )
        return None

    def unfit(self, role: Role) -> Finding | None:
        """Warn about a buffer on a host, where the kernel sets up none (arch/s390/mm/init.c, pv_init())."""
        if role is not Role.HOST:
            return None
        message = "a host has no bounce buffer: the kernel ignores swiotlb= outside secure guests"
        hint = "remove swiotlb, or write `role: guest` for the guests that run on the host"
        return Finding("profile.role", Severity.WARNING, message, self.location, hint)

    def cost(self, memory: int, lines: Sequence[CommandLine] = ()) -> Finding | None:
        """Warn if the largest buffer on the lines takes more than a quarter of the memory."""
        readings = (swiotlb.read(line) for line in lines)
        found = share(max([self.blocks, *(each.blocks for each in readings)]), memory)
        return None if found is None else found._replace(location=self.location)

    def advice(self, running: RunningSystem) -> Finding | None:
        """Judge the current size by the memory and by the buffer's peak use."""
        held, memory = running.bounce_buffer_blocks, running.memory
        if held and memory and held > self.blocks and self.cost(memory) is None:
            return share(held, memory) or usage(running)
        return usage(running)

    def _warning(self, code: str, message: str, hint: str) -> Finding:
        return Finding(f"profile.{code}", Severity.WARNING, message, self.location, hint)

    @property
    def words(self) -> tuple[str, ...]:
        """The size, even if the kernel default is enough: the line may set a smaller one."""
        return (f"{swiotlb.NAME}={self.blocks}",)

    @property
    def kept(self) -> KeptValues | None:
        """A larger buffer also meets a minimum size; only plain decimal numbers are recognized."""
        if self.bound is Bound.EXACTLY:
            return None
        return KeptValues(
            "[1-9][0-9]*(,[0-9]+)?(,force)?", least=self.blocks, limit=swiotlb.LIMIT_BLOCKS
        )

    def lost_by_adding(self) -> str:
        """The last size wins, but ``noforce`` always wins."""
        kept = (
            "a larger size that is set elsewhere is not kept (omit this one there), and "
            if self.bound is Bound.AT_LEAST
            else ""
        )
        return f"{kept}another swiotlb= is not removed: the last size wins, and noforce always wins"

    def _judge(self, line: CommandLine) -> Judgement:
        reading = swiotlb.read(line, Generation.BEFORE_6_0)
        said = _read_as(reading, is_set=bool(self.occurrences(line)))
        if reading.noforce:
            return Judgement(
                met=False, reason="noforce leaves a secure guest without a bounce buffer"
            )
        if reading.blocks >= swiotlb.LIMIT_BLOCKS:
            reason = f"{said}; it must fit below 2 GiB on kernels up to 7.2"
            return Judgement(met=False, reason=reason)
        if self._suffices(reading):
            return Judgement(met=True, reason=said)
        required = f"the profile requires {self.bound} {size_text(self.blocks)}"
        return Judgement(met=False, reason=f"{said}; {required}")

    def _change(self, line: CommandLine) -> CommandLine:
        present = self.occurrences(line)
        reading = swiotlb.read(line, Generation.BEFORE_6_0)
        newest = swiotlb.read(line, Generation.SINCE_6_0)
        blocks = self.blocks
        if reading.numbered and self._suffices(reading):
            # A size that no kernel up to 7.2 can place was meant to be large: use the largest one
            # that all of them can place.
            largest = max(self.blocks, LARGEST_POWER_OF_TWO)
            blocks = reading.blocks if reading.blocks < swiotlb.LIMIT_BLOCKS else largest
        # Without a comma it is a stray digit that the kernel reads as the areas (`08`).
        meant = any("," in (each.value or "") for each in present)
        areas = f",{newest.areas}" if meant and newest.areas else ""
        force = ",force" if newest.force else ""
        return put(line, present, f"{swiotlb.NAME}={blocks}{areas}{force}")

    def _suffices(self, reading: SwiotlbReading) -> bool:
        wanted = swiotlb.rounded(self.blocks, Generation.BEFORE_6_0)
        if self.bound is Bound.AT_LEAST:
            return reading.blocks >= wanted
        return reading.blocks == wanted


def _read_as(reading: SwiotlbReading, *, is_set: bool) -> str:
    """Say how the kernel reads the number on the line: ``512M is read as 512 blocks (1 MiB)``."""
    size = f"{reading.blocks} blocks ({size_text(reading.blocks)})"
    if reading.numbered is None:
        what = "no size is set" if is_set else "not set"
        return f"{what}: the kernel default of {size} applies"
    written = reading.numbered.value or ""
    number, rest = swiotlb.parse_unsigned(written)
    if rest and not rest.startswith(","):
        return f"{reading.numbered.text} is read as {size}: {rest!r} is ignored"
    if written != str(number) and not written.startswith(f"{number},"):
        return f"{reading.numbered.text} is read as {size}"
    return f"{reading.numbered.text} is {size}"


def _make(written: WrittenRequirement, problems: Problems) -> Requirement | None:
    if written.operator is Operator.ABSENT:
        from secboot.profile.occurrences import AbsentRequirement  # noqa: PLC0415 - of few profiles

        return AbsentRequirement(written.name, written.location)
    scalar = written.values[0]
    text = unambiguous_text(scalar, problems, instead="write a size like '512 MiB'")
    blocks = read_blocks(scalar, problems) if text is not None else None
    if blocks is None:
        return None
    if swiotlb.rounded(blocks, Generation.BEFORE_6_0) >= swiotlb.LIMIT_BLOCKS:
        problems.error(
            "size-limit",
            f"{scalar.text} is too large: kernels up to 7.2 place the buffer below 2 GiB, in one piece",
            scalar.location,
            _LARGEST,
        )
        return None
    bound = Bound.AT_LEAST if written.operator is Operator.AT_LEAST else Bound.EXACTLY
    return SwiotlbSizeRequirement(written.name, written.location, bound, blocks)


def read_blocks(scalar: Scalar, problems: Problems) -> int | None:
    """Read a size as a number of blocks of 2 KiB, or report what is wrong and return None.

    A number without a unit is refused: the kernel counts blocks, while people think of megabytes.
    Units of 1000 are refused, too: no size here is a multiple of them.
    """
    size = read_size(scalar, SIZE_PATTERN, _FACTORS, _intent, problems)
    if size is None:
        return None
    if size % BLOCK_BYTES:
        problems.error(
            "size-blocks",
            f"{scalar.text} is not a whole number of blocks of 2 KiB",
            scalar.location,
            f"the next larger size is {size // BLOCK_BYTES + 1} blocks",
        )
        return None
    return size // BLOCK_BYTES


def _intent(text: str) -> str:
    if re.match(rf"[0-9]{{{_MOST_DIGITS + 1}}}", text.replace("_", "")):
        return f"{_LARGEST}; {_EXAMPLE}"
    if re.fullmatch(r"0+\s*[A-Za-z]*", text):
        return "the smallest size is '1 block'; to remove swiotlb, write `absent: true`"
    return intended(text, _EXAMPLE, _intended_number)


def _intended_number(number: int) -> str:
    blocks = f"'{number} blocks' ({size_text(number)})"
    other = f" or '{number} MiB'" if number < 4096 else ""
    return f"add a unit: {blocks}{other}"


def _of_kernel_value(value: str) -> str:
    """Return the number that the kernel reads, in any base, if the value is nothing else."""
    number, rest = swiotlb.parse_unsigned(value)
    if number and not rest:
        return f"{number} blocks"
    if number:
        read = f"the kernel reads {value!r} as {number} blocks ({size_text(number)}) followed by {rest!r}"
    else:
        read = f"{value!r} is not a number of blocks"
    raise UsageError(
        read,
        hint="write the number of blocks of 2 KiB: 262144 is 512 MiB; areas and force do not change",
    )


_MOST = (swiotlb.LIMIT_BLOCKS - swiotlb.SEGMENT_BLOCKS) * BLOCK_BYTES
_SIZE_SCHEMA = {
    "type": "string",
    "pattern": "^("
    f"{whole_numbers(_MOST // BINARY['KiB'], even=True)} ?KiB|"
    f"{whole_numbers(_MOST // BINARY['MiB'])} ?MiB|"
    f"{whole_numbers(_MOST // BINARY['GiB'])} ?GiB|"
    f"{whole_numbers(_MOST // BLOCK_BYTES)} ?blocks?)$",
    "errorMessage": f"{_EXAMPLE}; it must be a multiple of 2 KiB and below 2 GiB",
}

RULES = ParameterRules(
    "the bounce buffer of a guest in Secure Execution mode",
    (
        Form(
            Operator.AT_LEAST,
            "a buffer of at least this size: a larger one does not change",
            "{at_least: 512 MiB}",
            _SIZE_SCHEMA,
        ),
        Form(
            Operator.EXACTLY,
            "a buffer of this size (which kernels since 6.0 round up to a power of two)",
            "262144 blocks",
            _SIZE_SCHEMA,
        ),
        Form(Operator.ABSENT, "no `swiotlb` on the line", "{absent: true}", TRUE_SCHEMA),
    ),
    _make,
    of_kernel_value=_of_kernel_value,
    details="A size is a whole number with a unit: `KiB`, `MiB`, `GiB`, or `blocks` of 2 KiB, which is "
    "what the kernel counts (`512 MiB` and `262144 blocks` are the same). A number without a unit and "
    "units like `MB` are refused. Kernels up to 7.2 place the buffer below 2 GiB in one piece, so the "
    "size must be smaller than that. secboot warns about less than 128 MiB, and about sizes that "
    "kernels since 6.0 round up. The kernel uses the last number on the line and ignores text after "
    "it: `swiotlb=512M` is 512 blocks, or 1 MiB. If the line must change, one `swiotlb=` remains, with "
    "the areas and `force` as the kernel read them. `noforce`, which leaves a secure guest without a "
    "buffer, is always removed.",
)
"""The requirements that a profile can make on ``swiotlb``: sizes as `read_blocks` reads them."""
