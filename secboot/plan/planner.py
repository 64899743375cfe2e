"""Make a plan: compare the requirements of a profile with what was found on the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location, ParseError, RefusedError
from secboot.finding import Finding, Severity
from secboot.invocation import Invocation
from secboot.ipl.boot_record import compare
from secboot.lines.fulfil import fulfil_line, is_met_only_uncut, require_fits
from secboot.lines.stores import Stores, stores_of
from secboot.machine.zipl_conf_file import no_zipl_conf
from secboot.plan.boot_entries import (
    edited_entry,
    generated_entry,
    generated_line,
    left_alone,
    reason_to_leave,
)
from secboot.plan.file_changes import inputs_of
from secboot.plan.image_plan import Asked, parmfile_first, plan_images, refusal_of, with_line_inside
from secboot.plan.plan import TRIAL_STANDS, EntryPlan, EntryStatus, Plan, ProfileReference
from secboot.visible import visible
from secboot.zipl.file_facts import PathKind
from secboot.zipl.refusal import ABOUT_OTHER_FILES, OF_NO_ENTRY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.ipl.next_ipl import NextIpl
    from secboot.layout.layout import Layout
    from secboot.lines.changes import StorePlan
    from secboot.machine.discovery import Machine
    from secboot.plan.plan import ParmfileRequest
    from secboot.profile.profile import Profile
    from secboot.running.system import LiveFacts

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
    """Return the plan that makes every selected boot entry match the profile.

    `with_zipl` says that zipl will run here, so anything that would make it fail is a refusal, not
    just a warning. `parmfile` is the user's file for the parmfile of a rebuilt image. `live` is what
    is known about the running system, None for any other tree. With `allow_unsealed` zipl may make a
    plain kernel image the default of a system that should run in Secure Execution.
    Raises ParseError if zipl would refuse the current boot files, and RefusedError if the plan cannot
    be made; neither changes anything.
    """
    if machine.prepared is not None:
        from secboot.plan.profile_image import (  # noqa: PLC0415 - of few machines
            boots_its_image,
            plan_image_alone,
        )

        if not boots_its_image(profile, machine):
            return plan_image_alone(profile, machine, layout, machine.prepared)
    layout.require_editable()
    if machine.awaits_kernel and layout.not_edited is None:
        from secboot.plan.before_kernel import plan_before_kernel  # noqa: PLC0415 - of few trees

        return plan_before_kernel(profile, machine, layout)
    if not machine.sources.generated:
        if {p.code for p in machine.configuration.problems} <= OF_NO_ENTRY | ABOUT_OTHER_FILES:
            _require_entries(machine)
        _require_accepted(machine, with_zipl=with_zipl)
        _require_entries(machine)
    stores = stores_of(machine)
    asked = Asked(
        profile,
        machine,
        layout,
        stores,
        layout.next_ipl(machine, compare(machine), stores),
        {
            entry: reason_to_leave(profile, machine, entry)
            for entry in machine.configuration.entries
        },
        parmfile,
        allow_unsealed,
    )
    store_plans, entry_plans = _lines(asked)
    images = plan_images(asked, entry_plans)
    commands = layout.due(profile, machine, asked.next_ipl, stores, images.changed(machine))
    commands = () if machine.lacks_conf else commands
    if commands and images.leaves and images.first_step:
        return parmfile_first(asked)
    refusal, steps = refusal_of(asked, images, commands)
    return Plan(
        profile=ProfileReference.of(profile),
        root=machine.root,
        layout=layout.description,
        zipl_version=str(machine.zipl_version),
        entries=images.entries,
        files=images.files,
        commands=commands,
        warnings=(
            *_about_lines(asked, images.entries, live),
            *_warnings(profile, machine, images.entries, with_zipl=with_zipl),
            *layout.warnings(profile, machine, stores),
            *images.warnings,
            *_about_conf(machine),
            *_version_warnings(machine),
            *_about_kernels(profile, machine, images.entries, live),
            *_about_reboot(profile, machine, images.entries, stores, asked.next_ipl, live),
            *(_lost_words(asked.next_ipl) if commands else ()),
        ),
        inputs=inputs_of(machine),
        stores=(*store_plans, *images.stores),
        steps=steps,
        refusal=refusal,
        parmfile=images.parmfile,
        image_due=images.due,
    )


def _about_conf(machine: Machine) -> Iterator[Finding]:
    if machine.lacks_conf:
        yield no_zipl_conf(machine.conf_path, Invocation.on(machine.root).command("init"))


def _about_lines(
    asked: Asked, entries: tuple[EntryPlan, ...], live: LiveFacts | None
) -> tuple[Finding, ...]:
    """Return the profile's warnings about the planned lines."""
    texts = {each.line_after for each in entries if each.status in _SELECTED}
    planned = tuple(asked.stores.line(text) for text in texts if text)
    return asked.profile.warnings_for(None if live is None else live.memory, planned)


