"""Make a plan: the requirements of a profile against what was found on the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import ParseError, RefusedError
from secboot.finding import Finding, Severity
from secboot.invocation import Invocation
from secboot.ipl.boot_record import compare
from secboot.ipl.secure_execution import (
    UNSEALED_AFTER_ZIPL,
    UNSEALED_DEFAULT,
    leaves_by_files,
)
from secboot.ipl.secure_execution import findings as secure_findings
from secboot.lines.changes import meets, parameter_changes, wanted_line
from secboot.lines.fulfil import fulfil_line, require_fits
from secboot.lines.stores import Stores, stores_of
from secboot.plan.boot_entries import (
    LeftAlone,
    edited_entry,
    generated_entry,
    generated_line,
    reason_to_leave,
)
from secboot.plan.file_changes import file_changes, inputs_of
from secboot.plan.plan import EntryPlan, EntryStatus, Plan, ProfileReference
from secboot.plan.profile_image import (
    NO_IMAGE,
    ImagePlan,
    boots_its_image,
    of_built_image,
    plan_image,
    plan_image_alone,
    plan_parmfile,
)
from secboot.plan.secure_image import (
    HELD_BACK,
    LEAVES,
    ONLY_IMAGES,
    OWN_IMAGE,
    ParmfileRequest,
    line_inside,
    plan_rebuild,
    stay_inside,
)
from secboot.profile.search import reference_to
from secboot.visible import visible
from secboot.zipl.file_facts import PathKind
from secboot.zipl.refusal import ABOUT_OTHER_FILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from secboot.errors import Location
    from secboot.ipl.next_ipl import NextIpl
    from secboot.layout.layout import Layout
    from secboot.lines.changes import StorePlan
    from secboot.machine.discovery import Machine
    from secboot.profile.profile import Profile
    from secboot.running.system import LiveFacts
    from secboot.zipl.entry import BootEntry

_NO_FILES = frozenset({PathKind.DIRECTORY, PathKind.OTHER})
_SELECTED = frozenset({EntryStatus.CHANGE, EntryStatus.UNCHANGED, EntryStatus.GENERATED})


def make_plan(
    profile: Profile,
    machine: Machine,
    layout: Layout,
    *,
    with_zipl: bool,
    parmfile: ParmfileRequest | None = None,
    live: LiveFacts | None = None,
    allow_unsealed: bool = False,
) -> Plan:
    """Return what it takes to bring every selected boot entry to what the profile requires.

    `with_zipl` says that zipl is going to run here, so what would make it fail is a refusal and
    not only a warning. `parmfile` is where the user wants the parmfile of a rebuilt image. `live` is
    what is known of the running system, None for any other tree. With `allow_unsealed` zipl may make
    an ordinary kernel the default of a system that is to be in Secure Execution.
    Raises ParseError when zipl would refuse the boot files as they are, and RefusedError when the
    plan can't be made; both leave everything as it is.
    """
    if machine.prepared is not None and not boots_its_image(profile, machine):
        return plan_image_alone(profile, machine, layout, machine.prepared)
    layout.require_editable()
    if parmfile is not None and layout.builds_image:
        raise RefusedError(
            OWN_IMAGE, hint=f"without --parmfile, {_plan(profile, machine)} says how"
        )
    if not machine.sources.generated:
        _require_accepted(machine, with_zipl=with_zipl)
        _require_entries(machine)
    stores = stores_of(machine)
    next_ipl = layout.next_ipl(machine, compare(machine), stores)
    left = {
        entry: reason_to_leave(profile, machine, entry) for entry in machine.configuration.entries
    }
    store_plans, entry_plans = _lines(profile, machine, layout, stores, next_ipl, left)
    prepared = None
    if machine.prepared is not None:
        prepared = plan_parmfile(profile, machine, machine.prepared, stores)
    images = tuple(
        entry
        for entry, why in left.items()
        if why and why.status is EntryStatus.SEALED and not machine.is_prepared(entry)
    )
    images = () if layout.builds_image else images
    unmet = tuple(entry for entry in images if not _is_met_inside(profile, machine, entry, stores))
    rebuild = plan_rebuild(
        profile,
        machine,
        layout,
        stores,
        unmet if parmfile is None else images,
        parmfile,
        leaves=leaves_by_files(machine, next_ipl) is not None,
    )
    steps = layout.steps(profile, machine, stores)
    files = file_changes(machine, stores)
    image = NO_IMAGE
    if prepared is not None:
        image = plan_image(
            profile, machine, layout, stores, prepared, files, allow_unsealed=allow_unsealed
        )
        files = image.entry.files
        store_plans = (*store_plans, *image.stores)
        entry_plans = (
            *of_built_image(machine, tuple(left), entry_plans, image.built),
            *image.entries,
        )
    changed = tuple(f.path for f in files if f.path not in machine.only_prepared)
    commands = layout.due(profile, machine, next_ipl, stores, changed)
    refusal = layout.not_edited if steps else None
    steps = (*steps, *image.steps, *(() if rebuild is None else rebuild.steps))
    open_image = image.is_known_unmet and not files and not commands
    if (unmet or open_image) and None not in left.values() and not parmfile:
        refusal = ONLY_IMAGES
    stays = allow_unsealed or image.entry.becomes_default is not None
    if commands and not stays and leaves_by_files(machine, next_ipl) is not None:
        if machine.prepared is not None and prepared is not None and prepared.changes:
            # It is the first step to stay inside, and zipl does not read it.
            alone = plan_image_alone(profile, machine, layout, machine.prepared)
            found = _as_warnings(secure_findings(machine, next_ipl))
            return alone._replace(warnings=(HELD_BACK, *alone.warnings, *found))
        refusal = LEAVES
        steps = (stay_inside(machine, next_ipl, _allowed(profile, machine)), *steps)
    texts = {each.line_after for each in entry_plans if each.status in _SELECTED}
    planned = tuple(stores.line(text) for text in texts if text)
    return Plan(
        profile=ProfileReference.of(profile),
        root=machine.root,
        layout=layout.description,
        zipl_version=str(machine.zipl_version),
        entries=entry_plans,
        files=files,
        commands=commands,
        warnings=(
            *profile.warnings_for(None if live is None else live.memory, planned),
            *_warnings(profile, machine, entry_plans, with_zipl=with_zipl),
            *layout.warnings(profile, machine, stores),
            *image.warnings,
            *(() if rebuild is None else rebuild.warnings),
            *_version_warnings(machine),
            *_about_kernels(profile, machine, entry_plans, live),
            *_about_reboot(profile, machine, entry_plans, stores, next_ipl, live),
            *(_lost_words(next_ipl) if commands else ()),
            *_as_warnings(_without_default(machine, next_ipl, image)),
        ),
        inputs=inputs_of(machine),
        stores=store_plans,
        steps=steps,
        refusal=refusal,
        parmfile=prepared.text if prepared else rebuild.parmfile if rebuild else None,
        image_due=image.due,
    )


def _is_met_inside(profile: Profile, machine: Machine, entry: BootEntry, stores: Stores) -> bool:
    """Whether the line inside the image of an entry is known to meet the profile."""
    inside = line_inside(machine, entry)
    return inside is not None and meets(profile, stores.line(inside))


def _with_inside(
    profile: Profile, machine: Machine, stores: Stores, entry: BootEntry, plan: EntryPlan
) -> EntryPlan:
    """Add what a new image has to have, where the line inside the present one is known."""
    inside = line_inside(machine, entry) if plan.status is EntryStatus.SEALED else None
    if inside is None:
        return plan
    before = stores.line(inside)
    after = wanted_line(profile, before, stores)
    return plan._replace(parameters=parameter_changes(profile.requirements, before, after))


def _allowed(profile: Profile, machine: Machine) -> str:
    root = None if machine.root == "/" else machine.root
    return Invocation(profile=reference_to(profile), root=root).for_profile(
        "apply", "--allow-unsealed"
    )


def _plan(profile: Profile, machine: Machine) -> str:
    root = None if machine.root == "/" else machine.root
    return f"`{Invocation(profile=reference_to(profile), root=root).for_profile('plan')}`"


def _without_default(machine: Machine, found: NextIpl, image: ImagePlan) -> Iterator[Finding]:
    """What takes the system out of Secure Execution, but a default that the plan changes."""
    ends = {UNSEALED_DEFAULT, UNSEALED_AFTER_ZIPL} if image.entry.becomes_default else set()
    return (each for each in secure_findings(machine, found) if each.code not in ends)


def _as_warnings(findings: Iterable[Finding]) -> Iterator[Finding]:
    """They are no fault of what is planned, however bad."""
    for finding in findings:
        yield finding._replace(severity=Severity.WARNING)


def _lines(
    profile: Profile,
    machine: Machine,
    layout: Layout,
    stores: Stores,
    next_ipl: NextIpl,
    left: Mapping[BootEntry, LeftAlone | None],
) -> tuple[tuple[StorePlan, ...], tuple[EntryPlan, ...]]:
    """Bring the stores to what the profile requires; return what that makes of them and of entries."""
    if machine.sources.generated:
        store_plans = layout.plan_stores(profile, machine, stores)
        return store_plans, tuple(
            generated_line(profile, stores, state)
            if state.entry is None
            else generated_entry(
                profile,
                stores,
                state,
                left[state.entry],
                layout.entry_note(machine, state.entry, stores),
                builds_image=layout.builds_image,
            )
            for state in next_ipl.entries
            if state.entry is not None or state.location.line is not None
        )
    chosen = [entry for entry, why in left.items() if why is None]
    # What a shared parmfile has to hold is settled first: others of its entries may then be met.
    for entry in sorted(chosen, key=lambda e: e.parmfile is None or e.parameters is not None):
        fulfil_line(stores, stores.line_of(entry), profile.requirements)
    store_plans = layout.plan_stores(profile, machine, stores)
    plans = tuple(edited_entry(profile, stores, entry, why) for entry, why in left.items())
    plans = tuple(
        _with_inside(profile, machine, stores, *each) for each in zip(left, plans, strict=True)
    )
    for entry, plan in zip(left, plans, strict=True):
        if plan.status is EntryStatus.CHANGE or plan.line_after != plan.line_before:
            require_fits(entry, stores)
    return store_plans, plans


def _require_accepted(machine: Machine, *, with_zipl: bool) -> None:
    """Refuse to edit what zipl would refuse to read (all of it: one bad line stops zipl)."""
    problems = machine.configuration.problems
    impossible = tuple(_impossible(machine))
    blocking = [
        p
        for p in problems
        if with_zipl or p.code not in ABOUT_OTHER_FILES or p.location in impossible
    ]
    if not blocking:
        return
    first, others = blocking[0], len(blocking) - 1
    more = f" (and {others} more)" if others else ""
    raise ParseError(
        f"zipl would refuse this: {first.message}{more}",
        location=first.location,
        hint="\n".join(
            [
                *([] if first.hint is None else [_invocation(machine).completed(first.hint)]),
                f"nothing was changed; `{_invocation(machine).command('check')}` lists every problem",
            ]
        ),
    )


def _invocation(machine: Machine) -> Invocation:
    return Invocation(root=None if machine.root == "/" else machine.root)


def _impossible(machine: Machine) -> Iterator[Location]:
    """Where a boot entry names something that no kernel or ramdisk will ever be: a directory, say."""
    for entry in machine.configuration.entries:
        for part in (entry.image, entry.ramdisk):
            facts = None if part is None else machine.facts.get(part.path)
            if part is not None and facts is not None and facts.kind in _NO_FILES:
                yield part.location


def _require_entries(machine: Machine) -> None:
    if not machine.configuration.entries:
        raise RefusedError(
            "there is no boot entry: zipl.conf has no section and there are no BLS entries",
            hint="is the right root named, and is /boot mounted there?",
        )


def _warnings(
    profile: Profile, machine: Machine, plans: tuple[EntryPlan, ...], *, with_zipl: bool
) -> tuple[Finding, ...]:
    """Return what should be known about selection, zipl's reading, and shared files."""
    found = _selection_warnings(profile, machine, plans)
    if not with_zipl:
        found += [
            p._replace(severity=Severity.WARNING, message=f"zipl will refuse this: {p.message}")
            for p in machine.configuration.problems
            if p.code in ABOUT_OTHER_FILES
        ]
    found += machine.configuration.warnings
    found += [
        Finding(
            "shared-parmfile",
            Severity.WARNING,
            f"'{plan.name}' changes too: it shares a parmfile with an entry that is selected",
            plan.location,
        )
        for plan in plans
        if plan.status not in {EntryStatus.CHANGE, EntryStatus.GENERATED}
        and plan.line_after not in {None, plan.line_before}
    ]
    return tuple(found)


