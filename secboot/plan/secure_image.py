"""Secure Execution images: what is known about the line inside, and how to rebuild them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.finding import Finding, Severity
from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.kernel_image import SecureImage
from secboot.formats.text import byte_length
from secboot.ipl.installed_kernels import InstalledKernel, installed_kernels, kernel_to_take
from secboot.kernel.image_line import unfit
from secboot.lines.changes import Step, parameter_changes, wanted_line
from secboot.lines.fulfil import fulfil_line
from secboot.lines.stores import ParameterLine, Store, StoreKind, Stores
from secboot.named_tuple import NamedTuple
from secboot.plan.image_findings import (
    about_early_boot,
    about_kernel,
    about_material,
    about_options,
    about_parmfile,
)
from secboot.plan.image_recipe import (
    EARLY_BOOT,
    Builder,
    ImageBuild,
    builder_for,
    is_early_boot,
    kept_options,
    recipe,
)
from secboot.plan.plan import EntryStatus
from secboot.profile.requirement import Role
from secboot.visible import visible

if TYPE_CHECKING:
    from secboot.ipl.next_ipl import NextIpl
    from secboot.layout.layout import Layout
    from secboot.machine.discovery import Machine
    from secboot.machine.old_entries import OldEntry
    from secboot.plan.plan import EntryPlan, ParmfileRequest
    from secboot.profile.profile import Profile
    from secboot.zipl.entry import BootEntry

ANY_PARMFILE = "PARMFILE"


class Rebuild(NamedTuple):
    """How to rebuild the images; `parmfile` is the text of the parmfile."""

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
    *,
    leaves: bool = False,
) -> Rebuild | None:
    """Return how to rebuild the images of these entries; None without entries.

    The parmfile is the requested file plus what is missing. A new one starts from the line inside the
    first image if it can be read, otherwise from the ignored line in its boot entry, otherwise from
    the planned line of an entry with a plain kernel image, or from an entry that pvics has set aside.
    `leaves` says that zipl would make a plain kernel image the default. Raises RefusedError if
    editing cannot meet the profile.
    """
    if not entries:
        return None
    kernel = kernel_to_take(machine)
    base = None if request is None else request.text
    warnings: tuple[Finding, ...] = ()
    if base is None:
        base, warnings = first_line(machine, stores, entries[0], kernel, entries[0].location)
    path = ANY_PARMFILE if request is None else request.path
    store = Store(StoreKind.PARMFILE, path)
    stores.add(store, base)
    line = ParameterLine(path, Location(path), (store,), lambda: stores.text(store) or "")
    fulfil_line(stores, line, profile.requirements)
    text = stores.text(store) or ""
    stores.drop(store)
    text = text if text.endswith("\n") else f"{text}\n"
    place = entries[0].location if request is None else Location(path)
    found = () if profile.role is Role.HOST else unfit(CommandLine.parse(text))
    opening = (each._replace(location=place) for each in found)
    outside = request is not None and _inside(machine, request.path) is None
    builder = builder_for(machine, parmfile_outside=outside)
    one_each = {None if e.image is None else e.image.path: e for e in reversed(entries)}
    made = [
        _rebuilt(machine, entry, kernel, request, builder) for entry in reversed(one_each.values())
    ]
    again = leaves and request is not None  # a plan that is refused has not written the parmfile
    steps = tuple(
        Step(
            f"to rebuild the Secure Execution image of '{entry.name}'",
            recipe(
                machine,
                builder,
                build._replace(leaves=leaves, writes_parmfile=build.writes_parmfile or again),
                layout.commit,
                profile,
            ),
        )
        for entry, build, _ in made
    )
    missing = (
        *about_material(machine, builder),
        *about_kernel(kernel, entries[0].location),
        *about_parmfile(machine, kernel, byte_length(text), place),
        *(finding for _, _, findings in made for finding in findings),
    )
    return Rebuild(text, steps, (*warnings, *opening, *missing))


def line_inside(machine: Machine, entry: BootEntry) -> str | None:
    """Return the line inside the image that an entry boots; None if it is unknown.

    For an encrypted image it is the line of the running system, if that is in Secure Execution: no
    other kernel could run there.
    """
    image = machine.secure_image(entry)
    if image is not None and image.parameters is not None:
        return image.parameters
    return machine.running_line if machine.secure_guest else None


def changes_inside(
    profile: Profile, machine: Machine, stores: Stores, entry: BootEntry, plan: EntryPlan
) -> EntryPlan:
    """Return the plan of an entry with what its image must contain, if the current line is known."""
    inside = line_inside(machine, entry) if plan.status is EntryStatus.SEALED else None
    if inside is None:
        return plan
    before = stores.line(inside)
    after = wanted_line(profile, before, stores)
    return plan._replace(parameters=parameter_changes(profile.requirements, before, after))


def stay_inside(machine: Machine, found: NextIpl, allowed: str) -> Step:
    """Return what to do if zipl would make a plain kernel image the default.

    `allowed` is the command that does so anyway.
    """
    entry = next((each.entry for each in found.entries if each.secure and each.entry), None)
    if found.renewal is not None:
        on_purpose = f"leave Secure Execution deliberately: {allowed}"
        return Step("to stay in Secure Execution", (f"{found.renewal.remedy}; or", on_purpose))
    lines = ["build an image from the new kernel and make it the default; or"]
    if entry is not None:
        lines.append(f"make '{entry.name}' the default in {machine.conf_path}; or")
    lines += [
        "remove the plain kernel image or its boot entry; or",
        f"leave Secure Execution deliberately: {allowed}",
    ]
    return Step("to stay in Secure Execution", tuple(lines))


def first_line(
    machine: Machine,
    stores: Stores,
    entry: BootEntry | None,
    kernel: InstalledKernel | None,
    place: Location,
) -> tuple[str, tuple[Finding, ...]]:
    """Return the line that a new parmfile starts from, with a warning at `place` if there is none.

    It is the line inside the image that `entry` boots, or the one in the entry, or else that of the
    kernel to build from.
    """
    inside = None if entry is None else line_inside(machine, entry)
    if inside is not None:
        return inside, ()
    if entry is not None and entry.parmline:
        return entry.parmline, ()
    started = (kernel, *installed_kernels(machine))
    ordinary = next((each.entry for each in started if each and each.entry), None)
    if ordinary is not None:
        return stores.entry_planned(ordinary) or "", ()
    aside = next(iter(machine.image_material.old_entries), None)
    if aside is not None and entry is not None:
        return _put_aside(machine, entry, aside)
    return "", (incomplete_parmfile(place),)


def incomplete_parmfile(place: Location) -> Finding:
    """Warn that there is no line from which a new parmfile could start."""
    message = (
        "the other parameters of the image are unknown: the parmfile contains only those of the"
        " profile"
    )
    hint = "add root= and whatever else the image needs"
    return Finding("parmfile-incomplete", Severity.WARNING, message, place, hint)


def _put_aside(
    machine: Machine, entry: BootEntry, aside: OldEntry
) -> tuple[str, tuple[Finding, ...]]:
    """Return the line that pvics has probably made from an entry's."""
    message = (
        f"the parameters of the image come from {visible(aside.path)}, as with pvics; what pvics'"
        " configuration adds is unknown"
    )
    hint = "compare them with sel-kernel-parameter in pvics.yaml"
    found = Finding("parmfile-put-aside", Severity.WARNING, message, Location(aside.path), hint)
    image, path = machine.secure_image(entry) or SecureImage(), entry.image and entry.image.path
    first = f"{EARLY_BOOT} " if is_early_boot(image, path or "", None) else ""
    return f"{first}{aside.line}", (found,)


