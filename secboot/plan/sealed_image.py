"""Sealed images: what has to be in the parmfile of a rebuilt one, and how it is rebuilt."""

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
    from secboot.layout.layout import Layout
    from secboot.machine.discovery import Machine
    from secboot.profile.profile import Profile
    from secboot.zipl.entry import BootEntry

ANY_PARMFILE = "PARMFILE"
REFUSAL = (
    "every boot entry that the profile selects boots a sealed image: its parameters are inside, and"
    " it has to be rebuilt to change them"
)
ANY_HOST_KEY = "HOST-KEY-DOCUMENT.crt"


class ParmfileRequest(NamedTuple):
    """The file that the user wants the parmfile in; `text` is what it holds, None if it is new."""

    path: str
    text: str | None


class Rebuild(NamedTuple):
    """What a rebuild of the sealed images takes; `parmfile` is the text of its parmfile."""

    parmfile: str
    steps: tuple[Step, ...]
    warnings: tuple[Finding, ...]


def plan_rebuild(
    profile: Profile,
    machine: Machine,
    layout: Layout,
    stores: Stores,
    sealed: tuple[BootEntry, ...],
    request: ParmfileRequest | None,
) -> Rebuild | None:
    """Return what the rebuild of the sealed entries takes; None if there is none.

    The parmfile is the requested file with what is missing; a new one starts from the decorative
    line of the first entry, or else from the planned line of the entry that is not sealed.
    Raises RefusedError when editing can't meet the profile.
    """
    if not sealed:
        return None
    plain = _plain_entry(machine)
    base, warnings = _base(stores, sealed[0], plain, request)
    path = ANY_PARMFILE if request is None else request.path
    store = Store(StoreKind.PARMFILE, path)
    stores.add(store, base)
    line = ParameterLine(path, Location(path), (store,), lambda: stores.text(store) or "")
    fulfil_line(stores, line, profile.requirements)
    text = stores.text(store) or ""
    stores.drop(store)
    place = sealed[0].location if request is None else Location(path)
    found = () if profile.role is Role.HOST else unfit(CommandLine.parse(text))
    opening = (each._replace(location=place) for each in found)
    steps = tuple(_step(machine, layout, entry, plain, path) for entry in sealed)
    return Rebuild(text if text.endswith("\n") else f"{text}\n", steps, (*warnings, *opening))


def _base(
    stores: Stores, sealed: BootEntry, plain: BootEntry | None, request: ParmfileRequest | None
) -> tuple[str, tuple[Finding, ...]]:
    if request is not None and request.text is not None:
        return request.text, ()
    if sealed.parmline:
        return sealed.parmline, ()
    if plain is not None:
        return stores.entry_planned(plain) or "", ()
    message = (
        "nothing on this machine tells the parameters of the image: the parmfile holds those of"
        " the profile only"
    )
    hint = "add root= and what else the image needs"
    warning = Finding("parmfile-incomplete", Severity.WARNING, message, sealed.location, hint)
    return "", (warning,)


def _plain_entry(machine: Machine) -> BootEntry | None:
    """The entry whose kernel a rebuild can take: the default if it is not sealed, else the first."""
    plain = [
        entry
        for entry in machine.configuration.entries
        if entry.kind is EntryKind.IPL
        and entry.image is not None
        and not machine.is_sealed(entry)
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
    return Step(f"to rebuild the sealed image of '{entry.name}'", (" ".join(words), *commit))
