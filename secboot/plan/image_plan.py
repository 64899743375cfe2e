"""The part of a plan about Secure Execution images: their parmfile, boot entry and rebuild.

Most machines have none, and then none of that is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.finding import Finding, Severity
from secboot.ipl.next_ipl import is_meant_secure
from secboot.lines.changes import meets
from secboot.named_tuple import NamedTuple
from secboot.plan.file_changes import file_changes
from secboot.plan.plan import EntryPlan, EntryStatus, ParmfileRequest
from secboot.profile.search import invocation_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from secboot.ipl.next_ipl import NextIpl
    from secboot.layout.layout import Layout
    from secboot.lines.changes import Command, Step, StorePlan
    from secboot.lines.stores import Stores
    from secboot.machine.discovery import Machine
    from secboot.plan.boot_entries import LeftAlone
    from secboot.plan.plan import Plan
    from secboot.profile.profile import Profile
    from secboot.system.files import FileChange
    from secboot.zipl.entry import BootEntry


class Asked(NamedTuple):
    """The inputs of a plan; `left` says for each boot entry why it is skipped, if it is."""

    profile: Profile
    machine: Machine
    layout: Layout
    stores: Stores
    next_ipl: NextIpl
    left: Mapping[BootEntry, LeftAlone | None]
    parmfile: ParmfileRequest | None
    allow_unsealed: bool

    def command(self, verb: str, *words: str) -> str:
        """Return a command for this profile and this root."""
        return invocation_for(self.profile, self.machine.root).for_profile(verb, *words)


class Images(NamedTuple):
    """A plan with the part about its images.

    `files` and `entries` are all of the plan. `parmfile` is the one that a rebuild needs, `due` says
    why the profile's image must be built. `lacks` tells whether an image is not known to meet the
    profile, `is_known` whether the profile's own image is known not to meet it. `leaves` tells
    whether zipl would take the system out of Secure Execution, and `first_step` whether the plan
    writes a parmfile that gets it back.
    """

    files: tuple[FileChange, ...]
    entries: tuple[EntryPlan, ...]
    stores: tuple[StorePlan, ...] = ()
    steps: tuple[Step, ...] = ()
    warnings: tuple[Finding, ...] = ()
    parmfile: str | None = None
    due: str | None = None
    lacks: bool = False
    is_known: bool = False
    leaves: bool = False
    first_step: bool = False

    def changed(self, machine: Machine) -> tuple[str, ...]:
        """Return the files that zipl or another program reads; they do not read an image's parmfile."""
        return tuple(file.path for file in self.files if file.path not in machine.only_prepared)


def plan_images(asked: Asked, entries: tuple[EntryPlan, ...]) -> Images:
    """Return what the images add to the plan of the boot entries, whose stores are final.

    Raises RefusedError if the parmfile of an image cannot be updated to match the profile.
    """
    machine = asked.machine
    if asked.parmfile is not None and asked.layout.builds_image:
        hint = f"`{asked.command('plan')}`, without --parmfile, shows how"
        raise RefusedError(_OWN_IMAGE, hint=hint)
    nothing_asked = machine.prepared is None and asked.parmfile is None
    if nothing_asked and not is_meant_secure(machine, asked.next_ipl):
        return Images(file_changes(machine, asked.stores), entries)
    return _plan_images(asked, entries)


def _plan_images(asked: Asked, entries: tuple[EntryPlan, ...]) -> Images:
    from secboot.ipl.secure_execution import leaves_by_files  # noqa: PLC0415 - of few machines
    from secboot.plan import profile_image  # noqa: PLC0415 - of few machines
    from secboot.plan.secure_image import plan_rebuild  # noqa: PLC0415 - of few machines

    profile, machine, layout, stores = asked[:4]
    prepared = None
    if machine.prepared is not None:
        prepared = profile_image.plan_parmfile(profile, machine, machine.prepared, stores)
    images = tuple(_rebuilt_by_hand(asked))
    unmet = tuple(entry for entry in images if not _is_met_inside(asked, entry))
    leaves = leaves_by_files(machine, asked.next_ipl) is not None
    rebuild = plan_rebuild(
        profile,
        machine,
        layout,
        stores,
        unmet if asked.parmfile is None else images,
        asked.parmfile,
        leaves=leaves,
    )
    files, image = file_changes(machine, stores), profile_image.NO_IMAGE
    if prepared is not None:
        image = profile_image.plan_image(
            profile, machine, layout, stores, prepared, files, allow_unsealed=asked.allow_unsealed
        )
        files = image.entry.files
        known = profile_image.of_built_image(machine, tuple(asked.left), entries, image.built)
        entries = (*known, *image.entries)
    rebuilt = None if rebuild is None else rebuild.parmfile
    becomes_default = image.entry.becomes_default is not None
    return Images(
        files,
        entries,
        image.stores,
        (*image.steps, *(() if rebuild is None else rebuild.steps)),
        (
            *image.warnings,
            *(() if rebuild is None else rebuild.warnings),
            *_about_next_ipl(asked, becomes_default=becomes_default),
        ),
        prepared.text if prepared is not None else rebuilt,
        image.due,
        lacks=bool(unmet),
        is_known=image.is_known_unmet,
        leaves=leaves and not asked.allow_unsealed and not becomes_default,
        first_step=prepared is not None and prepared.changes,
    )