def _rebuilt(
    machine: Machine,
    entry: BootEntry,
    kernel: InstalledKernel | None,
    request: ParmfileRequest | None,
    builder: Builder,
) -> tuple[BootEntry, ImageBuild, tuple[Finding, ...]]:
    """Return how to rebuild the image of an entry, with the findings about that."""
    image, line = machine.secure_image(entry) or SecureImage(), line_inside(machine, entry)
    output = machine.kernel_files.target("" if entry.image is None else entry.image.path)
    options, found = as_before(image, output, line, builder, entry.location)
    given = None if request is None else _inside(machine, request.path)
    own = f"{machine.image_material.home}/{output.rpartition('/')[2]}.parmfile"
    if machine.prepared is not None:
        own = machine.prepared.real_path  # --parmfile is refused for a profile that names one
    build = ImageBuild(
        output,
        given or (own if request is None else request.path),
        kernel=None if kernel is None else kernel.path,
        ramdisk=None if kernel is None else kernel.ramdisk,
        untested=machine.image_material.free_names.get(output),
        parmfile_outside=request is not None and given is None,
        writes_parmfile=request is None and machine.prepared is None,
        options=options,
    )
    return entry, build, found


def as_before(
    image: SecureImage, output: str, line: str | None, builder: Builder, place: Location
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Return the options with which a new image allows what the old one does, with findings.

    `output` is the path of the image, `line` the one inside it, None if unknown.
    """
    early_boot = is_early_boot(image, output, line)
    options = kept_options(image, builder, early_boot=early_boot)
    found = [*about_options(image, builder, options, place)]
    if early_boot:
        found += about_early_boot(place, by_name=line is None)
    return options, tuple(found)


def _inside(machine: Machine, path: str) -> str | None:
    """Return a user's path as one inside the tree; None if it is not known to be there."""
    if machine.root == "/":
        return path
    start = f"{machine.root}/"
    return path[len(start) - 1 :] if path.startswith(start) and "/../" not in path else None
