"""The Secure Execution image that a profile names: its parmfile, its boot entry, and the next steps.

The parmfile is a store like any other, except that no boot record is made from it. Its content
becomes the guest's parameter line when the image is built. secboot does not build it, because that
needs keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.finding import Finding, Severity
from secboot.formats.kernel_image import LEGACY_PARAMETER_LIMIT
from secboot.ipl.installed_kernels import InstalledKernel, kernel_to_take
from secboot.kernel.image_line import unfit
from secboot.lines.changes import (
    ParameterChange,
    Step,
    StorePlan,
    edited_store,
    meets,
    parameter_changes,
)
from secboot.lines.fulfil import ASSUMED_LIMIT, fulfil_line, require_length
from secboot.lines.stores import ParameterLine, Store, StoreKind, Stores, stores_of
from secboot.named_tuple import NamedTuple
from secboot.plan.file_changes import file_changes, inputs_of
from secboot.plan.image_entry import EntryChange, leaves, plan_entry
from secboot.plan.image_findings import about_kernel, about_material
from secboot.plan.image_recipe import ImageBuild, builder_for, recipe
from secboot.plan.plan import EntryPlan, EntryStatus, Plan, ProfileReference
from secboot.plan.secure_image import as_before, first_line, incomplete_parmfile
from secboot.profile.profile import EntryScope, is_named_as_parmfile
from secboot.profile.requirement import Role
from secboot.profile.search import reference_to
from secboot.visible import visible
from secboot.zipl.file_facts import PathKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.layout.layout import Layout
    from secboot.machine.discovery import Machine
    from secboot.machine.prepared_image import PreparedImage
    from secboot.profile.profile import Profile
    from secboot.system.files import FileChange
    from secboot.zipl.entry import BootEntry


class ParmfilePlan(NamedTuple):
    """What happens to the parmfile: its new text, and whether that differs from the current one."""

    prepared: PreparedImage
    text: str
    changes: bool
    store: StorePlan
    warnings: tuple[Finding, ...]


_BY_TIMES = "by its modification time, it was built from the current parmfile"


class ImagePlan(NamedTuple):
    """What happens to the image, in addition to its parmfile.

    `entry` has all file changes, `due` says why the image must be built. `is_known_unmet` says that
    the line inside does not meet the profile, `built` what happens to the parameters of an image
    that need not be built.
    """

    entry: EntryChange
    stores: tuple[StorePlan, ...] = ()
    steps: tuple[Step, ...] = ()
    warnings: tuple[Finding, ...] = ()
    due: str | None = None
    is_known_unmet: bool = False
    built: tuple[ParameterChange, ...] | None = None

    @property
    def entries(self) -> tuple[EntryPlan, ...]:
        """The boot entry that is added, if any."""
        return () if self.entry.added is None else (self.entry.added,)


NO_IMAGE = ImagePlan(EntryChange(()))


def plan_parmfile(
    profile: Profile, machine: Machine, prepared: PreparedImage, stores: Stores
) -> ParmfilePlan:
    """Update the parmfile to match the profile; the plans of the entries must be final.

    A new parmfile starts from what is known about the image's line (`first_line`). Raises
    RefusedError if editing cannot meet the profile, if the line is too long, if the parmfile cannot
    be read, and if the output is a plain kernel image.
    """
    path, place = prepared.paths.parmfile, Location(prepared.paths.parmfile)
    if prepared.image is not None and prepared.secure is None:
        raise RefusedError(
            f"{visible(prepared.paths.output)} is not a Secure Execution image, and the image would"
            " replace it",
            location=prepared.paths.place(prepared.paths.output),
            hint="name a different `output` for the image, or remove that file",
        )
    if prepared.unreadable is not None:
        raise RefusedError(f"the parmfile cannot be read: {prepared.unreadable}", location=place)
    store = Store(StoreKind.PARMFILE, prepared.real_path)
    found = None if prepared.parmfile is None else prepared.parmfile.text
    if store not in stores:  # otherwise zipl reads it, too
        stores.add(store, found)
    warnings: tuple[Finding, ...] = ()
    kernel = _kernel(profile, machine)
    if found is None:
        entry = next(filter(machine.is_prepared, machine.configuration.entries), None)
        inside = None if prepared.secure is None else prepared.secure.parameters
        text, warnings = inside, ()
        if text is None and boots_its_image(profile, machine):
            text, warnings = first_line(machine, stores, entry, kernel, place)
        elif text is None:
            text, warnings = "", (incomplete_parmfile(place),)
        stores.set_line(store, stores.line(stores.environment.expand(text)))
    line = ParameterLine(path, place, (store,), lambda: stores.text(store) or "")
    fulfil_line(stores, line, profile.requirements)
    if found is None and not line.joined().endswith("\n"):
        stores.set_line(store, stores.line(f"{line.joined()}\n"))
    after = stores.line(line.joined())
    if after.text != found:
        limit = _limit(machine, prepared, kernel)
        require_length(path, place, after.text, limit, hint="shorten the line")
    plan = edited_store(profile, _name(prepared), place, stores.line(found), after)
    opening = () if profile.role is Role.HOST else unfit(after)
    if reference_to(profile) == profile.path and not is_named_as_parmfile(path):
        warnings = (*warnings, _not_to_be_rolled_back(prepared))
    return ParmfilePlan(
        prepared,
        after.text,
        after.text != found,
        plan if found is not None else plan._replace(note="a new file"),
        (*warnings, *(each._replace(location=place) for each in opening)),
    )


def _not_to_be_rolled_back(prepared: PreparedImage) -> Finding:
    """Warn that a later rollback cannot know that the profile, which has no name here, named the file."""
    path = visible(prepared.paths.parmfile)
    message = f"`rollback` will refuse to change {path}, because its name is not that of a parmfile"
    hint = "use a name such as guest.parm, or keep the profile in /etc/secboot/profiles"
    return Finding("image-parmfile-name", Severity.WARNING, message, prepared.paths.location, hint)


def line_in_image(machine: Machine, prepared: PreparedImage) -> str | None:
    """Return the line inside the image; None if it is unknown.

    For an encrypted image it is the line of the running system, which is in Secure Execution, unless
    the image was rebuilt since.
    """
    if prepared.secure is None or prepared.secure.parameters is not None:
        return None if prepared.secure is None else prepared.secure.parameters
    booted = any(map(machine.is_prepared, machine.configuration.entries))
    return machine.running_line if machine.secure_guest and booted else None


def plan_image(
    profile: Profile,
    machine: Machine,
    layout: Layout,
    stores: Stores,
    parmfile: ParmfilePlan,
    files: tuple[FileChange, ...],
    *,
    allow_unsealed: bool = False,
) -> ImagePlan:
    """Return what else happens to the image, in addition to the changes in `files`.

    The arguments are those of `make_plan`.
    """
    prepared, entry = parmfile.prepared, EntryChange(files)
    why = _why_build(profile, machine, parmfile, stores)
    if boots_its_image(profile, machine):
        entry = plan_entry(
            machine,
            layout,
            prepared,
            files,
            is_due=why is not None,
            allow_unsealed=allow_unsealed,
        )
    notes = [] if why is None else [f"the image must be built: {why}"]
    notes += [entry.note] if entry.note else []
    store = parmfile.store._replace(note="; ".join(filter(None, [parmfile.store.note, *notes])))
    warnings = (*parmfile.warnings, *entry.warnings, *_about_output(prepared, layout))
    steps: tuple[Step, ...] = ()
    if why is not None and not layout.builds_image:
        stays = allow_unsealed or entry.becomes_default is not None or not leaves(machine)
        step, found = _build_step(profile, machine, layout, prepared, stays=stays)
        steps, warnings = (step,), (*warnings, *found)
    inside = line_in_image(machine, prepared)
    unmet = why is not None and inside is not None and not meets(profile, stores.line(inside))
    line = stores.line(parmfile.text)
    built = None if why is not None else parameter_changes(profile.requirements, line, line)
    return ImagePlan(entry, (store,), steps, warnings, due=why, is_known_unmet=unmet, built=built)


def of_built_image(
    machine: Machine,
    entries: tuple[BootEntry, ...],
    plans: tuple[EntryPlan, ...],
    built: tuple[ParameterChange, ...] | None,
) -> Iterator[EntryPlan]:
    """Add to the entries that boot the image that it need not be built, if it is `built`."""
    ours = {(each.path, each.name) for each in entries if machine.is_prepared(each)}
    for plan in plans:
        is_ours = (plan.location.path, plan.name) in ours and plan.status is EntryStatus.SEALED
        if not is_ours or built is None or plan.parameters:
            yield plan
        else:
            yield plan._replace(parameters=built, note=f"{plan.note}; {_BY_TIMES}")


def plan_image_alone(
    profile: Profile, machine: Machine, layout: Layout, prepared: PreparedImage
) -> Plan:
    """Plan only the parmfile of an image, for another machine or for one without boot entries."""
    stores = stores_of(machine)
    parmfile = plan_parmfile(profile, machine, prepared, stores)
    image = plan_image(profile, machine, layout, stores, parmfile, file_changes(machine, stores))
    warnings = (*profile.warnings_for(None, (stores.line(parmfile.text),)), *image.warnings)
    if not machine.configured:
        message = "no zipl configuration found: only the parmfile of the image is planned"
        warnings = (Finding("no-configuration", Severity.WARNING, message), *warnings)
    return Plan(
        profile=ProfileReference.of(profile),
        root=machine.root,
        layout=layout.description,
        zipl_version=str(machine.zipl_version),
        entries=(),
        files=image.entry.files,
        commands=(),
        warnings=warnings,
        inputs=inputs_of(machine),
        stores=image.stores,
        steps=image.steps,
        parmfile=parmfile.text,
        image_due=image.due,
    )


def _why_build(
    profile: Profile, machine: Machine, parmfile: ParmfilePlan, stores: Stores
) -> str | None:
    """Return why the image must be built; None if there is no reason."""
    prepared = parmfile.prepared
    output = visible(prepared.paths.output)
    if prepared.output.kind is PathKind.MISSING:
        return f"{output} does not exist yet"
    late = parmfile.changes or prepared.is_older
    inside = line_in_image(machine, prepared)
    if inside is None:
        return f"{output} was built before its parmfile changed" if late else None
    if meets(profile, stores.line(inside)):
        return None
    certain = prepared.secure is not None and prepared.secure.parameters is not None
    return (
        f"the parameter line inside {output} does not meet the profile" if certain or late else None
    )


def _about_output(prepared: PreparedImage, layout: Layout) -> Iterator[Finding]:
    output, place = visible(prepared.paths.output), Location(prepared.paths.output)
    if layout.builds_image:
        message = f"this system builds its image itself and does not read {prepared.paths.parmfile}"
        yield Finding("image-of-the-system", Severity.WARNING, message, prepared.paths.location)
    for path in prepared.missing:
        message = f"{visible(path)} not found (needed to build the image)"
        named = prepared.paths.place(path)
        yield Finding("image-source-missing", Severity.WARNING, message, named)
    if prepared.kernel is not None and prepared.kernel.secure is not None:
        message = f"the `kernel` {visible(prepared.paths.kernel or '')} is a Secure Execution image"
        hint = "name the plain kernel image to build the image from"
        named = prepared.paths.place(prepared.paths.kernel or "")
        yield Finding("image-of-image", Severity.WARNING, message, named, hint)
    if prepared.output.kind not in {PathKind.MISSING, PathKind.REGULAR}:
        message = f"{output} cannot be read: {prepared.output.reason}"
        yield Finding("image-unreadable", Severity.WARNING, message, place)


def _build_step(
    profile: Profile, machine: Machine, layout: Layout, prepared: PreparedImage, *, stays: bool
) -> tuple[Step, tuple[Finding, ...]]:
    """Return how to build the image from the parmfile and boot it, with the findings about that.

    `stays` says that zipl does not make a plain kernel image the default unintentionally.
    """
    paths, output, builder = prepared.paths, prepared.real_output, builder_for(machine)
    kernel, place = _kernel(profile, machine), Location(paths.output)
    if paths.kernel is not None:
        kernel = InstalledKernel(paths.kernel, paths.ramdisk)
    options: tuple[str, ...] = ()
    kept: tuple[Finding, ...] = ()
    if prepared.secure is not None:
        line = line_in_image(machine, prepared)
        options, kept = as_before(prepared.secure, output, line, builder, place)
    boots_here = boots_its_image(profile, machine)
    has_entry = any(map(machine.is_prepared, machine.configuration.entries))
    build = ImageBuild(
        output,
        prepared.real_path,
        kernel=None if kernel is None else kernel.path,
        ramdisk=paths.ramdisk or (None if kernel is None else kernel.ramdisk),
        untested=machine.image_material.free_names.get(output),
        replaces=prepared.output.kind is not PathKind.MISSING,
        leaves=boots_here and has_entry and not stays,
        adds_entry=not has_entry,
        boots_here=boots_here,
        options=options,
    )
    found = [*about_material(machine, builder)]
    if boots_here or kernel is not None:
        found += about_kernel(kernel, place)
    title = f"to build the Secure Execution image {paths.output} from its parmfile"
    commit = layout.commit if boots_here else ()
    lines = recipe(machine, builder, build, commit, profile)
    return Step(title, lines), (*found, *kept)


def boots_its_image(profile: Profile, machine: Machine) -> bool:
    """Whether the machine boots the image, rather than only preparing it for another machine."""
    return machine.configured and profile.entries.scope is not EntryScope.NONE


def _kernel(profile: Profile, machine: Machine) -> InstalledKernel | None:
    """Return the kernel to build from; None if the image is for another machine."""
    return kernel_to_take(machine) if boots_its_image(profile, machine) else None


def _limit(machine: Machine, prepared: PreparedImage, kernel: InstalledKernel | None) -> int:
    """Return the longest line that the image's kernel accepts, in bytes with the NUL."""
    if prepared.kernel is not None:
        limit = prepared.kernel.max_command_line
    else:
        facts = None if kernel is None else machine.facts.get(kernel.path)
        limit = None if facts is None else facts.max_parm_size
    if limit is None:
        return ASSUMED_LIMIT
    return limit or LEGACY_PARAMETER_LIMIT


def _name(prepared: PreparedImage) -> str:
    return f"Parmfile of the Secure Execution image {prepared.paths.output}"
