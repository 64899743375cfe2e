"""Whether a bounce buffer fits its guest: its share of the memory, and its peak use.

The buffer is taken from the guest's memory at boot, and nothing else can use it. The kernel records
the highest number of blocks in use at once (kernel/dma/swiotlb.c, ``inc_used_and_hiwater()``, with
CONFIG_DEBUG_FS since 6.4). IBM recommends one size, 512 MiB; the limits here are secboot's own.
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
"""A buffer larger than this fraction of the memory (one part in `PARTS`) is a warning."""
TIGHT = 0.9
"""Above this share of the buffer in use at once, the next peak may fill it."""


def share(blocks: int, memory: int) -> Finding | None:
    """Warn about a buffer larger than a quarter of a guest's `memory`, which is in bytes."""
    blocks = rounded(blocks, Generation.SINCE_6_0)
    size = blocks * BLOCK_BYTES
    if size * PARTS <= memory:
        return None
    return Finding(
        "swiotlb-share",
        Severity.WARNING,
        f"a bounce buffer of {size_text(blocks)} takes more than a quarter of the guest's"
        f" {bytes_text(memory)} of memory; nothing else can use it",
        hint=f"give the guest at least {bytes_text(size * PARTS)} of memory, or set a smaller buffer",
    )


def usage(running: RunningSystem) -> Finding | None:
    """Report a buffer that is too small, or far too large, for its peak use since boot.

    None if the peak is unknown, or if the buffer grows on demand.
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
    message = f"{used_text(used)} of the {size_text(held)} bounce buffer were in use at once"
    twice = rounded(2 * held, Generation.SINCE_6_0)
    hint = f"in the profile, set swiotlb to at_least: {size_text(twice)}"
    if twice > LARGEST_POWER_OF_TWO:
        hint = "kernels up to 7.2 cannot place a larger buffer: give the guest fewer virtio queues"
    return Finding("bounce-buffer-tight", Severity.WARNING, message, hint=hint)


def _large(held: int, used: int, enough: int) -> Finding:
    return Finding(
        "bounce-buffer-large",
        Severity.NOTE,
        f"at most {used_text(used)} of the {size_text(held)} bounce buffer have been in use at"
        " once since boot",
        hint=f"if the load was typical, {size_text(enough)} is enough and leaves the guest"
        f" {size_text(held - enough)} more memory; IBM recommends 512 MiB for most guests",
    )