def _lines(asked: Asked) -> tuple[tuple[StorePlan, ...], tuple[EntryPlan, ...]]:
    """Update the stores to match the profile; return the plans of the stores and of the entries."""
    profile, machine, layout, stores, next_ipl, left = asked[:6]
    if machine.sources.generated:
        store_plans = layout.plan_stores(profile, machine, stores)
        return store_plans, tuple(
            generated_line(profile, stores, state)
            if state.entry is None
            else generated_entry(
                profile,
                stores,
                state,
                left[state.entry] or left_alone(layout.left_alone(state)),
                layout.entry_note(machine, state.entry, stores),
                builds_image=layout.builds_image,
            )
            for state in next_ipl.entries
            if state.entry is not None or state.location.line is not None
        )
    chosen = [entry for entry, why in left.items() if why is None]
    # Shared parmfiles come first: with them, other entries may already match.
    for entry in sorted(chosen, key=lambda e: e.parmfile is None or e.parameters is not None):
        fulfil_line(stores, stores.line_of(entry), profile.requirements)
    store_plans = layout.plan_stores(profile, machine, stores)
    plans = tuple(edited_entry(profile, stores, entry, why) for entry, why in left.items())
    plans = with_line_inside(asked, plans)
    for (entry, why), plan in zip(left.items(), plans, strict=True):
        changes = plan.status is EntryStatus.CHANGE or plan.line_after != plan.line_before
        if changes or (why is None and is_met_only_uncut(profile.requirements, entry, stores)):
            require_fits(entry, stores)
    return store_plans, plans


def _require_accepted(machine: Machine, *, with_zipl: bool) -> None:
    """Refuse to edit files that zipl would refuse to read; one bad line is enough for zipl."""
    problems = machine.configuration.problems
    impossible = frozenset(_impossible(machine))
    blocking = [
        p
        for p in problems
        if with_zipl or p.code not in ABOUT_OTHER_FILES or p.location in impossible
    ]
    if not blocking:
        return
    first, others = blocking[0], len(blocking) - 1
    more = f" (and {others} more)" if others else ""
    here = Invocation.on(machine.root)
    raise ParseError(
        f"zipl would refuse this: {first.message}{more}",
        location=first.location,
        hint="\n".join(
            [
                *([] if first.hint is None else [here.completed(first.hint)]),
                *(
                    [f"it is the boot entry of a trial; to drop it: {here.command('rollback')}"]
                    if first.location in tuple(_of_trial(machine))
                    else []
                ),
                f"`{here.command('check')}` lists every problem",
            ]
        ),
    )


def _of_trial(machine: Machine) -> Iterator[Location]:
    """Yield the locations of a trial's boot entry, and of the files that it names."""
    for entry in machine.configuration.entries:
        if entry.is_trial:
            yield entry.location
            yield from (p.location for p in (entry.image, entry.ramdisk) if p is not None)


def _impossible(machine: Machine) -> Iterator[Location]:
    """Yield where a boot entry names something that cannot be a kernel or ramdisk: a directory, say."""
    for entry in machine.configuration.entries:
        for part in (entry.image, entry.ramdisk):
            facts = None if part is None else machine.facts.get(part.path)
            if part is not None and facts is not None and facts.kind in _NO_FILES:
                yield part.location


def _require_entries(machine: Machine) -> None:
    if not machine.configuration.entries:
        raise RefusedError(
            "no boot entry found: zipl.conf has no sections, and there are no BLS entries",
            hint="check --root, and whether /boot is mounted\n"
            f"to create boot entries for the kernels: {Invocation.on(machine.root).command('init')}",
        )


def _warnings(
    profile: Profile, machine: Machine, plans: tuple[EntryPlan, ...], *, with_zipl: bool
) -> tuple[Finding, ...]:
    """Return warnings about the selected entries, zipl's view of the files, and shared parmfiles."""
    here = Invocation.on(machine.root)
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
            TRIAL_STANDS,
            Severity.WARNING,
            f"'{visible(entry.name)}' is the boot entry of a trial; a plan does not change it",
            Location(entry.path, entry.line),
            f"to keep the change once it has booted: {here.command('confirm')}\n"
            f"to drop it: {here.command('rollback')}",
        )
        for entry in machine.configuration.entries
        if entry.is_trial
    ]
    found += [
        Finding(
            "shared-parmfile",
            Severity.WARNING,
            f"'{plan.name}' also changes: it shares a parmfile with a selected entry",
            plan.location,
        )
        for plan in plans
        if plan.status not in {EntryStatus.CHANGE, EntryStatus.GENERATED}
        and plan.line_after not in {None, plan.line_before}
    ]
    return tuple(found)


def _lost_words(found: NextIpl) -> Iterator[Finding]:
    """Yield which words zipl removes from a boot record that was not made from the files."""
    for choice in found.choices:
        if found.record.from_options and choice.added:
            message = (
                f"{choice.location} was written by zipl with command-line options; zipl will now write"
                f" it without words that no boot file contains: {visible(choice.added)}"
            )
            yield Finding("record-loses-words", Severity.WARNING, message)


def _version_warnings(machine: Machine) -> tuple[Finding, ...]:
    if not machine.zipl_version_is_assumed:
        return ()
    message = f"zipl is not installed in {machine.root}; assuming {machine.zipl_version}"
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
            f"no boot entry matches {pattern!r} in the profile",
        )
        for pattern in profile.entries.unmatched(names)
    ]
    if plans and not any(plan.status in _SELECTED | {EntryStatus.SEALED} for plan in plans):
        message = "the profile selects none of this machine's boot entries"
        found.append(Finding("no-entry", Severity.WARNING, message))
    return found