def _lost_words(found: NextIpl) -> Iterator[Finding]:
    """Tell what a run of zipl takes out of a boot record that was not made from the files."""
    for choice in found.choices:
        if found.record.from_options and choice.added:
            message = (
                f"{choice.location} was made from options of zipl, and its line has words that no"
                f" boot file has; zipl writes it without them: {visible(choice.added)}"
            )
            yield Finding("record-loses-words", Severity.WARNING, message)


def _version_warnings(machine: Machine) -> tuple[Finding, ...]:
    if not machine.zipl_version_is_assumed:
        return ()
    message = (
        f"zipl is not installed in {machine.root}; its version is taken to be"
        f" {machine.zipl_version}"
    )
    return (Finding("zipl-version", Severity.WARNING, message),)


def _about_kernels(
    profile: Profile, machine: Machine, plans: tuple[EntryPlan, ...], live: LiveFacts | None
) -> tuple[Finding, ...]:
    if not machine.old_kernels:
        return ()
    from secboot.plan.kernel_warnings import kernel_warnings  # noqa: PLC0415 - for few machines

    selected = [plan for plan in plans if plan.status in _SELECTED]
    return kernel_warnings(profile, machine, selected, live)


def _about_reboot(
    profile: Profile,
    machine: Machine,
    plans: tuple[EntryPlan, ...],
    stores: Stores,
    next_ipl: NextIpl,
    live: LiveFacts | None,
) -> tuple[Finding, ...]:
    if live is None or live.reboot is None:
        return ()
    from secboot.plan.reboot_warnings import reboot_warnings  # noqa: PLC0415 - of the running system alone

    return reboot_warnings(profile, machine, plans, stores.environment, next_ipl, live.reboot)


def _selection_warnings(
    profile: Profile, machine: Machine, plans: tuple[EntryPlan, ...]
) -> list[Finding]:
    names = tuple(entry.name for entry in machine.configuration.entries)
    found = [
        Finding(
            "no-such-entry",
            Severity.WARNING,
            f"no boot entry is called {pattern!r}, as the profile says",
        )
        for pattern in profile.entries.unmatched(names)
    ]
    if plans and not any(plan.status in _SELECTED | {EntryStatus.SEALED} for plan in plans):
        message = "the profile selects no boot entry of this machine"
        found.append(Finding("no-entry", Severity.WARNING, message))
    return found