def _rebuilt_by_hand(asked: Asked) -> Iterator[BootEntry]:
    """Yield entries with an image that the profile does not name and the system does not build."""
    if asked.layout.builds_image:
        return
    for entry, why in asked.left.items():
        is_image = why is not None and why.status is EntryStatus.SEALED
        if is_image and not asked.machine.is_prepared(entry):
            yield entry


def _is_met_inside(asked: Asked, entry: BootEntry) -> bool:
    """Whether the line inside the image of an entry is known to meet the profile."""
    from secboot.plan.secure_image import line_inside  # noqa: PLC0415 - of few machines

    inside = line_inside(asked.machine, entry)
    return inside is not None and meets(asked.profile, asked.stores.line(inside))


def _about_next_ipl(asked: Asked, *, becomes_default: bool) -> Iterable[Finding]:
    """Yield what takes the system out of Secure Execution, except a default that the plan changes.

    They are at most warnings, because the plan does not cause them.
    """
    from secboot.ipl.secure_execution import (  # noqa: PLC0415 - of few machines
        UNSEALED_AFTER_ZIPL,
        UNSEALED_DEFAULT,
        findings,
    )

    ends = {UNSEALED_DEFAULT, UNSEALED_AFTER_ZIPL} if becomes_default else set()
    for each in findings(asked.machine, asked.next_ipl):
        if each.code not in ends:
            is_error = each.severity is Severity.ERROR
            yield each._replace(severity=Severity.WARNING) if is_error else each


def with_line_inside(asked: Asked, plans: tuple[EntryPlan, ...]) -> tuple[EntryPlan, ...]:
    """Add to entries with an image what a new image must contain, if the current line is known."""
    if not any(plan.status is EntryStatus.SEALED for plan in plans):
        return plans
    from secboot.plan.secure_image import changes_inside  # noqa: PLC0415 - of few machines

    return tuple(
        changes_inside(asked.profile, asked.machine, asked.stores, entry, plan)
        for entry, plan in zip(asked.left, plans, strict=True)
    )


def refusal_of(
    asked: Asked, images: Images, commands: tuple[Command, ...]
) -> tuple[str | None, tuple[Step, ...]]:
    """Return why the plan cannot be applied, if so, and what somebody else must do."""
    steps = asked.layout.steps(asked.profile, asked.machine, asked.stores)
    refusal = asked.layout.not_edited if steps else None
    steps = (*steps, *images.steps)
    is_open = images.is_known and not images.files and not commands
    only_images = None not in asked.left.values() and asked.parmfile is None
    if (images.lacks or is_open) and only_images:
        refusal = _ONLY_IMAGES
    if commands and images.leaves:
        from secboot.plan.secure_image import stay_inside  # noqa: PLC0415 - of few machines

        allowed = asked.command("apply", "--allow-unsealed")
        return _LEAVES, (stay_inside(asked.machine, asked.next_ipl, allowed), *steps)
    return refusal, steps


def parmfile_first(asked: Asked) -> Plan:
    """Return the plan of the parmfile alone, which zipl does not read: the first step back."""
    from secboot.plan.profile_image import plan_image_alone  # noqa: PLC0415 - of few machines

    prepared = asked.machine.prepared
    if prepared is None:
        raise LookupError
    alone = plan_image_alone(asked.profile, asked.machine, asked.layout, prepared)
    found = _about_next_ipl(asked, becomes_default=False)
    return alone._replace(warnings=(_HELD_BACK, *alone.warnings, *found))


_ONLY_IMAGES = (
    "all boot entries that the profile selects boot a Secure Execution image: its parameter line is"
    " inside and changes only when the image is rebuilt"
)
_OWN_IMAGE = (
    "this system builds its Secure Execution image itself, with its own parmfile: secboot does not"
    " write one"
)
_LEAVES = "zipl would make a plain kernel image the default, and the next IPL would leave Secure Execution"
_HELD_BACK = Finding(
    "held-back",
    Severity.WARNING,
    "only the parmfile of the image is planned: until the image is the default, running zipl would"
    " make a plain kernel image the default",
)
