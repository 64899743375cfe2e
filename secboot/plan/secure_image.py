"""Secure Execution images: what is known of the line inside, and what a rebuild of one takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.finding import Finding, Severity
from secboot.formats.kernel_cmdline import CommandLine
from secboot.kernel.image_line import unfit
from secboot.lines.changes import Step
from secboot.lines.fulfil import fulfil_line
from secboot.lines.stores import ParameterLine, Store, StoreKind, Stores
from secboot.named_tuple import NamedTuple
from secboot.profile.profile import Role
from secboot.zipl.scan import EntryKind

if TYPE_CHECKING:
    from secboot.ipl.next_ipl import NextIpl
    from secboot.layout.layout import Layout
    from secboot.machine.discovery import Machine
    from secboot.profile.profile import Profile
    from secboot.zipl.entry import BootEntry

ANY_PARMFILE = "PARMFILE"
ONLY_IMAGES = (
    "every boot entry that the profile selects boots a Secure Execution image: its parameter line is"
    " inside, and changes only when the image is rebuilt"
)
OWN_IMAGE = (
    "this system builds its Secure Execution image itself, with a parmfile of its own: there is none"
    " to write"
)
LEAVES = (
    "zipl would make an ordinary kernel the default, and the next IPL would leave Secure Execution"
)
ANY_HOST_KEY = "HOST-KEY-DOCUMENT.crt"


class ParmfileRequest(NamedTuple):
    """The file that the user wants the parmfile in; `text` is what it holds, None if it is new."""

    path: str
    text: str | None


class Rebuild(NamedTuple):
    """What a rebuild of the images takes; `parmfile` is the text of its parmfile."""

    parmfile: str
    steps: tuple[Step, ...]
    warnings: tuple[Finding, ...]


def plan_rebuild(
    profile: Profile,
    machine: Machine,
    layout: Layout,
    stores: Stores,
    entries: tuple[BootEntry, ...],
    request: ParmfileRequest | None,
) -> Rebuild | None:
    """Return what the rebuild of the images of these entries takes; None if there is none.

    The parmfile is the requested file with what is missing; a new one starts from the line inside
    the first image where that can be read, or else from the line beside it, which counts for
    nothing, or else from the planned line of an entry with an ordinary kernel.
    Raises RefusedError when editing can't meet the profile.
    """
    if not entries:
        return None
    plain = _plain_entry(machine)
    base, warnings = _base(machine, stores, entries[0], plain, request)
    path = ANY_PARMFILE if request is None else request.path
    store = Store(StoreKind.PARMFILE, path)
    stores.add(store, base)
    line = ParameterLine(path, Location(path), (store,), lambda: stores.text(store) or "")
    fulfil_line(stores, line, profile.requirements)
    text = stores.text(store) or ""
    stores.drop(store)
    place = entries[0].location if request is None else Location(path)
    found = () if profile.role is Role.HOST else unfit(CommandLine.parse(text))
    opening = (each._replace(location=place) for each in found)
    steps = tuple(_step(machine, layout, entry, plain, path) for entry in entries)
    return Rebuild(text if text.endswith("\n") else f"{text}\n", steps, (*warnings, *opening))


def line_inside(machine: Machine, entry: BootEntry) -> str | None:
    """Return the line of the image that an entry boots; None where it is not known.

    Of an encrypted one it is that of the running system, which is in Secure Execution: no other
    kernel could run there.
    """
    image = machine.secure_image(entry)
    if image is not None and image.parameters is not None:
        return image.parameters
    return machine.running_line if machine.secure_guest else None


def stay_inside(machine: Machine, found: NextIpl, allowed: str) -> Step:
    """Return what to do where zipl would make an ordinary kernel the default.

    `allowed` is the command that does it all the same.
    """
    entry = next((each.entry for each in found.entries if each.secure and each.entry), None)
    if found.renewal is not None:
        on_purpose = f"leave Secure Execution on purpose: {allowed}"
        return Step("to stay in Secure Execution", (f"{found.renewal.remedy}; or", on_purpose))
    lines = ["build a new image of the new kernel, and boot that by default; or"]
    if entry is not None:
        lines.append(f"make '{entry.name}' the default in {machine.conf_path}; or")
    lines += [
        "remove the ordinary kernel, or its boot entry; or",
        f"leave Secure Execution on purpose: {allowed}",
    ]
    return Step("to stay in Secure Execution", tuple(lines))


def _base(
    machine: Machine,
    stores: Stores,
    entry: BootEntry,
    plain: BootEntry | None,
    request: ParmfileRequest | None,
) -> tuple[str, tuple[Finding, ...]]:
    if request is not None and request.text is not None:
        return request.text, ()
    inside = line_inside(machine, entry)
    if inside is not None:
        return inside, ()
    if entry.parmline:
        return entry.parmline, ()
    if plain is not None:
        return stores.entry_planned(plain) or "", ()
    message = (
        "nothing on this machine tells the parameters of the image: the parmfile holds those of"
        " the profile only"
    )
    hint = "add root= and what else the image needs"
    warning = Finding("parmfile-incomplete", Severity.WARNING, message, entry.location, hint)
    return "", (warning,)


def _plain_entry(machine: Machine) -> BootEntry | None:
    """The entry whose kernel a rebuild can take: the default if it is one, else the first."""
    plain = [
        entry
        for entry in machine.configuration.entries
        if entry.kind is EntryKind.IPL
        and entry.image is not None
        and machine.secure_image(entry) is None
        and not entry.is_rescue
    ]
    return next((entry for entry in plain if entry.is_default), plain[0] if plain else None)


def _step(
    machine: Machine, layout: Layout, entry: BootEntry, plain: BootEntry | None, parmfile: str
) -> Step:
    image = "" if entry.image is None else entry.image.path
    kernel = "VMLINUZ" if plain is None or plain.image is None else plain.image.path
    ramdisk = "INITRD" if plain is None or plain.ramdisk is None else plain.ramdisk.path
    keys = machine.host_keys or (ANY_HOST_KEY,)
    words = ["pvimg", "create", "-i", kernel, "-r", ramdisk, "-p", parmfile]
    words += [word for key in keys for word in ("-k", key)]
    # The new image goes beside the old one, which may be the only one that boots.
    words += ["-C", "IBM-SIGNING-KEY.crt", "-C", "CA.crt", "-o", f"{image}.new"]
    commit = (f"mv {image}.new {image}", *(" ".join(p.argv) for p in layout.commit))
    return Step(
        f"to rebuild the Secure Execution image of '{entry.name}'", (" ".join(words), *commit)
    )
