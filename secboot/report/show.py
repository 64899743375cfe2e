"""The boot entries of a machine, as text or JSON (schema ``secboot/show/2``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.errors import Location
from secboot.formats.zipl_line import Keyword
from secboot.ipl.boot_record import RecordState
from secboot.ipl.secure_execution import findings, leaves_by_files
from secboot.machine.zipl_conf_file import NO_ENTRY_YET
from secboot.report.choices import NOT_RECORDED, choices_text, next_ipl_document, record_text
from secboot.report.style import PLAIN, finding_text
from secboot.visible import visible
from secboot.zipl.scan import EntryKind
from secboot.zipl.version import BlsOrder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.finding import Finding
    from secboot.formats.kernel_image import SecureImage
    from secboot.invocation import Invocation
    from secboot.ipl.next_ipl import NextIpl
    from secboot.ipl.reboot import Reboot
    from secboot.layout.layout import Layout
    from secboot.machine.discovery import Machine
    from secboot.report.style import Style
    from secboot.status.trial import TrialStanding
    from secboot.zipl.entry import BootEntry

SCHEMA = "secboot/show/2"
_LABEL = 13
"""Columns of the labels at the start."""
_ORDERS = {
    BlsOrder.UPSTREAM: "BLS entries sorted as by IBM's zipl (strverscmp)",
    BlsOrder.RED_HAT: "BLS entries sorted as by Red Hat's zipl (file names, like rpm)",
}


def show_text(
    machine: Machine,
    layout: Layout,
    next_ipl: NextIpl,
    reboot: Reboot | None,
    invocation: Invocation,
    changes: tuple[Finding, ...],
    style: Style,
) -> str:
    """Return every entry with its parameter line as zipl would install it.

    `changes` are findings about an interrupted change and a trial; `reboot` is what a reboot does,
    on the running system.
    """
    lines = list(_heading(machine, layout, next_ipl, invocation, style))
    if reboot is not None:
        lines += style.labelled("Reboot", reboot.describe(), _LABEL)
    lines += [finding_text(each, style) for each in changes]
    for entry in machine.configuration.entries:
        lines += ["", *_entry(machine, entry, style)]
    choices = tuple(choices_text(next_ipl, style))
    if choices:
        lines += ["", *choices]
    return "\n".join(lines) + "\n"


def show_document(
    machine: Machine,
    layout: Layout,
    next_ipl: NextIpl,
    reboot: Reboot | None,
    unfinished: Finding | None,
    trial: TrialStanding | None,
) -> dict[str, Any]:
    """Return the same as a JSON document."""
    from secboot.codec import encode

    return {
        "schema": SCHEMA,
        "root": machine.root,
        "layout": layout.name,
        "layout_seen": list(layout.seen),
        "zipl_version": str(machine.zipl_version),
        "zipl_version_assumed": machine.zipl_version_is_assumed,
        "zipl_conf": machine.conf_path,
        "bls_order": machine.zipl_version.order.value,
        "secure": [{"section": name, "value": value} for name, value in _secure(machine)],
        "accepted": machine.configuration.accepted,
        "unfinished_change": encode(unfinished),
        "trial": encode(trial),
        "secure_execution": encode(tuple(findings(machine, next_ipl))),
        **next_ipl_document(next_ipl),
        "reboot": encode(reboot),
        "entries": [_entry_document(machine, e) for e in machine.configuration.entries],
    }


def _heading(
    machine: Machine, layout: Layout, next_ipl: NextIpl, invocation: Invocation, style: Style
) -> Iterator[str]:
    assumed = " (assumed)" if machine.zipl_version_is_assumed else ""
    yield from style.labelled("Machine", f"{visible(machine.root)}, {layout.description}", _LABEL)
    if layout.seen:
        seen = visible(", ".join(layout.seen))
        yield from style.labelled("Layout", f"{layout.name} ({seen})", _LABEL)
    reads = f"reads {visible(machine.conf_path)}"
    if not machine.configured or machine.lacks_conf:
        reads = "has no configuration"
    yield from style.labelled("zipl", f"{machine.zipl_version}{assumed} {reads}", _LABEL)
    record, plain = (record_text(next_ipl.record, each) for each in (style, PLAIN))
    if _nothing_was_recorded(machine, next_ipl):
        record = plain = NOT_RECORDED
    rows = style.labelled("Boot record", plain, _LABEL)
    one_row = f"{style.bold('Boot record')}  {record}"
    yield from [one_row] if len(rows) == 1 else rows
    if len(machine.configuration.bls) > 1:
        yield f"{style.bold('Order')}        {_ORDERS[machine.zipl_version.order]}"
    for name, value in _secure(machine):
        # Secure Boot, which is not Secure Execution; shown, but never changed.
        yield f"{style.bold('Secure Boot')}  secure={visible(value)} in [{visible(name)}]"
    if machine.awaits_kernel:
        yield from style.filled(NO_ENTRY_YET)
        return
    count = len(machine.configuration.problems)
    if count and machine.configured and layout.zipl_reads_files(machine):
        what = "one problem" if count == 1 else f"{count} problems"
        see = visible(invocation.command("check"))
        text = f"zipl refuses this configuration: {what}, see `{see}`"
        yield from map(style.red, style.filled(text))
    for finding in findings(machine, next_ipl):
        yield finding_text(finding, style)
    for command in _due(machine, layout, next_ipl, invocation):
        text = f"the next IPL does not use these files yet; run: {visible(command)}"
        yield from map(style.yellow, style.filled(text, "", "  ", whole=visible(command)))


def _nothing_was_recorded(machine: Machine, next_ipl: NextIpl) -> bool:
    """Whether zipl has no part in the boot: the kernel comes from outside, as in a direct boot."""
    return not machine.configured and next_ipl.record.state is RecordState.MISSING


def _due(
    machine: Machine, layout: Layout, next_ipl: NextIpl, invocation: Invocation
) -> Iterator[str]:
    """The command that makes the next IPL use the files, if it does not and the user should run it.

    The user should not if that would take the system out of Secure Execution, or if zipl would refuse
    the files.
    """
    leaves = leaves_by_files(machine, next_ipl) is not None
    refused = bool(machine.configuration.problems) and layout.zipl_reads_files(machine)
    if leaves or refused or machine.lacks_conf or _nothing_was_recorded(machine, next_ipl):
        return
    if next_ipl.record.stale is not None and layout.records:
        yield invocation.of_programs(tuple(command.argv for command in layout.records))


def _secure(machine: Machine) -> tuple[tuple[str, str], ...]:
    """The sections and menus that set ``secure=``, with its value (zipl.conf(5))."""
    blocks = machine.configuration.conf.blocks
    values = ((block.name, block.value(Keyword.SECURE)) for block in blocks)
    return tuple((name, value) for name, value in values if value is not None)


def _entry(machine: Machine, entry: BootEntry, style: Style) -> Iterator[str]:
    number = "" if entry.menu_position is None else f"{entry.menu_position}: "
    image = machine.secure_image(entry)
    tags = {
        "default": entry.is_default,
        entry.kind.value: entry.kind is not EntryKind.IPL,
        "rescue": entry.is_rescue,
        "kdump": entry.kdump,
        "optional": entry.optional,
        "trial": entry.is_trial,
        "Secure Execution image": image is not None,
    }
    yield from style.named(visible(entry.name), tags, number, "    ", style.bold)
    yield style.faint(f"    {visible(str(Location(entry.path, entry.line)))}")
    if entry.image is not None:
        yield f"    image       {_led(machine, entry.image.path)}"
    if entry.ramdisk is not None and machine.kernel_files.link(entry.ramdisk.path) is not None:
        yield f"    ramdisk     {_led(machine, entry.ramdisk.path)}"
    if entry.parmfile is not None:
        yield f"    parmfile    {visible(entry.parmfile.path)}"
    if image is not None:
        yield from _inside(image)
    if entry.parmline is not None:
        ignored = "" if image is None else "  (ignored at boot)"
        yield f"    parameters  {visible(entry.parmline)}{ignored}"


def _inside(image: SecureImage) -> Iterator[str]:
    """The line inside the image, which is the one in effect, as far as it is known."""
    if image.parameters is not None:
        yield f"    inside      {visible(' '.join(image.parameters.split()))}"
    else:
        yield f"    inside      unknown: {visible(image.unsure or 'the image is encrypted')}"


def _led(machine: Machine, path: str) -> str:
    """A path, followed by an arrow and its target if it is a symbolic link."""
    link = machine.kernel_files.link(path)
    if link is None:
        return visible(path)
    leads = f"{link.says}, {link.reason}" if link.target is None else link.target
    return f"{visible(path)} -> {visible(leads)}"


def _entry_document(machine: Machine, entry: BootEntry) -> dict[str, Any]:
    from secboot.codec import encode

    return {
        "name": entry.name,
        "kind": entry.kind.value,
        "origin": entry.origin.value,
        "location": encode(Location(entry.path, entry.line)),
        "menu_position": entry.menu_position,
        "default": entry.is_default,
        "rescue": entry.is_rescue,
        "optional": entry.optional,
        "kdump": entry.kdump,
        "secure_image": encode(machine.secure_image(entry)),
        "image": None if entry.image is None else entry.image.path,
        "image_link": encode(entry.image and machine.kernel_files.link(entry.image.path)),
        "ramdisk": None if entry.ramdisk is None else entry.ramdisk.path,
        "ramdisk_link": encode(entry.ramdisk and machine.kernel_files.link(entry.ramdisk.path)),
        "parmfile": None if entry.parmfile is None else entry.parmfile.path,
        "target": entry.target,
        "parameters": entry.parmline,
        "parameters_limit": entry.max_parm_size,
    }
