"""What a plan does about Secure Execution images: their parmfile, their boot entry, their rebuild.

Most machines have none, and for them nothing of that is imported.
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
    """What a plan is made for, and of; `left` says of each boot entry why it is left alone."""

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
    """What becomes of a plan by the images.

    `files` and `entries` are all of the plan. `parmfile` is what a rebuild needs, `due` why the
    image of the profile has to be built. `lacks` is whether an image is not known to hold what the
    profile asks, `is_known` whether that is known of the profile's own. `leaves` is whether zipl
    would take the system out of Secure Execution, and `first_step` whether a parmfile is to be
    written that gets it back.
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
        """The files that zipl or another program reads; it does not read a parmfile for an image."""
        return tuple(file.path for file in self.files if file.path not in machine.only_prepared)


def plan_images(asked: Asked, entries: tuple[EntryPlan, ...]) -> Images:
    """Return what the images add to the plan of the boot entries; its stores are settled.

    Raises RefusedError when the parmfile of an image can't be brought to the profile.
    """
    machine = asked.machine
    if asked.parmfile is not None and asked.layout.builds_image:
        hint = f"without --parmfile, `{asked.command('plan')}` says how"
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
    """The entries with an image that neither the profile names nor the system builds itself."""
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
    """What takes the system out of Secure Execution, but a default that the plan changes.

    They are no fault of what is planned, however bad.
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
    """Add to entries with an image what a new one has to have, where the present line is known."""
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
    """Say why the plan can't be applied, if so, and what somebody else has to do."""
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
    """Return the plan of the parmfile alone: the first step back, which zipl does not read."""
    from secboot.plan.profile_image import plan_image_alone  # noqa: PLC0415 - of few machines

    prepared = asked.machine.prepared
    if prepared is None:
        raise LookupError
    alone = plan_image_alone(asked.profile, asked.machine, asked.layout, prepared)
    found = _about_next_ipl(asked, becomes_default=False)
    return alone._replace(warnings=(_HELD_BACK, *alone.warnings, *found))


_ONLY_IMAGES = (
    "every boot entry that the profile selects boots a Secure Execution image: its parameter line is"
    " inside, and changes only when the image is rebuilt"
)
_OWN_IMAGE = (
    "this system builds its Secure Execution image itself, with a parmfile of its own: there is none"
    " to write"
)
_LEAVES = (
    "zipl would make an ordinary kernel the default, and the next IPL would leave Secure Execution"
)
_HELD_BACK = Finding(
    "held-back",
    Severity.WARNING,
    "only the parmfile of the image is planned: all else has to wait until the image is the default,"
    " since zipl would make that an ordinary kernel",
)
