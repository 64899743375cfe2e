"""Which size of bounce buffer fits a guest: its share of the memory, and how much was in use.

The buffer is taken from the guest's memory when it boots, and nothing else can use it. The kernel
counts the most blocks that were in use at once (kernel/dma/swiotlb.c, ``inc_used_and_hiwater()``,
with CONFIG_DEBUG_FS since 6.4). IBM gives one size, 512 MiB; the limits here are secboot's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.kernel.swiotlb import (
    ANYWHERE_SINCE,
    BLOCK_BYTES,
    LARGEST_POWER_OF_TWO,
    SMALL_BLOCKS,
    Generation,
    bytes_text,
    rounded,
    size_text,
    used_text,
)

if TYPE_CHECKING:
    from secboot.running.system import RunningSystem

PARTS = 4
"""More than one part in so many of the memory is a warning."""
TIGHT = 0.9
"""With so much of the buffer in use at once, the next peak may find it full."""


def share(blocks: int, memory: int) -> Finding | None:
    """Warn of a buffer of more than a quarter of a guest's `memory`, which is in bytes."""
    blocks = rounded(blocks, Generation.SINCE_6_0)
    size = blocks * BLOCK_BYTES
    if size * PARTS <= memory:
        return None
    return Finding(
        "swiotlb-share",
        Severity.WARNING,
        f"a bounce buffer of {size_text(blocks)} is more than a quarter of the guest's memory,"
        f" {bytes_text(memory)}; nothing else can use it",
        hint=f"give the guest {bytes_text(size * PARTS)} of memory or more, or ask for less",
    )


def usage(running: RunningSystem) -> Finding | None:
    """Say that the buffer is too small or far too large for what was in use at once since boot.

    None where that is not known, and where the buffer grows on demand.
    """
    held, used = running.bounce_buffer_blocks, running.bounce_buffer_used_blocks
    grows = running.release is not None and running.release >= ANYWHERE_SINCE
    if not held or not used or grows:
        return None
    if used >= held * TIGHT:
        return _tight(held, used)
    enough = max(SMALL_BLOCKS, rounded(2 * used, Generation.SINCE_6_0))
    return _large(held, used, enough) if held >= 4 * enough else None


def _tight(held: int, used: int) -> Finding:
    message = f"{used_text(used)} of the bounce buffer's {size_text(held)} were in use at once"
    twice = rounded(2 * held, Generation.SINCE_6_0)
    hint = f"ask for at_least: {size_text(twice)}"
    if twice > LARGEST_POWER_OF_TWO:
        hint = "kernels up to 7.2 cannot place a larger one: give the guest fewer virtio queues"
    return Finding("bounce-buffer-tight", Severity.WARNING, message, hint=hint)


def _large(held: int, used: int, enough: int) -> Finding:
    return Finding(
        "bounce-buffer-large",
        Severity.NOTE,
        f"no more than {used_text(used)} of the bounce buffer's {size_text(held)} were in use at"
        " once since boot",
        hint=f"if the load was the usual one, {size_text(enough)} would do, and leave the guest"
        f" {size_text(held - enough)} more; IBM recommends 512 MiB for most guests",
    )
