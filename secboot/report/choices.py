"""What the next IPL can start, as text and as part of the documents of `status` and `show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.ipl.boot_record import RecordState
from secboot.report.style import counted
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.ipl.boot_record import BootRecord
    from secboot.ipl.next_ipl import Choice, NextIpl
    from secboot.report.style import Style

Document = dict[str, Any]
NOT_RECORDED = "not applicable: no zipl configuration"
"""For a boot record that nothing has written because the kernel comes from elsewhere."""


def record_text(record: BootRecord, style: Style) -> str:
    """Return one clause about the boot record."""
    if record.state is RecordState.MISSING:
        return f"{visible(record.path)} not found: zipl has not run yet, or it was removed"
    if record.bootmap is None:
        return visible(record.unreadable or "")
    count = counted(len(record.bootmap.programs), "boot entry", "boot entries")
    current = "up to date" if record.stale is None else style.yellow("out of date")
    if record.from_options and record.stale is None:
        current = "made from command-line options of zipl"
    elif record.stale is None and all(match.entry is None for match in record.matches):
        current = style.yellow("no boot entry to compare with")
    return f"{visible(record.path)}, {count}, {current}"


def choices_text(found: NextIpl, style: Style) -> Iterator[str]:
    """Yield the choices, each with its line, unless they are the same as the boot entries."""
    unreadable = found.record.unreadable
    if not found.choices and unreadable is not None:
        yield style.bold("What the next IPL can start")
        yield from map(style.yellow, style.filled(f"unknown: {visible(unreadable)}", "  ", "  "))
    if not found.choices or _as_the_files_say(found):
        return
    yield style.bold("What the next IPL can start")
    for choice in found.choices:
        yield from (f"  {line}" for line in _choice(choice, style))


def _as_the_files_say(found: NextIpl) -> bool:
    """Whether each choice is that of a boot entry, with the same number, kernel and line."""
    if found.record.stale is not None or len(found.choices) > len(found.entries):
        return False
    of_entries = [state.choice for state in found.entries if state.entry is not None]
    return all(
        choice in of_entries and not choice.added and not _starts_other_kernel(choice)
        for choice in found.choices
    )


def _starts_other_kernel(choice: Choice) -> bool:
    """Whether the choice does not start the entry's own kernel, as if ostree builds an image of it."""
    image = None if choice.entry is None else choice.entry.image
    return image is not None and choice.kernel not in {None, image.path}


def _choice(choice: Choice, style: Style) -> Iterator[str]:
    number = f"{choice.loadparm}: " if choice.loadparm else ""
    title = choice.title
    if choice.orphaned and not title:
        title = f"a {'line' if choice.unsure else 'kernel'} without a boot entry"
    tags = style.tags({"default": choice.is_default, "Secure Execution": choice.secure is True})
    yield f"{number}{style.bold(visible(title or 'unknown'))}{tags}"
    if choice.kernel is not None:
        yield f"  kernel      {visible(choice.kernel)}"
    if choice.line is not None:
        yield f"  parameters  {visible(choice.line)}"
    if choice.added:
        yield f"  added       {visible(choice.added)}  (only in the boot record)"
    if choice.unsure is not None:
        yield from map(style.yellow, style.filled(visible(choice.unsure), "  ", "  "))


def next_ipl_document(found: NextIpl) -> Document:
    """Return the boot record and the choices for the documents of `status` and `show`."""
    return {
        "boot_record": _record_document(found.record),
        "choices": [_choice_document(choice) for choice in found.choices],
    }


def _choice_document(choice: Choice) -> Document:
    from secboot.codec import encode

    return {
        "title": choice.title,
        "loadparm": choice.loadparm,
        "default": choice.is_default,
        "parameters": choice.line,
        "location": encode(choice.location),
        "entry": None if choice.entry is None else encode(choice.entry.location),
        "kernel": choice.kernel,
        "added": choice.added,
        "secure": choice.secure,
        "orphaned": choice.orphaned,
        "unsure": choice.unsure,
    }


def _record_document(record: BootRecord) -> Document:
    bootmap = record.bootmap
    return {
        "path": record.path,
        "state": record.state.value,
        "unreadable": record.unreadable,
        "stale": record.stale,
        "differences": list(record.differences),
        "younger_files": list(record.younger_files),
        "from_options": record.from_options,
        "programs": None
        if bootmap is None
        else [
            {
                "numbers": list(program.numbers),
                "default": program.is_default,
                "parameters": program.parmline,
                "image_size": program.image_size,
                "ramdisk_size": program.ramdisk_size,
                "kdump": program.kdump,
            }
            for program in bootmap.programs
        ],
        "environment": None
        if bootmap is None or bootmap.environment is None
        else dict(bootmap.environment.variables),
    }
