"""How long a parameter line may be: what the kernel image takes, less what is added at boot."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from secboot.errors import RefusedError

if TYPE_CHECKING:
    from secboot.errors import Location
    from secboot.zipl.entry import BootEntry

MENU_SUFFIX_BYTES = len(" BOOT_IMAGE=62")
"""zipl's boot menu adds this to the line (zipl/boot/menu.c, menu_boot)."""
ASSUMED_LIMIT = 4096
"""Bytes where no image says more: CONFIG_COMMAND_LINE_SIZE as all distributions build it."""


class LengthLimit(NamedTuple):
    """The longest text, in bytes, that arrives whole; `image_limit` counts a terminating NUL too.

    zipl accepts a line of exactly the image's limit, but the kernel then loses its last
    character to the NUL (zipl/src/job.c, check_common_ipl_data; stage3.c).
    """

    image_limit: int
    reserved: int

    @property
    def usable(self) -> int:
        """Bytes of text that arrive whole."""
        return self.image_limit - 1 - self.reserved


def limit_of(entry: BootEntry) -> LengthLimit:
    """Return the limit for the entry, with room for what the boot menu adds if it is in one."""
    reserved = MENU_SUFFIX_BYTES if entry.menu_position is not None else 0
    return LengthLimit(entry.max_parm_size or ASSUMED_LIMIT, reserved)


def require_fits(entry: BootEntry, line: str) -> None:
    """Raise RefusedError when the entry's planned line would not arrive whole."""
    require_length(entry.name, entry.location, limit_of(entry), line)


def require_length(name: str, location: Location, limit: LengthLimit, line: str) -> None:
    """Raise RefusedError when a planned line, named for messages, exceeds the limit."""
    size = len(line.encode("utf-8", "surrogateescape"))
    if size <= limit.usable:
        return
    room = f"{limit.image_limit} bytes with the NUL at its end"
    if limit.reserved:
        room += f", and the boot menu adds {limit.reserved}"
    raise RefusedError(
        f"the parameter line of '{name}' would have {size} bytes; its kernel takes {room},"
        f" so at most {limit.usable} arrive whole",
        location=location,
        hint="shorten the line, or leave the entry out (entries: in the profile)",
    )
